"""A node is judged by its counter standing still on the observer's own clock, and only by one that can write itself."""

from __future__ import annotations

import pytest

from tui_scheduler.domain.liveness import Sighting, is_stale, sight

PATIENCE = 15.0


def test_a_node_is_first_seen_now() -> None:
    assert sight({}, [(1, 7)], now=100.0, own_beats=3) == {1: Sighting(7, 100.0, 3)}


def test_a_counter_that_stands_still_keeps_the_moment_it_was_first_seen_at() -> None:
    seen = sight({}, [(1, 7)], now=100.0, own_beats=3)
    assert sight(seen, [(1, 7)], now=110.0, own_beats=13) == seen


@pytest.mark.parametrize("heartbeat", [8, 6])
def test_a_counter_that_moved_in_any_direction_is_a_sign_of_life(heartbeat: int) -> None:
    seen = sight({}, [(1, 7)], now=100.0, own_beats=3)
    assert sight(seen, [(1, heartbeat)], now=110.0, own_beats=13) == {1: Sighting(heartbeat, 110.0, 13)}


def test_a_node_that_is_no_longer_there_is_forgotten() -> None:
    seen = sight({}, [(1, 7), (2, 1)], now=100.0, own_beats=3)
    assert sight(seen, [(2, 1)], now=101.0, own_beats=4) == {2: Sighting(1, 100.0, 3)}


def test_what_was_seen_before_is_left_as_it_was() -> None:
    seen = sight({}, [(1, 7)], now=100.0, own_beats=3)
    sight(seen, [(1, 8)], now=101.0, own_beats=4)
    assert seen == {1: Sighting(7, 100.0, 3)}


@pytest.mark.parametrize(
    ("seconds", "own_beats", "stale"),
    [
        (0.0, 100, False),
        (14.999, 100, False),
        (15.0, 2, True),
        (15.0, 1, False),  # the observer could hardly write itself
        (1e6, 0, False),
        (1e6, 2, True),
    ],
)
def test_a_node_is_stale_after_the_patience_and_two_beats_of_the_observer(
    seconds: float, own_beats: int, stale: bool
) -> None:
    seen = Sighting(7, since=50.0, own_beats=10)
    assert is_stale(seen, 50.0 + seconds, 10 + own_beats, PATIENCE) is stale


@pytest.mark.parametrize(("own_return", "stale"), [(0.0, True), (55.0, True), (55.001, False), (70.0, False)])
def test_silence_counts_from_the_observers_own_return(own_return: float, stale: bool) -> None:
    assert is_stale(Sighting(7, since=50.0, own_beats=10), 70.0, 20, PATIENCE, own_return) is stale
