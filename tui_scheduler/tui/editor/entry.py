"""What all the widgets that hold the text of a field can do."""

from __future__ import annotations

from typing import Protocol

from textual.message import Message


class Entry(Protocol):
    """A widget with the text of a field, exactly as it was given to it until the user changes it."""

    def entered(self) -> str:
        """The text."""
        ...

    def enter(self, text: str) -> None:
        """Put a text in, telling nobody."""
        ...


class Changed(Message):
    """The user changed the text of an entry."""
