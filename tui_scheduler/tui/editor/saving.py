"""Storing what was edited, and taking it back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tui_scheduler.control.control import Control
from tui_scheduler.control.views import JobView
from tui_scheduler.domain.errors import Conflict
from tui_scheduler.domain.job import JobSpec
from tui_scheduler.tui.desk import Desk
from tui_scheduler.tui.editor.draft import take_back


@dataclass(frozen=True, slots=True)
class Stored:
    """What is stored now, and what was before (None: nothing, it is a new job)."""

    view: JobView
    former: JobSpec | None


async def create(desk: Desk, spec: JobSpec) -> Stored:
    """Store a new job. Raises what `Control` raises."""
    return Stored(await desk.ask(lambda control: control.create_job(spec)), None)


async def update(
    desk: Desk, spec: JobSpec, stored: JobView, overwrites: Callable[[JobView], Awaitable[bool]]
) -> Stored | None:
    """Store an edit of `stored`. Whatever somebody else stored meanwhile is only replaced when `overwrites` says so
    for it; otherwise nothing is stored. Raises what `Control` raises, except for that conflict.
    """
    while True:
        try:
            return Stored(await desk.ask(_updating(spec, stored)), stored.job.spec)
        except Conflict:
            current = await desk.ask(_asking(stored))
            if current.job.version == stored.job.version:
                raise  # it is about something else
        # A pause counts a version up, too, and is nothing that is edited here.
        if current.job.spec != stored.job.spec and not await overwrites(current):
            return None
        stored = current


def way_back(desk: Desk, job_id: str, spec: JobSpec, former: JobSpec) -> Callable[[], Awaitable[None]]:
    """How to undo an edit: the job gets back what the edit changed."""

    async def back() -> None:
        await desk.ask(lambda control: control.update_job(job_id, lambda current: take_back(current, spec, former)))

    return back


def _updating(spec: JobSpec, stored: JobView) -> Callable[[Control], JobView]:
    job = stored.job
    return lambda control: control.update_job(job.id, lambda _: spec, expected_version=job.version)


def _asking(stored: JobView) -> Callable[[Control], JobView]:
    return lambda control: control.job(stored.job.id)
