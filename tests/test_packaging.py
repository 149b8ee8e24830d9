"""What leaves the checkout: the pins people install from, and the wheel."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import tui_scheduler
from tui_scheduler.store import tables

ROOT = Path(__file__).parent.parent
RUNTIME_PINS = ROOT / "requirements.txt"
DEV_PINS = ROOT / "requirements-dev.txt"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
RUNTIME = PROJECT["project"]["dependencies"]
DEV = [r for group in PROJECT["dependency-groups"].values() for r in group] + PROJECT["build-system"]["requires"]

ADDRESS = re.compile(r"://|file:|@|--(index|extra-index|find-links|trusted-host)|^-[ifrce]\b|(^|\s)[./~]")


def pin_lines(path: Path) -> Iterator[str]:
    """A requirement with its hashes, one after the other, continuation lines joined."""
    text = "\n".join(line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    yield from filter(None, (" ".join(line.split()) for line in text.replace("\\\n", " ").splitlines()))


def pins(path: Path) -> dict[str, list[Requirement]]:
    """By name; more than one where platforms differ."""
    found: dict[str, list[Requirement]] = {}
    for line in pin_lines(path):
        requirement = Requirement(line.split(" --hash")[0])
        found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return found


def pinned_version(requirement: Requirement) -> str:
    (specifier,) = requirement.specifier
    assert specifier.operator == "=="
    return specifier.version


@pytest.mark.parametrize("path", [RUNTIME_PINS, DEV_PINS], ids=lambda path: path.name)
def test_pins_name_no_registry_and_no_path(path: Path) -> None:
    assert [line for line in path.read_text(encoding="utf-8").splitlines() if ADDRESS.search(line)] == []


@pytest.mark.parametrize("path", [RUNTIME_PINS, DEV_PINS], ids=lambda path: path.name)
def test_every_pin_is_one_version_with_hashes(path: Path) -> None:
    lines = list(pin_lines(path))
    assert len(lines) > len(RUNTIME)
    for line in lines:
        assert re.fullmatch(r"[a-z0-9._-]+==[^ ]+( ; [^-]+)?( --hash=sha256:[0-9a-f]{64})+", line), line[:120]


@pytest.mark.parametrize(
    ("path", "wanted"), [(RUNTIME_PINS, RUNTIME), (DEV_PINS, RUNTIME + DEV)], ids=["runtime", "dev"]
)
def test_pins_satisfy_the_project(path: Path, wanted: list[str]) -> None:
    pinned = pins(path)
    for requirement in map(Requirement, wanted):
        versions = [pinned_version(pin) for pin in pinned.get(canonicalize_name(requirement.name), [])]
        assert versions, f"{requirement.name} is not in {path.name}; `make pins` adds it"
        assert all(map(requirement.specifier.contains, versions)), f"{path.name} has {versions}, not {requirement}"


def test_what_is_tested_is_what_runs() -> None:
    tested = pins(DEV_PINS)
    for name, runtime in pins(RUNTIME_PINS).items():
        assert {pinned_version(pin) for pin in runtime} == {pinned_version(pin) for pin in tested[name]}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The environment of somebody who installed the wheel, far from the checkout; its `bin`.

    The dependencies are borrowed from the environment the tests run in. A path in a .pth file is put on sys.path but
    the .pth files inside it are not read, so the checkout, which such a file names, is out of reach.
    """
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    run([*pip, "wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)])
    (wheel,) = folder.glob("*.whl")
    run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")])
    python = folder / "venv" / "bin" / "python"
    run([*pip, "--python", str(python), "install", "--no-deps", "--no-index", str(wheel)])
    where = run([str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]).strip()
    borrowed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    Path(where, "borrowed.pth").write_text("\n".join(sorted(borrowed)), encoding="utf-8")
    return python.parent


@pytest.fixture
def stranger(tmp_path: Path) -> Callable[..., str]:
    """Runs a command in another folder, with an empty home and nothing of ours in the environment."""
    home = tmp_path / "home"
    home.mkdir()
    environment = {"HOME": str(home), "PATH": os.defpath, "LC_ALL": "C.UTF-8"}
    return lambda *command: run(list(command), cwd=tmp_path, env=environment)


def run(command: list[str], cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """Its output; what it complained about is in the failure."""
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_the_wheel_runs_by_itself(installed: Path, stranger: Callable[..., str]) -> None:
    code = "import tui_scheduler, importlib.metadata as m; print(tui_scheduler.__file__, m.version('tui-scheduler'))"
    file, version = stranger(str(installed / "python"), "-c", code).split()
    assert Path(file).is_relative_to(installed.parent)
    assert version == tui_scheduler.__version__
    assert tui_scheduler.__version__ in stranger(str(installed / "tui-scheduler"), "--version")


def test_the_wheel_carries_the_migrations(installed: Path, stranger: Callable[..., str], tmp_path: Path) -> None:
    database = tmp_path / "jobs.db"
    stranger(str(installed / "tui-scheduler"), "init-db", "--db", str(database))
    connection = sqlite3.connect(database)
    try:
        made = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    finally:
        connection.close()
    assert set(tables.JobRow.metadata.tables) <= made


def test_the_wheel_carries_every_file_of_the_package(installed: Path) -> None:
    (wheel_copy,) = installed.parent.glob("lib/python*/site-packages/tui_scheduler")
    themes = {f"themes/{path}" for path in package_files(ROOT / "themes")}
    assert package_files(wheel_copy) == package_files(ROOT / "tui_scheduler") | themes


def test_the_wheel_finds_its_themes(installed: Path, stranger: Callable[..., str]) -> None:
    code = "from tui_scheduler.tui.themes import shipped_folder; print(*(f.name for f in shipped_folder().iterdir()))"
    found = stranger(str(installed / "python"), "-c", code).split()
    assert set(found) == package_files(ROOT / "themes")
    assert len(found) >= 6


def package_files(folder: Path) -> set[str]:
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }
