"""`tui-scheduler`: the terminal UI on the main thread, an engine in a thread beside it, both over one store.

Something is on the screen first; then Textual is imported and paints, and only then the store and the engine are,
in a thread. That is why nothing heavy may be imported at the top of this module.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NoReturn

from tui_scheduler.domain.errors import Invalid, SchedulerError
from tui_scheduler.modes import TerminalModes
from tui_scheduler.places import config_file, log_file, themes_folder
from tui_scheduler.stopping import STOPPED_AT_ONCE, on_stop_signals

if TYPE_CHECKING:
    import asyncio

    from tui_scheduler.local_session import LocalSession
    from tui_scheduler.settings import Settings
    from tui_scheduler.tui.app import SchedulerApp

PATIENCE_S: Final = 3.0
"""How long the UI may take for what a signal asks for. After that the stop goes on without it."""

LAST_WAIT_S: Final = 1.0


class CalledOff(SchedulerError):
    """The program ended before its store was open."""

    def __init__(self) -> None:
        super().__init__("ended before the database was open")


class NoTerminal(Invalid):
    """The terminal UI was asked for where there is no terminal."""

    def __init__(self, what: str, reason: str = "not a terminal") -> None:
        super().__init__(what, f"{reason}; `tui-scheduler --serve` runs without one, with a JSON API")


class Opening:
    """A session that is being started, in a thread that nobody has to wait for: a locked database may take long.

    `make` imports what a session needs, and is quick otherwise. `failure` is what the start ended with.
    """

    def __init__(self, make: Callable[[], LocalSession]) -> None:
        self._make = make
        self._guard = threading.Lock()
        self.is_called_off = False
        self._is_over = threading.Event()
        self._session: LocalSession | None = None
        self.failure: BaseException | None = None

    def start(self) -> LocalSession:
        """The session, once it has started. Raises what the start ended with, and `CalledOff`."""
        threading.Thread(target=self._start, name="opening", daemon=True).start()
        self._is_over.wait()
        if self.failure is not None:
            raise self.failure
        if self.is_called_off or self._session is None:
            raise CalledOff
        return self._session

    def call_off(self) -> None:
        """Whoever waits for the start waits no longer. Never blocks; without effect on one that is over."""
        with self._guard:
            self.is_called_off = self.is_called_off or not self._is_over.is_set()
            self._is_over.set()

    def close(self) -> None:
        """Call off what has not started and stop in order what has, however often it is asked for. From any thread."""
        self.call_off()
        if self._session is not None:
            self._session.stop()

    def abandon(self) -> None:
        """Leave nothing behind that a start would not find: what was under way it finds."""
        if self._session is not None:
            self._session.abandon()

    def trouble(self) -> str | None:
        """What the engine died of, in a sentence."""
        if self._session is None or self.failure is not None or self.is_called_off:
            return None
        return self._session.trouble()

    def _start(self) -> None:
        try:
            session = self._make()
            with self._guard:
                if self.is_called_off:
                    return
                self._session = session
            session.start()
        except BaseException as error:  # noqa: BLE001 - it is raised where the session was asked for
            self.failure = error
        finally:
            self._is_over.set()


class Ending:
    """Stops in order when it is asked to, at once when it is asked again, and never leaves the terminal behind."""

    def __init__(self, modes: TerminalModes, opening: Opening) -> None:
        self._modes = modes
        self._opening = opening
        self._app: SchedulerApp | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_asked = False
        self.is_over = threading.Event()
        """The session has stopped and the terminal is as it was."""

    def watch(self, app: SchedulerApp, loop: asyncio.AbstractEventLoop) -> None:
        """From now on it is this app that is told of signals."""
        self._app, self._loop = app, loop

    def on_signal(self) -> None:
        if self._is_asked:
            self.abandon()
        self._is_asked = True
        if self._app is None or self._loop is None:  # nothing runs yet that would have to be stopped
            sys.exit(0)
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._app.stop_soon)
        threading.Thread(target=self._insist, name="ending", daemon=True).start()

    def abandon(self) -> None:
        """End now; what was under way is rescued by the next start."""
        self._modes.restore()
        _say("stopped at once; what was under way is taken over by the next start")
        self._opening.abandon()
        os._exit(STOPPED_AT_ONCE)

    def _insist(self) -> None:
        """A UI that does not get on, because its terminal takes no output or is gone, must not keep the work from
        being given back.
        """
        if self.is_over.wait(PATIENCE_S):
            return
        self._opening.close()
        if not self.is_over.wait(PATIENCE_S):
            self._modes.restore()
            os._exit(0)


def run_here(settings: Settings | None = None, *, db: str | None = None) -> int:
    """The terminal UI over the database of `settings`; without them they are read once something is on the screen, and
    `db` is what the command line says of the database.
    """

    def read() -> Settings:
        from tui_scheduler.settings import load_settings

        return load_settings(db=db)

    def make(settings: Settings | None) -> LocalSession:
        from tui_scheduler.local_session import LocalSession

        return LocalSession(lambda: read() if settings is None else settings)

    return run_terminal(make, settings, read)


def run_demo() -> int:
    """The terminal UI over jobs to try it on."""

    def make(_settings: Settings | None) -> LocalSession:
        from tui_scheduler.demo import demo_session

        return demo_session()

    return run_terminal(make)


def run_terminal(
    make: Callable[[Settings | None], LocalSession],
    settings: Settings | None = None,
    read: Callable[[], Settings] | None = None,
) -> int:
    """Run until the user or a signal ends it (0) or something breaks (1). The terminal is as it was by then. `read`
    reads the settings if they are not there and the first paint needs them.

    Raises the `SchedulerError` that a start ended with, and `NoTerminal`.
    """
    _need_terminal()
    modes = TerminalModes()
    opening = Opening(lambda: make(settings))
    ending = Ending(modes, opening)
    on_stop_signals(ending.on_signal)
    is_configured = settings is not None or _is_configured()
    modes.show_first(coloured=not is_configured and _shows_all_colours())
    try:
        if settings is None and is_configured:
            settings = (read or _read_settings)()
        code = _run_app(opening, ending, modes, settings)
    finally:
        opening.close()
        modes.restore()
        ending.is_over.set()
    return _verdict(code, opening)


def _read_settings() -> Settings:
    from tui_scheduler.settings import load_settings

    return load_settings()


def _is_configured() -> bool:
    """Whether anything has a say about theme and keys, which the first paint needs. Reading settings takes longer than
    all the rest before it, so who says nothing does not wait for it.
    """
    return config_file().exists() or any(name.upper().startswith("TUI_SCHEDULER_") for name in os.environ)


def _shows_all_colours() -> bool:
    """Whether Textual will draw with the very colours of a theme; else the outline has none that would change."""
    return os.environ.get("COLORTERM", "").lower() in {"truecolor", "24bit"} and "NO_COLOR" not in os.environ


def leave(code: int) -> NoReturn:
    """End the process, also when a thread still asks a database that does not answer: everything is given back."""
    deadline = time.monotonic() + LAST_WAIT_S
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(max(deadline - time.monotonic(), 0))
            if thread.is_alive():
                os._exit(code)
    sys.exit(code)


def _need_terminal() -> None:
    if os.environ.get("TERM") == "dumb":
        raise NoTerminal("this terminal (TERM=dumb)", "shows no screens")
    for name, stream in (("standard input", sys.__stdin__), ("standard output", sys.__stdout__)):
        if stream is None or not stream.isatty():
            raise NoTerminal(name)


def _run_app(opening: Opening, ending: Ending, modes: TerminalModes, settings: Settings | None) -> int:
    import asyncio

    from tui_scheduler.tui.app import SchedulerApp
    from tui_scheduler.tui.driver import lasting_driver
    from tui_scheduler.tui.formatting import inert
    from tui_scheduler.tui.keymap import read_keys
    from tui_scheduler.tui.local_zone import LOCAL

    keymap, problems = read_keys(settings.keys if settings else {})
    app = SchedulerApp(
        opening.start,
        now=lambda: time.time_ns() // 1_000,
        zone=LOCAL,
        keymap=keymap,
        theme=settings.theme if settings else "",
        theme_folders=[themes_folder()],
        problems=problems,
        on_abandon=ending.abandon,
    )
    app.driver_class = lasting_driver(modes)

    async def run() -> int | None:
        ending.watch(app, asyncio.get_running_loop())
        try:
            return await app.run_async()
        finally:
            opening.call_off()  # nobody is there any more to wait for the start

    code = asyncio.run(run()) or app.return_code or 0
    if app.unsaved:
        modes.restore()
        _say(f"a signal ended it: what was changed in {inert(app.unsaved)} was not saved")
    return code


def _verdict(code: int, opening: Opening) -> int:
    failure, trouble = opening.failure, opening.trouble()
    if isinstance(failure, SchedulerError):
        raise failure
    if opening.is_called_off:  # quit before there was anything to run on
        return 0
    if trouble is not None:
        _say(trouble)
    if code or trouble is not None:
        _say(f"the log is {log_file()}")
        return code or 1
    return 0


def _say(sentence: str) -> None:
    # Not sys.stderr, which Textual holds while it runs; and now, for the process may end without another word.
    with suppress(OSError):  # a window that was closed
        print(f"tui-scheduler: {sentence}", file=sys.__stderr__, flush=True)
