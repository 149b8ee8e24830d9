"""The jobs in the whole app: keys typed ahead of a listing, undo, and leaving during a long change."""

from __future__ import annotations

from typing import Any

import pytest
from textual.pilot import Pilot

from tests.tui.pilots import play, until
from tests.tui.shells import control_with, job_named, opened, shell, toasts
from tui_scheduler.domain.job import JobState
from tui_scheduler.tui.widgets.job_table import JobTable

NAMES = ("first", "second", "nightly one", "nightly two")


async def listed(pilot: Pilot[Any]) -> None:
    await opened(pilot)
    await until(pilot, lambda: pilot.app.main.jobs.model.is_known)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("keys", "said", "paused"),
    [
        ("p", "paused nightly one", {"nightly one"}),
        ("jp", "paused nightly two", {"nightly two"}),
        ("*p", "paused 2 jobs", {"nightly one", "nightly two"}),
        ("r", "started nightly one", set()),
    ],
)
def test_keys_behind_a_filter_wait_for_the_jobs_that_it_finds(keys: str, said: str, paused: set[str]) -> None:
    app, session = shell(control_with(*NAMES))
    control = session.control

    async def scenario(pilot: Pilot[Any]) -> None:
        await listed(pilot)
        gate = control.gate("list_jobs")
        await pilot.press("slash", *"nightly", "enter")
        await until(pilot, lambda: isinstance(app.focused, JobTable))
        await pilot.press(*("asterisk" if key == "*" else key for key in keys))
        await until(pilot, lambda: gate.number)
        assert not [call for call in control.called if call.startswith("change_jobs")]
        gate.open()
        await until(pilot, lambda: toasts(pilot) == [said])
        assert {job.spec.name for job in control.stored.values() if job.state is JobState.PAUSED} == paused

    play(app, scenario)


def test_keys_do_not_wait_for_ever_for_a_listing_and_then_do_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui_scheduler.tui.widgets.jobs_pane._PATIENCE_S", 0.0)
    app, session = shell(control_with(*NAMES))

    async def scenario(pilot: Pilot[Any]) -> None:
        await listed(pilot)
        gate = session.control.gate("list_jobs")
        await pilot.press("slash", *"nightly", "enter")
        await until(pilot, lambda: isinstance(app.focused, JobTable))
        await pilot.press("r")
        await until(pilot, lambda: toasts(pilot) == ["not done: the jobs asked for are not on show yet"])
        assert session.control.history == {}
        gate.open()

    play(app, scenario)


def test_escape_drops_what_was_typed_ahead() -> None:
    app, session = shell(control_with(*NAMES))

    async def scenario(pilot: Pilot[Any]) -> None:
        await listed(pilot)
        gate = session.control.gate("list_jobs")
        await pilot.press("slash", *"nightly", "enter")
        await until(pilot, lambda: isinstance(app.focused, JobTable))
        await pilot.press("r", "escape")
        gate.open()
        await until(pilot, lambda: app.main.jobs.model.is_current and not app.main.jobs.model.is_filtered)
        await app.workers.wait_for_complete()
        assert session.control.history == {}

    play(app, scenario)


def test_an_undo_that_is_refused_is_not_said_to_be_done() -> None:
    app, session = shell()

    async def scenario(pilot: Pilot[Any]) -> None:
        await listed(pilot)
        await pilot.press("p")
        await until(pilot, lambda: toasts(pilot) == ["paused first"])
        session.control.delete_job(job_named(session.control, "first").id)
        await pilot.press("z")
        said = "Could not undo: paused first. 1 job refused: the job is deleted"
        await until(pilot, lambda: toasts(pilot) == ["paused first", said])

    play(app, scenario)


def test_who_leaves_during_a_long_change_waits_for_no_more_than_the_portion_under_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tui_scheduler.tui.job_changes.PORTION", 1)
    app, session = shell(control_with(*NAMES))
    control = session.control

    async def scenario(pilot: Pilot[Any]) -> None:
        await listed(pilot)
        gate = control.gate("change_jobs")
        await pilot.press("asterisk", "p")
        await until(pilot, lambda: gate.number)
        await pilot.press("q")
        await until(pilot, lambda: session.stopped)
        gate.open()

    play(app, scenario)
    assert app.return_code == 0
    assert control.called.count("change_jobs pause") == 1
