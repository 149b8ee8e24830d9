"""A line shows what matters, whole."""

from __future__ import annotations

import pytest

from tui_scheduler.tui.fitting import Piece, fitting, shortened, total_width

PIECES = [Piece("first", 2), Piece("second", 0), Piece("3", 3), Piece("fourth", 1)]


@pytest.mark.parametrize(
    ("width", "texts"),
    [
        (24, ["first", "second", "3", "fourth"]),
        (23, ["first", "second", "fourth"]),
        (20, ["second", "fourth"]),
        (14, ["second", "fourth"]),
        (13, ["second"]),
        (5, []),
    ],
)
def test_the_most_important_pieces_stay_in_their_order(width: int, texts: list[str]) -> None:
    kept = fitting(PIECES, width)
    assert [piece.text for piece in kept] == texts
    assert total_width(kept) <= width


@pytest.mark.parametrize(
    ("text", "width", "short"),
    [("live", 4, "live"), ("live", 3, "li…"), ("a long one", 3, "a…"), ("日本語", 4, "日…"), ("x", 0, "")],
)
def test_what_is_too_long_ends_in_an_ellipsis(text: str, width: int, short: str) -> None:
    assert shortened(text, width) == short
