"""What a job may be. One place, so that the API, the editor, the command line and imports refuse the same things.

Pure: neither names nor files are looked up. Every refusal is an `Invalid` that names the field as in the JSON.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from ipaddress import AddressValueError, IPv6Address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from tui_scheduler.domain.decisions import next_occurrence, path_steps
from tui_scheduler.domain.errors import Invalid
from tui_scheduler.domain.job import PRIORITIES, JobSpec, JobType, Request, SuccessRule
from tui_scheduler.domain.lint import ScheduleWarning, lint
from tui_scheduler.domain.patterns import why_dangerous
from tui_scheduler.domain.queues import check_queue_name
from tui_scheduler.domain.retry import SECOND, RetryPolicy
from tui_scheduler.domain.schedule import Schedule, check_can_fire, parse_schedule

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
"""CONNECT opens a tunnel and TRACE echoes credentials: neither is a job."""

OUR_HEADERS: Final = frozenset({"idempotency-key", "x-scheduled-at", "x-fire-at", "x-job-id", "x-attempt"})
"""The receiver relies on what we say in these."""

FRAMING_HEADERS: Final = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""They steer the connection or frame the body, which is ours to do: a wrong one desynchronises a kept connection."""

MAX_URL: Final = 8_192
MAX_HEADERS: Final = 64
MAX_HEADER_BYTES: Final = 16 * 1024
MAX_BODY_BYTES: Final = 1024 * 1024
MAX_NAME: Final = 200
MAX_TAGS: Final = 20
MAX_PATH: Final = 4_096
MAX_PATTERN: Final = 500
MAX_JSON_PATH: Final = 200
MAX_EXCERPT: Final = 16 * 1024

HOUR: Final = 3600 * SECOND
DAY: Final = 24 * HOUR
MAX_NUMBER: Final = 2**63 - 1
"""What a BIGINT holds."""

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
# Besides the control characters: what breaks a line, and what makes a terminal show text in another order than it has.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_HEADER_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_NOT_IN_URL: Final = re.compile(r"[\s\x00-\x20\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\\]")
_LABEL: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?", re.ASCII)
_URL_EXAMPLE: Final = "https://example.com/hook"


def check(spec: JobSpec, *, now: int, created_at: int | None = None) -> tuple[ScheduleWarning, ...]:
    """Raise `Invalid` for the first thing wrong with `spec`; what is worth knowing about its schedule otherwise.

    `now` is µs since the epoch; `created_at` is that of the job when it is an edit (`@every` counts from it). The
    schedule has to have an occurrence after `now`, within the job's start and end: call `check_values` where an old
    schedule may have come to its end.
    """
    schedule = check_values(spec, created_at=now if created_at is None else created_at)
    check_can_fire(schedule, now)
    if next_occurrence(schedule, spec, now) is None:
        field = "startsAt" if spec.ends_at is None or spec.ends_at > now else "endsAt"
        raise Invalid(field, "the schedule never fires after now and between the job's start and end")
    return lint(schedule, now)


def check_values(spec: JobSpec, *, created_at: int) -> Schedule:
    """Everything but whether it will ever fire again."""
    schedule = parse_schedule(spec.schedule, spec.timezone, created_at=created_at)
    check_sending(spec)
    check_text("name", spec.name, MAX_NAME)
    _check_retry(spec.retry)
    within("priority", spec.priority, PRIORITIES[0], PRIORITIES[-1], "1 (first) to 9 (last)")
    within("graceMs", spec.grace, 0, 365 * DAY, "0 to a year")
    check_queue_name(spec.queue)
    _check_tags(spec.tags)
    _check_window(spec, schedule)
    if spec.type is JobType.ATMOST_ONCE and spec.request.follow_redirects:
        reason = "an at-most-once request is sent once, and following a redirect would send it again"
        raise Invalid("followRedirects", reason)
    return schedule


