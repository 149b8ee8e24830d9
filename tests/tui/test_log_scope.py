"""Which executions the log shows, and how that reads."""

from __future__ import annotations

import pytest

from tests.tui.fake import NOW, SECOND
from tui_scheduler.control.views import LogQuery
from tui_scheduler.domain.execution import State
from tui_scheduler.tui.log_scope import (
    NEWEST,
    NEWEST_OF_JOB,
    STATES,
    WINDOWS,
    Badge,
    Scope,
    nothing_there,
    title,
    title_line,
)

FOLLOWING = Badge(following=True, held=False, fresh=0)


@pytest.mark.parametrize(
    ("scope", "badge", "said"),
    [
        (Scope(), FOLLOWING, "Log · all jobs · following"),
        (Scope(states=1, window=2), FOLLOWING, "Log · all jobs · failed · last 15 min · following"),
        (Scope("id", "nightly"), Badge(True, True, 132), "Log · nightly · paused · 132 new"),
        (Scope("id"), Badge(False, False, 0), "Log · one job · not following"),
        (Scope("id", "a\x1bb"), Badge(False, False, 5_000), "Log · a␛b · not following · 5,000 new"),
    ],
)
def test_the_title_says_what_is_on_show(scope: Scope, badge: Badge, said: str) -> None:
    assert title(scope, badge, 70) == said


def test_the_name_of_the_job_gives_way_and_the_badge_does_not() -> None:
    said = title(Scope("id", "a name that goes on and on and on", states=1), Badge(False, False, 132), 60)
    assert said == "Log · a name that goes o… · failed · not following · 132 new"
    assert len(said) <= 60


@pytest.mark.parametrize(
    ("right", "line"),
    [("times in UTC", "Log        times in UTC"), ("4,512 not shown · times in UTC", "Log  4,512 not shown ·…")],
)
def test_where_there_is_no_border_one_line_says_both(right: str, line: str) -> None:
    assert title_line("Log", right, 23) == line


def test_states_and_windows_go_round() -> None:
    scope = Scope()
    words = []
    for _ in STATES:
        scope = scope.next_states()
        words.append(STATES[scope.states].word)
    assert words == ["failed", "skipped", "running", "succeeded", ""]
    words = []
    for _ in WINDOWS:
        scope = scope.next_window()
        words.append(WINDOWS[scope.window].word)
    assert words == ["last 1 min", "last 15 min", "last 1 h", "last 24 h", ""]
    assert scope == Scope()


def test_what_is_asked_for() -> None:
    scope = Scope("id", "nightly", states=1, window=1)
    assert scope.query(NOW, 500) == LogQuery("id", frozenset({State.FAILED, State.LOST}), NOW - 60 * SECOND, 500)
    assert Scope().query(NOW, 10) == LogQuery(limit=10)


def test_it_is_widened_step_by_step() -> None:
    scope = Scope("id", "nightly", states=1, window=1)
    scope = scope.widened()
    assert (scope.states, scope.window, scope.job_id) == (0, 1, "id")
    scope = scope.widened()
    assert (scope.window, scope.job_id) == (0, "id")
    assert scope.widened() == Scope()
    assert not scope.widened().is_narrowed


def test_where_not_all_was_looked_at_an_empty_log_says_how_much() -> None:
    said = nothing_there(Scope(states=2), searched=True, has_older=True)
    assert said == "nothing matches among the newest 20,000; Esc shows all"
    said = nothing_there(Scope("id", states=2), searched=True, has_older=True)
    assert said == "nothing matches among the newest 2,000; Esc shows all"


def test_how_far_it_looks_is_what_the_store_does() -> None:
    from tui_scheduler.store.tail import IN_STATE_STRETCH, JOB_STRETCH

    assert (f"{IN_STATE_STRETCH:,}", f"{JOB_STRETCH:,}") == (NEWEST, NEWEST_OF_JOB)


@pytest.mark.parametrize(
    ("scope", "searched", "said"),
    [
        (Scope(), True, "nothing has run yet"),
        (Scope(states=1), True, "nothing matches; Esc shows all"),
        (Scope(), False, "looking …"),
    ],
)
def test_an_empty_log_says_why(scope: Scope, searched: bool, said: str) -> None:
    assert nothing_there(scope, searched=searched) == said
