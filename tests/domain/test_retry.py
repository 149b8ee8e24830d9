from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_scheduler.domain.retry import SECOND, RetryPolicy


@pytest.mark.parametrize(
    ("attempt", "ceiling"), [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (8, 60), (100, 60), (5_000, 60)]
)
def test_the_ceiling_doubles_up_to_the_cap(attempt: int, ceiling: int) -> None:
    assert RetryPolicy().ceiling(attempt) == ceiling * SECOND


def test_a_factor_of_one_keeps_the_ceiling() -> None:
    policy = RetryPolicy(base=3 * SECOND, factor=1.0)
    assert {policy.ceiling(attempt) for attempt in range(1, 200)} == {3 * SECOND}


def test_a_growth_beyond_all_numbers_is_the_cap() -> None:
    assert RetryPolicy(factor=100.0).ceiling(10_000) == RetryPolicy().cap


@given(st.integers(1, 1_000), st.floats(0, 1, exclude_max=True))
def test_the_wait_lies_between_nothing_and_the_ceiling(attempt: int, draw: float) -> None:
    policy = RetryPolicy()
    assert 0 <= policy.wait(attempt, draw) <= policy.ceiling(attempt)


def test_the_whole_of_the_ceiling_is_drawn_from() -> None:
    assert RetryPolicy().wait(3, 0.0) == 0
    assert RetryPolicy().wait(3, 0.5) == 2 * SECOND


def test_attempts_are_counted_with_the_first() -> None:
    assert [RetryPolicy(max_attempts=3).allows(attempt) for attempt in (1, 2, 3, 4)] == [True, True, False, False]
    assert not RetryPolicy(max_attempts=1).allows(1)


@pytest.mark.parametrize(
    ("status", "again"),
    [
        (500, True),
        (502, True),
        (503, True),
        (599, True),
        (408, True),
        (425, True),
        (429, True),
        (400, False),
        (401, False),
        (404, False),
        (410, False),
        (304, False),
        (200, False),
    ],
)
def test_by_default_what_speaks_of_the_moment_is_asked_again(status: int, again: bool) -> None:
    assert RetryPolicy().retries_status(status) is again


def test_a_choice_of_statuses_replaces_the_default() -> None:
    policy = RetryPolicy(statuses=frozenset({404}))
    assert policy.retries_status(404)
    assert not policy.retries_status(503)
