"""What the scenarios are about, read from a log made by hand."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from benchmarks.arrivals import Arrival
from benchmarks.asking import Asked
from benchmarks.findings import Seen, findings
from benchmarks.offers import Timetable
from benchmarks.scenarios import SECOND, Window, parse

START = 1_800_000_000 * SECOND
WINDOW = Window(START, START + 20 * SECOND)


def at(seconds: float) -> int:
    return START + round(seconds * SECOND)


def arrival(job: str, due: float, came: float, attempt: int = 1) -> Arrival:
    return Arrival(at(came), at(came), at(due), None, f"{job}-{due}", job, attempt, "/")


def seen(
    judged: list[Arrival] | None = None,
    beside: list[Arrival] | None = None,
    jobs: list[Timetable] | None = None,
    asked: list[Asked] | None = None,
) -> Seen:
    return Seen(at(-3), START, WINDOW, judged or [], beside or [], jobs or [], asked or [])


def test_requests_under_way_are_counted_from_arrival_to_answer() -> None:
    jobs = [Timetable("a", START, period=5 * SECOND), Timetable("b", START, period=2 * SECOND)]
    came = [arrival("a", 1, 1), arrival("b", 2, 2), arrival("b", 4, 4), arrival("b", 8, 8)]
    assert findings(parse("slow:2"), seen(beside=came, jobs=jobs)) == {"in flight": 2}


def test_requests_that_came_before_the_window_and_end_after_it_are_under_way_in_it() -> None:
    jobs = [Timetable("a", START, period=30 * SECOND), Timetable("b", START, period=3 * SECOND)]
    came = [arrival("a", -2, -2), arrival("a", -1, -1), arrival("b", -4, -4)]
    assert findings(parse("hanging:2"), seen(beside=came, jobs=jobs)) == {"in flight": 2}


def test_attempts_are_counted_where_there_was_time_for_all_of_them() -> None:
    came = [arrival("a", 1, 1), arrival("a", 1, 2, 2), arrival("a", 1, 3, 3), arrival("b", 2, 2), arrival("a", 19, 19)]
    found = findings(parse("failing:4"), seen(beside=came))
    assert found == {"attempts least": 1, "attempts most": 3}


def test_on_time_is_the_first_after_all_that_were_late_at_the_start() -> None:
    came = [arrival("a", -2, -1), arrival("a", -1.5, -1.4), arrival("a", -1, -0.999), arrival("a", 5, 6)]
    assert findings(parse("idle:9"), seen(came)) == {"first on time s": pytest.approx(2.001)}
    assert findings(parse("idle:9"), seen([arrival("a", 1, 1.001)])) == {"first on time s": pytest.approx(4.001)}


def test_a_backlog_is_caught_up_with_the_last_that_was_late() -> None:
    came = [arrival("a", due, -1 + number / 2) for number, due in enumerate((-60, -59, -58, -57))]
    came += [arrival("a", -2, 1), arrival("a", 0, 1.5), arrival("a", 2, 2)]
    found = findings(parse("backlog:1"), seen(beside=came))
    assert found == {
        "caught up s": pytest.approx(4.5),  # the process was started at -3, and the last late one came at 1.5
        "catching up /s": pytest.approx(6 / 2.5),
        "new p99 ms": pytest.approx(3_000),
    }


def test_nothing_late_is_nothing_to_catch_up() -> None:
    assert findings(parse("backlog:1"), seen(beside=[arrival("a", 1, 1.5)])) == {"caught up s": 0}


def test_an_overload_is_over_when_the_last_late_one_came_and_was_visible_before() -> None:
    jobs = [Timetable("a", START, until=at(10))]
    oldest = datetime.fromtimestamp(at(4) // SECOND, UTC).isoformat()
    asked = [Asked(at(7), SECOND, 200, False, 40, oldest), Asked(at(8), 2_000, 200, False, 0, None)]
    came = [arrival("a", 1, 1), arrival("a", 9, 16)]
    found = findings(parse("overload:1"), seen(beside=came, jobs=jobs, asked=asked))
    assert found["caught up s"] == pytest.approx(6)
    assert found["late shown"] == 40
    assert found["oldest shown s"] == pytest.approx(4)


def test_what_the_api_was_asked_in_the_window_counts_and_no_answer_is_an_error() -> None:
    asked = [Asked(at(second), 1_000 * (second + 1), 200, False) for second in range(10)]
    asked += [Asked(at(11), 60 * SECOND, 0, True), Asked(at(-1), 90 * SECOND, 200, False)]
    asked += [Asked(at(12), 2_000, 503, False, unwell=True), Asked(at(13), 2_000, 503, False)]
    found = findings(parse("api:200"), seen(asked=asked))
    assert (found["api asked"], found["api errors"], found["api unwell"]) == (13, 2, 1)
    assert (found["api p50 ms"], found["api max ms"]) == (5, 60_000)
