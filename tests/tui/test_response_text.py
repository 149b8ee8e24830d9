"""How a response reads."""

from __future__ import annotations

import json

import pytest

from tui_scheduler.engine.settling import EXCERPT_OF_FAILURE, EXCERPT_OF_SUCCESS
from tui_scheduler.tui.response_text import KEPT_OF_FAILURE, KEPT_OF_SUCCESS, body_text, indented_json, kept_note

LENGTH = (("Content-Length", "23511"),)


def test_the_limits_are_those_of_the_engine() -> None:
    assert (KEPT_OF_SUCCESS, KEPT_OF_FAILURE) == (EXCERPT_OF_SUCCESS, EXCERPT_OF_FAILURE)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"a":1,"b":[true,null],"c":{}}', '{\n  "a": 1,\n  "b": [\n    true,\n    null\n  ],\n  "c": {}\n}'),
        ("[]", "[]"),
        ('[{"x":"a,b:{\\"}"}]', '[\n  {\n    "x": "a,b:{\\"}"\n  }\n]'),
        ('{"n":1.50e+2,"n":10000000000000000000000}', '{\n  "n": 1.50e+2,\n  "n": 10000000000000000000000\n}'),
    ],
)
def test_json_has_a_line_for_each_member_and_its_words_as_they_were(text: str, shown: str) -> None:
    assert indented_json(text) == shown
    assert json.loads(shown) == json.loads(text)


@pytest.mark.parametrize("text", ["", "ok", "12", '"text"', '{"a":1', "<html>", "[" * 100_000, '{"a":"\n"}'])
def test_what_is_not_json_stays_as_it_is(text: str) -> None:
    assert indented_json(text) is None


@pytest.mark.parametrize(
    ("excerpt", "shown"),
    [
        ("one\r\ntwo\nthree", "one\ntwo\nthree"),
        ("\x1b[31mred\x1b[0m\x07", "␛[31mred␛[0m␇"),
        ("[bold]no markup[/bold]", "[bold]no markup[/bold]"),
        ('{"a":"\u202e"}', '{\n  "a": "\N{REPLACEMENT CHARACTER}"\n}'),
    ],
)
def test_a_body_is_harmless_and_keeps_its_lines(excerpt: str, shown: str) -> None:
    assert body_text(excerpt) == shown


@pytest.mark.parametrize(
    ("excerpt", "headers", "succeeded", "note"),
    [
        (None, (), True, "no body was kept"),
        ("", LENGTH, True, "no body was kept"),
        ("ok", (), True, ""),
        ("x" * 1_024, (), True, "cut after 1,024 bytes, no more is kept"),
        ("x" * 1_024, (), False, ""),
        ("x" * 4_096, (), False, "cut after 4,096 bytes, no more is kept"),
        ("x" * 1_024, LENGTH, True, "cut: the first 1,024 of 23,511 bytes"),
        ("x" * 1_024, (("content-length", "1024"),), True, ""),
        ("x" * 1_022 + "\N{REPLACEMENT CHARACTER}", (), True, "cut after 1,024 bytes, no more is kept"),
        ("\N{SYMBOL FOR NULL}" * 400, (), True, ""),
        ("ok", (("content-length", "many"),), True, ""),
    ],
)
def test_what_is_missing_is_said(
    excerpt: str | None, headers: tuple[tuple[str, str], ...], succeeded: bool, note: str
) -> None:
    assert kept_note(excerpt, headers, succeeded=succeeded) == note
