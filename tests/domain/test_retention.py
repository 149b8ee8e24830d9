"""How much is removed at once, when, and which jobs are looked at."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_scheduler.domain.retention import (
    BEHIND_AFTER,
    HERD,
    LARGEST,
    LONG,
    SHORT,
    SMALLEST,
    is_looked_at,
    next_batch,
    rest_after,
    until_quiet,
)
from tui_scheduler.domain.retry import SECOND


@given(st.integers(0, 10**16))
def test_nothing_is_begun_around_a_full_second(now: int) -> None:
    begins = now + until_quiet(now)
    assert HERD <= begins % SECOND < SECOND
    assert begins - now < HERD + 20_001
    assert until_quiet(begins) == 0


@pytest.mark.parametrize("cost", [2, 10, 40, 70])
def test_batches_come_to_take_what_they_may_and_more_when_they_do_not_keep_up(cost: int) -> None:
    for since, wanted in ((0, SHORT), (BEHIND_AFTER + 1, LONG)):
        batch = 500
        for _ in range(20):
            batch = next_batch(batch, batch * cost, since)
        assert SMALLEST <= batch <= LARGEST
        assert batch in {SMALLEST, LARGEST} or abs(batch * cost - wanted) <= cost


@given(st.integers(SMALLEST, LARGEST), st.integers(0, 10**7))
def test_one_that_met_a_busy_disk_does_not_shrink_the_next_to_nothing(batch: int, took: int) -> None:
    assert min(max(batch // 2, SMALLEST), batch) <= next_batch(batch, took, 0) <= LARGEST


def test_the_store_is_three_quarters_everybody_elses() -> None:
    assert rest_after(5_000) == 15_000


@given(st.integers(1, 1_000), st.integers(1, 19), st.floats(0, 1, exclude_max=True))
def test_of_few_rows_every_new_one_counts(new: int, keep: int, draw: float) -> None:
    assert is_looked_at(new, keep, draw)


def test_of_many_a_look_comes_once_a_tenth_of_them_on_average() -> None:
    keep, draws = 10_000, [number / 10_000 for number in range(10_000)]
    once = sum(is_looked_at(1, keep, draw) for draw in draws) / len(draws)
    assert once == pytest.approx(1 / 1_000)
    assert sum(is_looked_at(5_000, keep, draw) for draw in draws) / len(draws) > 0.99
    assert not any(is_looked_at(0, keep, draw) for draw in draws if draw < 1)
