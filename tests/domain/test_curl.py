"""Requests from curl commands and back."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_scheduler.domain.curl import LINES, as_curl, read_curl
from tui_scheduler.domain.errors import Invalid
from tui_scheduler.domain.job import Request
from tui_scheduler.domain.validation import FRAMING_HEADERS, METHODS, OUR_HEADERS, check_request

URL = "http://x.test/"
FORM = ("Content-Type", "application/x-www-form-urlencoded")
JSON = ("Content-Type", "application/json")
BROWSER = """curl 'https://example.com/api?x=1&y=2' \\
  -H 'accept: application/json' \\
  -H 'accept-encoding: gzip, deflate, br' \\
  -H 'content-type: application/json;charset=UTF-8' \\
  -H 'cookie: a=b; c=d' \\
  --data-raw $'{"it\\'s":"\\u00e9\\n"}' \\
  --compressed
"""


@pytest.mark.parametrize(
    ("command", "request_"),
    [
        ("curl x.test", Request("http://x.test", "GET")),
        ("$ curl http://x.test/", Request(URL, "GET")),
        ("/usr/bin/curl -sS -i -v --fail -o /dev/null http://x.test/", Request(URL, "GET")),
        ("curl --url http://x.test/", Request(URL, "GET")),
        ("curl -XPUT http://x.test/", Request(URL, "PUT")),
        ("curl -sSLXpatch http://x.test/", Request(URL, "PATCH", follow_redirects=True)),
        ("curl -I http://x.test/", Request(URL, "HEAD")),
        ("curl -k http://x.test/", Request(URL, "GET", tls_verify=False)),
        ("curl --cacert /ca.pem http://x.test/", Request(URL, "GET", ca_file="/ca.pem")),
        ("curl --cacert /ca.pem -k http://x.test/", Request(URL, "GET", tls_verify=False)),
        ("curl http://x.test/ -H 'A: b: c' -H'D:e'", Request(URL, "GET", (("A", "b: c"), ("D", "e")))),
        ("curl http://x.test/ -H 'Empty;'", Request(URL, "GET", (("Empty", ""),))),
        ("curl -d a=1 -d b=2 http://x.test/", Request(URL, "POST", (FORM,), "a=1&b=2")),
        ("curl -d '' http://x.test/", Request(URL, "POST", (FORM,), "")),
        ("curl --data-raw @a http://x.test/", Request(URL, "POST", (FORM,), "@a")),
        ("curl -d a -H 'content-type: x/y' http://x.test/", Request(URL, "POST", (("content-type", "x/y"),), "a")),
        ("curl -d a -H 'Content-Type:' http://x.test/", Request(URL, "POST", (), "a")),
        ("curl -X PUT -d a http://x.test/", Request(URL, "PUT", (FORM,), "a")),
        ("curl --json '{}' http://x.test/", Request(URL, "POST", (JSON, ("Accept", "application/json")), "{}")),
        ("curl --data-urlencode 'a=b c&d' http://x.test/", Request(URL, "POST", (FORM,), "a=b%20c%26d")),
        ("curl --data-urlencode '=b/c' http://x.test/", Request(URL, "POST", (FORM,), "b%2Fc")),
        ("curl --data-urlencode 'é' http://x.test/", Request(URL, "POST", (FORM,), "%C3%A9")),
        ("curl -G -d a=1 -d b=2 http://x.test/", Request("http://x.test/?a=1&b=2", "GET")),
        ("curl -G -d b=2 'http://x.test/?a=1'", Request("http://x.test/?a=1&b=2", "GET")),
        ("curl -u me:secret http://x.test/", Request(URL, "GET", (("Authorization", "Basic bWU6c2VjcmV0"),))),
        ("curl http://me:s%40@x.test/", Request(URL, "GET", (("Authorization", "Basic bWU6c0A="),))),
        ("curl -u a:b -H 'Authorization: T' x.test", Request("http://x.test", "GET", (("Authorization", "T"),))),
        ("curl --oauth2-bearer t x.test", Request("http://x.test", "GET", (("Authorization", "Bearer t"),))),
        ("curl -A ua -e ref -b k=v x.test",
         Request("http://x.test", "GET", (("User-Agent", "ua"), ("Referer", "ref"), ("Cookie", "k=v")))),
        ("curl http://x.test/#part", Request(URL, "GET")),
        ("curl -g 'http://x.test/{a}[1]'", Request("http://x.test/{a}[1]", "GET")),
        ("curl 'http://[::1]:80/a'", Request("http://[::1]:80/a", "GET")),
        ("curl http://x.test/ > /dev/null 2>&1", Request(URL, "GET")),
        ("curl http://x.test/ 2>/dev/null | jq .", Request(URL, "GET")),
        ("curl http://x.test/ || true", Request(URL, "GET")),
        ('curl "http://x.test/" -d "a \\"q\\" \\$5 \\\\ \\n"', Request(URL, "POST", (FORM,), 'a "q" $5 \\ \\n')),
        ("curl http://x.test/ -d $'a\\x41\\101\\tb'", Request(URL, "POST", (FORM,), "aAA\tb")),
        ("curl http://x.test/ -d 'a\nb'  # why", Request(URL, "POST", (FORM,), "a\nb")),
        ("curl \\\r\n  http://x.test/ \\\r\n", Request(URL, "GET")),
        ("curl http://x.test/ -d 'costs $5'", Request(URL, "POST", (FORM,), "costs $5")),
    ],
)  # fmt: skip
def test_a_command_is_the_request_that_curl_would_send(command: str, request_: Request) -> None:
    assert read_curl(command).request == request_


def test_a_command_as_browsers_copy_it() -> None:
    read = read_curl(BROWSER)
    assert read.request == Request(
        "https://example.com/api?x=1&y=2",
        "POST",
        (
            ("accept", "application/json"),
            ("content-type", "application/json;charset=UTF-8"),
            ("cookie", "a=b; c=d"),
        ),
        '{"it\'s":"é\n"}',
    )
    assert read.notes == ("--compressed and Accept-Encoding are left out: answers are kept as text",)


@pytest.mark.parametrize(
    ("options", "timeout"), [("", None), ("-m 5", 5_000_000), ("--max-time 0.25", 250_000), ("-m0", None)]
)
def test_its_time_limit_comes_along(options: str, timeout: int | None) -> None:
    assert read_curl(f"curl {options} http://x.test/").timeout == timeout


@pytest.mark.parametrize(
    ("command", "note"),
    [
        ("curl -H 'Content-Length: 5' x.test", "Content-Length is left out"),
        ("curl -H 'Idempotency-Key: 5' x.test", "Idempotency-Key is left out"),
        ("curl --connect-timeout 5 x.test", "--connect-timeout is left out"),
        ("curl --retry 5 x.test", "retries are set in the job"),
        ("curl --http2 x.test", "jobs speak HTTP/1.1"),
        ("curl -c jar x.test", "cookies that the answer sets"),
        ("curl http://a:b@x.test", "the credentials in the URL"),
        ("curl x.test | jq .", "is piped to (jq …)"),
        ("curl x.test || exit 1", "what runs when it fails (exit …)"),
        ("curl -d a -H Content-Type: x.test", "a Content-Type: application/json unless"),
    ],
)
def test_what_is_left_out_is_said(command: str, note: str) -> None:
    notes = read_curl(command).notes
    assert len(notes) == 1
    assert note in notes[0]


@pytest.mark.parametrize(
    ("command", "position", "reason"),
    [
        ("", 0, "begin with curl"),
        ("wget x.test", 0, "begin with curl"),
        ("curl", 0, "no URL"),
        ("curl x.test y.test", 12, "second URL"),
        ("curl ftp://x.test", 5, "ftp is not http"),
        ("curl -d @file x.test", 8, "file"),
        ("curl --data-urlencode a@file x.test", 22, "file"),
        ("curl --json @file x.test", 12, "file"),
        ("curl -b jar x.test", 8, "cookies"),
        ("curl -H @file x.test", 8, "headers from a file"),
        ("curl -H 'no colon' x.test", 8, "a colon"),
        ("curl -F a=b x.test", 5, "multipart"),
        ("curl -sF a=b x.test", 5, "multipart"),
        ("curl -T file x.test", 5, "files"),
        ("curl --proxy p x.test", 5, "proxy"),
        ("curl -x p x.test", 5, "proxy"),
        ("curl --cert c x.test", 5, "client certificates"),
        ("curl -E c x.test", 5, "client certificates"),
        ("curl --digest -u a:b x.test", 5, "Basic and Bearer"),
        ("curl -u me x.test", 8, "password"),
        ("curl -K file x.test", 5, "options are not read"),
        ("curl a.test --next b.test", 12, "another request"),
        ("curl --frobnicate x.test", 5, "no option"),
        ("curl -& x.test", 6, "without quotes"),
        ("curl -é x.test", 5, "no option"),
        ("curl x.test -d", 12, "needs a value"),
        ("curl -m soon x.test", 8, "number of seconds"),
        ("curl -X FETCH x.test", 8, "method must be one of"),
        ("curl 'http://x.test/a b'", 5, "the URL contains a space"),
        ("curl 'http://x.test/{a,b}'", 5, "several requests of {a,b}"),
        ("curl http://x.test/?a=1&b=2", 23, "without quotes"),
        ("curl x.test; rm -rf /", 13, "another command"),
        ("curl x.test && curl y.test", 15, "another command"),
        ("curl x.test\ncurl y.test", 12, "another command"),
        ("curl x.test < body", 12, "reads from a file"),
        ("curl x.test >", 12, "a file is missing"),
        ("curl 'x.test", 5, "quote has no end"),
        ('curl "x.test', 5, "quote has no end"),
        ("curl $'x.test", 5, "quote has no end"),
        ("curl $HOST/a", 5, r"only a shell knows \$HOST"),
        ('curl -H "A: ${TOKEN}" x.test', 12, r"only a shell knows \$\{TOKEN\}"),
        ("curl x.test -d $(date)", 15, "a command inside a command"),
        ("curl x.test -d `date`", 15, "a command inside a command"),
        ("curl x.test ^\n -d a", 12, "Windows"),
        ('curl ^"x.test^"', 5, "Windows"),
        ("curl -I -d a x.test", 13, "asks for the head"),
        ("curl x.test -d \ud800", 15, "half of a character"),
    ],
)
def test_what_a_job_cannot_do_is_refused_where_it_stands(command: str, position: int, reason: str) -> None:
    with pytest.raises(Invalid, match=reason) as refused:
        read_curl(command)
    assert (refused.value.field, refused.value.position) == ("curl", position)


@pytest.mark.parametrize(
    ("request_", "command"),
    [
        (Request(URL, "GET"), "curl http://x.test/"),
        (Request(URL, "HEAD"), "curl --head http://x.test/"),
        (Request(URL, "POST"), "curl -X POST http://x.test/"),
        (
            Request(URL, "POST", (("X-It", "it's"),), '{"a": 1}'),
            "curl http://x.test/ -H 'X-It: it'\\''s' -H 'Content-Type: application/json' --data-raw '{\"a\": 1}'",
        ),
        (
            Request(URL, "PUT", (("Content-Type", "text/plain"),), "@a\n\x1b[2J!", tls_verify=False),
            "curl -X PUT -k http://x.test/ -H 'Content-Type: text/plain' --data-raw $'@a\\n\\x1b[2J!'",
        ),
        (Request("http://x.test/[a]?b&c", "GET"), "curl -g 'http://x.test/[a]?b&c'"),
        (Request("http://x.test/a]?b={", "GET"), "curl -g 'http://x.test/a]?b={'"),
        (Request("http://[::1]:80/", "GET"), "curl 'http://[::1]:80/'"),
    ],
)
def test_a_request_is_written_as_a_command(request_: Request, command: str) -> None:
    assert as_curl(request_) == command


def test_a_long_command_has_one_option_a_line() -> None:
    command = as_curl(Request(URL, "PUT", (("A", "b"),)), separator=LINES)
    assert command == "curl \\\n  -X PUT \\\n  http://x.test/ \\\n  -H 'A: b'"


_names = st.text(string.ascii_letters + string.digits + "-_.!#$%&'*+^`|~", min_size=1, max_size=12).filter(
    lambda name: name.lower() not in FRAMING_HEADERS | OUR_HEADERS
)
_values = st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"]), max_size=20).map(str.strip)
_bodies = st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60)
_paths = st.text(string.ascii_letters + string.digits + "/?&=%+~!$'()*,;:@[]{}|^`\"<>é-_.", max_size=30)


@given(
    path=_paths,
    method=st.sampled_from(METHODS),
    headers=st.lists(st.tuples(_names, _values), max_size=4),
    body=_bodies,
    tls=st.sampled_from([(True, None), (False, None), (True, "/etc/it's $HOME.pem")]),
    follows=st.booleans(),
    separator=st.sampled_from([" ", LINES]),
)
def test_what_is_written_reads_back_to_the_same_request(
    path: str,
    method: str,
    headers: list[tuple[str, str]],
    body: str | None,
    tls: tuple[bool, str | None],
    follows: bool,
    separator: str,
) -> None:
    if body is not None and all(name.lower() != "content-type" for name, _ in headers):
        headers = [*headers, JSON]
    wanted = Request(f"https://x.test:8443/{path}", method, tuple(headers), body, *tls, follow_redirects=follows)
    read = read_curl(as_curl(wanted, separator=separator))
    assert (read.request, read.notes) == (wanted, ())


@given(st.text() | st.text("curl -dHXuGxm'\"$\\ @{}[]|&;<>()\n^x.t=:/0", max_size=60).map("curl {}".format))
def test_whatever_is_pasted_is_a_request_or_a_sentence(text: str) -> None:
    refused = _refusal(text)
    if refused is not None:
        assert refused.field == "curl"
        assert refused.position is None or 0 <= refused.position <= len(text)


def _refusal(text: str) -> Invalid | None:
    try:
        check_request(read_curl(text).request)
    except Invalid as refused:
        return refused
    return None
