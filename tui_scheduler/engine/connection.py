"""A connection to a target: one request and response after another, plain or over TLS.

Driven by the poller, without a task. Nothing in here blocks.
"""

from __future__ import annotations

import ssl
from typing import Protocol

from tui_scheduler.domain.execution import OutcomeKind
from tui_scheduler.engine.failures import Failure, in_seconds, reason, tls_failure, too_large
from tui_scheduler.engine.flight import Flight, Holder, Surroundings
from tui_scheduler.engine.opening import READ_SIZE, Opening, Stage
from tui_scheduler.engine.poller import READ, WRITE
from tui_scheduler.engine.response import Garbage, ResponseReader, TooLarge
from tui_scheduler.engine.tls import Channel
from tui_scheduler.engine.transport import Origin


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


class Connection(Opening, Holder):
    """An open socket and what goes over it, at most one flight at a time."""

    __slots__ = ("_home", "_reader", "_was_idle", "flight", "idle_since")

    def __init__(self, home: Home, surroundings: Surroundings) -> None:
        super().__init__(home.origin, surroundings)
        self._home = home
        self._reader = ResponseReader(surroundings.limits)
        self._was_idle = False
        self.flight: Flight | None = None
        self.idle_since = 0.0

    @property
    def reader(self) -> ResponseReader:
        """What is known of the response so far."""
        return self._reader

    def _opened(self) -> None:
        self._home.opened(self)

    def _not_opened(self, failure: Failure) -> None:
        self._home.not_opened(self, failure)

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

    def _send_more(self, flight: Flight | None) -> None:
        now = self._surroundings.clock.now()
        if self._send_rest() and flight is not None:
            flight.sent = True
            if flight.shot.started_at is None:
                flight.shot.started_at = now

    # Receiving.

    def on_ready(self, events: int) -> None:
        """Called by the poller."""
        if self.stage is not Stage.OPEN:
            super().on_ready(events)
            return
        if events & WRITE:
            self._send_more(self.flight)
        if events & READ:
            self._receive()

    def is_usable(self) -> bool:
        """Look whether an idle connection was closed by the peer, or got bytes nobody asked for."""
        self._receive()
        return self.stage is Stage.OPEN

    def _receive(self) -> None:
        try:
            data = self._socket.recv(READ_SIZE)
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
