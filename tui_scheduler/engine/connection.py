"""One connection to a target: opened, perhaps encrypted, and then one request and response after another.

A state machine driven by the poller, without a task. Nothing in here blocks.
"""

from __future__ import annotations

import errno
import socket
import ssl
from enum import IntEnum
from typing import Protocol

from tui_scheduler.domain.execution import OutcomeKind
from tui_scheduler.engine.deadlines import Expiring
from tui_scheduler.engine.failures import (
    Failure,
    connect_failure,
    in_seconds,
    reason,
    tls_failure,
    too_large,
    unresolved,
    where,
)
from tui_scheduler.engine.flight import Flight, Holder, Surroundings
from tui_scheduler.engine.poller import READ, WRITE
from tui_scheduler.engine.resolving import Address, Answer, Unresolved
from tui_scheduler.engine.response import Garbage, ResponseReader, TooLarge
from tui_scheduler.engine.tls import Channel, TlsSetupError
from tui_scheduler.engine.transport import Origin

_READ_SIZE = 65_536
_OPEN_LIMIT_S = 30.0
"""A connection that nobody may be waiting for any more is given up after this."""

_NEXT_ADDRESS_S = 1.0
"""Where a name has several addresses, a silent one holds up the next for this long."""

_EPHEMERAL_PORTS = 32_768


class Stage(IntEnum):
    """How far a connection has come."""

    RESOLVING = 0
    PREPARING = 1
    CONNECTING = 2
    HANDSHAKING = 3
    OPEN = 4
    CLOSED = 5


class Home(Protocol):
    """Where a connection belongs; told of every change that matters to others."""

    origin: Origin

    def opened(self, connection: Connection) -> None:
        """It is ready for its first request."""
        ...

    def not_opened(self, connection: Connection, failure: Failure) -> None:
        """It could not be opened, and is closed."""
        ...

    def returned(self, connection: Connection) -> None:
        """It has done its work and is ready for the next request."""
        ...

    def closed(self, connection: Connection) -> None:
        """It was open and is no more."""
        ...

    def resend(self, flight: Flight) -> None:
        """Send this flight on a fresh connection: the one it was given turned out to be closed."""
        ...


