"""As much of HTTP/1.1 as a target needs: the head of a request in, a small response out."""

from __future__ import annotations

from http import HTTPStatus
from typing import NamedTuple

MAX_BODY_BYTES = 64 * 1024 * 1024


class BadRequest(Exception):
    """What came is not a request this target understands: it is answered with 400 and the connection closed."""


def answer(status: int) -> bytes:
    """A whole response with a small JSON body."""
    known = status in HTTPStatus.__members__.values()
    phrase = HTTPStatus(status).phrase if known else "Status"
    body = b"" if status in (204, 304) else b'{"ok":%s}' % (b"true" if status < 400 else b"false")
    length = b"" if status in (204, 304) else b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body)
    return b"HTTP/1.1 %d %b\r\n%b\r\n%b" % (status, phrase.encode(), length, body)


class Head(NamedTuple):
    """A request up to its body. `last`: the connection is to be closed after it."""

    target: bytes
    headers: dict[bytes, bytes]
    body_bytes: int
    last: bool


def parse_head(head: bytes) -> Head:
    """The request line and the headers, without the empty line. Chunked bodies are not spoken here."""
    lines = head.split(b"\r\n")
    request_line = lines[0].split(b" ")
    if len(request_line) != 3 or not request_line[2].startswith(b"HTTP/1.") or b"\t" in head:  # tabs separate the log
        raise BadRequest
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        headers[name.lower()] = value.strip()
    length = headers.get(b"content-length", b"0")
    if not length.isdigit() or int(length) > MAX_BODY_BYTES or b"transfer-encoding" in headers:
        raise BadRequest
    last = request_line[2] == b"HTTP/1.0" or headers.get(b"connection", b"").lower() == b"close"
    return Head(request_line[1], headers, int(length), last)
