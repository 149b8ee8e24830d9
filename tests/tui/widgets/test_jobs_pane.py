"""The jobs pane: every key of it, and what it shows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widgets import Input, Static

from tests.tui import pilots
from tests.tui.fake import SECOND, FakeControl
from tests.tui.pilots import until
from tui_scheduler.control.views import Change, Changed, JobListing, JobQuery, JobRow
from tui_scheduler.domain.errors import Conflict, StoreUnavailable
from tui_scheduler.domain.execution import State, Trigger
from tui_scheduler.domain.job import Job, JobSpec, JobState, Request
from tui_scheduler.tui.desk import Desk
from tui_scheduler.tui.screens.confirm import ConfirmScreen
from tui_scheduler.tui.widgets.filter_line import FilterLine
from tui_scheduler.tui.widgets.job_header import JobHeader
from tui_scheduler.tui.widgets.job_table import JobTable
from tui_scheduler.tui.widgets.jobs_pane import JobsPane


class Stage(App[None]):
    """The pane alone; Esc does what the main screen does with it."""

    CSS = "JobsPane { border: round $primary; } .-narrow JobsPane { border: none; }"
    BINDINGS: ClassVar = [("escape", "back", "Back")]

    def __init__(self, control: FakeControl) -> None:
        super().__init__()
        self.control = control
        self.desk = Desk(control.now)
        self.pane = JobsPane(self.desk)
        self.told: list[Any] = []

    def compose(self) -> ComposeResult:
        yield self.pane

    def on_mount(self) -> None:
        self.desk.open(self.control)
        self.pane.focus_inside()

    def on_unmount(self) -> None:
        self.desk.close()

    async def action_back(self) -> None:
        self.pane.back()

    def on_jobs_pane_highlighted(self, message: JobsPane.Highlighted) -> None:
        self.told.append(("highlighted", message.row and message.row.name))

    def on_jobs_pane_edit_wanted(self, message: JobsPane.EditWanted) -> None:
        self.told.append(("edit", message.job_id, message.body))

    def on_jobs_pane_create_wanted(self, message: JobsPane.CreateWanted) -> None:
        self.told.append(("create", message.like))

    def on_jobs_pane_log_wanted(self, message: JobsPane.LogWanted) -> None:
        self.told.append(("log", message.row.name))

    # --- for the tests

    @property
    def table(self) -> JobTable:
        return self.pane.query_one(JobTable)

    @property
    def names(self) -> list[str]:
        """Of the jobs shown, in their order."""
        return [self.control.stored[key].spec.name for key in self.pane.model.keys]

    @property
    def marked(self) -> set[str]:
        return {self.control.stored[key].spec.name for key in self.pane.model.marks}

    @property
    def headline(self) -> str:
        return str(self.pane.border_title)

    @property
    def toasts(self) -> list[str]:
        return [note.message for note in self._notifications]

    def state(self, name: str) -> JobState:
        return job(self.control, name).state


def job(control: FakeControl, name: str) -> Job:
    return next(job for job in control.stored.values() if job.spec.name == name)


def jobs(*names: str, **states: JobState) -> FakeControl:
    """Jobs of these names; `states` for those that are not active."""
    control = FakeControl()
    for name in names:
        spec = JobSpec("* * * * * *", Request(f"http://x/{name}"), name=name, tags=(name[0],))
        control.add(spec, states.get(name, JobState.ACTIVE))
    return control


Scenario = Callable[[Pilot[Any], Stage], Awaitable[None]]


def play(scenario: Scenario, control: FakeControl, *, size: tuple[int, int] = (80, 24)) -> Stage:
    app = Stage(control)

    async def with_stage(pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: app.pane.model.is_known and not app.pane.model.lacks(app.table.visible_lines))
        await scenario(pilot, app)

    pilots.play(app, with_stage, size=size)
    return app


def screen(app: App[Any]) -> list[str]:
    """The lines of the screen."""
    width, height = app.size
    lines = app.screen._compositor.render_strips()
    return ["".join(segment.text for segment in line).ljust(width) for line in lines[:height]]


async def typed(pilot: Pilot[Any], text: str) -> None:
    await pilot.press("slash", *("space" if char == " " else char for char in text))


# --- what is shown


def test_jobs_are_listed_with_their_number_in_the_title() -> None:
    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        assert app.names == ["a1", "a2", "b1"]
        assert app.headline == "Jobs 3"
        assert any("● active   a2" in line for line in screen(app))

    play(scenario, jobs("a1", "a2", "b1"))


def test_without_a_frame_the_number_stands_in_a_line_of_its_own() -> None:
    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        app.screen.add_class("-narrow")
        await until(pilot, lambda: screen(app)[0].strip() == "Jobs 3")
        app.screen.remove_class("-narrow")
        await until(pilot, lambda: screen(app)[0].startswith("╭─ Jobs 3 ─"))

    play(scenario, jobs("a1", "a2", "b1"))


def test_an_empty_store_says_what_to_press() -> None:
    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        await until(pilot, lambda: any("no jobs yet" in line for line in screen(app)))
        assert any("C creates one" in line or "c creates one" in line for line in screen(app))
        await until(pilot, lambda: app.told == [("highlighted", None)])
        await pilot.press("space", "V", "r", "p", "x", "D", "e", "E", "d", "l", "y", "Y", "enter", "n")
        await pilot.pause()
        assert app.told == [("highlighted", None)]
        assert not any(call.startswith("change_jobs") for call in app.control.called)

    play(scenario, FakeControl())


def test_names_from_elsewhere_are_shown_and_not_obeyed() -> None:
    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        text = "\n".join(screen(app))
        assert "[red]x[/red]" in text
        assert "␛[2J" in text
        assert "東京" in text
        ends = {line.rstrip()[-1] for line in screen(app)[1:-1]}
        assert ends == {"│"}
        await pilot.press("D")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))

    play(scenario, jobs("[red]x[/red]", "\x1b[2Jgone", "東京の在庫" * 9, "🚀" * 40), size=(90, 20))


def test_the_countdown_goes_on_with_the_second() -> None:
    control = FakeControl()
    control.add(JobSpec("30 * * * * *", Request("http://x/"), name="half"))

    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        await until(pilot, lambda: any(" 30s" in line for line in screen(app)))
        control.clock += 12 * SECOND
        await until(pilot, lambda: any(" 18s" in line for line in screen(app)))

    play(scenario, control)


def test_what_changes_elsewhere_is_shown_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui_scheduler.tui.widgets.jobs_pane.TICK_S", 0.05)

    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        app.control.pause_job(job(app.control, "a2").id)
        await until(pilot, lambda: any("‖ paused   a2" in line for line in screen(app)))
        app.control.add(JobSpec("* * * * * *", Request("http://x/"), name="new"))
        await until(pilot, lambda: "new" in app.names)

    play(scenario, jobs("a1", "a2"))


def test_a_hidden_pane_asks_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    tick = 0.02
    monkeypatch.setattr("tui_scheduler.tui.widgets.jobs_pane.TICK_S", tick)

    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        app.pane.display = False
        await until(pilot, lambda: not app.pane.is_seen)
        await app.workers.wait_for_complete()
        app.control.called.clear()
        ticks: list[None] = []
        app.set_interval(tick, lambda: ticks.append(None))
        await until(pilot, lambda: len(ticks) > 4)
        assert app.control.called == []
        app.pane.display = True
        await until(pilot, lambda: "job_rows" in app.control.called)

    play(scenario, jobs("a1"))


def test_a_store_that_cannot_be_read_leaves_the_jobs_on_show() -> None:
    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        app.control.fails = StoreUnavailable("the disk is full", transient=True)
        await until(pilot, lambda: app.desk.stale)
        await pilot.press("j")
        assert any("● active   a1" in line for line in screen(app))
        await pilot.press("p")
        await until(pilot, lambda: "the disk is full" in app.toasts)
        app.control.fails = None
        await until(pilot, lambda: app.desk.stale is None)

    play(scenario, jobs("a1", "a2"))


# --- the cursor


def test_the_cursor_follows_its_job_through_another_order() -> None:
    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press("j", "s")
        await until(pilot, lambda: app.names == ["a", "b", "c"])
        assert app.table.cursor == 0
        await pilot.press("S")
        await until(pilot, lambda: app.names == ["c", "b", "a"])
        assert app.table.cursor == 2

    play(scenario, jobs("b", "a", "c"))


def test_the_cursor_stays_in_its_place_when_its_job_disappears() -> None:
    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press("j")
        app.control.delete_job(job(app.control, "b").id)
        await until(pilot, lambda: app.names == ["a", "c"])
        assert app.table.cursor == 1
        await until(pilot, lambda: app.told[-1] == ("highlighted", "c"))

    play(scenario, jobs("a", "b", "c"))


def test_where_the_cursor_rests_is_told_once_and_not_what_it_passes() -> None:
    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        await until(pilot, lambda: app.told == [("highlighted", "a")])
        for _ in range(3):
            app.table.action_cursor_down()
        await until(pilot, lambda: app.told[-1] == ("highlighted", "d"))
        assert app.told == [("highlighted", "a"), ("highlighted", "d")]

    play(scenario, jobs("a", "b", "c", "d"))


def test_a_new_version_of_the_job_with_the_cursor_is_told() -> None:
    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        await until(pilot, lambda: app.told == [("highlighted", "a")])
        app.control.update_job(job(app.control, "a").id, lambda spec: replace(spec, name="anew"))
        await until(pilot, lambda: app.told == [("highlighted", "a"), ("highlighted", "anew")])

    play(scenario, jobs("a", "b"))


def test_the_cursor_goes_to_a_job_that_was_just_made() -> None:
    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        new = app.control.add(JobSpec("* * * * * *", Request("http://x/"), name="new"))
        await app.pane.refresh_and_go_to(new.key)
        assert app.table.cursor == 2
        await until(pilot, lambda: app.told[-1] == ("highlighted", "new"))
        assert any("new" in line for line in screen(app))

    play(scenario, jobs("a", "b"))


def test_the_cursor_stays_when_the_filter_hides_the_job_that_was_just_made() -> None:
    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        await typed(pilot, "tag:a")
        await until(pilot, lambda: app.names == ["a1", "a2"])
        await pilot.press("enter", "j")
        new = app.control.add(JobSpec("* * * * * *", Request("http://x/"), name="new"))
        await app.pane.refresh_and_go_to(new.key)
        assert app.table.cursor == 1
        assert app.names == ["a1", "a2"]

    play(scenario, jobs("a1", "a2", "b1"))


# --- filter and sort


def test_the_filter_narrows_as_it_is_typed_and_enter_goes_back_to_the_jobs() -> None:
    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        await typed(pilot, "tag:a")
        await until(pilot, lambda: app.names == ["a1", "a2"])
        assert app.headline == "Jobs 2 of 3 · filter: tag:a"
        await pilot.press("enter")
        await until(pilot, lambda: app.table.has_focus)
        assert app.names == ["a1", "a2"]
        await pilot.press("escape")
        await until(pilot, lambda: app.names == ["a1", "a2", "b1"])
        assert app.headline == "Jobs 3"
        assert not app.pane.query_one(FilterLine).is_open

    play(scenario, jobs("a1", "a2", "b1"))


def test_escape_in_the_filter_line_shows_all_jobs_again() -> None:
    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        await typed(pilot, "!tag:a")
        await until(pilot, lambda: app.names == ["b1"])
        await pilot.press("escape")
        await until(pilot, lambda: len(app.names) == 3 and app.table.has_focus)

    play(scenario, jobs("a1", "a2", "b1"))


def test_a_filter_that_cannot_be_meant_says_so_and_the_last_good_one_stays() -> None:
    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        await typed(pilot, "a ")
        await until(pilot, lambda: app.names == ["a1", "a2"])
        await pilot.press(*"state:q")
        hint = app.pane.query_one(FilterLine).query_one(".hint", Static)
        await until(pilot, lambda: any("'q' is not a state; there are active, paused" in line for line in screen(app)))
        assert app.names == ["a1", "a2"]
        assert app.headline.endswith("filter: a")
        await pilot.press("enter")
        await pilot.pause()
        assert app.focused is app.pane.query_one(Input)  # there is something to put right
        await pilot.press(*["backspace"] * 8, "enter")
        await until(pilot, lambda: app.table.has_focus)
        assert str(hint.content).startswith("words")

    play(scenario, jobs("a1", "a2", "b1"))


def test_a_filter_that_finds_nothing_says_how_to_get_out() -> None:
    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press("j")
        await typed(pilot, "zzz")
        await until(pilot, lambda: any("nothing matches" in line for line in screen(app)))
        assert any("Esc shows all 2 jobs" in line for line in screen(app))
        await pilot.press("escape")
        await until(pilot, lambda: len(app.names) == 2)
        assert app.table.cursor == 1  # where it was

    play(scenario, jobs("a1", "a2"))


def test_letters_typed_into_the_filter_do_nothing_else() -> None:
    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        await typed(pilot, "DrpxcedEsSVyYnN*\\")
        await pilot.pause()
        assert app.pane.query_one(Input).value == "DrpxcedEsSVyYnN*\\"
        assert not any(call.startswith("change_jobs") for call in app.control.called)

    play(scenario, jobs("a1", "a2"))


def test_down_goes_from_the_filter_to_the_jobs() -> None:
    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        await typed(pilot, "tag:a")
        await pilot.press("down")
        await until(pilot, lambda: app.table.has_focus and app.names == ["a1"])

    play(scenario, jobs("a1", "b1"))


def test_an_empty_filter_line_closes_with_enter() -> None:
    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press("slash", "enter")
        await until(pilot, lambda: app.table.has_focus)
        assert not app.pane.query_one(FilterLine).is_open

    play(scenario, jobs("a1"))


def test_sorting_goes_through_the_columns_and_round() -> None:
    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press("s")
        await until(pilot, lambda: any("NAME ↑" in line for line in screen(app)))
        await pilot.press("S")
        await until(pilot, lambda: any("NAME ↓" in line for line in screen(app)))
        assert app.headline == "Jobs 2 · by name ↓"
        for _ in range(7):
            await pilot.press("s")
        await until(pilot, lambda: app.headline == "Jobs 2")

    play(scenario, jobs("b", "a"))


def test_a_click_on_a_header_sorts_and_another_turns_it_round() -> None:
    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.click(JobHeader, offset=(14, 0))
        await until(pilot, lambda: app.names == ["a", "b"])
        await pilot.click(JobHeader, offset=(14, 0))
        await until(pilot, lambda: app.names == ["b", "a"] and "↓" in app.headline)

    play(scenario, jobs("b", "a"))


# --- marks


def test_space_marks_and_goes_down_and_takes_a_mark_away() -> None:
    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press("space", "space")
        assert app.marked == {"a", "b"}
        assert app.table.cursor == 2
        assert app.headline == "Jobs 3 · 2 marked"
        await pilot.press("k", "space")
        assert app.marked == {"a"}

    play(scenario, jobs("a", "b", "c"))


def test_a_range_all_and_none() -> None:
    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press("j", "space", "j", "V")
        assert app.marked == {"b", "c", "d"}
        await pilot.press("asterisk")
        assert app.marked == {"a", "b", "c", "d", "e"}
        await pilot.press("backslash")
        assert app.marked == set()
        await pilot.press("space", "escape")
        assert app.marked == set()

    play(scenario, jobs("a", "b", "c", "d", "e"))


def test_marks_survive_sorting_filtering_and_refreshing() -> None:
    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press("space", "s", "S")
        await typed(pilot, "tag:b")
        await until(pilot, lambda: app.names == ["b1"])
        assert app.headline.startswith("Jobs 1 of 3 · 1 marked, 1 hidden")
        await pilot.press("escape")
        await app.pane.refresh_now()
        assert app.marked == {"a1"}

    play(scenario, jobs("a1", "a2", "b1"))


def test_escape_drops_the_filter_first_then_the_marks_then_nothing() -> None:
    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press("space")
        await typed(pilot, "a")
        await pilot.press("enter")
        await until(pilot, lambda: app.pane.model.is_filtered)
        assert app.pane.back()
        assert app.marked == {"a1"}
        assert app.pane.back()
        assert app.marked == set()
        assert not app.pane.back()

    play(scenario, jobs("a1", "b1"))


# --- what is done


def test_pause_and_resume_the_job_with_the_cursor() -> None:
    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press("p")
        await until(pilot, lambda: app.toasts == ["paused a"])
        assert app.state("a") is JobState.PAUSED
        await pilot.press("p")
        await until(pilot, lambda: app.toasts == ["paused a", "resumed a"])
        assert app.state("a") is JobState.ACTIVE
        assert [undo.label for undo in app.desk.undo] == ["paused a", "resumed a"]
        await app.desk.undo[1].back()
        assert app.state("a") is JobState.PAUSED

    play(scenario, jobs("a", "b"))


def test_of_marked_jobs_only_the_active_ones_are_paused_and_only_those_resumed_by_undo() -> None:
    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press("asterisk", "p")
        await until(pilot, lambda: app.toasts == ["paused 2 jobs"])
        await app.desk.undo.pop().back()
        assert [app.state(name) for name in ("a", "b", "c")] == [JobState.ACTIVE, JobState.PAUSED, JobState.ACTIVE]

    play(scenario, jobs("a", "b", "c", b=JobState.PAUSED))


def test_more_jobs_than_lines_are_read_are_paused_all_the_same() -> None:
    names = [f"j{number:03}" for number in range(150)]

    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press("asterisk", "p")
        await until(pilot, lambda: app.toasts == ["paused 149 jobs"])
        await pilot.press("p")
        await until(pilot, lambda: app.toasts[1:] == ["resumed 150 jobs"])

    play(scenario, jobs(*names, j007=JobState.PAUSED))


def test_a_finished_job_is_neither_paused_nor_resumed() -> None:
    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press("p")
        await until(pilot, lambda: app.toasts == ["a finished job can neither be paused nor resumed"])

    play(scenario, jobs("a", a=JobState.FINISHED))


def test_marked_jobs_that_the_filter_hides_are_left_alone_and_said_so() -> None:
    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press("asterisk")
        await typed(pilot, "tag:a")
        await pilot.press("enter")
        await until(pilot, lambda: app.names == ["a1", "a2"])
        await pilot.press("p")
        await until(pilot, lambda: app.toasts)
        assert app.toasts == ["paused 2 jobs; 1 marked job is hidden by the filter and was left alone"]
        assert app.state("b1") is JobState.ACTIVE

    play(scenario, jobs("a1", "a2", "b1"))


def test_nothing_is_done_while_the_filter_hides_every_marked_job() -> None:
    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press("space")
        await typed(pilot, "tag:b")
        await pilot.press("enter")
        await until(pilot, lambda: app.names == ["b1"])
        await pilot.press("D")
        await until(pilot, lambda: app.toasts)
        assert app.toasts == ["nothing done; 1 marked job is hidden by the filter and was left alone"]
        assert app.names == ["b1"]

    play(scenario, jobs("a1", "b1"))


def test_an_action_hits_the_line_the_cursor_was_on_when_its_key_was_pressed() -> None:
    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        app.table.cursor = 1
        app.pane.action_run_now()
        app.table.cursor = 2
        await until(pilot, lambda: app.toasts == ["started b"])
        assert [view.job_id for view in app.control.history.values()] == [job(app.control, "b").id]

    play(scenario, jobs("a", "b", "c"))


def test_run_now_starts_one_execution_of_each() -> None:
    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press("space", "space", "r")
        await until(pilot, lambda: app.toasts == ["started 2 jobs"])
        assert [view.trigger for view in app.control.history.values()] == [Trigger.MANUAL] * 2

    play(scenario, jobs("a", "b", "c"))


def test_cancel_ends_what_runs_or_waits() -> None:
    control = jobs("a", "b")
    control.happened(job(control, "a"), State.RUNNING)

    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press("x")
        await until(pilot, lambda: app.toasts == ["cancelled what ran or waited of a"])
        assert [view.state for view in control.history.values()] == [State.CANCELLED]

    play(scenario, control)


@pytest.mark.parametrize(("key", "call"), [("r", "change_jobs run"), ("x", "change_jobs cancel")])
def test_more_than_ten_jobs_are_run_or_cancelled_only_when_it_is_meant(key: str, call: str) -> None:
    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press("asterisk", key)
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("enter")  # Cancel has the focus
        await until(pilot, lambda: not isinstance(app.screen, ConfirmScreen))
        assert call not in app.control.called
        await pilot.press(key)
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("right", "enter")
        await until(pilot, lambda: call in app.control.called)

    play(scenario, jobs(*(f"j{number:02}" for number in range(11))))


def test_delete_asks_with_cancel_focused_and_the_same_key_does_not_confirm() -> None:
    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press("D")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("D")
        await pilot.pause()
        assert isinstance(app.screen, ConfirmScreen)
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(app.screen, ConfirmScreen))
        assert app.names == ["a", "b"]
        assert app.state("a") is JobState.ACTIVE

    play(scenario, jobs("a", "b"))


def test_delete_names_the_jobs_deletes_them_and_can_be_undone() -> None:
    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press("space", "space", "D")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        text = "\n".join(str(static.content) for static in app.screen.query(Static))
        assert "· a\n· b" in text
        await pilot.press("right", "enter")
        await until(pilot, lambda: app.names == ["c"])
        assert app.toasts == ["deleted 2 jobs"]
        assert app.marked == set()
        assert [undo.label for undo in app.desk.undo] == ["deleted 2 jobs"]
        await app.desk.undo.pop().back()
        assert app.names == ["a", "b", "c"]

    play(scenario, jobs("a", "b", "c"))


def test_what_is_refused_is_summed_up() -> None:
    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press("asterisk")
        app.control.delete_job(job(app.control, "a").id)
        await pilot.press("r")
        await until(pilot, lambda: app.toasts == ["started 1 job; 1 job refused: the job is deleted"])

    play(scenario, jobs("a", "b"))


def test_nothing_is_done_while_the_jobs_on_show_are_not_those_asked_for() -> None:
    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        gate = app.control.gate("list_jobs")
        await pilot.press("s")
        for key in ("p", "r", "x", "D", "space", "asterisk", "V", "enter", "E", "d", "l", "y", "Y", "n"):
            await pilot.press(key)
        assert set(app.toasts) == {"not done: the jobs asked for are not on show yet"}
        assert not [call for call in app.control.called if call.startswith("change_jobs")]
        assert (app.marked, app.clipboard, app.screen) == (set(), "", app.screen_stack[0])
        gate.open()
        await until(pilot, lambda: app.names == ["a", "b"])
        await pilot.press("g", "p")
        await until(pilot, lambda: app.toasts[-1] == "paused a")

    play(scenario, jobs("b", "a"))


def test_undo_takes_back_only_what_was_changed_here() -> None:
    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press("asterisk", "D")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        app.control.delete_job(job(app.control, "a").id)
        await pilot.press("right", "enter")
        await until(pilot, lambda: app.toasts == ["deleted 2 jobs"])
        assert [undo.label for undo in app.desk.undo] == ["deleted 1 job"]
        await app.desk.undo.pop().back()
        assert (app.state("a"), app.state("b")) == (JobState.DELETED, JobState.ACTIVE)

    play(scenario, jobs("a", "b"))


def test_undo_says_what_is_refused() -> None:
    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press("asterisk", "p")
        await until(pilot, lambda: app.toasts == ["paused 2 jobs"])
        app.control.delete_job(job(app.control, "a").id)
        with pytest.raises(Conflict, match=r"^resumed 1 job; 1 job refused: the job is deleted$"):
            await app.desk.undo.pop().back()
        assert app.state("b") is JobState.ACTIVE

    play(scenario, jobs("a", "b"))


def test_marks_of_jobs_that_others_delete_go() -> None:
    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press("space")
        app.control.delete_job(job(app.control, "a").id)
        await until(pilot, lambda: app.headline == "Jobs 1")
        await pilot.press("p")
        await until(pilot, lambda: app.toasts == ["paused b"])

    play(scenario, jobs("a", "b"))


# --- very many jobs at once


SIX = ("a", "b", "c", "d", "e", "f")


def test_a_long_change_tells_how_far_it_is_and_can_be_stopped_and_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui_scheduler.tui.job_changes.PORTION", 2)

    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        gate = app.control.gate("change_jobs")
        await pilot.press("asterisk", "p")
        await until(pilot, lambda: app.headline == "paused 0 of 6 jobs … Esc stops" and gate.number)
        await pilot.press("p")
        await until(pilot, lambda: app.toasts == ["another change of many jobs is still under way"])
        await pilot.press("escape")
        gate.open()
        await until(pilot, lambda: app.toasts[1:] == ["paused 2 jobs; stopped, 4 jobs are as before"])
        assert app.headline == "Jobs 6 · 6 marked"
        assert [app.state(name) for name in SIX] == [JobState.PAUSED] * 2 + [JobState.ACTIVE] * 4
        assert [undo.label for undo in app.desk.undo] == ["paused 2 jobs"]
        await app.desk.undo.pop().back()
        assert {app.state(name) for name in SIX} == {JobState.ACTIVE}

    play(scenario, jobs(*SIX))


def test_a_long_change_that_nobody_stops_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui_scheduler.tui.job_changes.PORTION", 2)

    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press("asterisk", "p")
        await until(pilot, lambda: app.toasts == ["paused 6 jobs"])
        assert [call for call in app.control.called if call == "change_jobs pause"] == ["change_jobs pause"] * 3
        assert [undo.label for undo in app.desk.undo] == ["paused 6 jobs"]

    play(scenario, jobs(*SIX))


def test_an_undo_that_is_stopped_can_be_gone_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui_scheduler.tui.job_changes.PORTION", 2)

    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press("asterisk", "p")
        await until(pilot, lambda: app.toasts == ["paused 6 jobs"])
        gate = app.control.gate("change_jobs")
        undoing = asyncio.ensure_future(app.desk.undo.pop().back())
        await until(pilot, lambda: gate.number)
        await pilot.press("escape")
        gate.open()
        with pytest.raises(Conflict, match=r"^resumed 2 jobs; stopped, 4 jobs are as before$"):
            await undoing
        assert [undo.label for undo in app.desk.undo] == ["paused 4 jobs"]
        await app.desk.undo.pop().back()
        assert {app.state(name) for name in SIX} == {JobState.ACTIVE}

    play(scenario, jobs(*SIX))


class FullDisk(FakeControl):
    """A store that fails after the first change."""

    def change_jobs(self, change: Change, keys: Sequence[int]) -> Changed:
        if f"change_jobs {change}" in self.called:
            raise StoreUnavailable("the disk is full", transient=True)
        return super().change_jobs(change, keys)


def test_what_was_done_before_the_store_failed_is_said_and_can_be_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui_scheduler.tui.job_changes.PORTION", 2)
    control = FullDisk()
    for name in SIX:
        control.add(JobSpec("* * * * * *", Request("http://x/"), name=name))

    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press("asterisk", "p")
        await until(pilot, lambda: app.toasts == ["paused 2 jobs; 4 jobs refused: the disk is full"])
        assert [undo.label for undo in app.desk.undo] == ["paused 2 jobs"]

    play(scenario, control)


# --- one job


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("enter", ("edit", "ID", False)),
        ("e", ("edit", "ID", False)),
        ("E", ("edit", "ID", True)),
        ("c", ("create", None)),
        ("d", ("create", "ID")),
        ("l", ("log", "b")),
    ],
)
def test_keys_that_concern_other_panes_are_told(key: str, told: tuple[Any, ...]) -> None:
    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press("j", key)
        job_id = job(app.control, "b").id
        wanted = tuple(job_id if part == "ID" else part for part in told)
        await until(pilot, lambda: wanted in app.told)

    play(scenario, jobs("a", "b"))


def test_two_clicks_open_a_job() -> None:
    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.double_click(JobTable, offset=(5, 1))
        await until(pilot, lambda: ("edit", job(app.control, "b").id, False) in app.told)

    play(scenario, jobs("a", "b"))


def test_a_line_and_its_request_can_be_copied() -> None:
    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press("y")
        assert app.clipboard.startswith("active  a  * * * * * *")
        await pilot.press("Y")
        await until(pilot, lambda: app.clipboard.startswith("curl"))
        assert "http://x/a" in app.clipboard

    play(scenario, jobs("a", "b"))


def test_the_next_and_the_previous_failing_job_are_found_round_the_end() -> None:
    control = jobs("a", "b", "c", "d")
    for name in ("b", "d"):
        control.happened(job(control, name), State.FAILED)

    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        for key, line in (("n", 1), ("n", 3), ("n", 1), ("N", 3), ("N", 1)):
            await pilot.press(key)
            await until(pilot, lambda line=line: app.table.cursor == line)  # type: ignore[misc]

    play(scenario, control)


def test_when_no_job_fails_it_is_said() -> None:
    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press("n")
        await until(pilot, lambda: app.toasts == ["no job is failing"])

    play(scenario, jobs("a"))


# --- many


class ManyJobs(FakeControl):
    """100,000 jobs that are made up as they are asked for."""

    NUMBER = 100_000

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []
        made = self.add(JobSpec("0 * * * * *", Request("http://x/"), name="pattern"))
        self.pattern = super().job_rows([made.key])[0]

    def list_jobs(self, query: JobQuery) -> JobListing:
        keys = tuple(range(1, self.NUMBER + 1))
        return JobListing(keys[::-1] if query.descending else keys, self.NUMBER)

    def job_rows(self, keys: Sequence[int]) -> list[JobRow]:
        self.asked.append(len(keys))
        return [replace(self.pattern, key=key, id=str(key), name=f"job {key}") for key in keys]


def test_of_a_hundred_thousand_jobs_only_those_around_the_screen_are_read() -> None:
    control = ManyJobs()

    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        assert app.headline == "Jobs 100,000"
        await pilot.press("G")
        await until(pilot, lambda: any("job 100000" in line for line in screen(app)))
        await pilot.press(*["pageup"] * 5)
        await until(pilot, lambda: any("job 99900" in line for line in screen(app)))
        await pilot.press("S")
        await until(pilot, lambda: app.pane.model.keys[0] == 100_000)
        assert app.pane.model.cursor_key == app.pane.model.keys[app.table.cursor]
        assert max(control.asked) <= 3 * 24
        await pilot.press("asterisk")
        assert app.headline.startswith("Jobs 100,000 · 100,000 marked")

    play(scenario, control)


def test_lines_that_are_not_read_yet_are_quiet() -> None:
    control = ManyJobs()

    async def scenario(pilot: Pilot[Any], app: Stage) -> None:
        gate = asyncio.Event()
        ask = app.desk.ask

        async def slowly(question: Any) -> Any:
            await gate.wait()
            return await ask(question)

        app.desk.ask = slowly  # type: ignore[method-assign]
        await pilot.press("G")
        await pilot.pause()
        body = [line.strip("│ \n") for line in screen(app)[2:-1]]
        assert set(body) == {"…"}
        await pilot.press("enter")  # a line need not be there to be opened
        gate.set()
        await until(pilot, lambda: ("edit", "100000", False) in app.told)
        await until(pilot, lambda: any("job 100000" in line for line in screen(app)))

    play(scenario, control)
