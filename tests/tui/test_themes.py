"""Themes: ours can be read by everybody, and a broken one is a sentence."""

from __future__ import annotations

import os
import re
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.color import Color
from textual.pilot import Pilot
from textual.theme import Theme
from textual.widgets import Button, Input, Static, TextArea

from tests.tui.pilots import play, until
from tui_scheduler.domain.errors import Invalid
from tui_scheduler.tui.themes import DEFAULT, Themes, install, read_theme, shipped_folder

SHIPPED = sorted(path.stem for path in shipped_folder().glob("*.toml"))
TRUE_COLOUR = [name for name in SHIPPED if name != "terminal"]
HIGH_CONTRAST = [name for name in SHIPPED if name.startswith("high-contrast")]
GROUNDS = ["background", "surface", "panel"]
TEXTS = [
    "foreground",
    "foreground-muted",
    "primary",
    "secondary",
    "accent",
    "success",
    "warning",
    "error",
    "text",
    "text-muted",
    *[f"text-{name}" for name in ("primary", "secondary", "accent", "success", "warning", "error")],
]
ON_CURSORS = [f"text-{name}" for name in ("muted", "primary", "accent", "success", "warning", "error")]

PLAIN = """
name = "plain"
primary = "#6cb0f0"
secondary = "#93a4bd"
accent = "#e3b45c"
foreground = "#d9dfe8"
background = "#12161d"
surface = "#181d26"
panel = "#212835"
success = "#74c98a"
warning = "#e8a657"
error = "#f28a86"
"""


def shipped(name: str) -> Theme:
    path = shipped_folder() / f"{name}.toml"
    return read_theme(path.read_text(encoding="utf-8"), path.name)


def luminance(colour: Color) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    parts = [part / 255 for part in (colour.r, colour.g, colour.b)]
    red, green, blue = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(text: str, ground: Color) -> float:
    """The ratio on an opaque ground; `auto` is black or white, whichever is seen better."""
    if text.startswith("auto"):
        shown = ground + ground.get_contrast_text(float(text.split()[1].rstrip("%")) / 100)
    else:
        shown = ground + Color.parse(text)
    darker, lighter = sorted((luminance(shown), luminance(ground)))
    return (lighter + 0.05) / (darker + 0.05)


def too_faint(name: str, least: float) -> list[str]:
    made = shipped(name).to_color_system().generate()
    pairs = [
        *product(TEXTS, GROUNDS),
        *product(ON_CURSORS, ["block-cursor-blurred-background"]),
        ("block-cursor-foreground", "block-cursor-background"),
        ("block-cursor-blurred-foreground", "block-cursor-blurred-background"),
        *product(["button-color-foreground"], ["primary", "success", "warning", "error"]),
    ]
    return [f"{text} on {ground}" for text, ground in pairs if contrast(made[text], Color.parse(made[ground])) < least]


def test_contrast_is_measured_as_wcag_does() -> None:
    assert contrast("#ffffff", Color.parse("#000000")) == pytest.approx(21)
    assert contrast("#777777", Color.parse("#ffffff")) == pytest.approx(4.48, abs=0.01)


def test_there_are_dark_light_high_contrast_and_terminal_ones() -> None:
    assert {DEFAULT, "scheduler-light", "high-contrast-dark", "high-contrast-light", "terminal"} <= set(SHIPPED)
    assert {shipped(name).dark for name in HIGH_CONTRAST} == {True, False}
    assert len(SHIPPED) >= 6


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_theme_is_named_as_its_file_and_draws_a_screen(name: str) -> None:
    assert shipped(name).name == name

    class Everything(App[None]):
        def compose(self) -> ComposeResult:
            yield Static("text")
            yield Input("typed")
            yield TextArea("body")
            yield Button("press", "error")

    app = Everything()
    assert install(app, shipped_folder()) == []

    async def scenario(pilot: Pilot[Any]) -> None:
        app.theme = name
        await pilot.pause()
        assert app.export_screenshot()

    play(app, scenario)


@pytest.mark.parametrize("name", TRUE_COLOUR)
def test_all_text_of_a_shipped_theme_can_be_read(name: str) -> None:
    assert too_faint(name, 4.5) == []


@pytest.mark.parametrize("name", HIGH_CONTRAST)
def test_high_contrast_is_seven_to_one(name: str) -> None:
    assert too_faint(name, 7.0) == []


