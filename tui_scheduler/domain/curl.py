"""A request from a curl command as browsers and people paste it, and a request as a curl command.

Nothing is guessed: what a job cannot do (a file, a form, a proxy) is refused by name where it stands, and what makes
no difference to the request is left out, with a note where somebody might miss it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NoReturn
from urllib.parse import quote, unquote

from tui_scheduler.domain import curl_options as options
from tui_scheduler.domain.errors import Invalid
from tui_scheduler.domain.job import Request
from tui_scheduler.domain.shell import Token, quoted, simple_command, split
from tui_scheduler.domain.validation import FRAMING_HEADERS, OUR_HEADERS, check_request

FIELD: Final = "curl"
LINES: Final = " \\\n  "
"""Between the parts of a command that takes many lines."""

_EXAMPLE: Final = "curl -d '{\"n\": 1}' https://example.com/hook"
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_USERINFO: Final = re.compile(r"(https?://)([^/?#@]*)@", re.IGNORECASE)
_GLOB: Final = re.compile(r"\{[^{}]*\}|\[[^\[\]]*\]")
_GLOB_LETTERS: Final = frozenset("[]{}")
"""One alone is an error to curl."""
_IPV6_HOST: Final = re.compile(r"https?://\[[0-9A-Fa-f:.%]+\](?=[:/?#]|$)", re.IGNORECASE)
_WINDOWS: Final = re.compile(r"\^[ \t]*\r?\n|\^\"")
_SECONDS: Final = re.compile(r"\d{1,9}(\.\d{1,6}\d*)?", re.ASCII)
_FORM: Final = "application/x-www-form-urlencoded"
_JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class CurlRequest:
    """What a command would send. `notes` say what was left out or changed, a sentence each; `timeout` µs if given."""

    request: Request
    notes: tuple[str, ...] = ()
    timeout: int | None = None


def read_curl(text: str) -> CurlRequest:
    """The request of a curl command. Raises `Invalid("curl", …)` with the position of what cannot be taken."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Invalid(FIELD, "contains half of a character, which is no text", position=error.start) from None
    windows = _WINDOWS.search(text)
    if windows:
        reason = "this is written for the Windows command line; copy it as cURL for bash instead"
        raise Invalid(FIELD, reason, position=windows.start(), example=_EXAMPLE)
    words, notes = simple_command(split(text, FIELD), FIELD)
    if words and words[0].text in {"$", "%"}:  # the prompt, pasted with it
        words = words[1:]
    if not words or words[0].text.rpartition("/")[2] not in {"curl", "curl.exe"}:
        at = words[0].at if words else 0
        raise Invalid(FIELD, "is no curl command: it has to begin with curl", position=at, example=_EXAMPLE)
    reader = _Reader(notes=notes)
    reader.read(words[1:])
    return reader.result(words[0])


