"""When a worker that has died is started again."""

from __future__ import annotations

import pytest

from tui_scheduler.domain.restarts import LONGEST_PAUSE_S, STEADY_S, Deaths


def test_the_first_death_costs_no_pause_and_the_next_ones_growing_ones() -> None:
    deaths, pauses = Deaths(), []
    for _ in range(8):
        deaths = deaths.after(0.1)
        pauses.append(deaths.pause_s)
    assert pauses == [0, 0.5, 1, 2, 4, 8, 10, 10]


def test_a_long_life_is_no_failed_start() -> None:
    assert Deaths(7).after(STEADY_S) == Deaths(1)
    assert Deaths(7).after(STEADY_S - 1) == Deaths(8)


@pytest.mark.parametrize("number", [100, 100_000])
def test_the_pause_has_an_end(number: int) -> None:
    assert Deaths(number).pause_s == LONGEST_PAUSE_S
