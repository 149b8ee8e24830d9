"""What the first start offers: a store without jobs is no dead end."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar, Final, NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from tui_scheduler.control.control import Control
from tui_scheduler.control.views import Change, JobQuery
from tui_scheduler.domain.errors import SchedulerError
from tui_scheduler.tui import bulk
from tui_scheduler.tui.actions import BY_ID, keys_of, readable
from tui_scheduler.tui.background import begin
from tui_scheduler.tui.desk import Desk
from tui_scheduler.tui.formatting import SECOND, clock_time, inert
from tui_scheduler.tui.session import Session
from tui_scheduler.tui.telling import tell

_MINUTE: Final = 60 * SECOND


class First(StrEnum):
    """What the user took. The samples are loaded by then; the others are for the main screen to open."""

    SAMPLES = "samples"
    CREATE = "create"
    IMPORT = "import"
    LOOK = "look"


class _Offer(NamedTuple):
    what: First
    key: str
    title: str
    text: str


_OFFERS: Final = (
    _Offer(
        First.SAMPLES,
        "s",
        "Load four sample jobs",
        "They call a receiver built in here, once a minute at most.\nThe first fires at the next full minute, {at}.",
    ),
    _Offer(First.CREATE, "c", "Create a job", "The editor opens: a schedule, a URL, {save} saves."),
    _Offer(First.IMPORT, "i", "Import a crontab", "You see what each line becomes before anything is stored."),
    _Offer(
        First.LOOK,
        "esc",
        "Just look around",
        "{help} shows the keys, {create} creates a job, {import_} imports a crontab.",
    ),
)


_NAMED: Final = {
    "save": "editor.save",
    "help": "app.show-help",
    "create": "jobs.create",
    "import_": "jobs.import-crontab",
}
"""Actions whose keys the offers name, as the user has set them."""


async def is_empty(desk: Desk) -> bool:
    """Whether there is no job at all, so that the offers make sense."""
    return (await desk.ask(lambda control: control.list_jobs(JobQuery()))).total == 0


class WelcomeScreen(ModalScreen[First]):
    """Each offer by its key or as a button. What goes wrong is said here, and the other offers stand."""

    BINDINGS: ClassVar = [
        Binding("s", "take('samples')", "Load four sample jobs"),
        Binding("c", "take('create')", "Create a job"),
        Binding("i", "take('import')", "Import a crontab"),
        Binding("escape,l,q", "take('look')", "Just look around"),
        Binding("up,left,k", "app.focus_previous", "Offer before", show=False),
        Binding("down,right,j", "app.focus_next", "Next offer", show=False),
        Binding("space", "press", "Take the offer", show=False),
    ]

    DEFAULT_CSS = """
    WelcomeScreen {
        align: center middle;

        #dialog {
            width: 74;
            max-width: 100%;
            height: auto;
            max-height: 100%;
            padding: 1 2 0 2;
            background: $surface;
            border: round $primary;
            border-title-style: bold;
            border-subtitle-color: $text-muted;
        }
        #offers {
            height: auto;
        }
        #where {
            margin-bottom: 1;
        }
        .offer {
            width: 100%;
            text-align: left;
            content-align: left middle;
        }
        .about {
            margin: 0 0 1 6;
            color: $text-muted;
        }
        #trouble {
            color: $text-error;
            display: none;
            margin-bottom: 1;
        }
        #trouble.-there {
            display: block;
        }
        &:ansi #dialog {
            background: ansi_default;
        }
    }
    """

    def __init__(self, desk: Desk, session: Session, keymap: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self._keymap = keymap or {}
        self.desk = desk
        self._session = session
        self._loading = False

    def compose(self) -> ComposeResult:
        minute = (self.desk.now() // _MINUTE + 1) * _MINUTE
        keys = {name: readable(next(iter(keys_of(BY_ID[id_], self._keymap)), "-")) for name, id_ in _NAMED.items()}
        at = clock_time(minute, self.desk.zone, millis=False)
        with Vertical(id="dialog") as dialog:
            dialog.border_title = "Welcome to tui-scheduler"
            dialog.border_subtitle = "↑ ↓ choose   Enter take   Esc look around"
            with VerticalScroll(id="offers", can_focus=False):
                where = inert(self._session.where)
                yield Static(f"There are no jobs yet in {where}. How to begin?", id="where", markup=False)
                for offer in _OFFERS:
                    label = Content(f"{offer.key:>3}  {offer.title}")
                    yield Button(label, id=offer.what.value, classes="offer", compact=True)
                    yield Static(offer.text.format(at=at, **keys), classes="about", markup=False)
                yield Static(id="trouble", markup=False)

    def on_mount(self) -> None:
        self.query_one(f"#{First.SAMPLES}", Button).focus()

    @on(Button.Pressed)
    def _pressed(self, message: Button.Pressed) -> None:
        message.stop()
        self.action_take(message.button.id or First.LOOK)

    def action_take(self, what: str) -> None:
        """Take an offer. While the samples are being loaded nothing else can be taken: it is a moment."""
        if self._loading:
            return
        if what == First.SAMPLES:
            self._loading = True
            begin(self, self._load_samples, group="samples")
        else:
            self.dismiss(First(what))

    def action_press(self) -> None:
        if isinstance(self.focused, Button):
            self.focused.press()

    async def _load_samples(self) -> None:
        self.query_one("#dialog").border_subtitle = "Starting the receiver …"
        try:
            keys = await self.desk.ask(self._make_samples)
        except SchedulerError as error:
            trouble = self.query_one("#trouble", Static)
            trouble.update(f"× {inert(str(error))}")
            trouble.add_class("-there")
            trouble.scroll_visible(animate=False)
            self.query_one("#dialog").border_subtitle = "↑ ↓ choose   Enter take   Esc look around"
            return
        finally:
            self._loading = False
        self._remember(keys)
        tell(self.app, f"loaded {len(keys)} sample jobs; watch the countdowns")
        self.dismiss(First.SAMPLES)

    def _make_samples(self, control: Control) -> tuple[int, ...]:
        """In a thread; the keys of the jobs that were made."""
        before = set(control.list_jobs(JobQuery()).keys)
        self._session.load_samples()
        return tuple(key for key in control.list_jobs(JobQuery()).keys if key not in before)

    def _remember(self, keys: tuple[int, ...]) -> None:
        async def back() -> None:
            bulk.insist(Change.DELETE, await self.desk.ask(lambda control: control.change_jobs(Change.DELETE, keys)))

        self.desk.did(f"loaded {len(keys)} sample jobs", back)
