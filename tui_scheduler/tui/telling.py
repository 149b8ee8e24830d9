"""Toasts: the one way to say something in passing."""

from __future__ import annotations

from typing import Protocol

from textual.notifications import SeverityLevel

from tui_scheduler.tui.formatting import inert


class Teller(Protocol):
    """The app, or a widget of it."""

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = True,
    ) -> None: ...


def tell(
    teller: Teller,
    text: str,
    *,
    title: str = "",
    severity: SeverityLevel = "information",
    timeout: float | None = None,
    lines: bool = False,
) -> None:
    """Say it in a toast. Wherever the text comes from, it does nothing to the terminal and is read as it stands, never
    as markup. `lines`: its line breaks are meant; what it quotes must not have any then.
    """
    teller.notify(inert(text, lines=lines), title=inert(title), severity=severity, timeout=timeout, markup=False)
