"""The README's commands are run in their order, and the answers it shows are compared with the real ones.

Ports and files are other ones, and times and numbers are compared by their form only. Commands are the fenced blocks
of `sh`; a comment before one says that it stays in the background or why it is not run. A block of `json` or `text` is
the answer to the command before it.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import typer.main
from pydantic import BaseModel

from tests.end_to_end.programs import CHECKOUT, Program, environment, program, until
from tui_scheduler.api.schemas import JobFields, RetryFields, SuccessFields
from tui_scheduler.commands import app
from tui_scheduler.settings import PREFIX, Settings

README: Final = CHECKOUT / "README.md"
BLOCK: Final = re.compile(r"(?:<!-- (?P<note>[^\n]*) -->\n)?```(?P<kind>\w+)\n(?P<text>.*?)```", re.DOTALL)
ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIMESTAMP: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
MEASURED: Final = frozenset({"duration", "drift", "uptimeMs", "waitMs", "p50", "p99", "pid"})
OF_THE_MACHINE: Final = frozenset({"host", "database"})
COUNTED: Final = frozenset(
    {"fired", "succeeded", "failed", "failing", "retried", "skipped", "counters", "inFlight", "inHand"}
)

pytestmark = [
    pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here"),
    pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here"),
]


@dataclass(frozen=True)
class Step:
    """A command, what the README says about it, and the answer it shows, by kind."""

    command: str
    note: str
    kind: str = ""
    answer: str = ""


def steps() -> Iterator[Step]:
    """The commands in their order; an answer belongs to the last command that is not in the background."""
    waiting: Step | None = None
    for block in BLOCK.finditer(README.read_text(encoding="utf-8")):
        note, kind, text = block["note"] or "", block["kind"], block["text"]
        if kind == "text":
            continue  # what the receiver prints: see below
        if kind == "json":
            assert waiting is not None, f"an answer to nothing: {text}"
            yield Step(waiting.command, waiting.note, kind, text)
            waiting = None
            continue
        if waiting is not None:
            yield waiting
        waiting = Step(text, note)
    if waiting is not None:
        yield waiting


class Reader:
    """Somebody who follows the README. What it shows as an id stands for the real one from then on."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._real: dict[str, str] = {}
        self._lines = ""
        self.receiver: Program | None = None

    def follow(self, step: Step) -> None:
        if step.note.startswith("not run: "):
            return
        if step.note == "in the background":
            self._start(step.command.strip())
        elif step.kind == "json":
            shown = json.loads(step.answer)
            if "-X" in step.command:
                self._compare(shown, self._run(step.command))
            else:  # what is read may need a moment to become what is shown; what is ordered is ordered once
                until(lambda: self._is_like(shown, self._run(step.command)), f"{step.command} gives {step.answer}")
        else:
            self._run(step.command)

    def _start(self, command: str) -> None:
        if command == "make serve":
            database = self._folder / "jobs.db"
            options = f"ARGS=--port 0 --db {database}"
            venv = Path(sys.prefix)  # which has everything: the test runs in it
            words = ["make", "--silent", f"--old-file={venv}/.runtime-installed", "serve", f"VENV={venv}", options]
            started = self._stack.enter_context(program(words, self._folder))
            self._real["http://localhost:3000"] = started.url
        else:
            assert command == ".venv/bin/python -m tui_scheduler echo"
            words = [sys.executable, *command.split()[1:], "--port", "0"]
            self.receiver = started = self._stack.enter_context(program(words, self._folder))
            self._real["http://127.0.0.1:3001"] = started.url

    def _run(self, command: str) -> Any:
        """In one shell with the assignments made before."""
        for shown, real in self._real.items():
            command = command.replace(shown, real)
        script = self._lines + command.replace("curl ", "curl --silent --show-error --noproxy '*' ")
        done = subprocess.run(
            ["/bin/sh", "-euc", script],
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
            cwd=CHECKOUT,
            env=environment(self._folder),
        )
        self._lines += "".join(line + "\n" for line in command.splitlines() if re.match(r"[A-Z]+=", line))
        return json.loads(done.stdout)

    def _is_like(self, shown: Any, real: Any) -> bool:
        try:
            self._compare(shown, real)
        except AssertionError:
            return False
        return True

    def _compare(self, shown: Any, real: Any) -> None:
        """Raise AssertionError unless `real` has the shape of `shown`; only then its ids are learned."""
        learned: dict[str, str] = {}
        differences = list(_differences("", shown, real, self._real, learned))
        assert differences == [], f"{differences} in {real}"
        self._real |= learned


