"""Firings a second from totals, and the word that says whether all is well."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.tui.fake import NOW, SECOND, FakeControl
from tui_scheduler.control.views import Metrics, NodeView
from tui_scheduler.tui.vitals import WINDOW, Firings, badge, next_wait, per_second

NOTHING = FakeControl().counts


def node(name: str, fired: float, heartbeat: int, started: int = NOW - 1000 * SECOND) -> NodeView:
    return NodeView(name, "host", 1, "1", "running", started, heartbeat, {"fired": fired})


def told(*nodes: NodeView) -> Metrics:
    return replace(NOTHING, fired=int(sum(n.counters["fired"] for n in nodes)), nodes=nodes)


def at(second: float) -> int:
    return NOW + int(second * SECOND)


def test_one_answer_is_not_a_rate() -> None:
    firings = Firings()
    assert firings.rate(NOW) is None
    firings.see(told(node("a", 5000, NOW)), NOW)
    assert firings.rate(NOW) is None
    assert firings.rates(NOW, 20) == []


def test_what_was_fired_before_we_looked_is_not_counted() -> None:
    firings = Firings()
    for second in range(11):
        firings.see(told(node("a", 1_000_000 + 10 * second, at(second))), at(second))
    assert firings.rate(at(10)) == pytest.approx(10)


def test_asking_out_of_step_with_the_nodes_makes_no_teeth() -> None:
    firings = Firings()
    now = 0.0
    while now < 70:  # asked every 0.7 s; the node tells once a second
        now += 0.7
        firings.see(told(node("a", 10 * int(now), at(int(now)))), at(now))
    rates = firings.rates(at(now), 20)
    assert len(rates) == 20
    assert min(rates[1:-1]) > 6
    assert max(rates[1:-1]) < 14


def test_what_fired_while_nobody_answered_is_spread_over_that_time() -> None:
    firings = Firings()
    for second in (0, 1, 31, 32):
        firings.see(told(node("a", 10 * second, at(second))), at(second))
    assert firings.rates(at(32), 60) == pytest.approx([10] * 32)


def test_nodes_are_added_up_and_one_that_leaves_takes_nothing_back() -> None:
    firings = Firings()
    for second in range(6):
        firings.see(told(node("a", 10 * second, at(second)), node("b", 500 + 5 * second, at(second))), at(second))
    assert firings.rate(at(5)) == pytest.approx(15)
    for second in range(6, 12):
        firings.see(told(node("a", 10 * second, at(second))), at(second))
    assert firings.rate(at(11)) == pytest.approx(10)


def test_a_node_that_starts_again_counts_from_zero() -> None:
    firings = Firings()
    for second in range(6):
        firings.see(told(node("a", 9000 + 10 * second, at(second))), at(second))
    for second in range(7, 15):
        fresh = node("b", 10 * (second - 6), at(second), started=at(6))
        firings.see(told(fresh), at(second))
    assert firings.rate(at(14)) == pytest.approx(10)
    assert max(firings.rates(at(14), 20)) == pytest.approx(10)


def test_a_node_that_was_there_all_the_time_but_not_seen_makes_no_peak() -> None:
    firings = Firings()
    firings.see(told(node("a", 0, at(0))), at(0))
    firings.see(told(node("a", 0, at(1)), node("b", 100_000, at(1))), at(1))
    firings.see(told(node("a", 0, at(2)), node("b", 100_000, at(2))), at(2))
    assert firings.rate(at(2)) == 0


def test_totals_without_nodes_do_and_one_that_goes_down_begins_at_zero() -> None:
    firings = Firings()
    for second, fired in enumerate([100, 110, 120, 5, 15]):
        firings.see(replace(NOTHING, fired=fired), at(second))
    assert firings.rate(at(4)) == pytest.approx((10 + 10 + 5 + 10) / 4)


def test_silence_becomes_nothing_fired() -> None:
    firings = Firings()
    for second in range(6):
        firings.see(told(node("a", 10 * second, at(second))), at(second))
    for second in range(6, 30):
        firings.see(told(node("a", 50, at(5))), at(second))
    assert firings.rate(at(29)) == 0


def test_bars_keep_their_height_while_they_move() -> None:
    firings = Firings()
    fired = 0
    before: list[float] = []
    for second in range(200):
        fired += 7 * (second % 13)
        firings.see(told(node("a", fired, at(second))), at(second))
        bars = firings.rates(at(second), 20)
        if second >= 120 and second % 3 == 1:
            if before:
                assert bars[:-2] == pytest.approx(before[1:-1])
            before = bars


def test_a_clock_set_back_begins_anew() -> None:
    firings = Firings()
    for second in (100, 101, 50, 51):
        firings.see(told(node("a", 10 * second, at(second))), at(second))
    assert firings.rate(at(51)) == pytest.approx(10)


def test_only_the_window_is_kept() -> None:
    firings = Firings()
    for second in range(1000):
        firings.see(told(node("a", second, at(second))), at(second))
    assert len(firings.rates(at(999), 20)) == 20
    assert len(firings._stretches) <= 2 * WINDOW // SECOND + 1


@pytest.mark.parametrize(
    ("rate", "text"),
    [(None, "-/s"), (0.0, "0/s"), (0.44, "0.4/s"), (12.5, "12.5/s"), (234.4, "234/s"), (12_345.6, "12,346/s")],
)
def test_rates_are_short(rate: float | None, text: str) -> None:
    assert per_second(rate) == text


@pytest.mark.parametrize(
    ("opened", "stale", "trouble", "reasons", "text"),
    [
        (False, None, None, (), "○ opening…"),
        (True, None, None, (), "● live"),
        (True, "the disk is full", None, ("late",), "▲ STALE: the disk is full"),
        (True, "the disk is full", "it burst", (), "× ENGINE DEAD: it burst"),
        (True, None, None, ("no node runs",), "▲ TROUBLE: no node runs"),
        (True, None, None, ("no node runs", "late"), "▲ TROUBLE: no node runs (+1)"),
    ],
)
def test_the_worst_comes_first(
    opened: bool, stale: str | None, trouble: str | None, reasons: tuple[str, ...], text: str
) -> None:
    assert badge(opened=opened, stale=stale, trouble=trouble, reasons=reasons).text == text


def test_who_does_not_answer_is_asked_less_and_less_often() -> None:
    assert [next_wait(failures) for failures in range(6)] == [1, 2, 4, 8, 15, 15]
