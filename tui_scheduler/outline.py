"""The main screen without what is in it: shown while the library that draws the rest is being imported.

Light, as it is painted before anything else is imported; so it says again what the style sheets and the default theme
say (`tests/test_outline.py` holds the two together).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

WIDE: Final = 100
EDITOR: Final = 42

TEXT: Final = "#d9dfe8"
MUTED: Final = "#98a4b5"
BACKGROUND: Final = "#12161d"
SURFACE: Final = "#181d26"
BAR: Final = "#212835"
PRIMARY: Final = "#6cb0f0"
FRAME: Final = "#424957"

_OPENING: Final = "○ opening…"
_READING: Final = "reading the jobs …"
_SMALLEST: Final = (40, 12)

_Run = tuple[str, str, str]
"""(text, its colour, the colour behind it), of one line."""


def outline(columns: int, rows: int, *, coloured: bool) -> str:
    """What to write on an empty screen of this size. Without `coloured` it is in the terminal's own colours."""
    if columns < _SMALLEST[0] or rows < _SMALLEST[1]:  # nor is the size known everywhere
        return f" tui-scheduler  {_OPENING}"[:columns]
    lines = _wide(columns, rows) if columns >= WIDE else _narrow(columns, rows)
    return "".join(
        f"\x1b[{number}H{''.join(_painted(run) if coloured else run[0] for run in line)}"
        for number, line in enumerate(lines, 1)
    )


def _wide(columns: int, rows: int) -> Iterator[list[_Run]]:
    yield [_filled(f" tui-scheduler   {_OPENING}", columns, TEXT, BAR)]
    yield [_filled("", columns, TEXT, BAR)]
    left, height = columns - EDITOR, rows - 3
    upper = height * 3 // 5
    jobs = _box(left, upper, "┏━┓┃┗┛", " Jobs ", PRIMARY, PRIMARY, upper // 2 - 1)
    log = _box(left, height - upper, "╭─╮│╰╯", " Log ", MUTED, FRAME)
    editor = _box(EDITOR, height, "╭─╮│╰╯", " Editor ", MUTED, FRAME)
    for one, other in zip([*jobs, *log], editor, strict=True):
        yield [*one, *other]
    yield [_filled("", columns, TEXT, BAR)]


def _narrow(columns: int, rows: int) -> Iterator[list[_Run]]:
    yield [_filled(f" {_OPENING}", columns, TEXT, BAR)]
    yield [_filled("[1 Jobs] 2 Editor  3 Log", columns, MUTED, SURFACE)]
    yield [("━Jobs".ljust(columns, "━"), PRIMARY, BACKGROUND)]
    for number in range(rows - 4):
        text = _READING if number == (rows - 4) // 2 else ""
        yield [_filled(_centred(text, columns), columns, MUTED, BACKGROUND)]
    yield [_filled("", columns, TEXT, BAR)]


def _box(
    width: int, height: int, signs: str, title: str, title_colour: str, colour: str, said_at: int = -1
) -> Iterator[list[_Run]]:
    corner, across, other_corner, side, lower, other_lower = tuple(signs)
    yield [
        (corner + across, colour, BACKGROUND),
        (title, title_colour, BACKGROUND),
        (across * (width - 3 - len(title)) + other_corner, colour, BACKGROUND),
    ]
    for number in range(height - 2):
        text = _READING if number == said_at else ""
        inside = _filled(_centred(text, width - 2), width - 2, MUTED, BACKGROUND)
        yield [(side, colour, BACKGROUND), inside, (side, colour, BACKGROUND)]
    yield [(lower + across * (width - 2) + other_lower, colour, BACKGROUND)]


def _centred(text: str, width: int) -> str:
    """As a table does it: one column is the scroll bar's."""
    return " " * ((width - 1 - len(text)) // 2) + text


def _filled(text: str, width: int, colour: str, behind: str) -> _Run:
    return (text[:width].ljust(width), colour, behind)


def _painted(run: _Run) -> str:
    text, colour, behind = run
    return f"\x1b[38;2;{_numbers(colour)};48;2;{_numbers(behind)}m{text}"


def _numbers(colour: str) -> str:
    return ";".join(str(int(colour[at : at + 2], 16)) for at in (1, 3, 5))
