"""Who gets the mouse: the program, or the terminal, which selects text with it."""

from __future__ import annotations

from typing import Final

from textual.driver import Driver

_MODES: Final = (1000, 1003, 1015, 1006)
"""What Textual switches on: clicks, moves, and two ways of telling where."""


def take(driver: Driver) -> None:
    """The program gets the mouse."""
    driver._mouse = True  # what it restores after a suspension; Textual has no documented way
    _switch(driver, "h")


def give_away(driver: Driver) -> None:
    """The terminal gets the mouse, also after the program was suspended and comes back."""
    _switch(driver, "l")
    driver._mouse = False


def _switch(driver: Driver, to: str) -> None:
    driver.write("".join(f"\x1b[?{mode}{to}" for mode in _MODES))
    driver.flush()
