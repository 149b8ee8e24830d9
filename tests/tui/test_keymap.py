"""One's own keys: what can be taken is, and everything else is a sentence."""

from __future__ import annotations

from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widget import Widget

from tests.tui.pilots import play
from tui_scheduler.tui.actions import ACTIONS, Place, bindings
from tui_scheduler.tui.keymap import read_key, read_keys


def test_nothing_changes_nothing() -> None:
    assert read_keys({}) == ({}, [])


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
def test_every_action_can_be_given_what_it_has(action: Any) -> None:
    assert read_keys({action.id: ",".join(action.keys)}) == ({action.id: ",".join(action.keys)}, [])


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
def test_every_action_can_be_given_another_key(action: Any) -> None:
    assert read_keys({action.id: "F12"}) == ({action.id: "f12"}, [])


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("c", "c"),
        ("C", "C"),
        ("?", "question_mark"),
        ("/", "slash"),
        ("-", "minus"),
        ("+", "plus"),
        ("_", "underscore"),
        (",", "comma"),
        ("é", "é"),
        ("F5", "f5"),
        ("f12", "f12"),
        ("Ctrl+X", "ctrl+x"),
        ("control+x", "ctrl+x"),
        ("ctrl+shift+Left", "ctrl+shift+left"),
        ("Shift+Ctrl+Left", "ctrl+shift+left"),
        ("alt+c", "alt+c"),
        ("Ctrl+\\", "ctrl+backslash"),
        ("Ctrl++", "ctrl+plus"),
        ("shift+k", "K"),
        ("Shift+Tab", "shift+tab"),
        ("Esc", "escape"),
        ("Return", "enter"),
        ("PgUp", "pageup"),
        ("Del", "delete"),
        ("space", "space"),
        ("question_mark", "question_mark"),
        ("solidus", "slash"),
        ("slash", "slash"),
        ("full_stop", "full_stop"),
    ],
)
def test_a_key_is_written_as_people_write_it(written: str, name: str) -> None:
    assert read_key(written) == name


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("wobble", "'wobble' is no key"),
        ("f99", "'f99' is no key"),
        ("Ctrl+wobble", "'Ctrl+wobble' is no key"),
        ("hyper+x", "before the + may stand ctrl, alt and shift"),
        ("+x", "before the + may stand"),
        ("\x1b", "is no key"),
        ("shift+1", "write the character that it types"),
        ("", "'' is no key"),
    ],
)
def test_what_is_no_key_is_a_sentence(written: str, says: str) -> None:
    with pytest.raises(ValueError, match=r".+") as raised:
        read_key(written)
    assert says in str(raised.value)
    assert "\x1b" not in str(raised.value)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"nope": "x"}, "keys: nope: there is no such action; they begin with app., main., lines., jobs."),
        ({"log.nope": "x"}, "keys: log.nope: there is no such action; log has open, follow, pause"),
        ({"jobs.create": "wobble"}, "keys: jobs.create: 'wobble' is no key"),
        ({"jobs.create": ""}, "keys: jobs.create: has no key; leave the line out and it keeps c"),
        ({"jobs.create": " , ,"}, "has no key"),
        ({"jobs.create": "Ctrl+M"}, "ctrl+m alone will not do: a terminal sends the same for enter"),
        ({"jobs.create": "Ctrl+J"}, "the same for enter"),
        ({"jobs.create": "Ctrl+I"}, "the same for tab"),
        ({"jobs.create": "Ctrl+H"}, "the same for backspace"),
        ({"jobs.create": "Ctrl+["}, "the same for escape"),
        ({"jobs.create": "Ctrl+S"}, "a terminal multiplexer may keep it"),
        ({"jobs.create": "Ctrl+A, Ctrl+Q"}, "ctrl+a, ctrl+q alone will not do"),
        ({"jobs.create": "d"}, "keys: jobs.create: d is the key of jobs.duplicate (Duplicate the job)"),
        ({"jobs.create": "C, d"}, "d is the key of jobs.duplicate"),
        ({"jobs.create": "j"}, "j is the key of lines.cursor-down"),
        ({"jobs.create": "?"}, "? is the key of app.show-help"),
        ({"jobs.create": "1"}, "1 is the key of main.show-jobs"),
        ({"jobs.create": "C, Ctrl+M"}, "ctrl+m is the key of jobs.open"),
        ({"main.zoom": "c"}, "keys: main.zoom: c is the key of jobs.create"),
        ({"app.leave": "f"}, "keys: app.leave: f is the key of log.follow"),
        ({"lines.cursor-down": "p"}, "p is the key of jobs.pause-resume"),
        ({"editor.save": "x"}, "x would be typed into the field"),
        ({"editor.save": "space, ?"}, "would be typed into the field"),
    ],
)
def test_what_cannot_be_taken_is_a_sentence_and_changes_nothing(table: dict[str, str], says: str) -> None:
    keymap, problems = read_keys(table)
    assert keymap == {}
    (problem,) = problems
    assert says in problem
    assert "\n" not in problem


