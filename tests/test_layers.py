"""Imports point down only: cli and settings > tui, api > control, engine > store > domain.

Read from the source, so an import inside a function or under TYPE_CHECKING counts like any other: what a module has
to know for its types it knows.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import tui_scheduler

PACKAGE = "tui_scheduler"
SOURCE = Path(tui_scheduler.__file__).parent

# The folders from the bottom up. Those of one level are siblings: neither imports the other. Above them all is the
# wiring, the modules beside the folders (cli, settings, ...): it sees everything, and no folder sees it.
LEVELS = [
    {"domain"},
    {"store"},
    {"control", "engine"},
    {"api", "tui"},
]

# A third-party package, and the only modules that may import it.
ONLY_IN = {
    "httpx": {"engine.client", "control.remote"},  # so that moving to its continuation is one line in each
    "alembic": {"store"},
    "textual": {"tui"},  # the headless modes start without it
    "fastapi": {"api"},
    "starlette": {"api"},
    "croniter": {"domain"},
}
NEVER_IN = {
    "tui": {"sqlalchemy", "sqlmodel", "psycopg", "sqlite3"},  # it asks `control`, here or over the network alike
    "api": {"sqlalchemy", "sqlmodel", "psycopg", "sqlite3"},
}
DOMAIN_MAY_IMPORT = sys.stdlib_module_names | {"croniter"}

# Imports of our own modules inside a function, each with its reason: (importing module, imported) by prefix.
# They still count for the direction and for cycles.
LATE_IMPORTS = {
    ("cli", ""): "the terminal UI paints before the command line could have been read",
    ("commands", ""): "a mode loads only what it runs: Textual not when headless, no store when attached",
    ("terminal", ""): "something is on the screen before Textual is imported, and Textual's before the store",
    ("tui.app", "tui.screens"): "the first screen is painted sooner; these are shown when they are asked for",
    ("tui.screens.main", "tui.screens.execution"): "the same",
    ("tui.widgets", "tui.screens"): "the same",
    ("tui.editor.saving_sheet", "tui.screens.conflict"): "the same",
    ("tui.widgets.log_pane", "domain.curl"): "the same: nothing else there needs what it brings",
    ("tui.job_lookup", "domain.curl"): "the same",
    ("store.migrate", "store.tables"): "SQLModel takes a while to import; only the refusal of a database needs it",
}


@dataclass(frozen=True)
class Import:
    """`importer` imports `imported`; our own modules are named without the package (`store.tables`)."""

    importer: str
    imported: str
    ours: bool
    late: bool
    place: str


def within(module: str, prefix: str) -> bool:
    return not prefix or module == prefix or module.startswith(f"{prefix}.")


def module_name(source: Path, path: Path) -> str:
    """`store/tables.py` is `store.tables`, `store/__init__.py` is `store`, the package's own `__init__` is ``."""
    parts = path.relative_to(source).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(source: Path) -> list[Import]:
    paths = {module_name(source, path): path for path in sorted(source.rglob("*.py"))}
    return [found for module, path in paths.items() for found in _imports_in(module, path, set(paths), source)]


