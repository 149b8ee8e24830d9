"""A request as the bytes that go over the wire, and the origin they go to.

Nothing a user typed can break out of its place: a value that cannot be sent as it stands is encoded where URLs allow
that, and otherwise refused with `Invalid`.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import SplitResult, quote, unquote, urlsplit

from tui_scheduler import __version__
from tui_scheduler.domain.errors import Invalid
from tui_scheduler.domain.job import Request
from tui_scheduler.engine.transport import Origin

USER_AGENT = f"tui-scheduler/{__version__}"

Headers = tuple[tuple[str, str], ...]

_DEFAULT_PORTS = {"http": 80, "https": 443}
_SENDS_A_LENGTH = frozenset({"POST", "PUT", "PATCH"})

_FRAMING = frozenset({"content-length", "transfer-encoding", "upgrade"})
"""Where a message ends is ours to say; a user's word on it could smuggle a second request in."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_UNSENDABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_UNSENDABLE_IN_URL = re.compile(r"[\x00-\x1f\x7f]")
_HOST = re.compile(r"[0-9A-Za-z._~-]+\Z")
_IPV6 = re.compile(r"[0-9A-Fa-f:.]+(%[0-9A-Za-z._~-]+)?\Z")
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SAFE_IN_PATH = "/%:@!$&'()*+,;=~"
_SAFE_IN_QUERY = _SAFE_IN_PATH + "?[]"

_LARGEST_CACHED_BODY = 4_096
"""Characters. The cache keeps requests alive, so large ones stay out of it."""


class Target(NamedTuple):
    """Where a URL points: `host_header` and `path` are as sent, `userinfo` is "user:password" or None."""

    origin: Origin
    host_header: str
    path: str
    userinfo: str | None


@dataclass(frozen=True, slots=True)
class Template:
    """The constant part of a request: the headers of one firing go between `head` and `tail`."""

    origin: Origin
    head: bytes
    tail: bytes
    is_head: bool


def render(request: Request, headers: Headers, user_agent: str = USER_AGENT) -> tuple[Template, bytes]:
    """The template of the request and the bytes of one firing with `headers` (ours) added.

    Where a user gave a header that is among ours, ours goes. Raises `Invalid`.
    """
    template = template_for(request, tuple([name for name, _ in headers]), user_agent)
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
    if lines.count("\n") != len(headers) or lines.count("\r") != len(headers):
        raise Invalid("headers", "a header must not contain a line break")
    return template, b"".join((template.head, lines.encode(), template.tail))


def template_for(request: Request, ours: tuple[str, ...], user_agent: str = USER_AGENT) -> Template:
    """The constant part of a request, remembered. `ours` are the names that each firing adds. Raises `Invalid`."""
    if request.body is not None and len(request.body) > _LARGEST_CACHED_BODY:
        return _make_template(request, ours, user_agent)
    return _remembered_template(request, ours, user_agent)


def target_of(request: Request) -> Target:
    """Where a request goes. Raises `Invalid` for a URL that cannot be sent to."""
    url = request.url.strip(" ")
    if found := _UNSENDABLE_IN_URL.search(url):
        raise Invalid("url", "must not contain line breaks or control characters", position=found.start())
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Invalid("url", f"is not a URL: {error}", example="https://example.com/path") from error
    if parts.scheme not in _DEFAULT_PORTS:
        raise Invalid("url", "must begin with http:// or https://", example="https://example.com/path")
    host = _host_of(parts)
    if port is None:
        port = _DEFAULT_PORTS[parts.scheme]
    elif port == 0:
        raise Invalid("url", "port 0 cannot be connected to")
    is_tls = parts.scheme == "https"
    origin = Origin(
        parts.scheme,
        host,
        port,
        tls_verify=request.tls_verify if is_tls else True,
        ca_file=request.ca_file if is_tls and request.tls_verify else None,
    )
    shown = f"[{host.partition('%')[0]}]" if ":" in host else host
    host_header = shown if port == _DEFAULT_PORTS[parts.scheme] else f"{shown}:{port}"
    return Target(origin, host_header, _path_of(parts), _userinfo_of(parts))


def _host_of(parts: SplitResult) -> str:
    host = parts.hostname or ""
    if ":" in host:
        if not _IPV6.match(host):
            raise Invalid("url", f"{host!r} is not an IPv6 address", example="http://[::1]:8080/")
        return host
    if not host.isascii():
        try:
            host = host.encode("idna").decode("ascii")
        except UnicodeError as error:
            raise Invalid("url", f"the host {host!r} is not a name that can be looked up") from error
    if not _HOST.match(host):
        raise Invalid("url", f"{host!r} is not a host name" if host else "has no host", example="https://example.com/")
    return host


def _path_of(parts: SplitResult) -> str:
    path = quote(_LONE_PERCENT.sub("%25", parts.path or "/"), safe=_SAFE_IN_PATH)
    if not path.startswith("/"):
        path = "/" + path
    if parts.query:
        path += "?" + quote(_LONE_PERCENT.sub("%25", parts.query), safe=_SAFE_IN_QUERY)
    return path


def _userinfo_of(parts: SplitResult) -> str | None:
    if parts.username is None:
        return None
    return f"{unquote(parts.username)}:{unquote(parts.password or '')}"


def _make_template(request: Request, ours: tuple[str, ...], user_agent: str) -> Template:
    try:
        return _encode_template(request, ours, user_agent)
    except UnicodeEncodeError as error:
        raise Invalid("request", "contains half a character (a lone surrogate), which cannot be sent") from error


def fields_of(request: Request, headers: Headers, user_agent: str = USER_AGENT) -> list[tuple[str, str]]:
    """All headers of a firing but Host and Content-Length, checked; for a client that frames messages itself.

    Host is among them if the user gave one. Raises `Invalid`.
    """
    template = template_for(request, tuple([name for name, _ in headers]), user_agent)
    lines = template.head.decode().split("\r\n")[1:-1]
    default_host = ("Host", target_of(request).host_header)
    fields = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
    return [field for field in fields if field != default_host and field[0] != "Content-Length"] + list(headers)


def _encode_template(request: Request, ours: tuple[str, ...], user_agent: str) -> Template:
    target = target_of(request)
    method = _checked_method(request.method)
    body = None if request.body is None else request.body.encode()
    dropped = _FRAMING | {name.lower() for name in ours}
    given = [(name, value) for name, value in request.headers if name.lower() not in dropped]
    fields = _defaults(request, target, user_agent, {name.lower() for name, _ in given} | dropped) + given
    if body is not None or method in _SENDS_A_LENGTH:
        fields.append(("Content-Length", str(len(body or b""))))
    lines = b"".join([_checked_line(name, value) for name, value in fields])
    head = f"{method} {target.path} HTTP/1.1\r\n".encode("ascii") + lines
    return Template(target.origin, head, b"\r\n" + (body or b""), method == "HEAD")


_remembered_template = lru_cache(maxsize=16_384)(_make_template)


def _defaults(request: Request, target: Target, user_agent: str, given: set[str]) -> list[tuple[str, str]]:
    """What is sent unless the user said otherwise. `identity`, because the kept excerpt is for people to read."""
    defaults = [
        ("Host", target.host_header),
        ("User-Agent", user_agent),
        ("Accept", "*/*"),
        ("Accept-Encoding", "identity"),
    ]
    if request.body is not None:
        defaults.append(("Content-Type", "application/json"))
    if target.userinfo is not None:
        credentials = base64.b64encode(target.userinfo.encode()).decode("ascii")
        defaults.append(("Authorization", f"Basic {credentials}"))
    return [(name, value) for name, value in defaults if name.lower() not in given]


def _checked_method(method: str) -> str:
    if not _TOKEN.match(method):
        raise Invalid("method", f"{method!r} is not an HTTP method", example="POST")
    if method.upper() == "CONNECT":
        raise Invalid("method", "CONNECT opens a tunnel and is not a request")
    return method.upper()


def _checked_line(name: str, value: str) -> bytes:
    if not _TOKEN.match(name):
        raise Invalid("headers", f"{name!r} is not a header name", example="X-Tenant")
    if _UNSENDABLE.search(value):
        raise Invalid("headers", f"the value of {name} must not contain line breaks or control characters")
    return f"{name}: {value.strip()}\r\n".encode()
