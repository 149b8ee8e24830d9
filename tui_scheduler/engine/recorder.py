"""Writes the ends of executions to the store, in batches."""

from __future__ import annotations

from collections.abc import Callable

import trio

from tui_scheduler.domain.errors import StoreUnavailable
from tui_scheduler.engine.node import Node
from tui_scheduler.store.records import Record


class Recorder:
    """Keeps every record until it is committed: when the store is away it waits and goes on by itself.

    It needs no bound of its own: an execution keeps its slot until it is recorded, so the claimer stops first.
    """

    def __init__(self, node: Node, made_room: Callable[[], None] = lambda: None) -> None:
        """`made_room` is called when something of a limited queue has ended, so that another may go."""
        self._node = node
        self._made_room = made_room
        self._world = node.world
        self._records: list[Record] = []
        self._some = trio.Event()
        self._batch_full = trio.Event()
        self._writing = 0
        self._put = trio.lowlevel.ParkingLot()
        self._idle = trio.Event()
        self._idle.set()

    def put(self, record: Record) -> None:
        """Hand over the end of an execution. Never blocks."""
        self._records.append(record)
        if self._put:
            self._put.unpark_all()
        if len(self._records) == 1:
            self._some.set()
            if self._idle.is_set():  # else somebody may be waiting for it
                self._idle = trio.Event()
        if len(self._records) >= self._world.options.record_batch:
            self._batch_full.set()

    async def run(self) -> None:
        """Write batches as they fill up, or every few milliseconds, until cancelled."""
        while True:
            await self._some.wait()
            with trio.move_on_after(self._world.options.record_every_s):
                await self._batch_full.wait()
            await self._write_batch()

    async def next_record(self) -> None:
        """Return when another record has been handed over."""
        await self._put.park()

    async def flushed(self) -> None:
        """Return when everything handed over so far is committed."""
        while self._records or self._writing:
            await self._idle.wait()

    async def _write_batch(self) -> None:
        size = self._world.options.record_batch
        batch, self._records = self._records[:size], self._records[size:]
        self._writing = len(batch)
        await self._write(batch)
        for record in batch:
            self._node.hand.release(record.key, record.claim_no)
        if any(record.counted for record in batch):
            self._made_room()
        self._writing = 0
        if len(self._records) < size:
            self._batch_full = trio.Event()
        if not self._records:
            self._some = trio.Event()
            self._idle.set()

    async def _write(self, batch: list[Record]) -> None:
        while True:
            try:
                fenced = await self._world.hop(self._world.stores.records.record, self._node.key, batch)
            except StoreUnavailable as unavailable:
                await self._node.trouble.wait("recording", unavailable)
            else:
                self._node.trouble.over("recording")
                self._node.counters.fenced += fenced
                return
