"""A request from a wget command, as crontabs have it: the few options that are about one request."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final, NoReturn

from tui_scheduler.domain.curl import CurlRequest
from tui_scheduler.domain.errors import Invalid
from tui_scheduler.domain.job import Request
from tui_scheduler.domain.shell import Token, simple_command, split
from tui_scheduler.domain.validation import check_request

FIELD: Final = "wget"
_FORM: Final = "application/x-www-form-urlencoded"
_LETTERS: Final = {
    "q": "quiet", "v": "verbose", "d": "debug", "S": "server-response", "b": "background", "c": "continue",
    "N": "timestamping", "4": "inet4-only", "6": "inet6-only", "O": "output-document", "o": "output-file",
    "a": "append-output", "P": "directory-prefix", "t": "tries", "T": "timeout", "w": "wait", "U": "user-agent",
}  # fmt: skip
_QUIET: Final = frozenset(
    {
        "quiet", "verbose", "no-verbose", "debug", "server-response", "background", "continue", "timestamping",
        "inet4-only", "inet6-only", "no-cache", "no-cookies", "no-proxy", "no-dns-cache", "no-hsts", "show-progress",
        "delete-after", "content-disposition", "trust-server-names", "content-on-error", "no-directories",
        "auth-no-challenge",
    }
)  # fmt: skip
_QUIET_VALUED: Final = frozenset(
    {
        "output-document", "output-file", "append-output", "directory-prefix", "tries", "wait", "waitretry",
        "limit-rate", "progress", "secure-protocol", "dns-timeout", "connect-timeout", "random-wait", "max-redirect",
    }
)  # fmt: skip
_VALUED: Final = _QUIET_VALUED | {
    "post-data", "body-data", "method", "header", "user-agent", "referer", "timeout", "read-timeout", "user",
    "http-user", "password", "http-password", "ca-certificate",
}  # fmt: skip


def read_wget(text: str) -> CurlRequest:
    """The request of a wget command. Raises `Invalid("wget", …)` with the position of what cannot be taken."""
    words, notes = simple_command(split(text, FIELD), FIELD)
    if not words or words[0].text.rpartition("/")[2] != "wget":
        raise Invalid(FIELD, "is no wget command: it has to begin with wget", position=0)
    read = _Reader()
    read.read(iter(words[1:]))
    if len(read.urls) != 1:
        _refuse("one request needs one URL", read.urls[1] if read.urls else words[0])
    request = read.request()
    try:
        check_request(request)
    except Invalid as wrong:
        name = "the URL" if wrong.field == "api" else wrong.field
        raise Invalid(FIELD, f"{name} {wrong.reason}", position=read.urls[0].at) from None
    return CurlRequest(request, tuple(notes), read.timeout)


@dataclass
class _Reader:
    urls: list[Token] = field(default_factory=list)
    made: Request = field(default_factory=lambda: Request("", "GET", follow_redirects=True))
    headers: list[tuple[str, str]] = field(default_factory=list)
    method: str | None = None
    user: str | None = None
    password: str = ""
    timeout: int | None = None

    def read(self, words: Iterator[Token]) -> None:
        for word in words:
            if not word.text.startswith("-") or word.text == "-":
                self.urls.append(word)
                continue
            for name, value in _spelled_out(word):
                if name in _VALUED:
                    given = Token(value, word.at) if value is not None else next(words, None)
                    if given is None:
                        _refuse(f"{word.text} needs a value", word)
                    self._valued(name, given)
                elif name == "spider":
                    self.method = self.method or "HEAD"
                elif name == "no-check-certificate":
                    self.made = replace(self.made, tls_verify=False)
                elif name not in _QUIET:
                    _refuse(f"{word.text[:40]} is no option that a job can follow", word)

    def request(self) -> Request:
        """What the options add up to."""
        url = self.urls[0].text
        url = url if "://" in url else f"http://{url}"
        body = self.made.body
        known = {name.lower() for name, _ in self.headers}
        if self.user is not None and "authorization" not in known:
            secret = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            self.headers.append(("Authorization", f"Basic {secret}"))
        if body is not None and "content-type" not in known:
            self.headers.append(("Content-Type", _FORM))
        method = self.method or ("GET" if body is None else "POST")
        ca_file = self.made.ca_file if self.made.tls_verify else None
        return replace(self.made, url=url, method=method, headers=tuple(self.headers), ca_file=ca_file)

    def _valued(self, name: str, given: Token) -> None:
        match name:
            case "post-data" | "body-data":
                self.made = replace(self.made, body=given.text)
            case "method":
                self.method = given.text.upper()
            case "header":
                header, colon, value = given.text.partition(":")
                if not colon:
                    _refuse("a header is a name, a colon and a value", given)
                self.headers.append((header.strip(), value.strip()))
            case "user-agent" | "referer":
                self.headers.append(("User-Agent" if name == "user-agent" else "Referer", given.text))
            case "timeout" | "read-timeout":
                if not given.text.isdecimal() or len(given.text) > 9:
                    _refuse("a time limit is a number of seconds", given)
                self.timeout = int(given.text) * 1_000_000 or None
            case "user" | "http-user":
                self.user = given.text
            case "password" | "http-password":
                self.password = given.text
            case "ca-certificate":
                self.made = replace(self.made, ca_file=given.text)
            case "max-redirect" if given.text == "0":
                self.made = replace(self.made, follow_redirects=False)


def _spelled_out(word: Token) -> list[tuple[str, str | None]]:
    """The options in a word by their long names: `-qO-` is two, the second with its value."""
    if word.text.startswith("--"):
        name, equals, value = word.text[2:].partition("=")
        return [(name, value if equals else None)]
    if word.text == "-nv":
        return [("no-verbose", None)]
    found: list[tuple[str, str | None]] = []
    for number, letter in enumerate(word.text[1:], start=2):
        name = _LETTERS.get(letter, f"-{letter}")
        rest = word.text[number:]
        if name in _VALUED and rest:
            return [*found, (name, rest)]
        found.append((name, None))
    return found


def _refuse(reason: str, word: Token) -> NoReturn:
    raise Invalid(FIELD, reason, position=word.at)