@dataclass
class _Reader:
    """Takes option after option; `result` is what they add up to."""

    notes: list[str]
    urls: list[Token] = field(default_factory=list)
    method: Token | None = None
    headers: list[tuple[str, str]] = field(default_factory=list)
    removed: set[str] = field(default_factory=set)
    data: list[str] = field(default_factory=list)
    is_json: bool = False
    is_get: bool = False
    is_head: bool = False
    is_globbing: bool = True
    is_compressed: bool = False
    tls_verify: bool = True
    ca_file: str | None = None
    follows: bool = False
    user: Token | None = None
    bearer: str | None = None
    agent: str | None = None
    referer: str | None = None
    cookies: list[str] = field(default_factory=list)
    timeout: int | None = None

    def read(self, words: list[Token]) -> None:
        """All words after `curl`."""
        remaining = iter(words)
        options_over = False
        for word in remaining:
            if options_over or not word.text.startswith("-") or word.text == "-":
                self.urls.append(word)
            elif word.text == "--":
                options_over = True
            else:
                for name, value in _spelled_out(word):
                    self._take(name, value, word, remaining)

    def _take(self, name: str, value: str | None, word: Token, remaining: Iterator[Token]) -> None:
        if name in options.REFUSED:
            _refuse(f"{word.text.split('=')[0]}: {options.REFUSED[name]}", word)
        if name in options.FLAGS:
            self._flag(name)
            return
        if name not in options.VALUED:
            _refuse(f"{word.text[:40]} is no option that is known here", word)
        given = Token(value, word.at) if value is not None else next(remaining, None)
        if given is None:
            _refuse(f"{word.text} needs a value", word)
        self._valued(name, given)

    def _flag(self, name: str) -> None:
        if name in options.NOTED:
            self._note(options.NOTED[name])
        match name:
            case "get":
                self.is_get = True
            case "head":
                self.is_head = True
            case "globoff":
                self.is_globbing = False
            case "insecure":
                self.tls_verify = False
            case "compressed":
                self.is_compressed = True
            case "location" | "location-trusted":
                self.follows = True

    def _valued(self, name: str, given: Token) -> None:
        if name in options.NOTED:
            self._note(options.NOTED[name])
        if name in _DATA:
            self.data.append(_DATA[name](given))
            self.is_json |= name == "json"
        else:
            self._valued_otherwise(name, given)

    def _valued_otherwise(self, name: str, given: Token) -> None:
        match name:
            case "url":
                self.urls.append(given)
            case "request":
                self.method = given
            case "header":
                self._header(given)
            case "user":
                self.user = given
            case "oauth2-bearer":
                self.bearer = given.text
            case "user-agent":
                self.agent = given.text
            case "referer":
                self.referer = given.text.removesuffix(";auto")
            case "cookie":
                self.cookies.append(_cookies(given))
            case "range":
                self.headers.append(("Range", f"bytes={given.text}"))
            case "cacert":
                self.ca_file = given.text
            case "max-time":
                self.timeout = _micros(given)

    def _header(self, given: Token) -> None:
        if given.text.startswith("@"):
            _refuse("headers from a file cannot be read; write them here", given)
        name, colon, value = given.text.partition(":")
        if not colon and name.endswith(";"):  # how curl is told to send an empty one
            self.headers.append((name[:-1].strip(), ""))
        elif not colon:
            _refuse("a header is a name, a colon and a value", given)
        elif value.strip():
            self.headers.append((name.strip(), value.strip()))
        else:
            self.removed.add(name.strip().lower())

    def result(self, command: Token) -> CurlRequest:
        """The request, checked as a job's would be."""
        if not self.urls:
            _refuse("has no URL", command)
        if len(self.urls) > 1:
            _refuse("has a second URL here; one request is one job", self.urls[1])
        url, credentials = self._url(self.urls[0])
        method = self._method()
        body = None if self.is_get or not self.data else ("" if self.is_json else "&").join(self.data)
        headers = self._all_headers(credentials, has_body=body is not None)
        request = Request(
            url,
            method,
            tuple(headers),
            body,
            tls_verify=self.tls_verify,
            ca_file=self.ca_file if self.tls_verify else None,
            follow_redirects=self.follows,
        )
        try:
            check_request(request)
        except Invalid as wrong:
            at = self.method.at if wrong.field == "method" and self.method else self.urls[0].at
            name = "the URL" if wrong.field == "api" else wrong.field
            raise Invalid(FIELD, f"{name} {wrong.reason}", position=at) from None
        return CurlRequest(request, tuple(dict.fromkeys(self.notes)), self.timeout)

    def _url(self, given: Token) -> tuple[str, str | None]:
        """The URL as a job takes it, and the credentials that stood in it."""
        url = given.text.strip()
        scheme = _SCHEME.match(url)
        if scheme is None:
            url = f"http://{url}"
        elif scheme[1].lower() not in {"http", "https"}:
            _refuse(f"{scheme[1]} is not http or https", given)
        glob = _GLOB.search(url, _host_end(url)) if self.is_globbing else None
        if glob:
            _refuse(f"curl makes several requests of {glob[0]}; with -g it stands for itself", given)
        url, fragment, _ = url.partition("#")
        if fragment:
            self._note("the part of the URL after # is left out: it is never sent")
        credentials = _USERINFO.match(url)
        if credentials:
            url = credentials[1] + url[credentials.end() :]
            self._note("the credentials in the URL are sent in an Authorization header")
        if self.is_get and self.data:
            url += ("&" if "?" in url else "?") + "&".join(self.data)
        return url, unquote(credentials[2]) if credentials else None

    def _method(self) -> str:
        if self.method is not None:
            return self.method.text.upper()
        if self.is_head:
            if self.data and not self.is_get:
                _refuse("asks for the head (-I) and sends data, which curl does not do either", self.urls[0])
            return "HEAD"
        return "POST" if self.data and not self.is_get else "GET"

    def _all_headers(self, credentials: str | None, *, has_body: bool) -> list[tuple[str, str]]:
        """Those given, without what a job sets itself, and those that other options stand for."""
        headers = [header for header in self.headers if not self._is_left_out(header[0])]
        known = {name.lower() for name, _ in headers}
        for name, value in self._implied(credentials, has_body=has_body):
            # A header that is given or taken away by name wins over an option, as in curl.
            if name.lower() not in known | self.removed:
                headers.append((name, value))
        if has_body and "content-type" in self.removed and "content-type" not in known:
            self._note("a body is sent with a Content-Type: application/json unless another is given")
        return headers

    def _implied(self, credentials: str | None, *, has_body: bool) -> list[tuple[str, str]]:
        implied = []
        if self.user is not None and ":" not in self.user.text:
            _refuse("curl would ask for the password; write it as user:password", self.user)
        basic = self.user.text if self.user is not None else credentials
        if self.bearer is not None:
            implied.append(("Authorization", f"Bearer {self.bearer}"))
        elif basic is not None:
            basic = basic if ":" in basic else f"{basic}:"
            implied.append(("Authorization", "Basic " + base64.b64encode(basic.encode()).decode()))
        if self.agent:
            implied.append(("User-Agent", self.agent))
        if self.referer:
            implied.append(("Referer", self.referer))
        if self.cookies:
            implied.append(("Cookie", "; ".join(self.cookies)))
        if has_body:
            implied.append(("Content-Type", _JSON if self.is_json else _FORM))
        if self.is_json:
            implied.append(("Accept", _JSON))
        return implied

    def _is_left_out(self, name: str) -> bool:
        lowered = name.lower()
        if lowered in FRAMING_HEADERS or lowered in OUR_HEADERS:
            self._note(f"{name} is left out: the scheduler sets it itself")
            return True
        if lowered == "accept-encoding" and self.is_compressed:
            self._note("--compressed and Accept-Encoding are left out: answers are kept as text")
            return True
        return False

    def _note(self, sentence: str) -> None:
        self.notes.append(sentence)


