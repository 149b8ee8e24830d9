"""Toasts: the one way to say something in passing."""

from __future__ import annotations

from typing import Any, Literal

from textual.app import App
from textual.widget import Widget

from tui_scheduler.tui.formatting import inert

Severity = Literal["information", "warning", "error"]


def tell(
    teller: App[Any] | Widget,
    text: str,
    *,
    title: str = "",
    severity: Severity = "information",
    timeout: float | None = None,
    lines: bool = False,
) -> None:
    """Say it in a toast. Wherever the text comes from, it does nothing to the terminal and is read as it stands, never
    as markup. `lines`: its line breaks are meant; what it quotes must not have any then.
    """
    teller.notify(inert(text, lines=lines), title=inert(title), severity=severity, timeout=timeout, markup=False)
