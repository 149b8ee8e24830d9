"""The endpoints. Each is one call of `Control` in a worker thread, with JSON on both sides."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Response

from tui_scheduler.api import render
from tui_scheduler.api.answers import (
    BackfillAccepted,
    BackfillCancelled,
    ExecutionInFull,
    HealthShown,
    History,
    JobChanged,
    JobDeleted,
    JobShown,
    MetricsShown,
    RunAccepted,
    described,
)
from tui_scheduler.api.errors import Json, Refused
from tui_scheduler.api.requests import ID, Asked, Body, ExecutionId, JobId, accepts, same_origin
from tui_scheduler.api.schemas import JobChange, NewBackfill, NewJob, read
from tui_scheduler.domain.errors import Invalid

PAGE: Final = 1_000
"""The most jobs, or executions, one answer holds."""

HEALTH: Final[dict[int | str, dict[str, Any]]] = {
    200: {"model": HealthShown},
    503: {"model": HealthShown, "description": "Occurrences are not being run; `reasons` says why."},
}


router = APIRouter(prefix="/api", default_response_class=Json, dependencies=[Depends(same_origin)])


@router.post(
    "/jobs",
    status_code=201,
    responses=described(400, 413, 422, answer=JobChanged, status=201),
    openapi_extra=accepts(NewJob),
)
def create_job(control: Asked, document: Body) -> Response:
    """Create a job; its first occurrence is the first one after now."""
    view = control.create_job(read(NewJob, document).spec())
    return Json(render.changed(view, "created"), 201, headers={"Location": f"/api/jobs/{view.job.id}"})


@router.get("/jobs", responses=described(400, answer=list[JobShown]))
def list_jobs(control: Asked, limit: Annotated[int, Query(ge=1, le=PAGE)] = PAGE, after: str | None = None) -> Response:
    """The jobs, oldest first, as an array; where there are more, `Link` has the address of the next ones."""
    try:
        views = control.jobs(limit=limit, after=None if after is None else _cursor(after))
    except Invalid as error:
        if error.field != "after":
            raise
        # The cursor is of a job that is gone for good.
        raise _bad_cursor(error.reason) from None
    headers = {}
    if len(views) == limit and control.jobs(limit=1, after=views[-1].job.id):
        headers["Link"] = f'</api/jobs?limit={limit}&after={views[-1].job.id}>; rel="next"'
    return Json([render.job(view) for view in views], headers=headers)


@router.get("/jobs/{job_id}", responses=described(404, answer=JobShown))
def get_job(control: Asked, job_id: JobId) -> Response:
    """One job."""
    return Json(render.job(control.job(job_id)))


@router.put(
    "/jobs/{job_id}", responses=described(400, 404, 409, 413, 422, answer=JobChanged), openapi_extra=accepts(JobChange)
)
def update_job(control: Asked, job_id: JobId, document: Body) -> Response:
    """Change any subset of a job's fields."""
    change = read(JobChange, document)
    view = control.update_job(job_id, change.applied_to, expected_version=change.version)
    return Json(render.changed(view, "updated"))


@router.delete("/jobs/{job_id}", responses=described(404, 409, answer=JobDeleted))
def delete_job(control: Asked, job_id: JobId) -> Response:
    """Delete a job; it can be restored for seven days."""
    control.delete_job(job_id)
    return Json({"jobId": job_id, "status": "deleted"})


@router.post("/jobs/{job_id}/restore", responses=described(404, 409, answer=JobChanged))
def restore_job(control: Asked, job_id: JobId) -> Response:
    """Undo a deletion."""
    return Json(render.changed(control.restore_job(job_id), "restored"))


@router.post("/jobs/{job_id}/pause", responses=described(404, 409, answer=JobChanged))
def pause_job(control: Asked, job_id: JobId) -> Response:
    """No further occurrence is run until the job is resumed."""
    return Json(render.changed(control.pause_job(job_id), "paused"))


@router.post("/jobs/{job_id}/resume", responses=described(404, 409, answer=JobChanged))
def resume_job(control: Asked, job_id: JobId) -> Response:
    """Go on from now; what fell into the pause is not made up for."""
    return Json(render.changed(control.resume_job(job_id), "resumed"))


@router.post("/jobs/{job_id}/run", status_code=202, responses=described(404, 409, answer=RunAccepted, status=202))
def run_job(control: Asked, job_id: JobId) -> Response:
    """Run the job once, now, whatever its schedule."""
    view = control.run_now(job_id)
    return Json({"jobId": job_id, "executionId": view.id, "status": view.state.value}, 202)


@router.post(
    "/jobs/{job_id}/backfill",
    status_code=202,
    responses=described(400, 404, 413, 422, answer=BackfillAccepted, status=202),
    openapi_extra=accepts(NewBackfill),
)
def backfill_job(control: Asked, job_id: JobId, document: Body) -> Response:
    """Run what the schedule of a job had, or would have had, in a stretch of the past."""
    wanted = read(NewBackfill, document)
    counts = control.backfill(job_id, *wanted.stretch, priority=wanted.priority, dry_run=wanted.dry_run)
    return Json(render.backfilled(job_id, counts, dry_run=wanted.dry_run), 202)


@router.delete("/jobs/{job_id}/backfill", responses=described(404, answer=BackfillCancelled))
def cancel_backfill(control: Asked, job_id: JobId) -> Response:
    """Cancel what waits of the backfills of a job; what is under way goes on."""
    return Json({"jobId": job_id, "cancelled": control.cancel_backfill(job_id)})


@router.get("/jobs/{job_id}/executions", responses=described(400, 404, answer=History))
def list_executions(control: Asked, job_id: JobId, limit: Annotated[int, Query(ge=1, le=PAGE)] = 100) -> Response:
    """The history of a job, newest first."""
    views = control.executions(job_id, limit=limit)
    return Json({"jobId": job_id, "executions": [render.execution(view) for view in views]})


@router.get("/executions/{execution_id}", responses=described(404, answer=ExecutionInFull))
def get_execution(control: Asked, execution_id: ExecutionId) -> Response:
    """One execution with its attempts; none are kept for one that succeeded the first time."""
    view, attempts = control.execution(execution_id)
    return Json(
        {"jobId": view.job_id, **render.execution(view), "attempts": [render.attempt(each) for each in attempts]}
    )


@router.get("/metrics", responses=described(answer=MetricsShown))
def get_metrics(control: Asked) -> Response:
    """Totals over the nodes that live, counts over the store, and the drift."""
    return Json(render.metrics(control.metrics()))


@router.get("/health", responses=HEALTH)
def get_health(control: Asked) -> Response:
    """Whether occurrences are being run."""
    health = control.health()
    return Json(render.health(health), 200 if health.ok else 503)


def _cursor(text: str) -> str:
    folded = text.lower()
    if not ID.fullmatch(folded):
        raise _bad_cursor("is not the id of a job")
    return folded


def _bad_cursor(reason: str) -> Refused:
    return Refused(400, "bad_request", f"after: {reason}", field="after")
