"""A bounded log that pages are merged into."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.tui.fake import NOW, SECOND
from tests.tui.log_rows import log_page, log_row
from tui_scheduler.control.views import LogRow
from tui_scheduler.domain.execution import State
from tui_scheduler.tui.log_model import Gap, Line, LogModel, Older, Rule, Shown


def rows(*keys: int) -> list[LogRow]:
    return [log_row(key, fire_at=NOW + key) for key in keys]


def told(model: LogModel) -> list[int | str]:
    """Keys of executions, `+n` for gaps, `--` for rules, `...` where there are older ones."""
    return [_told(line) for line in model.lines]


def _told(line: Line) -> int | str:
    match line:
        case Shown(row):
            return row.key
        case Gap(number):
            return f"+{number}"
        case Older():
            return "..."
        case Rule():
            return "--"


def filled(*keys: int, most: int = 10_000) -> LogModel:
    model = LogModel(most)
    model.replace(log_page(*rows(*keys)))
    return model


def state_of(model: LogModel, key: int) -> State:
    shown = model.find(key)
    assert shown is not None
    return shown.row.state


def test_new_ones_come_at_the_end_and_known_ones_are_not_repeated() -> None:
    model = filled(1, 2)
    assert model.merge(log_page(*rows(1, 2, 3, 4)))
    assert told(model) == [1, 2, 3, 4]
    assert not model.merge(log_page(*rows(1, 2, 3, 4)))


def test_a_known_one_changes_where_it_is() -> None:
    model = filled()
    model.merge(log_page(log_row(1, State.RUNNING), log_row(2)))
    assert model.merge(log_page(log_row(1)))
    assert told(model) == [1, 2]
    assert state_of(model, 1) is State.SUCCEEDED


@pytest.mark.parametrize(
    ("known", "came", "stays"),
    [
        (log_row(1), log_row(1, State.RUNNING), State.SUCCEEDED),
        (log_row(1, State.RUNNING, claim_no=2), log_row(1, State.FAILED, claim_no=1), State.RUNNING),
        (log_row(1, State.RETRYING), log_row(1, State.CLAIMED, claim_no=2), State.CLAIMED),
        (log_row(1, State.RUNNING), log_row(1, State.PENDING), State.PENDING),
    ],
)
def test_an_answer_that_was_overtaken_is_no_news(known: LogRow, came: LogRow, stays: State) -> None:
    model = LogModel()
    model.merge(log_page(known))
    model.merge(log_page(came))
    assert state_of(model, 1) is stays


def test_unfinished_ones_are_to_be_asked_for_again() -> None:
    model = LogModel()
    model.merge(log_page(log_row(1, State.RUNNING), log_row(2), log_row(3, State.RETRYING)))
    assert model.unfinished == [3, 1]
    model.merge(log_page(log_row(1)))
    assert model.unfinished == [3]


def test_no_more_are_asked_for_again_than_a_poll_can_tell() -> None:
    model = LogModel()
    model.merge(log_page(*(log_row(key, State.PENDING) for key in range(2_000))))
    assert model.unfinished == list(range(1_999, 1_499, -1))


def test_it_never_has_more_lines_than_it_may() -> None:
    model = filled(*range(10), most=10)
    model.merge(log_page(*rows(10, 11, 12)))
    assert told(model) == list(range(3, 13))
    model.merge(log_page(*rows(*range(20, 50))))
    assert told(model) == list(range(40, 50))
    assert model.find(3) is None


def test_what_was_left_out_is_shown_where_it_is_missing() -> None:
    model = filled(1, 2)
    model.merge(log_page(*rows(100, 101), left_out=97))
    assert told(model) == [1, 2, "+97", 100, 101]
    assert model.left_out == 97


def test_what_was_left_out_of_the_first_page_is_shown_before_it() -> None:
    model = LogModel()
    model.replace(log_page(*rows(5, 6), left_out=4))
    assert told(model) == ["+4", 5, 6]


def test_gaps_beside_each_other_are_one() -> None:
    model = LogModel()
    model.replace(log_page(left_out=3))
    assert not model.left_out_at_least
    model.merge(log_page(*rows(9), left_out=4, has_more=True))
    assert told(model) == ["+7", 9]
    assert model.left_out_at_least


def test_older_ones_that_are_not_shown_are_told_of_above_the_first() -> None:
    model = LogModel(3)
    model.replace(log_page(*rows(5, 6), has_older=True))
    assert told(model) == ["...", 5, 6]
    model.merge(log_page(*rows(7, 8)))
    assert told(model) == [6, 7, 8]


def test_of_an_empty_page_they_are_told_of_elsewhere() -> None:
    model = LogModel()
    model.replace(log_page(has_older=True))
    assert (told(model), model.has_older) == ([], True)


def test_they_are_told_of_until_the_first_that_is_shown_goes() -> None:
    model = LogModel()
    page = [log_row(key, fire_at=NOW + key * SECOND) for key in range(3)]
    model.replace(log_page(*page, has_older=True))
    assert not model.forget_before(NOW)
    assert told(model) == ["...", 0, 1, 2]
    assert model.forget_before(NOW + SECOND)
    assert told(model) == [1, 2]


def test_while_held_nothing_changes_and_all_is_kept() -> None:
    model = LogModel()
    model.replace(log_page(log_row(1, State.RUNNING, fire_at=NOW)))
    model.held = True
    assert not model.merge(log_page(log_row(1, fire_at=NOW), *rows(2, 3)))
    model.merge(log_page(*rows(3, 4)))
    assert told(model) == [1]
    assert state_of(model, 1) is State.RUNNING
    assert model.fresh == 3
    model.release()
    assert told(model) == [1, 2, 3, 4]
    assert state_of(model, 1) is State.SUCCEEDED


def test_while_held_it_is_bounded_too_and_says_what_is_missing() -> None:
    model = filled(1, 2, 3, most=8)
    model.held = True
    for first in range(10, 30, 5):
        model.merge(log_page(*rows(*range(first, first + 5))))
    assert model.fresh == 20
    model.release()
    assert told(model) == list(range(22, 30))
    assert len(model.lines) <= 8


def test_what_is_being_read_is_not_pushed_out() -> None:
    model = filled(*range(10), most=10)
    model.merge(log_page(*rows(10, 11, 12)), may_go=1)
    assert told(model) == list(range(1, 11))
    model.merge(log_page(*rows(13)), may_go=0)
    assert told(model) == list(range(1, 11)), "and it stays in order"
    model.merge(log_page(replace(log_row(11), error="late")), may_go=0)
    assert model.fresh == 4
    model.release()
    assert told(model) == list(range(4, 14))


def test_what_has_waited_comes_before_what_is_new() -> None:
    model = filled(*range(10), most=10)
    model.merge(log_page(*rows(10)), may_go=0)
    model.merge(log_page(*rows(11)))
    assert told(model) == list(range(2, 12))


def test_one_that_leaves_the_states_on_show_leaves_the_log() -> None:
    model = LogModel()
    model.states = frozenset({State.RUNNING})
    model.replace(log_page(log_row(1, State.RUNNING), log_row(2, State.RUNNING)))
    model.merge(log_page(log_row(1), log_row(3), log_row(4, State.RUNNING)))
    assert told(model) == [2, 4]
    assert model.unfinished == [4, 2]


def test_the_beginning_is_let_go_of_when_it_is_too_old() -> None:
    model = LogModel()
    model.replace(
        log_page(*(log_row(key, fire_at=NOW + key * SECOND) for key in range(5)), left_out=7),
    )
    assert model.forget_before(NOW + 2 * SECOND)
    assert told(model) == [2, 3, 4]
    assert not model.forget_before(NOW + 2 * SECOND)
    assert model.forget_before(NOW + 60 * SECOND)
    assert told(model) == []


def test_what_has_not_ended_is_never_too_old() -> None:
    model = LogModel()
    model.replace(log_page(log_row(1, State.RUNNING)))
    assert not model.forget_before(NOW + 60 * SECOND)


def test_a_rule_stays_where_it_was_drawn() -> None:
    model = filled(1, 2, 3)
    assert model.draw_rule(1, NOW) == 2
    assert told(model) == [1, 2, "--", 3]
    model.merge(log_page(*rows(4)))
    assert told(model) == [1, 2, "--", 3, 4]
    model.replace(log_page(*rows(1, 3, 4)))
    assert told(model) == [1, "--", 3, 4]
    model.replace(log_page(*rows(3, 4)))
    assert told(model) == [3, 4], "what it stood below is not there"
    model.replace(log_page(*rows(1, 2, 3, 4)))
    assert told(model) == [1, 2, "--", 3, 4]


def test_a_rule_is_taken_away_again() -> None:
    model = filled(1, 2)
    place = model.draw_rule(1, NOW)
    assert model.draw_rule(place, NOW) == 1
    assert told(model) == [1, 2]
    model.replace(log_page(*rows(1, 2)))
    assert told(model) == [1, 2]


def test_rules_can_be_drawn_in_an_empty_log() -> None:
    model = LogModel()
    assert model.draw_rule(0, NOW) == 0
    assert isinstance(model.lines[0], Rule)
    model.merge(log_page(log_row(1, fire_at=NOW + 1)))
    assert told(model) == ["--", 1]


def test_places_are_found_again() -> None:
    model = filled(1, 2, 3)
    line = model.lines[1]
    model.merge(log_page(*rows(4)))
    assert model.index_of(line) == 1
    assert model.index_of(model.find(9)) is None
    assert model.index_of(Gap(1)) is None
    assert model.nearest(log_row(9, fire_at=NOW + 2)) == 1
    assert model.nearest(log_row(0, fire_at=NOW - 9)) == 0


def test_five_thousand_a_poll_stay_within_bounds() -> None:
    model = LogModel(10_000)
    for poll in range(6):
        model.merge(log_page(*(log_row(poll * 5_000 + n, State.RUNNING) for n in range(5_000))))
    assert len(model.lines) == 10_000
    assert model.lines[-1] is model.find(29_999)
    assert len(model.unfinished) == 500
