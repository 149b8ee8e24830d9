"""A line shows what matters, whole."""

from __future__ import annotations

import pytest

from tui_scheduler.tui.fitting import Piece, fit, fitting, shortened, total_width

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


@pytest.mark.parametrize(
    ("text", "width", "fitted"),
    [
        ("abc", 5, "abc  "),
        ("abcdef", 5, "abcd…"),
        ("ab cdef", 4, "ab… "),
        ("東京の", 5, "東京…"),
        ("東京の", 4, "東… "),
        ("abc", 0, ""),
        ("ab", 1, "…"),
        ("a\x07b", 3, "a␇b"),
    ],
)
def test_text_is_cut_and_filled_to_its_cells(text: str, width: int, fitted: str) -> None:
    assert fit(text, width) == fitted


def test_text_is_filled_up_at_the_left_or_not_at_all_where_that_is_wanted() -> None:
    assert fit("abc", 5, right=True) == "  abc"
    assert fit("abc", 5, pad=False) == "abc"
    assert fit("東京の", 4, pad=False) == "東…"
