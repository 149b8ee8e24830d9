"""The log: every key, what it keeps still and what it lets go on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone
from typing import Any

import pytest
from textual.events import MouseScrollUp
from textual.pilot import Pilot
from textual.widgets import Input

from tests.tui.fake import SECOND, FakeControl
from tests.tui.log_app import LogApp, busy, filled, job, runs
from tests.tui.log_rows import log_page, log_row
from tests.tui.pilots import NARROW, play, until
from tui_scheduler.control.views import LogCursor, LogPage, LogQuery
from tui_scheduler.domain.errors import StoreUnavailable
from tui_scheduler.domain.execution import State, Trigger
from tui_scheduler.domain.job import JobState
from tui_scheduler.tui.widgets import log_pane
from tui_scheduler.tui.widgets.log_search import LogSearch


def mixed() -> FakeControl:
    """Two jobs, one execution of every state of each."""
    control = FakeControl()
    for name in ("alpha", "beta"):
        made = job(control, name)
        for state in State:
            control.happened(made, state, ago=SECOND)
    return control


# --- following


def test_it_follows_the_newest() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await filled(pilot, 100)
        assert app.title_shown == "Log · all jobs · following"
        assert (app.view.cursor, app.view.visible_lines[-1]) == (99, 99)
        runs(app.control, 5)
        await filled(pilot, 105)
        assert (app.view.cursor, app.view.visible_lines[-1]) == (104, 104)

    play(LogApp(busy()), scenario)


@pytest.mark.parametrize("key", ["k", "up", "g", "home", "pageup"])
def test_any_movement_upwards_stops_it_and_what_is_read_stays(key: str) -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await filled(pilot, 100)
        await pilot.press(key)
        assert app.title_shown == "Log · all jobs · not following"
        cursor, lines = app.view.cursor, app.view.visible_lines
        runs(app.control, 7)
        await filled(pilot, 107)
        assert (app.view.cursor, app.view.visible_lines) == (cursor, lines)
        assert app.title_shown == "Log · all jobs · not following · 7 new"

    play(LogApp(busy()), scenario)


def test_the_first_movement_upwards_is_no_jump() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await filled(pilot, 100)
        lines = app.view.visible_lines
        await pilot.press("k")
        assert (app.view.cursor, app.view.visible_lines) == (98, lines)

    play(LogApp(busy()), scenario)


@pytest.mark.parametrize("key", ["G", "end", "f"])
def test_it_can_be_made_to_follow_again(key: str) -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await filled(pilot, 100)
        await pilot.press("g")
        runs(app.control, 3)
        await filled(pilot, 103)
        await pilot.press(key)
        assert app.view.cursor == 102
        assert app.title_shown == "Log · all jobs · following"
        runs(app.control, 1)
        await filled(pilot, 104)
        assert app.view.cursor == 103

    play(LogApp(busy()), scenario)


def test_f_stops_it_too() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await filled(pilot, 100)
        await pilot.press("f")
        runs(app.control, 3)
        await filled(pilot, 103)
        assert app.view.cursor == 99

    play(LogApp(busy()), scenario)


def test_the_wheel_upwards_stops_it() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await filled(pilot, 100)
        await pilot._post_mouse_events([MouseScrollUp], app.view, offset=(5, 5))
        await until(pilot, lambda: not app.view.following)
        top = app.view.visible_lines[0]
        runs(app.control, 3)
        await filled(pilot, 103)
        assert app.view.visible_lines[0] == top

    play(LogApp(busy()), scenario)


def test_it_follows_when_the_screen_becomes_smaller() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await filled(pilot, 100)
        for size in ((100, 20), (120, 40), (80, 10)):
            await pilot.resize_terminal(*size)
            await until(pilot, lambda: app.view.visible_lines[-1] == 99)
            assert app.view.following

    play(LogApp(busy()), scenario)


# --- holding


def test_pause_holds_the_view_still_and_keeps_what_comes() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await filled(pilot, 4)
        await pilot.press("p")
        assert app.title_shown == "Log · all jobs · paused"
        running = next(view for view in app.control.history.values() if view.state is State.RUNNING)
        app.control.history[running.id] = replace(running, state=State.FAILED, error="refused")
        runs(app.control, 132)
        await until(pilot, lambda: "132 new" in app.title_shown)
        assert app.title_shown == "Log · all jobs · paused · 132 new"
        assert "running" in app.text
        assert "refused" not in app.text
        await pilot.press("p")
        await filled(pilot, 136)
        assert app.title_shown == "Log · all jobs · following"
        await pilot.press("g")
        await until(pilot, lambda: "refused" in app.text)

    control = busy(3)
    control.happened(next(iter(control.stored.values())), State.RUNNING, ago=5 * SECOND)
    play(LogApp(control), scenario)


@pytest.mark.parametrize("key", ["f", "G"])
def test_following_again_ends_the_pause(key: str) -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await filled(pilot, 100)
        await pilot.press("p", "k")
        runs(app.control, 2)
        await until(pilot, lambda: "2 new" in app.title_shown)
        await pilot.press(key)
        await filled(pilot, 102)
        assert app.title_shown == "Log · all jobs · following"
        assert app.view.cursor == 101

    play(LogApp(busy()), scenario)


# --- rows


def test_an_execution_changes_where_it_is() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await filled(pilot, 3)
        first = next(iter(app.control.history.values()))
        await until(pilot, lambda: "▶ running" in app.text)
        app.control.history[first.id] = replace(first, state=State.RETRYING, http_status=503, attempt=2)
        await until(pilot, lambda: "◐ retrying" in app.text)
        assert "503 #2" in app.text
        assert app.keys == [1, 2, 3]

    control = FakeControl()
    made = job(control)
    control.happened(made, State.RUNNING, ago=9 * SECOND)
    runs(control, 2)
    play(LogApp(control), scenario)


def test_every_state_is_a_sign_and_a_word() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await filled(pilot, 18)
        for said in ("○ pending", "◇ claimed", "▶ running", "◐ retrying", "✓ succeeded", "× failed", "□ cancelled"):
            assert said in app.text
        assert "! lost" in app.text
        assert "» skipped" in app.text
        assert "overlap" in app.text

    play(LogApp(mixed()), scenario)


def test_what_was_left_out_is_said_above_and_where_it_is_missing() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await filled(pilot, 3)
        app.control.left_out = 4_512
        runs(app.control, 2)
        await filled(pilot, 6)
        assert "… 4,512 more not shown" in app.text
        assert str(app.pane.border_subtitle) == "4,512 not shown · times in UTC"

    play(LogApp(busy(3)), scenario)


def test_a_log_that_goes_further_back_says_so_above_its_oldest_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_pane, "AT_FIRST", 3)

    async def scenario(pilot: Pilot[Any]) -> None:
        app = await filled(pilot, 4)
        assert "… older ones are not shown" in app.text

    play(LogApp(busy(5)), scenario)


def test_hostile_text_is_shown_and_does_nothing() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await filled(pilot, 1)
        assert "[b]東京␛[2J␊x" in app.text
        assert "[/red]␇ refused" in app.text
        await pilot.press("o")
        await until(pilot, lambda: app.title_shown == "Log · [b]東京␛[2J␊x · following")
        await pilot.press("r", "r")
        await until(pilot, lambda: len(app.toasts) == 2)
        assert app.toasts == ["r again replays [b]東京␛[2J␊x of 16:00:00.000", "replaying [b]東京␛[2J␊x: pending"]

    control = FakeControl()
    made = job(control, "[b]東京\x1b[2J\nx")
    control.happened(made, State.FAILED, http_status=None, error="[/red]\x07 refused")
    play(LogApp(control), scenario)


def test_an_empty_log_says_that_nothing_has_run() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = pilot.app
        assert isinstance(app, LogApp)
        await until(pilot, lambda: "nothing has run yet" in app.text)
        await pilot.press("enter", "r", "x", "y", "Y", "o", "j", "k", "g", "G", "n", "escape")
        app.clear_notifications()  # they would hide what the log says
        await pilot.press("t")
        await until(pilot, lambda: "nothing matches; Esc shows all" in app.text)
        await pilot.press("escape")
        await until(pilot, lambda: "nothing has run yet" in app.text)
        assert app.opened == []

    play(LogApp(FakeControl()), scenario)


class FloodControl(FakeControl):
    """5,000 executions came since the last poll, every time."""

    def log(self, query: LogQuery, cursor: LogCursor | None = None, *, again: object = ()) -> LogPage:
        self.called.append("log")
        first = len(self.called) * 5_000
        return log_page(*(log_row(first + n, fire_at=self.clock + first + n) for n in range(5_000)), left_out=20_000)


def test_five_thousand_a_poll_leave_it_usable_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui_scheduler.tui.widgets.log_pane.EVERY_S", 0.05)

    async def scenario(pilot: Pilot[Any]) -> None:
        app = pilot.app
        assert isinstance(app, LogApp)
        await until(pilot, lambda: len(app.control.called) > 4)
        assert len(app.view.model.lines) <= 10_000
        app.view.action_cursor_up()  # no key: that would wait until nothing more comes
        row = app.view.row_at_cursor
        line = app.view.cursor - app.view.visible_lines[0]
        polls = len(app.control.called)
        await until(pilot, lambda: len(app.control.called) > polls + 4)
        assert app.view.row_at_cursor == row
        assert app.view.cursor - app.view.visible_lines[0] == line
        assert len(app.view.model.lines) <= 10_000
        app.view.action_cursor_last()
        assert app.view.cursor == len(app.view.model.lines) - 1

    play(LogApp(FloodControl()), scenario)


# --- narrowing


@pytest.mark.parametrize(
    ("presses", "word", "states"),
    [
        (1, "failed", {State.FAILED, State.LOST}),
        (2, "skipped", {State.SKIPPED}),
        (3, "running", {State.PENDING, State.CLAIMED, State.RUNNING, State.RETRYING}),
        (4, "succeeded", {State.SUCCEEDED}),
        (5, "", set(State)),
    ],
)
def test_t_goes_through_the_states(presses: int, word: str, states: set[State]) -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await filled(pilot, 18)
        await pilot.press(*["t"] * presses)
        await filled(pilot, 2 * len(states))
        shown = {line.row.state for line in app.view.model.lines if hasattr(line, "row")}
        assert shown == states
        assert app.title_shown == f"Log · all jobs · {word} · following".replace("·  · ", "· ")

    play(LogApp(mixed()), scenario)


def test_w_goes_through_the_windows() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await filled(pilot, 5)
        for number, word in ((1, "last 1 min"), (2, "last 15 min"), (3, "last 1 h"), (4, "last 24 h")):
            await pilot.press("w")
            await filled(pilot, number)
            assert app.title_shown == f"Log · all jobs · {word} · following"
        await pilot.press("w")
        await filled(pilot, 5)

    control = FakeControl()
    made = job(control)
    for ago in (1, 120, 1_800, 7_200, 200_000):
        control.happened(made, ago=ago * SECOND)
    play(LogApp(control), scenario)


def test_a_window_moves_on() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await filled(pilot, 10)
        await pilot.press("w")
        await until(pilot, lambda: "last 1 min" in app.title_shown)
        app.control.clock += 55 * SECOND
        await filled(pilot, 6)

    play(LogApp(busy(10)), scenario)


def test_o_shows_only_the_job_of_the_line_and_all_again() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await filled(pilot, 18)
        assert "alpha" in app.text
        await pilot.press("o")
        await filled(pilot, 9)
        assert app.title_shown == "Log · beta · following"
        assert "alpha" not in app.text
        await pilot.press("o")
        await filled(pilot, 18)

    play(LogApp(mixed()), scenario)


def test_the_log_of_a_job_can_be_asked_for() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await filled(pilot, 18)
        alpha = next(iter(app.control.stored.values()))
        app.pane.show_job(alpha.id, "alpha")
        await filled(pilot, 9)
        assert app.title_shown == "Log · alpha · following"
        app.pane.show_job(None)
        await filled(pilot, 18)

    play(LogApp(mixed()), scenario)


def test_a_job_that_is_deleted_meanwhile_is_no_error() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await filled(pilot, 18)
        await pilot.press("o")
        await filled(pilot, 9)
        key, beta = list(app.control.stored.items())[1]
        app.control.stored[key] = replace(beta, state=JobState.DELETED)
        polls = len(app.control.called)
        await until(pilot, lambda: len(app.control.called) > polls + 2)
        assert app.toasts == []
        assert len(app.keys) == 9

    play(LogApp(mixed()), scenario)


def test_escape_widens_step_by_step() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await filled(pilot, 18)
        await pilot.press("o", "t", "w", "slash", "x", "enter")
        for title in ("beta · failed · last 1 min", "beta · last 1 min", "beta", "all jobs"):
            await pilot.press("escape")
            assert app.title_shown.startswith(f"Log · {title} · ")
        assert app.refused_to_go_back == 0
        await pilot.press("escape")
        assert app.refused_to_go_back == 1

    play(LogApp(mixed()), scenario)


def test_the_place_is_kept_when_filters_come_and_go() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await filled(pilot, 60)
        app.view.cursor = 30
        row = app.view.row_at_cursor
        assert row is not None
        await pilot.press("t")
        await filled(pilot, 20)
        assert app.view.row_at_cursor == row
        await pilot.press("escape")
        await filled(pilot, 60)
        assert app.view.row_at_cursor == row
        assert app.view.cursor in app.view.visible_lines

    control = FakeControl()
    made = job(control)
    for number in range(60):
        control.happened(made, State.SUCCEEDED if number % 3 else State.FAILED, ago=(60 - number) * SECOND)
    play(LogApp(control), scenario)


# --- searching


def searchable() -> FakeControl:
    control = FakeControl()
    for name in ("alpha", "beta"):
        job(control, name)
    for number in range(60):
        control.happened(list(control.stored.values())[number % 3 == 0], ago=(60 - number) * SECOND)
    return control


def test_search_counts_highlights_and_goes_from_match_to_match() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await filled(pilot, 60)
        await pilot.press("slash", *"BETA")
        await until(pilot, lambda: "20 found" in app.text)
        strip = app.view.render_line(57 - app.view.visible_lines[0])
        assert [segment.text for segment in strip if segment.style and segment.style.underline] == ["beta"]
        assert app.view.following, "typing moves nothing"
        await pilot.press("enter")
        await until(pilot, lambda: "20/20" in app.text)
        assert app.view.cursor == 57
        await pilot.press("N")
        await until(pilot, lambda: "19/20" in app.text)
        await pilot.press("n", "n")
        await until(pilot, lambda: "1/20" in app.text)
        assert app.view.cursor == 0
        assert "not following" in app.title_shown
        await pilot.press("escape")
        assert not app.pane.query_one(LogSearch).display
        assert not app.view.matches

    play(LogApp(searchable()), scenario)


def test_escape_in_the_search_line_closes_it() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await filled(pilot, 60)
        await pilot.press("slash", "b", "escape")
        await until(pilot, lambda: app.view.has_focus)
        assert not app.pane.query_one(LogSearch).display
        assert app.view.following
        assert app.refused_to_go_back == 0

    play(LogApp(searchable()), scenario)


def test_letters_are_text_while_the_search_has_the_focus() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await filled(pilot, 60)
        await pilot.press("slash", *"ftwrxo")
        assert app.pane.query_one(Input).value == "ftwrxo"
        assert app.title_shown == "Log · all jobs · following"
        await until(pilot, lambda: "0 found" in app.text)
        await pilot.press("enter", "n", "N")
        assert app.view.cursor == 59

    play(LogApp(searchable()), scenario)


def test_what_comes_later_is_searched_too() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await filled(pilot, 60)
        await pilot.press("slash", *"beta", "enter")
        runs(app.control, 2, of=list(app.control.stored.values())[1])
        await until(pilot, lambda: len(app.view.matches) == 22)

    play(LogApp(searchable()), scenario)


def test_n_without_a_search_opens_it() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await filled(pilot, 60)
        await pilot.press("n")
        await until(pilot, lambda: app.pane.query_one(Input).has_focus)

    play(LogApp(searchable()), scenario)


# --- on a line


def test_m_draws_a_line_that_stays() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await filled(pilot, 3)
        await pilot.press("m")
        await until(pilot, lambda: "── marked 16:00:00.000 ──" in app.text)
        assert app.view.following
        runs(app.control, 1)
        await filled(pilot, 5)
        lines = app.text.splitlines()
        rule = next(number for number, line in enumerate(lines) if "marked" in line)
        assert "succeeded" in lines[rule - 1]
        assert "succeeded" in lines[rule + 1]
        await pilot.press("k", "m")
        await filled(pilot, 4)

    play(LogApp(busy(3)), scenario)


def test_enter_opens_the_execution() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await filled(pilot, 3)
        await pilot.press("k", "enter")
        row = app.view.row_at_cursor
        assert row is not None
        await until(pilot, lambda: app.opened == [row.id])

    play(LogApp(busy(3)), scenario)


def test_two_clicks_open_the_execution() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await filled(pilot, 3)
        await pilot.click(app.view, offset=(5, 1), times=2)
        await until(pilot, lambda: app.opened)
        row = app.view.row_at_cursor
        assert row is not None
        assert row.key == 2
        assert app.opened == [row.id]
        assert not app.view.following

    play(LogApp(busy(3)), scenario)


@pytest.mark.parametrize(("key", "does"), [("r", "replays"), ("x", "cancels")])
def test_while_it_follows_the_first_press_holds_the_line_and_names_it(key: str, does: str) -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await filled(pilot, 3)
        meant = app.view.row_at_cursor
        await pilot.press(key)
        assert app.toasts == [f"{key} again {does} nightly report of 16:00:00.000"]
        assert not app.view.following
        runs(app.control, 5)
        await filled(pilot, 8)
        assert not {"replay", "cancel"} & set(app.control.called)
        await pilot.press(key)
        await until(pilot, lambda: {"replay", "cancel"} & set(app.control.called))
        assert meant is not None
        assert app.view.row_at_cursor is not None
        assert app.view.row_at_cursor.id == meant.id

    play(LogApp(busy(3)), scenario)


def test_while_the_view_is_held_the_first_press_acts() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await filled(pilot, 3)
        await pilot.press("p", "r")
        await until(pilot, lambda: app.toasts == ["replaying nightly report: pending"])

    play(LogApp(busy(3)), scenario)


def test_r_replays_what_has_ended() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await filled(pilot, 3)
        app.view.stop_following()
        await pilot.press("r")
        await filled(pilot, 4)
        assert app.toasts == ["replaying nightly report: pending"]
        assert [view.trigger for view in app.control.history.values()][-1] is Trigger.REPLAY
        assert "replay" in app.text
        await pilot.press("j", "r")
        await until(pilot, lambda: len(app.toasts) == 2)
        assert "once it has ended" in app.toasts[1]

    play(LogApp(busy(3)), scenario)


def test_x_cancels_what_has_not_ended() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await filled(pilot, 4)
        app.view.stop_following()
        await pilot.press("x")
        await until(pilot, lambda: "□ cancelled" in app.text)
        assert app.toasts == ["cancelled nightly report"]
        await pilot.press("k", "x")
        await until(pilot, lambda: len(app.toasts) == 2)
        assert app.toasts[1] == "there is nothing to cancel: the execution has ended (succeeded)"

    control = busy(3)
    control.happened(next(iter(control.stored.values())), State.RETRYING)
    play(LogApp(control), scenario)


def test_y_copies_the_line() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await filled(pilot, 3)
        await pilot.press("y")
        assert app.clipboard == "2026-11-23 16:00:00.000 UTC  succeeded  nightly report  200  12.3 ms  drift +900 µs"

    play(LogApp(busy(3)), scenario)


def test_a_copied_request_says_when_the_job_has_changed_since() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await filled(pilot, 3)
        await pilot.press("Y")
        said = "copied the request as curl, as the job is now, version 3; this ran version 1"
        await until(pilot, lambda: any(toast.startswith(said) for toast in app.toasts))

    control = busy(3)
    key, made = next(iter(control.stored.items()))
    control.stored[key] = replace(made, version=3)
    play(LogApp(control), scenario)


def test_shift_y_copies_the_request_as_curl() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await filled(pilot, 3)
        await pilot.press("Y")
        await until(pilot, lambda: app.clipboard.startswith("curl"))
        assert "http://127.0.0.1:3001/0" in app.clipboard
        key, made = next(iter(app.control.stored.items()))
        app.control.stored[key] = replace(made, state=JobState.DELETED)
        await pilot.press("Y")
        await until(pilot, lambda: any("no job with id" in toast for toast in app.toasts))

    play(LogApp(busy(3)), scenario)


@pytest.mark.parametrize("key", ["enter", "r", "x", "y", "Y"])
def test_a_line_without_an_execution_says_so(key: str) -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await filled(pilot, 3)
        await pilot.press("m", key)
        await until(pilot, lambda: app.toasts == ["there is no execution on this line"])

    play(LogApp(busy(3)), scenario)


# --- asking


def test_it_asks_one_at_a_time_and_names_what_may_still_change() -> None:
    asked: list[list[int]] = []

    class Watched(FakeControl):
        under_way = 0

        def log(self, query: LogQuery, cursor: LogCursor | None = None, *, again: Any = ()) -> LogPage:
            assert not self.under_way
            self.under_way += 1
            asked.append(list(again))
            page = super().log(query, cursor, again=again)
            self.under_way -= 1
            return page

    async def scenario(pilot: Pilot[Any]) -> None:
        await filled(pilot, 2)
        await until(pilot, lambda: len(asked) > 2)
        assert asked[0] == []
        assert asked[1] == [1]

    control = Watched()
    made = job(control)
    control.happened(made, State.RUNNING, ago=SECOND)
    control.happened(made)
    play(LogApp(control), scenario)


def test_what_is_there_stays_while_the_store_cannot_be_read() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await filled(pilot, 3)
        app.control.fails = StoreUnavailable("the database is locked", transient=True)
        await until(pilot, lambda: app.desk.stale)
        assert len(app.keys) == 3
        await pilot.press("k", "j", "t")
        assert "succeeded" in app.text
        assert app.toasts == []
        app.control.fails = None
        await pilot.press("t", "t", "t", "t")
        runs(app.control, 1)
        await filled(pilot, 4)
        assert app.desk.stale is None

    play(LogApp(busy(3)), scenario)


def test_it_asks_less_often_while_the_store_cannot_be_read() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await filled(pilot, 3)
        app.control.fails = StoreUnavailable("the database is locked", transient=True)
        polls = len(app.control.called)
        await until(pilot, lambda: len(app.control.called) > polls + 1)
        assert app.pane._wait >= 1.0

    play(LogApp(busy(3)), scenario)


def test_nobody_asks_while_nobody_looks() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await filled(pilot, 3)
        app.pane.display = False
        await until(pilot, lambda: not any(worker.group == "log" for worker in app.workers))
        app.control.called.clear()
        app.pane.show_job(None)
        app.pane.action_states()
        for _ in range(3):
            last = app.pane._timer
            await until(pilot, lambda last=last: app.pane._timer is not last)  # type: ignore[misc]
        assert app.control.called == []
        app.pane.display = True
        await until(pilot, lambda: app.control.called)

    play(LogApp(busy(3)), scenario)


# --- sizes


def test_the_scrollbar_is_where_the_lines_are() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await filled(pilot, 100)
        await until(pilot, lambda: app.view.vertical_scrollbar.position == app.view.max_scroll_y > 0)
        app.view.show_vertical_scrollbar = False
        await pilot.press("g")
        app.view.show_vertical_scrollbar = True
        assert app.view.vertical_scrollbar.position == 0

    play(LogApp(busy()), scenario)


def test_where_there_is_only_a_line_above_all_is_in_it() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await filled(pilot, 100)
        app.pane.styles.border = ("none", "white")
        app.pane.styles.border_top = ("heavy", "white")
        await until(pilot, lambda: app.title_shown == "Log · all jobs · following · times in UTC")
        await until(pilot, lambda: "Log · all jobs · following · times in UTC" in app.text)
        await pilot.press("k")
        assert app.title_shown == "Log · all jobs · not following · times in UTC"

    play(LogApp(busy()), scenario, size=NARROW)


def test_without_a_border_a_line_says_what_is_on_show() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await filled(pilot, 100)
        await pilot.press("k")
        await until(pilot, lambda: app.text.startswith("Log · all jobs · not following"))
        assert app.text.splitlines()[0].rstrip().endswith("times in JST")
        assert "01:00:00.000 ✓ succeeded" in app.text
        assert max(len(line) for line in app.text.splitlines()) == 80

    zone = timezone(timedelta(hours=9), "JST")
    play(LogApp(busy(), border=False, zone=zone), scenario, size=NARROW)


def test_it_says_that_it_looks_before_the_first_answer() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = pilot.app
        assert isinstance(app, LogApp)
        await until(pilot, lambda: "looking …" in app.text)
        app.desk.open(app.control)
        await filled(pilot, 3)

    play(LogApp(busy(3), is_open=False), scenario)