def _differences(name: str, shown: Any, real: Any, known: dict[str, str], learned: dict[str, str]) -> Iterator[str]:
    key = name.rpartition(".")[2]
    if isinstance(shown, dict) and isinstance(real, dict):
        if list(shown) != list(real):
            yield f"{name}: {list(shown)} are {list(real)}"
            return
        for each in shown:
            yield from _differences(f"{name}.{each}", shown[each], real[each], known, learned)
    elif isinstance(shown, list) and isinstance(real, list) and len(shown) == len(real):
        for one, other in zip(shown, real, strict=True):
            yield from _differences(name, one, other, known, learned)
    elif key in MEASURED or ".counters." in name or key in COUNTED:
        if isinstance(shown, int | float) != isinstance(real, int | float):
            yield f"{name}: {shown!r} is {real!r}"
    elif isinstance(shown, str) and isinstance(real, str):
        if not _alike(key, shown, real, known, learned):
            yield f"{name}: {shown!r} is {real!r}"
    elif shown != real or type(shown) is not type(real):
        yield f"{name}: {shown!r} is {real!r}"


def _alike(key: str, shown: str, real: str, known: dict[str, str], learned: dict[str, str]) -> bool:
    if ID.fullmatch(shown):
        learned.setdefault(shown, real)
        return bool(ID.fullmatch(real)) and known.get(shown, real) == real == learned[shown]
    if TIMESTAMP.fullmatch(shown):
        return bool(TIMESTAMP.fullmatch(real))
    for word, meaning in known.items():
        shown = shown.replace(word, meaning)
    return shown == real or key in OF_THE_MACHINE


def test_the_readme_does_what_it_says(tmp_path: Path) -> None:
    with ExitStack() as stack:
        reader = Reader(tmp_path, stack)
        for step in steps():
            reader.follow(step)
        assert reader.receiver is not None
        shown = re.search(r"```text\n(.*)\n```", README.read_text(encoding="utf-8"))
        assert shown is not None
        form = r"\d\d:\d\d:\d\d\.\d{3}  POST /hello  \+\d+\.\d ms  attempt 1"
        assert re.fullmatch(form, shown[1])
        assert re.fullmatch(form, reader.receiver.line().rstrip())


def test_the_readme_names_every_option_and_field() -> None:
    text = README.read_text(encoding="utf-8")
    for setting in Settings.model_fields:
        assert f"`{PREFIX}{setting.upper()}`" in text
    inner: dict[str, type[BaseModel]] = {"retry": RetryFields, "success": SuccessFields}
    for name, field in JobFields.model_fields.items():
        alias = field.alias or name
        if name in inner:
            for each, part in inner[name].model_fields.items():
                assert f"`{alias}.{part.alias or each}`" in text
        else:
            assert f"`{alias}`" in text


def test_the_readme_names_every_word_of_the_command_line() -> None:
    text = README.read_text(encoding="utf-8")
    command = typer.main.get_command(app)
    for option in (option for parameter in command.params for option in parameter.opts):
        assert option in {"--version", "--help", "-h"} or f"`{option}`" in text, option


def test_the_make_words_it_names_are_there() -> None:
    named = set(re.findall(r"`make (\w+)", README.read_text(encoding="utf-8")))
    assert named >= {"demo", "run", "serve", "check", "test", "simulate", "crash", "bench", "format"}
    for word in named:
        subprocess.run(["make", "--dry-run", word], check=True, capture_output=True, cwd=CHECKOUT)
