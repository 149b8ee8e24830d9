"""What every request carries."""

from __future__ import annotations

from typing import Any

import pytest
from trio.testing import MockClock

from tests.engine.stage import MS, ONCE, SECOND, START, Stage, held
from tui_scheduler.domain.execution import Outcome, OutcomeKind
from tui_scheduler.domain.job import JobType
from tui_scheduler.engine.arming import Arming, rfc3339
from tui_scheduler.engine.hand import Held, Phase
from tui_scheduler.store.claims import Claim


def arm(**spec: Any) -> Held:
    return armed(held(SECOND, key=7, **spec))[0]


def armed(one: Held) -> tuple[Held, list[tuple[Held, Outcome]]]:
    """What arming makes of a claim, and the ends it is told."""
    ends: list[tuple[Held, Outcome]] = []
    arming = Arming(
        Stage().transport, lambda key, at: f"id-{key}-{at}", lambda which, outcome: ends.append((which, outcome))
    )
    return arming.arm(Claim(one.execution, one.entry, one.due)), ends


async def test_a_request_carries_its_key_its_instant_its_job_and_its_attempt(autojump_clock: MockClock) -> None:
    assert arm().shot.headers == (
        ("Idempotency-Key", f"id-7-{START + SECOND}"),
        ("X-Scheduled-At", "2026-05-28T20:26:41.000000Z"),
        ("X-Job-Id", "job-7"),
        ("X-Attempt", "1"),
    )


async def test_the_idempotency_key_stays_over_attempts_and_rescues(autojump_clock: MockClock) -> None:
    one = held(SECOND, key=7)
    keys, attempts = [], []
    for following in (
        one.execution,
        one.execution.retry().claim(),
        one.execution.retry().claim().rescue(may_send_again=True).claim(),
        one.execution.give_back().claim(),
    ):
        one.execution = following
        headers = dict(armed(one)[0].shot.headers)
        keys.append(headers["Idempotency-Key"])
        attempts.append(headers["X-Attempt"])
    assert len(set(keys)) == 1
    assert attempts == ["1", "2", "2", "1"]


async def test_the_instant_of_firing_is_told_only_when_jitter_moved_it(autojump_clock: MockClock) -> None:
    assert "X-Fire-At" not in dict(arm().shot.headers)
    jittered = held(SECOND)
    object.__setattr__(jittered.execution, "fire_at", START + 1_234_567)
    headers = dict(armed(jittered)[0].shot.headers)
    assert headers["X-Fire-At"] == "2026-05-28T20:26:41.234567Z"
    assert headers["X-Scheduled-At"] == "2026-05-28T20:26:41.000000Z"


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (1, "1970-01-01T00:00:00.000001Z"),
        (START + 999_999, "2026-05-28T20:26:40.999999Z"),
        (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_instants_are_rfc_3339_in_utc_to_the_microsecond(instant: int, text: str) -> None:
    assert rfc3339(instant) == text


@pytest.mark.parametrize(("kind", "may"), [(JobType.ATLEAST_ONCE, True), (ONCE, False)])
async def test_only_at_least_once_work_may_be_sent_again_on_a_fresh_connection(
    kind: JobType, may: bool, autojump_clock: MockClock
) -> None:
    shot = arm(type=kind, timeout=123 * MS).shot
    assert shot.may_reconnect is may
    assert shot.timeout == 123 * MS


async def test_the_end_of_a_shot_is_told_with_what_is_held(autojump_clock: MockClock) -> None:
    one, ends = armed(held(SECOND, key=7))
    assert (one.phase, one.due) == (Phase.ARMED, START + SECOND)
    outcome = Outcome(OutcomeKind.RESPONSE, START, START, 200)
    one.shot.done(outcome)
    assert ends == [(one, outcome)]
