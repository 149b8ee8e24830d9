"""The fields of a job in the editor: in groups, in the order they are shown, each under its name in the JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from tui_scheduler.domain.job import CatchUp, JobType, Overlap
from tui_scheduler.domain.validation import METHODS


class Kind(Enum):
    """How a field is entered: a line, several lines, one of a few values, yes or no."""

    LINE = auto()
    LINES = auto()
    PICK = auto()
    FLAG = auto()


YES: Final = "yes"
NO: Final = "no"


@dataclass(frozen=True, slots=True)
class Field:
    """`key` is the name as in the JSON, which is what an `Invalid` names; `label` at most 10 cells; `hint` says what
    may be entered; `placeholder` stands where nothing is entered; `options` are (value, words).
    """

    key: str
    label: str
    hint: str
    kind: Kind = Kind.LINE
    placeholder: str = ""
    options: tuple[tuple[str, str], ...] = ()
    height: int = 1


@dataclass(frozen=True, slots=True)
class Group:
    """Fields that belong together. `summary` tells them in a line when the group is closed; None: it never is."""

    title: str
    fields: tuple[Field, ...]
    summary: Callable[[Mapping[str, str]], str] | None = None


def _connection(texts: Mapping[str, str]) -> str:
    trust = "not verified" if texts["tlsVerify"] != YES else "own CA" if texts["caFile"] else "verified"
    redirects = "followed" if texts["followRedirects"] == YES else "not followed"
    return f"TLS {trust}, redirects {redirects}"


def _retries(texts: Mapping[str, str]) -> str:
    gone = ", 410 pauses" if texts["pauseOnGone"] == YES else ""
    if texts["retry.maxAttempts"].strip() == "1":
        return f"one attempt{gone}"
    return f"{texts['retry.maxAttempts']} attempts, waits from {texts['retry.baseMs']}{gone}"


def _success(texts: Mapping[str, str]) -> str:
    body = ", body matches" if texts["success.bodyPattern"] else ""
    path = f", {texts['success.jsonPath']}" if texts["success.jsonPath"] else ""
    return f"status {texts['success.statuses']}{body}{path}"


def _delivery(texts: Mapping[str, str]) -> str:
    guarantee = "at most once" if texts["type"] == JobType.ATMOST_ONCE else "at least once"
    tags = f", {texts['tags']}" if texts["tags"] else ""
    return f"{guarantee}, within {texts['timeoutMs']}{tags}"


GROUPS: Final = (
    Group(
        "What",
        (
            Field("name", "Name", "What lists call it; the URL where it has none", placeholder="none"),
            Field("method", "Method", "Enter opens the list", Kind.PICK, options=tuple((m, m) for m in METHODS)),
            Field(
                "api",
                "URL",
                "Where the request goes; a curl command pasted here fills in everything",
                placeholder="needed",
            ),
            Field("headers", "Headers", "One a line, X-Source: nightly", Kind.LINES, placeholder="none", height=2),
            Field("body", "Body", "Sent as it is; F4 opens it in $EDITOR", Kind.LINES, placeholder="none", height=3),
        ),
    ),
    Group(
        "When",
        (
            Field(
                "schedule",
                "Schedule",
                "second minute hour day month weekday, or five fields; @every 90s; @at 2026-12-01T09:00; @hourly",
                placeholder="needed",
            ),
            Field("timezone", "Timezone", "Its clock decides; → takes the suggestion", placeholder="needed"),
            Field("startsAt", "Starts at", "No run before it; without an offset in the job's zone", placeholder="now"),
            Field("endsAt", "Ends at", "No run after it; without an offset in the job's zone", placeholder="never"),
            Field("jitterMs", "Jitter", "Each run up to this much later, always the same for a job: 500ms, 30s, 5m"),
        ),
    ),
    Group(
        "Connection",
        (
            Field("tlsVerify", "TLS", "Whether the certificate of the target is checked", Kind.FLAG),
            Field("caFile", "CA file", "A PEM file trusted for this job alone", placeholder="the system's"),
            Field("followRedirects", "Redirects", "Whether a 3xx answer is followed", Kind.FLAG),
        ),
        _connection,
    ),
    Group(
        "On failure",
        (
            Field("retry.maxAttempts", "Attempts", "How often it is tried, the first time included: 1 to 100"),
            Field("retry.baseMs", "First wait", "The longest wait after the first attempt; waits are drawn from 0 up"),
            Field("retry.factor", "Factor", "Each wait is this many times the one before: 1 to 100"),
            Field("retry.capMs", "Max wait", "No wait is longer than this"),
            Field("retry.totalMs", "Give up", "No attempt begins later than this after the first", placeholder="never"),
            Field(
                "retry.statuses",
                "Retry on",
                "Which statuses are worth another attempt: 429, 500-599; none for none",
                placeholder="408, 425, 429, 500-599",
            ),
            Field("pauseOnGone", "On 410", "Whether the answer 410 Gone pauses the job", Kind.FLAG),
        ),
        _retries,
    ),
    Group(
        "Success",
        (
            Field("success.statuses", "Statuses", "Which answers count as success: 200-299, 304"),
            Field("success.bodyPattern", "Body has", "A regular expression found in the body", placeholder="anything"),
            Field("success.jsonPath", "JSON path", "Where to look in a JSON body: result.items[0].state"),
            Field("success.jsonEquals", "Equals", 'What stands there: a word, 12, true, or "12" in quotes for text'),
        ),
        _success,
    ),
    Group(
        "Delivery",
        (
            Field(
                "type",
                "Guarantee",
                "After a crash: send again, or never risk a second time",
                Kind.PICK,
                options=((JobType.ATLEAST_ONCE, "at least once"), (JobType.ATMOST_ONCE, "at most once")),
            ),
            Field("timeoutMs", "Timeout", "How long an attempt may take: 100ms to 1h"),
            Field("priority", "Priority", "1 goes first, 9 last"),
            Field("queue", "Queue", "Queues can be limited; letters, digits, dots and dashes"),
            Field("tags", "Tags", "Separated by commas, to filter by", placeholder="none"),
            Field(
                "overlap",
                "Overlap",
                "What a run does while the one before is not finished",
                Kind.PICK,
                options=(
                    (Overlap.ALLOW, "runs beside it"),
                    (Overlap.SKIP, "is skipped"),
                    (Overlap.QUEUE, "waits for it"),
                    (Overlap.CANCEL, "cancels it"),
                ),
            ),
            Field(
                "catchUp",
                "Catch-up",
                "Which of the runs missed in a downtime are made up for",
                Kind.PICK,
                options=((CatchUp.ALL, "all"), (CatchUp.LATEST, "the latest"), (CatchUp.NONE, "none")),
            ),
            Field("graceMs", "Grace", "Up to this late a run is late, not missed"),
        ),
        _delivery,
    ),
)

FIELDS: Final[dict[str, Field]] = {field.key: field for group in GROUPS for field in group.fields}


def group_of(key: str) -> Group:
    """The group that a field belongs to."""
    return next(group for group in GROUPS if any(field.key == key for field in group.fields))
