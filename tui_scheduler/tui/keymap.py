"""One's own keys: the `[keys]` table of the configuration file, checked before Textual is given it.

Textual ignores an action it does not know and silently takes a key from whoever had it; here each is a sentence.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Final

from textual.keys import KEY_NAME_REPLACEMENTS, REPLACED_KEYS, Keys, format_key, key_to_character

from tui_scheduler.tui.actions import ACTIONS, Action, Place

_NAMED: Final = frozenset(key.value for key in Keys if key.value.isalnum() and "+" not in key.value)
_ALSO: Final = {
    "esc": "escape",
    "return": "enter",
    "pgup": "pageup",
    "pgdn": "pagedown",
    "pgdown": "pagedown",
    "del": "delete",
    "ins": "insert",
    "backtab": "shift+tab",
}
_MODIFIERS: Final = {"alt": "alt", "option": "alt", "ctrl": "ctrl", "control": "ctrl", "shift": "shift"}

_SAME_BYTES: Final = {
    "ctrl+m": "enter",
    "ctrl+j": "enter",
    "ctrl+i": "tab",
    "ctrl+h": "backspace",
    "ctrl+left_square_bracket": "escape",
}
"""What a terminal cannot tell from another key."""

_EATEN: Final = frozenset({"ctrl+s", "ctrl+a", "ctrl+b", "ctrl+q"})
"""What flow control and terminal multiplexers keep for themselves."""

_TOGETHER: Final = (
    {Place.APP, Place.MAIN, Place.LINES, Place.JOBS},
    {Place.APP, Place.MAIN, Place.EDITOR},
    {Place.APP, Place.MAIN, Place.LINES, Place.LOG},
    {Place.APP, Place.LINES, Place.EXECUTION},
)
"""Places whose keys are heard at one time: there a key means one thing."""

_INSTEAD: Final = ({"app.leave", "execution.close"}, {"app.show-help", "execution.show-help"})
"""The second takes the place of the first where it is heard: they may share keys."""


class _Refused(ValueError):
    """Why an entry cannot be taken, to follow its name in a sentence."""


def read_keys(table: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """What `App.set_keymap` is to be given, and a sentence for every entry that is left out.

    The table has an action's id and its keys, separated by commas, as in `jobs.create = "C, ctrl+n"`. An entry that
    cannot be taken leaves the action with the keys it has; the others stand.
    """
    wanted: dict[str, tuple[str, ...]] = {}
    problems: list[str] = []
    actions = {action.id: action for action in ACTIONS}
    for name, text in table.items():
        try:
            if name not in actions:
                raise _Refused(_unknown(name, actions))
            wanted[name] = _read_entry(text, actions[name])
        except _Refused as refused:
            problems.append(f"keys: {name}: {refused}")
    while (clash := _find_clash(wanted)) is not None:
        loser, problem = clash
        del wanted[loser]
        problems.append(f"keys: {loser}: {problem}")
    return {name: ",".join(keys) for name, keys in wanted.items()}, problems


def _unknown(name: str, actions: Iterable[str]) -> str:
    place = name.partition(".")[0]
    near = [each for each in actions if each.startswith(f"{place}.")]
    if near:
        return f"there is no such action; {place} has {', '.join(each.partition('.')[2] for each in near)}"
    places = dict.fromkeys(each.partition(".")[0] for each in actions)
    return f"there is no such action; they begin with {', '.join(f'{each}.' for each in places)}"


def _read_entry(text: str, action: Action) -> tuple[str, ...]:
    parts = [","] if text.strip() == "," else [part.strip() for part in text.split(",")]
    keys = tuple(dict.fromkeys(read_key(part) for part in parts if part))
    if not keys:
        raise _Refused(f"has no key; leave the line out and it keeps {', '.join(map(format_key, action.keys))}")
    if "ctrl+c" in keys:
        raise _Refused("ctrl+c copies what is selected, and is what people press to get out; take another key")
    if all(key in _SAME_BYTES for key in keys):
        key = keys[0]
        raise _Refused(f"{key} alone will not do: a terminal sends the same for {_SAME_BYTES[key]}; add another key")
    if all(key in _SAME_BYTES or key in _EATEN for key in keys):
        raise _Refused(
            f"{', '.join(keys)} alone will not do: flow control or a terminal multiplexer may keep it; add another key"
        )
    in_fields = action.place is Place.EDITOR and not any(_is_typed(key) for key in action.keys)
    if in_fields and all(_is_typed(key) for key in keys):
        raise _Refused(f"{', '.join(keys)} would be typed into the field; use a function key, or Ctrl or Alt with one")
    return keys


def read_key(text: str) -> str:
    """Textual's name of a key written by a person: `?`, `F5`, `Ctrl+X`, `PgUp`, `question_mark`.

    Raises `ValueError` with a sentence.
    """
    text = text.strip()
    if len(text) == 1:
        return _name_of(text)
    *before, last = text.split("+") if not text.endswith("++") else [*text[:-2].split("+"), "+"]
    modifiers = {_MODIFIERS.get(each.strip().lower(), "") for each in before}
    base = _read_base(last.strip(), text)
    if "" in modifiers:
        raise _Refused(f"{text!r} is no key; before the + may stand ctrl, alt and shift")
    if not modifiers:
        return base
    if _is_typed(base):
        if modifiers == {"shift"}:
            if len(base) == 1 and base.isalpha():
                return base.upper()
            raise _Refused(f"{text!r}: write the character that it types")
        base = base.lower()
    return "+".join([*sorted(modifiers), base])


def _read_base(text: str, whole: str) -> str:
    if len(text) == 1:
        return _name_of(text)
    name = _ALSO.get(text.lower(), text.lower())
    if name in _NAMED or name in _ALSO.values():
        return name
    character = key_to_character(REPLACED_KEYS.get(name, name))
    if character is None or not character.isprintable():
        raise _Refused(f"{whole!r} is no key; keys are written like c, C, ?, F5, Ctrl+X, PgUp")
    return _name_of(character)


def _name_of(character: str) -> str:
    """Letters and digits are their own names, the rest has that of Unicode, with Textual's few exceptions."""
    if character.isalnum():
        return character
    name = unicodedata.name(character, "").lower().replace("-", "_").replace(" ", "_")
    if not name:
        raise _Refused(f"{character!r} is no key")
    return KEY_NAME_REPLACEMENTS.get(name, name)


def _is_typed(key: str) -> bool:
    """Whether it puts a character into a text field."""
    return key == "space" or (key not in _NAMED and "+" not in key)


def _find_clash(wanted: Mapping[str, tuple[str, ...]]) -> tuple[str, str] | None:
    """The latest entry that takes a key from another action, and the sentence about it; None when all are at peace."""
    order = {name: number for number, name in enumerate(wanted)}
    worst: tuple[int, str, str] | None = None
    for places in _TOGETHER:
        owners: dict[str, Action] = {}
        for action in (action for action in ACTIONS if action.place in places):
            for key in wanted.get(action.id, action.keys):
                other = owners.setdefault(_SAME_BYTES.get(key, key), action)
                if other is action or {other.id, action.id} in _INSTEAD:
                    continue
                number, loser, keeper = max(
                    (order.get(action.id, -1), action.id, other),
                    (order.get(other.id, -1), other.id, action),
                    key=lambda each: each[0],
                )
                if number >= 0 and (worst is None or number > worst[0]):
                    worst = (
                        number,
                        loser,
                        f"{format_key(key)} is the key of {keeper.id} ({keeper.label}); give that another one",
                    )
    return None if worst is None else worst[1:]
