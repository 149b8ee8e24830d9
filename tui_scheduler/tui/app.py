"""The application: what is the same on every screen."""

from __future__ import annotations

from collections.abc import Callable

from textual.app import App

from tui_scheduler.tui.actions import Place, bindings
from tui_scheduler.tui.desk import Desk
from tui_scheduler.tui.screens.main import MainScreen
from tui_scheduler.tui.session import Session, Start


class SchedulerApp(App[int]):
    """Paints first, then opens the store in a thread. Its result is the exit code.

    `now` gives µs since the epoch; what is on the screen never looks at another clock.
    """

    TITLE = "tui-scheduler"
    ENABLE_COMMAND_PALETTE = False
    CSS_PATH = "scheduler.tcss"
    BINDINGS = bindings(Place.APP)

    def __init__(self, start: Start, *, now: Callable[[], int]) -> None:
        super().__init__()
        self._start = start
        self.session: Session | None = None
        self.desk = Desk(now)

    def on_mount(self) -> None:
        self.push_screen(MainScreen(self.desk))
        self.run_worker(self._open_store(), group="session", exit_on_error=True)

    async def _open_store(self) -> None:
        import asyncio

        self.session = await asyncio.to_thread(self._start)
        self.desk.open(self.session.control)
