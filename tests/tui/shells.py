"""The whole app over a fake session, for what no single widget shows."""

from __future__ import annotations

from typing import Any

from textual.pilot import Pilot

from tests.tui.fake import FakeControl, FakeSession
from tests.tui.pilots import until
from tui_scheduler.domain.job import Job, JobSpec, Request
from tui_scheduler.tui.app import SchedulerApp


def control_with(*names: str) -> FakeControl:
    """Jobs of these names, each of every minute."""
    control = FakeControl()
    for name in names:
        control.add(spec(name))
    return control


def spec(name: str) -> JobSpec:
    return JobSpec("0 * * * * *", Request("http://127.0.0.1:3001/"), name=name)


def job_named(control: FakeControl, name: str) -> Job:
    return next(job for job in control.stored.values() if job.spec.name == name)


def shell(control: FakeControl | None = None, **more: Any) -> tuple[SchedulerApp, FakeSession]:
    session = FakeSession(control_with("first", "second", "third") if control is None else control)
    return SchedulerApp(lambda: session, now=session.control.now, **more), session


async def opened(pilot: Pilot[Any]) -> None:
    """The store is open and the jobs are on the screen."""
    app = pilot.app
    assert isinstance(app, SchedulerApp)
    await until(pilot, lambda: app.desk.is_open and app.main.header.metrics is not None)
    await until(pilot, lambda: app.main.focused is not None)


def toasts(pilot: Pilot[Any]) -> list[str]:
    """What is said in toasts now, as it is before it is broken into lines."""
    return [notification.message for notification in pilot.app._notifications]


def shown(pilot: Pilot[Any]) -> str:
    """What is on the screen, line by line, toasts and overlays included."""
    return "\n".join(strip.text for strip in pilot.app.screen._compositor.render_strips())


def app_of(pilot: Pilot[Any]) -> SchedulerApp:
    assert isinstance(pilot.app, SchedulerApp)
    return pilot.app


def has_ended(pilot: Pilot[Any]) -> bool:
    return bool(pilot.app._exit)
