"""Limits of queues, and the sliding window that a rate is counted in."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_scheduler.domain.errors import Invalid
from tui_scheduler.domain.queues import (
    MOST,
    Limits,
    Rate,
    Rules,
    check_limits,
    check_queue_name,
    parse_rate,
    tightened,
)
from tui_scheduler.domain.retry import SECOND
from tui_scheduler.domain.windows import Once, Window


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("10/s", Rate(10, SECOND)),
        ("100/1m", Rate(100, 60 * SECOND)),
        ("5000 / 1h", Rate(5_000, 3_600 * SECOND)),
        ("7/90s", Rate(7, 90 * SECOND)),
        ("1/1d", Rate(1, 86_400 * SECOND)),
    ],
)
def test_a_rate_is_a_number_and_a_period(text: str, rate: Rate) -> None:
    assert parse_rate(text) == rate
    assert parse_rate(str(rate)) == rate


@pytest.mark.parametrize("text", ["", "10", "10/", "/s", "0/s", "-1/s", "10/x", "10/100ms", "10/8d", "1/s/s"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_rate(text)
    assert refused.value.field == "rate"


@pytest.mark.parametrize("limits", [Limits(0), Limits(-1), Limits(MOST + 1), Limits(rate=Rate(0, SECOND))])
def test_limits_that_allow_nothing_are_refused(limits: Limits) -> None:
    with pytest.raises(Invalid, match="pausing the queue"):
        check_limits(limits)


def test_a_queue_has_a_name() -> None:
    check_queue_name("a.b-c_1")
    for name in ("", " a", "-a", "a b", "x" * 65, "a/b"):
        with pytest.raises(Invalid):
            check_queue_name(name)


@pytest.mark.parametrize(
    ("limits", "in_flight", "sent", "room"),
    [
        (Limits(3), 1, 0, 2),
        (Limits(3), 3, 0, 0),
        (Limits(rate=Rate(10, SECOND)), 0, 4, 6),
        (Limits(3, Rate(10, SECOND)), 0, 9, 1),
        (Limits(3, paused=True), 0, 0, 0),
    ],
)
def test_the_room_is_what_the_tightest_limit_leaves(limits: Limits, in_flight: int, sent: int, room: int) -> None:
    assert limits.room(in_flight, sent) == room


claims = st.lists(st.tuples(st.integers(0, 400_000), st.integers(1, 9)), min_size=1, max_size=200)


@given(claims, st.integers(1, 8), st.sampled_from([SECOND, 7 * SECOND // 2, 60 * SECOND]), st.integers(0, 10**9))
def test_no_period_has_more_sends_than_the_rate_however_claims_fall(
    waits: list[tuple[int, int]], count: int, period: int, start: int
) -> None:
    rate, buckets, sent = Rate(count, period), Counter[int](), []
    now = start
    for wait, wanted in waits:
        now += wait
        used = sum(n for until, n in buckets.items() if rate.counts_from(now) < until <= rate.counts_to(now))
        taken = min(wanted, max(Limits(rate=rate).room(0, used), 0))
        buckets[rate.bucket_end(now)] += taken
        sent += [now] * taken
    for first in range(len(sent) - count):
        assert sent[first + count] - sent[first] >= period


def test_a_full_bucket_is_free_again_a_little_after_its_period() -> None:
    rate = Rate(10, SECOND)
    until = rate.bucket_end(0)
    free_at = next(now for now in range(0, 2 * SECOND, 1_000) if not rate.counts_from(now) < until)
    assert SECOND < free_at <= SECOND * 1.07


def test_what_was_sent_before_the_clock_was_set_back_does_not_block_for_long() -> None:
    rate = Rate(10, SECOND)
    assert rate.bucket_end(3_600 * SECOND) > rate.counts_to(0)


def test_a_window_holds_before_its_queue_does_and_never_what_is_run_by_hand() -> None:
    rules = Rules(1, {"a": 7}, {7: Limits(1)}, (Window(3, "a", Once(10, 20)), Window(4, None, Once(30, 40))))
    assert [rules.gate_of("a", at) for at in (9, 10, 20, 30)] == [7, -3, 7, -4]
    assert [rules.gate_of("b", at) for at in (9, 10, 20, 30)] == [None, None, None, -4]
    assert rules.gate_of("a", 10, by_hand=True) == 7
    assert rules.open_gates(9) == [7, -3, -4]
    assert rules.open_gates(10) == [7, -4]


def test_only_new_limits_and_new_pauses_take_back_what_is_claimed() -> None:
    def rules(**limits: Limits) -> Rules:
        keys = {name: key for key, name in enumerate(limits, start=1)}
        return Rules(1, keys, {keys[name]: limits[name] for name in limits})

    assert tightened(Rules(), rules(a=Limits(1))) == {"a"}
    assert tightened(rules(a=Limits(1)), rules(a=Limits(2))) == set()
    assert tightened(rules(a=Limits(1)), rules(a=Limits(1, paused=True))) == {"a"}
    assert tightened(rules(a=Limits(1)), Rules()) == set()
