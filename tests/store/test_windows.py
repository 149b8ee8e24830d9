"""Maintenance windows in the store: what claims make of them, and what is left of one that is changed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.store.stage import EVERY_SECOND, MINUTE, MINUTELY, Stage, T, attempted, ended
from tui_scheduler.domain.errors import NotFound
from tui_scheduler.domain.execution import State
from tui_scheduler.domain.job import Overlap
from tui_scheduler.domain.retry import SECOND
from tui_scheduler.domain.windows import WindowSpec
from tui_scheduler.store.database import Database

NOBODY = "0000000a-0000-7000-8000-000000000000"


@pytest.fixture
def stage(database: Database) -> Stage:
    return Stage(database)


def window(first: int, last: int, queue: str | None = None) -> WindowSpec:
    """In seconds after T."""
    return WindowSpec("maintenance", queue, T + first * SECOND, T + last * SECOND)


def live(stage: Stage, node: int, first: int, last: int) -> list[int]:
    """Claim and record from second to second after T, four times in each; the seconds whose occurrences were run."""
    ran: list[int] = []
    for quarter in range(first * 4, last * 4 + 1):
        now = T + quarter * SECOND // 4
        claims = stage.claim_all(node, now, ahead=2 * SECOND)
        ran += [(claim.execution.scheduled_for - T) // SECOND for claim in claims]
        stage.records.record(node, [ended(claim) for claim in claims])
    return ran


def stretches(stage: Stage) -> list[tuple[str, int, int, int]]:
    rows = stage.rows("skip_reason, skip_from, skip_to, skip_count", order="skip_from")
    return [(why, (a - T) // SECOND, (b - T) // SECOND, n) for why, a, b, n in rows if why is not None]


@pytest.mark.parametrize("overlap", list(Overlap))
def test_occurrences_in_a_window_are_one_skipped_stretch_and_the_others_run(stage: Stage, overlap: Overlap) -> None:
    stage.windows.create(window(4, 8), T)
    stage.create(replace(EVERY_SECOND, overlap=overlap))
    assert live(stage, stage.node(), 0, 10)[:8] == [1, 2, 3, 8, 9, 10, 11, 12][:8]
    assert stretches(stage) == [("window", 4, 7, 4)]
    assert stage.gates() == [None]


def test_a_window_of_a_queue_leaves_the_others_alone(stage: Stage) -> None:
    stage.windows.create(window(4, 8, "one"), T)
    stage.create(replace(EVERY_SECOND, queue="one"))
    stage.create(replace(EVERY_SECOND, queue="other"))
    ran = live(stage, stage.node(), 0, 9)
    assert [ran.count(second) for second in range(3, 10)] == [2, 1, 1, 1, 1, 2, 2]


def test_retries_wait_for_the_end_and_what_is_run_by_hand_goes(stage: Stage) -> None:
    job, node = stage.create(MINUTELY), stage.node()
    stage.windows.create(window(1, 30), T)
    stage.jobs.run_now(job.id, T)
    (manual,) = stage.claim_all(node, T)
    failed = ended(manual, State.RETRYING, T + 1, next_attempt_at=T + 5 * SECOND, attempt=attempted(manual, T))
    stage.records.record(node, [failed])
    assert len(stage.claim_all(node, T + 5 * SECOND)) == 1  # the retry of what was run by hand
    scheduled = stage.put(job, State.RETRYING, T - MINUTE, attempt=1, next_attempt_at=T + 6 * SECOND)
    assert stage.claim_all(node, T + 29 * SECOND) == []
    assert [claim.execution.key for claim in stage.claim_all(node, T + 30 * SECOND)] == [scheduled]


def test_what_was_due_before_a_window_and_is_late_waits_for_its_end(stage: Stage) -> None:
    stage.windows.create(window(61, 90), T)
    stage.create(MINUTELY)
    node = stage.node()
    assert stage.claim_all(node, T + 70 * SECOND) == []
    assert [claim.execution.scheduled_for for claim in stage.claim_all(node, T + 90 * SECOND)] == [T + MINUTE]


def test_what_an_edit_planned_into_a_window_is_skipped(stage: Stage) -> None:
    job, node = stage.create(MINUTELY), stage.node()
    stage.windows.create(window(1, 30), T)
    stage.put(job, State.PENDING, T + 5 * SECOND)
    assert stage.claim_all(node, T + 5 * SECOND) == []
    assert stage.stories() == [(5, "skipped", "window")]


def test_a_window_that_is_deleted_while_it_is_open_ends_at_once(stage: Stage) -> None:
    made = stage.windows.create(window(4, 60), T)
    stage.create(EVERY_SECOND)
    node = stage.node()
    assert live(stage, node, 0, 6) == [1, 2, 3]
    stage.windows.delete(made.id, T + 6 * SECOND + SECOND // 2)
    assert live(stage, node, 7, 10)[:3] == [7, 8, 9]
    assert stretches(stage) == [("window", 4, 6, 3)]
    assert stage.windows.all() == []


def test_a_window_that_is_made_longer_goes_on(stage: Stage) -> None:
    made = stage.windows.create(window(4, 6), T)
    stage.create(EVERY_SECOND)
    node = stage.node()
    live(stage, node, 0, 5)
    stage.windows.update(made.id, lambda now: replace(now.spec, ends_at=T + 9 * SECOND), T + 5 * SECOND + 1)
    assert live(stage, node, 6, 9)[:1] == [9]
    assert sum(n for why, _, _, n in stretches(stage) if why == "window") == 5


@pytest.mark.parametrize("spec", [window(4, 8), WindowSpec(schedule="4 * * * * *", duration=4 * SECOND)])
def test_a_window_that_is_over_still_counts_for_what_is_planned_later(stage: Stage, spec: WindowSpec) -> None:
    made = stage.windows.create(spec, T)
    stage.create(replace(EVERY_SECOND, queue="slow"))
    stage.queues.pause("slow")
    node = stage.node()
    assert live(stage, node, 0, 10) == []
    stage.windows.delete(made.id, T + 10 * SECOND)
    stage.queues.resume("slow")
    assert live(stage, node, 11, 11)[:7] == [1, 2, 3, 8, 9, 10, 11]
    assert stretches(stage) == [("window", 4, 7, 4)]


def test_a_disabled_window_holds_nothing(stage: Stage) -> None:
    made = stage.windows.create(window(4, 8), T)
    stage.windows.update(made.id, lambda now: replace(now.spec, enabled=False), T)
    stage.create(EVERY_SECOND)
    assert live(stage, stage.node(), 0, 6)[:6] == [1, 2, 3, 4, 5, 6]


def test_a_recurring_window_comes_again(stage: Stage) -> None:
    stage.windows.create(WindowSpec(schedule="*/10 * * * * *", duration=3 * SECOND), T)
    stage.create(EVERY_SECOND)
    ran = live(stage, stage.node(), 0, 25)
    assert [second for second in range(3, 26) if second not in ran] == [10, 11, 12, 20, 21, 22]
    assert [(why, first, n) for why, first, _, n in stretches(stage)] == [
        ("window", 1, 2),
        ("window", 10, 3),
        ("window", 20, 3),
    ]


def test_a_limited_queue_and_a_window_hold_one_after_the_other(stage: Stage) -> None:
    stage.limit("slow", concurrency=1)
    stage.windows.create(window(4, 8), T)
    stage.create(replace(EVERY_SECOND, queue="slow"))
    ran = live(stage, stage.node(), 0, 11)
    assert [second for second in range(1, 12) if second not in ran] == [4, 5, 6, 7]


def test_what_is_left_of_windows_is_forgotten_after_a_week(stage: Stage) -> None:
    made = stage.windows.create(window(-60, 60), T - 100 * SECOND)
    stage.windows.delete(made.id, T)
    assert len(stage.rows("id", "maintenance_window")) == 2
    stage.windows.create(WindowSpec(schedule="@daily", duration=MINUTE), T + 8 * 86_400 * SECOND)
    assert len(stage.rows("id", "maintenance_window")) == 1


def test_windows_are_listed_and_changed_by_their_id(stage: Stage) -> None:
    made = stage.windows.create(window(4, 8), T)
    assert stage.windows.all() == [made]
    before = stage.jobs.last_change_no()
    assert stage.windows.update(made.id, lambda now: now.spec, T) == made
    assert stage.jobs.last_change_no() == before
    renamed = stage.windows.update(made.id, lambda now: replace(now.spec, name="x"), T + 1)
    assert (renamed.spec.name, renamed.since) == ("x", T)
    with pytest.raises(NotFound, match="no window with id"):
        stage.windows.update(NOBODY, lambda now: now.spec, T)
    with pytest.raises(NotFound):
        stage.windows.delete(NOBODY, T)


def test_a_retry_gives_way_to_no_occurrence_that_a_window_takes(stage: Stage) -> None:
    stage.windows.create(window(3, 30), T)
    job = stage.create(replace(EVERY_SECOND, overlap=Overlap.CANCEL, ends_at=T + 10 * SECOND))
    node = stage.node()
    first = stage.claim_one(node, T + SECOND)
    assert stage.claim_all(node, T + 2 * SECOND) == []  # the second one waits for the end of the first
    stage.records.record(node, [ended(first, State.RETRYING, T + 2 * SECOND + 5, next_attempt_at=T + MINUTE)])
    assert stage.claim_all(node, T + 30 * SECOND) == []
    assert stretches(stage) == [("window", 3, 10, 8)]
    assert (stage.running(job), stage.state(first.execution.key)) == (first.execution.key, "retrying")
    (again,) = stage.claim_all(node, T + MINUTE)
    stage.records.record(node, [ended(again)])
    (second,) = stage.claim_all(node, T + 2 * MINUTE)
    assert second.execution.scheduled_for == T + 2 * SECOND
