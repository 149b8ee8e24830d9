"""The log by itself, over a fake control."""

from __future__ import annotations

from datetime import UTC, tzinfo
from typing import Any

from textual.app import App, ComposeResult
from textual.content import Content
from textual.pilot import Pilot

from tests.tui.fake import SECOND, FakeControl
from tests.tui.pilots import until
from tui_scheduler.domain.execution import State
from tui_scheduler.domain.job import Job, JobSpec, Request
from tui_scheduler.tui.desk import Desk
from tui_scheduler.tui.widgets.log_pane import LogPane
from tui_scheduler.tui.widgets.log_view import LogView


class LogApp(App[None]):
    """`opened` are the executions that were to be shown in full."""

    ENABLE_COMMAND_PALETTE = False
    BINDINGS = [("escape", "step_back")]  # noqa: RUF012 - Textual declares it as an instance variable

    def __init__(self, control: FakeControl, *, border: bool = True, is_open: bool = True, zone: tzinfo = UTC) -> None:
        super().__init__()
        self.control = control
        self.desk = Desk(control.now, zone=zone)
        self.pane = LogPane(self.desk)
        self.border = border
        self.is_open = is_open
        self.opened: list[str] = []
        self.refused_to_go_back = 0

    def compose(self) -> ComposeResult:
        yield self.pane

    def on_mount(self) -> None:
        if self.border:
            self.pane.styles.border = ("round", "white")
        if self.is_open:
            self.desk.open(self.control)
        self.pane.focus_inside()

    def on_log_pane_opened(self, message: LogPane.Opened) -> None:
        self.opened.append(message.execution_id)

    def action_step_back(self) -> None:
        self.refused_to_go_back += not self.pane.back()

    # --- what is to be seen

    @property
    def view(self) -> LogView:
        return self.pane.query_one(LogView)

    @property
    def title_shown(self) -> str:
        return Content.from_markup(self.pane.border_title or "").plain

    @property
    def keys(self) -> list[int]:
        """Of the executions in the log, from the top."""
        return [line.row.key for line in self.view.model.lines if hasattr(line, "row")]

    @property
    def text(self) -> str:
        """What is on the screen, line by line."""
        return "\n".join(strip.text for strip in self.screen._compositor.render_strips())

    @property
    def toasts(self) -> list[str]:
        return [toast.message for toast in self._notifications]


def job(control: FakeControl, name: str = "nightly report") -> Job:
    return control.add(JobSpec("0 * * * * *", Request(f"http://127.0.0.1:3001/{len(control.stored)}"), name=name))


def runs(control: FakeControl, number: int, state: State = State.SUCCEEDED, *, of: Job | None = None) -> None:
    """So many more executions, a second apart, the last one now."""
    of = of if of is not None else next(iter(control.stored.values()))
    for ago in range(number - 1, -1, -1):
        control.happened(of, state, ago=ago * SECOND)


def busy(number: int = 100) -> FakeControl:
    """One job that ran so many times."""
    control = FakeControl()
    job(control)
    runs(control, number)
    return control


async def filled(pilot: Pilot[Any], number: int) -> LogApp:
    """The log has so many lines."""
    app = pilot.app
    assert isinstance(app, LogApp)
    await until(pilot, lambda: len(app.view.model.lines) == number)
    await pilot.pause()
    return app
