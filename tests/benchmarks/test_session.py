"""A session of measuring goes on whatever one of its runs does, and says what it could not measure."""

from __future__ import annotations

from contextlib import AbstractContextManager

import pytest

from benchmarks import plan, report
from benchmarks.processes import DidNotStart
from benchmarks.scenarios import CARRIED, parse
from benchmarks.session import Session, carried, in_turn
from benchmarks.subjects import Setting, Subject, Terms
from tests.benchmarks.made import result


def cannot_start(setting: Setting) -> AbstractContextManager[Subject]:
    raise DidNotStart("it was out")


def test_what_cannot_be_measured_is_told_and_the_others_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "CONTESTANTS", {report.PROGRAM: cannot_start, report.IN_MEMORY: cannot_start})
    kept: list[int] = []
    run = plan.Run(parse("herd:1"), [report.IN_MEMORY, report.PROGRAM], Terms(1, quick=True))
    session = in_turn([run], 2, lambda session: kept.append(len(session.troubles)))
    assert kept == [1, 2, 3, 4]
    assert [each.subject for each in session.troubles] == [report.IN_MEMORY, report.PROGRAM] * 2
    assert str(session.troubles[0]) == "herd:1, APScheduler: not measured: it was out"
    assert not session.sound


def test_only_what_promises_to_lose_nothing_is_held_to_it() -> None:
    assert Session([result("herd:1"), result("herd:1", lost=5, subject=report.IN_MEMORY)]).sound
    assert not Session([result("herd:1", lost=1)]).sound


def test_what_was_carried_is_the_most_that_was_seen_of_the_program_alone() -> None:
    results = [
        result("spread:10000", per_second=7_000),
        result("herd:10000", per_second=9_500),
        result("nodes:16000", per_second=12_000),
        result("spread:10000", per_second=20_000, subject=report.REFERENCE),
    ]
    assert carried(results) == 9_500
    assert carried([result("light", per_second=100)]) == CARRIED
