"""A text in the user's own editor: $VISUAL, $EDITOR, or what is there."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

_FALLBACKS: Final = ("vi", "nano")
_ENDS: Final = (signal.SIGTERM, signal.SIGHUP)

Run = Callable[[Sequence[str], Mapping[str, str]], int]
"""Runs a command with an environment, on this terminal, and gives its exit code. Raises OSError."""


@dataclass(frozen=True, slots=True)
class Edited:
    """What came back. `text` None: nothing to take over, and `trouble` says why."""

    text: str | None
    trouble: str = ""


def suffix_for(body: str) -> str:
    """The ending of a file name by which an editor knows how to colour the text."""
    start = body.lstrip()[:1]
    return ".json" if start in ("{", "[") else ".xml" if start == "<" else ".txt"


def editor_command(environ: Mapping[str, str]) -> list[str] | None:
    """The command that edits a file; None when there is none. Raises ValueError for one that cannot be split."""
    for name in ("VISUAL", "EDITOR"):
        words = shlex.split(environ.get(name, ""))
        if words:
            return words
    return next(([name] for name in _FALLBACKS if shutil.which(name, path=environ.get("PATH"))), None)


def run_command(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run it on this terminal. Ctrl+C in it is its own business; a signal that ends this program ends it first, so
    that the terminal is free for the stop.
    """
    with (
        _deaf_to_interrupts(),
        _ended_with_us() as started,
        subprocess.Popen(command, env=dict(environ)) as child,  # noqa: S603 - the user's own editor
    ):
        started(child)
        return child.wait()


def edit_text(text: str, environ: Mapping[str, str] | None = None, run: Run = run_command) -> Edited:
    """Let the user edit a text, by default with the environment as this program got it: Textual takes NO_COLOR out of
    a copy only. The file is readable by its owner alone, in a folder of its own, and is removed.

    A line break that the editor adds at the end of a text that had none is taken away again.
    """
    environ = os.environ if environ is None else environ
    try:
        command = editor_command(environ)
    except ValueError as error:
        return Edited(None, f"$VISUAL or $EDITOR cannot be read as a command: {error}")
    if command is None:
        return Edited(None, "there is no editor: set $EDITOR")
    try:
        content = text.encode()
    except UnicodeEncodeError:
        return Edited(None, "the body has a character that no file can hold: it can only be edited here")
    try:
        # 0700; an editor may leave what cannot be removed, and what was edited is not lost for that.
        with tempfile.TemporaryDirectory(prefix="tui-scheduler-", ignore_cleanup_errors=True) as folder:
            path = Path(folder, "body" + suffix_for(text))
            path.touch(mode=0o600)
            path.write_bytes(content)
            return _edited([*command, str(path)], environ, run, path, text)
    except OSError as error:
        return Edited(None, f"no temporary file can be written: {error.strerror or error}")


def _edited(command: Sequence[str], environ: Mapping[str, str], run: Run, path: Path, text: str) -> Edited:
    try:
        code = run(command, environ)
    except OSError as error:
        return Edited(None, f"{command[0]} cannot be started: {error.strerror or error}")
    if code != 0:
        return Edited(None, f"{command[0]} ended with exit code {code}: the body is as it was")
    return _taken_over(path, text)


def _taken_over(path: Path, text: str) -> Edited:
    try:
        edited = path.read_bytes().decode()
    except OSError as error:
        return Edited(None, f"the edited file cannot be read: {error.strerror or error}")
    except UnicodeDecodeError:
        return Edited(None, "the edited file is not UTF-8 text: the body is as it was")
    if edited.endswith("\n") and not text.endswith("\n"):
        edited = edited[:-1].removesuffix("\r")
    return Edited(edited)


@contextmanager
def _ended_with_us() -> Iterator[Callable[[subprocess.Popen[bytes]], None]]:
    """What ends this program ends the child first, politely: one that does not listen is left behind. To be told of
    the child once there is one: a signal may come before that.
    """
    children: list[subprocess.Popen[bytes]] = []
    told: list[int] = []

    def started(child: subprocess.Popen[bytes]) -> None:
        children.append(child)
        if told:
            child.terminate()

    if threading.current_thread() is not threading.main_thread():
        yield started
        return

    def end(number: int, frame: FrameType | None) -> None:
        told.append(number)
        for child in children:
            child.terminate()
        former = formers[number]
        if callable(former):
            former(number, frame)

    found = {int(number): signal.getsignal(number) for number in _ENDS}
    # One that is ignored, as under nohup, stays so.
    formers = {number: former for number, former in found.items() if former is not signal.SIG_IGN}
    for number in formers:
        signal.signal(number, end)
    try:
        yield started
    finally:
        for number, former in formers.items():
            signal.signal(number, former)


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """A handler that does nothing, rather than SIG_IGN: the child would inherit that and could not be interrupted."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = signal.signal(signal.SIGINT, lambda _number, _frame: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, former)
