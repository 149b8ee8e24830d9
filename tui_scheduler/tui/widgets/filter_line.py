"""The line above the job table in which one types which jobs to see."""

from __future__ import annotations

from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Input, Static

from tui_scheduler.domain.errors import Invalid
from tui_scheduler.domain.filtering import MAX_LENGTH, JobFilter, parse_filter
from tui_scheduler.tui.formatting import inert

_PAUSE_S: Final = 0.15
"""So long after the last key the filter is taken."""

_HINT: Final = 'words  tag:x  state:failing  queue:x  !tag:x (not)  "two words"'


class FilterLine(Vertical):
    """Tells the filter as it is typed. The line below says what can be typed or, of what cannot be meant, why; the last
    good filter stays then. Away from the focus it is one line.
    """

    BINDINGS: ClassVar = [Binding("down", "leave", "To the jobs", show=False)]
    DEFAULT_CSS = """
    FilterLine {
        height: auto;
        display: none;
        &.-open { display: block; }
        & > Horizontal { height: 1; }
        & .sign { width: 2; color: $text-accent; text-style: bold; }
        & Input {
            width: 1fr;
            height: 1;
            padding: 0;
            border: none;
            background: transparent;
            &:focus { border: none; background: $boost; }
        }
        & > .hint {
            display: none;
            height: 1;
            padding-left: 2;
            color: $text-muted;
            text-wrap: nowrap;
            text-overflow: ellipsis;
            &.-wrong { color: $text-error; }
        }
        &:focus-within > .hint { display: block; }
    }
    """

    class Typed(Message):
        """Show the jobs that this filter finds."""

        def __init__(self, condition: JobFilter) -> None:
            super().__init__()
            self.condition = condition

    class Left(Message):
        """Back to the jobs; the filter stays."""

    def __init__(self) -> None:
        super().__init__()
        self._input = Input(compact=True, max_length=MAX_LENGTH, select_on_focus=False)
        self._hint = Static(_HINT, classes="hint", markup=False)
        self._timer: Timer | None = None
        self._condition = JobFilter()
        self._text = ""

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Static("/", classes="sign", markup=False)
            yield self._input
        yield self._hint

    @property
    def text(self) -> str:
        """The filter in use, as it was typed; "" for none."""
        return self._text

    @property
    def is_open(self) -> bool:
        return self.has_class("-open")

    @property
    def has_focus_inside(self) -> bool:
        return self._input.has_focus

    def open(self) -> None:
        """Show the line and type in it."""
        self.add_class("-open")
        self._input.focus()

    def drop(self) -> None:
        """Close the line; every job is shown."""
        self.remove_class("-open")
        with self.prevent(Input.Changed):
            self._input.value = ""
        self._say("")
        self._text = ""
        self._stop()
        self._take(JobFilter())

    @on(Input.Changed)
    def _wait_for_more(self, message: Input.Changed) -> None:
        message.stop()
        self._stop()
        self._timer = self.set_timer(_PAUSE_S, self.take)

    @on(Input.Submitted)
    def _submit(self, message: Input.Submitted) -> None:
        message.stop()
        self.action_leave()

    def action_leave(self) -> None:
        """Back to the jobs with the filter; without one the line closes. Stays while it cannot be meant."""
        if not self.take():
            return
        if not self.text:
            self.drop()
        self.post_message(self.Left())

    def take(self) -> bool:
        """Use what is typed now; False if it cannot be meant."""
        self._stop()
        try:
            condition = parse_filter(self._input.value)
        except Invalid as error:
            self._say(f"▲ {inert(error.reason)}")
            return False
        self._say("")
        self._text = self._input.value.strip()
        self._take(condition)
        return True

    def _take(self, condition: JobFilter) -> None:
        if condition != self._condition:
            self._condition = condition
            self.post_message(self.Typed(condition))

    def _say(self, wrong: str) -> None:
        self._hint.set_class(bool(wrong), "-wrong")
        self._hint.update(wrong or _HINT)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
