"""Themes: TOML files, checked before they are shown, and read again when they change."""

from __future__ import annotations

import asyncio
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

from textual.app import App
from textual.color import Color, ColorParseError
from textual.css.constants import VALID_STYLE_FLAGS
from textual.theme import Theme

import tui_scheduler
from tui_scheduler.domain.errors import Invalid
from tui_scheduler.tui.telling import tell

DEFAULT: Final = "scheduler-dark"
LOOK_EVERY_S: Final = 1.0

_COLOURS: Final = (
    "primary",
    "secondary",
    "accent",
    "foreground",
    "background",
    "surface",
    "panel",
    "success",
    "warning",
    "error",
)
_KEYS: Final = ("name", "dark", "ansi", *_COLOURS, "variables")
# Style sheets refer to these too, and Textual makes none of them for a theme of the terminal's colours.
_LEFT_OUT: Final = dict.fromkeys(
    ("ansi-background", "ansi-foreground", "foreground-disabled", "surface-active"), "ansi_default"
)
_NAME: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LARGEST: Final = 64 * 1024
"""Bytes: a file beyond that is something else with the same ending."""


def shipped_folder() -> Path:
    """Where our own themes are: inside the package when it was installed, beside it in a checkout."""
    package = Path(tui_scheduler.__file__).parent
    inside = package / "themes"
    return inside if inside.is_dir() else package.parent / "themes"


def read_theme(text: str, source: str, *, proven: bool = False) -> Theme:
    """The theme a file describes, every colour of which a screen can be drawn with.

    Raises `Invalid` naming `source`. `proven`: every colour made of these was looked at before; to do it again for all
    of ours would cost a tenth of the time to the first paint.
    """
    try:
        table = tomllib.loads(text)
    except ValueError as error:  # not TOML, or a number of thousands of digits
        raise Invalid(source, f"not valid TOML: {error}") from None
    _check_keys(table, source)
    ansi = table.get("ansi", False)
    colours: dict[str, Any] = {key: _colour(str(table[key]), key, source, ansi=ansi) for key in _COLOURS}
    variables = {str(name): str(value) for name, value in table.get("variables", {}).items()}
    if ansi:
        variables = {**_LEFT_OUT, **variables}
    theme = Theme(table["name"], dark=table.get("dark", True), ansi=ansi, variables=variables, **colours)
    if not proven:
        _prove(theme, source, ansi=ansi)
    return theme


def _prove(theme: Theme, source: str, *, ansi: bool) -> None:
    """Textual does not: what it cannot read is an exception in the middle of drawing a screen."""
    for name, value in theme.variables.items():
        if name not in _known_variables():
            raise Invalid(source, f"unknown variable {name!r}")
        _check_variable(name, value, source, ansi=ansi)
    for name, value in theme.to_color_system().generate().items():
        _check_variable(name, value, source, ansi=True)


@cache
def _known_variables() -> frozenset[str]:
    """Everything a style sheet may refer to."""
    plain = Theme("plain", "#000000")
    return frozenset({*plain.to_color_system().generate(), *replace(plain, ansi=True).to_color_system().generate()})


def _check_keys(table: Mapping[str, Any], source: str) -> None:
    for key in table:
        if key not in _KEYS:
            raise Invalid(source, f"unknown key {key!r}; there are {', '.join(_KEYS)}")
    for key in ("name", *_COLOURS):
        if key not in table:
            raise Invalid(source, f"{key!r} is missing")
        if not isinstance(table[key], str):
            raise Invalid(source, f"{key!r} must be text")
    for key in ("dark", "ansi"):
        if not isinstance(table.get(key, False), bool):
            raise Invalid(source, f"{key!r} must be true or false")
    if not _NAME.fullmatch(table["name"]):
        raise Invalid(source, f"name {table['name']!r} must be small letters, digits and single hyphens between them")
    variables = table.get("variables", {})
    if not isinstance(variables, dict) or not all(isinstance(value, str) for value in variables.values()):
        raise Invalid(source, "'variables' must be a table of text")


def _colour(value: str, key: str, source: str, *, ansi: bool) -> str:
    """An opaque colour: text on what shines through would be readable by luck only."""
    try:
        colour = Color.parse(value)
    except ColorParseError:
        raise Invalid(source, f"{key} is no colour: {value!r}", example="#6cb0f0") from None
    if colour.ansi is not None and not ansi:
        raise Invalid(source, f"{key} is {value!r}, a colour of the terminal's, which needs ansi = true")
    if colour.ansi is None and (colour.a < 1 or colour.auto):
        raise Invalid(source, f"{key} must be an opaque colour, not {value!r}")
    return value


