from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_scheduler.domain.job import PRIORITIES, Job, JobSpec, JobState, Request, jitter_offset
from tui_scheduler.domain.retry import SECOND

SPEC = JobSpec("0 * * * * *", Request("http://localhost/"))
JOB = Job(1, "01a1ee56-5e00-7000-8661-11ad9f793b37", SPEC, JobState.ACTIVE, 1, 0, 0)


@given(st.uuids().map(str), st.integers(1, 86_400 * SECOND))
def test_the_offset_is_a_share_of_the_jitter(job_id: str, jitter: int) -> None:
    assert 0 <= jitter_offset(job_id, jitter) < jitter


@pytest.mark.parametrize("jitter", [0, -1])
def test_no_jitter_is_no_offset(jitter: int) -> None:
    assert jitter_offset(JOB.id, jitter) == 0


def test_the_offset_is_the_same_on_every_node_and_every_day() -> None:
    # A change of this number would move every jittered job of everybody.
    assert jitter_offset("01a1ee56-5e00-7000-8661-11ad9f793b37", 60 * SECOND) == 21683026


def test_jobs_spread_over_the_whole_of_the_jitter() -> None:
    seconds = {jitter_offset(f"job-{number}", 10 * SECOND) // SECOND for number in range(500)}
    assert seconds == set(range(10))


def test_a_job_knows_its_offset() -> None:
    jittered = replace(JOB, spec=replace(SPEC, jitter=30 * SECOND))
    assert jittered.offset == jitter_offset(JOB.id, 30 * SECOND)
    assert JOB.offset == 0


def test_the_default_priority_is_in_the_middle() -> None:
    assert SPEC.priority == (PRIORITIES[0] + PRIORITIES[-1]) // 2


def test_specs_of_equal_content_are_equal() -> None:
    assert JobSpec("0 * * * * *", Request("http://localhost/")) == SPEC
    assert replace(SPEC, name="other") != SPEC
