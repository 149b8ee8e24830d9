"""What the pictures show: the app over the same office, with the clock standing still, played to a point by keys.

The snapshots hold every scene to what it looked like; those with `is_shown` are the pictures in screenshots/.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from textual.pilot import Pilot

from tests.tui.fake import FakeControl, FakeSession
from tests.tui.pilots import NARROW, WIDE, until
from tests.tui.scenery import office
from tui_scheduler.tui.app import SchedulerApp

Act = Callable[[Pilot[Any]], Awaitable[None]]


class PictureApp(SchedulerApp):
    """Pictures of it name no font of elsewhere: whoever looks at them has one, or a PNG."""

    def export_screenshot(self, *, title: str | None = None, simplify: bool = False) -> str:
        svg = super().export_screenshot(title=title, simplify=simplify)
        return re.sub(r"\s*@font-face\s*{.*?}", "", svg, flags=re.DOTALL)


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
        app = PictureApp(lambda: FakeSession(control), now=control.now, zone=UTC)
        if self.theme:
            app.theme = self.theme
        return app


def keys(*pressed: str, shows: str) -> Act:
    """Press keys once the jobs are there, then wait until the screen shows a text."""

    async def act(pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: "cache warmer" in screen_text(pilot))
        await pilot.press(*pressed)
        await until(pilot, lambda: shows in screen_text(pilot))
        await pilot.pause()

    return act


def screen_text(pilot: Pilot[Any]) -> str:
    """What is on the screen, as text, row below row."""
    return "\n".join(strip.text for strip in pilot.app.screen._compositor.render_strips())


def both(name: str, act: Act, *, is_shown: bool = False, **more: Any) -> Sequence[Scene]:
    """The scene at 120x36, and at 80x24."""
    return (
        Scene(name, act, is_shown=is_shown, **more),
        Scene(f"{name}-narrow", act, size=NARROW, **more),
    )


SCENES: tuple[Scene, ...] = (*both("main", keys(shows="billing"), is_shown=True),)
