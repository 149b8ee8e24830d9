"""Requests as bytes: what is sent for what a user typed, and what is refused."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_scheduler.domain.errors import Invalid
from tui_scheduler.domain.job import Request
from tui_scheduler.engine.render import fields_of, render, target_of
from tui_scheduler.engine.transport import Origin

OURS = (("Idempotency-Key", "k"),)


def lines_of(request: Request, headers: tuple[tuple[str, str], ...] = OURS) -> list[str]:
    head, _, _ = render(request, headers)[1].partition(b"\r\n\r\n")
    return head.decode().split("\r\n")


def test_the_headers_of_a_firing_go_between_the_request_and_its_body() -> None:
    request = Request("http://example.com/a", body="text")
    assert render(request, (("X-Attempt", "2"), ("X-B", "c")), "agent/1")[1] == (
        b"POST /a HTTP/1.1\r\nHost: example.com\r\nUser-Agent: agent/1\r\nAccept: */*\r\n"
        b"Accept-Encoding: identity\r\nContent-Type: application/json\r\nContent-Length: 4\r\n"
        b"X-Attempt: 2\r\nX-B: c\r\n\r\ntext"
    )


@pytest.mark.parametrize(
    ("url", "line", "host"),
    [
        ("http://example.com", "GET / HTTP/1.1", "example.com"),
        ("http://example.com?q=1", "GET /?q=1 HTTP/1.1", "example.com"),
        ("http://example.com/a#part", "GET /a HTTP/1.1", "example.com"),
        ("http://example.com:80/", "GET / HTTP/1.1", "example.com"),
        ("https://example.com:443/", "GET / HTTP/1.1", "example.com"),
        ("https://example.com:80/", "GET / HTTP/1.1", "example.com:80"),
        ("HTTP://EXAMPLE.com:8080/A", "GET /A HTTP/1.1", "example.com:8080"),
        ("http://example.com/a b?c d", "GET /a%20b?c%20d HTTP/1.1", "example.com"),
        ("http://example.com/é?ü=ß", "GET /%C3%A9?%C3%BC=%C3%9F HTTP/1.1", "example.com"),
        ("http://example.com/a%20b%2Fc", "GET /a%20b%2Fc HTTP/1.1", "example.com"),
        ("http://example.com/100%?50%25", "GET /100%25?50%25 HTTP/1.1", "example.com"),
        ("http://example.com/a'\"<>`{}|\\^", "GET /a'%22%3C%3E%60%7B%7D%7C%5C%5E HTTP/1.1", "example.com"),
        ("http://example.com/a;b=c,d?e[]=f&g=h+i", "GET /a;b=c,d?e[]=f&g=h+i HTTP/1.1", "example.com"),
        ("http://bücher.example/", "GET / HTTP/1.1", "xn--bcher-kva.example"),
        ("http://my_service:9000/", "GET / HTTP/1.1", "my_service:9000"),
        ("http://[::1]:8080/", "GET / HTTP/1.1", "[::1]:8080"),
        ("http://[fe80::1%25eth0]/".replace("%25", "%"), "GET / HTTP/1.1", "[fe80::1]"),
        ("http://user:secret@example.com/", "GET / HTTP/1.1", "example.com"),
        ("  http://example.com/  ", "GET / HTTP/1.1", "example.com"),
    ],
)
def test_a_url_is_sent_as_it_must_be(url: str, line: str, host: str) -> None:
    lines = lines_of(Request(url, method="get"))
    assert lines[:2] == [line, f"Host: {host}"]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "/path",
        "ftp://example.com/",
        "file:///etc/passwd",
        "http://",
        "http:///a",
        "http://exa mple.com/",
        "http://example.com:99999/",
        "http://example.com:0/",
        "http://example.com:a/",
        "http://[::1/",
        "http://[nonsense]/",
        "http://example.com/\r\nX: 1",
        "http://example.com/\ta",
        "http://example.com/\x00",
        "http://exa\nmple.com/",
        "http://" + "ü" * 70 + ".example/",
        "http://a/\ud800",
    ],
)
def test_a_url_that_leads_nowhere_is_refused(url: str) -> None:
    with pytest.raises(Invalid):
        render(Request(url), OURS)


def test_user_headers_win_over_defaults() -> None:
    lines = lines_of(
        Request(
            "http://example.com/",
            body="<a/>",
            headers=(("content-type", "text/xml"), ("HOST", "other.example"), ("user-agent", "me"), ("accept", "a/b")),
        )
    )
    assert lines == [
        "POST / HTTP/1.1",
        "Accept-Encoding: identity",
        "content-type: text/xml",
        "HOST: other.example",
        "user-agent: me",
        "accept: a/b",
        "Content-Length: 4",
        "Idempotency-Key: k",
    ]


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding", "UPGRADE"])
def test_a_user_has_no_say_in_where_a_message_ends(name: str) -> None:
    lines = lines_of(Request("http://example.com/", body="abc", headers=((name, "99"),)))
    assert "Content-Length: 3" in lines
    assert not [line for line in lines if line.endswith(": 99")]


def test_the_headers_of_a_firing_win_over_the_users() -> None:
    lines = lines_of(Request("http://example.com/", headers=(("idempotency-key", "mine"), ("X-A", "1"))))
    assert "Idempotency-Key: k" in lines
    assert "idempotency-key: mine" not in lines
    assert "X-A: 1" in lines


@pytest.mark.parametrize(
    ("method", "body", "length"),
    [
        ("GET", None, None),
        ("HEAD", None, None),
        ("DELETE", None, None),
        ("POST", None, "0"),
        ("PUT", None, "0"),
        ("PATCH", None, "0"),
        ("POST", "", "0"),
        ("DELETE", "ü", "2"),
    ],
)
def test_a_length_is_sent_where_a_body_is_or_may_be_expected(method: str, body: str | None, length: str | None) -> None:
    found = [
        line.partition(": ")[2] for line in lines_of(Request("http://a/", method=method, body=body)) if "Length" in line
    ]
    assert found == ([] if length is None else [length])


@pytest.mark.parametrize(
    ("name", "value"),
    [("X A", "b"), ("", "b"), ("X\r\nY", "b"), ("X:", "b"), ("Ü", "b"), ("X", "a\nb"), ("X", "a\rb"), ("X", "a\x00b")],
)
def test_a_header_that_would_break_out_is_refused(name: str, value: str) -> None:
    with pytest.raises(Invalid):
        render(Request("http://example.com/", headers=((name, value),)), OURS)
    with pytest.raises(Invalid):
        fields_of(Request("http://example.com/", headers=((name, value),)), OURS)


def test_a_header_of_a_firing_cannot_break_out_either() -> None:
    with pytest.raises(Invalid):
        render(Request("http://example.com/"), (("X", "a\r\nY: b"),))


@pytest.mark.parametrize("method", ["", "G T", "GET\r\n", "CONNECT", "connect"])
def test_a_method_that_is_none_is_refused(method: str) -> None:
    with pytest.raises(Invalid):
        render(Request("http://example.com/", method=method), OURS)


def test_credentials_of_a_url_become_a_header_unless_there_is_one() -> None:
    url = "http://us%20er:p%40ss@example.com/"
    expected = base64.b64encode(b"us er:p@ss").decode()
    assert f"Authorization: Basic {expected}" in lines_of(Request(url))
    given_one = lines_of(Request(url, headers=(("authorization", "Bearer x"),)))
    assert [line for line in given_one if line.lower().startswith("authorization")] == ["authorization: Bearer x"]


def test_requests_share_connections_when_they_go_to_the_same_place_in_the_same_trust() -> None:
    def origin(url: str, **options: object) -> Origin:
        return target_of(Request(url, **options)).origin  # type: ignore[arg-type]

    assert origin("http://EXAMPLE.com/a") == origin("http://example.com:80/b?c", ca_file="/a", tls_verify=False)
    assert origin("https://example.com/") == Origin("https", "example.com", 443)
    assert origin("https://example.com/", ca_file="/a") == Origin("https", "example.com", 443, ca_file="/a")
    assert origin("https://example.com/", tls_verify=False, ca_file="/a") == origin(
        "https://example.com/", tls_verify=False
    )


def test_a_large_body_is_not_kept_in_memory_for_next_time() -> None:
    large = Request("http://example.com/", body="x" * 10_000)
    first, again = render(large, OURS)[0], render(large, OURS)[0]
    assert first == again
    assert first is not again
    small = Request("http://example.com/", body="x")
    assert render(small, OURS)[0] is render(Request("http://example.com/", body="x"), OURS)[0]


@given(
    st.text(max_size=30),
    st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=3),
    st.text(max_size=8),
    st.none() | st.text(max_size=20),
)
def test_whatever_a_user_types_it_stays_one_request(
    path: str, headers: list[tuple[str, str]], method: str, body: str | None
) -> None:
    request = Request(f"http://example.com/{path}", method, tuple(headers), body)
    try:
        payload = render(request, OURS)[1]
    except Invalid:
        return
    head, _, sent_body = payload.partition(b"\r\n\r\n")
    assert sent_body == (body or "").encode()
    lines = head.split(b"\r\n")
    assert lines[0].count(b" ") == 2
    assert lines[0].isascii()
    assert b"\r" not in head.replace(b"\r\n", b"")
    assert b"\n" not in head.replace(b"\r\n", b"")
    assert all(b":" in line for line in lines[1:])
    assert [line for line in lines if line.lower().startswith(b"content-length")][1:] == []
