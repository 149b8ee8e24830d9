"""Follows what users change: edits, pauses and deletions of jobs whose executions are armed, and cancellations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import trio

from tui_scheduler.domain.decisions import KEEP, recheck
from tui_scheduler.domain.errors import StoreUnavailable
from tui_scheduler.domain.execution import SkipReason, State, Trigger
from tui_scheduler.domain.job import Job
from tui_scheduler.domain.queues import Rules, tightened
from tui_scheduler.engine.arming import Arming
from tui_scheduler.engine.firing import Firing
from tui_scheduler.engine.hand import Held, Phase
from tui_scheduler.engine.node import Node
from tui_scheduler.engine.settling import Settling
from tui_scheduler.engine.transport import Transport
from tui_scheduler.store.catalog import Catalog, Entry
from tui_scheduler.store.claims import Claim
from tui_scheduler.store.jobs import MOST_CHANGED
from tui_scheduler.store.records import CancelRequest


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one look at the store found."""

    edits: list[tuple[int, Job]]
    cancels: list[CancelRequest]
    rules: Rules | None


class Follower:
    """Looks ten times a second, beside the claims and never behind them: an edit binds after 250 ms."""

    def __init__(
        self,
        node: Node,
        firing: Firing,
        arming: Arming,
        settling: Settling,
        transport: Transport,
        change_no: int,
        rules: Rules | None = None,
    ) -> None:
        self._node = node
        self._world = node.world
        self._firing = firing
        self._arming = arming
        self._settling = settling
        self._transport = transport
        self._change_no = change_no
        self._parsed = Catalog(1_024)
        self._since_claim: dict[int, Job] = {}
        self._rules = rules or Rules()
        self._rules_at_claim = self._rules
        self._to_return: dict[int, int] = {}
        self._cancelled_unheld: set[tuple[int, int]] = set()
        self._cancel_requests: list[CancelRequest] = []
        self._awake = trio.Event()

    def wake(self) -> None:
        """Look at once."""
        self._awake.set()

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            self._awake = trio.Event()
            try:
                await self._look()
                await self._return()
                self._node.trouble.over("following edits")
            except StoreUnavailable as unavailable:
                self._node.pulse.looked(None)
                # As often as ever: nothing is held meanwhile, and once the store is back edits bind at once.
                await self._node.trouble.wait("following edits", unavailable, self._world.options.tick_s)
                continue
            with trio.move_on_after(self._world.options.tick_s):
                await self._awake.wait()

    def claim_begins(self) -> None:
        """What is edited from now on may be missing from the jobs that the claim brings."""
        self._since_claim.clear()
        self._rules_at_claim = self._rules
        self._cancelled_unheld &= {(request.key, request.claim_no) for request in self._cancel_requests}

    def follow_claimed(self, held: Iterable[Held]) -> None:
        """Apply what was seen while the claim was under way to what it brought."""
        for one in held:
            if (one.execution.key, one.execution.claim_no) in self._cancelled_unheld:
                self._node.hand.drop(one)
            job = self._since_claim.get(one.execution.job_key)
            if job is not None:
                self._follow(one, job)
            self._obey(one, self._rules_at_claim)
        if self._to_return:
            self._awake.set()

    async def _look(self) -> None:
        while True:
            began = self._world.clock.now()
            seen = await self._world.hop(self._read)
            self._apply(seen)
            if len(seen.edits) < MOST_CHANGED:
                self._node.pulse.looked(began)
                return

    def _apply(self, seen: _Seen) -> None:
        changed = {job.key: job for _, job in seen.edits}
        if changed:
            self._change_no = seen.edits[-1][0]
            self._since_claim.update(changed)
            for held in self._node.hand.armed():
                job = changed.get(held.execution.job_key)
                if job is not None:
                    self._follow(held, job)
        if seen.rules is not None:
            before, self._rules = self._rules, seen.rules
            for held in self._node.hand.armed():
                self._obey(held, before)
        self._cancel_requests = seen.cancels
        for request in seen.cancels:
            self._cancel(request)

    def _read(self) -> _Seen:
        stores = self._world.stores
        return _Seen(
            stores.jobs.changed_since(self._change_no),
            stores.records.cancel_requests(self._node.key),
            stores.rules.changed_since(self._rules.number),
        )

    def _follow(self, held: Held, job: Job) -> None:
        """Only what is armed and not yet marked as being sent can follow an edit."""
        if not _is_open(held) or job.version <= held.entry.job.version:
            return
        entry = self._parsed.get(job.key, job.version) or self._parsed.put(job)
        verdict = recheck(held.execution, job, entry.timetable)
        if verdict is KEEP and job.spec.queue != held.entry.job.spec.queue and job.spec.queue in self._rules.queues:
            self._let_go(held)
        elif verdict is KEEP:
            self._arm_anew(held, entry)
        elif verdict.skip_reason is not None:
            self._settling.skip(held, verdict.skip_reason)
        else:
            self._settling.cancel(held, "the job was deleted")

    def _obey(self, held: Held, before: Rules) -> None:
        """What was claimed under other limits or windows, and has not been marked as being sent, follows the new ones:
        skipped when it fires in a window, given back to wait where they hold it.
        """
        rules, queue = self._rules, held.entry.job.spec.queue
        if rules is before or rules.hold_nothing or not _is_open(held):
            return
        execution = held.execution
        if execution.trigger in (Trigger.SCHEDULE, Trigger.BACKFILL):
            closures = rules.closures(queue)
            if closures is not None:
                is_untried = execution.trigger is Trigger.SCHEDULE and execution.attempt <= 1 and not execution.rescues
                if is_untried and closures.around(execution.fire_at) is not None:
                    self._settling.skip(held, SkipReason.WINDOW)
                    return
                if closures.around(held.due) is not None:
                    self._let_go(held)
                    return
        key = rules.queues.get(queue)
        is_counted = held.gate is not None and held.gate == key
        if queue in tightened(before, rules) and (not is_counted or rules.limits[held.gate or 0].paused):
            self._let_go(held)

    def _let_go(self, held: Held) -> None:
        """Give back unsent: it waits in the store until it may go, and any node may take it."""
        self._node.hand.drop(held)
        self._to_return[held.execution.key] = held.execution.claim_no

    async def _return(self) -> None:
        while self._to_return:
            given = dict(self._to_return)
            await self._world.hop(self._world.stores.records.give_back, self._node.key, list(given.items()))
            self._to_return = {key: n for key, n in self._to_return.items() if given.get(key) != n}

    def _arm_anew(self, held: Held, entry: Entry) -> None:
        """Under a new object: the old one may stand in the wrong queue when the job's type has changed."""
        held.phase = Phase.DROPPED
        renewed = self._arming.arm(Claim(held.execution, entry, held.due, held.gate))
        self._node.hand.take(renewed)
        self._firing.add(renewed)

    def _cancel(self, request: CancelRequest) -> None:
        held = self._node.hand.get(request.key)
        if held is None:
            self._cancel_unheld(request)
        elif held.execution.claim_no != request.claim_no:
            return
        elif held.phase is Phase.ARMED:
            self._settling.cancel(held, "cancelled on request")
        elif held.phase is Phase.FIRED:
            held.is_to_end = True
            self._transport.abort(held.shot)

    def _cancel_unheld(self, request: CancelRequest) -> None:
        """Let go of before, or about to come with a claim under way. Requests are seen again until it is recorded."""
        if (request.key, request.claim_no) not in self._cancelled_unheld:
            self._cancelled_unheld.add((request.key, request.claim_no))
            self._settling.cancel_unheld(request)


def _is_open(held: Held) -> bool:
    return held.phase is Phase.ARMED and held.execution.state is State.CLAIMED
