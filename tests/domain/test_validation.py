from __future__ import annotations

import math
import re
import time
import unicodedata
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_scheduler.domain.errors import Invalid
from tui_scheduler.domain.job import JobSpec, JobType, Request, SuccessRule
from tui_scheduler.domain.patterns import why_dangerous
from tui_scheduler.domain.retry import SECOND, RetryPolicy
from tui_scheduler.domain.validation import check, check_url, check_values

NOW = 1_795_000_000_000_000
SPEC = JobSpec("0 * * * * *", Request("https://example.com/hook"))


def refusal(spec: JobSpec) -> Invalid:
    with pytest.raises(Invalid) as caught:
        check(spec, now=NOW)
    return caught.value


def with_request(**values: Any) -> JobSpec:
    return replace(SPEC, request=replace(SPEC.request, **values))


def with_retry(**values: Any) -> JobSpec:
    return replace(SPEC, retry=replace(SPEC.retry, **values))


def test_a_plain_job_is_taken_without_a_word() -> None:
    assert check(SPEC, now=NOW) == ()


def test_a_surprising_schedule_is_taken_with_a_warning() -> None:
    assert [warning.code for warning in check(replace(SPEC, schedule="0 0 0 31 * *"), now=NOW)] == ["rare"]


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost",
        "http://localhost:3000/a?b=c&d=%20",
        "HTTPS://Example.COM/",
        "http://127.0.0.1:1/",
        "http://[::1]:65535/x",
        "http://[2001:db8::1]/",
        "https://münchen.example/straße",
        "http://a_b.internal/",
        "http://example.com./",
        "http://example.com/a;b=c:d@e",
        "http://10.0.0.1.example.com/",
        "https://example.com/" + "a" * 8_000,
    ],
)
def test_urls_that_are_taken(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "must begin with http"),
        ("example.com", "must begin with http"),
        ("/hook", "must begin with http"),
        ("ftp://example.com/", "must begin with http"),
        ("file:///etc/passwd", "must begin with http"),
        ("javascript:alert(1)", "must begin with http"),
        ("http:example.com", "must begin with http"),
        ("http://", "no host"),
        ("http:///path", "no host"),
        ("http://:80/", "no host"),
        ("http://?x", "no host"),
        ("http://user:secret@example.com/", "credentials"),
        ("http://user@example.com/", "credentials"),
        ("http://@example.com/", "credentials"),
        ("http://example.com/a b", "a space"),
        (" http://example.com/", "a space"),
        ("http://example.com/\r\nX-Evil: 1", "invisible"),
        ("http://example.com/\t", "invisible"),
        ("http://example.com/\x00", "invisible"),
        ("http://example.com/\u2028", "invisible"),
        ("http://exa\u00a0mple.com/", "invisible"),
        ("http://example.com\\@evil.example/", "backslash"),
        ("http://example.com:0/", "port 0"),
        ("http://example.com:65536/", "1 to 65535"),
        ("http://example.com:port/", "1 to 65535"),
        ("http://example.com:-1/", "1 to 65535"),
        ("http://[::1/", "IPv6"),
        ("http://[::g]/", "IPv6"),
        ("http://[fe80::1%25eth0]/", "IPv6"),
        ("http://[127.0.0.1]/", "IPv6"),
        ("http://example.com/#part", "fragment"),
        ("http://example.com/#", "fragment"),
        ("http://exa..mple.com/", "cannot be a host name"),
        ("http://-example.com/", "cannot be a host name"),
        ("http://exam%70le.com/", "cannot be a host name"),
        ("http://" + "a" * 64 + ".example/", "cannot be a host name"),
        ("http://" + "a." * 130 + "example/", "cannot be a host name"),
        ("http://127.1/", "IPv4"),
        ("http://2130706433/", "IPv4"),
        ("http://0177.0.0.1/", "IPv4"),
        ("http://256.0.0.1/", "IPv4"),
        ("https://example.com/" + "a" * 8_200, "characters long"),
        ("http://example.com/\ud800", "surrogate"),
    ],
)
def test_urls_that_are_refused_with_a_reason(url: str, reason: str) -> None:
    invalid = refusal(with_request(url=url))
    assert invalid.field == "api"
    assert reason in invalid.reason


