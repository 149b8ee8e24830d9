"""What is shown of a line when not everything fits. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size

from tui_scheduler.tui.formatting import inert


class Piece(NamedTuple):
    """Part of a line: shown whole or not at all. The lower its `rank`, the longer it stays."""

    text: str
    rank: int
    style: str = ""
    name: str = ""

    @property
    def width(self) -> int:
        return cell_len(self.text)


def fitting(pieces: Sequence[Piece], width: int, gap: int = 2) -> list[Piece]:
    """The most important pieces that fit beside each other, in the order given."""
    left = width + gap
    kept: set[int] = set()
    for index in sorted(range(len(pieces)), key=lambda index: pieces[index].rank):
        if pieces[index].width + gap > left:
            break  # a lesser one that happens to be shorter would jump in and out as numbers grow
        left -= pieces[index].width + gap
        kept.add(index)
    return [piece for index, piece in enumerate(pieces) if index in kept]


def total_width(pieces: Sequence[Piece], gap: int = 2) -> int:
    return sum(piece.width for piece in pieces) + gap * max(len(pieces) - 1, 0)


@lru_cache(maxsize=4_096)
def fit(text: str, width: int, *, right: bool = False, pad: bool = True) -> str:
    """Exactly `width` cells of it, whatever it is: harmless, cut off with an ellipsis, filled up with spaces; without
    `pad` at most so many.
    """
    if not text.isascii() or not text.isprintable():
        # Only so much of it as can matter: a name may be long, and of characters that take no cells at all.
        cut = len(text) > width * 3
        # Variation selectors make the same character one cell wide in one terminal and two in another.
        text = inert(text[: width * 3]).replace("\N{VARIATION SELECTOR-16}", "") + "…" * cut
    if cell_len(text) > width:
        text = set_cell_size(text, width - 1).rstrip() + "…" if width > 0 else ""
    blanks = " " * (width - cell_len(text)) if pad else ""
    return blanks + text if right else text + blanks


def shortened(text: str, width: int) -> str:
    """The text, or its beginning and an ellipsis, in at most `width` cells."""
    if cell_len(text) <= width:
        return text
    while text and cell_len(text) > width - 1:
        text = text[:-1]
    return f"{text.rstrip()}…" if width > 0 else ""
