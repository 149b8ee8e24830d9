"""Paste a curl command; what it makes of a job is shown while it is there to be looked at."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Static, TextArea

from tui_scheduler.domain.curl import CurlRequest, read_curl
from tui_scheduler.domain.durations import show_duration
from tui_scheduler.domain.errors import Invalid
from tui_scheduler.tui.fitting import shortened
from tui_scheduler.tui.formatting import inert

_BODY_SHOWN = 120


class CurlScreen(ModalScreen[CurlRequest | None]):
    """Its answer is the request that was read; None when it was cancelled."""

    BINDINGS: ClassVar = [
        Binding("escape", "cancel", "Cancel", show=False),
        Binding("f10,ctrl+s", "fill", "Fill in", show=False),
    ]

    DEFAULT_CSS = """
    CurlScreen {
        align: center middle;
        #curl {
            width: 90%;
            max-width: 96;
            height: 20;
            max-height: 95%;
            padding: 0 1;
            background: $surface;
            border: round $primary;
            border-title-style: bold;
            border-subtitle-color: $text-muted;
        }
        #command { height: 7; border: none; padding: 0 1; background: $boost; }
        #reading { height: 1fr; margin: 1 1 0 1; scrollbar-size-vertical: 1; }
        #buttons { height: auto; align-horizontal: right; Button { margin-left: 2; } }
        &:ansi #curl, &:ansi #command { background: ansi_default; }
    }
    """

    def __init__(self, command: str = "") -> None:
        super().__init__()
        self._command = command
        self._found: CurlRequest | None = None

    def compose(self) -> ComposeResult:
        with Vertical(id="curl") as box:
            box.border_title = Content("Fill in from a curl command")
            box.border_subtitle = Content("Tab to the button   F10 fill in   Esc cancel")
            yield TextArea(
                self._command, id="command", tab_behavior="focus", placeholder="curl -d '{\"n\": 1}' https://…"
            )
            with VerticalScroll(id="reading", can_focus=False):
                yield Static(Content(""), id="read")
            with Horizontal(id="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Fill in", "primary", id="fill", compact=True)

    def on_mount(self) -> None:
        self.query_one("#command", TextArea).focus()
        self._read()

    @on(TextArea.Changed)
    def _changed(self) -> None:
        self._read()

    def _read(self) -> None:
        text = self.query_one("#command", TextArea).text
        told = Content.styled("Paste it here: what it means is shown as you go.", "$foreground-muted")
        self._found = None
        if text.strip():
            try:
                self._found = read_curl(text)
                told = _told(self._found)
            except Invalid as error:
                told = _wrong(text, error)
        self.query_one("#read", Static).update(told)
        self.query_one("#fill", Button).disabled = self._found is None

    @on(Button.Pressed)
    def _pressed(self, message: Button.Pressed) -> None:
        message.stop()
        if message.button.id == "fill":
            self.action_fill()
        else:
            self.action_cancel()

    def action_fill(self) -> None:
        if self._found is not None:
            self.dismiss(self._found)

    def action_cancel(self) -> None:
        self.dismiss(None)


def _told(found: CurlRequest) -> Content:
    request = found.request
    lines = [Content.assemble((f"{request.method} ", "bold"), inert(request.url))]
    lines += [
        Content.assemble((f"{inert(name)}: ", "$foreground-muted"), inert(value)) for name, value in request.headers
    ]
    if request.body is not None:
        lines.append(Content(shortened(inert(request.body[: 2 * _BODY_SHOWN]), _BODY_SHOWN)))
    settings = [
        *(["TLS not verified"] if not request.tls_verify else []),
        *(["follows redirects"] if request.follow_redirects else []),
        *([f"CA file {request.ca_file}"] if request.ca_file else []),
        *([f"timeout {show_duration(found.timeout)}"] if found.timeout is not None else []),
    ]
    if settings:
        lines.append(Content(inert(", ".join(settings))))
    lines += [Content.styled(f"▲ {inert(note)}", "$text-warning") for note in found.notes]
    return Content("\n").join(lines)


def _wrong(text: str, error: Invalid) -> Content:
    where = ""
    if error.position is not None and error.position < len(text):
        rest = text[error.position :].split("\n", maxsplit=1)[0]
        where = f", at: {shortened(inert(rest[:80]), 40)}" if rest.strip() else ""
    return Content.styled(f"× {inert(error.reason)}{where}", "$text-error")
