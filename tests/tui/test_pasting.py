"""A paste presses no keys, in whatever pieces it arrives."""

from __future__ import annotations

import pytest

from tui_scheduler.tui.pasting import PasteGuard

BEGIN, END = "\x1b[200~", "\x1b[201~"


@pytest.mark.parametrize(
    ("came", "read"),
    [
        ("j", "j"),
        ("\x1b", "\x1b"),
        ("\x1b[A\x1bOP\x1b[<0;1;1M", "\x1b[A\x1bOP\x1b[<0;1;1M"),
        (f"{BEGIN}https://example.test/{END}", f"{BEGIN}https://example.test/{END}"),
        (f"{BEGIN}a\nb\r\nc\td{END}", f"{BEGIN}a\nb\r\nc\td{END}"),
        (f"{BEGIN}a\x1bqq\x1b[Ab{END}", f"{BEGIN}aqq[Ab{END}"),
        (f"{BEGIN}\x00\x03\x07\x7f\x9b31m{END}", f"{BEGIN}31m{END}"),
        (f"{BEGIN}\x1b[200~inner{END}q", f"{BEGIN}[200~inner{END}q"),
        (f"{BEGIN}one{END}\x1b{BEGIN}t\x1bwo{END}\x1b", f"{BEGIN}one{END}\x1b{BEGIN}two{END}\x1b"),
        (f"{BEGIN}grüße 👩‍💻 שלום{END}", f"{BEGIN}grüße 👩‍💻 שלום{END}"),
        (f"{BEGIN}\x1b\x1b[201~\x1b", f"{BEGIN}{END}\x1b"),
        (f"{END}j", f"{END}j"),
    ],
)
def test_a_paste_keeps_its_text_and_loses_its_control_characters(came: str, read: str) -> None:
    for size in range(1, len(came) + 1):
        guard = PasteGuard()
        pieces = [guard.feed(came[start : start + size]) for start in range(0, len(came), size)]
        assert "".join(pieces) == read, f"in pieces of {size}"


def test_keys_are_given_out_at_once() -> None:
    guard = PasteGuard()
    for piece in ("\x1b", "[", "2", "0", "0"):
        assert guard.feed(piece) == piece  # Alt+[ is a key, and its reader has a timeout of its own


def test_only_what_may_be_the_end_is_held_back() -> None:
    guard = PasteGuard()
    guard.feed(BEGIN)
    assert guard.feed("abc\x1b[20") == "abc"
    assert guard.feed("x") == "[20x"
    assert guard.feed("\x1b[201") == ""
    assert guard.feed("~j") == END + "j"