def test_the_one_of_the_terminal_has_no_colour_of_its_own() -> None:
    path = shipped_folder() / "terminal.toml"
    assert "#" not in path.read_text(encoding="utf-8").partition("name =")[2]
    theme = shipped("terminal")
    assert theme.ansi
    assert {Color.parse(theme.to_color_system().generate()[name]).ansi for name in ("background", "foreground")} == {-1}


def test_the_example_in_the_documentation_is_a_theme() -> None:
    text = (Path(__file__).parents[2] / "docs" / "themes.md").read_text(encoding="utf-8")
    examples = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert read_theme(examples[1], "example").name == "harbour"
    for name in SHIPPED:
        assert f"`{name}`" in text


def test_a_theme_of_the_terminals_colours_has_every_variable_that_others_have() -> None:
    ansi = read_theme(re.sub("#[0-9a-f]{6}", "ansi_default", PLAIN) + "ansi = true", "x")
    others = Theme("x", "#000000").to_color_system().generate()
    assert set(others) <= set(ansi.to_color_system().generate())


def test_a_plain_file_is_enough() -> None:
    theme = read_theme(PLAIN, "plain.toml")
    assert (theme.name, theme.dark, theme.ansi, theme.primary) == ("plain", True, False, "#6cb0f0")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name plain", "not valid TOML"),
        (PLAIN + 'colour = "red"', "unknown key 'colour'; there are name, dark"),
        (PLAIN.replace('name = "plain"', ""), "'name' is missing"),
        (PLAIN.replace('"plain"', '"Plain Theme"'), "must be small letters"),
        (PLAIN.replace('"plain"', "3"), "'name' must be text"),
        (PLAIN.replace("primary", "# primary"), "'primary' is missing"),
        (PLAIN.replace("#6cb0f0", "#6cb0fz"), "primary is no colour: '#6cb0fz'"),
        (PLAIN.replace("#6cb0f0", "transparent"), "primary must be an opaque colour"),
        (PLAIN.replace("#12161d", "#12161d80"), "background must be an opaque colour"),
        (PLAIN.replace("#6cb0f0", "ansi_blue"), "needs ansi = true"),
        (PLAIN + 'dark = "yes"', "'dark' must be true or false"),
        (PLAIN + "variables = 3", "'variables' must be a table"),
        (PLAIN + "[variables]\nborder = 3", "'variables' must be a table of text"),
        (PLAIN + '[variables]\nboarder = "#fff"', "unknown variable 'boarder'"),
        (PLAIN + '[variables]\nborder = "#ggg"', "variable border is no colour"),
        (PLAIN + '[variables]\nborder = "#fff 120%"', "between 0 and 100"),
        (PLAIN + '[variables]\nborder = "#fff x%"', "variable border is no colour"),
        (PLAIN + '[variables]\nborder = "ansi_red"', "needs ansi = true"),
        (PLAIN + '[variables]\nborder = "red; } * { display: none"', "variable border is no colour"),
        (PLAIN + '[variables]\nblock-cursor-text-style = "fat"', "is no text style"),
        (PLAIN + '[variables]\nlink-style-hover = ""', "is no text style"),
    ],
)
def test_a_broken_one_is_a_sentence_naming_the_file(text: str, says: str) -> None:
    with pytest.raises(Invalid) as raised:
        read_theme(text, "mine.toml")
    assert str(raised.value).startswith("mine.toml: ")
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("value", ["#fff 50%", "auto 87%", "rgb(10, 20, 30)", "transparent", "red"])
def test_a_variable_takes_what_a_style_sheet_takes(value: str) -> None:
    assert read_theme(f'{PLAIN}[variables]\ntext-muted = "{value}"', "x").variables == {"text-muted": value}


def test_the_sound_ones_of_a_folder_are_there_in_spite_of_broken_ones(tmp_path: Path) -> None:
    (tmp_path / "good.toml").write_text(PLAIN)
    (tmp_path / "bad.toml").write_text("name = ")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "huge.toml").write_text("#" * 70_000)
    (tmp_path / "notes.txt").write_text("no theme")
    (tmp_path / "twin.toml").write_text(PLAIN)
    app = App[None]()
    problems = install(app, tmp_path / "not there", tmp_path)
    assert "plain" in app.available_themes
    assert [problem.split(": ")[0].rpartition("/")[2] for problem in problems] == [
        "bad.toml",
        "binary.toml",
        "folder.toml",
        "huge.toml",
        "twin.toml",
    ]
    assert problems[-1].endswith(f"a theme named 'plain' is there already: {tmp_path / 'good.toml'}")


