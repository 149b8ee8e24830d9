"""Queues and maintenance windows of a `Control` in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tui_scheduler.control.views import QueueView, WindowView
from tui_scheduler.domain.errors import NotFound
from tui_scheduler.domain.queues import NO_LIMITS, Limits, check_limits, check_queue_name
from tui_scheduler.domain.window_checks import check_window, times_of
from tui_scheduler.domain.windows import WindowSpec


class FakeHolds:
    """`now` gives µs since the epoch, `names` the queues that jobs name. Nothing here holds a job back."""

    def __init__(self, now: Callable[[], int], names: Callable[[], set[str]]) -> None:
        self._now = now
        self._names = names
        self._limits: dict[str, Limits] = {}
        self._windows: dict[str, tuple[WindowSpec, int, int]] = {}

    def queues(self) -> list[QueueView]:
        there = self._names() | {name for name, limits in self._limits.items() if limits.is_limited}
        return [QueueView(name, self._limits.get(name, NO_LIMITS)) for name in sorted(there)]

    def queue(self, name: str) -> QueueView:
        for view in self.queues():
            if view.name == name:
                return view
        raise NotFound("queue", name)

    def limit(self, name: str, change: Callable[[Limits], Limits]) -> QueueView:
        check_queue_name(name)
        limits = change(self._limits.get(name, NO_LIMITS))
        check_limits(limits)
        self._limits[name] = limits
        return QueueView(name, limits)

    def hold(self, name: str, *, paused: bool) -> QueueView:
        self.queue(name)
        return self.limit(name, lambda limits: replace(limits, paused=paused))

    def windows(self) -> list[WindowView]:
        return [self._view(window_id) for window_id in self._windows]

    def create(self, spec: WindowSpec) -> WindowView:
        now = self._now()
        check_window(spec, now=now, created_at=now)
        window_id = f"0000000a-0000-7000-8000-{len(self._windows) + 1:012x}"
        self._windows[window_id] = (spec, now, now)
        return self._view(window_id)

    def update(self, window_id: str, change: Callable[[WindowSpec], WindowSpec]) -> WindowView:
        before, created_at, since = self._window(window_id)
        spec = change(before)
        if spec != before:
            check_window(spec, now=self._now(), created_at=created_at)
            since = self._now()
        self._windows[window_id] = (spec, created_at, since)
        return self._view(window_id)

    def delete(self, window_id: str) -> None:
        self._window(window_id)
        del self._windows[window_id]

    def _window(self, window_id: str) -> tuple[WindowSpec, int, int]:
        if window_id not in self._windows:
            raise NotFound("window", window_id)
        return self._windows[window_id]

    def _view(self, window_id: str) -> WindowView:
        spec, created_at, since = self._windows[window_id]
        times = times_of(spec, since=since, created_at=created_at)
        span = times.around(self._now()) if spec.enabled else None
        following = times.next_start(self._now()) if spec.enabled else None
        return WindowView(window_id, spec, created_at, None if span is None else span[1], following)
