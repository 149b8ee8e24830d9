"""Copying: through the terminal, and to the clipboard of this machine where there is one."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final

from textual.app import App

from tui_scheduler.tui.background import begin
from tui_scheduler.tui.formatting import inert
from tui_scheduler.tui.telling import tell

# pyperclip in a process of its own: the programs it starts write on this terminal, may wait for a display that does
# not answer, and it may load a whole GUI toolkit. -P: a pyperclip.py in the current folder is not meant.
COPIER: Final = (sys.executable, "-P", "-X", "utf8", "-m", "pyperclip", "--copy")
PATIENCE_S: Final = 3.0


def copy_text(app: App[Any], text: str, what: str) -> None:
    """Copy, and say in a toast what was copied and which ways: `copied 3 lines: terminal and clipboard`.

    `what` is `3 lines`, `the request as curl`. Returns at once, never raises; the toast comes when both ways are tried.
    """
    sound = text.encode(errors="replace").decode()
    app.copy_to_clipboard(sound)
    begin(app, partial(_copy_further, app, sound, inert(what)), group="clipboard", exclusive=True)


async def _copy_further(app: App[Any], text: str, what: str) -> None:
    if has_local_clipboard(os.environ) and await copy_locally(text):
        tell(app, f"copied {what}: terminal and clipboard")
        return
    tell(app, f"copied {what}: terminal\n{_advice(app)}", lines=True)


def has_local_clipboard(environment: Mapping[str, str], platform: str = sys.platform) -> bool:
    """Whether the clipboard of this machine is the one before the user: not at the far end of SSH."""
    if any(environment.get(name) for name in ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY")):
        return False
    return platform == "darwin" or any(
        environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME")
    )


async def copy_locally(text: str, copier: Sequence[str] = COPIER, patience: float = PATIENCE_S) -> bool:
    """Whether it is in the clipboard of this machine now."""
    nowhere = asyncio.subprocess.DEVNULL
    try:
        process = await asyncio.create_subprocess_exec(
            *copier, stdin=asyncio.subprocess.PIPE, stdout=nowhere, stderr=nowhere, start_new_session=True
        )
    except OSError:  # no more processes, or no more memory: the terminal's way is left
        return False
    try:
        await asyncio.wait_for(process.communicate(text.encode()), patience)
    except (TimeoutError, asyncio.CancelledError, OSError) as error:
        with suppress(ProcessLookupError):  # it has just ended
            os.killpg(process.pid, signal.SIGKILL)  # with the programs it waits for
        await process.wait()
        if isinstance(error, asyncio.CancelledError):
            raise
        return False
    return process.returncode == 0


def _advice(app: App[Any]) -> str:
    """What to do when the terminal does not take it: whether it does, it never says."""
    if os.environ.get("TMUX"):
        return "Nothing to paste? tmux hands it on after: set -g set-clipboard on"
    for active in app.screen.active_bindings.values():
        if active.binding.id == "app.toggle-mouse":
            return f"Nothing to paste? Press {app.get_key_display(active.binding)}, then select with the mouse"
    return "Nothing to paste? Hold Shift and select with the mouse"
