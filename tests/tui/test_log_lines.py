"""How an execution reads as one line."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, timedelta, timezone

import pytest
from rich.cells import cell_len

from tests.tui.fake import NOW, SECOND
from tests.tui.log_rows import log_row
from tui_scheduler.control.views import LogRow
from tui_scheduler.domain.execution import State, Trigger
from tui_scheduler.tui.log_lines import (
    Part,
    columns,
    gap_parts,
    highlighted,
    outcome,
    row_parts,
    rule_parts,
    searched_text,
    when,
    whole_line,
)

TOKYO = timezone(timedelta(hours=9), "JST")


def drawn(row: LogRow, width: int = 75, *, of_one_job: bool = False) -> str:
    return "".join(part.text for part in row_parts(row, columns(width, of_one_job=of_one_job), UTC, NOW))


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (log_row(1), "16:00:00.000 ✓ succeeded nightly report         200        12.3 ms  +900 µs"),
        (
            log_row(1, State.FAILED, http_status=500, error="HTTP 500", attempt=3),
            "16:00:00.000 × failed    nightly report         500 #3     12.3 ms  +900 µs",
        ),
        (
            log_row(1, State.FAILED, http_status=None, error="no response in 2 s"),
            "16:00:00.000 × failed    nightly report         no response in 2 s  +900 µs",
        ),
        (
            log_row(1, State.FAILED, http_status=None, error="127.0.0.1:4747 refused the connection"),
            "16:00:00.000 × failed    nightly report         127.0.0.1:4747 refused the…",
        ),
        (
            log_row(1, State.RETRYING, http_status=503, error="HTTP 503", attempt=2, next_attempt_at=NOW + SECOND),
            "16:00:00.000 ◐ retrying  nightly report         503 #2 again 16:00:01      ",
        ),
        (
            log_row(
                1, State.CLAIMED, http_status=503, error="HTTP 503", attempt=2, started_at=NOW + 900, duration=12_300
            ),
            "16:00:00.000 ◇ claimed   nightly report         attempt #2                 ",
        ),
        (
            log_row(1, State.CLAIMED),
            "16:00:00.000 ◇ claimed   nightly report                                    ",
        ),
        (
            log_row(1, State.SKIPPED, skip_reason="too late", skip_count=1_200),
            "16:00:00.000 » skipped   nightly report         too late · 1,200 times     ",
        ),
        (
            log_row(1, State.SKIPPED, skip_reason="overlap", skip_count=1),
            "16:00:00.000 » skipped   nightly report         overlap                    ",
        ),
        (
            log_row(1, State.SUCCEEDED, trigger=Trigger.MANUAL),
            "16:00:00.000 ✓ succeeded nightly report         200 manual 12.3 ms  +900 µs",
        ),
        (
            log_row(1, State.PENDING, trigger=Trigger.MANUAL),
            "16:00:00.000 ○ pending   nightly report         manual                     ",
        ),
        (
            log_row(1, State.RUNNING, duration=None),
            "16:00:00.000 ▶ running   nightly report                             +900 µs",
        ),
        (
            log_row(1, State.RUNNING, http_status=503, error="HTTP 503", attempt=2),
            "16:00:00.000 ▶ running   nightly report         attempt #2          +900 µs",
        ),
        (
            log_row(1, State.LOST, error="its node died"),
            "16:00:00.000 ! lost      nightly report         its node died              ",
        ),
    ],
)
def test_a_line_says_when_what_and_what_came_of_it(row: LogRow, line: str) -> None:
    assert drawn(row) == line


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("width", [40, 53, 54, 61, 69, 70, 75, 79, 117, 200])
def test_a_line_is_as_wide_as_there_is_room(state: State, width: int) -> None:
    row = log_row(1, state, job_name="東京の在庫を更新する" * 5, error="refused " * 40, attempt=2)
    assert cell_len(drawn(row, width)) == width
    assert cell_len(drawn(row, width, of_one_job=True)) == width


def test_timings_go_first_where_it_is_narrow() -> None:
    assert "+900 µs" in drawn(log_row(1), 70)
    assert "+900 µs" not in drawn(log_row(1), 69)
    assert "12.3 ms" in drawn(log_row(1), 54)
    assert "12.3 ms" not in drawn(log_row(1), 53)


@pytest.mark.parametrize(("width", "cells"), [(40, 8), (61, 17), (75, 22), (79, 26), (117, 32)])
def test_the_name_has_the_room_that_short_outcomes_leave(width: int, cells: int) -> None:
    assert columns(width).name == cells


def test_the_name_is_left_out_in_the_log_of_one_job() -> None:
    assert "nightly" in drawn(log_row(1))
    assert "nightly" not in drawn(log_row(1), of_one_job=True)


def test_text_from_elsewhere_is_harmless() -> None:
    row = log_row(1, State.FAILED, job_name="a\x1b[2Jb\nc", http_status=None, error="[red]\x07\u202e")
    line = drawn(row, 120)
    assert "a␛[2Jb␊c" in line
    assert "[red]␇\N{REPLACEMENT CHARACTER}" in line
    assert "\x1b" not in whole_line(row, UTC)


@pytest.mark.parametrize(
    ("instant", "shown"),
    [(NOW + 1_500, "01:00:00.001"), (NOW - 2 * 3600 * SECOND, "11-23 23:00"), (NOW - 1, "00:59:59.999")],
)
def test_a_time_of_another_day_says_which(instant: int, shown: str) -> None:
    assert when(instant, TOKYO, NOW) == shown


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            log_row(1, State.FAILED, http_status=200, error="HTTP 200, but the body is not JSON", attempt=2),
            "200 #2 but the body is not JSON",
        ),
        (log_row(1, State.SUCCEEDED, attempt=2, trigger=Trigger.REPLAY), "200 #2 replay"),
        (log_row(1, State.CANCELLED), ""),
    ],
)
def test_what_it_came_to_is_said_in_a_few_words(row: LogRow, said: str) -> None:
    assert outcome(row, UTC).startswith(said)


def test_the_whole_line_is_copied() -> None:
    row = log_row(1, State.FAILED, http_status=None, error="connection refused by 127.0.0.1:4747")
    assert whole_line(row, UTC) == (
        "2026-11-23 16:00:00.000 UTC  failed  nightly report  connection refused by 127.0.0.1:4747  12.3 ms"
        "  drift +900 µs"
    )
    assert "  12.3 ms" not in whole_line(replace(row, duration=None), UTC)


def test_a_search_finds_the_time_the_state_the_job_and_the_error() -> None:
    row = log_row(1, State.FAILED, http_status=None, error="Connection REFUSED", attempt=2)
    assert searched_text(row, UTC) == "16:00:00.000 failed nightly report #2 connection refused"


def test_a_rule_says_when_it_was_drawn() -> None:
    assert rule_parts(NOW, 40, UTC) == [Part("── marked 16:00:00.000 ─────────────────", "line--mark")]


def test_a_gap_says_how_many_are_missing() -> None:
    assert gap_parts(4_512, 30)[0].text.rstrip() == "… 4,512 more not shown"
    assert gap_parts(500, 30, at_least=True)[0].text.rstrip() == "… 500+ more not shown"


@pytest.mark.parametrize(
    ("parts", "needle", "matches"),
    [
        ([Part("aXbxc")], "x", ["X", "x"]),
        ([Part("ab", "one"), Part("cd", "two")], "bc", ["b", "c"]),
        ([Part("a.c abc")], "a.c", ["a.c"]),
        ([Part("short…", "one")], "cut off", ["…"]),
        ([Part("nothing")], "cut off", []),
    ],
)
def test_what_is_looked_for_is_shown(parts: list[Part], needle: str, matches: list[str]) -> None:
    cut = highlighted(parts, needle)
    assert [part.text for part in cut if part.style == "line--match"] == matches
    assert "".join(part.text for part in cut) == "".join(part.text for part in parts)
