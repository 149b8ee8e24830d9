"""What can go wrong on the way to a target, as a kind and a sentence for a person."""

from __future__ import annotations

import errno
import os
import ssl
from typing import NamedTuple

from tui_scheduler.domain.execution import OutcomeKind
from tui_scheduler.engine.transport import Origin


class Failure(NamedTuple):
    """How something on the wire went wrong, and a short sentence that names the target."""

    kind: OutcomeKind
    message: str


def where(origin: Origin) -> str:
    """`host:port`, for people."""
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    return f"{host}:{origin.port}"


def in_seconds(micros: int) -> str:
    """A duration for people: "2 s", "0.25 s"."""
    return f"{micros / 1_000_000:g} s"


def reason(code: int | None) -> str:
    """The system's words for an errno."""
    return os.strerror(code).lower() if code else "unknown error"


def connect_failure(code: int | None, target: str) -> Failure:
    """A TCP connection could not be made, for this errno."""
    if code == errno.ECONNREFUSED:
        return Failure(OutcomeKind.REFUSED, f"{target} refused the connection")
    if code == errno.ETIMEDOUT:
        return Failure(OutcomeKind.CONNECT_TIMEOUT, f"no connection to {target}: the system gave up waiting")
    if code == errno.ECONNRESET:
        return Failure(OutcomeKind.RESET, f"{target} broke off the connection while it was being made")
    return Failure(OutcomeKind.UNREACHABLE, f"{target} cannot be reached: {reason(code)}")


def unresolved(host: str, why: str) -> Failure:
    """A name has no address; `why` in the resolver's words."""
    return Failure(OutcomeKind.UNRESOLVED, f"{host} does not resolve: {why.lower()}")


def tls_failure(error: ssl.SSLError, target: str) -> Failure:
    """TLS did not come about, or broke."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message.rstrip(".")
        return Failure(OutcomeKind.TLS, f"the certificate of {target} is not trusted: {why}")
    words = (error.reason or str(error)).replace("_", " ").lower()
    hint = "; does it speak plain HTTP?" if error.reason in {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"} else ""
    return Failure(OutcomeKind.TLS, f"TLS with {target} failed: {words}{hint}")


def too_large(target: str, limit: int) -> Failure:
    """A response beyond `limit` bytes."""
    return Failure(OutcomeKind.TOO_LARGE, f"the response of {target} is larger than {limit:,} bytes")
