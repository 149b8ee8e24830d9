"""The endpoints of queues and of maintenance windows."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from tui_scheduler.api import render
from tui_scheduler.api.answers import QueueFreed, QueueShown, WindowDeleted, WindowShown, described
from tui_scheduler.api.errors import Json
from tui_scheduler.api.hold_schemas import QueueLimits, WindowFields
from tui_scheduler.api.requests import Asked, Body, accepts, checked_id, same_origin
from tui_scheduler.api.schemas import read
from tui_scheduler.domain.errors import NotFound
from tui_scheduler.domain.queues import NAME, NO_LIMITS
from tui_scheduler.domain.windows import WindowSpec


async def _window_id(window_id: str) -> str:
    return checked_id("window", window_id)


async def _queue_name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise NotFound("queue", name[:64])
    return name


WindowId = Annotated[str, Depends(_window_id)]
Name = Annotated[str, Depends(_queue_name)]

router = APIRouter(prefix="/api", default_response_class=Json, dependencies=[Depends(same_origin)])


@router.get("/queues", responses=described(answer=list[QueueShown]))
def list_queues(control: Asked) -> Response:
    """All queues that a job names or that have limits, by name."""
    return Json([render.queue(view) for view in control.queues()])


@router.get("/queues/{name}", responses=described(404, answer=QueueShown))
def get_queue(control: Asked, name: Name) -> Response:
    """One queue."""
    return Json(render.queue(control.queue(name)))


@router.put(
    "/queues/{name}", responses=described(400, 404, 413, 422, answer=QueueShown), openapi_extra=accepts(QueueLimits)
)
def limit_queue(control: Asked, name: Name, document: Body) -> Response:
    """Limit a queue over all nodes: how many are under way at once, how many are sent in any period."""
    return Json(render.queue(control.limit_queue(name, read(QueueLimits, document).applied_to)))


@router.delete("/queues/{name}", responses=described(404, answer=QueueFreed))
def free_queue(control: Asked, name: Name) -> Response:
    """Lift all limits of a queue, a pause too; its jobs stay as they are."""
    control.queue(name)
    control.limit_queue(name, lambda _: NO_LIMITS)
    return Json({"queue": name, "status": "unlimited"})


@router.post("/queues/{name}/pause", responses=described(404, answer=QueueShown))
def pause_queue(control: Asked, name: Name) -> Response:
    """Hold everything of a queue until it is resumed."""
    return Json(render.queue(control.pause_queue(name)))


@router.post("/queues/{name}/resume", responses=described(404, answer=QueueShown))
def resume_queue(control: Asked, name: Name) -> Response:
    """Let go what a pause held; what is older than the grace of its job as its catch-up says."""
    return Json(render.queue(control.resume_queue(name)))


@router.get("/windows", responses=described(answer=list[WindowShown]))
def list_windows(control: Asked) -> Response:
    """The maintenance windows, oldest first."""
    return Json([render.window(view) for view in control.windows()])


@router.post(
    "/windows",
    status_code=201,
    responses=described(400, 413, 422, answer=WindowShown, status=201),
    openapi_extra=accepts(WindowFields),
)
def create_window(control: Asked, document: Body) -> Response:
    """Create a maintenance window: what fires in it is skipped, retries wait until it ends."""
    view = control.create_window(read(WindowFields, document).applied_to(WindowSpec()))
    return Json(render.window(view), 201, headers={"Location": f"/api/windows/{view.id}"})


@router.put(
    "/windows/{window_id}",
    responses=described(400, 404, 413, 422, answer=WindowShown),
    openapi_extra=accepts(WindowFields),
)
def update_window(control: Asked, window_id: WindowId, document: Body) -> Response:
    """Change any subset of a window's fields."""
    return Json(render.window(control.update_window(window_id, read(WindowFields, document).applied_to)))


@router.delete("/windows/{window_id}", responses=described(404, answer=WindowDeleted))
def delete_window(control: Asked, window_id: WindowId) -> Response:
    """End a window, now if it is open."""
    control.delete_window(window_id)
    return Json({"windowId": window_id, "status": "deleted"})
