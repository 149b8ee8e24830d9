"""A text in the user's own editor: with scripts that stand in for it, in a terminal of their own too."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import stat
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from tui_scheduler.tui.editor.external import Edited, edit_text, editor_command, suffix_for

PATIENCE_S: Final = 60


def script(folder: Path, *lines: str) -> str:
    """An editor written in Python; the file to edit is `path`."""
    path = folder / "editor.py"
    path.write_text("\n".join(["import os, sys, stat, pathlib", "path = pathlib.Path(sys.argv[-1])", *lines]))
    return f"{sys.executable} {path}"


def with_editor(command: str, **more: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "EDITOR": command, **more}


def test_what_the_editor_writes_is_taken_over(tmp_path: Path) -> None:
    editor = script(tmp_path, "path.write_text(path.read_text().upper())")
    assert edit_text("body", with_editor(editor)) == Edited("BODY")


def test_the_file_is_private_named_for_its_kind_and_gone_afterwards(tmp_path: Path) -> None:
    told = tmp_path / "told"
    editor = script(
        tmp_path,
        "modes = [stat.S_IMODE(os.stat(p).st_mode) for p in (path, path.parent)]",
        f"pathlib.Path({str(told)!r}).write_text(f'{{path}} {{modes[0]:o}} {{modes[1]:o}}')",
    )
    assert edit_text('{"n": 1}', with_editor(editor)) == Edited('{"n": 1}')
    path, mode, folder_mode = told.read_text().split()
    assert path.endswith(".json")
    assert (int(mode, 8), int(folder_mode, 8)) == (stat.S_IRUSR | stat.S_IWUSR, stat.S_IRWXU)
    assert not Path(path).parent.exists()


def test_the_editor_gets_the_environment_as_it_was(tmp_path: Path) -> None:
    editor = script(tmp_path, "path.write_text(os.environ.get('NO_COLOR', 'none'))")
    assert edit_text("", with_editor(editor, NO_COLOR="1")) == Edited("1")
    assert edit_text("", with_editor(editor)) == Edited("none")


@pytest.mark.parametrize(
    ("before", "written", "after"),
    [
        ("a", "a\n", "a"),
        ("a\n", "b\n", "b\n"),
        ("", "x\r\n", "x"),
        ("a", "a\n\n", "a\n"),
        ("a\r\nb", "a\r\nb", "a\r\nb"),
    ],
)
def test_only_the_line_break_that_an_editor_adds_is_taken_away(before: str, written: str, after: str) -> None:
    def run(command: Sequence[str], environ: Mapping[str, str]) -> int:
        Path(command[-1]).write_bytes(written.encode())
        return 0

    assert edit_text(before, with_editor("any"), run) == Edited(after)


@pytest.mark.parametrize(
    ("command", "trouble"),
    [
        ("/no/such/editor", "/no/such/editor cannot be started: No such file or directory"),
        (f"{sys.executable} -c 'raise SystemExit(3)'", "ended with exit code 3: the body is as it was"),
        ("vi 'open", "cannot be read as a command"),
    ],
)
def test_what_goes_wrong_is_a_sentence_and_takes_nothing_over(command: str, trouble: str) -> None:
    edited = edit_text("body", with_editor(command))
    assert edited.text is None
    assert trouble in edited.trouble


def test_a_file_that_is_no_text_is_not_taken_over(tmp_path: Path) -> None:
    edited = edit_text("body", with_editor(script(tmp_path, "path.write_bytes(b'\\xff')")))
    assert edited == Edited(None, "the edited file is not UTF-8 text: the body is as it was")


def test_a_file_that_is_gone_is_said_to_be(tmp_path: Path) -> None:
    edited = edit_text("body", with_editor(script(tmp_path, "path.unlink()")))
    assert edited == Edited(None, "the edited file cannot be read: No such file or directory")


def test_visual_goes_before_editor_and_those_before_what_is_there(tmp_path: Path) -> None:
    for name in ("vi", "nano"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o700)
    path = {"PATH": str(tmp_path)}
    assert editor_command({"VISUAL": "code --wait", "EDITOR": "vi"}) == ["code", "--wait"]
    assert editor_command({"VISUAL": "", "EDITOR": "emacs -nw"}) == ["emacs", "-nw"]
    assert editor_command(path) == ["vi"]
    (tmp_path / "vi").unlink()
    assert editor_command(path) == ["nano"]
    (tmp_path / "nano").unlink()
    assert editor_command(path) is None
    assert edit_text("body", path) == Edited(None, "there is no editor: set $EDITOR")


@pytest.mark.parametrize(("body", "suffix"), [(' {"a": 1}', ".json"), ("[1]", ".json"), ("<a/>", ".xml"), ("", ".txt")])
def test_an_editor_is_told_what_kind_of_text_it_is(body: str, suffix: str) -> None:
    assert suffix_for(body) == suffix


def test_the_editor_has_the_terminal_and_hears_its_interrupts(tmp_path: Path) -> None:
    """In a terminal of its own: Ctrl+C ends the script that stands in for an editor, not who waits for it."""
    editor = script(tmp_path, "assert sys.stdin.isatty()", "print('editing', flush=True)", "sys.stdin.read()")
    program = (
        "import fcntl, json, os, termios\n"
        "from tui_scheduler.tui.editor.external import edit_text\n"
        "fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
        "edited = edit_text('body', os.environ)\n"
        "print(json.dumps([edited.text, edited.trouble]), flush=True)\n"
    )
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env={**os.environ, "VISUAL": "", "EDITOR": editor},
    )
    seen = _read_until(ours, b"editing")
    os.write(ours, b"\x03")
    seen += _read_until(ours, b"]")
    assert child.wait() == 0, seen
    os.close(ours)
    os.close(theirs)
    text, trouble = json.loads(seen[seen.rindex(b"[null") :].split(b"\r\n")[0])
    assert text is None
    assert "the body is as it was" in trouble


def _read_until(terminal: int, wanted: bytes) -> bytes:
    seen = b""
    while wanted not in seen:
        assert select.select([terminal], [], [], PATIENCE_S)[0], seen
        seen += os.read(terminal, 4096)
    return seen


def test_a_signal_that_ends_the_program_ends_the_editor_first(tmp_path: Path) -> None:
    told: list[int] = []
    former = signal.signal(signal.SIGTERM, lambda number, _frame: told.append(number))
    try:
        ours = signal.getsignal(signal.SIGTERM)
        editor = script(tmp_path, "import signal", "os.kill(os.getppid(), signal.SIGTERM)", "signal.pause()")
        edited = edit_text("body", with_editor(editor))
        assert signal.getsignal(signal.SIGTERM) is ours
    finally:
        signal.signal(signal.SIGTERM, former)
    assert (told, edited.text) == ([signal.SIGTERM], None)
    assert "the body is as it was" in edited.trouble


def test_a_signal_before_the_editor_has_started_ends_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(subprocess.Popen[bytes]):
        """Started, and nobody knows yet: the moment at which a signal was lost."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            os.kill(os.getpid(), signal.SIGTERM)

    told: list[int] = []
    former = signal.signal(signal.SIGTERM, lambda number, _frame: told.append(number))
    monkeypatch.setattr(subprocess, "Popen", Slow)
    try:
        edited = edit_text("body", with_editor(script(tmp_path, "import signal", "signal.pause()")))
    finally:
        signal.signal(signal.SIGTERM, former)
    assert (told, edited.text) == ([signal.SIGTERM], None)


def test_without_a_folder_for_temporary_files_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    edited = edit_text("body", with_editor("true"))
    assert edited == Edited(None, "no temporary file can be written: No such file or directory")


def test_a_body_that_no_file_can_hold_stays() -> None:
    edited = edit_text("half \ud800", with_editor("true"))
    assert edited == Edited(None, "the body has a character that no file can hold: it can only be edited here")
