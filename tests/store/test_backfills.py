"""Old occurrences that are run after all: what they replace, when their turn comes, and what they leave alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.store.plans import assert_bounded
from tests.store.stage import EVERY_SECOND, MINUTELY, Stage, T, ended
from tui_scheduler.domain.backfill import rank_of
from tui_scheduler.domain.errors import NotFound
from tui_scheduler.domain.execution import State
from tui_scheduler.domain.job import Job, Overlap
from tui_scheduler.domain.retry import SECOND
from tui_scheduler.store import handover
from tui_scheduler.store.backfills import WAITING_BACKFILLS, Added, BackfillStore, there_of
from tui_scheduler.store.claims import Claim
from tui_scheduler.store.database import Database
from tui_scheduler.store.history import History
from tui_scheduler.store.runs import RunStore

SERIAL = (Overlap.SKIP, Overlap.QUEUE, Overlap.CANCEL)
LAST = rank_of(9)


@pytest.fixture
def stage(database: Database) -> Stage:
    return Stage(database)


@pytest.fixture
def backfills(database: Database) -> BackfillStore:
    return BackfillStore(database)


def old(*numbers: int) -> list[int]:
    """Seconds before `T`."""
    return sorted(T - number * SECOND for number in numbers)


def ages(claims: list[Claim]) -> list[int]:
    return [(T - claim.execution.scheduled_for) // SECOND for claim in claims]


def test_each_occurrence_is_run_once_however_often_it_is_asked_for(stage: Stage, backfills: BackfillStore) -> None:
    job, node = stage.create(MINUTELY), stage.node()
    assert backfills.look(job.key, old(1, 2, 3)) == Added(3, 0)
    assert backfills.add(job.id, old(1, 2, 3), T, LAST) == Added(3, 0)
    assert backfills.add(job.id, old(1, 2, 3, 4), T, LAST) == Added(1, 0)
    claims = stage.claim(node, T + SECOND)
    assert sorted(ages(claims), reverse=True) == [4, 3, 2, 1]
    stage.records.record(node, [ended(claim) for claim in claims])
    assert backfills.look(job.key, old(1, 2, 3, 4)) == backfills.add(job.id, old(1, 2, 3, 4), T, LAST) == Added(0, 0)
    assert {state for (state,) in stage.rows("state")} == {"succeeded"}


def test_the_oldest_goes_first_and_is_due_when_its_turn_has_come(stage: Stage, backfills: BackfillStore) -> None:
    job, node = stage.create(MINUTELY), stage.node()
    backfills.add(job.id, old(1, 2, 3), T, LAST)
    later = T + 20 * SECOND
    for age in (3, 2, 1):
        (claim,) = stage.claim(node, later, slots=1)
        assert (ages([claim]), claim.due, claim.execution.fire_at) == ([age], later, later)
        assert stage.row(claim.execution.key, "fire_at, trigger, occurrence_key") == (
            later,
            "backfill",
            T - age * SECOND,
        )


def test_a_retry_is_late_by_its_first_attempt(stage: Stage, backfills: BackfillStore) -> None:
    job, node = stage.create(MINUTELY), stage.node()
    backfills.add(job.id, old(1), T, LAST)
    first = stage.claim_one(node, T + SECOND)
    stage.records.record(
        node, [ended(first, State.RETRYING, T + 2 * SECOND, next_attempt_at=T + 9 * SECOND, started_at=T + SECOND)]
    )
    again = stage.claim_one(node, T + 10 * SECOND)
    assert (again.execution.attempt, again.execution.fire_at, again.due) == (2, T + SECOND, T + 10 * SECOND)
    assert stage.row(again.execution.key, "fire_at") == (T + SECOND,)


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED, State.LOST, State.CANCELLED, State.RUNNING])
def test_what_is_there_stays_as_it_is(stage: Stage, backfills: BackfillStore, state: State) -> None:
    job = stage.create(MINUTELY)
    stage.put(job, state, T - SECOND)
    before = stage.rows("*")
    assert backfills.look(job.key, old(1)) == backfills.add(job.id, old(1), T, LAST) == Added(0, 0)
    assert stage.rows("*") == before


def test_one_that_was_skipped_alone_is_taken_over_and_still_says_by_what(
    stage: Stage, backfills: BackfillStore
) -> None:
    job, node = stage.create(MINUTELY), stage.node()
    skipped = stage.put(job, State.SKIPPED, T - SECOND, skip_reason="overlap", skip_count=1, finished_at=T)
    assert backfills.look(job.key, old(1, 2)) == Added(2, 1)
    assert backfills.add(job.id, old(1, 2), T, LAST) == Added(2, 1)
    assert stage.row(skipped, "state, skip_reason, trigger, finished_at") == ("pending", "overlap", "backfill", None)
    assert skipped in {claim.execution.key for claim in stage.claim(node, T + SECOND)}


def test_the_occurrences_of_a_stretch_are_run_one_by_one_and_the_stretch_stays(
    stage: Stage, backfills: BackfillStore
) -> None:
    job = stage.create(MINUTELY)
    stage.put(job, State.SKIPPED, T - SECOND, occurrence_key=None, skip_reason="too late", skip_count=2)
    assert backfills.add(job.id, old(1, 2), T, LAST) == Added(2, 0)
    assert sorted(state for (state,) in stage.rows("state")) == ["pending", "pending", "skipped"]


def test_what_is_due_now_goes_before_it_at_every_priority(stage: Stage, backfills: BackfillStore) -> None:
    spec = replace(MINUTELY, schedule="@at 2026-11-18T11:07:01Z", priority=9)
    now = T + SECOND
    job, node = stage.create(spec), stage.node()
    assert job.spec.priority == 9
    backfills.add(job.id, old(1, 2), T, LAST)
    manual = stage.jobs.run_now(job.id, now).key
    assert stage.claim(node, now + SECOND, slots=1)[0].execution.key == manual


def test_no_more_of_them_are_claimed_than_asked_for(stage: Stage, backfills: BackfillStore) -> None:
    job, node = stage.create(MINUTELY), stage.node()
    backfills.add(job.id, old(1, 2, 3), T, LAST)
    backfills.add(job.id, old(4, 5), T, rank_of(1))
    assert len(stage.claims.claim(node, T + SECOND, T + SECOND, 100, 3).claims) == 3
    assert not stage.claims.has_due(T + SECOND, T + SECOND, 0)
    assert stage.claims.has_due(T + SECOND, T + SECOND, 1)
    assert stage.claims.claim(node, T + SECOND, T + SECOND, 100, 0).claims == []
    assert len(stage.claim(node, T + SECOND)) == 2


def test_an_edit_of_the_priority_leaves_them_behind_everything(stage: Stage, backfills: BackfillStore) -> None:
    job = stage.create(MINUTELY)
    backfills.add(job.id, old(1), T, LAST)
    stage.update(job, T, priority=1)
    assert stage.rows("priority") == [(LAST,)]


def test_a_paused_or_finished_job_is_backfilled_a_deleted_one_is_not(stage: Stage, backfills: BackfillStore) -> None:
    paused, finished, deleted = (stage.create(MINUTELY) for _ in range(3))
    stage.jobs.pause(paused.id, T)
    stage.set("job", finished.key, state="finished")
    backfills.add(deleted.id, old(1), T, LAST)
    stage.jobs.delete(deleted.id, T)
    assert stage.rows("state") == [("cancelled",)]
    for job in (paused, finished):
        assert backfills.standing(job.id)[0].id == job.id
        assert backfills.add(job.id, old(1), T, LAST) == Added(1, 0)
    assert len(stage.claim(stage.node(), T + 1)) == 2
    with pytest.raises(NotFound):
        backfills.add(deleted.id, old(2), T, LAST)
    with pytest.raises(NotFound):
        backfills.standing(deleted.id)
    with pytest.raises(NotFound):
        backfills.standing("nobody")


def test_a_pause_leaves_them_and_a_deletion_ends_them(stage: Stage, backfills: BackfillStore) -> None:
    job, node = stage.create(MINUTELY), stage.node()
    backfills.add(job.id, old(1, 2), T, LAST)
    stage.jobs.pause(job.id, T)
    assert len(stage.claim(node, T + 1, slots=1)) == 1
    stage.jobs.delete(job.id, T + 2)
    assert stage.claim(node, T + 3) == []


@pytest.mark.parametrize("overlap", [Overlap.ALLOW, *SERIAL])
def test_all_that_waits_is_cancelled_in_portions(stage: Stage, backfills: BackfillStore, overlap: Overlap) -> None:
    job, other = stage.create(replace(MINUTELY, overlap=overlap)), stage.create(MINUTELY)
    for one in (job, other):
        backfills.add(one.id, old(*range(1, 501)), T, LAST)
    backfills.add(job.id, old(501, 502), T, LAST)
    assert [backfills.cancel(job.key, T, "cancelled on request") for _ in range(3)] == [500, 2, 0]
    assert stage.running(job) is None
    assert backfills.cancel(other.key, T, "cancelled on request") == 500


# --- jobs that do not allow overlap


def serial(stage: Stage, overlap: Overlap = Overlap.SKIP) -> tuple[Job, int]:
    return stage.create(replace(EVERY_SECOND, overlap=overlap)), stage.node()


@pytest.mark.parametrize("overlap", SERIAL)
def test_one_runs_after_the_other_the_oldest_first(stage: Stage, backfills: BackfillStore, overlap: Overlap) -> None:
    job, node = stage.create(replace(MINUTELY, overlap=overlap)), stage.node()
    backfills.add(job.id, old(1, 2), T, LAST)
    backfills.add(job.id, old(3, 4), T, LAST)
    seen = []
    for second in range(1, 5):
        claim = stage.claim_one(node, T + second * SECOND)
        seen += ages([claim])
        assert stage.running(job) == claim.execution.key
        assert stage.claim(node, T + second * SECOND) == []
        stage.records.record(node, [ended(claim, State.FAILED if second == 2 else State.SUCCEEDED)])
    assert seen == [2, 4, 3, 1]  # the turn of 2 had come already
    assert stage.running(job) is None


@pytest.mark.parametrize("overlap", SERIAL)
def test_an_occurrence_that_is_due_meanwhile_waits_for_its_end_and_goes_before_the_next(
    stage: Stage, backfills: BackfillStore, overlap: Overlap
) -> None:
    job, node = serial(stage, overlap)
    backfills.add(job.id, old(1, 2), T, LAST)
    under_way = stage.claim_one(node, T + 1)
    assert stage.claim(node, T + SECOND) == []
    assert stage.records.cancel_requests(node) == []
    stage.records.record(node, [ended(under_way, at=T + SECOND + 5)])
    present = stage.claim_one(node, T + SECOND + 5)
    assert (present.execution.scheduled_for, stage.running(job)) == (T + SECOND, present.execution.key)
    stage.records.record(node, [ended(present, at=T + SECOND + 9)])
    assert ages(stage.claim(node, T + SECOND + 9)) == [1]
    assert "skipped" not in {state for (state,) in stage.rows("state")}


@pytest.mark.parametrize(("overlap", "kept"), [(Overlap.SKIP, 1), (Overlap.QUEUE, 1), (Overlap.CANCEL, 3)])
def test_of_several_that_are_due_meanwhile_one_waits_and_the_others_are_skipped(
    stage: Stage, backfills: BackfillStore, overlap: Overlap, kept: int
) -> None:
    job, node = serial(stage, overlap)
    backfills.add(job.id, old(1), T, LAST)
    under_way = stage.claim_one(node, T + 1)
    for second in (1, 2, 3):
        assert stage.claim(node, T + second * SECOND) == []
    stage.records.record(node, [ended(under_way, at=T + 3 * SECOND + 5)])
    assert stage.claim_one(node, T + 3 * SECOND + 5).execution.scheduled_for == T + kept * SECOND
    assert stage.running(job) is not None


@pytest.mark.parametrize("overlap", SERIAL)
def test_a_job_of_every_second_that_is_planned_ahead_still_gives_them_their_turns(
    stage: Stage, backfills: BackfillStore, overlap: Overlap
) -> None:
    job, node = serial(stage, overlap)
    (ahead,) = stage.claim(node, T, ahead=2 * SECOND)
    backfills.add(job.id, old(*range(1, 11)), T, LAST)
    held, seen = [ahead], []
    for tick in range(100):  # of 100 ms; what runs ends within one
        now = T + tick * SECOND // 10
        due = [claim for claim in held if claim.due <= now]
        held = [claim for claim in held if claim.due > now]
        stage.records.record(node, [ended(claim, at=now) for claim in due])
        seen += due
        held += stage.claim(node, now, ahead=2 * SECOND)
        assert len(held) <= 1  # never two at once
    by_trigger = [claim.execution.trigger.value for claim in seen]
    assert by_trigger.count("backfill") == 10
    assert by_trigger.count("schedule") >= 9
    assert "skipped" not in {state for (state,) in stage.rows("state")}


def test_one_that_waits_for_its_retry_keeps_its_turn_but_not_its_job(stage: Stage, backfills: BackfillStore) -> None:
    job, node = serial(stage)
    backfills.add(job.id, old(1, 2), T, LAST)
    first = stage.claim_one(node, T + 1)
    stage.records.record(node, [ended(first, State.RETRYING, T + 2, next_attempt_at=T + 3 * SECOND + 1)])
    assert stage.running(job) is None
    for second in (1, 2):
        present = stage.claim_one(node, T + second * SECOND)
        assert present.execution.scheduled_for == T + second * SECOND
        stage.records.record(node, [ended(present)])
    present = stage.claim_one(node, T + 3 * SECOND)
    assert stage.claim(node, T + 3 * SECOND + 1) == []  # the retry is due: it waits for the end of what is under way
    stage.records.record(node, [ended(present, at=T + 3 * SECOND + 2)])
    again = stage.claim_one(node, T + 3 * SECOND + 2)
    assert (again.execution.key, again.execution.attempt) == (first.execution.key, 2)
    stage.records.record(node, [ended(again, at=T + 3 * SECOND + 3)])
    assert ages(stage.claim(node, T + 3 * SECOND + 3)) == [1]


def test_what_a_dead_node_had_of_it_is_run_and_keeps_no_present_occurrence_waiting(
    stage: Stage, backfills: BackfillStore
) -> None:
    job, dead = serial(stage)
    node = stage.node()
    backfills.add(job.id, old(1, 2), T, LAST)
    lost = stage.claim_one(dead, T + 1)
    assert stage.nodes.condemn(dead, 0, T + 2)
    assert stage.rescues.rescue(dead, T + 2).pending == 1
    present = stage.claim(node, T + SECOND, slots=1)[0]
    assert present.execution.scheduled_for == T + SECOND
    assert stage.claim(node, T + SECOND) == []
    stage.records.record(node, [ended(present)])
    assert stage.claim_one(node, T + SECOND).execution.key in {lost.execution.key, lost.execution.key + 1}


@pytest.mark.parametrize("which", [0, 1])
def test_the_others_go_on_when_one_is_cancelled(stage: Stage, backfills: BackfillStore, which: int) -> None:
    job, node = stage.create(replace(MINUTELY, overlap=Overlap.SKIP)), stage.node()
    backfills.add(job.id, old(1, 2, 3), T, LAST)
    key = sorted(key for (key,) in stage.rows("id"))[which]
    history = History(stage.database)
    record = history.execution(key)
    assert record is not None
    RunStore(stage.database).cancel(history.id_of(record), T)
    seen = []
    for second in (1, 2):
        claim = stage.claim_one(node, T + second * SECOND)
        seen += ages([claim])
        stage.records.record(node, [ended(claim)])
    assert seen == [age for place, age in enumerate((3, 2, 1)) if place != which]


def test_all_go_at_once_when_the_job_allows_overlap_after_an_edit(stage: Stage, backfills: BackfillStore) -> None:
    job, node = stage.create(replace(MINUTELY, overlap=Overlap.SKIP)), stage.node()
    backfills.add(job.id, old(1, 2, 3), T, LAST)
    stage.update(job, T, overlap=Overlap.ALLOW)
    claims = stage.claim(node, T + SECOND)
    assert (len(claims), stage.running(job)) == (3, None)


def test_one_after_the_other_when_it_does_not_any_more(stage: Stage, backfills: BackfillStore) -> None:
    job, node = stage.create(MINUTELY), stage.node()
    backfills.add(job.id, old(1, 2, 3), T, LAST)
    stage.update(job, T, overlap=Overlap.QUEUE)
    seen = []
    for second in (1, 2, 3):
        claim = stage.claim_one(node, T + second * SECOND)
        seen += ages([claim])
        assert stage.claim(node, T + second * SECOND) == []
        stage.records.record(node, [ended(claim)])
    assert seen == [3, 2, 1]


def test_what_is_read_of_thousands_is_a_step_of_an_index(stage: Stage, backfills: BackfillStore) -> None:
    job = stage.create(replace(MINUTELY, overlap=Overlap.SKIP))
    backfills.add(job.id, old(*range(1, 501)), T, LAST)
    database = stage.database
    assert_bounded(database, handover.FOLLOWING, job.key)
    assert_bounded(database, handover.WAITER, job.key)
    assert_bounded(database, WAITING_BACKFILLS, job.key, 500)
    bound = database.dialect.list_value([1, 2])
    value = f"'{{{','.join(map(str, bound))}}}'" if isinstance(bound, list) else f"'{bound}'"
    assert_bounded(database, there_of(database.dialect).replace("?", value, 1), job.key, whole=("unnest",))
