"""JSON in colours."""

from __future__ import annotations

import pytest

from tui_scheduler.tui.editor.colouring import json_spans, looks_like_json


@pytest.mark.parametrize(
    ("line", "tokens"),
    [
        ('{"n": 1, "ok": true}', ['label "n"', "number 1", 'label "ok"', "word true"]),
        (r'"a \" b" : "c\\"', [r'label "a \" b"', r'string "c\\"']),
        ("[-1.5e+3, null]", ["number -1.5e+3", "word null"]),
        ('"1": "two 2"', ['label "1"', 'string "two 2"']),
        ('{"open', ['wrong "open']),
        ("nothing here", []),
        ("", []),
    ],
)
def test_each_part_is_known_for_what_it_is(line: str, tokens: list[str]) -> None:
    assert [f"{span.token} {line[span.start : span.end]}" for span in json_spans(line)] == tokens


@pytest.mark.parametrize(("line", "is_json"), [('  {"a"', True), ("[", True), ("a=1", False), ("", False)])
def test_json_is_known_by_how_it_begins(line: str, is_json: bool) -> None:
    assert looks_like_json(line) is is_json
