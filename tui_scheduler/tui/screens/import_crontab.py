"""A crontab becomes jobs: what each line comes to is on show before anything is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static, TextArea

from tui_scheduler.control.control import Control
from tui_scheduler.control.views import Change, JobQuery
from tui_scheduler.domain.crontab import CrontabEntry, read_crontab
from tui_scheduler.domain.errors import Invalid, SchedulerError, StoreUnavailable
from tui_scheduler.domain.filtering import Column, JobFilter, Term
from tui_scheduler.domain.job import JobSpec
from tui_scheduler.tui import bulk
from tui_scheduler.tui.background import begin
from tui_scheduler.tui.desk import Desk
from tui_scheduler.tui.formatting import count, inert
from tui_scheduler.tui.local_zone import local_zone_name
from tui_scheduler.tui.telling import tell

_LARGEST: Final = 256 * 1024
"""Bytes: longer than any crontab, and still read at once."""

_SHOWN: Final = 500
"""Lines whose reading is shown; the others are counted."""

_COMPARED: Final = 200
_ALIKE: Final = 100
"""So many jobs are looked for in the store, and among so many that are like one."""

_THERE: Final = "a job with this name and URL is there already; a comment above the line gives it another name"

_INDENT: Final = 17
"""Cells before what is said of a line: its number, a sign and a word."""

_PATIENCE_S: Final = 5.0
_HELP: Final = "F5 your crontab   F10 import   Esc cancel"
_PLACEHOLDER: Final = "*/5 * * * *  curl -fsS https://example.com/hook"


class ImportCrontabScreen(ModalScreen[int]):
    """Its answer is how many jobs were made; 0 when it was cancelled. `zone` is whose clock the lines mean: this
    machine's, unless it is given, and to be changed by the user.
    """

    BINDINGS: ClassVar = [
        Binding("escape", "cancel", "Cancel"),
        Binding("f5", "own", "Read your crontab"),
        Binding("f10,ctrl+s", "import", "Import"),
        Binding("pageup", "scroll_found(-1)", "Scroll up", show=False, priority=True),
        Binding("pagedown", "scroll_found(1)", "Scroll down", show=False, priority=True),
    ]

    DEFAULT_CSS = """
    ImportCrontabScreen {
        align: center middle;

        #dialog {
            width: 100%;
            max-width: 110;
            height: 100%;
            max-height: 36;
            padding: 0 1;
            background: $surface;
            border: round $primary;
            border-title-style: bold;
            border-subtitle-color: $text-muted;
        }
        #source {
            height: 1;
            margin-bottom: 1;
        }
        #source Static {
            width: auto;
            padding-right: 1;
        }
        #source #path {
            width: 1fr;
            margin-right: 2;
        }
        #source #zone {
            width: 22;
        }
        #lines {
            scrollbar-size: 1 1;
            height: 1fr;
            max-height: 8;
            border: none;
            padding: 0 1;
            background: $boost;
        }
        #summary {
            margin-top: 1;
            text-style: bold;
        }
        #scroll {
            height: 2fr;
            scrollbar-size-vertical: 1;
        }
        #buttons {
            height: auto;
            align-horizontal: right;
        }
        #buttons Button {
            margin-left: 2;
        }
        &:ansi #dialog, &:ansi #lines {
            background: ansi_default;
        }
    }
    """

    def __init__(self, desk: Desk, zone: str | None = None) -> None:
        super().__init__()
        self.desk = desk
        self._zone = local_zone_name() if zone is None else zone
        self._found: list[JobSpec] = []
        self._lines: Sequence[CrontabEntry] = ()
        self._made: list[int] = []
        self._importing = False
        self._is_cancelled = False

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog") as dialog:
            dialog.border_title = "Import a crontab"
            dialog.border_subtitle = _HELP
            with Horizontal(id="source"):
                yield Static("File", markup=False)
                yield Input(id="path", placeholder="Enter reads it; or paste lines below", compact=True)
                yield Static("Times in", markup=False)
                yield Input(self._zone, id="zone", placeholder="UTC", compact=True)
            yield TextArea(id="lines", tab_behavior="focus", placeholder=_PLACEHOLDER)
            yield Static(id="summary", markup=False)
            with VerticalScroll(id="scroll", can_focus=False):
                yield Static(id="found", markup=False)
            with Horizontal(id="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Your crontab", id="own", compact=True)
                yield Button("Import", "primary", id="import", compact=True, disabled=True)

    def on_mount(self) -> None:
        self.query_one("#lines", TextArea).focus()
        self._summarise("Paste lines, name a file, or F5 for your own crontab.")
        begin(self, partial(self._fill_in_own, asked=False), group="source", exclusive=True)

    # --- where the lines come from

    @on(Input.Submitted, "#path")
    def _path_given(self, message: Input.Submitted) -> None:
        message.stop()
        if message.value.strip():
            begin(self, partial(self._fill_in_file, message.value.strip()), group="source", exclusive=True)

    async def _fill_in_file(self, path: str) -> None:
        try:
            text = await asyncio.to_thread(_read_file, path)
        except Invalid as error:
            self._summarise(f"× {error}")
            return
        self._fill_in(text)

    def action_own(self) -> None:
        begin(self, partial(self._fill_in_own, asked=True), group="source", exclusive=True)

    async def _fill_in_own(self, *, asked: bool) -> None:
        """Unasked, it never takes the place of what was pasted meanwhile, and says nothing when there is none."""
        try:
            text = await _own_crontab()
        except Invalid as error:
            if asked:
                self._summarise(f"× {error}")
            return
        if asked or not self.query_one("#lines", TextArea).text:
            self._fill_in(text)

    def _fill_in(self, text: str) -> None:
        lines = self.query_one("#lines", TextArea)
        lines.load_text(text)
        lines.focus()

    # --- what they come to

    @on(TextArea.Changed)
    @on(Input.Changed, "#zone")
    def _changed(self) -> None:
        self._found = []  # what is imported is what was read of the text as it is now
        text = self.query_one("#lines", TextArea).text
        zone = self.query_one("#zone", Input).value.strip() or "UTC"
        begin(self, partial(self._read, text, zone), group="reading", exclusive=True)

    async def _read(self, text: str, zone: str) -> None:
        """In a thread: a long one must not keep the keys waiting."""
        lines = await self._compared(await asyncio.to_thread(read_crontab, text, timezone=zone))
        self._found = [line.spec for line in lines if line.spec is not None]
        self._lines = lines
        self._show()
        self._offer(len(lines) - len(self._found), empty=not text.strip())

    async def _compared(self, lines: Sequence[CrontabEntry]) -> Sequence[CrontabEntry]:
        """The same lines; those whose job is there already make none. While the store cannot be read nothing is known
        of that.
        """
        there: dict[tuple[str, str], bool] = {}
        try:
            for spec in (line.spec for line in lines if line.spec is not None):
                wanted = _identity(spec)
                if self.desk.is_open and wanted not in there and len(there) < _COMPARED:
                    there[wanted] = await self.desk.ask(partial(_is_there, wanted=wanted))
        except StoreUnavailable:
            return lines
        return [
            replace(line, spec=None, reason=_THERE) if line.spec and there.get(_identity(line.spec)) else line
            for line in lines
        ]

    def on_resize(self) -> None:
        self._show()

    def _show(self) -> None:
        width = self.query_one("#scroll").size.width - _INDENT - 1  # the scroll bar's, also while there is none
        rows = [row for line in self._lines[:_SHOWN] for row in _reading(line, max(width, 10))]
        if len(self._lines) > _SHOWN:
            rows.append(Content(f"{'':{_INDENT}}… and {count(len(self._lines) - _SHOWN)} lines more"))
        self.query_one("#found", Static).update(Content("\n").join(rows))

    def _offer(self, refused: int, *, empty: bool) -> None:
        jobs = _jobs(len(self._found))
        button = self.query_one("#import", Button)
        button.disabled = not self._found
        button.label = f"Import {jobs}" if self._found else "Import"
        if empty:
            self._summarise("Paste lines, name a file, or F5 for your own crontab.")
        elif self._found or refused:
            left = f", {count(refused)} {'line does' if refused == 1 else 'lines do'} not come along" if refused else ""
            self._summarise(f"{jobs} to import{left}")
        else:
            self._summarise("Nothing here is a job: comments and settings only.")

    def _summarise(self, sentence: str) -> None:
        self.query_one("#summary", Static).update(inert(sentence))

    def action_scroll_found(self, pages: int) -> None:
        scroll = self.query_one("#scroll", VerticalScroll)
        scroll.scroll_relative(y=pages * max(scroll.size.height - 1, 1), animate=False)

    # --- importing

    @on(Button.Pressed)
    def _pressed(self, message: Button.Pressed) -> None:
        message.stop()
        {"cancel": self.action_cancel, "own": self.action_own, "import": self.action_import}[message.button.id or ""]()

    def action_cancel(self) -> None:
        """While jobs are being made: stop after the one that is under way."""
        self._is_cancelled = True
        if not self._importing:
            self.dismiss(0)

    def action_import(self) -> None:
        if self._found and not self._importing:
            self._importing = True
            begin(self, partial(self._import, list(self._found)), group="import")

    async def _import(self, specs: list[JobSpec]) -> None:
        refused: list[str] = []
        for number, spec in enumerate(specs, 1):
            if self._is_cancelled:
                break
            self._summarise(f"Importing {count(number)} of {count(len(specs))} … Esc stops")
            try:
                view = await self.desk.ask(lambda control, spec=spec: control.create_job(spec))  # type: ignore[misc]
            except StoreUnavailable as error:
                refused.append(str(error))
                break
            except SchedulerError as error:
                refused.append(f"{spec.name or spec.request.url}: {error}")
            else:
                self._made.append(view.job.key)
        self._tell(len(specs), refused)
        self.dismiss(len(self._made))

    def _tell(self, wanted: int, refused: list[str]) -> None:
        keys = tuple(self._made)
        if keys:
            self.desk.did(f"imported {_jobs(len(keys))}", lambda: self._take_back(keys))
        said = f"imported {_jobs(len(keys))}"
        if len(keys) < wanted:
            said += f" of {count(wanted)}"
        if refused:
            said += f"\n{inert(refused[0])}" + (f"\nand {len(refused) - 1} more were refused" if refused[1:] else "")
        tell(self.app, said, severity="warning" if refused else "information", lines=True)

    async def _take_back(self, keys: tuple[int, ...]) -> None:
        bulk.insist(Change.DELETE, await self.desk.ask(lambda control: control.change_jobs(Change.DELETE, keys)))


def _identity(spec: JobSpec) -> tuple[str, str]:
    return spec.name, spec.request.url


def _is_there(control: Control, wanted: tuple[str, str]) -> bool:
    """Whether a job that is not deleted has this name and URL."""
    terms = tuple(Term(Column.TEXT, text) for text in wanted if text)
    keys = control.list_jobs(JobQuery(JobFilter(terms))).keys
    return any((row.name, row.url) == wanted for row in control.job_rows(keys[:_ALIKE]))


def _jobs(number: int) -> str:
    return f"{count(number)} job{'s' * (number != 1)}"


def _reading(line: CrontabEntry, width: int) -> list[Content]:
    """What a line comes to, in rows of that width behind the line's number: what it is, then why or what to know."""
    if line.spec is None:
        sign = Content.assemble(f"{line.line:>4} ", ("× left out", "$text-error"))
        texts = [Content(inert(line.text)), _muted(line.reason or "")]
    else:
        spec = line.spec
        sign = Content.assemble(f"{line.line:>4} ", ("✓ job     ", "$text-success"))
        named = [f"named {spec.name}"] if spec.name else []
        what = f"{spec.schedule}  {spec.request.method} {inert(spec.request.url)}"
        texts = [Content(what), *map(_muted, (*named, *line.notes))]
    rows = [row for text in texts for row in _folded(text, width)]
    margin = Content(" " * _INDENT)
    return [sign.pad_right(_INDENT - sign.cell_length) + rows[0], *(margin + row for row in rows[1:])]


