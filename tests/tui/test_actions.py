"""The registry of actions: every one can be taken, by a key that reaches us on every terminal."""

from __future__ import annotations

from collections import Counter

import pytest
from textual.binding import ActiveBinding, Binding
from textual.dom import DOMNode

from tui_scheduler.tui.actions import ACTIONS, BY_ID, Action, Place, bindings, character, key_now, keys_of, readable
from tui_scheduler.tui.app import SchedulerApp
from tui_scheduler.tui.screens.execution import ExecutionScreen
from tui_scheduler.tui.screens.main import MainScreen
from tui_scheduler.tui.widgets.editor_pane import EditorPane
from tui_scheduler.tui.widgets.jobs_pane import JobsPane
from tui_scheduler.tui.widgets.lines import LineView
from tui_scheduler.tui.widgets.log_pane import LogPane

CLASSES: dict[Place, type[DOMNode]] = {
    Place.APP: SchedulerApp,
    Place.MAIN: MainScreen,
    Place.LINES: LineView,
    Place.JOBS: JobsPane,
    Place.EDITOR: EditorPane,
    Place.LOG: LogPane,
    Place.EXECUTION: ExecutionScreen,
}

# The same bytes as Enter, Tab, Backspace or Esc; or taken by multiplexers, flow control and editors' terminals.
UNRELIABLE = {f"ctrl+{key}" for key in ("j", "m", "i", "h", "left_square_bracket", "s", "a", "b", "q")}


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
def test_every_action_can_be_taken_where_it_belongs(action: Action) -> None:
    assert callable(getattr(CLASSES[action.place], f"action_{action.name}", None))


@pytest.mark.parametrize("place", Place)
def test_every_place_binds_its_actions(place: Place) -> None:
    own = bindings(place)
    assert CLASSES[place].BINDINGS[: len(own)] == own


@pytest.mark.parametrize("place", Place)
def test_no_two_actions_of_a_place_share_a_key(place: Place) -> None:
    keys = Counter(key for action in ACTIONS if action.place is place for key in action.keys)
    assert [key for key, number in keys.items() if number > 1] == []


@pytest.mark.parametrize("inner", [Place.JOBS, Place.LOG])
def test_a_pane_takes_no_key_from_the_lists_in_it_or_the_screen_around_it(inner: Place) -> None:
    around = {key for a in ACTIONS if a.place in {Place.LINES, Place.MAIN, Place.APP} for key in a.keys}
    assert around & {key for action in ACTIONS if action.place is inner for key in action.keys} == set()


def test_ids_are_unique() -> None:
    assert len(BY_ID) == len(ACTIONS)


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
def test_no_action_depends_on_a_key_that_may_not_arrive(action: Action) -> None:
    reliable = [key for key in action.keys if key not in UNRELIABLE]
    assert any("ctrl+" not in key for key in reliable)


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
def test_no_key_that_types_something_is_taken_before_a_field_sees_it(action: Action) -> None:
    assert not action.priority or all(character(key) is None for key in action.keys)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("question_mark", "?"),
        ("colon", ":"),
        ("slash", "/"),
        ("backslash", "\\"),
        ("asterisk", "*"),
        ("percent_sign", "%"),
        ("plus", "+"),
        ("underscore", "_"),
        ("T", "T"),
        ("z", "z"),
        ("space", "Space"),
        ("tab", "Tab"),
        ("shift+tab", "Shift+Tab"),
        ("ctrl+p", "Ctrl+P"),
        ("ctrl+shift+o", "Ctrl+Shift+O"),
        ("escape", "Esc"),
        ("enter", "Enter"),
        ("up", "↑"),
        ("pagedown", "PgDn"),
        ("delete", "Del"),
        ("f10", "F10"),
    ],
)
def test_keys_are_called_as_on_a_keyboard(key: str, name: str) -> None:
    assert readable(key) == name


def test_the_keys_a_user_chose_replace_ours() -> None:
    undo = BY_ID["app.undo"]
    assert keys_of(undo, {}) == ("z",)
    assert keys_of(undo, {"app.undo": "u, ctrl+z"}) == ("u", "ctrl+z")


def test_an_action_is_named_by_the_key_that_is_bound_now_or_else_by_its_usual_one() -> None:
    rebound = ActiveBinding(DOMNode(), Binding("ctrl+z", "undo"), enabled=True)
    assert key_now("undo", [rebound]) == "Ctrl+Z"
    assert key_now("undo", []) == "z"
