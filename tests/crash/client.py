"""The API as a user's script would call it: plain HTTP, knowing that the server may be gone at any moment."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.crash.processes import now

TIMEOUT_SECONDS = 30.0


class NotReached(Exception):
    """The request cannot have been taken: there was no connection."""


class Unanswered(Exception):
    """The request was sent at `sent_at`, and whether it was taken is unknown."""

    def __init__(self, sent_at: int, why: str) -> None:
        self.sent_at = sent_at
        super().__init__(why)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said; `body` is its JSON, None when there was none. `sent_at` is before the first byte left."""

    sent_at: int
    status: int
    body: Any

    @property
    def is_ok(self) -> bool:
        return 200 <= self.status < 300


def call(base: str, method: str, path: str, document: Mapping[str, Any] | None = None) -> Answer:
    """One request on a connection of its own."""
    place = urlsplit(base)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=TIMEOUT_SECONDS)
    try:
        try:
            connection.connect()
        except OSError as error:
            raise NotReached(str(error)) from error
        sent_at = now()
        body = None if document is None else json.dumps(document)
        headers = {} if body is None else {"Content-Type": "application/json"}
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise Unanswered(sent_at, repr(error)) from error
        return Answer(sent_at, response.status, _json(content))
    finally:
        connection.close()


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None