def _check_variable(name: str, value: str, source: str, *, ansi: bool) -> None:
    """What a style sheet takes: flags of text for `…-style`, else `auto` or a colour, either with a percentage."""
    if name.endswith(("-style", "-style-hover")):
        if not value.split() or not set(value.split()) <= VALID_STYLE_FLAGS:
            raise Invalid(source, f"variable {name} is no text style: {value!r}", example="bold underline")
        return
    colour, _, percentage = value.rpartition(" ") if value.endswith("%") else (value, "", "100%")
    try:
        parsed = Color.parse("white" if colour in {"auto", "initial"} else colour)
        share = float(percentage.removesuffix("%"))
    except (ColorParseError, ValueError):
        raise Invalid(source, f"variable {name} is no colour: {value!r}", example="#6cb0f0 50%") from None
    if not 0 <= share <= 100:
        raise Invalid(source, f"variable {name} must have a percentage between 0 and 100, not {value!r}")
    if parsed.ansi is not None and not ansi:
        raise Invalid(source, f"variable {name} is {value!r}, a colour of the terminal's, which needs ansi = true")


@dataclass(frozen=True, slots=True)
class _File:
    """A theme file as it was last read: what tells that it changed, and the theme, or what is wrong with it."""

    stamp: tuple[int, int]
    theme: Theme | None
    problem: str = ""


class Themes:
    """The themes of some folders, registered with an app; of two with one name the first stands."""

    def __init__(self, app: App[Any], *folders: Path) -> None:
        self._app = app
        self._folders = folders
        self._files: dict[Path, _File] = {}
        self._names: dict[str, Path] = {}

    @property
    def names(self) -> list[str]:
        """The themes to choose from, ours first."""
        return list(self._names)

    def read(self) -> list[str]:
        """Read and register; a sentence for each file that is broken."""
        return self._take(_read_changed(self._folders, {}))

    def choose(self, name: str) -> str | None:
        """Show a theme, or the default and a sentence when there is none of that name. "" is the default."""
        known = name in self._app.available_themes
        self._app.theme = name if known else DEFAULT
        return f"there is no theme {name!r}; there are {', '.join(self.names)}" if name and not known else None

    def next(self) -> str:
        """Show the next one; its name."""
        names = self.names
        now = names.index(self._app.theme) if self._app.theme in names else -1
        self._app.theme = names[(now + 1) % len(names)]
        return self._app.theme

    def watch(self) -> None:
        """From now on what changes on the disk changes on the screen; what breaks is told, and nothing else changes."""
        self._app.set_interval(LOOK_EVERY_S, self.look_again)

    async def look_again(self) -> None:
        """Take in what has changed on the disk, read in a thread: a folder may be far away."""
        files = await asyncio.to_thread(_read_changed, self._folders, self._files)
        if files == self._files:
            return
        before = self._app.available_themes.get(self._app.theme)
        for problem in self._take(files):
            tell(self._app, problem, title="Theme", severity="warning")
        if self._app.available_themes.get(self._app.theme) != before:
            self._app.mutate_reactive(App.theme)  # the same name, other colours

    def _take(self, files: dict[Path, _File]) -> list[str]:
        """Register what is new; a sentence for each file that has become broken. A theme once shown stays until the
        end, also without its file: nothing on the screen changes because a file went.
        """
        changed = [path for path in files if files[path] != self._files.get(path)]
        self._files = files
        owners = {name: path for name, path in self._names.items() if path in files}
        problems: list[str] = []
        for path in changed:
            theme = files[path].theme
            if theme is None:
                problems.append(files[path].problem)
            elif owners.setdefault(theme.name, path) != path:
                problems.append(f"{path}: a theme named {theme.name!r} is there already: {owners[theme.name]}")
            else:
                self._app.register_theme(theme)
                self._names[theme.name] = path
        return problems


def install(app: App[Any], *folders: Path) -> list[str]:
    """Register the themes of some folders with an app; a sentence for each file that is broken."""
    return Themes(app, *folders).read()


def _read_changed(folders: Iterable[Path], known: Mapping[Path, _File]) -> dict[Path, _File]:
    """All theme files there are, those that did not change as they are known. A folder that is not there is empty."""
    found: dict[Path, _File] = {}
    ours = shipped_folder()
    for folder in folders:
        try:
            paths = sorted(path for path in folder.iterdir() if path.suffix == ".toml")
        except OSError:
            continue
        for path in paths:
            found[path] = _read_file(path, known.get(path), proven=folder == ours)
    return found


def _read_file(path: Path, known: _File | None, *, proven: bool) -> _File:
    stamp = (0, 0)
    try:
        status = path.stat()
        stamp = (status.st_mtime_ns, status.st_size)
        if known is not None and known.stamp == stamp:
            return known
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise Invalid(str(path), f"longer than {_LARGEST // 1024} KiB")
        return _File(stamp, read_theme(content.decode(), str(path), proven=proven))
    except OSError as error:
        return _File(stamp, None, f"{path}: cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        return _File(stamp, None, f"{path}: not UTF-8")
    except Invalid as error:
        return _File(stamp, None, str(error))
