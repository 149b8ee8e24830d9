"""Followed redirects, through httpx: the same outcomes as on the wire."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio
import trio.testing
import trustme

from tests.engine.shooting import OURS, Shooter, shooting
from tests.engine.targets import (
    OK,
    Behaviour,
    answers,
    closes,
    hangs,
    never_ends,
    redirects_to,
    resets,
    response,
    says,
    start,
    unused_port,
)
from tui_scheduler.domain.execution import OutcomeKind
from tui_scheduler.domain.job import Request
from tui_scheduler.engine.client import send_following
from tui_scheduler.engine.clock import SystemClock
from tui_scheduler.engine.response import Limits
from tui_scheduler.engine.tls import Contexts


@pytest.fixture
async def shooter() -> AsyncIterator[Shooter]:
    async with shooting(body_limit=1_000_000) as made:
        yield made


def following(url: str, **options: object) -> Request:
    # Without verification unless a test says otherwise: the system's authorities take long to read.
    return Request(url, follow_redirects=True, **({"tls_verify": False} | options))  # type: ignore[arg-type]


async def test_a_redirect_is_followed_with_our_headers(shooter: Shooter, nursery: trio.Nursery) -> None:
    goal = await start(nursery, answers(response(b"here", X_A="1")))
    first = await start(nursery, redirects_to(goal.url + "new", "307 Temporary Redirect"))
    outcome = await shooter.shoot(following(first.url, body='{"a":1}', headers=(("X-Tenant", "ü"),)))
    assert (outcome.kind, outcome.status, outcome.excerpt) == (OutcomeKind.RESPONSE, 200, b"here")
    assert (b"X-A", b"1") in outcome.headers
    assert outcome.sent
    assert outcome.started_at is not None
    assert outcome.started_at <= outcome.finished_at
    assert goal.seen[0].startswith(b"POST /new HTTP/1.1\r\n")
    assert goal.seen[0].endswith(b'\r\n\r\n{"a":1}')
    for line in (b"Idempotency-Key: key-1", b"X-Tenant: \xc3\xbc", b"Content-Type: application/json"):
        assert goal.seen[0].count(line) == 1
    assert goal.seen[0].count(b"Host: ") == 1


async def test_303_turns_a_post_into_a_get(shooter: Shooter, nursery: trio.Nursery) -> None:
    goal = await start(nursery, answers(OK))
    first = await start(nursery, redirects_to(goal.url, "303 See Other"))
    assert (await shooter.shoot(following(first.url, body="{}"))).status == 200
    assert goal.seen[0].startswith(b"GET / HTTP/1.1\r\n")


async def test_a_redirect_loop_stops(shooter: Shooter, nursery: trio.Nursery) -> None:
    target = await start(nursery, redirects_to(""))
    outcome = await shooter.shoot(following(target.url))
    assert (outcome.kind, outcome.sent) == (OutcomeKind.REDIRECTS, True)
    assert outcome.message == f"stopped after 10 redirects, the last to 127.0.0.1:{target.port}"
    assert len(target.seen) == 11


@pytest.mark.parametrize("location", ["ftp://example.com/", "http://example.com:nonsense/", "file:///etc/passwd"])
async def test_a_redirect_to_nowhere(shooter: Shooter, nursery: trio.Nursery, location: str) -> None:
    target = await start(nursery, redirects_to(location))
    outcome = await shooter.shoot(following(target.url))
    assert (outcome.kind, outcome.sent) == (OutcomeKind.GARBAGE, True)


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        (resets, OutcomeKind.RESET),
        (closes, OutcomeKind.CLOSED),
        (says(b"\x00\x01garbage\r\n\r\n"), OutcomeKind.GARBAGE),
        (never_ends, OutcomeKind.TOO_LARGE),
    ],
    ids=["resets", "closes", "garbage", "endless"],
)
async def test_failures_are_the_same_outcomes_as_on_the_wire(
    shooter: Shooter, nursery: trio.Nursery, behaviour: Behaviour, kind: OutcomeKind
) -> None:
    target = await start(nursery, behaviour)
    outcome = await shooter.shoot(following(target.url))
    assert (outcome.kind, outcome.sent) == (kind, True)
    assert outcome.message
    assert f"127.0.0.1:{target.port}" in outcome.message


async def test_a_target_that_refuses(shooter: Shooter) -> None:
    port = unused_port()
    outcome = await shooter.shoot(following(f"http://127.0.0.1:{port}/"))
    assert (outcome.kind, outcome.sent, outcome.started_at) == (OutcomeKind.REFUSED, False, None)
    assert outcome.message == f"127.0.0.1:{port} refused the connection"


async def test_a_redirect_to_a_port_that_refuses_was_sent(shooter: Shooter, nursery: trio.Nursery) -> None:
    target = await start(nursery, redirects_to(f"http://127.0.0.1:{unused_port()}/"))
    outcome = await shooter.shoot(following(target.url))
    assert (outcome.kind, outcome.sent) == (OutcomeKind.REFUSED, True)


async def test_a_name_that_does_not_resolve(shooter: Shooter) -> None:
    outcome = await shooter.shoot(following("http://no-such-host.invalid/"))
    assert (outcome.kind, outcome.sent) == (OutcomeKind.UNRESOLVED, False)
    assert outcome.message
    assert outcome.message.startswith("no-such-host.invalid does not resolve: ")


async def test_a_certificate_that_is_not_trusted(shooter: Shooter, nursery: trio.Nursery, tmp_path: Path) -> None:
    authority, other = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "good.pem")
    other.cert_pem.write_to_path(tmp_path / "other.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    target = await start(nursery, answers(OK), context)
    good = following(target.url, tls_verify=True, ca_file=str(tmp_path / "good.pem"))
    assert (await shooter.shoot(good)).status == 200
    outcome = await shooter.shoot(following(target.url, tls_verify=True, ca_file=str(tmp_path / "other.pem")))
    assert (outcome.kind, outcome.sent) == (OutcomeKind.TLS, False)
    assert outcome.message
    assert outcome.message.startswith(f"the certificate of 127.0.0.1:{target.port} is not trusted: ")
    missing = await shooter.shoot(following(target.url, tls_verify=True, ca_file=str(tmp_path / "missing.pem")))
    assert (missing.kind, missing.sent) == (OutcomeKind.TLS, False)


async def test_an_aborted_shot_ends_at_once(shooter: Shooter, nursery: trio.Nursery) -> None:
    target = await start(nursery, hangs)
    flown = shooter.fire(following(target.url))
    await shooter.until(lambda _: bool(target.seen))
    shooter.wire.abort(flown.shot)
    assert (await flown.outcome()).kind is OutcomeKind.ABORTED


async def test_closing_the_wire_ends_it_and_tells(nursery: trio.Nursery) -> None:
    target = await start(nursery, hangs)
    async with shooting() as shooter:
        flown = shooter.fire(following(target.url))
        await shooter.until(lambda _: bool(target.seen))
    outcome = await flown.outcome()
    assert (outcome.kind, outcome.sent) == (OutcomeKind.ABORTED, True)


async def test_a_shot_aborted_before_it_could_start_is_not_sent(shooter: Shooter, nursery: trio.Nursery) -> None:
    target = await start(nursery, answers(OK))
    flown = shooter.fire(following(target.url))
    shooter.wire.abort(flown.shot)
    outcome = await flown.outcome()
    assert (outcome.kind, outcome.sent) == (OutcomeKind.ABORTED, False)
    assert (await shooter.shoot(following(target.url))).status == 200
    assert len(target.seen) == 1


async def test_retry_after_is_read(shooter: Shooter, nursery: trio.Nursery) -> None:
    target = await start(nursery, answers(response(b"", "429 Too Many Requests", Retry_After="3")))
    assert (await shooter.shoot(following(target.url))).retry_after == 3_000_000


async def test_what_cannot_be_sent_says_so(shooter: Shooter) -> None:
    outcome = await shooter.shoot(following("nonsense"))
    assert (outcome.kind, outcome.sent) == (OutcomeKind.NOT_SENT, False)


@pytest.mark.parametrize(
    ("behaviour", "kind", "message"),
    [
        (hangs, OutcomeKind.TIMEOUT, "no response from {} within 0.5 s"),
        (
            says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"),
            OutcomeKind.TIMEOUT,
            "response body of {} incomplete after 0.5 s (4 bytes received)",
        ),
        (None, OutcomeKind.CONNECT_TIMEOUT, "no TLS with {} within 0.5 s"),
    ],
    ids=["before headers", "within the body", "handshake"],
)
async def test_a_timeout_says_where_it_hung(
    nursery: trio.Nursery,
    behaviour: Behaviour | None,
    kind: OutcomeKind,
    message: str,
    autojump_clock: trio.testing.MockClock,
) -> None:
    """On trio's mock clock, which jumps once all is quiet: however slow the machine, what was said has arrived."""
    autojump_clock.autojump_threshold = 0.3
    target = await start(nursery, behaviour or hangs)
    url = target.url if behaviour else target.url.replace("http:", "https:")
    limits = Limits(excerpt=4_096, body=1_000_000, headers=65_536)
    contexts = Contexts()
    await contexts.get(following(url))
    outcome = await send_following(following(url), OURS, 0.5, SystemClock(), contexts=contexts, limits=limits)
    assert outcome.kind is kind
    assert outcome.message == message.format(f"127.0.0.1:{target.port}")