def check_sending(spec: JobSpec) -> None:
    """What it takes to send its request once and to judge the answer; when and how often is not looked at."""
    check_request(spec.request)
    _check_success(spec.success)
    within("timeoutMs", spec.timeout, SECOND // 10, HOUR, "100 ms to an hour")


def check_request(request: Request) -> None:
    """Raise `Invalid` for a request that no job may have."""
    check_url(request.url)
    if request.method not in METHODS:
        raise Invalid("method", f"must be one of {', '.join(METHODS)}", example="POST")
    _check_headers(request.headers)
    if request.body is not None:
        size = len(_encoded("body", request.body))
        if size > MAX_BODY_BYTES:
            raise Invalid("body", f"is {size:,} bytes long, and 1 MiB is the limit")
    if request.ca_file is not None:
        check_text("caFile", request.ca_file, MAX_PATH)
        if not request.ca_file.startswith("/"):
            # Nodes run in different folders, and must all find it.
            raise Invalid("caFile", "must be an absolute path to a PEM file", example="/etc/ssl/partner.pem")
        if not request.tls_verify:
            raise Invalid("caFile", "says whom to trust, but tlsVerify is off and trusts everybody")


def check_url(url: str, field: str = "api") -> SplitResult:
    """Raise `Invalid` for a URL that a request cannot be made to, or not without surprise; else its parts."""

    def refuse(reason: str, position: int | None = None) -> Invalid:
        return Invalid(field, reason, position=position, example=_URL_EXAMPLE)

    if len(url) > MAX_URL:
        raise refuse(f"is {len(url):,} characters long; servers refuse far shorter ones than {MAX_URL:,}")
    # Whitespace and control characters end the request line early: that is how a second request is smuggled in. A
    # backslash is a slash to some parsers and not to others, so they disagree on which host is meant.
    found = _NOT_IN_URL.search(url)
    if found:
        name = "a backslash" if found[0] == "\\" else "a space" if found[0] == " " else "an invisible character"
        raise refuse(f"contains {name}; write it percent-encoded", found.start())
    _encoded(field, url)
    scheme, separator, _ = url.partition("://")
    if not separator or scheme.lower() not in ("http", "https"):
        raise refuse("must begin with http:// or https://", 0)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise refuse("has a port or an IPv6 address that is none (ports go from 1 to 65535)") from None
    if "@" in parts.netloc:
        # They would be shown in lists and logs, and nothing says whether they are percent-encoded.
        raise refuse("contains credentials; send them in an Authorization header", url.index("@"))
    if port == 0:
        raise refuse("has port 0, which nobody can listen on")
    if "#" in url:
        raise refuse("has a fragment, which is never sent; leave it out, or write # as %23", url.index("#"))
    _check_host(parts, refuse_field=field)
    return parts


def _check_host(parts: SplitResult, *, refuse_field: str) -> None:
    host = parts.hostname or ""
    if not host:
        raise Invalid(refuse_field, "has no host", example=_URL_EXAMPLE)
    if parts.netloc.startswith("["):
        try:
            IPv6Address(host)
        except AddressValueError:
            raise Invalid(refuse_field, f"[{host}] is no IPv6 address", example="http://[::1]:8080/") from None
        if "%" in host:
            raise Invalid(refuse_field, "an IPv6 zone means another interface on each node", example=_URL_EXAMPLE)
        return
    try:
        ascii_host = host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError:
        raise Invalid(refuse_field, f"{host} cannot be a host name", example=_URL_EXAMPLE) from None
    labels = ascii_host.removesuffix(".").split(".")
    if len(ascii_host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise Invalid(refuse_field, f"{host} cannot be a host name", example=_URL_EXAMPLE)
    if labels[-1].isdigit() and not _is_ipv4(labels):
        # 127.1 and 2130706433 are 127.0.0.1 to some resolvers and nothing to others.
        raise Invalid(refuse_field, f"{host} is no IPv4 address; write all four numbers", example="http://127.0.0.1/")


def _is_ipv4(labels: list[str]) -> bool:
    return len(labels) == 4 and all(
        label.isdigit() and len(label) <= 3 and int(label) <= 255 and (label == "0" or label[0] != "0")
        for label in labels
    )


def _check_headers(headers: Collection[tuple[str, str]]) -> None:
    if len(headers) > MAX_HEADERS:
        raise Invalid("headers", f"are {len(headers)}, and {MAX_HEADERS} are the limit")
    size = 0
    for name, value in headers:
        if not _TOKEN.fullmatch(name):
            raise Invalid("headers", f"{name[:60]!r} is not a header name", example="X-Source")
        if name.lower() in FRAMING_HEADERS:
            raise Invalid("headers", f"{name} is set by the scheduler: it frames the request on its connection")
        if name.lower() in OUR_HEADERS:
            raise Invalid("headers", f"{name} is set by the scheduler: the receiver tells executions apart by it")
        if _HEADER_CONTROL.search(value):
            raise Invalid("headers", f"the value of {name} contains a line break or another control character")
        try:
            size += len(name) + len(value.encode("latin-1")) + len(": \r\n")
        except UnicodeEncodeError as error:
            reason = f"the value of {name} has a character that headers cannot carry (beyond Latin-1)"
            raise Invalid("headers", reason, position=error.start) from None
    if size > MAX_HEADER_BYTES:
        raise Invalid("headers", f"are {size:,} bytes long, and 16 KiB is what servers take")
    hosts = [value for name, value in headers if name.lower() == "host"]
    if len(hosts) > 1:
        raise Invalid("headers", "name Host more than once, which servers refuse")


def _check_retry(policy: RetryPolicy) -> None:
    within("retry.maxAttempts", policy.max_attempts, 1, 100, "1 to 100")
    within("retry.baseMs", policy.base, 0, DAY, "0 to a day")
    within("retry.capMs", policy.cap, 0, 7 * DAY, "0 to 7 days")
    if isinstance(policy.factor, bool) or not math.isfinite(policy.factor) or not 1 <= policy.factor <= 100:
        raise Invalid("retry.factor", "must be within 1 to 100", example="2")
    if policy.cap < policy.base:
        raise Invalid("retry.capMs", "must not be shorter than the first wait, baseMs")
    if policy.total is not None:
        within("retry.totalMs", policy.total, 0, 365 * DAY, "0 to a year")
    if policy.statuses is not None:
        for status in policy.statuses:
            within("retry.statuses", status, 100, 599, "100 to 599")


def _check_success(rule: SuccessRule) -> None:
    if not rule.statuses:
        raise Invalid("success.statuses", "are none, so no answer could ever be a success", example="200-299")
    if len(rule.statuses) > 100:
        raise Invalid("success.statuses", "are more than 100 ranges")
    for low, high in rule.statuses:
        within("success.statuses", low, 100, 599, "100 to 599")
        within("success.statuses", high, low, 599, f"{low} to 599, as the end of a range that begins there")
    if rule.body_pattern is not None:
        _check_pattern(rule.body_pattern)
    if rule.json_path is None:
        if rule.json_equals is not None:
            raise Invalid("success.jsonEquals", "needs jsonPath, which says what to compare", example="result.state")
        return
    check_text("success.jsonPath", rule.json_path, MAX_JSON_PATH)
    try:
        path_steps(rule.json_path)
    except ValueError:
        raise Invalid("success.jsonPath", "is not a path of names and indexes", example="items[0].state") from None
    if isinstance(rule.json_equals, str):
        _encoded("success.jsonEquals", rule.json_equals)
        if len(rule.json_equals) > MAX_EXCERPT:
            raise Invalid("success.jsonEquals", "is longer than what is kept of a body")
    elif isinstance(rule.json_equals, int | float) and not math.isfinite(rule.json_equals):
        raise Invalid("success.jsonEquals", "must be a finite number")


def _check_pattern(pattern: str) -> None:
    field = "success.bodyPattern"
    if len(pattern) > MAX_PATTERN:
        raise Invalid(field, f"is {len(pattern):,} characters long, and {MAX_PATTERN} are the limit")
    _encoded(field, pattern)
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        position = error.pos if isinstance(error, re.error) else None
        raise Invalid(field, f"is not a regular expression: {error}", position=position) from None
    danger = why_dangerous(pattern)
    if danger is not None:
        raise Invalid(field, danger, example='"status":\\s*"ok"')


def _check_tags(tags: tuple[str, ...]) -> None:
    if len(tags) > MAX_TAGS:
        raise Invalid("tags", f"are {len(tags)}, and {MAX_TAGS} are the limit")
    for tag in tags:
        check_text("tags", tag, 64)
        if not tag or tag != tag.strip():
            raise Invalid("tags", "must not be empty, nor begin or end with a space", example="billing")
    if len(set(tags)) != len(tags):
        raise Invalid("tags", "name one twice")


def _check_window(spec: JobSpec, schedule: Schedule) -> None:
    within("jitterMs", spec.jitter, 0, 365 * DAY, "0 to a year")
    gap = schedule.shortest_gap()
    if gap is not None and spec.jitter and spec.jitter >= gap:
        # Otherwise a delayed occurrence could fire after the one that follows it.
        reason = f"must be shorter than the shortest time between two occurrences, {gap / SECOND:g} s"
        raise Invalid("jitterMs", reason, example=str(gap // 2000))
    for field, instant in (("startsAt", spec.starts_at), ("endsAt", spec.ends_at)):
        if instant is not None and not -MAX_NUMBER <= instant <= MAX_NUMBER:
            raise Invalid(field, "is too far away")
    if spec.starts_at is not None and spec.ends_at is not None and spec.starts_at >= spec.ends_at:
        raise Invalid("endsAt", "must be later than startsAt")


def within(field: str, number: int, low: int, high: int, words: str) -> None:
    """Raise `Invalid` for a number that is none, or not between these two."""
    # `True` is an int to Python, and a float would be stored rounded.
    if type(number) is not int or not low <= number <= high:
        raise Invalid(field, f"must be within {words}")


def check_text(field: str, text: str, longest: int) -> None:
    """Raise `Invalid` for a text that is too long, or that a terminal or a database cannot take."""
    if len(text) > longest:
        raise Invalid(field, f"is {len(text):,} characters long, and {longest:,} are the limit")
    found = _CONTROL.search(text)
    if found:  # it would break out of its line on a terminal
        raise Invalid(field, "contains a control character", position=found.start())
    _encoded(field, text)


def _encoded(field: str, text: str) -> bytes:
    if "\0" in text:  # PostgreSQL stores no NUL
        raise Invalid(field, "contains a NUL character", position=text.index("\0"))
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise Invalid(field, "contains half of a surrogate pair, which is no text", position=error.start) from None
