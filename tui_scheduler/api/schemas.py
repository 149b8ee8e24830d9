"""What a job looks like in a request, and how that becomes a `JobSpec`.

Names, types and shapes are checked here; whether a value makes sense (a schedule, a URL, a range) is the domain's to
say. Durations in the JSON are milliseconds, instants ISO 8601; inside both are whole microseconds.
"""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from tui_scheduler.api.document import Document
from tui_scheduler.domain.backfill import LOWEST
from tui_scheduler.domain.errors import Invalid
from tui_scheduler.domain.job import CatchUp, JobSpec, JobType, Overlap, Request

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND: Final = 1_000  # µs
LONGEST_MS: Final = 3_660 * 86_400_000.0
"""Ten years: the most any duration can be, so that none overflows before the domain looks at it."""

INSTANT_EXAMPLE: Final = "2026-12-01T09:00:00Z"
STATUS_EXAMPLE: Final = '[200, "300-399"]'

READ_ONLY: Final = frozenset({"jobId", "state", "version", "nextRun", "createdAt", "updatedAt", "inWords", "warnings"})
OTHER_NAMES: Final = {
    "url": "api",
    "cron": "schedule",
    "timeout": "timeoutMs",
    "retries": "retry",
    "jitter": "jitterMs",
}
"""What people write for a field whose name is not near to it."""


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("contains a NUL character")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("contains half of a surrogate pair, which is not a character") from None
    return text


def _instant(text: str) -> int:
    """µs since the epoch."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("is not an ISO 8601 date and time") from None
    if moment.tzinfo is None:
        raise ValueError("needs an offset from UTC, such as Z or +01:00")
    return (moment - EPOCH) // timedelta(microseconds=1)


def _ranges(items: list[int | str]) -> tuple[tuple[int, int], ...]:
    return tuple(_status_range(item) for item in items)


def _set(items: list[int | str]) -> frozenset[int]:
    return frozenset(status for low, high in _ranges(items) for status in range(low, high + 1))


def _status_range(item: int | str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{3})(?:-(\d{3}))?", str(item), re.ASCII)
    if match is None:
        raise ValueError(f"{item!r} is neither a status nor a range of them")
    low, high = int(match[1]), int(match[2] or match[1])
    if not 100 <= low <= high <= 599:
        raise ValueError(f"{item!r} is not within 100 to 599, lower one first")
    return low, high


def _body(value: Any) -> Any:
    _storable(value if isinstance(value, str) else _json_text(value))
    return value


def _json_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _pairs(value: object) -> object:
    """Headers as pairs: an object, or an array of two-element arrays where a name comes more than once."""
    if isinstance(value, dict):
        return list(value.items())
    if isinstance(value, list):
        return [tuple(item) if isinstance(item, list) else item for item in value]
    return value


Str = Annotated[str, AfterValidator(_storable)]
Milliseconds = Annotated[float, Field(ge=0, le=LONGEST_MS)]
Instant = Annotated[Str, AfterValidator(_instant)]
StatusRanges = Annotated[list[int | str], AfterValidator(_ranges)]
StatusSet = Annotated[list[int | str], AfterValidator(_set)]
Headers = Annotated[
    list[tuple[Str, Str]], BeforeValidator(_pairs, json_schema_input_type=dict[str, str] | list[tuple[str, str]])
]


class Fields(BaseModel):
    """The defaults stand here for the documentation; what was really given is told by `model_fields_set`."""

    model_config = ConfigDict(strict=True, extra="forbid", alias_generator=to_camel, allow_inf_nan=False)

    def given(self) -> dict[str, Any]:
        """What was given, under the names the domain has for it, durations in µs."""
        return {_inside(name): _microseconds(name, getattr(self, name)) for name in self.model_fields_set}


class RetryFields(Fields):
    """How a failed attempt is made again: exponential backoff with full jitter."""

    max_attempts: int = 3
    base_ms: Milliseconds = 1_000
    factor: float = 2
    cap_ms: Milliseconds = 60_000
    total_ms: Milliseconds | None = None
    statuses: StatusSet | None = None


class SuccessFields(Fields):
    """When an answer counts as success."""

    statuses: StatusRanges = ["200-299"]
    body_pattern: Str | None = None
    json_path: Str | None = None
    json_equals: Str | bool | int | float | None = None


class JobFields(Fields):
    """What a user decides about a job."""

    schedule: Str = ""
    api: Str = ""
    type: Annotated[JobType, Field(strict=False)] = JobType.ATLEAST_ONCE
    name: Str = ""
    timezone: Str = "UTC"
    method: Str = "POST"
    headers: Headers = []
    body: Annotated[Any, AfterValidator(_body)] = None
    timeout_ms: Milliseconds = 30_000
    priority: int = 5
    queue: Str = "default"
    tags: list[Str] = []
    overlap: Annotated[Overlap, Field(strict=False)] = Overlap.ALLOW
    catch_up: Annotated[CatchUp, Field(strict=False)] = CatchUp.ALL
    grace_ms: Milliseconds = 60_000
    jitter_ms: Milliseconds = 0
    starts_at: Instant | None = None
    ends_at: Instant | None = None
    retry: RetryFields = RetryFields()
    success: SuccessFields = SuccessFields()
    tls_verify: bool = True
    ca_file: Str | None = None
    follow_redirects: bool = False
    pause_on_gone: bool = False

    def applied_to(self, spec: JobSpec) -> JobSpec:
        """`spec` with what is given here; parts of `retry` and `success` that are left out stay as well."""
        given = self.given()
        given.pop("version", None)
        request = {REQUEST_NAMES[name]: given.pop(name) for name in REQUEST_NAMES.keys() & given.keys()}
        if "tags" in given:
            given["tags"] = tuple(given["tags"])
        if "retry" in given:
            given["retry"] = replace(spec.retry, **self.retry.given())
        if "success" in given:
            given["success"] = replace(spec.success, **self.success.given())
        return replace(spec, request=_request(spec.request, request), **given)


class NewJob(JobFields):
    """A job to be created."""

    schedule: Str
    api: Str

    def spec(self) -> JobSpec:
        """The job, with the domain's defaults for what is not given."""
        return self.applied_to(JobSpec(schedule=self.schedule, request=Request(url=self.api)))


