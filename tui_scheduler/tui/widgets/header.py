"""The line at the top: is it well, how much does it do, is it on time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from rich.cells import cell_len
from textual.content import Content
from textual.reactive import reactive
from textual.timer import Timer
from textual.widget import Widget

from tui_scheduler.control.views import Health, Metrics
from tui_scheduler.domain.errors import StoreUnavailable
from tui_scheduler.tui.background import begin, clear_of_herd, out_of_the_way
from tui_scheduler.tui.desk import Desk
from tui_scheduler.tui.fitting import Piece, fitting, shortened, total_width
from tui_scheduler.tui.formatting import SECOND, clock_time, count, duration, inert, sparkline
from tui_scheduler.tui.vitals import Badge, Firings, badge, next_wait, per_second

_GAP: Final = 3
_PATH: Final = 40
"""Cells for the name of the database."""
_BARS: Final = 20
_FEW_BARS: Final = 12


class Header(Widget):
    """Asks for metrics and health once a second, less often while nobody answers, never twice at once.

    Two lines where there is room, one on a narrow screen; what does not fit is left out whole, the least important
    first. The state of the program comes from outside: `opened`, `stale`, `trouble`.
    """

    DEFAULT_CSS = """
    Header {
        height: 2;
        background: $panel;
        color: $foreground;
    }
    """

    where: reactive[str] = reactive("")
    opened: reactive[bool] = reactive(False)
    stale: reactive[str | None] = reactive(None)
    trouble: reactive[str | None] = reactive(None)

    def __init__(self, desk: Desk, *, every: float = 1.0) -> None:
        super().__init__()
        self.desk = desk
        self.metrics: Metrics | None = None
        self.health: Health | None = None
        self._every = every
        self.firings = Firings()
        self.is_cut = False
        """Whether the badge has more to say than there is room for."""
        self._failures = 0
        self._timer: Timer | None = None

    def on_mount(self) -> None:
        self.set_interval(1.0, lambda: out_of_the_way(self, self.desk.now(), self._tick))
        self._ask_soon(0)

    def _tick(self) -> None:
        """The clock goes on while nobody answers, and that is said."""
        self.desk.listen()
        self.refresh()

    def _ask_soon(self, seconds: float) -> None:
        wait = clear_of_herd(self.desk.now(), seconds)
        self._timer = self.set_timer(wait, self._begin) if seconds else None
        if not seconds:
            self._begin()

    def _begin(self) -> None:
        begin(self, self._ask, group="header", exclusive=True)

    async def _ask(self) -> None:
        try:
            metrics, health = await self.desk.ask(lambda control: (control.metrics(), control.health()))
        except StoreUnavailable:
            self._failures += 1  # the desk has told everybody
        else:
            self._failures = 0
            self.metrics, self.health = metrics, health
            self.firings.see(metrics, self.desk.now())
        self.refresh()
        self._ask_soon(self._every * next_wait(self._failures))

    @property
    def badge(self) -> Badge:
        """Whether all is well, as far as is known."""
        return badge(opened=self.opened, stale=self.stale, trouble=self.trouble, reasons=self.reasons)

    @property
    def reasons(self) -> Sequence[str]:
        """Why the scheduler is not healthy, as far as is known."""
        return () if self.health is None else self.health.reasons

    def render(self) -> Content:
        width = max(self.size.width - 2, 0)
        if self.size.height > 1:
            return Content("\n").join([self._top(width), _line(fitting(self._numbers(_BARS), width, _GAP))])
        return self._narrow(width)

    def _top(self, width: int) -> Content:
        clock = Piece(self._clock(zone=True), 0)
        name = Piece("tui-scheduler", 3, "bold")
        room = width - clock.width - 2 * _GAP
        sign = self._sign(room - (name.width + _GAP if room > 60 else 0))
        left = fitting([name, sign, *self._places()], room, _GAP)
        return _line([*left, Piece(" " * max(width - total_width(left, _GAP) - clock.width - 2 * _GAP, 0), 0), clock])

    def _narrow(self, width: int) -> Content:
        sign = self._sign(width)
        rest = [*self._numbers(_FEW_BARS, short=True), Piece(self._clock(zone=False), 5)]
        return _line(fitting([sign, *rest], width), gap=2)

    @property
    def beneath(self) -> list[Piece]:
        """What the one line of a narrow screen has no place for, for the line below it."""
        metrics = self.metrics
        if metrics is None:
            return [Piece(inert(self.where), 1)] if self.where else []
        nodes = len(metrics.nodes) if self.health is None else self.health.nodes
        in_flight = f"in flight {count(metrics.in_flight)}"
        return [Piece(_plural(nodes, "node"), 0), Piece(_end_of(inert(self.where)), 1), Piece(in_flight, 2)]

    def _sign(self, room: int) -> Piece:
        shown = self.badge
        self.is_cut = len(self.reasons) > 1 or cell_len(shown.text) > room
        style = f"{shown.style} bold"
        return Piece(shortened(inert(shown.text), room), -1, style)

    def _places(self) -> list[Piece]:
        where = Piece(_end_of(inert(self.where)), 1, "$foreground-muted")
        if self.metrics is None:
            return [where] if self.where else []
        nodes = len(self.metrics.nodes) if self.health is None else self.health.nodes
        jobs = sum(number for state, number in self.metrics.jobs.items() if state != "deleted")
        return [
            where,
            Piece(_plural(nodes, "node"), 2, "$foreground-muted"),
            Piece(_plural(jobs, "job"), 4, "$foreground-muted"),
        ]

    def _numbers(self, bars: int, *, short: bool = False) -> list[Piece]:
        metrics = self.metrics
        if metrics is None:
            return []
        now = self.desk.now()
        line = sparkline(self.firings.rates(now, bars), bars)
        drift = f"p99 {duration(metrics.drift_p99)}"
        late = f"late {count(metrics.late)}"
        if metrics.late and metrics.oldest_late is not None and not short:
            late += f" by {duration(max(now - metrics.oldest_late, 0) // SECOND * SECOND)}"
        return [
            Piece(f"{per_second(self.firings.rate(now)):>6} {line}", 1, "$accent"),
            Piece(drift if short else f"drift p50 {duration(metrics.drift_p50)} {drift}", 4),
            Piece(f"in flight {count(metrics.in_flight)}", 6 if short else 5),
            Piece(late, 3, "$warning bold" if metrics.late else ""),
            Piece(f"{'▲ ' * bool(metrics.failing)}failing {_up_to(metrics.failing)}", 2, _bad(metrics.failing)),
        ]

    def _clock(self, *, zone: bool) -> str:
        now = self.desk.now()
        time = clock_time(now, self.desk.zone, millis=False)
        return f"{time} {datetime.fromtimestamp(now // SECOND, self.desk.zone).tzname()}" if zone else time


def _line(pieces: list[Piece], gap: int = _GAP) -> Content:
    parts: list[Content] = []
    for piece in pieces:
        parts += [Content(" " * (gap if parts else 1)), Content.styled(piece.text, piece.style)]
    return Content("").join(parts)


def _end_of(path: str) -> str:
    """A long path by its end, which tells databases apart."""
    return path if len(path) <= _PATH else f"…{path[1 - _PATH :]}"


def _bad(number: int) -> str:
    return "$error bold" if number else ""


def _plural(number: int, noun: str) -> str:
    return f"{count(number)} {noun}" + ("" if number == 1 else "s")


def _up_to(number: int) -> str:
    """The store stops counting at 10,000."""
    return f"{count(number)}+" if number >= 10_000 else count(number)
