from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_scheduler.store.ids import execution_id, execution_key, id_ms, new_job_id, new_salt

NOW = 1_795_000_000_123_456
KEYS = st.integers(1, 2**44 - 1)
SALTS = st.integers(0, 2**30 - 1)
INSTANTS = st.integers(-(2**63), 2**63 - 1)


@given(KEYS, INSTANTS, SALTS)
def test_the_id_of_an_execution_gives_its_key_and_time_back(key: int, scheduled_for: int, salt: int) -> None:
    assert execution_key(execution_id(key, scheduled_for, salt), salt) == (key, id_ms(scheduled_for))


@given(KEYS, INSTANTS, SALTS)
def test_the_id_of_an_execution_is_a_uuid_of_version_7(key: int, scheduled_for: int, salt: int) -> None:
    text = execution_id(key, scheduled_for, salt)
    parsed = uuid.UUID(text)
    assert (parsed.version, parsed.variant, str(parsed)) == (7, uuid.RFC_4122, text)


@given(KEYS, INSTANTS, SALTS, SALTS)
def test_another_database_does_not_know_the_id(key: int, scheduled_for: int, salt: int, other: int) -> None:
    found = execution_key(execution_id(key, scheduled_for, salt), other)
    assert (found is not None) == (salt == other)


def test_an_id_carries_the_milliseconds_of_its_instant() -> None:
    assert execution_id(1, NOW, 0).replace("-", "")[:12] == f"{NOW // 1000:012x}"


@pytest.mark.parametrize(
    ("scheduled_for", "ms"),
    [(-1, 0), (-(2**63), 0), (0, 0), (999, 0), (1000, 1), (2**63 - 1, 2**63 // 1000), (2**48 * 1000, 2**48 - 1)],
)
def test_instants_out_of_range_are_clamped(scheduled_for: int, ms: int) -> None:
    assert id_ms(scheduled_for) == min(ms, 2**48 - 1)
    assert len(execution_id(1, scheduled_for, 0)) == 36


def test_upper_case_is_taken() -> None:
    assert execution_key(execution_id(77, NOW, 5).upper(), 5) == (77, NOW // 1000)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "00000000-0000-7000-8000-00000000000",
        "00000000-0000-7000-8000-0000000000001",
        "00000000-0000-4000-8000-000000000001",
        "00000000-0000-7000-c000-000000000001",
        "000000000000700080000000000000001",
        " 00000000-0000-7000-8000-000000000001",
        "00000000-0000-7000-8000-000000000001\n",
        "\u06600000000-0000-7000-8000-000000000001",
        "g0000000-0000-7000-8000-000000000001",
    ],
)
def test_what_is_no_id_of_ours_is_refused(text: str) -> None:
    assert execution_key(text, 0) is None


def test_job_ids_are_uuids_of_version_7_at_their_time() -> None:
    parsed = uuid.UUID(new_job_id(NOW))
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
    assert abs((parsed.int >> 80) - NOW // 1000) < 10_000


def test_job_ids_made_at_the_same_instant_differ_and_sort_in_order() -> None:
    made = [new_job_id(NOW) for _ in range(10_000)]
    assert made == sorted(set(made))


def test_a_clock_set_back_far_is_followed() -> None:
    new_job_id(NOW)
    an_hour_before = NOW - 3600 * 1_000_000
    assert uuid.UUID(new_job_id(an_hour_before)).int >> 80 == an_hour_before // 1000


@pytest.mark.parametrize("now", [-1, -(2**63), 0, 2**63 - 1])
def test_a_job_id_can_be_made_at_any_instant(now: int) -> None:
    assert uuid.UUID(new_job_id(now)).version == 7


def test_threads_never_make_the_same_id() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: new_job_id(NOW), range(4_000)))
    assert len(set(made)) == len(made)


def test_a_salt_has_30_bits() -> None:
    assert all(0 <= new_salt() < 2**30 for _ in range(100))