def as_curl(request: Request, *, separator: str = " ") -> str:
    """A command that sends what the job sends (but for the scheduler's own headers), safe to paste into a shell.

    `separator` stands between its parts: `LINES` makes it one option a line. It reads back to the same request, with a
    body's default Content-Type written out.
    """
    parts = ["curl", *_method_options(request)]
    if not request.tls_verify:
        parts.append("-k")
    if request.ca_file is not None:
        parts.append(f"--cacert {quoted(request.ca_file)}")
    if request.follow_redirects:
        parts.append("-L")
    if not _GLOB_LETTERS.isdisjoint(request.url[_host_end(request.url) :]):
        parts.append("-g")
    parts.append(quoted(request.url))
    parts += [f"-H {quoted(_header_line(name, value))}" for name, value in _headers_sent(request)]
    if request.body is not None:
        parts.append(f"--data-raw {quoted(request.body)}")
    return separator.join(parts)


def _method_options(request: Request) -> list[str]:
    """`-X HEAD` would wait for a body that never comes."""
    if request.method == "HEAD" and request.body is None:
        return ["--head"]
    default = "GET" if request.body is None else "POST"
    return [] if request.method == default else [f"-X {quoted(request.method)}"]


def _headers_sent(request: Request) -> list[tuple[str, str]]:
    headers = list(request.headers)
    if request.body is not None and all(name.lower() != "content-type" for name, _ in headers):
        headers.append(("Content-Type", _JSON))  # what a job sends where curl would call it a form
    return headers


def _header_line(name: str, value: str) -> str:
    return f"{name}: {value.strip()}" if value.strip() else f"{name};"


def _host_end(url: str) -> int:
    """Where to look for brackets: those of an IPv6 address are its own."""
    host = _IPV6_HOST.match(url)
    return host.end() if host else 0


def _spelled_out(word: Token) -> list[tuple[str, str | None]]:
    """The options in a word, by their long names: `-sSXPOST` is three, the last with its value."""
    if word.text.startswith("--"):
        return [(options.without_no(word.text[2:]), None)]
    found: list[tuple[str, str | None]] = []
    for number, letter in enumerate(word.text[1:], start=2):
        name = options.LETTERS.get(letter)
        if name is None:
            _refuse(f"-{letter} is no option that is known here", word)
        rest = word.text[number:]
        if name in options.VALUED and rest:
            return [*found, (name, rest)]
        found.append((name, None))
        if name in options.REFUSED:
            break
    return found


def _inline(given: Token) -> str:
    if given.text.startswith("@"):
        _refuse("a body from a file cannot be read; write it here", given)
    return given.text


def _cookies(given: Token) -> str:
    if "=" not in given.text:
        _refuse("a file of cookies cannot be read; write the cookies as name=value", given)
    return given.text


def _urlencoded(given: Token) -> str:
    """`name=content` with the content encoded, as curl does it."""
    name, equals, content = given.text.partition("=")
    if not equals:
        if "@" in name:
            _refuse("a body from a file cannot be read; write it here", given)
        return quote(name, safe="")
    return f"{name}={quote(content, safe='')}" if name else quote(content, safe="")


_DATA: Final = {
    "data": _inline,
    "data-ascii": _inline,
    "data-binary": _inline,
    "data-raw": lambda given: given.text,
    "data-urlencode": _urlencoded,
    "json": _inline,
}


def _micros(given: Token) -> int | None:
    """A time limit; None for curl's 0, which is none."""
    if not _SECONDS.fullmatch(given.text):
        _refuse("a time limit is a number of seconds", given)
    whole, _, decimals = given.text.partition(".")
    return int(whole) * 1_000_000 + int(f"{decimals[:6]:0<6}") or None


def _refuse(reason: str, word: Token) -> NoReturn:
    raise Invalid(FIELD, reason, position=word.at)
