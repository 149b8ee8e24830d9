"""The wire against targets that do not behave: a failure is an outcome with a sentence, and harms nobody else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
import trio
from structlog.testing import capture_logs

from tests.engine.shooting import Shooter, shooting
from tests.engine.targets import (
    OK,
    Behaviour,
    Client,
    answers,
    answers_once,
    closes,
    drips,
    full_backlog,
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

HEADERS = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"


@pytest.fixture(autouse=True)
def deadlines_are_looked_at_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a jump of the clock is noticed at once."""
    monkeypatch.setattr("tui_scheduler.engine.deadlines._LONGEST_SLEEP_S", 0.01)


@pytest.fixture
async def shooter() -> AsyncIterator[Shooter]:
    async with shooting() as made:
        yield made


HANGING: list[tuple[str, Behaviour, int, str]] = [
    ("before headers", hangs, 0, "no response from {} within 10 s"),
    ("within headers", says(b"HTTP/1.1 200 OK\r\nContent-Le"), 27, "response headers of {} incomplete after 10 s"),
    ("after headers", says(HEADERS), 40, "response body of {} incomplete after 10 s (0 bytes received)"),
    ("within the body", says(HEADERS + b"half"), 44, "response body of {} incomplete after 10 s (4 bytes received)"),
    ("interim responses", says(b"HTTP/1.1 100 Go\r\n\r\n" * 2), 38, "response headers of {} incomplete after 10 s"),
    ("drips", drips, 41, "response body of {} incomplete after 10 s (1 bytes received)"),
]


@pytest.mark.parametrize(
    ("behaviour", "received", "message"), [case[1:] for case in HANGING], ids=[c[0] for c in HANGING]
)
async def test_a_target_that_hangs_is_a_timeout_that_says_where(
    shooter: Shooter, nursery: trio.Nursery, behaviour: Behaviour, received: int, message: str
) -> None:
    target = await start(nursery, behaviour)
    flown = shooter.fire(target.url)
    await shooter.until(lambda _: bool(target.seen) and flown.received == received)
    outcome = await shooter.overdue(flown)
    assert (outcome.kind, outcome.sent) == (OutcomeKind.TIMEOUT, True)
    assert outcome.message == message.format(f"127.0.0.1:{target.port}")
    assert shooter.wire.open_connections == 0
    assert target.accepted == 1