@given(st.text(max_size=60))
def test_any_text_is_a_url_or_is_refused(text: str) -> None:
    for url in (text, f"http://{text}", f"http://h/{text}", f"http://[{text}]/"):
        try:
            parts = check_url(url)
        except Invalid:
            continue
        assert parts.hostname
        assert not {unicodedata.category(character) for character in url} & {"Cc", "Cs", "Zs", "Zl", "Zp"}


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_methods_that_are_taken(method: str) -> None:
    check(with_request(method=method), now=NOW)


@pytest.mark.parametrize("method", ["", "get", "CONNECT", "TRACE", "POST ", "GET / HTTP/1.1\r\n", "BREW"])
def test_methods_that_are_refused(method: str) -> None:
    assert refusal(with_request(method=method)).field == "method"


@pytest.mark.parametrize(
    "header",
    [
        ("Authorization", "Bearer x"),
        ("X-Empty", ""),
        ("Host", "other.example"),
        ("X-Tab", "a\tb"),
        ("X-Latin", "é"),
        ("User-Agent", "x"),
        ("Content-Type", "text/plain"),
        ("!#$%&'*+-.^_`|~", "all of a token"),
    ],
)
def test_headers_that_are_taken(header: tuple[str, str]) -> None:
    check(with_request(headers=(header,)), now=NOW)


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ((("", "x"),), "not a header name"),
        ((("X Y", "x"),), "not a header name"),
        ((("X:", "x"),), "not a header name"),
        ((("X\r\nY", "x"),), "not a header name"),
        ((("Ünicode", "x"),), "not a header name"),
        ((("X\n", "x"),), "not a header name"),
        ((("X", "a\r\nY: b"),), "line break"),
        ((("X", "a\nb"),), "line break"),
        ((("X", "a\0b"),), "control character"),
        ((("X", "a\x7fb"),), "control character"),
        ((("X", "snow \u2603"),), "Latin-1"),
        ((("X", "\ud800"),), "Latin-1"),
        ((("content-length", "3"),), "set by the scheduler"),
        ((("Transfer-Encoding", "chunked"),), "set by the scheduler"),
        ((("Connection", "close"),), "set by the scheduler"),
        ((("Upgrade", "h2c"),), "set by the scheduler"),
        ((("TE", "trailers"),), "set by the scheduler"),
        ((("Trailer", "X"),), "set by the scheduler"),
        ((("Expect", "100-continue"),), "set by the scheduler"),
        ((("IDEMPOTENCY-KEY", "1"),), "set by the scheduler"),
        ((("X-Scheduled-At", "1"),), "set by the scheduler"),
        ((("X-Fire-At", "1"),), "set by the scheduler"),
        ((("X-Job-Id", "1"),), "set by the scheduler"),
        ((("X-Attempt", "1"),), "set by the scheduler"),
        ((("Host", "a"), ("host", "b")), "more than once"),
        (tuple((f"X-{number}", "") for number in range(65)), "64"),
        ((("X", "a" * 17_000),), "16 KiB"),
    ],
)
def test_headers_that_are_refused_with_a_reason(headers: tuple[tuple[str, str], ...], reason: str) -> None:
    invalid = refusal(with_request(headers=headers))
    assert invalid.field == "headers"
    assert reason in invalid.reason


@pytest.mark.parametrize("body", [None, "", "é" * 1000, "a" * 1024 * 1024, '{"a": "line\\n"}', "tab\tand\nline"])
def test_bodies_that_are_taken(body: str | None) -> None:
    check(with_request(body=body), now=NOW)


@pytest.mark.parametrize("body", ["a" * (1024 * 1024 + 1), "é" * (512 * 1024 + 1), "\ud800", "a\0b"])
def test_bodies_that_are_refused(body: str) -> None:
    assert refusal(with_request(body=body)).field == "body"