def _imports_in(module: str, path: Path, modules: set[str], source: Path) -> Iterator[Import]:
    is_package = path.name == "__init__.py"
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    late = {
        id(inner)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for inner in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _base(node, module, is_package)
            # `from a import b` is the module a.b where there is one, and a name inside a where there is not.
            names = [f"{base}.{a.name}" if _ours(f"{base}.{a.name}") in modules else base for a in node.names]
        else:
            continue
        for name in dict.fromkeys(names):
            ours = _ours(name)
            place = f"{path.relative_to(source.parent)}:{node.lineno}"
            yield Import(module, name if ours is None else ours, ours is not None, id(node) in late, place)


def _ours(name: str) -> str | None:
    """The name inside the package, or None for another's."""
    if name == PACKAGE:
        return ""
    return name.removeprefix(f"{PACKAGE}.") if name.startswith(f"{PACKAGE}.") else None


def _base(node: ast.ImportFrom, module: str, is_package: bool) -> str:
    if not node.level:
        return node.module or ""
    parts = [PACKAGE, *filter(None, module.split("."))]
    parts = parts[: len(parts) - node.level + is_package]
    return ".".join([*parts, *filter(None, [node.module])])


def _folder(module: str) -> str:
    """Or the module itself, where it stands beside the folders."""
    return module.partition(".")[0]


def _level(module: str) -> int:
    return next((level for level, folders in enumerate(LEVELS) if _folder(module) in folders), len(LEVELS))


def unplaced_folders(imports: list[Import]) -> list[str]:
    folders = {_folder(i.importer) for i in imports if "." in i.importer}
    return [f"{folder}: no level for it in LEVELS" for folder in sorted(folders) if _level(folder) == len(LEVELS)]


def imports_upwards(imports: list[Import]) -> list[str]:
    wrong = []
    for i in imports:
        # The package's own __init__ holds the version, so everybody may import it; it imports nothing.
        if not i.ours or not i.imported:
            continue
        here, there = _level(i.importer) if i.importer else -1, _level(i.imported)
        same_part = _folder(i.importer) == _folder(i.imported) or here == len(LEVELS)
        if here < there or (here == there and not same_part):
            relation = "above it" if here < there else "its sibling"
            wrong.append(f"{i.place}: {i.importer or PACKAGE} imports {i.imported}, which is {relation}")
    return wrong


def foreign_imports(imports: list[Import]) -> list[str]:
    wrong = []
    for i in imports:
        if i.ours:
            continue
        package = _folder(i.imported)
        if within(i.importer, "domain") and package not in DOMAIN_MAY_IMPORT:
            wrong.append(f"{i.place}: domain imports {package}; it may import the standard library and croniter only")
        homes = ONLY_IN.get(package)
        if homes is not None and not any(within(i.importer, home) for home in homes):
            wrong.append(f"{i.place}: {i.importer} imports {package}; only {', '.join(sorted(homes))} may")
        wrong += [
            f"{i.place}: {i.importer} imports {package}; nothing in {folder} may"
            for folder, banned in NEVER_IN.items()
            if within(i.importer, folder) and package in banned
        ]
    return wrong


def unexplained_late_imports(imports: list[Import]) -> list[str]:
    return [
        f"{i.place}: {i.importer} imports {i.imported} inside a function; say why in LATE_IMPORTS, or move it up"
        for i in imports
        if i.late and i.ours and not any(within(i.importer, a) and within(i.imported, b) for a, b in LATE_IMPORTS)
    ]


def import_cycle(imports: list[Import]) -> list[str]:
    """One cycle, as the modules along it, or nothing."""
    graph: dict[str, set[str]] = {}
    for i in imports:
        if i.ours and i.importer != i.imported:
            graph.setdefault(i.importer, set()).add(i.imported)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        # graphlib lists each module before the one that imports it.
        return [" imports ".join(module or PACKAGE for module in reversed(error.args[1]))]
    return []


Check = Callable[[list[Import]], list[str]]
CHECKS: list[Check] = [unplaced_folders, imports_upwards, foreign_imports, unexplained_late_imports, import_cycle]


@pytest.mark.parametrize("check", CHECKS)
def test_the_package_has_no(check: Check) -> None:
    assert "\n".join(check(imports_of(SOURCE))) == ""


@pytest.mark.parametrize(
    ("files", "check", "message"),
    [
        ({"other/x.py": "import json"}, unplaced_folders, "other: no level"),
        ({"store/x.py": "from tui_scheduler.engine.y import Z"}, imports_upwards, "x.py:1: store.x imports engine.y"),
        (
            {"domain/x.py": "from ..store import jobs", "store/jobs.py": ""},
            imports_upwards,
            "domain.x imports store.jobs",
        ),
        ({"engine/x.py": "import tui_scheduler.control"}, imports_upwards, "control, which is its sibling"),
        ({"tui/x.py": "import tui_scheduler.api.app"}, imports_upwards, "api.app, which is its sibling"),
        ({"api/x.py": "def f():\n    from tui_scheduler import cli", "cli.py": ""}, imports_upwards, "x.py:2: api.x"),
        ({"__init__.py": "from .domain import job"}, imports_upwards, "tui_scheduler imports domain"),
        (
            {"store/x.py": "import tui_scheduler.settings"},
            imports_upwards,
            "store.x imports settings, which is above it",
        ),
        ({"domain/x.py": "import trio.abc"}, foreign_imports, "domain imports trio"),
        ({"tui/x.py": "from sqlalchemy import text"}, foreign_imports, "nothing in tui may"),
        ({"engine/wire.py": "import httpx"}, foreign_imports, "only control.remote, engine.client may"),
        ({"control/x.py": "def f():\n  import textual.app"}, foreign_imports, "only tui may"),
        ({"store/x.py": "def f():\n  import tui_scheduler.domain.job"}, unexplained_late_imports, "inside a function"),
        (
            {
                "store/a.py": "if TYPE_CHECKING:\n  from tui_scheduler.store import b",
                "store/b.py": "def f():\n  from .c import g",
                "store/c.py": "import tui_scheduler.store.a",
            },
            import_cycle,
            "store.a imports store.b imports store.c imports store.a",
        ),
    ],
)
def test_a_break_of_the_rules_is_found_and_named(
    files: dict[str, str], check: Check, message: str, tmp_path: Path
) -> None:
    source = _package(files, tmp_path)
    found = check(imports_of(source))
    assert len(found) == 1
    if check is import_cycle:  # it may be told from any of its modules
        assert sorted(found[0].split(" imports ")[1:]) == sorted(message.split(" imports ")[1:])
    else:
        assert message in found[0]


def test_what_the_rules_allow_passes(tmp_path: Path) -> None:
    source = _package(
        {
            "__init__.py": '__version__ = "0"',
            "__main__.py": "from tui_scheduler.cli import main",
            "cli.py": "from tui_scheduler import settings\ndef main():\n    from tui_scheduler.tui.app import App",
            "settings.py": "import pydantic_settings",
            "tui/app.py": "import textual\nfrom tui_scheduler.control.control import Control",
            "api/app.py": "from tui_scheduler import __version__\nimport fastapi",
            "control/control.py": "from ..domain.job import Job",
            "control/remote.py": "import httpx\nfrom .control import Control",
            "engine/client.py": "import httpx\nimport trio",
            "store/tables.py": "from tui_scheduler.domain.job import Job\nimport sqlmodel",
            "domain/job.py": "import datetime",
            "domain/schedule.py": "import croniter, datetime",
        },
        tmp_path,
    )
    assert [broken for check in CHECKS for broken in check(imports_of(source))] == []


def _package(files: dict[str, str], folder: Path) -> Path:
    source = folder / PACKAGE
    for name, text in files.items():
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return source


def test_only_the_tui_loads_textual() -> None:
    """Everything else is imported, for real, in a fresh interpreter: also what others import for us counts."""
    headless = [
        module
        for path in sorted(SOURCE.rglob("*.py"))
        for module in [module_name(SOURCE, path)]
        # __main__ runs the program and Alembic's scripts run a migration when imported.
        if module and not any(within(module, part) for part in ("tui", "__main__", "store.migrations"))
    ]
    code = f"""
import importlib, sys
for module in {headless!r}:
    importlib.import_module(f"{PACKAGE}.{{module}}")
    if "textual" in sys.modules:
        sys.exit(f"importing {{module}} loads textual")
"""
    run = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