FAILING: list[tuple[str, Behaviour, OutcomeKind, str]] = [
    (
        "resets",
        resets,
        OutcomeKind.RESET,
        "{} broke off the connection (connection reset by peer) before any response",
    ),
    ("closes", closes, OutcomeKind.CLOSED, "{} closed the connection before any response"),
    (
        "closes within headers",
        answers_once(b"HTTP/1.1 200 OK\r\nX-A: b"),
        OutcomeKind.CLOSED,
        "{} closed the connection in the middle of the response headers",
    ),
    (
        "closes within the body",
        answers_once(HEADERS + b"half"),
        OutcomeKind.CLOSED,
        "{} closed the connection in the middle of the response body (4 bytes received)",
    ),
    (
        "closes within chunks",
        answers_once(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"),
        OutcomeKind.CLOSED,
        "{} closed the connection in the middle of the response body (2 bytes received)",
    ),
    ("garbage", says(b"\x00\x01SSH-2.0-OpenSSH\r\n"), OutcomeKind.GARBAGE, "{} sent an invalid response: "),
    ("no status", says(b"HTTP/1.1 nonsense\r\n\r\n"), OutcomeKind.GARBAGE, "{} sent an invalid response: "),
    (
        "two lengths",
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
        OutcomeKind.GARBAGE,
        "{} sent an invalid response: ",
    ),
    (
        "length and chunks",
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
        OutcomeKind.GARBAGE,
        "{} sent an invalid response: ",
    ),
    (
        "a bad chunk",
        says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        OutcomeKind.GARBAGE,
        "{} sent an invalid response: ",
    ),
    (
        "switches protocols",
        says(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nwhatever"),
        OutcomeKind.GARBAGE,
        "{} sent an invalid response: it switched to another protocol, unasked",
    ),
    (
        "huge headers",
        says(b"HTTP/1.1 200 OK\r\n" + b"X-Pad: " + b"x" * 200_000),
        OutcomeKind.GARBAGE,
        "{} sent an invalid response: its headers are larger than 65,536 bytes",
    ),
    (
        "endless interim responses",
        says(b"HTTP/1.1 100 Continue\r\n\r\n" * 4_000),
        OutcomeKind.GARBAGE,
        "{} sent an invalid response: its headers are larger than 65,536 bytes",
    ),
    ("endless body", never_ends, OutcomeKind.TOO_LARGE, "the response of {} is larger than 1,000,000 bytes"),
    (
        "endless trailer",
        says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-T: " + b"x" * 1_200_000),
        OutcomeKind.TOO_LARGE,
        "the response of {} is larger than 1,000,000 bytes",
    ),
]


@pytest.mark.parametrize(("behaviour", "kind", "message"), [case[1:] for case in FAILING], ids=[c[0] for c in FAILING])
@pytest.mark.parametrize("may_reconnect", [True, False])
async def test_a_target_that_does_not_behave_is_an_outcome(
    nursery: trio.Nursery, behaviour: Behaviour, kind: OutcomeKind, message: str, may_reconnect: bool
) -> None:
    target = await start(nursery, behaviour)
    async with shooting(body_limit=1_000_000) as shooter:
        outcome = await shooter.shoot(target.url, may_reconnect=may_reconnect)
        assert outcome.kind is kind
        assert outcome.message is not None
        assert outcome.message.startswith(message.format(f"127.0.0.1:{target.port}"))
        assert outcome.sent
        assert outcome.started_at is not None
        assert shooter.wire.open_connections == 0
    assert target.accepted == 1, "a fresh connection is never tried twice"


async def test_what_came_of_a_response_is_kept_when_it_fails(nursery: trio.Nursery) -> None:
    said = b"HTTP/1.1 503 No\r\nRetry-After: 7\r\nContent-Length: 100\r\n\r\nhalf"
    target = await start(nursery, says(said))
    async with shooting() as shooter:
        flown = shooter.fire(target.url)
        await shooter.until(lambda _: flown.received == len(said))
        outcome = await shooter.overdue(flown)
    assert (outcome.kind, outcome.status, outcome.excerpt) == (OutcomeKind.TIMEOUT, 503, b"half")
    assert outcome.retry_after == 7_000_000
    assert outcome.headers[0] == (b"Retry-After", b"7")


async def test_a_target_that_refuses(shooter: Shooter) -> None:
    port = unused_port()
    outcome = await shooter.shoot(f"http://127.0.0.1:{port}/")
    assert (outcome.kind, outcome.sent, outcome.started_at) == (OutcomeKind.REFUSED, False, None)
    assert outcome.message == f"127.0.0.1:{port} refused the connection"


async def test_a_name_that_does_not_resolve(shooter: Shooter) -> None:
    flown = [shooter.fire("http://no-such-host.invalid/") for _ in range(3)]
    for one in flown:
        outcome = await one.outcome()
        assert (outcome.kind, outcome.sent) == (OutcomeKind.UNRESOLVED, False)
        assert outcome.message is not None
        assert outcome.message.startswith("no-such-host.invalid does not resolve: ")


async def test_a_target_that_cannot_be_reached(shooter: Shooter) -> None:
    outcome = await shooter.shoot("http://255.255.255.255/")  # the broadcast address: the system itself says no
    assert (outcome.kind, outcome.sent) == (OutcomeKind.UNREACHABLE, False)
    assert outcome.message
    assert outcome.message.startswith("255.255.255.255:80 cannot be reached: ")


async def test_connecting_that_hangs(shooter: Shooter) -> None:
    sockets, port = full_backlog()
    try:
        outcome = await shooter.shoot(f"http://127.0.0.1:{port}/", 0.2)
    finally:
        for sock in sockets:
            sock.close()
    assert (outcome.kind, outcome.sent, outcome.started_at) == (OutcomeKind.CONNECT_TIMEOUT, False, None)
    assert outcome.message == f"no connection to 127.0.0.1:{port} within 0.2 s"


async def test_a_target_that_stops_reading(shooter: Shooter, nursery: trio.Nursery) -> None:
    async def deaf(client: Client) -> None:
        await trio.sleep_forever()

    target = await start(nursery, deaf)
    flown = shooter.fire(Request(target.url, body="x" * 20_000_000))
    await shooter.until(lambda wire: wire.counts.opened == 1)
    outcome = await shooter.overdue(flown)
    assert (outcome.kind, outcome.sent) == (OutcomeKind.TIMEOUT, True)
    assert outcome.message == f"127.0.0.1:{target.port} did not take the whole request within 10 s"


async def test_redirects_are_not_followed_unless_asked(shooter: Shooter, nursery: trio.Nursery) -> None:
    outcome = await shooter.shoot((await start(nursery, redirects_to(""))).url)
    assert (outcome.kind, outcome.status) == (OutcomeKind.RESPONSE, 302)


def closes_idle_connections(client_closes: Callable[[Client], None] | None = None) -> Behaviour:
    """Keeps a connection after its first answer, until the next request comes on it: then it breaks off."""

    async def behave(client: Client) -> None:
        await client.request()
        await client.send(OK)
        if client.target.accepted == 1:
            await client.request()
            if client_closes is not None:
                client_closes(client)
            return
        while await client.request() is not None:
            await client.send(OK)

    return behave


@pytest.mark.parametrize("break_off", [None, Client.reset], ids=["closes", "resets"])
async def test_at_least_once_is_sent_again_when_an_idle_connection_turns_out_closed(
    shooter: Shooter, nursery: trio.Nursery, break_off: Callable[[Client], None] | None
) -> None:
    target = await start(nursery, closes_idle_connections(break_off))
    await shooter.shoot(target.url)
    outcome = await shooter.shoot(target.url)
    assert (outcome.kind, outcome.status) == (OutcomeKind.RESPONSE, 200)
    assert target.accepted == 2
    assert target.seen[1] == target.seen[2]
    assert shooter.wire.counts.reconnects == 1


@pytest.mark.parametrize(
    ("break_off", "kind"), [(None, OutcomeKind.CLOSED), (Client.reset, OutcomeKind.RESET)], ids=["closes", "resets"]
)
async def test_at_most_once_is_never_sent_again(
    shooter: Shooter, nursery: trio.Nursery, break_off: Callable[[Client], None] | None, kind: OutcomeKind
) -> None:
    target = await start(nursery, closes_idle_connections(break_off))
    await shooter.shoot(target.url)
    outcome = await shooter.shoot(target.url, may_reconnect=False)
    assert (outcome.kind, outcome.sent) == (kind, True)
    assert target.accepted == 1


async def test_a_second_broken_connection_is_the_end(shooter: Shooter, nursery: trio.Nursery) -> None:
    async def behave(client: Client) -> None:
        await client.request()
        if client.target.accepted == 1:
            await client.send(OK)
            await client.request()

    target = await start(nursery, behave)
    await shooter.shoot(target.url)
    outcome = await shooter.shoot(target.url)
    assert (outcome.kind, outcome.sent) == (OutcomeKind.CLOSED, True)
    assert target.accepted == 2


async def test_half_an_answer_on_an_idle_connection_is_not_sent_again(shooter: Shooter, nursery: trio.Nursery) -> None:
    async def behave(client: Client) -> None:
        await client.request()
        await client.send(OK)
        await client.request()
        await client.send(b"HTTP/1.1 2")

    target = await start(nursery, behave)
    await shooter.shoot(target.url)
    outcome = await shooter.shoot(target.url)
    assert outcome.kind is OutcomeKind.CLOSED
    assert target.accepted == 1


@pytest.mark.parametrize("may_reconnect", [True, False])
async def test_a_connection_closed_while_idle_is_noticed_and_not_used(
    shooter: Shooter, nursery: trio.Nursery, may_reconnect: bool
) -> None:
    target = await start(nursery, answers_once(OK))  # keep-alive by its words, and then it closes
    for count in range(1, 4):
        outcome = await shooter.shoot(target.url, may_reconnect=may_reconnect)
        assert (outcome.kind, outcome.status) == (OutcomeKind.RESPONSE, 200)
        assert target.accepted == count
        await shooter.until(lambda wire: wire.open_connections == 0)


async def test_at_most_once_looks_at_an_idle_connection_before_it_is_used(
    shooter: Shooter, nursery: trio.Nursery
) -> None:
    """The wire has no turn between the close and the send here: only looking right before finds out."""
    closed = trio.Event()

    async def behave(client: Client) -> None:
        if client.target.accepted == 1:
            client.reset()
            closed.set()
        else:
            await answers(OK)(client)

    target = await start(nursery, behave)
    await shooter.wire.warm(shooter.origin(target.url), 1)
    flown = shooter.arm(target.url, may_reconnect=False)
    await closed.wait()
    shooter.wire.fire(flown.shot)
    outcome = await flown.outcome()
    assert (outcome.kind, outcome.status) == (OutcomeKind.RESPONSE, 200)


@pytest.mark.parametrize("surplus", [b"garbage", b"HTTP/1.1 200 OK\r\n", OK], ids=["garbage", "half", "another"])
async def test_bytes_behind_an_answer_are_not_the_next_answer(
    shooter: Shooter, nursery: trio.Nursery, surplus: bytes
) -> None:
    target = await start(nursery, answers(response(b"first") + surplus))
    for _ in range(2):
        outcome = await shooter.shoot(target.url)
        assert (outcome.kind, outcome.excerpt) == (OutcomeKind.RESPONSE, b"first")
        assert shooter.wire.open_connections == 0
    assert target.accepted == 2


async def test_a_body_in_answer_to_head_is_not_the_next_answer(shooter: Shooter, nursery: trio.Nursery) -> None:
    target = await start(nursery, answers(OK))
    outcome = await shooter.shoot(Request(target.url, method="HEAD"))
    assert (outcome.kind, outcome.excerpt) == (OutcomeKind.RESPONSE, b"")
    assert shooter.wire.open_connections == 0


async def test_bytes_on_an_idle_connection_close_it(shooter: Shooter, nursery: trio.Nursery) -> None:
    speak = trio.Event()

    async def behave(client: Client) -> None:
        await client.request()
        await client.send(OK)
        await speak.wait()
        await client.send(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        await client.request()

    target = await start(nursery, behave)
    await shooter.shoot(target.url)
    speak.set()
    await shooter.until(lambda wire: wire.open_connections == 0)


@pytest.mark.parametrize(
    "request_",
    [
        Request("http://127.0.0.1/", headers=(("X-A", "b\r\nX-Evil: 1"),)),
        Request("http://127.0.0.1/", headers=(("X-A: 1\r\nX-Evil", "b"),)),
        Request("http://127.0.0.1/\r\nX-Evil: 1"),
        Request("http://127.0.0.1/", method="GET / HTTP/1.1\r\nX-Evil: 1\r\n\r\nGET"),
        Request("http://127.0.0.1/", body="\ud800"),
    ],
)
async def test_a_request_that_would_break_out_of_its_place_is_not_sent(shooter: Shooter, request_: Request) -> None:
    outcome = await shooter.shoot(request_)
    assert (outcome.kind, outcome.sent) == (OutcomeKind.NOT_SENT, False)


async def test_no_other_job_is_harmed(nursery: trio.Nursery) -> None:
    """Beside hanging, dripping and endless targets every firing at a good one comes in, and soon."""
    bad = [await start(nursery, behaviour) for behaviour in (hangs, drips, never_ends, resets, closes)]
    good = await start(nursery, answers(OK))
    async with shooting(body_limit=2**40) as shooter:
        doomed = [shooter.fire(target.url, 60) for target in bad for _ in range(5)]
        doomed += [shooter.fire("http://no-such-host.invalid/", 60) for _ in range(5)]
        await shooter.until(lambda _: all(target.accepted == 5 for target in bad))
        with trio.fail_after(30):
            for _ in range(10):
                flown = [shooter.fire(good.url) for _ in range(10)]
                assert [(await one.outcome()).status for one in flown] == [200] * 10
        for one in doomed:
            shooter.wire.abort(one.shot)
            assert (await one.outcome()).kind is not OutcomeKind.RESPONSE


async def test_a_bug_in_the_wire_ends_one_shot_and_is_counted(
    shooter: Shooter, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = await start(nursery, answers(OK))
    with monkeypatch.context() as broken, capture_logs() as logs:
        broken.setattr("tui_scheduler.engine.connection.ResponseReader.feed", lambda *_: 1 / 0)
        outcome = await shooter.shoot(target.url)
    assert (outcome.kind, outcome.sent) == (OutcomeKind.GARBAGE, True)
    assert outcome.message == f"an internal error while talking to 127.0.0.1:{target.port}"
    assert [entry["event"] for entry in logs] == ["connection_bug"]
    assert shooter.wire.counts.bugs == 1
    shooter.wire.counts.bugs = 0
    assert (await shooter.shoot(target.url)).status == 200