class JobChange(JobFields):
    """Any subset of a job; what is left out stays. With `version`, only if nobody changed it since that version."""

    version: Annotated[int, Field(ge=1)] | None = None


class NewBackfill(Fields):
    """A stretch of the past to be run, both ends included. With `dryRun` it is only counted."""

    first: Annotated[Instant, Field(alias="from")]
    last: Annotated[Instant, Field(alias="to")]
    dry_run: bool = False
    priority: int = LOWEST

    @property
    def stretch(self) -> tuple[int, int]:
        """Its first and last instant, µs."""
        given = self.given()
        return given["first"], given["last"]


REQUEST_NAMES: Final = {
    "api": "url",
    "method": "method",
    "headers": "headers",
    "body": "body",
    "tls_verify": "tls_verify",
    "ca_file": "ca_file",
    "follow_redirects": "follow_redirects",
}
"""The fields of a job that belong to its request, and their names there."""

Given = TypeVar("Given", bound=Fields)


def read(model: type[Given], document: Document) -> Given:
    """The document as one of the models above; raises `Invalid` naming the field, and all unknown fields at once."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise _invalid(model, error.errors(include_url=False)) from None


def _request(old: Request, given: dict[str, Any]) -> Request:
    if "headers" in given:
        given["headers"] = tuple(given["headers"])
    body = given.get("body")
    if body is not None and not isinstance(body, str):
        given["body"] = _json_text(body)
        headers = given.get("headers", old.headers)
        if not any(name.lower() == "content-type" for name, _ in headers):
            given["headers"] = (*headers, ("Content-Type", "application/json"))
    return replace(old, **given)


def _inside(name: str) -> str:
    return name.removesuffix("_ms")


def _microseconds(name: str, value: Any) -> Any:
    return round(value * MILLISECOND) if name.endswith("_ms") and value is not None else value


def _invalid(model: type[Fields], errors: list[ErrorDetails]) -> Invalid:
    unknown = [_path(error["loc"]) for error in errors if error["type"] == "extra_forbidden"]
    if unknown:
        return _unknown(model, unknown)
    path = _path(errors[0]["loc"])
    # A union complains once for each of its members.
    reasons = dict.fromkeys(_reason(error) for error in errors if _path(error["loc"]) == path)
    return Invalid(path or "body", " or ".join(reasons), example=EXAMPLES.get(path))


def _unknown(model: type[Fields], paths: list[str]) -> Invalid:
    if len(paths) == 1:
        return Invalid(paths[0], f"there is no such field{_hint(model, paths[0])}")
    return Invalid(paths[0], "there are no such fields: " + ", ".join(path + _hint(model, path) for path in paths))


def _hint(model: type[Fields], path: str) -> str:
    """What may have been meant, in brackets."""
    outer, _, name = path.rpartition(".")
    if not outer and name in READ_ONLY and model is not NewBackfill:
        return " to set: the scheduler does that"
    inner: dict[str, type[Fields]] = {"retry": RetryFields, "success": SuccessFields}
    fields = inner.get(outer, model).model_fields
    known = [field.alias or to_camel(name) for name, field in fields.items()]
    folded = {each.lower(): each for each in known}
    near = difflib.get_close_matches(name.replace("_", "").lower(), folded, n=1, cutoff=0.7)
    meant = OTHER_NAMES.get(name) or (folded[near[0]] if near else None)
    return "" if meant is None else f" (did you mean {meant}?)"


def _path(loc: tuple[int | str, ...]) -> str:
    """`success.statuses[0]`. What pydantic adds to say which member of a union it tried is left out."""
    path = ""
    for part in loc:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part not in UNION_MEMBERS:
            path += f".{part}" if path else part
    return path


def _reason(error: ErrorDetails) -> str:
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    if error["type"] == "missing":
        return "is required"
    return error["msg"].replace("Input should be", "must be").replace("Input should", "should")


UNION_MEMBERS: Final = frozenset({"str", "bool", "int", "float", "function-after[_storable(), str]"})
EXAMPLES: Final = {
    "schedule": "0 30 9 * * MON-FRI",
    "api": "https://example.com/hook",
    "startsAt": INSTANT_EXAMPLE,
    "from": INSTANT_EXAMPLE,
    "to": INSTANT_EXAMPLE,
    "endsAt": INSTANT_EXAMPLE,
    "success.statuses": STATUS_EXAMPLE,
    "retry.statuses": STATUS_EXAMPLE,
}
