"""What each spelling allows, and what is refused: by field, position and reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_scheduler.domain.errors import Invalid
from tui_scheduler.domain.expression import LAST, Fields, read


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("*/15 * * * * *", "seconds", {0, 15, 30, 45}),
        ("31 10-15 1 * * MON-FRI", "seconds", {31}),
        ("31 10-15 1 * * MON-FRI", "minutes", {10, 11, 12, 13, 14, 15}),
        ("31 10-15 1 * * MON-FRI", "weekdays", {1, 2, 3, 4, 5}),
        ("5 4 * * *", "seconds", {0}),
        ("5 4 * * *", "minutes", {5}),
        ("1-1 * * * *", "minutes", {1}),  # croniter 7: the whole hour
        ("1-1/3 * * * *", "minutes", {1}),
        ("59/15 * * * *", "minutes", {59}),
        ("50/5 * * * *", "minutes", {50, 55}),
        ("*/90 * * * *", "minutes", {0}),
        ("10-20/7,5 * * * *", "minutes", {5, 10, 17}),
        ("50-10/5 * * * *", "minutes", {50, 55, 0, 5, 10}),
        ("0 23-3/2 * * *", "hours", {23, 1, 3}),  # croniter 7: {2, 23}
        ("0 22-2 * * *", "hours", {22, 23, 0, 1, 2}),
        ("0 0 1 JAN-JAN *", "months", {1}),  # croniter 7: all twelve
        ("0 0 1 NOV-FEB *", "months", {11, 12, 1, 2}),
        ("0 0 1 nov-feb/2 *", "months", {11, 1}),
        ("0 0 1 DEC/3 *", "months", {12}),
        ("0 0 1 jan,Jul *", "months", {1, 7}),
        ("0 0 28-3 * *", "days", {28, 29, 30, 31, 1, 2, 3}),
        ("0 0 29-L * *", "days", {29, 30, 31}),
        ("0 0 * * 0", "weekdays", {0}),
        ("0 0 * * 7", "weekdays", {0}),
        ("0 0 * * SUN", "weekdays", {0}),
        ("0 0 * * SUN-SUN", "weekdays", {0}),
        ("0 0 * * 7-7", "weekdays", {0}),
        ("0 0 * * 6-7", "weekdays", {6, 0}),
        ("0 0 * * FRI-SUN", "weekdays", {5, 6, 0}),
        ("0 0 * * FRI-MON", "weekdays", {5, 6, 0, 1}),
        ("0 0 * * FRI-MON/2", "weekdays", {5, 0}),
        ("0 0 * * 7-2", "weekdays", {0, 1, 2}),
        ("0 0 * * 0-7", "weekdays", {0, 1, 2, 3, 4, 5, 6}),
        ("0 0 * * 0-7/2", "weekdays", {0, 2, 4, 6}),
        ("0 0 * * 7/2", "weekdays", {0, 2, 4, 6}),
        ("0 0 ? * ?", "days", set(range(1, 32))),
        ("0 0 * * L5", "nth", {(5, LAST)}),
        ("0 0 * * L7", "nth", {(0, LAST)}),
        ("0 0 * * 5#3", "nth", {(5, 3)}),
        ("0 0 * * fri#3,MON#1", "nth", {(5, 3), (1, 1)}),
        ("0 0 * * MON-WED#2", "nth", {(1, 2), (2, 2), (3, 2)}),
        ("@yearly", "months", {1}),
        ("@weekly", "weekdays", {0}),
        (" @Hourly ", "minutes", {0}),
    ],
)
def test_a_field_allows_exactly_what_its_spelling_says(text: str, name: str, expected: set[object]) -> None:
    assert getattr(read(text), name) == expected


@pytest.mark.parametrize(
    "spellings",
    [
        ("* * * * * *", "*/1 0-59 0-23 1-31 1-12 0-6", "0-59 */1 00-23 1-L JAN-DEC SUN-SAT", "* * * ? * ?"),
        ("0 0 * * *", "0 0 0 * * *", "@daily", "@midnight", "  0\t0 * * 1-7 "),
        ("0 0 * * 1", "0 0 * * MON", "0 0 * * mon-mon", "0 0 * * 1#1,1#2,1#3,1#4,1#5"),
        ("0 0 1-30,L * *", "0 0 * * *", "0 0 */1 * *"),
        ("0 0 L * *", "0 0 31,L * *", "0 0 l * ?"),
        ("0 0 * * L5", "0 0 * * l5"),
        ("@annually", "@yearly", "0 0 1 1 *", "0 0 01 JAN *"),
        ("@monthly", "0 0 1 * *"),
    ],
)
def test_equivalent_spellings_give_equal_sets(spellings: tuple[str, ...]) -> None:
    assert len({read(text) for text in spellings}) == 1


@pytest.mark.parametrize(
    ("text", "position", "reason"),
    [
        ("", None, "the expression is empty"),
        (" \t", None, "the expression is empty"),
        ("* * * *", 6, "expected six fields"),
        ("0 0 1 1 * * 2027", 12, "a seventh field (the year) is not supported"),
        ("1 2 3 4 5 6 7 8", 12, "expected six fields"),
        ("60 * * * * *", 0, "second field: 60 is not within 0 to 59"),
        ("0 0 24 * * *", 4, "hour field: 24 is not within 0 to 23"),
        ("0 24 * * *", 2, "hour field: 24 is not within 0 to 23"),
        ("0 0 0 * *", 4, "day-of-month field: 0 is not within 1 to 31"),
        ("0 0 1 0 *", 6, "month field: 0 is not within 1 to 12"),
        ("0 0 1 * 8", 8, "day-of-week field: 8 is not within 0 to 7"),
        ("5,10,99 * * * *", 5, "minute field: 99 is not within"),
        ("10-99 * * * *", 3, "minute field: 99 is not within"),
        ("5,,6 * * * *", 2, "minute field: an item of the list is empty"),
        (",5 * * * *", 0, "minute field: an item of the list is empty"),
        ("*/0 * * * *", 2, "minute field: the step after '/'"),
        ("*/ * * * *", 2, "minute field: the step after '/'"),
        ("*/x * * * *", 2, "minute field: the step after '/'"),
        ("-5 * * * *", 0, "minute field: cannot read '-5'"),
        ("5- * * * *", 0, "minute field: cannot read '5-'"),
        ("1-2-3 * * * *", 0, "minute field: cannot read '1-2-3'"),
        ("*-5 * * * *", 0, "minute field: '*' cannot be part of a range"),
        ("1.5 * * * *", 0, "minute field: '1.5' is not a number"),
        ("0 0 1 FOO *", 6, "month field: 'FOO' is not a number from 1 to 12 or a name from JAN to DEC"),
        ("0 0 1 MON *", 6, "month field: 'MON' is not a number"),
        ("R * * * *", 0, "minute field: R (a random value) is not supported"),
        ("0 R(1-5) * * *", 2, "hour field: R (a random value)"),
        ("R/5 * * * *", 0, "minute field: R (a random value)"),
        ("0 h * * *", 2, "hour field: H (a hashed value) is not supported"),
        ("H(0-29)/10 * * * *", 0, "minute field: H (a hashed value)"),
        ("0 0 15W * *", 4, "day-of-month field: W (the nearest working day) is not supported"),
        ("0 0 1,w15 * *", 6, "day-of-month field: W (the nearest working day)"),
        ("0 0 LW * *", 4, "day-of-month field: W (the nearest working day)"),
        ("0 0 L-3 * *", 4, "day-of-month field: L (the last day) stands alone"),
        ("0 0 * L *", 6, "month field: L (the last day)"),
        ("0 0 * * 5L", 8, "day-of-week field: the last weekday of the month is written L and its number"),
        ("0 0 * * L", 8, "day-of-week field: the last weekday of the month"),
        ("0 0 * * L8", 9, "day-of-week field: 8 is not within 0 to 7"),
        ("0 0 * * 1#6", 10, "day-of-week field: '#' needs a number from 1 to 5"),
        ("0 0 * * MON#", 12, "day-of-week field: '#' needs a number from 1 to 5"),
        ("0 0 * * *#1", 8, "day-of-week field: before '#' stands one weekday"),
        ("0 0 * * FOO#1", 8, "day-of-week field: 'FOO' is not a number"),
        ("0 0 * * 1#2,3", 12, "day-of-week field: a list cannot mix"),
        ("0 0 * * 1,1#2", 8, "day-of-week field: a list cannot mix"),
        ("? * * * *", 0, "minute field: '?' can only stand alone"),
        ("0 0 ?,1 * *", 4, "day-of-month field: '?' can only stand alone"),
        ("0 0 ?/2 * *", 4, "day-of-month field: '?' cannot be part"),
        ("0 0 0 30 2 *", 6, "day-of-month field: no such day in any of these months, so it can never fire"),
        ("0 0 31 4,6,9,11 *", 4, "day-of-month field: no such day"),
        ("0\u00a00 * * * *", 0, "minute field: '0\\xa00' is not a number"),
        ("\u0661 * * * *", 0, "minute field: '\u0661' is not a number"),
        ("\x00 * * * *", 0, "minute field: '\\x00' is not a number"),
        ("\u00df * * * *", 0, "minute field: '\u00df' is not a number"),  # two letters in capitals
        ("@reboot", 0, "unknown alias '@reboot'"),
        ("9" * 30 + " * * * *", 0, "is not a number"),
        ("1," * 600 + "1 * * * *", None, "at most 1000 characters"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(text: str, position: int | None, reason: str) -> None:
    with pytest.raises(Invalid) as refusal:
        read(text)
    assert refusal.value.field == "schedule"
    assert refusal.value.position == position
    assert reason in refusal.value.reason
    assert refusal.value.example is not None


def test_every_example_in_a_refusal_would_be_accepted() -> None:
    for text in ("60 * * * * *", "60 * * * *", "0 24 * * *", "0 0 32 * *", "0 0 1 13 *", "0 0 * * 8", "@x", "*"):
        with pytest.raises(Invalid) as refusal:
            read(text)
        assert refusal.value.example is not None
        assert isinstance(read(refusal.value.example), Fields)


@pytest.mark.parametrize("text", ["0 0 30 2 MON", "0 0 30,L 2 *", "0 0 29 2 *", "0 0 31 2,3 *", "0 0 * 2 MON#5"])
def test_rare_dates_are_not_impossible(text: str) -> None:
    assert read(text).can_match


@given(st.text(alphabet="0123456789*/-,?LWHR#@ \tABCDEFMNOTUS\x00\u00df\u0130", max_size=30))
def test_any_text_is_read_or_refused_as_a_schedule(text: str) -> None:
    refusal: Invalid | None = None
    try:
        fields = read(text)
        assert all((fields.seconds, fields.minutes, fields.hours, fields.months, fields.days))
        assert fields.weekdays | fields.nth
    except Invalid as error:
        refusal = error
    if refusal:
        assert refusal.field == "schedule"
        assert refusal.position is None or 0 <= refusal.position <= len(text)
