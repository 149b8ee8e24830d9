"""Every action there is: what keys, footer, help and palette are made of."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from textual.binding import ActiveBinding, Binding


class Place(StrEnum):
    """Where an action can be taken: which widget or screen has its `action_<name>` method."""

    APP = "Everywhere"
    MAIN = "Main screen"
    LINES = "Moving in a list"
    JOBS = "Jobs"
    EDITOR = "Editor"
    LOG = "Log"
    EXECUTION = "Execution"


@dataclass(frozen=True, slots=True)
class Action:
    """`id` names it in the configuration file, `keys` are Textual's names of keys, the first is the one to show;
    `label` says what it does, `hint` the same in a word for the footer (none: not in the footer).
    """

    place: Place
    name: str
    keys: tuple[str, ...]
    label: str
    hint: str = ""
    priority: bool = False
    """Taken before the widget that has the focus sees the key: never for a printable key."""

    @property
    def id(self) -> str:
        return f"{self.place.name.lower()}.{self.name.replace('_', '-')}"


def _in(place: Place, *actions: tuple[str, tuple[str, ...], str, str]) -> tuple[Action, ...]:
    return tuple(Action(place, *action) for action in actions)


ACTIONS: tuple[Action, ...] = (
    *_in(
        Place.APP,
        ("show_help", ("question_mark", "f1"), "Show the keys", "help"),
        ("show_palette", ("colon", "ctrl+p"), "Find and run any action", "palette"),
        ("undo", ("z",), "Undo the last delete, pause or edit", "undo"),
        ("next_theme", ("T",), "Change the theme", ""),
        ("toggle_mouse", ("percent_sign",), "Give the mouse to the terminal, to select text, or take it back", ""),
        ("leave", ("q",), "Quit, or close what lies over the panes; work under way is finished", "quit"),
    ),
    *_in(
        Place.MAIN,
        ("show_jobs", ("1",), "Go to the jobs", ""),
        ("show_editor", ("2",), "Go to the editor", ""),
        ("show_log", ("3",), "Go to the log", ""),
        ("next_pane", ("tab",), "Next pane", ""),
        ("previous_pane", ("shift+tab",), "Previous pane", ""),
        ("zoom", ("plus",), "Give the pane the whole screen", "zoom"),
        ("unzoom", ("underscore",), "Show all panes again", ""),
        ("jump", ("ctrl+o", "f6"), "Jump to a pane or field by its letter", ""),
        ("back", ("escape",), "Back: overlay, filter, marks, pane", "back"),
    ),
    *_in(
        Place.LINES,
        ("cursor_down", ("j", "down"), "Down", ""),
        ("cursor_up", ("k", "up"), "Up", ""),
        ("cursor_first", ("g", "home"), "First line", ""),
        ("cursor_last", ("G", "end"), "Last line", ""),
        ("page_down", ("pagedown",), "A page down", ""),
        ("page_up", ("pageup",), "A page up", ""),
        ("scroll_left_some", ("left",), "Scroll left", ""),
        ("scroll_right_some", ("right",), "Scroll right", ""),
    ),
    *_in(
        Place.JOBS,
        ("open", ("enter",), "Open the job in the editor", "open"),
        ("create", ("c",), "Create a job", "create"),
        ("edit", ("e",), "Edit the job", "edit"),
        ("edit_body", ("E",), "Edit the body of its request in $EDITOR", ""),
        ("duplicate", ("d",), "Duplicate the job", ""),
        ("import_crontab", ("i",), "Import a crontab", ""),
        ("run_now", ("r",), "Run now", "run"),
        ("pause_resume", ("p",), "Pause, or resume", "pause"),
        ("cancel_runs", ("x",), "Cancel what runs or waits", ""),
        ("delete", ("D",), "Delete (asks first)", "delete"),
        ("show_log_of", ("l",), "Show the log of the job", "log"),
        ("filter", ("slash",), "Filter: words, tag:, state:, queue:, ! for not", "filter"),
        ("next_failing", ("n",), "Next failing job", ""),
        ("previous_failing", ("N",), "Previous failing job", ""),
        ("sort_next", ("s",), "Sort by the next column", "sort"),
        ("sort_reverse", ("S",), "Turn the order round", ""),
        ("mark", ("space",), "Mark", "mark"),
        ("mark_range", ("V",), "Mark from the last mark to here", ""),
        ("mark_all", ("asterisk",), "Mark all that the filter shows", ""),
        ("clear_marks", ("backslash",), "Clear all marks", ""),
        ("copy", ("y",), "Copy the line", ""),
        ("copy_curl", ("Y",), "Copy the request as curl", ""),
    ),
    *_in(
        Place.EDITOR,
        ("edit", ("enter", "e"), "Edit the fields", "edit"),
        ("create", ("c",), "Create a job", "create"),
        ("scroll_down_some", ("j", "down"), "Scroll down", ""),
        ("scroll_up_some", ("k", "up"), "Scroll up", ""),
        ("page_down", ("pagedown",), "A page down", ""),
        ("page_up", ("pageup",), "A page up", ""),
        ("save", ("f10", "ctrl+s"), "Save", "save"),
        ("test", ("f2",), "Send the request once, saving nothing", "test"),
        ("paste_curl", ("f3",), "Fill in from a curl command", "curl"),
        ("edit_body", ("f4",), "Edit the body in $EDITOR", "$EDITOR"),
        ("revert", ("f5",), "Back to what is stored", ""),
    ),
    *_in(
        Place.LOG,
        ("open", ("enter",), "Open the execution: attempts, headers, response", "open"),
        ("follow", ("f",), "Follow the newest", "follow"),
        ("pause", ("p",), "Hold the view still; what comes meanwhile is kept", "pause"),
        ("since", ("w",), "How far back: 1 minute, 15, an hour, a day, all", "since"),
        ("states", ("t",), "Which states: all, failed, skipped, running, succeeded", "states"),
        ("only_job", ("o",), "Only the job of this line, or all jobs again", "only"),
        ("search", ("slash",), "Search", "search"),
        ("next_match", ("n",), "Next match", ""),
        ("previous_match", ("N",), "Previous match", ""),
        ("mark_line", ("m",), "Draw a line here", ""),
        ("replay", ("r",), "Replay the execution", "replay"),
        ("cancel_run", ("x",), "Cancel the execution", ""),
        ("copy", ("y",), "Copy the line", ""),
        ("copy_curl", ("Y",), "Copy its request as curl", ""),
    ),
    *_in(
        Place.EXECUTION,
        ("close", ("escape", "enter", "q"), "Back; nothing is quit from here", "back"),
        ("show_help", ("question_mark", "f1"), "Show the keys", "help"),
        ("replay", ("r",), "Replay the execution", "replay"),
        ("cancel_run", ("x",), "Cancel the execution", ""),
        ("copy", ("y",), "Copy the response", "copy"),
        ("copy_curl", ("Y",), "Copy the request as curl", "curl"),
    ),
)


def bindings(place: Place) -> list[Binding | tuple[str, str] | tuple[str, str, str]]:
    """What a widget or screen of that place has as its BINDINGS."""
    return [
        Binding(
            ",".join(action.keys),
            action.name,
            action.label,
            show=bool(action.hint),
            priority=action.priority,
            id=action.id,
        )
        for action in ACTIONS
        if action.place is place
    ]


BY_ID: Final[dict[str, Action]] = {action.id: action for action in ACTIONS}

_NAMED: Final = {
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "escape": "Esc",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "delete": "Del",
    "insert": "Ins",
}
"""Keys whose usual name on a keyboard is not theirs in Textual with a capital."""

_CHARACTERS: Final = {
    "slash": "/",
    "backslash": "\\",
    "plus": "+",
    "minus": "-",
    "underscore": "_",
    "at": "@",
    "full_stop": ".",
    "circumflex_accent": "^",
    "grave_accent": "`",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "equals_sign": "=",
}
"""Names that Unicode does not know, or knows for something else."""


def keys_of(action: Action, keymap: Mapping[str, str]) -> tuple[str, ...]:
    """The keys of an action, the one to show first; `keymap` has those that the user chose, by the action's id."""
    chosen = keymap.get(action.id)
    return action.keys if chosen is None else tuple(key.strip() for key in chosen.split(",") if key.strip())


def key_now(name: str, active: Iterable[ActiveBinding]) -> str:
    """The key of an action among the bindings that are active, or its usual one where it is not, readable."""
    bound = next((entry.binding.key for entry in active if entry.binding.action == name), None)
    return readable(bound or next(action.keys[0] for action in ACTIONS if action.name == name))


def character(key: str) -> str | None:
    """What a key types, None for one that types nothing: `?` for `question_mark`."""
    if len(key) == 1:
        return key
    if "+" in key:
        return None
    if key == "space":
        return " "
    try:
        found = _CHARACTERS.get(key) or unicodedata.lookup(key.replace("_", " "))
    except KeyError:
        return None
    return found if found.isprintable() else None  # Unicode knows "tab" and "escape", too


def readable(key: str) -> str:
    """A key as it is printed on a keyboard: `?`, `Ctrl+P`, `↑`, `Esc`, `F1`."""
    *modifiers, last = key.split("+") if len(key) > 1 else [key]
    name = character(last)
    if name is None or name == " ":
        name = _NAMED.get(last, last.capitalize())
    elif modifiers:
        name = name.upper()
    return "+".join([*(modifier.capitalize() for modifier in modifiers), name])
