"""Jobs from a crontab: its lines that call a URL with curl or wget, and for each other line why it cannot be a job."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import unquote, urlsplit

from tui_scheduler.domain.curl import CurlRequest, read_curl
from tui_scheduler.domain.errors import Invalid
from tui_scheduler.domain.expression import ALIASES
from tui_scheduler.domain.job import JobSpec, Request
from tui_scheduler.domain.validation import MAX_NAME, check_values
from tui_scheduler.domain.wget import read_wget

_ENVIRONMENT: Final = re.compile(r"\s*(?P<name>[A-Za-z_]\w*|'[^']*'|\"[^\"]*\")\s*=\s*(?P<value>.*)", re.ASCII)
_FIVE_FIELDS: Final = re.compile(r"(?P<schedule>(?:\S+[ \t]+){4}\S+)[ \t]+(?P<command>.*)")
_ALIAS: Final = re.compile(r"(?P<schedule>@\w+)(?:[ \t]+(?P<command>.*))?")
_USER: Final = re.compile(r"[A-Za-z_][\w.-]{0,31}\$?[ \t]+(?=(?:/\S*/)?(?:curl|wget)[ \t])", re.ASCII)
_NO_USERS: Final = ("echo", "printf", "curl", "wget")
_CUT: Final = re.compile(r"(?<!\\)%")
_A_FIELD: Final = re.compile(r"[\d*/,-]+")
_NOT_IN_NAMES: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_COLUMNS: Final = re.compile(r"m(in(ute)?)?\s+h(our)?\s", re.IGNORECASE)
_READERS: Final = {"curl": read_curl, "wget": read_wget}


@dataclass(frozen=True, slots=True)
class CrontabEntry:
    """A line with a schedule: `spec` is the job it makes, or else `reason` says why it makes none. `line` counts
    from 1; `notes` say what was left out.
    """

    line: int
    text: str
    spec: JobSpec | None = None
    reason: str | None = None
    notes: tuple[str, ...] = ()


def read_crontab(text: str, *, timezone: str = "UTC") -> list[CrontabEntry]:
    """The entries of a crontab, in its order; `timezone` is that of lines before any CRON_TZ or TZ.

    Comments, blank lines and other settings are passed over. A job is named by the comment right above it, or else by
    the last part of its URL's path.
    """
    readable = text.encode("utf-8", "replace").decode()  # a file may hold bytes that are no text
    return list(_entries(readable, timezone))


def _entries(text: str, timezone: str) -> Iterator[CrontabEntry]:
    comment = ""
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        setting = _ENVIRONMENT.fullmatch(line)
        if stripped.startswith("#"):
            comment = _said(stripped)
        elif not stripped:
            comment = ""
        elif setting is not None:
            timezone = _zone(setting, timezone)
        else:
            yield _entry(number, stripped, comment, timezone)
            comment = ""


def _entry(number: int, text: str, comment: str, timezone: str) -> CrontabEntry:
    try:
        schedule, command = _parts(text)
        read = _request(command)
        spec = JobSpec(schedule, read.request, comment or _name(read.request), timezone)
        if read.timeout is not None:
            spec = replace(spec, timeout=read.timeout)
        check_values(spec, created_at=0)
    except Invalid as invalid:
        named = invalid.field in {"crontab", "curl", "wget"}
        return CrontabEntry(number, text, reason=invalid.reason if named else f"{invalid.field}: {invalid.reason}")
    return CrontabEntry(number, text, spec, notes=read.notes)


def _parts(text: str) -> tuple[str, str]:
    """The schedule and the command, without the user of a system's crontab."""
    if text.startswith("@"):
        alias = _ALIAS.fullmatch(text)
        schedule = alias["schedule"].lower() if alias else text
        if schedule == "@reboot":
            raise _wrong("runs when the machine starts, which is no time")
        if alias is None or schedule not in ALIASES:
            raise _wrong(f"{text.split(maxsplit=1)[0]} is no schedule of a crontab")
        command = alias["command"] or ""
    else:
        fields = _FIVE_FIELDS.fullmatch(text)
        if fields is None:
            raise _wrong("a line has five fields and a command")
        schedule, command = " ".join(fields["schedule"].split()), fields["command"]
    user = _USER.match(command)
    if user and user[0].strip() not in _NO_USERS:
        command = command[user.end() :]
    return schedule, command.strip()


def _request(command: str) -> CurlRequest:
    program = command.split(maxsplit=1)[0].rpartition("/")[2] if command else ""
    if not command:
        raise _wrong("has no command")
    if program not in _READERS:
        raise _wrong("runs a command, not an HTTP request")
    cut = _CUT.search(command)
    if cut:
        raise _wrong(r"cron ends the command at a % that is not written \%, and gives it the rest to read")
    return _READERS[program](command.replace(r"\%", "%"))


def _zone(setting: re.Match[str], timezone: str) -> str:
    if setting["name"].strip("'\"") not in {"CRON_TZ", "TZ"}:
        return timezone
    return setting["value"].strip().strip("'\"").removeprefix(":") or timezone


def _said(line: str) -> str:
    """What a comment says, if it may be a name: not a line, a heading of columns, or an entry put out of use."""
    words = _NOT_IN_NAMES.sub("", line.strip("# \t-=*")).strip()
    put_out = [word for word in words.split()[:5] if _A_FIELD.fullmatch(word)]
    is_entry = len(put_out) >= 3 or words.startswith("@") or _COLUMNS.match(words) is not None
    return "" if is_entry else words[:MAX_NAME]


def _name(request: Request) -> str:
    parts = urlsplit(request.url)
    last = unquote(parts.path.rstrip("/").rpartition("/")[2])
    return _NOT_IN_NAMES.sub("", last or parts.hostname or "")[:MAX_NAME]


def _wrong(reason: str) -> Invalid:
    return Invalid("crontab", reason)
