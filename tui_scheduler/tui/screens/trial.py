"""The request of a job, sent once to try it, and what came back."""

from __future__ import annotations

from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui_scheduler.control.views import Trial
from tui_scheduler.domain.durations import show_duration
from tui_scheduler.domain.errors import SchedulerError
from tui_scheduler.domain.job import JobSpec
from tui_scheduler.tui.background import begin
from tui_scheduler.tui.desk import Desk
from tui_scheduler.tui.formatting import SECOND, duration, inert

_TICK_S: Final = 0.25


class TrialScreen(ModalScreen[None]):
    """Sends as soon as it is there. Esc leaves, before the answer too: the request is then cut off."""

    BINDINGS: ClassVar = [
        Binding("escape,enter,q,f2", "leave", "Back", show=False),
        Binding("j,down", "scroll_some(1)", "Down", show=False),
        Binding("k,up", "scroll_some(-1)", "Up", show=False),
        Binding("pagedown,space", "scroll_some(10)", "A page down", show=False),
        Binding("pageup", "scroll_some(-10)", "A page up", show=False),
    ]

    DEFAULT_CSS = """
    TrialScreen {
        align: center middle;
        #trial {
            width: 90%;
            max-width: 100;
            height: auto;
            max-height: 90%;
            padding: 0 2;
            background: $surface;
            border: round $primary;
            border-title-style: bold;
            border-subtitle-color: $text-muted;
            &.-good { border: round $success; }
            &.-bad { border: round $error; }
        }
        #answer { height: auto; max-height: 70vh; scrollbar-size-vertical: 1; }
        &:ansi #trial { background: ansi_default; }
    }
    """

    def __init__(self, desk: Desk, spec: JobSpec) -> None:
        super().__init__()
        self._desk = desk
        self._spec = spec
        self._began = desk.now()
        self._is_over = False

    def compose(self) -> ComposeResult:
        request = self._spec.request
        with Vertical(id="trial") as box:
            box.border_title = Content("Test request: nothing is saved")
            box.border_subtitle = Content("Esc cancel")
            yield Static(Content(inert(f"{request.method} {request.url}")), id="target")
            yield Static(Content(""), id="verdict")
            with VerticalScroll(id="answer", can_focus=False):
                yield Static(Content(""), id="response")

    def on_mount(self) -> None:
        self._show_progress()
        self.set_interval(_TICK_S, self._show_progress)
        begin(self, self._send, group="trial")

    async def _send(self) -> None:
        try:
            trial = await self._desk.ask_long(
                lambda control, unwanted: control.test_request(self._spec, unwanted=unwanted)
            )
        except SchedulerError as error:
            self._show(Content.styled(f"× {inert(str(error))}", "$text-error"), Content(""), is_good=False)
            return
        self._show(_verdict(trial), _response(trial), is_good=trial.succeeded)

    def _show_progress(self) -> None:
        if not self._is_over:
            waited = max(self._desk.now() - self._began, 0) // SECOND
            limit = show_duration(self._spec.timeout)
            self.query_one("#verdict", Static).update(Content(f"▶ waiting for the answer, {waited} s of {limit}"))

    def _show(self, verdict: Content, response: Content, *, is_good: bool) -> None:
        self._is_over = True
        box = self.query_one("#trial", Vertical)
        box.add_class("-good" if is_good else "-bad")
        box.border_subtitle = Content("↑ ↓ scroll   Esc back")
        self.query_one("#verdict", Static).update(verdict)
        self.query_one("#response", Static).update(response)

    def action_leave(self) -> None:
        self.workers.cancel_group(self, "trial")
        self.dismiss(None)

    def action_scroll_some(self, lines: int) -> None:
        self.query_one("#answer", VerticalScroll).scroll_relative(y=lines, animate=False)


def _verdict(trial: Trial) -> Content:
    word, style = ("✓ success", "$text-success") if trial.succeeded else ("× failure", "$text-error")
    status = "no status" if trial.http_status is None else f"status {trial.http_status}"
    took = "" if trial.duration is None else f" in {duration(trial.duration)}"
    reason = "" if trial.reason == status else f": {inert(trial.reason)}"
    return Content.assemble((f"{word}", style), f"  {status}{took}{reason}")


def _response(trial: Trial) -> Content:
    headers = [
        Content.assemble((f"{inert(name)}: ", "$foreground-muted"), inert(value)) for name, value in trial.headers
    ]
    body = (
        Content(inert(trial.excerpt, lines=True)) if trial.excerpt else Content.styled("no body", "$foreground-muted")
    )
    return Content("\n").join([Content(""), *headers, Content(""), body])
