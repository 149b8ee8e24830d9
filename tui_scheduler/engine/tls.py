"""TLS without sockets: contexts, remembered, and a channel that turns bytes into other bytes."""

from __future__ import annotations

import os
import ssl
import stat
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import trio

from tui_scheduler.domain.job import Request
from tui_scheduler.engine.resolving import Spawn
from tui_scheduler.engine.transport import Origin

_READ_SIZE = 65_536


class TlsSetupError(Exception):
    """No context can be made for an origin; the text is a sentence for a person."""


class _Trust(NamedTuple):
    verify: bool
    ca_file: str | None
    modified_ns: int


class Contexts:
    """One `SSLContext` for each way to trust.

    A `ca_file` is trusted alone, without the system's authorities: who names the one authority of an internal service
    does not want a hundred public ones to be able to vouch for it too. A file that changed is read again.
    """

    def __init__(self) -> None:
        self._contexts: dict[_Trust, ssl.SSLContext] = {}
        self._making: dict[_Trust, list[Callable[[TlsSetupError | None], None]]] = {}

    def ready(self, origin: Origin) -> ssl.SSLContext | None:
        """The context for an origin if there is one by now. Raises `TlsSetupError` for a CA file that is not there."""
        return self._contexts.get(_trust_of(origin))

    def make_in_thread(self, origin: Origin, spawn: Spawn, then: Callable[[TlsSetupError | None], None]) -> None:
        """Make the context and call `then` with what went wrong or None.

        It takes some milliseconds, for the system's authorities are parsed, so a thread does it.
        """
        try:
            trust = _trust_of(origin)
        except TlsSetupError as error:
            then(error)
            return
        waiting = self._making.get(trust)
        if waiting is None:
            self._making[trust] = waiting = []
            spawn(partial(self._make, trust))
        waiting.append(then)

    async def get(self, request: Request) -> ssl.SSLContext:
        """The context for a request, wherever it leads. Raises `TlsSetupError`."""
        origin = Origin("https", "", 443, tls_verify=request.tls_verify, ca_file=request.ca_file)
        trust = _trust_of(origin)
        if trust not in self._contexts:
            self._contexts[trust] = await trio.to_thread.run_sync(_make_context, trust, abandon_on_cancel=True)
        return self._contexts[trust]

    async def _make(self, trust: _Trust) -> None:
        problem: TlsSetupError | None = None
        waiting = self._making[trust]
        try:
            context = await trio.to_thread.run_sync(_make_context, trust, abandon_on_cancel=True)
        except TlsSetupError as error:
            problem = error
        else:
            self._forget_older(trust)
            self._contexts[trust] = context
        finally:
            del self._making[trust]
        for then in waiting:
            then(problem)

    def _forget_older(self, trust: _Trust) -> None:
        for known in [known for known in self._contexts if known[:2] == trust[:2]]:
            del self._contexts[known]


def _trust_of(origin: Origin) -> _Trust:
    if not origin.tls_verify:
        return _Trust(False, None, 0)
    if origin.ca_file is None:
        return _Trust(True, None, 0)
    try:
        status = os.stat(origin.ca_file)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise TlsSetupError(f"the CA file {origin.ca_file} cannot be read: {reason}") from error
    if not stat.S_ISREG(status.st_mode):
        raise TlsSetupError(f"the CA file {origin.ca_file} is not a file")
    return _Trust(True, origin.ca_file, status.st_mtime_ns)


def _make_context(trust: _Trust) -> ssl.SSLContext:
    if not trust.verify:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif trust.ca_file is None:
        context = ssl.create_default_context()
    else:
        try:
            context = ssl.create_default_context(cafile=trust.ca_file)
        except ssl.SSLError as error:
            raise TlsSetupError(f"the CA file {trust.ca_file} holds no PEM certificates") from error
        except OSError as error:
            raise TlsSetupError(f"the CA file {trust.ca_file} cannot be read: {error.strerror}") from error
    context.set_alpn_protocols(["http/1.1"])
    return context


class Channel:
    """One TLS session between two buffers. The caller moves the bytes from and to the socket."""

    __slots__ = ("_incoming", "_object", "_outgoing", "is_closed")

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        name = host.partition("%")[0].rstrip(".")
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        self.is_closed = False

    def handshake(self, received: bytes = b"") -> bool:
        """Go on with the handshake; True when it is done. `outgoing()` may have bytes either way, even after an
        error (the alert). Raises `ssl.SSLError`.
        """
        self._incoming.write(received)
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def encrypt(self, plain: bytes) -> bytes:
        """The bytes to send for `plain`."""
        written = self._object.write(plain)
        while written < len(plain):  # a record holds 16 KiB
            written += self._object.write(memoryview(plain)[written:])
        return self._outgoing.read()

    def decrypt(self, received: bytes) -> bytes:
        """What the peer said in these bytes: b"" when that was no application data (session tickets, key updates).

        Empty `received` is the end of the stream. Sets `is_closed` at the peer's close or at the end. Raises
        `ssl.SSLError`.
        """
        if received:
            self._incoming.write(received)
        else:
            self.is_closed = True
            return b""
        pieces = []
        while self._incoming.pending or self._object.pending():
            try:
                piece = self._object.read(_READ_SIZE)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                self.is_closed = True
                break
            if not piece:
                self.is_closed = True
                break
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def outgoing(self) -> bytes:
        """Bytes of the protocol itself that wait to be sent."""
        return self._outgoing.read() if self._outgoing.pending else b""
