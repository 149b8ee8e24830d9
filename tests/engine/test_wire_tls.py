"""The wire over TLS: whom it trusts, what it says when it does not, and that sessions work like plain connections."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trio
import trustme

from tests.engine.shooting import Shooter, shooting
from tests.engine.targets import OK, Behaviour, Client, Target, answers, answers_once, hangs, response, start
from tui_scheduler.domain.execution import OutcomeKind
from tui_scheduler.domain.job import Request


@pytest.fixture
async def shooter() -> AsyncIterator[Shooter]:
    async with shooting() as made:
        yield made


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


def context_of(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    context.set_alpn_protocols(["http/1.1"])
    return context


async def serve(nursery: trio.Nursery, behaviour: Behaviour, certificate: trustme.LeafCert) -> Target:
    return await start(nursery, behaviour, context_of(certificate))


async def test_a_ca_file_is_trusted_and_the_connection_kept(
    shooter: Shooter, nursery: trio.Nursery, authority: trustme.CA, ca_file: str
) -> None:
    target = await serve(nursery, answers(response(b"secret")), authority.issue_cert("127.0.0.1"))
    for _ in range(3):
        outcome = await shooter.shoot(Request(target.url, ca_file=ca_file, body="{}"))
        assert (outcome.kind, outcome.status, outcome.excerpt) == (OutcomeKind.RESPONSE, 200, b"secret")
    assert target.accepted == 1
    assert target.seen[0].endswith(b"\r\n\r\n{}")


async def test_names_are_checked_and_sent(
    shooter: Shooter, nursery: trio.Nursery, authority: trustme.CA, ca_file: str
) -> None:
    names: list[str] = []
    context = context_of(authority.issue_cert("localhost"))
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    target = await start(nursery, answers(OK), context, host="localhost")
    assert (await shooter.shoot(Request(target.url, ca_file=ca_file))).status == 200
    assert names == ["localhost"]


async def test_without_verification_anything_goes(shooter: Shooter, nursery: trio.Nursery) -> None:
    target = await serve(nursery, answers(OK), trustme.CA().issue_cert("elsewhere.example"))
    assert (await shooter.shoot(Request(target.url, tls_verify=False))).status == 200


async def refused(shooter: Shooter, target: Target, ca_file: str | None, words: str) -> None:
    outcome = await shooter.shoot(Request(target.url, ca_file=ca_file))
    assert (outcome.kind, outcome.sent, outcome.started_at) == (OutcomeKind.TLS, False, None)
    assert outcome.message is not None
    assert f"127.0.0.1:{target.port}" in outcome.message
    assert words in outcome.message
    assert shooter.wire.open_connections == 0
    assert target.seen == []


async def test_an_unknown_authority_is_not_trusted(
    shooter: Shooter, nursery: trio.Nursery, authority: trustme.CA
) -> None:
    target = await serve(nursery, answers(OK), authority.issue_cert("127.0.0.1"))
    await refused(shooter, target, None, "is not trusted: ")


async def test_a_self_signed_certificate_is_not_trusted(
    shooter: Shooter, nursery: trio.Nursery, tmp_path: Path
) -> None:
    own = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    path = tmp_path / "self.pem"
    own.cert_pem.write_to_path(path)
    own.private_key_pem.write_to_path(path, append=True)
    context.load_cert_chain(path)
    await refused(shooter, await start(nursery, answers(OK), context), None, "self-signed certificate")


async def test_an_expired_certificate_is_not_trusted(
    shooter: Shooter, nursery: trio.Nursery, authority: trustme.CA, ca_file: str
) -> None:
    certificate = authority.issue_cert("127.0.0.1", not_after=datetime(2020, 1, 1, tzinfo=UTC))
    await refused(shooter, await serve(nursery, answers(OK), certificate), ca_file, "certificate has expired")


async def test_a_certificate_for_another_host_is_not_trusted(
    shooter: Shooter, nursery: trio.Nursery, authority: trustme.CA, ca_file: str
) -> None:
    target = await serve(nursery, answers(OK), authority.issue_cert("other.example"))
    await refused(shooter, target, ca_file, "is not valid for '127.0.0.1'")


async def test_a_ca_file_is_trusted_alone(shooter: Shooter, nursery: trio.Nursery, tmp_path: Path) -> None:
    """Each file is trusted for its own requests, and no connection is shared between different trusts."""
    first, second = trustme.CA(), trustme.CA()
    for name, made in (("first", first), ("second", second)):
        made.cert_pem.write_to_path(tmp_path / name)
    target = await serve(nursery, answers(OK), first.issue_cert("127.0.0.1"))
    assert (await shooter.shoot(Request(target.url, ca_file=str(tmp_path / "first")))).status == 200
    assert (await shooter.shoot(Request(target.url, ca_file=str(tmp_path / "second")))).kind is OutcomeKind.TLS
    assert (await shooter.shoot(Request(target.url))).kind is OutcomeKind.TLS


async def test_a_ca_file_that_changed_is_read_again(shooter: Shooter, nursery: trio.Nursery, tmp_path: Path) -> None:
    first, second = trustme.CA(), trustme.CA()
    path = tmp_path / "ca.pem"
    first.cert_pem.write_to_path(path)
    target = await serve(nursery, answers_once(OK), second.issue_cert("127.0.0.1"))
    assert (await shooter.shoot(Request(target.url, ca_file=str(path)))).kind is OutcomeKind.TLS
    second.cert_pem.write_to_path(path)
    assert (await shooter.shoot(Request(target.url, ca_file=str(path)))).status == 200


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read: "),
        (b"not a certificate", "holds no PEM certificates"),
        (b"", "holds no PEM certificates"),
        ("directory", "is not a file"),
    ],
)
async def test_a_ca_file_that_cannot_be_used_is_an_outcome(
    shooter: Shooter, nursery: trio.Nursery, tmp_path: Path, content: bytes | str | None, words: str
) -> None:
    path = tmp_path / "ca.pem"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        path.mkdir()
    flown = [shooter.fire(Request("https://127.0.0.1/", ca_file=str(path))) for _ in range(2)]
    for one in flown:
        outcome = await one.outcome()
        assert (outcome.kind, outcome.sent) == (OutcomeKind.TLS, False)
        assert outcome.message is not None
        assert outcome.message.startswith(f"the CA file {path} ")
        assert words in outcome.message


async def test_plain_http_on_a_tls_port(shooter: Shooter, nursery: trio.Nursery) -> None:
    async def plain(client: Client) -> None:
        await client.stream.receive_some()
        await client.send(response(b"", "400 Bad Request"))

    target = await start(nursery, plain)
    outcome = await shooter.shoot(f"https://127.0.0.1:{target.port}/")
    assert (outcome.kind, outcome.sent) == (OutcomeKind.TLS, False)
    assert outcome.message is not None
    assert outcome.message.endswith("does it speak plain HTTP?")


async def test_a_handshake_that_hangs(shooter: Shooter, nursery: trio.Nursery) -> None:
    target = await start(nursery, hangs)
    flown = shooter.fire(Request(f"https://127.0.0.1:{target.port}/", tls_verify=False))
    await shooter.until(lambda _: target.accepted == 1)
    outcome = await shooter.overdue(flown)
    assert (outcome.kind, outcome.sent) == (OutcomeKind.CONNECT_TIMEOUT, False)
    assert outcome.message == f"TLS handshake with 127.0.0.1:{target.port} not finished within 10 s"


@pytest.mark.parametrize(("how", "kind"), [("close", OutcomeKind.TLS), ("reset", OutcomeKind.RESET)])
async def test_a_handshake_that_breaks_off(
    shooter: Shooter, nursery: trio.Nursery, how: str, kind: OutcomeKind
) -> None:
    async def behave(client: Client) -> None:
        await client.stream.receive_some()
        if how == "reset":
            client.reset()

    target = await start(nursery, behave)
    outcome = await shooter.shoot(f"https://127.0.0.1:{target.port}/")
    assert (outcome.kind, outcome.sent) == (kind, False)
    assert outcome.message is not None
    assert "the TLS handshake" in outcome.message


async def test_session_tickets_are_not_taken_for_an_answer(
    shooter: Shooter, nursery: trio.Nursery, authority: trustme.CA, ca_file: str
) -> None:
    """TLS 1.3 sends tickets after the handshake, so a warmed connection gets bytes that nobody asked for."""
    context = context_of(authority.issue_cert("127.0.0.1"))
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 4
    handshaken = trio.Event()

    async def behave(client: Client) -> None:
        assert isinstance(client.stream, trio.SSLStream)
        await client.stream.do_handshake()
        handshaken.set()
        await answers(OK)(client)

    target = await start(nursery, behave, context)
    request = Request(target.url, ca_file=ca_file)
    origin = shooter.arm(request).shot.origin
    assert origin is not None
    await shooter.wire.warm(origin, 1)
    await handshaken.wait()
    for may_reconnect in (False, True, False):
        assert (await shooter.shoot(request, may_reconnect=may_reconnect)).status == 200
    assert target.accepted == 1
    assert shooter.wire.open_connections == 1


async def test_tls_1_2_works(shooter: Shooter, nursery: trio.Nursery, authority: trustme.CA, ca_file: str) -> None:
    context = context_of(authority.issue_cert("127.0.0.1"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    target = await start(nursery, answers(OK), context)
    for _ in range(2):
        assert (await shooter.shoot(Request(target.url, ca_file=ca_file))).status == 200
    assert target.accepted == 1


async def test_large_requests_and_responses_cross_many_records(
    shooter: Shooter, nursery: trio.Nursery, authority: trustme.CA, ca_file: str
) -> None:
    target = await serve(nursery, answers(response(b"0123456789" * 100_000)), authority.issue_cert("127.0.0.1"))
    body = "0123456789" * 300_000
    outcome = await shooter.shoot(Request(target.url, ca_file=ca_file, body=body))
    assert (outcome.kind, len(outcome.excerpt)) == (OutcomeKind.RESPONSE, 4_096)
    assert target.seen[0].endswith(body.encode())
    assert (await shooter.shoot(Request(target.url, ca_file=ca_file))).status == 200
    assert target.accepted == 1


async def test_a_session_closed_while_idle_is_noticed(
    shooter: Shooter, nursery: trio.Nursery, authority: trustme.CA, ca_file: str
) -> None:
    async def behave(client: Client) -> None:
        await client.request()
        await client.send(OK)
        assert isinstance(client.stream, trio.SSLStream)
        await client.stream.unwrap()  # close_notify, and the socket stays open
        await trio.sleep_forever()

    target = await serve(nursery, behave, authority.issue_cert("127.0.0.1"))
    for count in (1, 2):
        outcome = await shooter.shoot(Request(target.url, ca_file=ca_file), may_reconnect=False)
        assert outcome.status == 200
        await shooter.until(lambda wire: wire.open_connections == 0)
        assert target.accepted == count


async def test_a_body_without_length_ends_with_the_session(
    shooter: Shooter, nursery: trio.Nursery, authority: trustme.CA, ca_file: str
) -> None:
    target = await serve(nursery, answers_once(b"HTTP/1.1 200 OK\r\n\r\nall"), authority.issue_cert("127.0.0.1"))
    outcome = await shooter.shoot(Request(target.url, ca_file=ca_file))
    assert (outcome.kind, outcome.excerpt) == (OutcomeKind.RESPONSE, b"all")


async def test_many_sessions_are_warmed_at_once(
    shooter: Shooter, nursery: trio.Nursery, authority: trustme.CA, ca_file: str
) -> None:
    target = await serve(nursery, answers(OK), authority.issue_cert("127.0.0.1"))
    flown = [shooter.arm(Request(target.url, ca_file=ca_file)) for _ in range(70)]
    origin = flown[0].shot.origin
    assert origin is not None
    await shooter.wire.warm(origin, 70)
    assert shooter.wire.open_connections == 70
    for one in flown:
        shooter.wire.fire(one.shot)
    assert [(await one.outcome()).status for one in flown] == [200] * 70
    assert target.accepted == 70
