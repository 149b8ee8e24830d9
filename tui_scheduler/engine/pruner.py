"""Forgets old history, where and when it disturbs nobody, and keeps the files of the store from growing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import trio

from tui_scheduler.domain.errors import StoreUnavailable
from tui_scheduler.domain.retention import is_looked_at, next_batch, rest_after, until_quiet
from tui_scheduler.domain.retry import SECOND
from tui_scheduler.engine.node import Node
from tui_scheduler.store.pruning import Pruned

_FORGET_NODES_AFTER: Final = 86_400 * SECOND

_WHOLE_EVERY_S: Final = 3_600.0
"""How often pruning by age begins anew with the oldest: for what ended much later than it began."""

_LONGEST_S: Final = 30.0
"""So long one kind of pruning goes on in one round; then the others have their turn."""

_NEW_ROWS: Final = 50_000
"""New executions counted by job at once: some 20 ms."""

_JOBS: Final = 200
"""Jobs looked at for rows beyond their number in one reading, and"""
_LOOKS: Final = 5
"""such readings a round while all jobs are gone through, once after a start."""


class Pruner:
    """One round every few seconds, of small batches with pauses between; goes on when the store is back."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._world = node.world
        self._batch = node.world.options.prune_batch
        self._reached = 0
        self._began_anew_at = node.world.clock.monotonic()
        self._counted: int | None = None
        self._job: int | None = 0

    async def run(self) -> None:
        """Prune until cancelled."""
        while True:
            await trio.sleep(self._world.options.prune_every_s)
            try:
                await self.round()
                self._node.trouble.over("pruning")
            except StoreUnavailable as unavailable:
                await self._node.trouble.wait("pruning", unavailable)

    async def round(self) -> None:
        """Everything that is to go now."""
        options, pruning = self._world.options, self._world.stores.pruning
        if options.keep_age is not None:
            await self._by_age(options.keep_age)
        if options.keep_failed_age is not None:
            before = self._world.clock.now() - options.keep_failed_age
            await self._remove(pruning.failures_by_age, lambda: (before,))
        if options.keep_count is not None:
            await self._by_count(options.keep_count)
        await self._forget()
        if options.keep_age is not None or options.keep_count is not None:
            await self._wait_for_quiet()
            await self._world.hop(pruning.shrink)

    async def _by_age(self, age: int) -> None:
        """On from where the last round came to; what was passed there, because it had not ended, once an hour."""
        monotonic = self._world.clock.monotonic()
        if monotonic - self._began_anew_at >= _WHOLE_EVERY_S:
            self._reached, self._began_anew_at = 0, monotonic
        now = self._world.clock.now()
        await self._remove(self._world.stores.pruning.by_age, lambda: (now - age, now, self._reached))

    async def _by_count(self, keep: int) -> None:
        """Looks at the jobs that have new rows, now and then, and once at all of them."""
        pruning = self._world.stores.pruning
        if self._counted is None:
            self._counted = await self._world.hop(pruning.newest)
        new, self._counted = await self._world.hop(pruning.new_rows, self._counted, _NEW_ROWS)
        looked_at = [job for job, number in new.items() if is_looked_at(number, keep, self._world.draw())]
        for first in range(0, len(looked_at), _JOBS):
            await self._look(looked_at[first : first + _JOBS], keep)
        for _ in range(_LOOKS):
            if self._job is None:
                return
            jobs = await self._world.hop(pruning.jobs_after, self._job, _JOBS)
            await self._look(jobs, keep)
            self._job = jobs[-1] if len(jobs) == _JOBS else None

    async def _look(self, jobs: list[int], keep: int) -> None:
        for job in await self._world.hop(self._world.stores.pruning.over, jobs, keep):
            await self._remove(self._world.stores.pruning.by_count, partial(tuple, (job, keep)))

    async def _remove(self, remove: Callable[..., Pruned], where: Callable[[], tuple[int, ...]]) -> None:
        """Batch after batch, until there is nothing left or the others have waited long enough."""
        began = self._world.clock.monotonic()
        while True:
            await self._wait_for_quiet()
            pruned = await self._world.hop(remove, *where(), self._batch)
            self._node.counters.pruned += pruned.deleted
            self._reached = max(self._reached, pruned.cursor)
            since = self._world.clock.monotonic() - began
            if pruned.is_through or since > _LONGEST_S:
                return
            if pruned.deleted:
                self._batch = next_batch(self._batch, pruned.took, round(since * SECOND))
            await trio.sleep(rest_after(pruned.took) / SECOND)

    async def _wait_for_quiet(self) -> None:
        wait = until_quiet(self._world.clock.now())
        if wait:
            await trio.sleep(wait / SECOND)

    async def _forget(self) -> None:
        now = self._world.clock.now()
        await self._world.hop(self._world.stores.nodes.forget, now - _FORGET_NODES_AFTER)
        await self._world.hop(self._world.stores.jobs.purge_deleted, now - self._world.options.purge_after)
