from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_scheduler.domain.errors import Invalid
from tui_scheduler.domain.filtering import MAX_LENGTH, MAX_TERMS, Column, JobFilter, Term, parse_filter

TEXT, TAG, STATE, QUEUE = Column.TEXT, Column.TAG, Column.STATE, Column.QUEUE


@pytest.mark.parametrize("text", ["", " ", "\t \u3000\n"])
def test_nothing_finds_every_job(text: str) -> None:
    assert parse_filter(text) == JobFilter()


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("nightly", [Term(TEXT, "nightly")]),
        ("  two  words\t", [Term(TEXT, "two"), Term(TEXT, "words")]),
        ("tag:prod", [Term(TAG, "prod")]),
        ("TAG:Prod", [Term(TAG, "Prod")]),
        ("queue:reports", [Term(QUEUE, "reports")]),
        ("state:paused", [Term(STATE, "paused")]),
        ("State:FAILING", [Term(STATE, "failing")]),
        ("!old", [Term(TEXT, "old", inverse=True)]),
        ("!tag:prod", [Term(TAG, "prod", inverse=True)]),
        ("!state:active", [Term(STATE, "active", inverse=True)]),
        ("!!x", [Term(TEXT, "!x", inverse=True)]),
        ("a!b", [Term(TEXT, "a!b")]),
        (
            'nightly !tag:prod state:paused queue:reports "two words"',
            [
                Term(TEXT, "nightly"),
                Term(TAG, "prod", inverse=True),
                Term(STATE, "paused"),
                Term(QUEUE, "reports"),
                Term(TEXT, "two words"),
            ],
        ),
    ],
)
def test_words_prefixes_and_the_exclamation_mark(text: str, terms: list[Term]) -> None:
    assert parse_filter(text) == JobFilter(tuple(terms))


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ('"two words"', [Term(TEXT, "two words")]),
        ('!"two words"', [Term(TEXT, "two words", inverse=True)]),
        ('tag:"two words"', [Term(TAG, "two words")]),
        ('!tag:"two words"', [Term(TAG, "two words", inverse=True)]),
        ('"tag:prod"', [Term(TEXT, "tag:prod")]),
        ('"!important"', [Term(TEXT, "!important")]),
        ('" "', [Term(TEXT, " ")]),
        ('"a"b', [Term(TEXT, "a"), Term(TEXT, "b")]),
        ('5"disk', [Term(TEXT, '5"disk')]),
        ("it's", [Term(TEXT, "it's")]),
        ("100%_\\", [Term(TEXT, "100%_\\")]),
    ],
)
def test_quotes_hold_together_what_belongs_together(text: str, terms: list[Term]) -> None:
    assert parse_filter(text) == JobFilter(tuple(terms))


@pytest.mark.parametrize(
    "word", ["http://x", "https://example.com:8080/a?b=c", "tags:x", "x:y", ":", "name:", "@every"]
)
def test_an_unknown_prefix_is_part_of_a_word(word: str) -> None:
    assert parse_filter(word) == JobFilter((Term(TEXT, word),))


@pytest.mark.parametrize(
    ("text", "position", "reason"),
    [
        ("tag:", 4, "nothing follows tag:"),
        ("a queue: b", 8, "nothing follows queue:"),
        ("!state:", 7, "nothing follows state:"),
        ("!", 1, "nothing follows !"),
        ("a ! b", 3, "nothing follows !"),
        ('a ""', 2, "nothing between the quotes"),
        ('tag:""', 4, "nothing follows tag:"),
        ('a "b c', 2, "does not end"),
        ('tag:"b', 4, "does not end"),
        ("x state:broken", 8, "'broken' is not a state; there are active, paused, finished and failing"),
        ("state:deleted", 6, "not a state"),
        ("a\0b", 1, "a character that no job has"),
        ("a \ud800", 2, "a character that no job has"),
        ("x " * MAX_TERMS + "y", 2 * MAX_TERMS, "more than 50 terms"),
        ("x" * (MAX_LENGTH + 1), MAX_LENGTH, "2,001 characters long"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_position(text: str, position: int, reason: str) -> None:
    with pytest.raises(Invalid) as told:
        parse_filter(text)
    assert (told.value.field, told.value.position) == ("filter", position)
    assert reason in told.value.reason


def refused_at(text: str) -> int | None:
    try:
        assert all(term.value for term in parse_filter(text).terms)
    except Invalid as refused:
        return refused.position
    return 0


@given(st.text(max_size=60))
def test_any_line_is_a_filter_or_refused_within_it(text: str) -> None:
    position = refused_at(text)
    assert position is not None
    assert 0 <= position <= len(text)