def _muted(text: str) -> Content:
    return Content.styled(inert(text), "$foreground-muted")


def _folded(text: Content, width: int) -> list[Content]:
    return text.wrap(width) or [text]


def _read_file(name: str) -> str:
    path = Path(name)
    try:
        with path.expanduser().open("rb") as file:
            content = file.read(_LARGEST + 1)
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: no such user; ValueError: a NUL inside
        raise Invalid(name, f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(content) > _LARGEST:
        raise Invalid(name, f"longer than {_LARGEST // 1024} KiB")
    return _text(content, name)


async def _own_crontab() -> str:
    """What `crontab -l` prints."""
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(
            "crontab", "-l", stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe
        )
    except OSError:
        raise Invalid("crontab -l", "there is no such program here") from None
    try:
        output, errors = await asyncio.wait_for(process.communicate(), _PATIENCE_S)
    except TimeoutError:
        raise Invalid("crontab -l", f"no answer within {_PATIENCE_S:.0f} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        said = errors.decode(errors="replace").strip().partition("\n")[0]
        raise Invalid("crontab -l", said or f"failed with exit code {process.returncode}")
    if len(output) > _LARGEST:
        raise Invalid("crontab -l", f"longer than {_LARGEST // 1024} KiB")
    return _text(output, "crontab -l")


def _text(content: bytes, source: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise Invalid(source, "not UTF-8") from None
