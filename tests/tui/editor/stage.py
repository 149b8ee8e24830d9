"""The editor pane by itself, over a control in memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC

from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.events import Paste
from textual.pilot import Pilot
from textual.widget import Widget

from tests.tui.fake import FakeControl
from tests.tui.pilots import play, until
from tui_scheduler.domain.job import Job, JobSpec, Request
from tui_scheduler.tui.desk import Desk
from tui_scheduler.tui.editor.form import Form
from tui_scheduler.tui.widgets.editor_pane import EditorPane

SPEC = JobSpec(
    "*/5 * * * * *",
    Request("http://127.0.0.1:3001/hook", headers=(("X-Source", "nightly"),), body='{"n": 1, "ok": true}'),
    name="nightly report",
)
Scenario = Callable[["Bench"], Awaitable[None]]


class EditorApp(App[None]):
    """What the main screen does for the editor: Esc goes back, what it posts is remembered."""

    BINDINGS = [Binding("escape", "back", "Back")]  # noqa: RUF012 - Textual declares it as an instance variable
    AUTO_FOCUS = ""

    def __init__(self, control: FakeControl) -> None:
        super().__init__()
        self.desk = Desk(control.now)
        self.desk.zone = UTC
        self.desk.open(control)
        self.saved: list[EditorPane.Saved] = []
        self.left = 0

    def compose(self) -> ComposeResult:
        yield EditorPane(self.desk, id="editor")

    def on_editor_pane_saved(self, message: EditorPane.Saved) -> None:
        self.saved.append(message)

    def on_editor_pane_left(self) -> None:
        self.left += 1
        self.set_focus(None)

    async def action_back(self) -> None:
        self.query_one(EditorPane).back()


class Bench:
    """The app under way, with one job stored."""

    def __init__(self, pilot: Pilot[None], app: EditorApp, control: FakeControl, job: Job) -> None:
        self.pilot = pilot
        self.app = app
        self.control = control
        self.job = job

    @property
    def pane(self) -> EditorPane:
        return self.app.screen_stack[0].query_one(EditorPane)

    @property
    def form(self) -> Form:
        return self.app.screen_stack[0].query_one(Form)

    @property
    def title(self) -> str:
        return str(self.pane.border_title)

    @property
    def stored(self) -> JobSpec:
        """The job as the control has it."""
        return self.control.stored[self.job.key].spec

    def text(self, key: str) -> str:
        return self.form.texts()[key]

    def entry(self, key: str) -> Widget:
        return self.form.row(key).entry

    def shown(self, selector: str) -> str:
        """What a widget of the top screen says; nothing while it is not there."""
        found = self.app.screen.query(selector)
        return str(found.first().render()) if found else ""

    def toasts(self) -> str:
        return "\n".join(note.message for note in self.app._notifications)

    async def show(self) -> None:
        """The cursor comes to the job."""
        await self.pane.show(self.job.id)
        await self.until(lambda: bool(self.pane.query(Form)) and "nightly" in self.title)

    async def edit(self) -> None:
        await self.pane.edit(self.job.id)
        await self.until(lambda: self.app.focused is not None)

    async def enter(self, key: str, text: str) -> None:
        """Go to a field of one line, empty it, and paste a text."""
        self.form.go_to(key)
        await self.until(lambda: self.app.focused is self.entry(key))
        await self.press("end", "ctrl+u")
        self.app.post_message(Paste(text))
        await self.until(lambda: self.text(key) == text)

    async def type(self, text: str) -> None:
        await self.press(*("space" if char == " " else char for char in text))

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def until(self, holds: Callable[[], object]) -> None:
        await until(self.pilot, holds)


def on_stage(scenario: Scenario, *, spec: JobSpec = SPEC, size: tuple[int, int] = (46, 33)) -> Bench:
    """Play a scenario on the pane, by default as wide as it is beside the others."""
    control = FakeControl()
    job = control.add(spec)
    app = EditorApp(control)
    benches: list[Bench] = []

    async def run(pilot: Pilot[None]) -> None:
        benches.append(Bench(pilot, app, control, job))
        await scenario(benches[0])

    play(app, run, size=size)
    return benches[0]
