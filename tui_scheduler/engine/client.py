"""Requests that follow redirects, through httpx: the engine's only import of it.

httpx costs some 1,700 µs of CPU a request where the wire costs tens, so nothing else of the engine comes this way, and
the module is imported when the first such request is fired.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from typing import Any, Protocol

import httpx
import trio

from tui_scheduler.domain.errors import Invalid
from tui_scheduler.domain.execution import Outcome, OutcomeKind
from tui_scheduler.domain.job import Request
from tui_scheduler.engine.clock import Clock
from tui_scheduler.engine.failures import (
    Failure,
    connect_failure,
    in_seconds,
    tls_failure,
    too_large,
    unresolved,
    where,
)
from tui_scheduler.engine.render import USER_AGENT, Headers, fields_of, target_of
from tui_scheduler.engine.response import Limits, kept, retry_after_in
from tui_scheduler.engine.tls import Contexts, TlsSetupError
from tui_scheduler.engine.transport import Origin

MAX_REDIRECTS = 10


class _TooLong(Exception):
    """The body is over the limit."""


class _Closable(Protocol):
    async def aclose(self) -> None: ...


class _Journey:
    """What is known so far of a request that may be redirected: filled in on the way, told at the end."""

    def __init__(self, clock: Clock, origin: Origin) -> None:
        self._clock = clock
        self.target = where(origin)
        self.started_at: int | None = None
        self.stage = "no connection to"
        self.response: httpx.Response | None = None
        self.size = 0
        self.excerpt = b""
        self._unprotected: _Closable | None = None

    async def trace(self, event: str, info: dict[str, Any]) -> None:
        """Told by httpcore of every step."""
        if event == "connection.connect_tcp.complete":
            self._unprotected = info["return_value"]
        elif event == "connection.start_tls.complete":
            self._unprotected = None
        elif event == "connection.start_tls.started":
            self.stage = "no TLS with"
        elif event == "http11.send_request_headers.started":
            self.stage = "no response from"
            if self.started_at is None:
                self.started_at = self._clock.now()

    async def aim(self, request: httpx.Request) -> None:
        """Told by httpx before each hop."""
        url = request.url
        port = url.port or (443 if url.scheme == "https" else 80)
        self.target = where(Origin(url.scheme, url.host, port))

    async def close(self) -> None:
        """Close what httpcore forgets: a connection whose TLS handshake is cancelled."""
        if self._unprotected is not None:
            with trio.CancelScope(shield=True):  # closes a socket, and waits for nobody
                await self._unprotected.aclose()

    def stuck(self, timeout_s: float) -> Failure:
        """Where it hung when the time was up."""
        waited = in_seconds(round(timeout_s * 1_000_000))
        if self.response is not None:
            received = f"({self.size:,} bytes received)"
            return Failure(OutcomeKind.TIMEOUT, f"response body of {self.target} incomplete after {waited} {received}")
        kind = OutcomeKind.CONNECT_TIMEOUT if self.started_at is None else OutcomeKind.TIMEOUT
        return Failure(kind, f"{self.stage} {self.target} within {waited}")

    def end(self, failure: Failure | None) -> Outcome:
        """The outcome: the response, or the failure with what is known of a response."""
        now = self._clock.now()
        response = self.response
        headers = [] if response is None else response.headers.raw
        is_error = response is not None and response.status_code >= 400
        return Outcome(
            OutcomeKind.RESPONSE if failure is None else failure.kind,
            now,
            self.started_at,
            None if response is None else response.status_code,
            None if failure is None else failure.message,
            sent=self.started_at is not None,
            retry_after=retry_after_in(headers, now) if is_error else None,
            excerpt=self.excerpt,
            headers=kept(headers),
        )


async def send_following(
    request: Request,
    headers: Headers,
    timeout_s: float,
    clock: Clock,
    *,
    contexts: Contexts,
    limits: Limits,
    user_agent: str = USER_AGENT,
) -> Outcome:
    """Send a request and follow its redirects, at most 10. `timeout_s` is for all of it. Raises nothing to expect.

    As browsers do, 301, 302 and 303 turn a POST into a GET; 307 and 308 repeat it. `started_at` is when the first
    byte of the first request left. Proxies of the environment are not used, as nowhere on the wire.
    """
    try:
        target = target_of(request)
        fields = fields_of(request, headers, user_agent)
    except Invalid as invalid:
        return Outcome(OutcomeKind.NOT_SENT, clock.now(), message=str(invalid), sent=False)
    origin = target.origin
    journey = _Journey(clock, origin)
    url = f"{origin.scheme}://{where(origin)}{target.path}"
    failure: Failure | None = None
    with trio.move_on_after(timeout_s) as scope:
        try:
            # A redirect may lead from http to https, so there has to be a context in any case.
            context = await contexts.get(request)
            async with _client(context, journey) as client:
                await _fetch(client, request, url, fields, journey, limits)
        except TlsSetupError as error:
            failure = Failure(OutcomeKind.TLS, str(error))
        except _TooLong:
            failure = too_large(journey.target, limits.body)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            failure = _translated(error, journey)
        finally:
            await journey.close()
    if scope.cancelled_caught:
        failure = journey.stuck(timeout_s)
    return journey.end(failure)


def _client(context: ssl.SSLContext, journey: _Journey) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        verify=context,
        trust_env=False,
        timeout=None,  # noqa: S113 the whole has a limit
        follow_redirects=True,
        max_redirects=MAX_REDIRECTS,
        event_hooks={"request": [journey.aim]},
    )


async def _fetch(
    client: httpx.AsyncClient,
    request: Request,
    url: str,
    fields: list[tuple[str, str]],
    journey: _Journey,
    limits: Limits,
) -> None:
    body = None if request.body is None else request.body.encode()
    encoded = [(name.encode(), value.encode()) for name, value in fields]
    extensions = {"trace": journey.trace}
    async with client.stream(
        request.method.upper(), url, content=body, headers=encoded, extensions=extensions
    ) as response:
        journey.response = response
        with trio.CancelScope() as enough:
            async for piece in response.aiter_raw():
                journey.size += len(piece)
                if len(journey.excerpt) < limits.excerpt:
                    journey.excerpt = (journey.excerpt + piece)[: limits.excerpt]
                if journey.size > limits.body:
                    enough.cancel()  # ends the iteration from inside; leaving it would strand httpx's generators
        if journey.size > limits.body:
            raise _TooLong


def _translated(error: Exception, journey: _Journey) -> Failure:
    target = journey.target
    if isinstance(error, httpx.TooManyRedirects):
        return Failure(OutcomeKind.REDIRECTS, f"stopped after {MAX_REDIRECTS} redirects, the last to {target}")
    causes = list(_causes(error))
    if any(isinstance(cause, httpx.UnsupportedProtocol | httpx.InvalidURL) for cause in causes):
        return Failure(OutcomeKind.GARBAGE, f"{target} redirected to a URL that cannot be followed")
    for cause in causes:
        if isinstance(cause, ssl.SSLError):
            return tls_failure(cause, target)
        if isinstance(cause, socket.gaierror):
            return unresolved(target.rpartition(":")[0], cause.strerror or "unknown name")
    if isinstance(error, httpx.ConnectError):
        codes = [cause.errno for cause in causes if isinstance(cause, OSError) and cause.errno]
        return connect_failure(codes[0] if codes else None, target)
    if isinstance(error, httpx.RemoteProtocolError):
        # The parser's complaint is the cause; a connection that simply closed has none.
        if journey.response is None and any(type(cause).__module__.startswith("h11.") for cause in causes):
            return Failure(OutcomeKind.GARBAGE, f"{target} sent an invalid response")
        return Failure(OutcomeKind.CLOSED, f"{target} closed the connection before the response was complete")
    return Failure(OutcomeKind.RESET, f"{target} broke off the connection")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An exception and everything it came from, through groups too (trio tries several addresses)."""
    yield error
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from _causes(part)
    cause = error.__cause__ or error.__context__
    if cause is not None:
        yield from _causes(cause)