def test_one_bad_line_leaves_the_others() -> None:
    keymap, problems = read_keys({"jobs.create": "C", "jobs.nope": "x", "log.pause": "v"})
    assert keymap == {"jobs.create": "C", "log.pause": "v"}
    assert len(problems) == 1


def test_two_actions_may_change_places() -> None:
    assert read_keys({"jobs.create": "d", "jobs.duplicate": "c"}) == ({"jobs.create": "d", "jobs.duplicate": "c"}, [])


def test_the_later_of_two_that_want_one_key_goes_without() -> None:
    keymap, problems = read_keys({"jobs.edit": "C", "jobs.create": "C"})
    assert keymap == {"jobs.edit": "C"}
    assert problems == ["keys: jobs.create: C is the key of jobs.edit (Edit the job); give that another one"]


def test_who_loses_its_new_key_takes_the_old_one_back_from_who_was_given_it() -> None:
    keymap, problems = read_keys({"jobs.duplicate": "c", "jobs.create": "q"})
    assert keymap == {}
    assert len(problems) == 2


def test_places_that_are_never_heard_together_may_share_a_key() -> None:
    assert read_keys({"jobs.sort-next": "f", "log.follow": "s"}) == ({"jobs.sort-next": "f", "log.follow": "s"}, [])


def test_a_shaky_key_is_welcome_beside_a_safe_one() -> None:
    assert read_keys({"editor.save": "F10, Ctrl+S"}) == ({"editor.save": "f10,ctrl+s"}, [])


class Pressed(Widget, can_focus=True):
    BINDINGS = bindings(Place.JOBS)

    def __init__(self) -> None:
        super().__init__()
        self.done: list[str] = []

    def action_create(self) -> None:
        self.done.append("create")

    def action_duplicate(self) -> None:
        self.done.append("duplicate")

    def action_filter(self) -> None:
        self.done.append("filter")


class Keyed(App[None]):
    def compose(self) -> ComposeResult:
        yield Pressed()


def test_the_new_keys_work_and_the_old_ones_do_not() -> None:
    app = Keyed()
    keymap, problems = read_keys({"jobs.create": "d, F9", "jobs.duplicate": "c", "jobs.filter": "!, é"})
    assert problems == []

    async def scenario(pilot: Pilot[Any]) -> None:
        app.set_keymap(keymap)
        pressed = app.query_one(Pressed)
        pressed.focus()
        await pilot.press("d", "f9", "c", "slash", "exclamation_mark", "é")
        assert pressed.done == ["create", "create", "duplicate", "filter", "filter"]

    play(app, scenario)


def test_the_key_that_copies_and_gets_people_out_is_not_for_sale() -> None:
    keymap, problems = read_keys({"jobs.run-now": "Ctrl+C"})
    assert keymap == {}
    assert "ctrl+c copies what is selected" in problems[0]
