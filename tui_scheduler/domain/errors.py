"""The few exceptions of the program. Each builds its own message; nobody matches on message text.

An expected failure of a firing (a timeout, a 500) is not here: that is an `Outcome`, which is data.
"""

from __future__ import annotations


class SchedulerError(Exception):
    """Base of all; `str()` of it is one clear sentence for a person."""


class Invalid(SchedulerError):
    """A value a user gave cannot be taken.

    `field` is the name as in the JSON (camelCase, dotted for nested ones), `reason` a sentence without a final
    full stop, `position` the 0-based character offset inside the value where one is known, `example` a value that
    would be accepted.
    """

    def __init__(self, field: str, reason: str, *, position: int | None = None, example: str | None = None) -> None:
        self.field = field
        self.reason = reason
        self.position = position
        self.example = example
        at = "" if position is None else f" (at position {position + 1})"
        like = "" if example is None else f"; for example: {example}"
        super().__init__(f"{field}: {reason}{at}{like}")


class NotFound(SchedulerError):
    """No such job or execution."""

    def __init__(self, what: str, key: str) -> None:
        self.what = what
        self.key = key
        super().__init__(f"no {what} with id {key!r}")


class Conflict(SchedulerError):
    """The request is well formed but does not fit the present state (a deleted job, an edit of an old version)."""


class StoreUnavailable(SchedulerError):
    """The database cannot be used now or at all: locked, read-only, full, unreachable, of a newer version.

    `transient` says whether trying again later can help.
    """

    def __init__(self, reason: str, *, transient: bool) -> None:
        self.transient = transient
        super().__init__(reason)


class IllegalTransition(SchedulerError):
    """A state change the execution state machine does not have. A broken promise of ours, never a user's fault."""

    def __init__(self, current: str, wanted: str) -> None:
        super().__init__(f"an execution cannot go from {current} to {wanted}")
