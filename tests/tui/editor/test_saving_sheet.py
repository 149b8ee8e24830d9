"""Saves that take their time: once, taken over where they belong, and by whom they were asked of no matter."""

from __future__ import annotations

from dataclasses import replace

from tests.tui.editor.stage import SPEC, Bench, on_stage
from tui_scheduler.control.views import JobView
from tui_scheduler.domain.errors import StoreUnavailable
from tui_scheduler.tui.editor.form import Form
from tui_scheduler.tui.screens.confirm import ConfirmScreen


def asks(bench: Bench) -> bool:
    return isinstance(bench.app.screen, ConfirmScreen)


def names(bench: Bench) -> list[str]:
    """Of all jobs, the first one made first."""
    return [job.spec.name for job in bench.control.stored.values()]


async def typed(bench: Bench, name: str) -> None:
    await bench.edit()
    await bench.enter("name", name)


def test_while_a_job_is_saved_it_is_not_saved_again() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.pane.create(replace(SPEC, name="new"))
        await bench.until(lambda: bench.app.focused is not None)
        gate = bench.control.gate("create_job")
        await bench.press("f10", "f10")
        await bench.until(lambda: gate.number)
        await bench.press("f10")
        assert "saving" in bench.title
        gate.open()
        await bench.until(lambda: bench.app.saved)
        await bench.until(lambda: "saving" not in bench.title)
        assert (gate.number, names(bench)) == (1, ["nightly report", "new"])

    on_stage(scenario)


def test_leaving_waits_for_the_save_and_asks_nothing() -> None:
    async def scenario(bench: Bench) -> None:
        await typed(bench, "typed")
        gate = bench.control.gate("update_job")
        await bench.press("f10")
        await bench.until(lambda: gate.number)
        await bench.press("escape", "escape")
        await bench.pilot.pause(0.1)
        assert (asks(bench), bench.app.left) == (False, 0)
        gate.open()
        await bench.until(lambda: bench.app.left)
        assert not asks(bench)
        assert bench.stored.name == "typed"

    on_stage(scenario)


def test_leaving_asks_when_the_save_came_to_nothing() -> None:
    async def scenario(bench: Bench) -> None:
        await typed(bench, "typed")
        gate = bench.control.gate("update_job")
        await bench.press("f10")
        await bench.until(lambda: gate.number)
        await bench.press("escape", "escape")
        bench.control.fails = StoreUnavailable("the disk is full", transient=True)
        gate.open()
        await bench.until(lambda: asks(bench))
        assert "the disk is full" in bench.toasts()
        await bench.press("escape")
        await bench.until(lambda: not asks(bench))
        assert bench.text("name") == "typed"

    on_stage(scenario)


def test_an_answer_to_a_save_does_not_come_over_another_job() -> None:
    async def scenario(bench: Bench) -> None:
        other = bench.control.add(replace(SPEC, name="other"))
        await typed(bench, "typed")
        gate = bench.control.gate("update_job")
        await bench.press("f10")
        await bench.until(lambda: gate.number)
        await bench.press("f5")  # reverted: nothing holds the sheet any more
        await bench.pane.show(other.id)
        await bench.until(lambda: bench.text("name") == "other")
        gate.open()
        await bench.until(lambda: bench.app.saved)
        assert bench.text("name") == "other"
        assert "other · v1" in bench.title
        assert not bench.pane.is_dirty
        assert "saved typed, v2" in bench.toasts()
        assert [undo.label for undo in bench.pane.desk.undo] == ["edited typed"]

    on_stage(scenario)


def test_what_was_reverted_while_it_was_saved_is_shown_as_stored() -> None:
    async def scenario(bench: Bench) -> None:
        await typed(bench, "typed")
        gate = bench.control.gate("update_job")
        await bench.press("f10")
        await bench.until(lambda: gate.number)
        await bench.press("f5")
        gate.open()
        await bench.until(lambda: bench.app.saved)
        assert bench.text("name") == "typed"
        assert not bench.pane.is_dirty

    on_stage(scenario)


def test_a_save_on_the_way_to_another_job_is_not_broken_off_by_a_second_wish() -> None:
    async def scenario(bench: Bench) -> None:
        second, third = (bench.control.add(replace(SPEC, name=name)) for name in ("second", "third"))
        await typed(bench, "typed")
        await bench.pane.edit(second.id)
        await bench.until(lambda: asks(bench))
        gate = bench.control.gate("update_job")
        await bench.press("right", "enter")
        await bench.until(lambda: gate.number)
        await bench.pane.edit(third.id)
        gate.open()
        await bench.until(lambda: bench.text("name") == "third")
        assert not asks(bench)
        assert bench.stored.name == "typed"
        assert "saved typed, v2" in bench.toasts()
        assert len(bench.app.saved) == 1

    on_stage(scenario)


def test_a_job_that_is_on_its_way_does_not_come_over_a_new_one() -> None:
    async def scenario(bench: Bench) -> None:
        gate = bench.control.gate("job")
        await bench.pane.show(bench.job.id)
        await bench.until(lambda: gate.number)
        await bench.pane.create()
        await bench.pane.show(bench.job.id)
        gate.open()
        await bench.until(lambda: bench.pane.query(Form) and bench.app.focused is bench.entry("name"))
        await bench.pilot.pause(0.2)
        assert "new job" in bench.title
        assert bench.text("name") == ""

    on_stage(scenario)


def test_a_cursor_on_nothing_does_not_take_a_new_job_away() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.pane.show(None)
        await bench.pane.create()
        await bench.pane.show(None)
        await bench.until(lambda: bench.app.focused is not None)
        await bench.pilot.pause(0.2)
        assert "new job" in bench.title

    on_stage(scenario)


def test_an_answer_from_before_a_save_does_not_bring_back_what_was() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.edit()
        before = bench.pane._view
        assert isinstance(before, JobView)
        await bench.enter("name", "typed")
        await bench.press("f10")
        await bench.until(lambda: bench.app.saved)
        bench.pane._load(before)
        assert bench.text("name") == "typed"

    on_stage(scenario)
