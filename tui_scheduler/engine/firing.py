"""Sends what is armed at its instant."""

from __future__ import annotations

from collections import defaultdict

import trio

from tui_scheduler.domain.execution import State
from tui_scheduler.domain.job import JobType
from tui_scheduler.engine.clock import Clock
from tui_scheduler.engine.hand import Held, Phase
from tui_scheduler.engine.line import Line
from tui_scheduler.engine.origins import OriginLimits
from tui_scheduler.engine.pulse import Pulse
from tui_scheduler.engine.transport import Origin, Transport

BUCKET = 20_000
"""µs. Firings to one origin this close together are taken to need a connection each."""

_CLOCK_EVERY = 32
"""Firings between two looks at the clock: at some 10 µs each, it cannot be far off."""


class Firing:
    """A line of armed executions, and the loop that sends them.

    At-most-once executions wait apart until the store has them as running (`uncleared`, `clear`): a byte of them is
    sent only after that commit.
    """

    def __init__(self, clock: Clock, transport: Transport, pulse: Pulse, limits: OriginLimits | None = None) -> None:
        self._clock = clock
        self._transport = transport
        self._pulse = pulse
        self._limits = None if limits is None or limits.limits_nothing else limits
        self._ready = Line()
        self._uncleared = Line()
        self._some = trio.Event()
        self._sleep = trio.CancelScope()
        self.some_uncleared = trio.Event()
        self._load: dict[int, dict[Origin, int]] = {}

    def add(self, held: Held) -> None:
        """Take an armed execution."""
        origin = held.shot.origin
        if origin is not None:
            self._load.setdefault(held.due // BUCKET, defaultdict(int))[origin] += 1
        if held.entry.job.spec.type is JobType.ATMOST_ONCE:
            self.hold_back(held)
        else:
            self.clear(held)

    def hold_back(self, held: Held) -> None:
        """Not to be sent before `clear`."""
        self._uncleared.add(held)
        self.some_uncleared.set()

    def clear(self, held: Held) -> None:
        """From now on it may be sent, at its instant."""
        first = self._ready.first_due
        if first is not None and held.due < first:
            self._sleep.cancel()  # `run` sleeps towards a later one
        self._ready.add(held)
        self._some.set()

    def ended(self, held: Held) -> None:
        """What was sent has its answer: another one may go to its origin."""
        if self._limits is not None:
            self._limits.ended(held)
            self.let_go()

    def let_go(self) -> None:
        """Send what has waited for others to the same origin, as far as there is room now."""
        for held in self._limits.next_ones() if self._limits is not None else ():
            if held.entry.job.spec.type is JobType.ATMOST_ONCE and held.execution.state is State.CLAIMED:
                self.hold_back(held)
            else:
                self.clear(held)

    @property
    def has_uncleared(self) -> bool:
        return bool(self._uncleared)

    def uncleared(self, until: int, most: int) -> list[Held]:
        """Remove and return up to `most` at-most-once executions due at or before `until` (µs) that are armed still.

        One whose job may have been edited unseen stays back.
        """
        found: list[Held] = []
        now, until = self._clock.now(), min(until, self._pulse.fire_limit())
        self._uncleared.look(min(now, until))
        while len(found) < most and (held := self._uncleared.take(until)) is not None:
            if held.phase is Phase.ARMED and (self._limits is None or self._limits.reserve(held)):
                found.append(held)
        if not self._uncleared:
            self.some_uncleared = trio.Event()
        return found

    def connections_needed(self, now: int, until: int) -> dict[Origin, int]:
        """For each origin, the most firings close together between `now` and `until` (µs)."""
        needed: dict[Origin, int] = {}
        for bucket in [bucket for bucket in self._load if bucket < now // BUCKET]:
            del self._load[bucket]
        for bucket, origins in self._load.items():
            if bucket * BUCKET <= until:
                for origin, firings in origins.items():
                    needed[origin] = max(needed.get(origin, 0), firings)
        return needed

    def fire_due(self) -> None:
        """Send everything whose instant has come, as far as this node may act.

        The process may be stopped between any two sends, and go on when others have long taken its work: so the
        monotonic clock is looked at before each of them, for a fraction of a microsecond.
        """
        ready, fire, clock, limits = self._ready, self._transport.fire, self._clock, self._limits
        until = min(clock.now(), limit := self._pulse.fire_limit())
        monotonic, fresh_until = clock.monotonic, self._pulse.fresh_until
        fired = 0
        ready.look(until)
        while monotonic() < fresh_until and (held := ready.take(until)) is not None:
            if held.phase is Phase.ARMED and (limits is None or limits.may_send(held)):
                held.phase = Phase.FIRED
                fire(held.shot)
                fired += 1
                if fired % _CLOCK_EVERY == 0:
                    until = min(clock.now(), limit)
                    ready.look(until)

    async def run(self) -> None:
        """Fire until cancelled."""
        while True:
            while (due := self._ready.first_due) is None:
                self._some = trio.Event()
                await self._some.wait()
            with trio.CancelScope() as self._sleep:
                await self._clock.sleep_until(due)
            self.fire_due()
            due = self._ready.first_due
            if due is None or due > self._clock.now():
                continue
            if self._pulse.may_fire(due):
                await trio.lowlevel.checkpoint()  # it became due while others were sent
            else:
                await self._pulse.news()  # held back: by a silence of this node, or until it has looked at edits
