"""A job as texts and back: nothing is lost on the way, and what is wrong is said where it is wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tui.fake import NOW
from tui_scheduler.domain.job import CatchUp, Job, JobSpec, JobState, JobType, Overlap, Request, SuccessRule
from tui_scheduler.domain.retry import RetryPolicy
from tui_scheduler.domain.validation import METHODS
from tui_scheduler.tui.editor.draft import (
    NEW_JOB,
    differences,
    merge,
    read,
    read_and_check,
    take_back,
    texts_of,
)
from tui_scheduler.tui.editor.fields import FIELDS, GROUPS, group_of

SECOND = 1_000_000
SPEC = JobSpec("*/5 * * * * *", Request("http://127.0.0.1:3001/hook"), name="nightly")

durations = st.integers(0, 365 * 86_400 * SECOND)
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
words = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=12)
tags = st.lists(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).filter(lambda tag: tag.strip()),
    max_size=4,
).map(lambda found: tuple(dict.fromkeys(tag.strip() for tag in found)))
header_values = st.text(st.characters(max_codepoint=255, exclude_characters="\n\r"), max_size=20)
statuses = st.integers(100, 599)
instants = st.none() | st.integers(-(2**63) + 1, 2**63 - 1) | st.integers(0, 4_000_000_000 * SECOND)

specs = st.builds(
    JobSpec,
    schedule=text,
    request=st.builds(
        Request,
        url=text,
        method=st.sampled_from(METHODS),
        headers=st.lists(st.tuples(st.sampled_from(["X-A", "Accept", "!#$"]), header_values), max_size=3).map(tuple),
        body=st.none() | text,
        tls_verify=st.booleans(),
        ca_file=st.none() | text,
        follow_redirects=st.booleans(),
    ),
    name=text,
    timezone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "No/Such"]),
    type=st.sampled_from(JobType),
    retry=st.builds(
        RetryPolicy,
        max_attempts=st.integers(1, 100),
        base=durations,
        factor=st.floats(1, 100),
        cap=durations,
        total=st.none() | durations,
        statuses=st.none() | st.frozensets(statuses),
    ),
    timeout=durations,
    priority=st.integers(1, 9),
    queue=words,
    tags=tags,
    overlap=st.sampled_from(Overlap),
    catch_up=st.sampled_from(CatchUp),
    grace=durations,
    jitter=durations,
    starts_at=instants,
    ends_at=instants,
    success=st.builds(
        SuccessRule,
        statuses=st.lists(st.tuples(statuses, statuses), max_size=4).map(tuple),
        body_pattern=st.none() | text,
        json_path=st.none() | text,
        json_equals=st.none()
        | text
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.sampled_from(["null", "true", "1", '"', "[1]", " ok "]),
    ),
    pause_on_gone=st.booleans(),
)


@given(specs)
def test_the_texts_of_a_job_are_read_back_as_that_job(spec: JobSpec) -> None:
    found = read(texts_of(spec), spec)
    assert found.errors == {}
    assert found.spec == spec
    equals = (found.spec.success.json_equals, spec.success.json_equals)
    assert isinstance(equals[0], bool) is isinstance(equals[1], bool)


def test_every_field_has_a_text_and_every_text_a_field() -> None:
    assert list(texts_of(SPEC)) == [field.key for group in GROUPS for field in group.fields] == list(FIELDS)


def test_a_sound_job_has_no_errors() -> None:
    assert read_and_check(texts_of(SPEC), NOW).errors == {}


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("name", "a\x1b[31mb", "contains a control character"),
        ("schedule", "* * * 32 * *", "day"),
        ("schedule", "", ""),
        ("api", "ftp://example.com", "must begin with http:// or https://"),
        ("headers", "X-A nothing", "has no colon between name and value"),
        ("headers", "X A: 1", "is not a header name"),
        ("headers", "Content-Length: 5", "is set by the scheduler"),
        ("timezone", "Europe/Berlinn", "did you mean Europe/Berlin"),
        ("startsAt", "tomorrow", "needs a date"),
        ("endsAt", "2020-01-01", "never fires"),
        ("jitterMs", "5 parsecs", "needs a unit"),
        ("jitterMs", "10s", "must be shorter than the shortest time"),
        ("caFile", "partner.pem", "must be an absolute path"),
        ("retry.maxAttempts", "many", "must be a whole number"),
        ("retry.maxAttempts", "0", "must be within 1 to 100"),
        ("retry.factor", "twice", "must be a number"),
        ("retry.capMs", "1ms", "must not be shorter than the first wait"),
        ("retry.statuses", "5oo", "neither a status nor a range"),
        ("retry.statuses", "599-500", "the lower one goes first"),
        ("success.statuses", "", "are none"),
        ("success.statuses", "2", "neither a status nor a range"),
        ("success.bodyPattern", "(", "is not a regular expression"),
        ("success.jsonEquals", "ok", "needs jsonPath"),
        ("success.jsonEquals", "null", "in quotes it is a text"),
        ("success.jsonEquals", '"ok', "a quote that does not end"),
        ("timeoutMs", "2h", "must be within 100 ms to an hour"),
        ("timeoutMs", "", "is empty"),
        ("priority", "10", "must be within 1 (first) to 9 (last)"),
        ("queue", "-", "a queue's name"),
        ("tags", 'a, "b', "a quote that does not end"),
        ("tags", "a, a", "name one twice"),
        ("followRedirects", "yes", ""),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(key: str, text: str, said: str) -> None:
    texts = {**texts_of(SPEC), key: text}
    if key == "followRedirects":
        texts["type"] = JobType.ATMOST_ONCE
    found = read_and_check(texts, NOW)
    assert list(found.errors) == [key]
    assert said in found.errors[key].reason


def test_everything_that_is_wrong_is_said_at_once() -> None:
    texts = {**texts_of(SPEC), "api": "nowhere", "schedule": "never", "retry.baseMs": "x", "queue": "", "priority": "0"}
    found = read_and_check(texts, NOW)
    assert set(found.errors) == {"api", "schedule", "retry.baseMs", "queue", "priority"}
    assert found.spec is None


def test_a_new_job_is_refused_for_what_has_to_be_filled_in() -> None:
    assert set(read_and_check(texts_of(NEW_JOB), NOW).errors) == {"api", "schedule"}


def test_a_schedule_that_has_come_to_its_end_is_no_reason_to_refuse_another_body() -> None:
    over = replace(SPEC, schedule="@at 2020-01-01T00:00:00Z")
    job = Job(1, "id", over, JobState.FINISHED, 1, 0, 0)
    texts = {**texts_of(over), "body": "new"}
    assert read_and_check(texts, NOW, job).errors == {}
    assert "has passed" in read_and_check(texts, NOW).errors["schedule"].reason


@pytest.mark.parametrize(
    ("key", "text", "means"),
    [
        ("success.statuses", "2xx, 304", ((200, 299), (304, 304))),
        ("success.statuses", "200 - 204,,", ((200, 204),)),
    ],
)
def test_statuses_are_read_as_people_write_them(key: str, text: str, means: object) -> None:
    found = read({**texts_of(SPEC), key: text}).spec
    assert found is not None
    assert found.success.statuses == means


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("2026-12-01T09:00:00Z", 1_796_115_600),
        ("2026-12-01 09:00", 1_796_112_000),
        ("2026-12-01", 1_796_079_600),
        (" 2026-12-01 09:00:00+01:00 ", 1_796_112_000),
        ("", None),
    ],
)
def test_an_instant_without_an_offset_is_local_to_the_job(text: str, means: int | None) -> None:
    found = read({**texts_of(replace(SPEC, timezone="Europe/Berlin")), "startsAt": text}).spec
    assert found is not None
    assert found.starts_at == (None if means is None else means * SECOND)


def test_a_timezone_that_does_not_exist_is_wrong_alone() -> None:
    texts = {**texts_of(SPEC), "timezone": "Mars/Base", "startsAt": "2026-12-01 09:00", "endsAt": "2027-12-01"}
    assert set(read_and_check(texts, now=0).errors) == {"timezone"}


def test_lines_of_headers_may_be_empty() -> None:
    found = read({**texts_of(SPEC), "headers": "\nX-A: 1\n\nX-B:2\n"}).spec
    assert found is not None
    assert found.request.headers == (("X-A", "1"), ("X-B", "2"))


@pytest.mark.parametrize(("text", "statuses"), [("", None), ("none", frozenset()), ("429, 5xx", None)])
def test_no_statuses_to_retry_differ_from_the_usual_ones(text: str, statuses: frozenset[int] | None) -> None:
    found = read({**texts_of(SPEC), "retry.statuses": text}).spec
    assert found is not None
    wanted = frozenset({429, *range(500, 600)}) if "5xx" in text else statuses
    assert found.retry.statuses == wanted


def test_a_merge_takes_what_each_side_changed() -> None:
    base = texts_of(SPEC)
    merged = merge({**base, "name": "mine"}, base, {**base, "queue": "theirs"})
    assert (merged["name"], merged["queue"]) == ("mine", "theirs")
    assert differences(merged, base) == ("name", "queue")


def test_taking_an_edit_back_leaves_what_others_changed_since() -> None:
    edited = replace(SPEC, name="edited", timeout=5 * SECOND)
    current = replace(edited, queue="elsewhere")
    assert take_back(current, edited, SPEC) == replace(SPEC, queue="elsewhere")


def test_a_field_knows_its_group() -> None:
    assert group_of("retry.capMs").title == "On failure"
