"""The body of a request as a JSON object, read strictly and within bounds."""

from __future__ import annotations

import json
from math import isinf
from typing import Any, NoReturn

from fastapi import Request

from tui_scheduler.api.errors import Refused
from tui_scheduler.domain.errors import Invalid

DEPTH_LIMIT = 64
"""Arrays and objects inside each other; far below where Python's own recursion ends."""

Document = dict[str, Any]


async def read_document(request: Request) -> Document:
    """The JSON object in the body; raises `Refused` (400, 413) and `Invalid`.

    The content type is not looked at: `curl -d` names another one than JSON.
    """
    return parse_document(await _body(request, request.app.state.body_limit))


def parse_document(body: bytes) -> Document:
    """A JSON object (RFC 8259: no NaN, no byte order mark, UTF-8) whose names are all different."""
    try:
        value = json.loads(
            body.decode("utf-8"), object_pairs_hook=_object, parse_constant=_refuse_constant, parse_float=_finite
        )
    except UnicodeDecodeError as error:
        raise _malformed(f"the body is not UTF-8 (byte {error.start + 1})") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise _malformed(f"the body is not JSON: {error.msg[:1].lower()}{error.msg[1:]} ({where})") from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError:  # Python refuses to read an integer of thousands of digits
        raise _malformed("the body has a number with too many digits") from None
    if not isinstance(value, dict):
        raise _malformed("the body has to be a JSON object")
    if _is_deeper_than(DEPTH_LIMIT, value):
        raise _too_deep()
    return value


async def _body(request: Request, limit: int) -> bytes:
    """At most `limit` bytes, counted as they come: a chunked body does not say beforehand how long it is."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and len(declared) < 20 and int(declared) > limit:
        raise _too_large(limit)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise _too_large(limit)
    return bytes(body)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Invalid(twice, "is given more than once")
    return found


def _is_deeper_than(limit: int, value: Any) -> bool:
    level = [value]
    for _ in range(limit):
        level = [inner for outer in level for inner in _children(outer)]
        if not level:
            return False
    return True


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _finite(digits: str) -> float:
    number = float(digits)
    if isinf(number):
        raise _malformed(f"{digits[:20]} is too large a number")
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise _malformed(f"the body is not JSON: there is no {name} in JSON")


def _malformed(message: str) -> Refused:
    return Refused(400, "bad_request", message)


def _too_deep() -> Refused:
    return _malformed(f"the body is nested too deeply; {DEPTH_LIMIT} levels are the limit")


def _too_large(limit: int) -> Refused:
    # The connection cannot be used again: the rest of the body may still be on its way.
    return Refused(413, "too_large", f"the body is larger than {limit:,} bytes", headers={"Connection": "close"})
