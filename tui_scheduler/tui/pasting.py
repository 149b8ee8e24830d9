"""What is pasted is text, whatever is in it."""

from __future__ import annotations

from typing import Final

_BEGIN: Final = "\x1b[200~"
_END: Final = "\x1b[201~"

_KEPT: Final = frozenset("\t\n\r")


class PasteGuard:
    """Stands between a terminal and who reads its keys. Control characters within a paste are taken out, above all the
    escape that would make keys of what follows it: a text from a web page could press any of them.
    """

    def __init__(self) -> None:
        self._is_pasting = False
        self._passed = ""
        """The end of what came before a paste. It was given out, for it may be a key that somebody waits for."""
        self._held = ""
        """The end of what came within a paste, as long as it may be the beginning of the mark that ends it."""

    def feed(self, text: str) -> str:
        """What may be read now, of what was held back and `text`."""
        harmless = []
        while text:
            taken, text = self._within(text) if self._is_pasting else self._before(text)
            harmless.append(taken)
        return "".join(harmless)

    def _before(self, text: str) -> tuple[str, str]:
        known = len(self._passed)
        before, mark, after = (self._passed + text).partition(_BEGIN)
        self._is_pasting = bool(mark)
        self._passed = "" if mark else before[1 - len(_BEGIN) :]
        return (before + mark)[known:], after

    def _within(self, text: str) -> tuple[str, str]:
        within, mark, after = (self._held + text).partition(_END)
        self._is_pasting = not mark
        self._held = "" if mark else _beginning_of_end(within)
        return _printed(within.removesuffix(self._held)) + mark, after


def _beginning_of_end(text: str) -> str:
    """As much of the end of a text as the mark may begin with."""
    return next((_END[:length] for length in range(len(_END) - 1, 0, -1) if text.endswith(_END[:length])), "")


def _printed(text: str) -> str:
    return "".join(char for char in text if char in _KEPT or not (ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0))
