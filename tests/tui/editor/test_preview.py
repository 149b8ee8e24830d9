"""What a job will do, in lines that fit."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest

from tests.tui.editor.stage import SPEC
from tests.tui.fake import NOW, SECOND
from tui_scheduler.control.views import Notice
from tui_scheduler.domain.job import JobSpec
from tui_scheduler.domain.retry import RetryPolicy
from tui_scheduler.tui.editor.preview import Tone, foresee, lines, retries_in_words

NIGHTLY = replace(SPEC, schedule="0 30 2 * * *", timezone="Europe/Berlin")
BEFORE_SPRING = 1_806_055_200 * SECOND  # 2027-03-26 10:00 UTC
BEFORE_AUTUMN = 1_824_804_000 * SECOND  # 2027-10-29 10:00 UTC


def told(spec: JobSpec, now: int = NOW, width: int = 44, zone: str = "UTC") -> list[str]:
    return [line.text for line in lines(foresee(spec, now), now, width, ZoneInfo(zone))]


def test_five_runs_each_with_its_countdown() -> None:
    assert told(SPEC)[:6] == [
        "Next runs  UTC",
        "Mon 23 Nov 16:00:05                   in 5s",
        "Mon 23 Nov 16:00:10                  in 10s",
        "Mon 23 Nov 16:00:15                  in 15s",
        "Mon 23 Nov 16:00:20                  in 20s",
        "Mon 23 Nov 16:00:25                  in 25s",
    ]


def test_the_users_time_stands_beside_the_jobs_where_they_differ() -> None:
    assert told(NIGHTLY)[:2] == [
        "Europe/Berlin        yours (UTC)",
        "Tue 24 Nov 02:30:00  Tue 01:30:00  in 9h 30m",
    ]
    assert told(NIGHTLY, zone="Europe/Paris")[0] == "Next runs  Europe/Berlin"


def test_where_it_is_cramped_another_day_is_told_by_its_distance() -> None:
    assert told(NIGHTLY, width=38, zone="America/New_York")[1] == "24 Nov 02:30:00  20:30:00-1  in 9h 30m"


@pytest.mark.parametrize(
    ("now", "line"),
    [
        (BEFORE_SPRING, "Sun 28 Mar 03:00:00  ▲ DST gap"),
        (BEFORE_AUTUMN, "Sun 31 Oct 02:30:00  ▲ DST overlap"),
    ],
)
def test_changes_of_the_clock_are_marked(now: int, line: str) -> None:
    assert [shown for shown in told(NIGHTLY, now) if shown.startswith(line)]
    wide = [shown for shown in told(NIGHTLY, now, width=70) if line.split("▲")[1] in shown]
    assert any("Sun 0" in shown for shown in wide)  # the user's time, too, where there is room


def test_only_runs_between_start_and_end_are_told() -> None:
    bounded = replace(SPEC, starts_at=NOW + 12 * SECOND, ends_at=NOW + 20 * SECOND)
    assert [line[11:19] for line in told(bounded)[1:3]] == ["16:00:15", "16:00:20"]
    assert "in 15s" in told(bounded)[1]
    over = replace(SPEC, ends_at=NOW + SECOND)
    assert told(over)[1] == "never: no time comes between its start and end"


def test_another_year_is_named() -> None:
    assert told(replace(SPEC, schedule="@at 2028-02-01T09:00:00Z"))[1].startswith("Tue 01 Feb 2028 09:00")


def test_a_schedule_that_cannot_be_read_has_no_runs() -> None:
    assert told(replace(SPEC, schedule="never"))[:2] == ["Next runs", "when the schedule can be read"]


def test_jitter_and_warnings_are_told() -> None:
    seen = replace(foresee(replace(SPEC, jitter=2 * SECOND), NOW), notices=(Notice("herd", "many at once"),))
    shown = lines(seen, NOW, 44, UTC)
    assert "each up to 2s later (jitter)" in [line.text for line in shown]
    assert (shown[-1].text, shown[-1].tone) == ("▲ many at once", Tone.WARNING)


@pytest.mark.parametrize("width", [38, 44, 70])
def test_no_line_is_longer_than_its_place(width: int) -> None:
    for spec in (NIGHTLY, SPEC, replace(NIGHTLY, timezone="America/Argentina/ComodRivadavia")):
        assert max(len(line) for line in told(spec, BEFORE_SPRING, width, "Asia/Kathmandu")) <= width


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (RetryPolicy(), "retries after up to 1s, 2s; gives up after 3 attempts, at most 3s later"),
        (RetryPolicy(max_attempts=1), "is not retried: one attempt only"),
        (
            RetryPolicy(max_attempts=8, cap=10 * SECOND),
            "retries after up to 1s, 2s, 4s, 8s, …, 10s; gives up after 8 attempts, at most 45s later",
        ),
        (
            RetryPolicy(max_attempts=5, total=5 * SECOND),
            "retries after up to 1s, 2s, 4s, 8s; gives up after 5 attempts, or when 5s have passed",
        ),
        (
            RetryPolicy(max_attempts=2, base=0),
            "retries after up to 0s; gives up after 2 attempts, at most 0s later",
        ),
    ],
)
def test_retries_in_words(policy: RetryPolicy, words: str) -> None:
    assert retries_in_words(policy) == words