def test_a_theme_of_the_user_cannot_take_the_name_of_a_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text(PLAIN.replace("plain", DEFAULT))
    app = App[None]()
    assert len(install(app, shipped_folder(), tmp_path)) == 1
    assert app.available_themes[DEFAULT] == shipped(DEFAULT)


class Themed(App[None]):
    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.themes = Themes(self, shipped_folder(), folder)
        self.problems = self.themes.read()
        self.seen: list[str] = []

    def compose(self) -> ComposeResult:
        yield Static("text")

    def on_mount(self) -> None:
        self.theme_changed_signal.subscribe(self, lambda theme: self.seen.append(theme.primary))


def rewrite(path: Path, text: str) -> None:
    """With a time that differs, however coarse the file system's clock is."""
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text(text)
    os.utime(path, ns=(before + 10**9, before + 10**9))


def test_a_name_that_is_not_there_is_a_sentence_and_the_default(tmp_path: Path) -> None:
    app = Themed(tmp_path)

    async def scenario(pilot: Pilot[Any]) -> None:
        assert app.themes.choose("linen") is None
        assert app.theme == "linen"
        problem = app.themes.choose("no such")
        assert problem is not None
        assert problem.startswith("there is no theme 'no such'; there are ember, high-contrast-dark")
        assert app.theme == DEFAULT
        assert app.themes.choose("") is None
        assert app.theme == DEFAULT

    play(app, scenario)


def test_the_key_for_themes_goes_round_ours(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text(PLAIN)
    app = Themed(tmp_path)

    async def scenario(pilot: Pilot[Any]) -> None:
        app.themes.choose("")
        seen = [app.themes.next() for _ in app.themes.names]
        assert sorted(seen) == sorted([*SHIPPED, "plain"])
        assert app.theme == DEFAULT

    play(app, scenario)


def test_a_changed_file_changes_the_screen(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    rewrite(path, PLAIN)
    app = Themed(tmp_path)

    async def scenario(pilot: Pilot[Any]) -> None:
        app.themes.choose("plain")
        await until(pilot, lambda: app.seen[-1:] == ["#6cb0f0"])
        rewrite(path, PLAIN.replace("#6cb0f0", "#ff00ff"))
        await app.themes.look_again()
        await until(pilot, lambda: app.seen[-1] == "#ff00ff")
        assert app.theme_variables["primary"] == "#FF00FF"

    play(app, scenario)


def test_a_file_that_breaks_is_told_once_and_the_theme_before_stays(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    rewrite(path, PLAIN)
    app = Themed(tmp_path)

    async def scenario(pilot: Pilot[Any]) -> None:
        app.themes.choose("plain")
        rewrite(path, PLAIN.replace("#6cb0f0", "[b]nothing"))
        await app.themes.look_again()
        await app.themes.look_again()
        await pilot.pause()
        assert [each.message for each in app._notifications] == [
            f"{path}: primary is no colour: '[b]nothing'; for example: #6cb0f0"
        ]
        assert app.theme == "plain"
        assert app.theme_variables["primary"] == "#6CB0F0"

    play(app, scenario)


def test_a_file_that_goes_leaves_the_screen_as_it_is_and_a_new_one_can_be_chosen(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    rewrite(path, PLAIN)
    app = Themed(tmp_path)

    async def scenario(pilot: Pilot[Any]) -> None:
        app.themes.choose("plain")
        path.unlink()
        rewrite(tmp_path / "other.toml", PLAIN.replace("plain", "other"))
        await app.themes.look_again()
        assert app.theme == "plain"
        assert app.themes.choose("other") is None
        assert not app._notifications

    play(app, scenario)


def test_the_folder_is_watched_by_itself(tmp_path: Path) -> None:
    app = Themed(tmp_path)

    async def scenario(pilot: Pilot[Any]) -> None:
        app.themes.watch()
        rewrite(tmp_path / "new.toml", PLAIN)
        await until(pilot, lambda: "plain" in app.themes.names)

    play(app, scenario)
