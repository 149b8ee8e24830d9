"""The wire against targets that behave: what is sent, what is kept, and how connections are used."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest
import trio

from tests.engine.shooting import JumpingClock, Shooter, shooting
from tests.engine.targets import (
    OK,
    Behaviour,
    Client,
    answers,
    answers_once,
    hangs,
    response,
    start,
    unused_port,
)
from tui_scheduler.domain.execution import Outcome, OutcomeKind
from tui_scheduler.domain.job import Request
from tui_scheduler.engine.clock import SystemClock
from tui_scheduler.engine.wire import Wire


@pytest.fixture
async def shooter() -> AsyncIterator[Shooter]:
    async with shooting() as made:
        yield made


async def test_a_request_arrives_whole_and_its_answer_comes_back(shooter: Shooter, nursery: trio.Nursery) -> None:
    target = await start(nursery, answers(response(b'{"done":true}', X_Trace="7")))
    before = time.time_ns() // 1_000
    outcome = await shooter.shoot(Request(target.url + "run?a=b", body='{"a":1}', headers=(("X-Tenant", "ü"),)))
    after = time.time_ns() // 1_000
    assert target.seen == [
        b"POST /run?a=b HTTP/1.1\r\n"
        + f"Host: 127.0.0.1:{target.port}\r\n".encode()
        + b"User-Agent: tui-scheduler/0.1.0\r\n"
        + b"Accept: */*\r\nAccept-Encoding: identity\r\nContent-Type: application/json\r\n"
        + b"X-Tenant: \xc3\xbc\r\nContent-Length: 7\r\nIdempotency-Key: key-1\r\nX-Attempt: 1\r\n\r\n"
        + b'{"a":1}'
    ]
    assert outcome.kind is OutcomeKind.RESPONSE
    assert (outcome.status, outcome.excerpt, outcome.message) == (200, b'{"done":true}', None)
    assert outcome.headers == ((b"X-Trace", b"7"), (b"Content-Length", b"13"))
    assert outcome.started_at is not None
    assert before <= outcome.started_at <= outcome.finished_at <= after


@pytest.mark.parametrize(
    ("data", "status", "body"),
    [
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-T: 1\r\n\r\n",
            200,
            b"abcde",
        ),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, b""),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, 200, b"ok"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + OK, 200, b"ok"),
        (response(b"gone", "410 Gone"), 410, b"gone"),
        (response(b"oops", "500 Internal Server Error"), 500, b"oops"),
        (response(b"", "302 Found", Location="http://elsewhere.invalid/"), 302, b""),
    ],
    ids=["chunked", "204", "304", "100-continue", "103 and 102", "410", "500", "redirect"],
)
async def test_every_form_of_response_is_read_to_its_end_and_leaves_the_connection_usable(
    shooter: Shooter, nursery: trio.Nursery, data: bytes, status: int, body: bytes
) -> None:
    target = await start(nursery, answers(data))
    for _ in range(2):
        outcome = await shooter.shoot(target.url)
        assert (outcome.kind, outcome.status, outcome.excerpt) == (OutcomeKind.RESPONSE, status, body)
    assert target.accepted == 1


async def test_a_response_may_come_byte_by_byte(shooter: Shooter, nursery: trio.Nursery) -> None:
    async def behave(client: Client) -> None:
        await client.request()
        for byte in response(b"slowly", X_A="1"):
            await client.send(bytes([byte]))

    outcome = await shooter.shoot((await start(nursery, behave)).url)
    assert (outcome.status, outcome.excerpt) == (200, b"slowly")


async def test_a_body_without_length_ends_with_the_connection(shooter: Shooter, nursery: trio.Nursery) -> None:
    target = await start(nursery, answers_once(b"HTTP/1.1 200 OK\r\n\r\nall of it"))
    outcome = await shooter.shoot(target.url)
    assert (outcome.kind, outcome.excerpt) == (OutcomeKind.RESPONSE, b"all of it")


async def test_http_1_0_and_connection_close_are_not_kept(shooter: Shooter, nursery: trio.Nursery) -> None:
    target = await start(
        nursery, answers(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", response(Connection="close"))
    )
    for _ in range(3):
        assert (await shooter.shoot(target.url)).status == 200
    assert target.accepted == 3
    assert shooter.wire.open_connections == 0


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ],
)
async def test_a_response_to_head_has_no_body_whatever_it_says(
    shooter: Shooter, nursery: trio.Nursery, data: bytes
) -> None:
    target = await start(nursery, answers(data, OK))
    outcome = await shooter.shoot(Request(target.url, method="HEAD"))
    assert (outcome.kind, outcome.status, outcome.excerpt) == (OutcomeKind.RESPONSE, 200, b"")
    assert (await shooter.shoot(target.url)).excerpt == b"ok"
    assert target.accepted == 1


async def test_only_the_beginning_of_a_body_is_kept(nursery: trio.Nursery) -> None:
    target = await start(nursery, answers(response(b"0123456789" * 50_000)))
    async with shooting(excerpt_limit=15) as shooter:
        for _ in range(2):
            outcome = await shooter.shoot(target.url)
            assert (outcome.kind, outcome.excerpt) == (OutcomeKind.RESPONSE, b"012345678901234")
    assert target.accepted == 1


async def test_at_most_fifty_headers_are_kept_and_long_values_cut(shooter: Shooter, nursery: trio.Nursery) -> None:
    many = b"X-0: " + b"v" * 2_000 + b"\r\n" + b"X: v\r\n" * 80
    target = await start(nursery, answers(b"HTTP/1.1 200 OK\r\n" + many + b"Content-Length: 0\r\n\r\n"))
    outcome = await shooter.shoot(target.url)
    assert len(outcome.headers) == 50
    assert outcome.headers[0] == (b"X-0", b"v" * 1_024)


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [
        ("120", 120_000_000, 120_000_000),
        ("0", 0, 0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0),
        ("99999999999", None, None),
        ("soon", None, None),
        ("-5", None, None),
    ],
)
@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
async def test_retry_after_is_read_in_both_forms(
    shooter: Shooter, nursery: trio.Nursery, status: str, value: str, low: int | None, high: int | None
) -> None:
    outcome = await shooter.shoot((await start(nursery, answers(response(b"", status, Retry_After=value)))).url)
    assert outcome.kind is OutcomeKind.RESPONSE
    assert outcome.retry_after == low == high


async def test_retry_after_as_a_date_is_counted_from_now(shooter: Shooter, nursery: trio.Nursery) -> None:
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 60))
    target = await start(nursery, answers(response(b"", "429 Too Many Requests", Retry_After=date)))
    outcome = await shooter.shoot(target.url)
    assert outcome.retry_after is not None
    assert 50_000_000 < outcome.retry_after <= 60_000_000


async def test_shots_in_turn_share_a_connection_and_shots_at_once_do_not(
    shooter: Shooter, nursery: trio.Nursery
) -> None:
    target = await start(nursery, answers(OK))
    for _ in range(5):
        await shooter.shoot(target.url)
    assert target.accepted == 1
    for flown in [shooter.fire(target.url) for _ in range(20)]:
        assert (await flown.outcome()).status == 200
    assert 2 <= target.accepted <= 21


async def test_a_connection_serves_the_next_shot_from_within_done(shooter: Shooter, nursery: trio.Nursery) -> None:
    target = await start(nursery, answers(OK))
    first = shooter.arm(target.url)
    second = shooter.arm(target.url)
    tell = first.shot.done

    def done(outcome: Outcome) -> None:
        shooter.wire.fire(second.shot)
        tell(outcome)

    first.shot.done = done
    shooter.wire.fire(first.shot)
    assert (await first.outcome()).status == 200
    assert (await second.outcome()).status == 200


async def test_warm_opens_connections_ahead_and_firing_uses_them(shooter: Shooter, nursery: trio.Nursery) -> None:
    target = await start(nursery, answers(OK))
    origin = shooter.origin(target.url)
    await shooter.wire.warm(origin, 150)
    assert shooter.wire.open_connections == 150
    await shooter.wire.warm(origin, 100)
    assert shooter.wire.open_connections == 150
    for flown in [shooter.fire(target.url) for _ in range(150)]:
        assert (await flown.outcome()).status == 200
    assert target.accepted == 150


async def test_warming_a_dead_origin_returns_and_backs_off(shooter: Shooter, nursery: trio.Nursery) -> None:
    port = unused_port()
    origin = shooter.origin(f"http://127.0.0.1:{port}/")
    await shooter.wire.warm(origin, 10)
    async with trio.open_nursery() as around:
        listeners = await trio.open_tcp_listeners(port, host="127.0.0.1")
        await shooter.wire.warm(origin, 10)  # alive again, but a second has not passed
        assert shooter.wire.open_connections == 0
        for listener in listeners:
            await listener.aclose()
        around.cancel_scope.cancel()


async def test_a_body_larger_than_the_socket_buffers_is_sent_whole(shooter: Shooter, nursery: trio.Nursery) -> None:
    target = await start(nursery, answers(OK))
    body = "0123456789" * 800_000
    assert (await shooter.shoot(Request(target.url, body=body))).status == 200
    assert target.seen[0].endswith(body.encode())
    assert (await shooter.shoot(target.url)).status == 200
    assert target.accepted == 1


async def test_an_answer_may_come_before_the_request_is_all_sent(shooter: Shooter, nursery: trio.Nursery) -> None:
    async def too_much(client: Client) -> None:
        await client.send(response(b"", "413 Content Too Large"))
        await trio.sleep_forever()

    target = await start(nursery, too_much)
    outcome = await shooter.shoot(Request(target.url, body="x" * 8_000_000))
    assert (outcome.kind, outcome.status) == (OutcomeKind.RESPONSE, 413)
    assert shooter.wire.open_connections == 0


async def test_idle_connections_are_closed_after_a_while(nursery: trio.Nursery) -> None:
    target = await start(nursery, answers(OK))
    async with shooting(idle_timeout=0.0) as shooter:
        await shooter.shoot(target.url)
        await shooter.until(lambda wire: wire.open_connections == 0)
        assert (await shooter.shoot(target.url)).status == 200
    assert target.accepted == 2


async def test_a_shot_waits_for_a_free_connection_when_all_are_in_use(nursery: trio.Nursery) -> None:
    target = await start(nursery, answers(OK))
    async with shooting(max_connections=2) as shooter:
        flown = [shooter.fire(target.url) for _ in range(20)]
        assert [(await one.outcome()).status for one in flown] == [200] * 20
        assert shooter.wire.open_connections <= 2
    assert target.accepted <= 2


async def test_an_idle_connection_makes_room_for_another_origin(nursery: trio.Nursery) -> None:
    first, second = await start(nursery, answers(OK)), await start(nursery, answers(OK))
    async with shooting(max_connections=1) as shooter:
        for target in (first, second, first):
            assert (await shooter.shoot(target.url)).status == 200
    assert (first.accepted, second.accepted) == (2, 1)


async def test_who_waits_longest_is_served_first_whatever_the_origin(nursery: trio.Nursery) -> None:
    release = trio.Event()
    order: list[str] = []

    def slow(name: str) -> Behaviour:
        async def behave(client: Client) -> None:
            while await client.request() is not None:
                order.append(name)
                await release.wait()
                await client.send(OK)

        return behave

    first = await start(nursery, slow("first"))
    second = await start(nursery, slow("second"))
    async with shooting(max_connections=1) as shooter:
        flown = [shooter.fire(target.url) for target in (first, second, first, second)]
        release.set()
        for one in flown:
            assert (await one.outcome()).status == 200
    assert order == ["first", "second", "first", "second"]


async def test_waiting_for_room_ends_with_the_timeout(nursery: trio.Nursery) -> None:
    target = await start(nursery, hangs)
    async with shooting(max_connections=1) as shooter:
        shooter.fire(target.url, 5)
        outcome = await shooter.shoot(target.url, 0.1)
        assert (outcome.kind, outcome.sent) == (OutcomeKind.CONNECT_TIMEOUT, False)
        assert outcome.message == (
            f"no connection to 127.0.0.1:{target.port} became free within 0.1 s: all 1 are in use"
        )


async def test_an_aborted_shot_ends_at_once_and_takes_its_connection_along(
    shooter: Shooter, nursery: trio.Nursery
) -> None:
    target = await start(nursery, hangs)
    flown = shooter.fire(target.url)
    await shooter.until(lambda _: bool(target.seen))
    shooter.wire.abort(flown.shot)
    shooter.wire.abort(flown.shot)
    outcome = await flown.outcome()
    assert (outcome.kind, outcome.sent) == (OutcomeKind.ABORTED, True)
    assert shooter.wire.open_connections == 0


async def test_a_shot_aborted_while_it_waits_was_not_sent(nursery: trio.Nursery) -> None:
    target = await start(nursery, hangs)
    async with shooting(max_connections=1) as shooter:
        shooter.fire(target.url)
        waiting = shooter.fire(target.url)
        shooter.wire.abort(waiting.shot)
        outcome = await waiting.outcome()
        assert (outcome.kind, outcome.sent, outcome.started_at) == (OutcomeKind.ABORTED, False, None)


async def test_aborting_a_shot_that_was_not_fired_does_nothing(shooter: Shooter, nursery: trio.Nursery) -> None:
    target = await start(nursery, answers(OK))
    flown = shooter.arm(target.url)
    shooter.wire.abort(flown.shot)
    shooter.wire.fire(flown.shot)
    assert (await flown.outcome()).status == 200
    shooter.wire.abort(flown.shot)


async def test_a_cancelled_nursery_leaves_nothing_open(nursery: trio.Nursery) -> None:
    target = await start(nursery, hangs)
    outcomes: list[Outcome] = []
    async with trio.open_nursery() as inner:
        wire = Wire(inner, SystemClock(), max_connections=10)
        shooter = Shooter(wire, JumpingClock())
        flown = shooter.arm(target.url)
        flown.shot.done = outcomes.append
        await wire.warm(shooter.origin(target.url), 3)
        wire.fire(flown.shot)
        await shooter.until(lambda _: bool(target.seen))
        inner.cancel_scope.cancel()
    assert [outcome.kind for outcome in outcomes] == [OutcomeKind.ABORTED]
    assert (wire.open_connections, wire.in_flight) == (0, 0)


async def test_closing_the_wire_aborts_what_is_in_flight(nursery: trio.Nursery) -> None:
    target = await start(nursery, hangs)
    async with shooting() as shooter:
        flown = [shooter.fire(target.url) for _ in range(3)]
        await shooter.until(lambda _: len(target.seen) == 3)
    for one in flown:
        assert (await one.outcome()).kind is OutcomeKind.ABORTED
    late = shooter.fire(target.url)
    assert (await late.outcome()).kind is OutcomeKind.ABORTED


@pytest.mark.parametrize("url", ["", "not a url", "ftp://example.com/", "http:///path", "http://a b/"])
async def test_what_cannot_be_sent_has_an_outcome_that_says_so(shooter: Shooter, url: str) -> None:
    outcome = await shooter.shoot(url)
    assert (outcome.kind, outcome.sent) == (OutcomeKind.NOT_SENT, False)
    assert outcome.message
    assert outcome.message.startswith("url: ")


async def test_a_name_is_looked_up_and_every_address_tried(shooter: Shooter, nursery: trio.Nursery) -> None:
    target = await start(nursery, answers(OK), host="localhost")  # may be ::1 first, where nobody listens
    for _ in range(2):
        assert (await shooter.shoot(target.url)).status == 200
    assert target.accepted == 1


async def test_an_ipv6_literal_is_reached(shooter: Shooter, nursery: trio.Nursery) -> None:
    try:
        target = await start(nursery, answers(OK), host="[::1]")
    except OSError:
        pytest.skip("no IPv6 here")
    assert (await shooter.shoot(target.url)).status == 200
    assert f"Host: [::1]:{target.port}\r\n".encode() in target.seen[0]
