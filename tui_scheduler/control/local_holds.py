"""The part of `LocalControl` that is about what holds work back: queues and maintenance windows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tui_scheduler.control.views import QueueView, WindowView
from tui_scheduler.domain.queues import Limits, check_limits, check_queue_name
from tui_scheduler.domain.window_checks import check_window
from tui_scheduler.domain.windows import WindowSpec
from tui_scheduler.store.database import Database
from tui_scheduler.store.queues import QueueRecord, QueueStore
from tui_scheduler.store.windows import WindowRecord, WindowStore


class LocalHolds:
    """See `Control` for what each method promises."""

    def __init__(self, database: Database, *, now: Callable[[], int], wake: Callable[[], None]) -> None:
        self._queues = QueueStore(database)
        self._windows = WindowStore(database)
        self._now = now
        self._wake = wake

    def queues(self) -> list[QueueView]:
        """See `Control`."""
        return [_queue(record) for record in self._queues.all(self._now())]

    def queue(self, name: str) -> QueueView:
        """See `Control`."""
        return _queue(self._queues.get(name, self._now()))

    def limit_queue(self, name: str, change: Callable[[Limits], Limits]) -> QueueView:
        """See `Control`."""
        check_queue_name(name)

        def checked(before: Limits) -> Limits:
            after = change(before)
            check_limits(after)
            return after

        return self._changed(name, self._queues.change(name, checked))

    def pause_queue(self, name: str) -> QueueView:
        """See `Control`."""
        return self._changed(name, self._queues.pause(name))

    def resume_queue(self, name: str) -> QueueView:
        """See `Control`."""
        return self._changed(name, self._queues.resume(name))

    def windows(self) -> list[WindowView]:
        """See `Control`."""
        now = self._now()
        return [window_view(record, now) for record in self._windows.all()]

    def create_window(self, spec: WindowSpec) -> WindowView:
        """See `Control`."""
        now = self._now()
        check_window(spec, now=now, created_at=now)
        record = self._windows.create(spec, now)
        self._wake()
        return window_view(record, now)

    def update_window(self, window_id: str, change: Callable[[WindowSpec], WindowSpec]) -> WindowView:
        """See `Control`."""
        now = self._now()

        def checked(before: WindowRecord) -> WindowSpec:
            after = change(before.spec)
            if replace(after, name="", enabled=True) != replace(before.spec, name="", enabled=True) or after.enabled:
                check_window(after, now=now, created_at=before.created_at)
            return after

        record = self._windows.update(window_id, checked, now)
        self._wake()
        return window_view(record, now)

    def delete_window(self, window_id: str) -> None:
        """See `Control`."""
        self._windows.delete(window_id, self._now())
        self._wake()

    def _changed(self, name: str, limits: Limits) -> QueueView:
        self._wake()
        known = [record for record in self._queues.all(self._now()) if record.name == name]
        return _queue(known[0]) if known else QueueView(name, limits)


def _queue(record: QueueRecord) -> QueueView:
    return QueueView(record.name, record.limits, record.in_flight, record.held, record.oldest_held)


def window_view(record: WindowRecord, now: int) -> WindowView:
    """A window as it stands at `now` (µs)."""
    times, is_on = record.times, record.spec.enabled
    span = times.around(now) if is_on else None
    return WindowView(
        record.id,
        record.spec,
        record.created_at,
        None if span is None else span[1],
        times.next_start(now) if is_on else None,
    )
