"""Whatever JSON comes, it is a job or it is refused: nothing else leaves the reading and checking of it."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tui_scheduler.api.document import parse_document
from tui_scheduler.api.errors import Refused
from tui_scheduler.api.schemas import JobChange, NewJob, read
from tui_scheduler.domain.errors import Invalid
from tui_scheduler.domain.job import JobSpec, Request
from tui_scheduler.domain.validation import check

NOW = 1_790_000_000_000_000

text = st.text(st.characters(exclude_categories=[])) | st.sampled_from(
    [
        "",
        "* * * * * *",
        "@every 9s",
        "@at 2030-01-01T00:00:00Z",
        "http://a/",
        "http://[::1]:1/",
        "UTC",
        "200-299",
        "skip",
    ]
)
scalar = st.none() | st.booleans() | st.integers() | st.floats() | text
value = st.recursive(scalar, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4))


def fields(model: Any) -> list[str]:
    return [field.alias for field in model.model_fields.values()]


document = st.dictionaries(st.sampled_from(fields(JobChange)) | text, value, max_size=6)
FINE = {"schedule": "0 0 12 * * *", "api": "http://127.0.0.1/"}


@given(st.binary() | text.map(lambda each: each.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_an_object_or_refused(body: bytes) -> None:
    with suppress(Refused, Invalid):
        assert isinstance(parse_document(body), dict)


@given(document, st.booleans())
def test_any_object_is_a_job_or_refused(given: dict[str, Any], is_whole: bool) -> None:
    body = json.dumps(FINE | given if is_whole else given, ensure_ascii=False).encode("utf-8", "surrogatepass")
    with suppress(Refused, Invalid):
        check(read(NewJob, parse_document(body)).spec(), now=NOW)


@given(document)
def test_any_change_of_a_job_is_a_job_or_refused(given: dict[str, Any]) -> None:
    spec = JobSpec(schedule=FINE["schedule"], request=Request(url=FINE["api"]))
    with suppress(Refused, Invalid):
        check(read(JobChange, parse_document(json.dumps(given).encode())).applied_to(spec), now=NOW)
