"""What the palette offers and finds."""

from __future__ import annotations

from tui_scheduler.tui.actions import ACTIONS, Place
from tui_scheduler.tui.commands import Command, commands, matching

EVERYWHERE = [place for place in Place if place is not Place.LINES]


def names(found: list[Command]) -> list[str]:
    return [command.name for command in found]


def test_every_action_is_offered_but_moving_in_lists_and_the_palette_itself() -> None:
    offered = names(commands(EVERYWHERE, {}, []))
    left_out = {action.id for action in ACTIONS} - set(offered)
    assert left_out == {"app.show-palette", *(action.id for action in ACTIONS if action.place is Place.LINES)}


def test_only_what_can_be_done_here_is_offered() -> None:
    assert {command.where for command in commands([Place.EXECUTION, Place.APP], {}, [])} == {"Execution", "Everywhere"}


def test_keys_are_shown_as_the_user_set_them() -> None:
    found = {command.name: command.keys for command in commands(EVERYWHERE, {"jobs.create": "ctrl+n,c"}, [])}
    assert found["jobs.create"] == "Ctrl+N"
    assert found["app.show-help"] == "?"


def test_themes_are_found_by_name() -> None:
    offered = commands(EVERYWHERE, {}, ["nord", "moss"])
    assert names(matching("nord", offered))[0] == "theme:nord"
    assert names(matching("theme mo", offered))[0] == "theme:moss"


def test_a_few_letters_find_an_action_the_best_first() -> None:
    offered = commands(EVERYWHERE, {}, [])
    assert names(matching("dupl", offered))[0] == "jobs.duplicate"
    assert names(matching("  replay", offered))[0] in {"log.replay", "execution.replay"}


def test_nothing_typed_offers_all_and_nonsense_nothing() -> None:
    offered = commands(EVERYWHERE, {}, [])
    assert matching(" ", offered) == offered
    assert matching("xqzxqz", offered) == []
