"""The first part of a connection's life: look up, connect, and agree on TLS.

A state machine driven by the poller, without a task. Nothing in here blocks.
"""

from __future__ import annotations

import errno
import socket
import ssl
from enum import IntEnum

from tui_scheduler.domain.execution import OutcomeKind
from tui_scheduler.engine.deadlines import Expiring
from tui_scheduler.engine.failures import Failure, connect_failure, in_seconds, reason, tls_failure, unresolved, where
from tui_scheduler.engine.flight import Surroundings
from tui_scheduler.engine.poller import READ, WRITE
from tui_scheduler.engine.resolving import Address, Answer, Unresolved
from tui_scheduler.engine.tls import Channel, TlsSetupError
from tui_scheduler.engine.transport import Origin

READ_SIZE = 65_536

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


class Opening(Expiring):
    """A socket on its way to being usable; `expire` gives up on an address or on the whole.

    Whoever continues its life implements `_opened` and `_not_opened`, one of which is called once.
    """

    __slots__ = (
        "_addresses",
        "_context",
        "_is_watched",
        "_origin",
        "_socket",
        "_surroundings",
        "_tls",
        "_unsent",
        "_where",
        "stage",
    )

    _socket: socket.socket  # from CONNECTING on

    def __init__(self, origin: Origin, surroundings: Surroundings) -> None:
        super().__init__()
        self._origin = origin
        self._surroundings = surroundings
        self._is_watched = False
        self._context: ssl.SSLContext | None = None
        self._tls: Channel | None = None
        self._unsent: memoryview | None = None
        self._where = where(origin)
        self._addresses: list[Address] = []
        self.stage = Stage.RESOLVING

    def open(self) -> None:
        """Begin to connect; the home hears of the end of it, possibly at once."""
        self._set_limit(_OPEN_LIMIT_S)
        origin = self._origin
        self._surroundings.resolver.lookup(origin.host, origin.port, self._resolved)

    def _resolved(self, answer: Answer) -> None:
        if self.stage is not Stage.RESOLVING:
            return
        if isinstance(answer, Unresolved):
            self._give_up(unresolved(self._origin.host, answer.reason))
            return
        self._addresses = list(answer)
        if self._origin.scheme == "https":
            self.stage = Stage.PREPARING
            self._get_context(None)
        else:
            self.stage = Stage.CONNECTING
            self._try_next_address()

    def _get_context(self, problem: TlsSetupError | None) -> None:
        """Go on with the context; another thread makes it the first time, and this is called again."""
        if self.stage is not Stage.PREPARING:
            return
        origin = self._origin
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
        self._surroundings.resolver.forget(self._origin.host, self._origin.port)
        self._give_up(connect_failure(code, self._where))

    def _connected(self) -> None:
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code == 0 and self._origin.port >= _EPHEMERAL_PORTS and _reached_itself(self._socket):
            code = errno.ECONNREFUSED
        if code:
            self._address_failed(code)
            return
        origin = self._origin
        self._surroundings.resolver.prefer(origin.host, origin.port, self._addresses[0])
        self._set_limit(_OPEN_LIMIT_S)
        if self._context is None:
            self._ready()
        else:
            self._begin_tls(self._context)

    def _begin_tls(self, context: ssl.SSLContext) -> None:
        self.stage = Stage.HANDSHAKING
        try:
            self._tls = Channel(context, self._origin.host)
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
            received = self._socket.recv(READ_SIZE)
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
        self._opened()

    def _give_up(self, failure: Failure) -> None:
        self._shut()
        self._not_opened(failure)

    def _opened(self) -> None:
        """It is open."""
        raise NotImplementedError

    def _not_opened(self, failure: Failure) -> None:
        """It could not be opened."""
        raise NotImplementedError

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
            return f"{self._origin.host} did not resolve within {in_seconds(waited)}"
        if self.stage is Stage.PREPARING:
            return f"the certificates to trust for {self._where} were not read within {in_seconds(waited)}"
        if self.stage is Stage.HANDSHAKING:
            return f"TLS handshake with {self._where} not finished within {in_seconds(waited)}"
        return f"no connection to {self._where} within {in_seconds(waited)}"

    def on_ready(self, events: int) -> None:
        """Called by the poller."""
        if self.stage is Stage.HANDSHAKING:
            if events & WRITE:
                self._send_rest()
            self._receive_handshake()
        elif self.stage is Stage.CONNECTING and events & WRITE:
            self._connected()

    # The socket.

    def _send_rest(self) -> int:
        """Send what is still unsent as far as the kernel takes it; returns how much that was."""
        if self._unsent is None:
            return 0
        try:
            sent = self._socket.send(self._unsent)
        except BlockingIOError:
            return 0
        except OSError:
            sent = 0
            self._unsent = None  # reading tells what became of it, perhaps even a response
        else:
            self._unsent = self._unsent[sent:] if sent < len(self._unsent) else None
        self._watch_for()
        return sent

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
