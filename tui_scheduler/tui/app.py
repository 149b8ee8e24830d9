"""The application: what is the same on every screen, from the first paint to the last."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, tzinfo
from functools import partial
from pathlib import Path
from time import monotonic
from traceback import format_exc
from typing import TYPE_CHECKING, Final

from rich.segment import Segment, Segments
from textual import events, on
from textual.app import App
from textual.message import Message
from textual.widget import Widget

from tui_scheduler.domain.errors import SchedulerError, StoreUnavailable
from tui_scheduler.tui import mouse
from tui_scheduler.tui.actions import BY_ID, Place, bindings, character, keys_of, readable
from tui_scheduler.tui.alerts import SHOWN_S, AlertToasts, TroubleToasts
from tui_scheduler.tui.background import begin
from tui_scheduler.tui.commands import THEME, commands
from tui_scheduler.tui.desk import Desk
from tui_scheduler.tui.formatting import inert
from tui_scheduler.tui.screens.main import PLACES, MainScreen
from tui_scheduler.tui.screens.stopping import StoppingScreen
from tui_scheduler.tui.session import Session, Start
from tui_scheduler.tui.telling import tell
from tui_scheduler.tui.themes import Themes, shipped_folder
from tui_scheduler.tui.widgets.jobs_pane import JobsPane

if TYPE_CHECKING:
    from tui_scheduler.tui.screens.welcome import First

ABANDONED: Final = 130
"""The exit code of a program that did not wait for what was under way."""

_PROBLEMS_SHOWN: Final = 3

_SURELY_S: Final = 0.5
"""So long the wait for what is under way must have been on the screen before quitting again gives it up: two quick
presses of one key are no such wish.
"""

_LOOK_S: Final = 0.25
"""How often alerts are taken and the engine is looked at."""


class _Passed(Message):
    """Follows a key the way it goes, to tell when it has arrived. Twice: the first time comes behind the key, the
    second, from where the focus is by then, behind the messages that the key made somebody post.
    """

    def __init__(self, target: Widget, *, again: bool) -> None:
        super().__init__()
        self.target = target
        self.again = again


class SchedulerApp(App[int]):
    """Paints first, then opens the store in a thread. Its result is the exit code, `failure` the sentence to print
    when the store could not be opened.

    `now` gives µs since the epoch; what is on the screen never looks at another clock. `keymap` has checked keys by
    the id of their action; `problems` are sentences about what was left out of it. `on_abandon` is called when the
    user does not want to wait for the stop: it may end the process, or return, and the app ends with 130. Whoever runs
    the app stops the session if the app has not: after a crash `session` is still running.
    """

    TITLE = "tui-scheduler"
    ENABLE_COMMAND_PALETTE = False
    CSS_PATH = "scheduler.tcss"
    BINDINGS = bindings(Place.APP)

    def __init__(
        self,
        start: Start,
        *,
        now: Callable[[], int],
        zone: tzinfo = UTC,
        keymap: Mapping[str, str] | None = None,
        theme: str = "",
        theme_folders: Sequence[Path] = (),
        problems: Sequence[str] = (),
        on_abandon: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__()
        self._start = start
        self.session: Session | None = None
        self.failure: str | None = None
        self.desk = Desk(now, zone=zone)
        self.main = MainScreen(self.desk)
        self.keymap: Mapping[str, str] = keymap or {}
        self.on_abandon = on_abandon
        self.themes = Themes(self, shipped_folder(), *theme_folders)
        self._wanted_theme = theme
        self._problems = problems
        self._has_mouse = True
        self._toasts = AlertToasts()
        self._troubles = TroubleToasts()
        self._undoing = asyncio.Lock()
        self._asking_to_leave = False
        self._ahead = self.main.editor.ahead
        self._target: Widget | None = None
        """Where the last key went, until everything that it does is done. (A name like `_key_at` would be what Textual
        calls for the key `@`.)"""
        self._opening: asyncio.Future[Session] | None = None
        self._stopping: StoppingScreen | None = None
        self._stopping_since = 0.0
        self.unsaved = ""
        """What was being edited when a signal ended it, which asks nobody."""
        # Not the loop's own threads: the loop waits for those before it ends, and who quits twice does not wait.
        self._threads = ThreadPoolExecutor(3, thread_name_prefix="session")

    # --- beginning

    def on_mount(self) -> None:
        problems = self.themes.read()
        missing = self.themes.choose(self._wanted_theme)
        self.set_keymap(dict(self.keymap))
        self.desk.on_stale = self._stale
        self._ahead.on_end = self.main.jobs.on_caught_up = self._call_next_key
        self.set_interval(_LOOK_S, self._next_key)  # the widget that a key was at may have gone, and others wait
        self.push_screen(self.main)
        self._warn_of("Theme", [*problems, *([missing] if missing else [])])
        self._warn_of("Keys", self._problems)
        self.themes.watch()
        self.call_after_refresh(self._begin)

    def _warn_of(self, what: str, problems: Sequence[str]) -> None:
        """In one toast: what comes first must not be buried under what comes with it."""
        if problems:
            more = [f"and {len(problems) - _PROBLEMS_SHOWN} more"] * (len(problems) > _PROBLEMS_SHOWN)
            shown = [inert(problem) for problem in problems[:_PROBLEMS_SHOWN]]
            tell(self, "\n".join([*shown, *more]), title=what, severity="warning", lines=True)

    def _begin(self) -> None:
        """Something is on the screen: now for what takes its time."""
        self._opening = asyncio.get_running_loop().run_in_executor(self._threads, self._open)
        begin(self, partial(self._opened, self._opening), group="session")

    def _open(self) -> Session:
        """In a thread. The session is known from the moment it is there, so that it is stopped whatever comes."""
        self.session = self._start()
        return self.session

    async def _opened(self, opening: asyncio.Future[Session]) -> None:
        try:
            session = await asyncio.shield(opening)
        except SchedulerError as error:
            self.failure = str(error)
            self.exit(1, return_code=1)
            return
        if self._stopping is not None:
            return
        self.desk.open(session.control)
        self.main.header.where = session.where
        self.main.header.opened = True
        self.set_interval(_LOOK_S, self._look)
        await self._welcome(session)

    async def _welcome(self, session: Session) -> None:
        """A store without jobs is no dead end: say what can be done, unless the user does something already."""
        from tui_scheduler.tui.screens.welcome import WelcomeScreen, is_empty

        try:
            empty = await is_empty(self.desk)
        except StoreUnavailable:
            return  # the badge says so
        if empty and self.screen is self.main and not self.main.editor.is_in_use:
            self.push_screen(WelcomeScreen(self.desk, session, self.keymap), self._begin_with)

    def _begin_with(self, first: First | None) -> None:
        from tui_scheduler.tui.screens.welcome import First

        if first is First.CREATE:
            self.main.post_message(JobsPane.CreateWanted())
        elif first is First.SAMPLES:
            self.main.refresh_jobs()
        elif first is First.IMPORT:
            self.main.jobs.action_import_crontab()

    def _stale(self, reason: str | None) -> None:
        self.main.header.stale = reason

    def _look(self) -> None:
        """Alerts since the last time, and whether the engine is alive."""
        session = self.session
        if session is None or self._stopping is not None:
            return
        self.main.header.trouble = session.trouble()
        header = self.main.header
        trouble = self._troubles.pick(header.badge, header.reasons, self.desk.now()) if header.is_cut else None
        if trouble is not None:
            tell(self, trouble.text, title=trouble.title, severity="warning", timeout=SHOWN_S, lines=True)
        for toast in self._toasts.pick(session.alerts(), self.desk.now()):
            tell(self, toast.text, title=toast.title, severity="error", timeout=SHOWN_S)

    # --- keys

    async def on_event(self, event: events.Event) -> None:
        """One key after the other: the next one is looked at when the one before has moved the focus, not while that
        is under way. Textual by itself gives `x` right behind Tab to the field that Tab leaves.
        """
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            self._ahead.add(event)
            await self._next_key()
        else:
            await super().on_event(event)

    def _call_next_key(self) -> None:
        self.call_later(self._next_key)

    async def _next_key(self) -> None:
        is_under_way = self._target is not None and self._target.is_attached
        if is_under_way or not self.screen_stack:  # without a screen: the app has not begun, or ends
            return
        self._target = None
        while self._target is None:
            on_main = self.screen is self.main
            event = self._ahead.next(may_wait=on_main, is_behind=on_main and self.main.jobs.is_behind)
            if event is None:
                return
            await super().on_event(event)
            target = self.focused or self.screen
            if event.is_forwarded and target.post_message(_Passed(target, again=True)):
                self._target = target

    @on(_Passed)
    async def _passed(self, message: _Passed) -> None:
        if message.target is not self._target:
            return
        self._target = self.focused or self.screen if message.again and self.screen_stack else None
        if self._target is None or not self._target.post_message(_Passed(self._target, again=False)):
            self._target = None
            await self._next_key()

    # --- help and palette

    @property
    def places(self) -> list[Place]:
        """Where actions can be taken now, the one with the focus first."""
        if self.screen is self.main:
            others = [place for place in PLACES.values() if place is not self.main.place]
            return [self.main.place, *others, Place.MAIN, Place.APP]
        return [Place.EXECUTION, Place.APP]

    def action_show_help(self) -> None:
        from tui_scheduler.tui.screens.help import HelpScreen

        self.push_screen(HelpScreen(self.places[0], self.keymap))

    def action_show_palette(self) -> None:
        from tui_scheduler.tui.screens.palette import PaletteScreen

        self.push_screen(PaletteScreen(commands(self.places, self.keymap, self.themes.names)), self._run_command)

    def _run_command(self, name: str | None) -> None:
        if not name:
            return
        if name.startswith(THEME):
            self.theme = name.removeprefix(THEME)
            return
        action = BY_ID[name]
        if action.place in PLACES.values():
            self.main.go(next(pane for pane, place in PLACES.items() if place is action.place))
        self.call_later(self._take_action, name)  # after the focus has moved, which is on its way

    async def _take_action(self, name: str) -> None:
        action = BY_ID[name]
        panes = {place: self.main.pane(pane) for pane, place in PLACES.items()}
        at = panes.get(action.place) or (self if action.place is Place.APP else self.screen)
        if not await self.run_action(action.name, at):
            tell(self, f"Not possible now: {action.label}", severity="warning")

    # --- small things

    def action_undo(self) -> None:
        if not self.desk.undo:
            tell(self, "Nothing to undo")
            return
        begin(self, self._undo, group="undo")

    async def _undo(self) -> None:
        """One after the other, the latest first; what could not be undone is not tried again."""
        async with self._undoing:
            if not self.desk.undo:
                return
            undo = self.desk.undo.pop()
            try:
                await undo.back()
                await self.main.jobs.refresh_now()
            except SchedulerError as error:
                tell(self, f"Could not undo: {undo.label}. {error}", severity="error")
            else:
                tell(self, f"Undone: {undo.label}")

    def action_next_theme(self) -> None:
        tell(self, f"Theme: {self.themes.next()}", timeout=3)

    def action_toggle_mouse(self) -> None:
        driver = self._driver
        if driver is None:
            return
        self._has_mouse = not self._has_mouse
        if self._has_mouse:
            mouse.take(driver)
            tell(self, "The mouse is ours again", timeout=3)
            return
        mouse.give_away(driver)
        key = readable(keys_of(BY_ID["app.toggle-mouse"], self.keymap)[0])
        tell(self, f"Select text with the mouse; {key} gives it back to the program")

    def action_help_quit(self) -> None:
        """Ctrl+C with nothing selected."""
        keys = [*keys_of(BY_ID["app.leave"], self.keymap), "ctrl+q"]
        focused = self.focused  # a field takes letters for itself
        key = next(key for key in keys if focused is None or not focused.check_consume_key(key, character(key)))
        tell(self, f"{readable(key)} quits; Ctrl+C copies what is selected")

    # --- ending

    def _fatal_error(self) -> None:
        """A crash. Textual's own account of it shows the values of variables, and jobs carry credentials."""
        self._exit_renderables.append(Segments([Segment(format_exc())]))
        self._close_messages_no_wait()

    async def action_quit(self) -> None:
        """Textual's own way out, Ctrl+Q."""
        self.action_leave()

    def action_leave(self) -> None:
        """Quit: asks about a draft, then stops in order; asked again, stops at once."""
        if self._stopping is not None:
            if monotonic() >= self._stopping_since + _SURELY_S:
                self.abandon()
        elif not self._asking_to_leave:
            begin(self, self._leave, group="leave")

    async def _leave(self) -> None:
        self._asking_to_leave = True
        try:
            may_go = await self.main.editor.settle()
        finally:
            self._asking_to_leave = False
        if may_go:
            self.stop_soon()

    def stop_soon(self, code: int = 0) -> None:
        """Stop in order and end with this exit code, asking nobody: what a signal does. From the event loop."""
        if self._stopping is None:
            self._stopping_since = monotonic()
            self.unsaved = self.main.editor.unsaved
            self._stopping = StoppingScreen(opening=self.session is None)
            begin(self, partial(self._stop, self._stopping, code), group="stop")

    def abandon(self) -> None:
        """End without waiting. Nothing is lost: what was under way is found by the next start."""
        self.on_abandon()
        self.exit(ABANDONED, return_code=ABANDONED)

    async def _stop(self, screen: StoppingScreen, code: int) -> None:
        self.desk.close()
        await self.push_screen(screen)
        if self._opening is not None and self.failure is None:
            try:
                session = await asyncio.shield(self._opening)
            except SchedulerError:
                return  # whoever waits for the opening says so and ends
            screen.opened()
            await self._end(session, screen)
        self.exit(code, return_code=code)

    async def _end(self, session: Session, screen: StoppingScreen) -> None:
        loop = asyncio.get_running_loop()
        ended = loop.run_in_executor(self._threads, session.stop)
        while not ended.done():
            screen.in_flight = await loop.run_in_executor(self._threads, _in_flight, session)
            await asyncio.wait({ended}, timeout=_LOOK_S)
        await ended


def _in_flight(session: Session) -> int | None:
    """How many requests are under way; None when it cannot be asked any more."""
    try:
        return session.control.metrics().in_flight
    except SchedulerError:
        return None