@pytest.mark.parametrize(
    ("field", "spec"),
    [
        ("schedule", replace(SPEC, schedule="")),
        ("schedule", replace(SPEC, schedule="0 0 0 30 2 *")),
        ("schedule", replace(SPEC, schedule="@at 2020-01-01T00:00:00Z")),
        ("timezone", replace(SPEC, timezone="Europe/Atlantis")),
        ("name", replace(SPEC, name="a" * 201)),
        ("name", replace(SPEC, name="two\nlines")),
        ("name", replace(SPEC, name="\x1b[31mred")),
        ("name", replace(SPEC, name="\ud800")),
        ("name", replace(SPEC, name="abc\u202etxt.exe")),
        ("timeoutMs", replace(SPEC, timeout=SECOND // 10 - 1)),
        ("timeoutMs", replace(SPEC, timeout=3600 * SECOND + 1)),
        ("priority", replace(SPEC, priority=0)),
        ("priority", replace(SPEC, priority=10)),
        ("priority", replace(SPEC, priority=True)),
        ("queue", replace(SPEC, queue="")),
        ("queue", replace(SPEC, queue="a b")),
        ("queue", replace(SPEC, queue="a" * 65)),
        ("queue", replace(SPEC, queue="-a")),
        ("queue", replace(SPEC, queue="a\n")),
        ("tags", replace(SPEC, tags=tuple(str(number) for number in range(21)))),
        ("tags", replace(SPEC, tags=("",))),
        ("tags", replace(SPEC, tags=(" a",))),
        ("tags", replace(SPEC, tags=("a", "a"))),
        ("tags", replace(SPEC, tags=("a" * 65,))),
        ("tags", replace(SPEC, tags=("a\tb",))),
        ("graceMs", replace(SPEC, grace=-1)),
        ("graceMs", replace(SPEC, grace=2**63)),
        ("jitterMs", replace(SPEC, jitter=-1)),
        ("jitterMs", replace(SPEC, jitter=60 * SECOND)),
        ("jitterMs", replace(SPEC, schedule="@at 2100-01-01T00:00:00Z", jitter=2**63)),
        ("startsAt", replace(SPEC, starts_at=2**63)),
        ("endsAt", replace(SPEC, ends_at=-(2**63))),
        ("endsAt", replace(SPEC, starts_at=NOW + 10, ends_at=NOW + 10)),
        ("endsAt", replace(SPEC, ends_at=NOW - 1)),
        ("startsAt", replace(SPEC, schedule="@at 2100-01-01T00:00:00Z", starts_at=2**62)),
        ("followRedirects", replace(with_request(follow_redirects=True), type=JobType.ATMOST_ONCE)),
        ("caFile", with_request(ca_file="relative.pem")),
        ("caFile", with_request(ca_file="/a\nb")),
        ("caFile", with_request(ca_file="/a.pem", tls_verify=False)),
        ("retry.maxAttempts", with_retry(max_attempts=0)),
        ("retry.maxAttempts", with_retry(max_attempts=101)),
        ("retry.baseMs", with_retry(base=-1)),
        ("retry.baseMs", with_retry(base=2 * 86_400 * SECOND)),
        ("retry.capMs", with_retry(cap=-1)),
        ("retry.capMs", with_retry(base=10 * SECOND, cap=9 * SECOND)),
        ("retry.factor", with_retry(factor=math.nan)),
        ("retry.factor", with_retry(factor=math.inf)),
        ("retry.factor", with_retry(factor=0.5)),
        ("retry.factor", with_retry(factor=101)),
        ("retry.totalMs", with_retry(total=-1)),
        ("retry.statuses", with_retry(statuses=frozenset({99}))),
        ("retry.statuses", with_retry(statuses=frozenset({600}))),
        ("success.statuses", replace(SPEC, success=SuccessRule(statuses=()))),
        ("success.statuses", replace(SPEC, success=SuccessRule(statuses=((299, 200),)))),
        ("success.statuses", replace(SPEC, success=SuccessRule(statuses=((0, 200),)))),
        ("success.bodyPattern", replace(SPEC, success=SuccessRule(body_pattern="("))),
        ("success.bodyPattern", replace(SPEC, success=SuccessRule(body_pattern="a" * 501))),
        ("success.bodyPattern", replace(SPEC, success=SuccessRule(body_pattern="(a+)+$"))),
        ("success.jsonPath", replace(SPEC, success=SuccessRule(json_path="a..b", json_equals=1))),
        ("success.jsonEquals", replace(SPEC, success=SuccessRule(json_equals=1))),
        ("success.jsonEquals", replace(SPEC, success=SuccessRule(json_path="a", json_equals=math.nan))),
        ("success.jsonEquals", replace(SPEC, success=SuccessRule(json_path="a", json_equals="\ud800"))),
    ],
)
def test_what_is_refused_is_named_as_in_the_json(field: str, spec: JobSpec) -> None:
    invalid = refusal(spec)
    assert invalid.field == field
    assert not invalid.reason.endswith(".")


@pytest.mark.parametrize(
    "spec",
    [
        replace(SPEC, name="Nightly 🌙 报告"),
        replace(SPEC, tags=("billing", "eu-west", "ärger")),
        replace(SPEC, jitter=60 * SECOND - 1),
        replace(SPEC, schedule="@at 2100-01-01T00:00:00Z", jitter=86_400 * SECOND),
        replace(SPEC, starts_at=NOW - 10, ends_at=NOW + 3600 * SECOND),
        replace(with_request(follow_redirects=True)),
        replace(SPEC, type=JobType.ATMOST_ONCE),
        with_request(ca_file="/etc/ssl/partner.pem"),
        with_request(tls_verify=False),
        with_retry(max_attempts=100, base=0, cap=0, factor=1, total=0, statuses=frozenset()),
        replace(SPEC, success=SuccessRule(((200, 200), (404, 404)), r'"status":\s*"ok"', "a[0].b", True)),
        replace(SPEC, success=SuccessRule(json_path="error", json_equals=None)),
        replace(SPEC, retry=RetryPolicy(max_attempts=1)),
    ],
)
def test_what_is_taken(spec: JobSpec) -> None:
    check(spec, now=NOW)


def test_an_edit_counts_every_from_the_creation() -> None:
    spec = replace(SPEC, schedule="@every 1h", ends_at=NOW + 60 * SECOND)
    with pytest.raises(Invalid):
        check(spec, now=NOW)
    check(spec, now=NOW, created_at=NOW - 3590 * SECOND)


def test_an_old_schedule_may_have_come_to_its_end() -> None:
    check_values(replace(SPEC, schedule="@at 2020-01-01T00:00:00Z"), created_at=0)


@pytest.mark.parametrize(
    "pattern",
    [
        "ok",
        r'"status":\s*"ok"',
        "^(ok|fine)$",
        "a.*b",
        "error.{0,50}code",
        r"\d{1,3}(,\d{3}){0,5}",
        "[a-z]+@[a-z]+",
        "(?i)done",
        "(abc)+",
        "((a|b)c)?",
        r'"status"\s*:\s*"ok"',
        r"^\s*ok\s*$",
        r'"count":\s*\d+',
        "(created|accepted|queued|done).*id",
        ".*ok.*",
    ],
)
def test_patterns_that_are_taken(pattern: str) -> None:
    assert why_dangerous(pattern) is None


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        "(a*)*b",
        "((a+)b?)*c",
        "(a?){30}a{30}",
        "(a|aa)+$",
        "(.|b)*c",
        "(?:x|xx){10,}y",
        ".*a.*b.*c",
        "a.*b.*c",
        r"\s*\s*:",
        r".*\s*:",
        r"\d+\w*-",
        "(?i)[a-z]+Z+[a-y]+Y!",
        "[^a]*b[^c]*d",
        r"(\w+)\s\1",
        "(?=.*a)b",
        "(a{1,1000}){1,1000}",
        "(?>a+)+b",
        "(a|aa)" * 16 + "b",
        "a?" * 16 + "b",
        "x?.{0,60}y?.*z",
    ],
)
def test_patterns_that_could_stall_are_refused(pattern: str) -> None:
    assert why_dangerous(pattern) is not None


@pytest.mark.parametrize("pattern", ["a.*c", r"\s*:\s*;", "[a-z]+@[a-z]+!", ".*ok.*", r"x?.{0,60}y?z", "x?.*y?z"])
@pytest.mark.parametrize("piece", ["ab", " ", " :", "a@", "x"])
def test_a_pattern_that_is_taken_ends_soon_on_any_body(pattern: str, piece: str) -> None:
    assert why_dangerous(pattern) is None
    before = time.process_time()
    re.search(pattern, piece * (4096 // len(piece)))
    assert time.process_time() - before < 2  # this is 20 to 500 ms; two open ends take 4 s, nested ones years
