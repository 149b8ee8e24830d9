"""Timezones: no change of offset is overlooked, and no name leads anywhere but into the tz database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_scheduler.domain.errors import Invalid
from tui_scheduler.domain.zones import nearest_timezones, timeline

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PLACES = [
    *("America/New_York", "Europe/London", "Europe/Dublin", "Australia/Lord_Howe", "Asia/Beirut", "Africa/Cairo"),
    *("America/Santiago", "Africa/Casablanca", "Asia/Gaza", "Pacific/Apia", "Africa/Monrovia", "Africa/Freetown"),
    *("UTC", "Asia/Kolkata", "Etc/GMT+5", "America/Recife", "Asia/Manila"),
]


@settings(max_examples=300)
@given(st.sampled_from(PLACES), st.integers(-5_000_000_000, 5_000_000_000))
def test_the_offset_is_that_of_zoneinfo_at_any_instant(name: str, second: int) -> None:
    there = (EPOCH + timedelta(seconds=second)).astimezone(ZoneInfo(name))
    offset = there.utcoffset()
    assert offset is not None
    stretch = timeline(name).stretch_at(second)
    assert stretch.start <= second < stretch.end
    assert timedelta(seconds=stretch.offset) == offset


@pytest.mark.parametrize("name", PLACES)
def test_stretches_follow_each_other_without_a_hole_and_know_what_came_before(name: str) -> None:
    previous = None
    for stretch in timeline(name).stretches(-3_000_000_000, 3_000_000_000):
        if previous and stretch.start != previous.start:  # the same start: one stretch in two pieces
            assert stretch.start == previous.end
            assert stretch.before == previous.offset
        elif previous:
            assert stretch[2:] == previous[2:]
            assert stretch.end > previous.end
        previous = stretch


def test_the_changes_of_new_york_in_2026_are_found_to_the_second() -> None:
    year = timeline("America/New_York").stretches(1_767_225_600, 1_798_761_600)
    changes = [stretch for stretch in year if stretch.before != stretch.offset and stretch.start > 1_767_225_600]
    shown = [(EPOCH + timedelta(seconds=change.start)).isoformat() for change in changes]
    assert shown == ["2026-03-08T07:00:00+00:00", "2026-11-01T06:00:00+00:00"]


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            " ",
            "../etc/passwd",
            "/etc/localtime",
            "/usr/share/zoneinfo/UTC",
            "Europe/../UTC",
            "./UTC",
            "Europe//Berlin",
        ),
        *("Europe", "Europe/", "tzdata.zi", "zone.tab", "localtime", "posixrules", "Factory", "right/UTC", "posix/UTC"),
        *(
            "a\x00b",
            "UTC\x00",
            "UTC\n",
            " UTC",
            "\u0130stanbul",
            "C:\\Windows",
            "A" * 5000,
            "A/" * 500,
            "EST5EDT4,M3.2.0",
        ),
    ],
)
def test_only_a_name_of_the_database_is_a_timezone(name: str) -> None:
    with pytest.raises(Invalid) as refusal:
        timeline(name)
    assert refusal.value.field == "timezone"
    assert refusal.value.example is not None
    assert timeline(refusal.value.example).name == refusal.value.example
    assert len(refusal.value.reason) < 250


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("Europe/Berln", "Europe/Berlin"),
        ("europe/london", "Europe/London"),
        ("berlin", "Europe/Berlin"),
        ("New York", "America/New_York"),
        ("Newyork", "America/New_York"),
        ("Europe/Tokyo", "Asia/Tokyo"),
        ("utc", "UTC"),
        ("US/Estern", "US/Eastern"),
    ],
)
def test_the_nearest_names_are_offered(name: str, nearest: str) -> None:
    assert nearest in nearest_timezones(name)
    assert len(nearest_timezones(name)) <= 3
    with pytest.raises(Invalid, match="did you mean"):
        timeline(name)


def test_nothing_is_offered_for_what_is_like_no_name() -> None:
    assert nearest_timezones("qqqqqqqqqqq") == []
    assert nearest_timezones("") == []
