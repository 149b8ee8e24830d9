"""What the pictures show: the app over the same office, with the clock standing still, played to a point by keys.

The snapshots hold every scene to what it looked like; those with `is_shown` are the pictures in screenshots/.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from textual.widgets import Input, TextArea

from tests.tui.fake import SECOND, FakeControl, FakeSession
from tests.tui.pilots import NARROW, WIDE, until
from tests.tui.scenery import empty, failed_run, office
from tui_scheduler.domain.errors import StoreUnavailable
from tui_scheduler.domain.job import JobSpec, Request
from tui_scheduler.tui import app as tui_app
from tui_scheduler.tui.app import SchedulerApp
from tui_scheduler.tui.editor.form import Form
from tui_scheduler.tui.vitals import Firings
from tui_scheduler.tui.widgets.editor_pane import EditorPane
from tui_scheduler.tui.widgets.header import Header

Act = Callable[[Pilot[Any]], Awaitable[None]]


class PictureApp(SchedulerApp):
    """Pictures of it name no font of elsewhere: whoever looks at them has one, or a PNG."""

    CSS_PATH = str(Path(tui_app.__file__).with_name("scheduler.tcss"))

    def export_screenshot(self, *, title: str | None = None, simplify: bool = False) -> str:
        svg = super().export_screenshot(title=title, simplify=simplify)
        return re.sub(r"\s*@font-face\s*{.*?}", "", svg, flags=re.DOTALL)


FIRED = (4, 3, 5, 3, 4, 6, 3, 4, 9, 4, 3, 5)
"""Firings in one second after the other, round and round: what the sparkline of the header shows."""


@dataclass(frozen=True)
class Scene:
    """`act` plays it to the moment of the picture."""

    name: str
    act: Act
    control: Callable[[], FakeControl] = office
    size: tuple[int, int] = WIDE
    is_shown: bool = False
    theme: str = ""

    def app(self) -> PictureApp:
        control = self.control()
        return PictureApp(lambda: FakeSession(control), now=control.now, zone=UTC, theme=self.theme)


def keys(*pressed: str, shows: str) -> Act:
    """Press keys once the jobs are there, each when the one before has had its effect, then wait for a text."""

    async def act(pilot: Pilot[Any]) -> None:
        await at_work(pilot)
        for key in pressed:
            await pilot.press(key)
            await pilot.pause()
        await until(pilot, lambda: shows in screen_text(pilot))
        await at_rest(pilot)

    return act


async def at_work(pilot: Pilot[Any]) -> None:
    """The jobs are on the screen, the editor shows the first, and the header has looked on for a minute."""
    await until(pilot, lambda: "billing" in screen_text(pilot))
    await until(pilot, lambda: pilot.app.size.width < WIDE[0] or "Next runs" in screen_text(pilot))
    header = pilot.app.screen.query_one(Header)
    await until(pilot, lambda: header.metrics is not None)
    assert header.metrics is not None
    now = pilot.app.desk.now()  # type: ignore[attr-defined]
    header.firings = Firings()
    for ago in range(60, -1, -1):
        fired = header.metrics.fired - sum(FIRED[second % len(FIRED)] for second in range(ago))
        nodes = tuple(replace(n, heartbeat_at=now - ago * SECOND, counters={}) for n in header.metrics.nodes)
        header.firings.see(replace(header.metrics, fired=fired, nodes=nodes), now - ago * SECOND)
    header.refresh()


async def at_rest(pilot: Pilot[Any]) -> None:
    """Three looks in a row see the same: longer than whatever waits for the typing to pause. No cursor blinks."""
    for line in pilot.app.screen.query(Input):
        line.cursor_blink = False
    for area in pilot.app.screen.query(TextArea):
        area.cursor_blink = False
    looks = [""]
    while len(looks) < 3 or len(set(looks[-3:])) > 1:
        await pilot.pause(0.25)
        looks.append(screen_text(pilot))


def screen_text(pilot: Pilot[Any]) -> str:
    """What is on the screen, as text, row below row."""
    return "\n".join(strip.text for strip in pilot.app.screen._compositor.render_strips())


def both(name: str, act: Act, *, is_shown: bool = False, **more: Any) -> Sequence[Scene]:
    """The scene at 120x36, and at 80x24."""
    return (
        Scene(name, act, is_shown=is_shown, **more),
        Scene(f"{name}-narrow", act, size=NARROW, **more),
    )


async def failed_execution(pilot: Pilot[Any]) -> None:
    """The latest of the executions that failed, in full."""
    await at_work(pilot)
    await pilot.press("3", "t")
    await until(pilot, lambda: "503 #3" in screen_text(pilot))
    await pilot.press("G", "enter")
    await until(pilot, lambda: "Retry-After" in screen_text(pilot))
    await at_rest(pilot)


def with_failure() -> FakeControl:
    control = office()
    failed_run(control)
    return control


def stale() -> FakeControl:
    control = office()
    control.reasons = ("2 late occurrences, the oldest due 12 s ago",)
    return control


async def cut_off(pilot: Pilot[Any]) -> None:
    """The store went away while somebody looked."""
    await at_work(pilot)
    session = pilot.app.session  # type: ignore[attr-defined]
    session.control.fails = StoreUnavailable("the database is locked by another program", transient=True)
    await until(pilot, lambda: "STALE" in screen_text(pilot))
    await at_rest(pilot)


async def new_job(pilot: Pilot[Any]) -> None:
    """A job being written: its schedule meets a change of the clock."""
    await at_work(pilot)
    await pilot.press("c")
    editor = pilot.app.screen.query_one(EditorPane)
    await until(pilot, lambda: "new" in screen_text(pilot))
    await editor.create(
        JobSpec(
            "0 30 2 * * *",
            Request("http://127.0.0.1:3001/reports", body='{"kind": "daily"}'),
            name="reports: daily, before breakfast",
            timezone="Europe/Berlin",
        )
    )
    await at_rest(pilot)


async def wrong_schedule(pilot: Pilot[Any]) -> None:
    """A mistake in a schedule, said beside it as it is typed."""
    await at_work(pilot)
    await pilot.press("c")
    await until(pilot, lambda: "new" in screen_text(pilot))
    pilot.app.screen.query_one(Form).go_to("schedule")
    await at_rest(pilot)
    await pilot.press(*"0 61 * * * *")
    await until(pilot, lambda: "61" in screen_text(pilot))
    await at_rest(pilot)


async def welcomed(pilot: Pilot[Any]) -> None:
    await until(pilot, lambda: "sample" in screen_text(pilot))
    await at_rest(pilot)


SCENES: tuple[Scene, ...] = (
    *both("main", keys(shows="billing"), is_shown=True),
    *both("log", keys("3", "plus", shows="charge due"), is_shown=True),
    *both("execution", failed_execution, control=with_failure, is_shown=True),
    *both("editor", new_job, is_shown=True),
    *both("editor-wrong", wrong_schedule),
    *both("help", keys("question_mark", shows="Create a job"), is_shown=True),
    *both("delete", keys("j", "j", "space", "j", "space", "D", shows="Cancel"), is_shown=True),
    *both("filter", keys("slash", *"!tag:prod mail", shows="bounce")),
    *both("welcome", welcomed, control=empty, is_shown=True),
    *both("stale", cut_off),
    Scene("palette", keys("colon", *"theme", shows="heme"), is_shown=True),
    Scene("jobs-zoomed", keys("plus", shows="DRIFT")),
    Scene("late", keys(shows="12 s ago"), control=stale),
    Scene("main-light", keys(shows="billing"), theme="scheduler-light", is_shown=True),
    Scene("main-high-contrast", keys(shows="billing"), theme="high-contrast-dark"),
    Scene("main-terminal", keys(shows="billing"), theme="terminal"),
)
