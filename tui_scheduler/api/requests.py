"""What all endpoints take of a request: the `Control`, ids and bodies, and whether a foreign page sent it."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Annotated, Any, Final

from fastapi import Depends, Request

from tui_scheduler.api.document import Document, read_document
from tui_scheduler.api.errors import Refused
from tui_scheduler.api.schemas import Fields
from tui_scheduler.control.control import Control
from tui_scheduler.domain.errors import NotFound

ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


# Dependencies are `async` only so that they run in place: each plain one would take a thread of its own.
async def _control(request: Request) -> Control:
    control: Control = request.app.state.control
    return control


async def _job_id(job_id: str) -> str:
    return checked_id("job", job_id)


async def _execution_id(execution_id: str) -> str:
    return checked_id("execution", execution_id)


def checked_id(what: str, text: str) -> str:
    """In the form the store keeps it; anything else names nothing, and no database has to look at it."""
    folded = text.lower()
    if not ID.fullmatch(folded):
        raise NotFound(what, text[:64])
    return folded


Asked = Annotated[Control, Depends(_control)]
JobId = Annotated[str, Depends(_job_id)]
ExecutionId = Annotated[str, Depends(_execution_id)]
Body = Annotated[Document, Depends(read_document)]


def accepts(model: type[Fields]) -> dict[str, Any]:
    """The body for the OpenAPI document: it is read by hand (`document`), so FastAPI does not see it."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


async def same_origin(request: Request) -> None:
    """Refuse what a web page from elsewhere makes a browser send: on loopback nothing else would stop it.

    Programs send no `Origin`; a page of our own would send our own address.
    """
    origin = request.headers.get("origin")
    if (origin is not None or "sec-fetch-site" in request.headers) and not _is_own_name(request.url.hostname or ""):
        raise Refused(403, "forbidden", "web pages from elsewhere may not use this API")
    if origin is not None and origin.partition("://")[2] != request.headers.get("host"):
        raise Refused(403, "forbidden", "web pages from elsewhere may not use this API")


def _is_own_name(host: str) -> bool:
    """Whether a browser that names this host was sent here by somebody who knows where: a name that merely resolves
    to this machine may belong to anyone (DNS rebinding)."""
    try:
        ip_address(host)
    except ValueError:
        return host == "localhost"
    return True
