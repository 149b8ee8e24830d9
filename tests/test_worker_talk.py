"""What a server and its workers say to each other."""

from __future__ import annotations

import pytest

from tui_scheduler.worker_talk import Kind, Word, heard


@pytest.mark.parametrize(
    "word",
    [
        Word(Kind.BEGUN),
        Word(Kind.STATE, ("claim: the file is locked", "record: the same")),
        Word(Kind.ALERT, ('ALERT "quoted"\nand broken ↯',)),
    ],
)
def test_a_word_is_a_line_and_is_heard_as_it_was_said(word: Word) -> None:
    line = word.as_line()
    assert line.count("\n") == 1
    assert line.endswith("\n")
    assert heard(line) == word


@pytest.mark.parametrize("line", ["", "\n", "3 lines were left out here", "[]", "[1]", '["sung", "x"]', '["state", 1]'])
def test_what_is_no_word_is_none(line: str) -> None:
    assert heard(line) is None
