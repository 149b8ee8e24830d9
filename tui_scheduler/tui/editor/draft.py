"""A job as the texts of its fields, and back, with what is wrong said beside the field where it is wrong.

Pure. The keys are those of `fields.FIELDS`: the names as in the JSON, which `Invalid.field` has too.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeVar

from tui_scheduler.domain.durations import parse_duration, show_duration
from tui_scheduler.domain.errors import Invalid
from tui_scheduler.domain.job import CatchUp, Job, JobSpec, JobType, Overlap, Request, SuccessRule
from tui_scheduler.domain.retry import RetryPolicy
from tui_scheduler.domain.schedule import AtSchedule, parse_schedule
from tui_scheduler.domain.validation import check, check_values
from tui_scheduler.domain.zones import EARLIEST, LATEST, local_time, timeline
from tui_scheduler.tui.editor.fields import FIELDS, NO, YES
from tui_scheduler.tui.formatting import SECOND

Texts = Mapping[str, str]
T = TypeVar("T")

NEW_JOB: Final = JobSpec(schedule="", request=Request(url=""))
"""What a new job begins with: everything at its default."""

_INSTANT_EXAMPLE: Final = "2026-12-01 09:00"
_MICROS: Final = re.compile(r"(-?\d{1,19})us", re.ASCII)


@dataclass(frozen=True, slots=True)
class Reading:
    """What texts mean. `spec` is there when every text could be read; `errors` are by field, of reading and of
    checking. A job can be stored when there are none.
    """

    spec: JobSpec | None
    errors: Mapping[str, Invalid]


def texts_of(spec: JobSpec) -> dict[str, str]:
    """The texts that `read` reads back as this very spec."""
    request, retry, success = spec.request, spec.retry, spec.success
    return {
        "name": spec.name,
        "method": request.method,
        "api": request.url,
        "headers": "\n".join(f"{name}: {value}" for name, value in request.headers),
        "body": request.body or "",
        "schedule": spec.schedule,
        "timezone": spec.timezone,
        "startsAt": _show_instant(spec.starts_at, spec.timezone),
        "endsAt": _show_instant(spec.ends_at, spec.timezone),
        "jitterMs": show_duration(spec.jitter),
        "tlsVerify": _show_flag(spec.request.tls_verify),
        "caFile": request.ca_file or "",
        "followRedirects": _show_flag(request.follow_redirects),
        "retry.maxAttempts": str(retry.max_attempts),
        "retry.baseMs": show_duration(retry.base),
        "retry.factor": repr(float(retry.factor)).removesuffix(".0"),
        "retry.capMs": show_duration(retry.cap),
        "retry.totalMs": "" if retry.total is None else show_duration(retry.total),
        "retry.statuses": _show_set(retry.statuses),
        "pauseOnGone": _show_flag(spec.pause_on_gone),
        "success.statuses": _show_ranges(success.statuses),
        "success.bodyPattern": success.body_pattern or "",
        "success.jsonPath": success.json_path or "",
        "success.jsonEquals": _show_json(success.json_equals),
        "type": spec.type.value,
        "timeoutMs": show_duration(spec.timeout),
        "priority": str(spec.priority),
        "queue": spec.queue,
        "tags": _show_tags(spec.tags),
        "overlap": spec.overlap.value,
        "catchUp": spec.catch_up.value,
        "graceMs": show_duration(spec.grace),
    }


def read(texts: Texts, base: JobSpec = NEW_JOB) -> Reading:
    """What the texts mean, unchecked. `base` tells an empty text that was given from one that was not: an empty body
    stays what it is in `base`.
    """
    reader = _Reader(texts, base)
    spec = reader.spec()
    return Reading(None if reader.errors else spec, reader.errors)


def read_and_check(texts: Texts, now: int, stored: Job | None = None, base: JobSpec = NEW_JOB) -> Reading:
    """What the texts mean and what is wrong with each of them, as far as can be told without asking anybody.

    The domain refuses the first thing it finds: what it refuses is taken as it was at the start, and asked again.
    """
    reader = _Reader(texts, base)
    spec = probe = reader.spec()
    errors = dict(reader.errors)
    sound = texts_of(NEW_JOB) | {"api": "http://localhost/", "schedule": "* * * * * *"}
    for _ in FIELDS:
        wrong = _first_wrong(probe, now, stored)
        if wrong is None:
            break
        if wrong.field in reader.errors or wrong.field not in FIELDS:
            errors.setdefault(wrong.field, wrong)
            break
        if wrong.field in errors:
            break
        errors[wrong.field] = wrong
        replaced = {key: sound[key] for key in (*reader.errors, *errors) if key in FIELDS}
        probe = _Reader({**texts, **replaced}, NEW_JOB).spec()
    return Reading(None if reader.errors else spec, errors)


def merge(mine: Texts, base: Texts, theirs: Texts) -> dict[str, str]:
    """`theirs`, with what `mine` has changed since `base`."""
    return {key: mine[key] if mine[key] != base[key] else theirs[key] for key in FIELDS}


def differences(one: Texts, other: Texts) -> tuple[str, ...]:
    """The fields that differ, in the order they are shown."""
    return tuple(key for key in FIELDS if one[key] != other[key])


def take_back(current: JobSpec, edited: JobSpec, former: JobSpec) -> JobSpec:
    """`current` with what an edit changed as it was before; what was changed by others since stays as it is."""
    found = read(merge(texts_of(former), texts_of(edited), texts_of(current)), former).spec
    return former if found is None else found


def _first_wrong(spec: JobSpec, now: int, stored: Job | None) -> Invalid | None:
    """As `Control` would refuse it: a schedule that has come to its end is no reason to refuse another body."""
    try:
        if stored is not None and _timing(stored.spec) == _timing(spec):
            check_values(spec, created_at=stored.created_at)
        else:
            check(spec, now=now, created_at=None if stored is None else stored.created_at)
    except Invalid as error:
        return error
    return None


def _timing(spec: JobSpec) -> tuple[object, ...]:
    return spec.schedule, spec.timezone, spec.jitter, spec.starts_at, spec.ends_at


class _Reader:
    """Reads each field; what cannot be read goes to `errors` and stays as it is in `base`."""

    def __init__(self, texts: Texts, base: JobSpec) -> None:
        self.texts = texts
        self.base = base
        self.errors: dict[str, Invalid] = {}

    def spec(self) -> JobSpec:
        text, base = self.texts, self.base
        return JobSpec(
            schedule=text["schedule"],
            request=self._request(),
            name=text["name"],
            timezone=text["timezone"],
            type=JobType(text["type"]),
            retry=self._retry(),
            timeout=self._duration("timeoutMs", base.timeout),
            priority=self._of("priority", _whole, base.priority),
            queue=text["queue"],
            tags=self._of("tags", _tags, base.tags),
            overlap=Overlap(text["overlap"]),
            catch_up=CatchUp(text["catchUp"]),
            grace=self._duration("graceMs", base.grace),
            jitter=self._duration("jitterMs", base.jitter),
            starts_at=self._instant("startsAt", base.starts_at),
            ends_at=self._instant("endsAt", base.ends_at),
            success=self._success(),
            pause_on_gone=text["pauseOnGone"] == YES,
        )

    def _request(self) -> Request:
        text, old = self.texts, self.base.request
        return Request(
            url=text["api"],
            method=text["method"],
            headers=self._of("headers", _headers, old.headers),
            body=_given(text["body"], old.body),
            tls_verify=text["tlsVerify"] == YES,
            ca_file=_given(text["caFile"], old.ca_file),
            follow_redirects=text["followRedirects"] == YES,
        )

    def _retry(self) -> RetryPolicy:
        old = self.base.retry
        total = self.texts["retry.totalMs"].strip()
        return RetryPolicy(
            max_attempts=self._of("retry.maxAttempts", _whole, old.max_attempts),
            base=self._duration("retry.baseMs", old.base),
            factor=self._of("retry.factor", _number, old.factor),
            cap=self._duration("retry.capMs", old.cap),
            total=self._duration("retry.totalMs", old.total or 0) if total else None,
            statuses=self._of("retry.statuses", _status_set, old.statuses),
        )

    def _success(self) -> SuccessRule:
        text, old = self.texts, self.base.success
        return SuccessRule(
            statuses=self._of("success.statuses", _ranges, old.statuses),
            body_pattern=_given(text["success.bodyPattern"], old.body_pattern),
            json_path=_given(text["success.jsonPath"], old.json_path),
            json_equals=self._of("success.jsonEquals", _json_value, old.json_equals),
        )

    def _duration(self, key: str, old: int) -> int:
        try:
            return parse_duration(self.texts[key], key)
        except Invalid as error:
            self.errors[key] = error
            return old

    def _instant(self, key: str, old: int | None) -> int | None:
        return self._of(key, lambda text: _instant(text, self.texts["timezone"]), old)

    def _of(self, key: str, reading: Callable[[str], T], old: T) -> T:
        try:
            return reading(self.texts[key])
        except _Unreadable as error:
            self.errors[key] = Invalid(key, str(error), position=error.position, example=error.example)
            return old


class _Unreadable(Exception):
    """A text that is no value of its field."""

    def __init__(self, reason: str, example: str, position: int | None = None) -> None:
        super().__init__(reason)
        self.example = example
        self.position = position


def _given(text: str, old: str | None) -> str | None:
    """No text is None, unless it was the empty text before."""
    return text or ("" if old == "" else None)


def _show_flag(flag: bool) -> str:
    return YES if flag else NO


def _headers(text: str) -> tuple[tuple[str, str], ...]:
    found = []
    at = 0
    for line in text.split("\n"):
        name, colon, value = line.partition(":")
        if not colon and line.strip():
            raise _Unreadable(f"{line[:40]!r} has no colon between name and value", "X-Source: nightly", at)
        if colon:
            found.append((name, value.removeprefix(" ")))
        at += len(line) + 1
    return tuple(found)


def _whole(text: str) -> int:
    if not re.fullmatch(r"\s*\d{1,9}\s*", text, re.ASCII):
        raise _Unreadable("must be a whole number", "3")
    return int(text)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise _Unreadable("must be a number", "1.5") from None


def _show_ranges(ranges: Iterable[tuple[int, int]]) -> str:
    return ", ".join(f"{low}" if low == high else f"{low}-{high}" for low, high in ranges)


def _ranges(text: str) -> tuple[tuple[int, int], ...]:
    found = []
    for part in filter(None, map(str.strip, text.split(","))):
        match = re.fullmatch(r"(\d{3})(?:\s*-\s*(\d{3}))?", part, re.ASCII) or re.fullmatch(r"(\d)xx", part, re.ASCII)
        if match is None:
            raise _Unreadable(f"{part[:20]!r} is neither a status nor a range of them", "200-299, 304", text.find(part))
        if part.endswith("xx"):
            found.append((int(match[1]) * 100, int(match[1]) * 100 + 99))
        else:
            found.append((int(match[1]), int(match[2] or match[1])))
    return tuple(found)


def _show_set(statuses: frozenset[int] | None) -> str:
    if statuses is None:
        return ""
    if not statuses:
        return "none"
    ranges: list[tuple[int, int]] = []
    for status in sorted(statuses):
        if ranges and ranges[-1][1] == status - 1:
            ranges[-1] = (ranges[-1][0], status)
        else:
            ranges.append((status, status))
    return _show_ranges(ranges)


def _status_set(text: str) -> frozenset[int] | None:
    if not text.strip():
        return None
    if text.strip() == "none":
        return frozenset()
    ranges = _ranges(text)
    for low, high in ranges:
        if high < low:
            raise _Unreadable(f"{low}-{high} is no range: the lower one goes first", "500-599")
    return frozenset(status for low, high in ranges for status in range(low, high + 1))


def _show_tags(tags: tuple[str, ...]) -> str:
    """Separated by commas; one that has a comma or a quote in it is quoted."""
    if not tags:
        return ""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(tags)
    return line.getvalue().replace(",", ", ") if not any('"' in tag or "," in tag for tag in tags) else line.getvalue()


def _tags(text: str) -> tuple[str, ...]:
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True))
    except csv.Error:
        raise _Unreadable("has a quote that does not end", "billing, nightly") from None
    return tuple(tag.strip(" ") for row in rows for tag in row if tag.strip(" "))


def _show_json(value: str | float | bool | None) -> str:
    if value is None:
        return ""
    if isinstance(value, str) and value and value.isprintable() and value == value.strip() and not _is_json(value):
        return value
    return json.dumps(value, ensure_ascii=False)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return text[0] == '"'
    return True


def _json_value(text: str) -> str | float | bool | None:
    if not text.strip():
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        if text.strip()[0] == '"':
            raise _Unreadable("has a quote that does not end", '"ok"') from None
        return text.strip()
    if not isinstance(value, str | int | float | bool):
        raise _Unreadable("must be a text, a number, true or false; in quotes it is a text", '"null"')
    return value


def _show_instant(instant: int | None, timezone: str) -> str:
    if instant is None:
        return ""
    second, micros = divmod(instant, SECOND)
    if not EARLIEST < second < LATEST:
        return f"{instant}us"  # no calendar goes that far
    offset = timeline(timezone).offset_at(second) if _exists(timezone) else 0
    if offset % 60:
        offset = 0  # local mean time: offsets with seconds are not read everywhere
    moment = local_time(second, offset) + timedelta(microseconds=micros)
    return moment.isoformat(sep=" ", timespec="microseconds" if micros else "seconds")


def _exists(timezone: str) -> bool:
    try:
        timeline(timezone)
    except Invalid:
        return False
    return True


def _instant(text: str, timezone: str) -> int | None:
    """What `@at` takes, or a date alone, which means its first moment."""
    text = text.strip()
    if not text:
        return None
    far = _MICROS.fullmatch(text)
    if far:
        return int(far[1])
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        text += " 00:00"
    has_offset = re.search(r"(Z|[+-]\d\d:\d\d)$", text, re.IGNORECASE)
    try:
        # A timezone that does not exist is told of where it was typed, and matters nowhere else.
        schedule = parse_schedule(f"@at {text}", timezone if not has_offset and _exists(timezone) else "UTC")
    except Invalid:
        raise _Unreadable("needs a date, or a date and a time", _INSTANT_EXAMPLE) from None
    assert isinstance(schedule, AtSchedule)  # noqa: S101 - for the type checker: that is what @at makes
    return schedule.instant
