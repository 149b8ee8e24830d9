"""What the palette finds: every action by its label, every theme by its name. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from textual.fuzzy import FuzzySearch

from tui_scheduler.tui.actions import ACTIONS, Place, keys_of, readable

THEME: Final = "theme:"
"""What the name of a command begins with that shows a theme."""

_NOT_OFFERED: Final = {"app.show-palette"}


@dataclass(frozen=True, slots=True)
class Command:
    """`name` is the id of an action or a theme's name after `THEME`; `where` and `keys` are to be read beside it."""

    name: str
    label: str
    where: str
    keys: str = ""


def commands(places: Collection[Place], keymap: Mapping[str, str], themes: Iterable[str]) -> list[Command]:
    """All that can be run at these places, in the order of the registry, then the themes. Moving in a list is left
    out: nobody moves a line down by typing "down".
    """
    found = [
        Command(action.id, action.label, action.place.value, readable(next(iter(keys_of(action, keymap)), "")))
        for action in ACTIONS
        if action.place in places and action.place is not Place.LINES and action.id not in _NOT_OFFERED
    ]
    return [*found, *(Command(f"{THEME}{name}", f"Theme: {name}", Place.APP.value) for name in themes)]


def matching(query: str, offered: list[Command]) -> list[Command]:
    """Those whose label or place has the letters of the query in its order, the best first."""
    if not query.strip():
        return offered
    search = FuzzySearch()
    scored = [(search.match(query.strip(), f"{command.label} {command.where}")[0], command) for command in offered]
    best = sorted(((score, command) for score, command in scored if score), key=lambda pair: -pair[0])
    return [command for _, command in best]
