"""The judge is judged first: a clean history passes, and every rule sees the one thing that breaks it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.crash import archive
from tests.crash.case import Stretches
from tests.crash.evidence import (
    Action,
    Cadence,
    Command,
    Evidence,
    Outage,
    Record,
)
from tests.crash.plan import GRACE, plan_of, regimes_of
from tests.crash.planted import (
    EVERY_OTHER,
    EVERY_SECOND,
    FREEZE,
    FROZEN,
    HORIZON,
    STORY,
    T0,
    arrival,
    at,
    clean,
    command,
    plus,
    rules,
    with_record,
    without,
)
from tests.crash.tally import tally

# --- the plan


@pytest.mark.parametrize(
    ("cadence", "after", "through", "expected"),
    [
        (Cadence(2), 4, 8, [6, 8]),
        (Cadence(2), 5, 5, []),
        (Cadence(3, 100), 100, 106, [103, 106]),
        (Cadence(3, 100), 102, 103, [103]),
        (Cadence(3, 101), 101, 103, []),
    ],
)
def test_a_cadence_counts_from_its_anchor(cadence: Cadence, after: int, through: int, expected: list[int]) -> None:
    assert list(cadence.between(after, through)) == expected
    assert all(cadence.has(instant) for instant in expected)


@pytest.mark.parametrize(
    ("commands", "required", "optional"),
    [
        ((), range(1, 11), ()),
        # Acknowledged at 3.1: due at 3 is required, and what is due after the grace is not there.
        ((command(Action.PAUSE, 3.05, 3.1),), (1, 2, 3), ()),
        # The commit may lie on either side of 4.
        ((command(Action.PAUSE, 3.9, 4.1),), (1, 2, 3), (4,)),
        # Within the grace it may be overtaken.
        ((command(Action.PAUSE, 3.8, 3.85),), (1, 2, 3), (4,)),
        ((command(Action.PAUSE, 2.3, 2.4), command(Action.RESUME, 5.3, 5.4)), (1, 2, 6, 7, 8, 9, 10), ()),
        # Resuming takes nothing away, so it has no grace.
        ((command(Action.PAUSE, 2.3, 2.4), command(Action.RESUME, 5.9, 5.95)), (1, 2, 6, 7, 8, 9, 10), ()),
        ((command(Action.PAUSE, 2.3, 2.4), command(Action.RESUME, 5.9, 6.1)), (1, 2, 7, 8, 9, 10), (6,)),
        ((command(Action.DELETE, 7.2, 7.3),), range(1, 8), ()),
        # Whatever the instant of the edit, both schedules have the even seconds.
        ((command(Action.EDIT, 3.5, 6.5, EVERY_OTHER),), (1, 2, 3, 4, 6, 8, 10), (5,)),
        # An edit of a paused job does not wake it.
        ((command(Action.PAUSE, 2.3, 2.4), command(Action.EDIT, 3.3, 3.4, EVERY_OTHER)), (1, 2), ()),
        (
            (
                command(Action.PAUSE, 2.3, 2.4),
                command(Action.EDIT, 3.3, 3.4, EVERY_OTHER),
                command(Action.RESUME, 4.3, 4.4),
            ),
            (1, 2, 6, 8, 10),
            (),
        ),
        # Running it now changes no plan.
        ((command(Action.RUN, 2.3, 2.4),), range(1, 11), ()),
    ],
)
def test_orders_make_the_plan(commands: tuple[Command, ...], required: range, optional: tuple[int, ...]) -> None:
    story = replace(STORY, commands=commands)
    plan = plan_of(regimes_of(story, HORIZON), story.created_at, HORIZON)
    assert [instant for instant, is_required in plan.items() if is_required] == [at(number) for number in required]
    assert [instant for instant, is_required in plan.items() if not is_required] == [at(number) for number in optional]


def test_an_order_between_the_nominal_instant_and_its_jitter_leaves_both_possible() -> None:
    story = replace(STORY, jitter=900_000, commands=(command(Action.PAUSE, 3.5, 3.51),))
    plan = plan_of(regimes_of(story, HORIZON), story.created_at, HORIZON)
    assert plan == {at(1): True, at(2): True, at(3): False}


# --- the rules


def test_a_clean_trial_has_no_violation() -> None:
    assert rules(clean()) == []


@pytest.mark.parametrize(
    ("expected", "evidence"),
    [
        ("missing", without(clean(), at(4))),
        ("missing", without(clean(), at(1))),
        ("missing", without(clean(), at(10))),
        ("unrecorded", without(clean(instants=[at(number) for number in range(1, 12)]), at(11), arrivals=False)),
        ("undelivered", without(clean(), at(4), records=False)),
        ("undelivered", with_record(without(clean(), at(4), records=False), at(4), state="failed")),
        ("unfinished", with_record(clean(), at(4), state="retrying")),
        ("unfinished", with_record(clean(), at(4), state="claimed")),
        ("lost", with_record(clean(), at(4), state="lost", rescues=1)),
        ("lost", with_record(without(clean(), at(4), records=False), at(4), state="lost", rescues=5)),
        ("cancelled", with_record(clean(), at(4), state="cancelled")),
        ("doubled", plus(clean(), Record("job", at(4), "succeeded"))),
        ("unplanned", plus(clean(), Record("job", at(4.5), "succeeded"), arrival(at(4.5)))),
        ("key changed", plus(clean(), arrival(at(4), after=5_000, key="another"))),
        ("key shared", plus(without(clean(), at(5), records=False), arrival(at(5), key=f"key {at(4)}"))),
        ("early", plus(clean(), arrival(at(4), after=-1_500))),
        ("attempts", plus(clean(), arrival(at(4), attempt=4))),
        ("attempts", plus(clean(), arrival(at(4), attempt=0))),
        ("groundless", with_record(without(clean(), at(4), records=False), at(4), state="skipped")),
        (
            "groundless",
            with_record(without(clean(), at(4), records=False), at(4), state="skipped", skip_reason="paused"),
        ),
        (
            "groundless",
            with_record(without(clean(), at(4), records=False), at(4), state="skipped", skip_reason="overlap"),
        ),
        (
            "contradicted",
            with_record(clean(replace(STORY, may_overlap=True)), at(4), state="skipped", skip_reason="overlap"),
        ),
        ("run now", plus(clean(), Record("job", at(4.5), "succeeded", "manual"), arrival(at(4.5)))),
        ("stranger", plus(clean(), replace(arrival(at(4)), job_id="nobody's"))),
        ("created", replace(clean(), stories=(replace(STORY, answered=T0 - 1, asked=T0 - 10),))),
    ],
)
def test_a_broken_promise_is_seen(expected: str, evidence: Evidence) -> None:
    assert rules(evidence) == [expected]


@pytest.mark.parametrize(
    "evidence",
    [
        plus(clean(), arrival(at(4), after=700_000)),
        plus(clean(), arrival(at(4), after=700_000, attempt=2)),
        with_record(clean(), at(4), state="failed"),
        with_record(clean(), at(4), state="lost", rescues=5),
        with_record(clean(replace(STORY, cancels=True)), at(4), state="cancelled"),
    ],
)
def test_what_at_least_once_allows_is_no_violation(evidence: Evidence) -> None:
    assert rules(evidence) == []


def test_at_most_once_may_be_lost_or_fail_unsent_but_never_arrives_twice() -> None:
    evidence = clean(replace(STORY, at_most_once=True))
    unsent = without(evidence, at(4), at(5), records=False)
    assert rules(with_record(with_record(unsent, at(4), state="lost"), at(5), state="failed")) == []
    assert rules(plus(evidence, arrival(at(4), after=700_000))) == ["twice"]
    assert rules(plus(evidence, arrival(at(4), after=700_000, attempt=2))) == ["twice"]


def stretch(first: float, last: float, count: int, reason: str = "too late") -> Record:
    return Record("job", at(last), "skipped", "schedule", 0, 0, reason, at(first), at(last), count)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (stretch(3, 6, 4), []),
        (stretch(3, 6, 3), ["miscounted"]),
        (stretch(3, 6, 5), ["miscounted"]),
        (stretch(3, 5, 3), ["missing"]),
        (stretch(3, 7, 5), ["doubled", "contradicted"]),
    ],
)
def test_a_skipped_stretch_accounts_for_what_it_names_and_nothing_else(record: Record, expected: list[str]) -> None:
    story = replace(STORY, may_be_late=True)
    assert rules(plus(without(clean(story), at(3), at(4), at(5), at(6)), record)) == expected


@pytest.mark.parametrize(
    ("commands", "record", "expected"),
    [
        # What was overdue when the pause came, and what a pause covers, is skipped as paused.
        ((command(Action.PAUSE, 6.3, 6.4),), stretch(5, 6, 2, "paused"), []),
        ((command(Action.PAUSE, 4.3, 4.4), command(Action.RESUME, 7.9, 7.95)), stretch(5, 7, 3, "paused"), []),
        # What was planned when the pause came stays skipped, but what is due long after the resume is due.
        ((command(Action.PAUSE, 4.3, 4.4), command(Action.RESUME, 5.3, 5.4)), stretch(6, 6, 1, "paused"), []),
        (
            (command(Action.PAUSE, 4.3, 4.4), command(Action.RESUME, 5.3, 5.4)),
            stretch(7, 7, 1, "paused"),
            ["groundless"],
        ),
        ((command(Action.EDIT, 6.3, 6.4, EVERY_OTHER),), stretch(5, 5, 1, "edited"), []),
        ((command(Action.EDIT, 2.3, 2.4, EVERY_SECOND),), stretch(8, 8, 1, "edited"), ["groundless"]),
        ((command(Action.DELETE, 6.3, 6.4),), stretch(5, 6, 2, "deleted"), []),
    ],
)
def test_an_order_justifies_skips_around_it_only(
    commands: tuple[Command, ...], record: Record, expected: list[str]
) -> None:
    story = replace(STORY, commands=commands)
    skipped = [at(number) for number in range(1, 11) if record.first <= at(number) <= record.last]
    assert rules(plus(without(clean(story), *skipped), record)) == expected


def test_what_runs_just_after_an_order_forbade_it_was_overtaken() -> None:
    story = replace(STORY, commands=(command(Action.PAUSE, 4.3, 4.4),))
    for second, rule in ((5, "overtaken"), (10, "unplanned")):
        assert rules(plus(clean(story), Record("job", at(second), "succeeded"), arrival(at(second)))) == [rule]


@pytest.mark.parametrize(("second", "arrivals", "expected"), [(5, 0, []), (5, 1, ["overtaken"]), (8, 0, ["overtaken"])])
def test_what_a_dying_node_had_in_hand_may_be_lost_though_an_order_forbade_it(
    second: int, arrivals: int, expected: list[str]
) -> None:
    story = replace(STORY, commands=(command(Action.PAUSE, 4.3, 4.4),), at_most_once=True)
    evidence = plus(clean(story), Record("job", at(second), "lost"), *[arrival(at(second))] * arrivals)
    assert rules(evidence) == expected


@pytest.mark.parametrize(("arrivals", "expected"), [(0, []), (1, ["overtaken"])])
def test_what_a_newer_occurrence_cancelled_unsent_was_not_run(arrivals: int, expected: list[str]) -> None:
    story = replace(STORY, commands=(command(Action.PAUSE, 4.3, 4.4),), cancels=True)
    evidence = plus(clean(story), Record("job", at(5), "cancelled"), *[arrival(at(5))] * arrivals)
    assert rules(evidence) == expected


@pytest.mark.parametrize(
    ("second", "is_resumed", "expected"), [(5, True, []), (8, True, ["overtaken"]), (5, False, ["overtaken"])]
)
def test_what_a_dying_node_had_in_hand_may_run_though_an_order_forbade_it_where_a_later_one_hides_that(
    second: int, is_resumed: bool, expected: list[str]
) -> None:
    commands = (command(Action.PAUSE, 4.3, 4.4), *[command(Action.RESUME, 8.2, 8.3)] * is_resumed)
    story = replace(STORY, commands=commands)
    rescued = Record("job", at(second), "succeeded", rescues=1)
    assert rules(plus(clean(story), rescued, arrival(at(second)))) == expected


def test_an_edit_binds_the_request_after_its_grace() -> None:
    story = replace(STORY, commands=(command(Action.EDIT, 4.2, 4.3, EVERY_SECOND, revision=1),))
    evidence = clean(story)
    edited = tuple(replace(one, revision=1) if one.at > at(4.3) + GRACE else one for one in evidence.arrivals)
    assert rules(replace(evidence, arrivals=edited)) == []
    assert rules(evidence) == ["outdated"] * 6


def test_an_acknowledged_run_now_runs_once_and_an_unanswered_one_may() -> None:
    manual = Record("job", at(4.5), "succeeded", "manual")
    sure = replace(STORY, commands=(command(Action.RUN, 4.4, 4.5),))
    unsure = replace(STORY, commands=(replace(command(Action.RUN, 4.4, 4.5), sure=False),))
    assert rules(plus(clean(sure), manual, arrival(at(4.5)))) == []
    assert rules(clean(sure)) == ["run now"]
    assert rules(clean(unsure)) == []
    assert rules(plus(clean(unsure), manual, arrival(at(4.5)))) == []


# --- the figures


def test_the_tally_tells_retries_from_duplicates_and_explained_from_unexplained() -> None:
    evidence = plus(
        with_record(clean(), at(4), rescues=1),
        arrival(at(4), after=700_000),
        arrival(at(5), after=700_000),
        arrival(at(6), after=700_000, attempt=2),
        stretch(20, 22, 3),
    )
    figures = tally(with_record(evidence, at(6), attempt=2))
    assert (figures.planned, figures.executed, figures.arrivals) == (10, 10, 13)
    assert (figures.duplicates, figures.unexplained, figures.retries) == (2, 1, 1)
    assert figures.skipped == {"too late": 3}


def test_drift_near_an_outage_is_told_apart() -> None:
    evidence = replace(clean(), outages=(Outage(at(3.5), at(4.5)), Outage(at(4.2), at(5.5))))
    drift = tally(evidence).drift
    assert (len(drift.undisturbed), len(drift.recovered)) == (8, 2)
    assert drift.undisturbed[0] == 900


def test_stretches_cover_what_lies_in_any_of_them() -> None:
    stretches = Stretches([Outage(10, 20), Outage(5, 30), Outage(40, 41)])
    assert [stretches.cover(instant) for instant in (4, 5, 25, 31, 40, 42)] == [False, True, True, False, True, False]


def test_evidence_survives_the_disk(tmp_path: Path) -> None:
    story = replace(STORY, commands=(command(Action.EDIT, 4.2, 4.3, EVERY_OTHER, 1), command(Action.PAUSE, 5.2, 5.3)))
    evidence = replace(clean(story), outages=(Outage(1, 2, "lock"),), nodes=(FROZEN,), freezes=(FREEZE,))
    archive.save(evidence, tmp_path)
    assert archive.load(tmp_path) == evidence
