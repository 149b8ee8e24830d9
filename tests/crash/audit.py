"""The judgement: every occurrence of every job was run, or is recorded as skipped with a reason; nothing else happened.

Each rule is a function from the case of one job to the violations it finds. No rule touches the world.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from tests.crash import excuses
from tests.crash.case import Case, Violation, cases
from tests.crash.evidence import MILLISECOND, SECOND, Action, Evidence, Record
from tests.crash.plan import oldest_revision

FINAL = frozenset({"succeeded", "failed", "cancelled", "lost", "skipped"})
MAX_RESCUES = 5
EARLY = 1 * MILLISECOND
"""Two clocks read by two processes may differ by a little; a request that is earlier than this came too early."""

GROUNDS = {"paused": Action.PAUSE, "deleted": Action.DELETE, "edited": Action.EDIT}
"""A reason of skipping that only an order can give."""

LOOK_AHEAD = 2 * SECOND
"""An order may skip what was planned before it, up to the engine's look-ahead after it."""

OVERTAKEN = 5 * SECOND
"""What runs this soon after an order that forbids it is called overtaken, and later than that unplanned."""


def audit(evidence: Evidence) -> list[Violation]:
    """All broken promises, job by job."""
    known = {story.id for story in evidence.stories}
    traces = [arrival.job_id for arrival in evidence.arrivals] + [record.job_id for record in evidence.records]
    strangers = Counter(job for job in traces if job not in known)
    found = [Violation("stranger", job, 0, f"{count} traces of a job nobody made") for job, count in strangers.items()]
    for case in cases(evidence):
        for rule in RULES:
            found.extend(rule(case))
    return [*found, *excuses.unnoticed(evidence)]


def created_between(case: Case) -> Iterator[Violation]:
    """The plan begins at the creation instant, so that one must be true."""
    story = case.story
    if not story.asked - MILLISECOND <= story.created_at <= story.answered:
        yield case.accuse("created", story.created_at, f"ordered from {story.asked} to {story.answered}")


def missing(case: Case) -> Iterator[Violation]:
    """Every required occurrence is in the history."""
    for instant, is_required in case.plan.items():
        if is_required and instant not in case.by_occurrence:
            yield case.accuse("missing", instant, f"no row; {len(case.arrived.get(instant, ()))} arrivals")


def undelivered(case: Case) -> Iterator[Violation]:
    """What the history calls run did arrive; at-least-once arrives whatever happened."""
    for record in case.records:
        must_arrive = record.state == "succeeded" or (not case.story.at_most_once and record.state == "failed")
        if must_arrive and record.scheduled_for not in case.arrived:
            yield case.accuse("undelivered", record.scheduled_for, f"no arrival for {record}")


def unfinished(case: Case) -> Iterator[Violation]:
    """Nothing is left in between at the end."""
    for record in case.records:
        if record.state not in FINAL:
            yield case.accuse("unfinished", record.scheduled_for, f"still {record}")


def given_up(case: Case) -> Iterator[Violation]:
    """Only at-most-once work is lost, or what was sent and outlived too many nodes; only orders and policies cancel."""
    may_cancel = case.story.cancels or any(map(case.story.ordered, GROUNDS.values()))
    for record in case.records:
        was_too_much = record.rescues >= MAX_RESCUES and record.scheduled_for in case.arrived
        if record.state == "lost" and not case.story.at_most_once and not was_too_much:
            yield case.accuse("lost", record.scheduled_for, f"at least once, and yet {record}")
        if record.state == "cancelled" and not may_cancel:
            yield case.accuse("cancelled", record.scheduled_for, f"nobody asked for {record}")


def doubled(case: Case) -> Iterator[Violation]:
    """No occurrence has two rows, nor a row and a place in a skipped stretch."""
    for instant, records in case.by_occurrence.items():
        if len(records) > 1:
            yield case.accuse("doubled", instant, f"{len(records)} rows: {records}")


def unplanned(case: Case) -> Iterator[Violation]:
    """Nothing was run that no order asked for, and nothing that an order had forbidden by then.

    A node that dies before it has heard of an order has in hand what that forbids, up to the look-ahead after it.
    At-most-once work of an edited job is lost then, as nobody can tell that it was not sent, and a newer occurrence may
    cancel it: where nothing arrived nothing was run. Other work is rescued, and the order is seen: it is skipped,
    unless a later order hides when the first one came (a job keeps when it was changed last) and may let it run after
    all.
    """
    for record in case.records:
        is_judged = record.trigger == "schedule" and not record.is_skip and record.scheduled_for <= case.horizon
        if is_judged and record.scheduled_for not in case.plan:
            closed = last_close(case, record.scheduled_for)
            is_unsent = record.state in ("lost", "cancelled") and record.scheduled_for not in case.arrived
            is_hidden = bool(record.rescues and closed and any(one.opens > closed for one in case.regimes))
            if (is_unsent or is_hidden) and closed is not None and record.scheduled_for - closed <= LOOK_AHEAD:
                continue
            if closed is None:
                yield case.accuse("unplanned", record.scheduled_for, f"no regime has it: {record}")
            else:
                late = (record.scheduled_for - closed) // MILLISECOND
                yield case.accuse("overtaken", record.scheduled_for, f"{late} ms after the grace: {record}")


