"""Durations as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_scheduler.domain.durations import LONGEST, parse_duration, show_duration, whole_units
from tui_scheduler.domain.errors import Invalid

MS, S, M, H, D = 1_000, 1_000_000, 60_000_000, 3_600_000_000, 86_400_000_000


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("250ms", 250 * MS),
        ("30s", 30 * S),
        ("5m", 5 * M),
        ("1h30m", 90 * M),
        ("1d", D),
        ("0", 0),
        ("90", 90 * S),
        ("0.5", S // 2),
        ("1.5s", 1_500 * MS),
        ("1.5h", 90 * M),
        ("0.001ms", 1),
        ("1m0.25s", 60 * S + 250 * MS),
        (" 1h 30m ", 90 * M),
        ("1 d", D),
        ("2H15M", 135 * M),
        ("1d2h3m4s5ms", D + 2 * H + 3 * M + 4 * S + 5 * MS),
        ("3650d", LONGEST),
    ],
)
def test_a_duration_is_what_a_person_means_by_it(text: str, micros: int) -> None:
    assert parse_duration(text) == micros


@pytest.mark.parametrize(
    ("text", "position", "reason"),
    [
        ("", 0, "empty"),
        ("  ", 0, "empty"),
        ("soon", 0, "no number"),
        ("-5s", 0, "no number"),
        ("5s later", 3, "no number"),
        ("5w", 1, "unit"),
        ("1h30", 4, "unit"),
        ("1 30", 1, "unit"),
        ("30s5m", 3, "larger unit"),
        ("1s1s", 2, "larger unit"),
        ("1.5h30m", 0, "last"),
        ("0.0001ms", 0, "finer"),
        ("3651d", 0, "ten years"),
        ("99999999999999999999", 0, "digits"),
        ("\u0665s", 0, "no number"),
        ("1e3", 1, "unit"),
    ],
)
def test_what_is_no_duration_is_refused_where_it_goes_wrong(text: str, position: int, reason: str) -> None:
    with pytest.raises(Invalid, match=reason) as refused:
        parse_duration(text, "timeoutMs")
    assert (refused.value.field, refused.value.position) == ("timeoutMs", position)


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (0, "0s"),
        (1, "0.001ms"),
        (1_500, "1.5ms"),
        (250 * MS, "250ms"),
        (1_500 * MS, "1s500ms"),
        (30 * S, "30s"),
        (90 * S, "90s"),
        (120 * S, "2m"),
        (100 * M, "100m"),
        (H + S, "1h1s"),
        (D, "1d"),
        (36 * H, "36h"),
        (D + H + M + S, "1d1h1m1s"),
        (61 * S + 1, "1m1.000001s"),
    ],
)
def test_a_duration_is_written_short_and_readable(micros: int, text: str) -> None:
    assert show_duration(micros) == text


@given(st.integers(0, LONGEST) | st.integers(0, 10 * S) | st.integers(0, 10**7).map(lambda number: number * MS))
def test_what_is_written_reads_back_exactly(micros: int) -> None:
    assert parse_duration(show_duration(micros)) == micros


@given(st.integers(1, LONGEST // MS).map(lambda number: number * MS))
def test_what_is_written_can_follow_every(micros: int) -> None:
    assert whole_units(show_duration(micros)) == micros
