"""The JSON API over a `Control`."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from tui_scheduler import __version__
from tui_scheduler.api.errors import add_error_handlers
from tui_scheduler.api.hold_routes import router as holds
from tui_scheduler.api.hold_schemas import QueueLimits, WindowFields
from tui_scheduler.api.routes import router
from tui_scheduler.api.schemas import JobChange, NewBackfill, NewJob
from tui_scheduler.control.control import Control

BODY_LIMIT: Final = (1 << 20) + (16 << 10)
"""Bytes of a request's body: a job's own body of 1 MiB, and room for what stands around it."""


def create_app(
    control: Control,
    *,
    body_limit: int = BODY_LIMIT,
) -> FastAPI:
    """The application. `body_limit` is in bytes."""
    # The docs pages load their scripts from elsewhere, which a scheduler on a closed network cannot.
    app = FastAPI(title="tui-scheduler", version=__version__, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.control = control
    app.state.body_limit = body_limit
    add_error_handlers(app)
    app.include_router(router)
    app.include_router(holds)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]  # FastAPI's documented way to extend it
    return app


def _openapi(app: FastAPI) -> dict[str, Any]:
    """FastAPI's document, with the bodies that are read by hand."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=__doc__, routes=app.routes)
        _, bodies = models_json_schema(
            [(body, "validation") for body in (NewJob, JobChange, NewBackfill, QueueLimits, WindowFields)],
            ref_template="#/components/schemas/{model}",
        )
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas.update(bodies["$defs"])
        for changed in (JobChange, QueueLimits, WindowFields):
            for field in schemas[changed.__name__]["properties"].values():
                field.pop("default", None)  # what is left out stays as it is
        _forget_framework_errors(document)
        app.openapi_schema = document
    return app.openapi_schema


def _forget_framework_errors(document: dict[str, Any]) -> None:
    """FastAPI announces its own 422 for query parameters; ours is a 400 of the form of all our errors."""
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)
    for operations in document["paths"].values():
        for operation in operations.values():
            if "HTTPValidationError" in str(operation["responses"].get("422")):
                del operation["responses"]["422"]