def last_close(case: Case, instant: int) -> int | None:
    """When the last regime ended that had this instant, if that was only just before it."""
    closes = (one.closes for one in case.regimes if one.has(instant) and 0 <= instant - one.closes <= OVERTAKEN)
    return max(closes, default=None)


def unrecorded(case: Case) -> Iterator[Violation]:
    """No arrival without a row in the history."""
    recorded = {record.scheduled_for for record in case.records}
    for instant, arrivals in case.arrived.items():
        if instant not in recorded:
            yield case.accuse("unrecorded", instant, f"{len(arrivals)} arrivals without a row: {arrivals[0]}")


def twice(case: Case) -> Iterator[Violation]:
    """At-most-once work arrives at most once: each arrival was a send, and a send forbids every other."""
    for arrivals in case.by_key.values() if case.story.at_most_once else ():
        if len(arrivals) > 1:
            yield case.accuse("twice", arrivals[0].scheduled_at, f"{len(arrivals)} arrivals: {arrivals}")


def keys_hold(case: Case) -> Iterator[Violation]:
    """One Idempotency-Key for one occurrence, another for another."""
    rows = Counter(record.scheduled_for for record in case.records)
    for instant, arrivals in case.arrived.items():
        keys = {arrival.key for arrival in arrivals}
        if len(keys) > max(rows[instant], 1):
            yield case.accuse("key changed", instant, f"keys {sorted(keys)}")
    for key, arrivals in case.by_key.items():
        instants = {arrival.scheduled_at for arrival in arrivals}
        if len(instants) > 1 or not key:
            yield case.accuse("key shared", min(instants), f"key {key!r} for {sorted(instants)}")


def early(case: Case) -> Iterator[Violation]:
    """Nothing is sent before its instant."""
    for arrival in case.arrivals:
        if arrival.at < arrival.fire_at - EARLY:
            yield case.accuse("early", arrival.scheduled_at, f"{arrival.fire_at - arrival.at} µs early: {arrival}")


def attempts_in_bounds(case: Case) -> Iterator[Violation]:
    """Attempts are numbered from 1 and end where the policy ends."""
    for arrival in case.arrivals:
        if not 1 <= arrival.attempt <= case.story.max_attempts:
            yield case.accuse("attempts", arrival.scheduled_at, f"of {case.story.max_attempts}: {arrival}")


def outdated(case: Case) -> Iterator[Violation]:
    """An edit binds what is due later than its grace."""
    for arrival in case.arrivals:
        oldest = oldest_revision(case.regimes, arrival.scheduled_at)
        if arrival.revision < oldest:
            yield case.accuse("outdated", arrival.scheduled_at, f"revision {oldest} held: {arrival}")


def groundless(case: Case) -> Iterator[Violation]:
    """Every skip has a reason, and something that justifies it."""
    for record in case.records:
        if record.is_skip and not has_grounds(case, record):
            yield case.accuse("groundless", record.scheduled_for, f"skipped as {record.skip_reason!r}: {record}")


def has_grounds(case: Case, record: Record) -> bool:
    """Policies justify their own reasons; an order justifies its own while it holds, and for what was overdue."""
    if record.skip_reason == "overlap":
        return case.story.may_overlap
    if record.skip_reason == "too late":
        return case.story.may_be_late
    order = GROUNDS.get(record.skip_reason or "")
    if order is None:
        return False
    if order is not Action.EDIT and any(one.may_hold_at(record.last) for one in case.regimes if one.cadence is None):
        return True
    orders = [command for command in case.story.commands if command.action is order]
    return any(command.asked - case.backlog <= record.last <= command.answered + LOOK_AHEAD for command in orders)


def miscounted(case: Case) -> Iterator[Violation]:
    """A skipped stretch says how many it skipped. Those that an order ended have no plan to be counted against."""
    for record in case.records:
        if not record.is_skip or record.skip_reason in GROUNDS:
            continue
        planned = case.planned_between(record.first, record.last)
        required = sum(case.plan[instant] for instant in planned)
        counted = 1 if record.skip_count is None else record.skip_count
        if not required <= counted <= len(planned):
            yield case.accuse("miscounted", record.first, f"{required} to {len(planned)} planned, but {record}")


def contradicted(case: Case) -> Iterator[Violation]:
    """What is recorded as skipped was not sent, unless the node that sent it died before it could say so."""
    for record in case.records:
        if record.is_skip and record.rescues == 0 and record.scheduled_for in case.arrived:
            yield case.accuse("contradicted", record.scheduled_for, f"arrived, but {record}")


def run_now(case: Case) -> Iterator[Violation]:
    """Every acknowledged run-now was taken once, and no other."""
    orders = [command for command in case.story.commands if command.action is Action.RUN]
    sure = sum(order.sure for order in orders)
    taken = sum(record.trigger == "manual" for record in case.records)
    if not sure <= taken <= len(orders):
        yield case.accuse("run now", 0, f"{sure} acknowledged, {len(orders)} asked, {taken} in the history")


RULES: tuple[Callable[[Case], Iterator[Violation]], ...] = (
    created_between,
    missing,
    undelivered,
    unfinished,
    given_up,
    doubled,
    unplanned,
    unrecorded,
    twice,
    keys_hold,
    early,
    attempts_in_bounds,
    outdated,
    groundless,
    miscounted,
    contradicted,
    run_now,
    excuses.late,
    excuses.causeless,
    excuses.stale,
    excuses.overwritten,
)