class Connection(Expiring, Holder):
    """A socket and what goes over it. While opening, `expire` gives up on an address or on the whole."""

    __slots__ = (
        "_addresses",
        "_context",
        "_home",
        "_is_watched",
        "_reader",
        "_socket",
        "_surroundings",
        "_tls",
        "_unsent",
        "_was_idle",
        "_where",
        "flight",
        "idle_since",
        "stage",
    )

    _socket: socket.socket  # from CONNECTING on

    def __init__(self, home: Home, surroundings: Surroundings) -> None:
        self.bucket = None
        self._home = home
        self._surroundings = surroundings
        self._is_watched = False
        self._context: ssl.SSLContext | None = None
        self._tls: Channel | None = None
        self._unsent: memoryview | None = None
        self._reader = ResponseReader(surroundings.limits)
        self._was_idle = False
        self._where = where(home.origin)
        self._addresses: list[Address] = []
        self.flight: Flight | None = None
        self.idle_since = 0.0
        self.stage = Stage.RESOLVING

    @property
    def reader(self) -> ResponseReader:
        """What is known of the response so far."""
        return self._reader

    # Opening.

    def open(self) -> None:
        """Begin to connect; the home hears of the end of it, possibly at once."""
        self._set_limit(_OPEN_LIMIT_S)
        origin = self._home.origin
        self._surroundings.resolver.lookup(origin.host, origin.port, self._resolved)

    def _resolved(self, answer: Answer) -> None:
        if self.stage is not Stage.RESOLVING:
            return
        if isinstance(answer, Unresolved):
            self._give_up(unresolved(self._home.origin.host, answer.reason))
            return
        self._addresses = list(answer)
        if self._home.origin.scheme == "https":
            self.stage = Stage.PREPARING
            self._get_context(None)
        else:
            self.stage = Stage.CONNECTING
            self._try_next_address()

    def _get_context(self, problem: TlsSetupError | None) -> None:
        """Go on with the context; another thread makes it the first time, and this is called again."""
        if self.stage is not Stage.PREPARING:
            return
        origin = self._home.origin
        contexts = self._surroundings.contexts
        try:
            if problem is not None:
                raise problem
            self._context = contexts.ready(origin)
        except TlsSetupError as error:
            self._give_up(Failure(OutcomeKind.TLS, str(error)))
            return
        if self._context is None:
            contexts.make_in_thread(origin, self._surroundings.spawn, self._get_context)
            return
        self.stage = Stage.CONNECTING
        self._try_next_address()

    def _try_next_address(self) -> None:
        address = self._addresses[0]
        try:
            sock = socket.socket(address.family, socket.SOCK_STREAM)
        except OSError as error:
            self._give_up(Failure(OutcomeKind.NOT_SENT, f"no socket for {self._where}: {reason(error.errno)}"))
            return
        self._socket = sock
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = sock.connect_ex(address.sockaddr)
        if code not in (0, errno.EINPROGRESS, errno.EWOULDBLOCK):
            sock.close()
            self._address_failed(code)
            return
        if len(self._addresses) > 1:
            self._set_limit(_NEXT_ADDRESS_S)
        self._surroundings.poller.watch(sock, self, WRITE)
        self._is_watched = True

    def _address_failed(self, code: int) -> None:
        self._addresses.pop(0)
        if self._addresses:
            self._drop_socket()
            self._set_limit(_OPEN_LIMIT_S)
            self._try_next_address()
            return
        self._surroundings.resolver.forget(self._home.origin.host, self._home.origin.port)
        self._give_up(connect_failure(code, self._where))

    def _connected(self) -> None:
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code == 0 and self._home.origin.port >= _EPHEMERAL_PORTS and _reached_itself(self._socket):
            code = errno.ECONNREFUSED
        if code:
            self._address_failed(code)
            return
        origin = self._home.origin
        self._surroundings.resolver.prefer(origin.host, origin.port, self._addresses[0])
        self._set_limit(_OPEN_LIMIT_S)
        if self._context is None:
            self._ready()
        else:
            self._begin_tls(self._context)

    def _begin_tls(self, context: ssl.SSLContext) -> None:
        self.stage = Stage.HANDSHAKING
        try:
            self._tls = Channel(context, self._home.origin.host)
        except (ssl.SSLError, ValueError) as error:
            self._give_up(Failure(OutcomeKind.TLS, f"no TLS with {self._where}: {error}"))
            return
        self._watch_for()
        self._shake_hands(self._tls, b"")

    def _shake_hands(self, tls: Channel, received: bytes) -> None:
        try:
            is_done = tls.handshake(received)
        except ssl.SSLError as error:
            self._flush(tls.outgoing())  # the alert, so that the target's log has the reason too
            self._give_up(tls_failure(error, self._where))
            return
        self._flush(tls.outgoing())
        if is_done:
            self._ready()

    def _receive_handshake(self) -> None:
        try:
            received = self._socket.recv(_READ_SIZE)
        except BlockingIOError:
            return
        except OSError as error:
            kind = OutcomeKind.RESET if error.errno == errno.ECONNRESET else OutcomeKind.UNREACHABLE
            message = f"{self._where} broke off the TLS handshake: {reason(error.errno)}"
            self._give_up(Failure(kind, message))
            return
        if received and self._tls is not None:
            self._shake_hands(self._tls, received)
        else:
            message = f"{self._where} closed the connection during the TLS handshake"
            self._give_up(Failure(OutcomeKind.TLS, message))

    def _ready(self) -> None:
        self._surroundings.deadlines.discard(self)
        self.stage = Stage.OPEN
        self._addresses = []
        self._surroundings.counts.opened += 1
        self._watch_for()
        self._home.opened(self)

    def _give_up(self, failure: Failure) -> None:
        self._shut()
        self._home.not_opened(self, failure)

    def _set_limit(self, seconds: float) -> None:
        deadlines = self._surroundings.deadlines
        deadlines.discard(self)
        deadlines.add(self, self._surroundings.clock.monotonic() + seconds)

    def expire(self) -> None:
        """Opening took too long: the next address, or the end."""
        if self.stage is Stage.CONNECTING and len(self._addresses) > 1:
            self._address_failed(errno.ETIMEDOUT)
        elif self.stage < Stage.OPEN:
            self._give_up(Failure(OutcomeKind.CONNECT_TIMEOUT, self.stuck_opening(int(_OPEN_LIMIT_S * 1_000_000))))

    def stuck_opening(self, waited: int) -> str:
        """A sentence on what of the opening did not end within `waited` µs."""
        if self.stage is Stage.RESOLVING:
            return f"{self._home.origin.host} did not resolve within {in_seconds(waited)}"
        if self.stage is Stage.PREPARING:
            return f"the certificates to trust for {self._where} were not read within {in_seconds(waited)}"
        if self.stage is Stage.HANDSHAKING:
            return f"TLS handshake with {self._where} not finished within {in_seconds(waited)}"
        return f"no connection to {self._where} within {in_seconds(waited)}"

    # Sending.

    def carry(self, flight: Flight, *, was_idle: bool) -> None:
        """Send the flight's request now, in one system call where the kernel takes it all."""
        shot = flight.shot
        self.flight = flight
        self._was_idle = was_idle
        flight.holder = self
        self._reader.expect(is_head=flight.is_head)
        payload = shot.payload
        try:
            if self._tls is not None:
                payload = self._tls.encrypt(payload)
            if self._unsent is not None:
                payload = bytes(self._unsent) + payload
            if shot.started_at is None:
                shot.started_at = self._surroundings.clock.now()
            sent = self._socket.send(payload)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._could_not_send(flight)
            return
        if sent:
            flight.sent = True
        if sent < len(payload):
            if not flight.sent:
                shot.started_at = None
            self._unsent = memoryview(payload)[sent:]
            self._watch_for()

    def _could_not_send(self, flight: Flight) -> None:
        """Not a byte went out: the connection was closed already. The target may have said why before."""
        if not flight.sent:
            flight.shot.started_at = None
        if self._was_idle and not flight.needs_fresh:
            self.flight = None
            self.close()
            self._home.resend(flight)
        else:
            self._receive()
            if self.flight is flight and self.stage is Stage.OPEN:
                self._fail(Failure(OutcomeKind.RESET, f"{self._where} broke off the connection"))

    def _send_more(self) -> None:
        if self._unsent is None:
            return
        now = self._surroundings.clock.now()
        try:
            sent = self._socket.send(self._unsent)
        except BlockingIOError:
            return
        except OSError:
            self._unsent = None  # reading tells what became of it, perhaps even a response
            self._watch_for()
            return
        flight = self.flight
        if flight is not None and sent:
            flight.sent = True
            if flight.shot.started_at is None:
                flight.shot.started_at = now
        self._unsent = self._unsent[sent:] if sent < len(self._unsent) else None
        self._watch_for()

    def _flush(self, protocol_bytes: bytes) -> None:
        """Send what TLS itself has to say; behind what is still unsent, for records keep their order."""
        if not protocol_bytes:
            return
        if self._unsent is None:
            try:
                sent = self._socket.send(protocol_bytes)
            except BlockingIOError:
                sent = 0
            except OSError:
                return  # reading tells
            if sent == len(protocol_bytes):
                return
            protocol_bytes = protocol_bytes[sent:]
        self._unsent = memoryview(bytes(self._unsent or b"") + protocol_bytes)
        self._watch_for()

    def _watch_for(self) -> None:
        self._surroundings.poller.change(self._socket, self, READ if self._unsent is None else READ | WRITE)

    # Receiving.

    def on_ready(self, events: int) -> None:
        """Called by the poller."""
        if self.stage is Stage.OPEN:
            if events & WRITE:
                self._send_more()
            if events & READ and self.stage is Stage.OPEN:
                self._receive()
        elif self.stage is Stage.HANDSHAKING:
            if events & WRITE:
                self._send_more()
            self._receive_handshake()
        elif self.stage is Stage.CONNECTING and events & WRITE:
            self._connected()

    def is_usable(self) -> bool:
        """Look whether an idle connection was closed by the peer, or got bytes nobody asked for."""
        self._receive()
        return self.stage is Stage.OPEN

    def _receive(self) -> None:
        try:
            data = self._socket.recv(_READ_SIZE)
        except BlockingIOError:
            return
        except OSError as error:
            self._lost(OutcomeKind.RESET, f"broke off the connection ({reason(error.errno)})")
            return
        if self._tls is not None:
            self._receive_tls(self._tls, data)
        elif data:
            self._take(data)
        else:
            self._lost(OutcomeKind.CLOSED, "closed the connection")

    def _receive_tls(self, tls: Channel, data: bytes) -> None:
        try:
            plain = tls.decrypt(data)
        except ssl.SSLError as error:
            self._flush(tls.outgoing())
            if self.flight is None:
                self.close()
            else:
                self._fail(tls_failure(error, self._where))
            return
        self._flush(tls.outgoing())
        if plain:
            self._take(plain)
        if tls.is_closed and self.stage is Stage.OPEN:
            self._lost(OutcomeKind.CLOSED, "closed the connection")

    def _take(self, data: bytes) -> None:
        flight = self.flight
        if flight is None:
            self.close()  # nobody asked; whatever it says would be taken for the next answer
            return
        try:
            is_complete = self._reader.feed(data)
        except Garbage as garbage:
            message = f"{self._where} sent an invalid response: {garbage}"
            self._fail(Failure(OutcomeKind.GARBAGE, message))
            return
        except TooLarge:
            self._fail(too_large(self._where, self._surroundings.limits.body))
            return
        if is_complete:
            self._complete(flight)

    def _complete(self, flight: Flight) -> None:
        reader = self._reader
        is_reusable = reader.keeps_alive and not reader.has_surplus and self._unsent is None
        is_reusable = is_reusable and not (self._tls is not None and self._tls.is_closed)
        self.flight = None
        flight.holder = None
        if not is_reusable:
            self.close()
        flight.answer(reader)
        if is_reusable and self.stage is Stage.OPEN:
            self._home.returned(self)

    def _lost(self, kind: OutcomeKind, what: str) -> None:
        """The peer ended the connection: the proper end of a response, an idle connection's, or a failure."""
        flight = self.flight
        if flight is None:
            self.close()
            return
        reader = self._reader
        if reader.is_untouched:
            if self._was_idle and flight.shot.may_reconnect and not flight.needs_fresh:
                self.flight = None
                self.close()
                self._surroundings.counts.reconnects += 1
                self._home.resend(flight)
                return
            self._fail(Failure(kind, f"{self._where} {what} before any response"))
        elif kind is OutcomeKind.CLOSED and reader.ends_with_connection():
            self._complete(flight)
        elif not reader.headers_complete:
            self._fail(Failure(kind, f"{self._where} {what} in the middle of the response headers"))
        else:
            part = f"in the middle of the response body ({reader.body_size:,} bytes received)"
            self._fail(Failure(kind, f"{self._where} {what} {part}"))

    def _fail(self, failure: Failure) -> None:
        flight, self.flight = self.flight, None
        self.close()
        if flight is not None:
            flight.fail(failure, self._reader)

    # Ending.

    def let_go(self, flight: Flight) -> Failure:
        """The flight ends here and now, and with it the connection: a late answer must not be taken for another's."""
        stuck = Failure(OutcomeKind.TIMEOUT, self._where_it_hangs(in_seconds(flight.shot.timeout)))
        self.flight = None
        self.close()
        return stuck

    def _where_it_hangs(self, waited: str) -> str:
        reader = self._reader
        if reader.headers_complete:
            return f"response body of {self._where} incomplete after {waited} ({reader.body_size:,} bytes received)"
        if not reader.is_untouched:
            return f"response headers of {self._where} incomplete after {waited}"
        if self._unsent is not None:
            return f"{self._where} did not take the whole request within {waited}"
        return f"no response from {self._where} within {waited}"

    def close(self) -> None:
        """Close an open connection, without regard to a flight. Harmless when it is closed."""
        if self.stage is Stage.OPEN:
            self._shut()
            self._home.closed(self)
        elif self.stage is not Stage.CLOSED:
            self._shut()

    def bug(self) -> None:
        """An exception of ours got out while this connection was served: it cannot be trusted any more."""
        message = f"an internal error while talking to {self._where}"
        if self.stage is Stage.OPEN:
            self._fail(Failure(OutcomeKind.GARBAGE, message))
        elif self.stage is not Stage.CLOSED:
            self._give_up(Failure(OutcomeKind.NOT_SENT, message))

    def _shut(self) -> None:
        self.stage = Stage.CLOSED
        self._surroundings.deadlines.discard(self)
        self._drop_socket()
        self._unsent = None

    def _drop_socket(self) -> None:
        if self._is_watched:
            self._is_watched = False
            self._surroundings.poller.unwatch(self._socket)
            self._socket.close()


def _reached_itself(sock: socket.socket) -> bool:
    """A connect to a local port nobody listens on may, by TCP's rules, meet itself."""
    try:
        return bool(sock.getsockname() == sock.getpeername())
    except OSError:
        return False
