"""The live log: what came, what is new, what changed, and never the whole table."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pytest
from sqlalchemy import text

from tests.store.plans import accesses, assert_ordered
from tests.store.stage import Stage, T
from tui_scheduler.domain.execution import State
from tui_scheduler.domain.job import Job
from tui_scheduler.domain.retry import SECOND
from tui_scheduler.store import tail as statements
from tui_scheduler.store.database import Database
from tui_scheduler.store.history import History
from tui_scheduler.store.tail import BACK, Mark, Page, Tail, Wanted

DONE = {"started_at": T, "finished_at": T + 9, "duration_us": 9, "http_status": 200}


@pytest.fixture
def stage(database: Database) -> Stage:
    return Stage(database)


class Reader:
    """Somebody who reads on and on. `fresh` gives the keys of a page that were in none before."""

    def __init__(self, stage: Stage, wanted: Wanted) -> None:
        self._tail = Tail(stage.database)
        self._wanted = wanted
        self._seen: set[int] = set()
        self.marks: Sequence[Mark] = ()

    def read(self, now: int, again: Collection[int] = ()) -> Page:
        page = self._tail.read(self._wanted, now, self.marks, again)
        self.marks = page.marks
        return page

    def fresh(self, now: int) -> list[int]:
        keys = [entry.key for entry in self.read(now).entries if entry.key not in self._seen]
        self._seen.update(keys)
        return keys


EVERY_KIND = [
    pytest.param(Wanted(), id="all"),
    pytest.param(Wanted(job_key=1), id="one job"),
    pytest.param(Wanted(states=frozenset({State.FAILED, State.LOST})), id="failures"),
    pytest.param(Wanted(states=frozenset({State.FAILED, State.CANCELLED})), id="some states"),
    pytest.param(Wanted(job_key=1, states=frozenset({State.FAILED})), id="one job, one state"),
]


def done(stage: Stage, job: Job, at: int, state: State = State.SUCCEEDED) -> int:
    return stage.put(job, state, at, started_at=at, finished_at=at + 9)


def test_the_first_page_has_the_newest_that_have_come(stage: Stage) -> None:
    job = stage.create()
    keys = [done(stage, job, T + n) for n in range(4)]
    stage.put(job, State.CLAIMED, T + SECOND)
    page = Tail(stage.database).read(Wanted(limit=3), T + 100)
    assert ([entry.key for entry in page.entries], page.left_out) == (keys[1:], 0)


@pytest.mark.parametrize("wanted", EVERY_KIND)
def test_a_first_page_says_whether_there_are_older_ones(stage: Stage, wanted: Wanted) -> None:
    job = stage.create()
    tail, three = Tail(stage.database), Wanted(wanted.job_key, wanted.states, limit=3)
    for n in range(3):
        done(stage, job, T + n, State.FAILED)
    page = tail.read(three, T + 100)
    assert (len(page.entries), page.has_older) == (3, False)
    done(stage, job, T + 4, State.FAILED)
    page = tail.read(three, T + 100)
    assert (len(page.entries), page.has_older) == (3, True)
    assert not tail.read(three, T + 200, page.marks).has_older
    since = Wanted(wanted.job_key, wanted.states, since=T + 1, limit=3)
    assert not tail.read(since, T + 100).has_older


@pytest.mark.parametrize("job_key", [None, 1])
def test_where_the_search_for_a_state_ends_there_may_be_older_ones(
    stage: Stage, job_key: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "IN_STATE_STRETCH", 3)
    monkeypatch.setattr(statements, "JOB_STRETCH", 4)
    job = stage.create()
    skipped = Wanted(job_key, frozenset({State.SKIPPED}))
    for n in range(4):
        done(stage, job, T + n)
    assert not Tail(stage.database).read(skipped, T + 100).has_older
    done(stage, job, T + 4)
    page = Tail(stage.database).read(skipped, T + 100)
    assert (page.entries, page.has_older) == ([], True)
    recent = Wanted(job_key, frozenset({State.SKIPPED}), since=T + 1)
    assert not Tail(stage.database).read(recent, T + 100).has_older


def test_counting_what_one_job_leaves_out_stops_and_says_so(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statements, "MOST_AGAIN", 5)
    job = stage.create()
    reader = Reader(stage, Wanted(job_key=job.key, limit=2))
    reader.read(T)
    for n in range(20):
        done(stage, job, T + 1 + n)
    page = reader.read(T + 1000)
    assert (page.left_out, page.has_more) == (5, True)
    done(stage, job, T + 1001)
    assert not reader.read(T + 2000).has_more


def test_a_line_says_everything_about_its_execution(stage: Stage) -> None:
    job = stage.create()
    key = stage.put(job, State.FAILED, T, **DONE | {"attempt": 2, "claim_no": 5, "error": "HTTP 500"})
    (entry,) = Tail(stage.database).read(Wanted(), T).entries
    record = History(stage.database).execution(key)
    assert record is not None
    assert entry._asdict() == {
        "key": key,
        "id": History(stage.database).id_of(record),
        "claim_no": 5,
        "job_id": job.id,
        "job_name": "http://localhost/",  # it has no name
        "state": "failed",
        "trigger": "schedule",
        "fire_at": T,
        "attempt": 2,
        "started_at": T,
        "finished_at": T + 9,
        "duration": 9,
        "http_status": 200,
        "error": "HTTP 500",
        "next_attempt_at": None,
        "skip_reason": None,
        "skip_count": None,
    }
    stage.update(job, T, name="nightly")
    assert Tail(stage.database).read(Wanted(), T).entries[0].job_name == "nightly"


def test_what_an_edit_put_off_for_an_hour_does_not_stand_in_the_way(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "TOP", 2)
    job = stage.create()
    reader = Reader(stage, Wanted())
    reader.fresh(T)
    stage.put(job, State.PENDING, T + 3600 * SECOND)
    for n in range(1, 12):
        ahead = [stage.put(job, State.CLAIMED, T + n * SECOND + k) for k in range(1, 5)]
        assert reader.fresh(T + n * SECOND) == []
        assert reader.fresh(T + n * SECOND + 10) == ahead


@pytest.mark.parametrize("wanted", EVERY_KIND)
def test_whoever_reads_on_sees_everything_once_it_has_come(stage: Stage, wanted: Wanted) -> None:
    job = stage.create()
    reader = Reader(stage, wanted)
    assert reader.fresh(T) == []
    for n in range(1, 50):
        now = T + n * SECOND // 4
        key = done(stage, job, now - SECOND // 8, State.FAILED)
        assert reader.fresh(now) == [key]
    assert reader.fresh(T + 30 * SECOND) == []


@pytest.mark.parametrize("wanted", [Wanted(), Wanted(job_key=1)])
def test_what_was_claimed_ahead_appears_when_its_instant_comes(stage: Stage, wanted: Wanted) -> None:
    job = stage.create()
    reader = Reader(stage, wanted)
    ahead = [stage.put(job, State.CLAIMED, T + n * SECOND) for n in (1, 2, 3, 4)]
    assert [reader.fresh(T + n * SECOND) for n in range(6)] == [[], *[[key] for key in ahead], []]


def test_an_execution_by_hand_is_seen_at_once_behind_all_that_was_claimed_ahead(stage: Stage) -> None:
    job = stage.create()
    reader = Reader(stage, Wanted())
    for n in range(1, 20):
        stage.put(job, State.CLAIMED, T + n * SECOND)
    reader.fresh(T)
    by_hand = stage.put(job, State.PENDING, T + 5, trigger="manual")
    assert reader.fresh(T + 10) == [by_hand]


@pytest.mark.parametrize("wanted", EVERY_KIND)
def test_a_row_that_was_committed_late_is_not_missed(stage: Stage, wanted: Wanted) -> None:
    job = stage.create()
    late, *others = [done(stage, job, T + n, State.FAILED) for n in range(5)]
    stage.set("execution", late, job_id=999)  # as if its transaction had not ended
    stage.set("execution", late, state="pending", started_at=None, finished_at=None, fire_at=T + 3600 * SECOND)
    reader = Reader(stage, wanted)
    assert set(reader.fresh(T + 100)) == set(others)
    assert reader.fresh(T + SECOND) == []
    back = {"job_id": job.key, "state": "failed", "started_at": T, "finished_at": T + 9, "fire_at": T}
    stage.set("execution", late, **back)
    assert reader.fresh(T + BACK - 1) == [late]


@pytest.mark.parametrize("wanted", EVERY_KIND[1:])
def test_what_took_long_is_found_by_a_state_it_came_to_late(stage: Stage, wanted: Wanted) -> None:
    job = stage.create()
    slow = stage.put(job, State.RUNNING, T, started_at=T)
    reader = Reader(stage, wanted)
    for n in range(40):
        reader.fresh(T + n * SECOND)
    ended = T + 40 * SECOND
    stage.set("execution", slow, state="failed", finished_at=ended)
    assert slow in [entry.key for entry in reader.read(ended + 5).entries]


def test_rows_on_show_are_read_again_whatever_became_of_them(stage: Stage) -> None:
    job = stage.create()
    slow = stage.put(job, State.RUNNING, T, started_at=T)
    other = done(stage, job, T + 1)
    reader = Reader(stage, Wanted(states=frozenset({State.RUNNING})))
    for n in range(5):
        reader.read(T + n * SECOND)
    stage.set("execution", slow, state="succeeded", finished_at=T + 30 * SECOND)
    page = reader.read(T + 30 * SECOND, again=[slow, other, 999])
    assert [(entry.key, entry.state) for entry in page.entries] == [(slow, "succeeded"), (other, "succeeded")]


def test_no_more_than_500_rows_are_read_again(stage: Stage) -> None:
    job = stage.create()
    keys = [done(stage, job, T + n) for n in range(502)]
    assert len(Tail(stage.database).read(Wanted(limit=1), T, (), keys[:-1]).entries) == 501


@pytest.mark.parametrize("wanted", EVERY_KIND)
def test_what_the_limit_keeps_back_is_counted_once(stage: Stage, wanted: Wanted) -> None:
    job = stage.create()
    reader = Reader(stage, Wanted(wanted.job_key, wanted.states, limit=3))
    reader.read(T)
    for n in range(10):
        done(stage, job, T + 1 + n, State.FAILED)
    page = reader.read(T + 1000)
    assert ([entry.fire_at - T for entry in page.entries], page.left_out) == ([8, 9, 10], 7)
    assert reader.read(T + 2000).left_out == 0
    done(stage, job, T + 2001, State.FAILED)
    assert reader.read(T + 3000).left_out == 0


@pytest.mark.parametrize("wanted", EVERY_KIND)
def test_nothing_that_was_to_fire_before_since_is_shown(stage: Stage, wanted: Wanted) -> None:
    job = stage.create()
    keys = [done(stage, job, T + n, State.FAILED) for n in range(6)]
    since = Wanted(wanted.job_key, wanted.states, since=T + 4)
    assert [entry.key for entry in Tail(stage.database).read(since, T + 10).entries] == keys[4:]


@pytest.mark.parametrize("wanted", [Wanted(), Wanted(job_key=1)])
def test_a_clock_that_was_set_back_hides_nothing_that_has_happened(stage: Stage, wanted: Wanted) -> None:
    job = stage.create()
    reader = Reader(stage, wanted)
    key = done(stage, job, T + 3600 * SECOND)
    assert reader.fresh(T + 3600 * SECOND) == [key]
    news = []
    for n in range(10):
        now = T + n * SECOND
        news.append(done(stage, job, now))
        assert reader.fresh(now + 1) == [news[-1]]
    assert len(reader.marks) <= 4


def test_a_job_with_occurrences_out_of_plan_shows_them_by_their_instant(stage: Stage) -> None:
    job = stage.create()
    keys = [done(stage, job, T), stage.put(job, State.SUCCEEDED, T + 5, trigger="manual", **DONE)]
    keys.append(done(stage, job, T + 9))
    done(stage, stage.create(), T + 7)
    assert [entry.key for entry in Tail(stage.database).read(Wanted(job_key=job.key), T + 10).entries] == keys


def test_a_cursor_stays_short_however_often_somebody_asks(stage: Stage) -> None:
    reader = Reader(stage, Wanted())
    for n in range(1000):
        reader.read(T + n * 10_000)
    assert len(reader.marks) <= BACK // statements.APART + 3
    assert reader.marks[0][0] >= T + 9_990_000 - BACK - 2 * statements.APART


def test_an_empty_store_has_an_empty_log(stage: Stage) -> None:
    page = Tail(stage.database).read(Wanted(), T)
    assert (page.entries, page.left_out, page.marks) == ([], 0, ((T, 1),))


STATES = ("failed", "lost")
NEWS = (5, T, T, T)
QUERIES = [
    (statements.NEWEST_KEY, ()),
    (statements.NEWEST, (5, 9, T, 0, 10)),
    (statements.FIRST_TO_COME, (5, T, T)),
    (statements.BEFORE, (5,)),
    (statements.PLANNED_BEYOND, (1, 10)),
    (statements.CAME_BETWEEN, (5, 9, T, 0, T, T)),
    (statements.NEWEST_IN_STATE.replace("STATES", "?, ?"), (5, *STATES, T, 0, *NEWS, 10)),
    (statements.NEWEST_FAILED.replace("STATES", "?, ?"), (*STATES, T, 0, 10)),
    (statements.PLANNED_OF_JOB, (1, 10, T, 0, *NEWS)),
]
EXTRA = (1, 10, T, 0, *NEWS)


@pytest.mark.parametrize(("statement", "values"), QUERIES)
def test_no_question_reads_the_table_whole(database: Database, statement: str, values: tuple[object, ...]) -> None:
    if database.kind == "postgresql":
        with database.write() as connection:
            connection.execute(text("ANALYZE"))
    found = accesses(database, statement, *values)
    # The largest key is the end of the primary key: one step of it.
    bounded = [str(a) for a in found if not a.is_bounded and statement != statements.NEWEST_KEY]
    assert bounded == []


def test_extra_runs_of_a_job_are_read_in_the_order_of_their_own_index(database: Database) -> None:
    assert_ordered(database, statements.extra_of_job(database.dialect), *EXTRA, by="ix_execution_extra")
