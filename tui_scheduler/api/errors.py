"""Every refusal the API gives, as JSON: `{"error": code, "message": …, "field": …}`, never a stack trace.

The domain's exceptions are translated here, once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from tui_scheduler.domain.errors import Conflict, Invalid, NotFound, SchedulerError, StoreUnavailable

RETRY_AFTER_S = 1
"""What `Retry-After` says when the store is expected back: a lock wait or a failover is over within a second or few."""

HTTP_CODES = {
    400: "bad_request",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    431: "too_large",
}


class ErrorBody(BaseModel):
    """What a refused request gets. `position` counts characters of the value of `field` from 0."""

    error: str
    message: str
    field: str | None = None
    position: int | None = None
    example: str | None = None


class Refused(Exception):
    """A request that is not carried out, ready to be sent."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        field: str | None = None,
        position: int | None = None,
        example: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status = status
        self.headers = dict(headers or {})
        self.body = ErrorBody(error=code, message=message, field=field, position=position, example=example)
        super().__init__(message)


class Json(Response):
    """A JSON answer. Whatever stands in a message can be sent: what UTF-8 has no bytes for becomes an escape."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode("utf-8", errors="backslashreplace")


def refusal(error: SchedulerError) -> Refused:
    """The answer to one of the domain's exceptions."""
    match error:
        case Invalid():
            message = f"{error.field}: {error.reason}"
            return Refused(422, "invalid", message, field=error.field, position=error.position, example=error.example)
        case NotFound():
            return Refused(404, "not_found", str(error))
        case Conflict():
            return Refused(409, "conflict", str(error))
        case StoreUnavailable():
            headers = {"Retry-After": str(RETRY_AFTER_S)} if error.transient else {}
            return Refused(503, "unavailable", str(error), headers=headers)
        case _:
            return _internal()


def bad_query(error: RequestValidationError) -> Refused:
    """The answer to a query parameter that cannot be taken."""
    first = error.errors()[0]
    name = str(first["loc"][-1])
    return Refused(400, "bad_request", f"{name}: {first['msg']}", field=name)


def for_status(error: HTTPException) -> Refused:
    """The answer where the framework itself refuses: no such route, no such method."""
    code = HTTP_CODES.get(error.status_code, "bad_request")
    return Refused(error.status_code, code, str(error.detail), headers=error.headers)


def answer(refused: Refused) -> Response:
    """The response; only the fields that are known are in it."""
    return Json(refused.body.model_dump(exclude_none=True), refused.status, headers=refused.headers)


def add_error_handlers(app: FastAPI) -> None:
    """From here on every exception that leaves an endpoint of `app` becomes a JSON answer."""

    @app.exception_handler(Refused)
    async def on_refused(_request: Request, error: Refused) -> Response:
        return answer(error)

    @app.exception_handler(SchedulerError)
    async def on_scheduler_error(_request: Request, error: SchedulerError) -> Response:
        return answer(refusal(error))

    @app.exception_handler(RequestValidationError)
    async def on_bad_query(_request: Request, error: RequestValidationError) -> Response:
        return answer(bad_query(error))

    @app.exception_handler(HTTPException)
    async def on_http_exception(request: Request, error: HTTPException) -> Response:
        refused = for_status(error)
        if error.status_code == 404:
            refused.body.message = f"there is no {request.url.path} here; the API is below /api"
        if error.status_code == 405:
            refused.body.message = f"{request.method} is not something {request.url.path} can do"
        return answer(refused)

    @app.exception_handler(ClientDisconnect)
    async def on_disconnect(_request: Request, _error: ClientDisconnect) -> Response:
        return Response(status_code=400)  # nobody is there to read it

    @app.exception_handler(Exception)
    async def on_bug(_request: Request, _error: Exception) -> Response:
        return answer(_internal())  # it is raised once more afterwards, and the server logs it


def _internal() -> Refused:
    return Refused(500, "internal", "something went wrong here; the server's log says more")
