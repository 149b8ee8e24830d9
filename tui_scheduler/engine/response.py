"""One response after another from the bytes of a connection: llhttp parses, this keeps what is worth keeping."""

from __future__ import annotations

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import httptools

SECOND = 1_000_000

_KEPT_HEADERS = 50
_KEPT_VALUE = 1_024
_LONGEST_RETRY_AFTER_S = 366 * 86_400
_SECONDS = re.compile(rb"[0-9]{1,10}\Z")


HeaderList = list[tuple[bytes, bytes]]


class Limits(NamedTuple):
    """What a response may cost, in bytes: kept of the body, read of the body, read before the body."""

    excerpt: int
    body: int
    headers: int


class Garbage(Exception):
    """The bytes are no HTTP response; the text says why, fit to follow "sent an invalid response: "."""


class TooLarge(Exception):
    """The response is larger than a target may make us read."""


class ResponseReader:
    """Takes bytes, tells when a response is complete. One for each connection; `expect` begins the next response.

    Interim responses (1xx) are skipped. Nothing is parsed ahead: bytes behind a complete response make `has_surplus`
    true, and the connection is then not to be used again.
    """

    __slots__ = (
        "_limits",
        "_parser",
        "_room",
        "body_size",
        "excerpt",
        "has_surplus",
        "headers",
        "headers_complete",
        "is_complete",
        "is_head",
        "keeps_alive",
        "status",
        "taken",
    )

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._parser = httptools.HttpResponseParser(self)
        self.expect(is_head=False)

    def expect(self, *, is_head: bool) -> None:
        """Get ready for the next response; after HEAD it has no body whatever its headers say."""
        self._room = self._limits.excerpt
        self.taken = 0
        self.body_size = 0
        self.excerpt = b""
        self.has_surplus = False
        self.headers: HeaderList = []
        self.headers_complete = False
        self.is_complete = False
        self.is_head = is_head
        self.keeps_alive = False
        self.status = 0

    @property
    def is_untouched(self) -> bool:
        """Not a byte of the response has come."""
        return self.taken == 0

    def feed(self, data: bytes) -> bool:
        """Take bytes; True once the response is complete. Raises `Garbage` and `TooLarge`."""
        self.taken += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError:
            raise  # an exception of ours, in a callback below: a bug, not the target's doing
        except httptools.HttpParserUpgrade as upgrade:
            raise Garbage("it switched to another protocol, unasked") from upgrade
        except httptools.HttpParserError as error:
            if not self.is_complete:
                raise Garbage(self._why(error)) from error
            self.has_surplus = True
        if self.is_complete:
            return True
        if not self.headers_complete and self.taken > self._limits.headers:
            raise Garbage(f"its headers are larger than {self._limits.headers:,} bytes")
        if self.taken > self._limits.headers + self._limits.body or self.body_size > self._limits.body:
            raise TooLarge
        return False

    def ends_with_connection(self) -> bool:
        """Whether the end of the connection is the proper end of this response: neither length nor chunks given."""
        if not self.headers_complete:
            return False
        names = {name.lower(): value.lower() for name, value in self.headers}
        return b"content-length" not in names and not names.get(b"transfer-encoding", b"").endswith(b"chunked")

    def retry_after(self, now: int) -> int | None:
        """The µs to wait that the target asks for with an error status, as of `now` (µs)."""
        return None if self.status < 400 else retry_after_in(self.headers, now)

    def _why(self, error: httptools.HttpParserError) -> str:
        if self.status == 101:
            return "it switched to another protocol, unasked"
        return str(error) or "it is not HTTP"

    # Called by the parser.

    def on_message_begin(self) -> None:
        if self.is_complete:
            self.has_surplus = True

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.headers_complete:  # later ones are trailers
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self.is_complete:
            return
        parser = self._parser
        self.status = parser.get_status_code()
        if self.status < 200:
            return
        self.headers_complete = True
        if self.is_head:
            self.keeps_alive = parser.get_http_version() == "1.1" and not self._announces_close()
            self.is_complete = True
            # The old parser may wait for a body that is not to come.
            self._parser = httptools.HttpResponseParser(self)

    def on_body(self, piece: bytes) -> None:
        if self.is_complete:
            self.has_surplus = True
            return
        self.body_size += len(piece)
        if self._room > 0:
            self.excerpt += piece[: self._room]
            self._room -= len(piece)

    def on_message_complete(self) -> None:
        if self.is_complete:
            return
        if self.status < 200:
            self.headers.clear()
            return
        self.keeps_alive = self._parser.should_keep_alive()
        self.is_complete = True

    def _announces_close(self) -> bool:
        return any(name.lower() == b"connection" and b"close" in value.lower() for name, value in self.headers)


def kept(headers: HeaderList) -> tuple[tuple[bytes, bytes], ...]:
    """The first of many headers, with values cut where they are very long."""
    return tuple([(name, value[:_KEPT_VALUE]) for name, value in headers[:_KEPT_HEADERS]])


def retry_after_in(headers: HeaderList, now: int) -> int | None:
    """The µs to wait that these headers ask for, as of `now` (µs)."""
    for name, value in headers:
        if name.lower() == b"retry-after":
            return retry_after_micros(value, now)
    return None


def retry_after_micros(value: bytes, now: int) -> int | None:
    """A Retry-After value in µs from `now` (µs): seconds or an HTTP date, a past one is 0; None if neither."""
    text = value.strip()
    if _SECONDS.match(text):
        return min(int(text), _LONGEST_RETRY_AFTER_S) * SECOND
    try:
        instant = parsedate_to_datetime(text.decode("latin-1"))
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    wait = round(instant.timestamp() * SECOND) - now
    return min(max(wait, 0), _LONGEST_RETRY_AFTER_S * SECOND)
