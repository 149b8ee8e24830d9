"""What the limits of a queue and a maintenance window look like in a request."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pydantic import BeforeValidator

from tui_scheduler.api.schemas import Fields, Instant, Milliseconds, Str
from tui_scheduler.domain.errors import Invalid
from tui_scheduler.domain.queues import Limits, Rate, parse_rate
from tui_scheduler.domain.windows import WindowSpec


def _rate(value: object) -> object:
    """`10/s`, `100/1m`, `5000/1h`."""
    if value is None:
        return None
    try:
        return parse_rate(value if isinstance(value, str) else "")
    except Invalid as error:
        raise ValueError(error.reason) from None


class QueueLimits(Fields):
    """Any subset of what limits a queue; null lifts a limit, what is left out stays."""

    concurrency: int | None = None
    rate: Annotated[Rate | None, BeforeValidator(_rate, json_schema_input_type=str | None)] = None
    paused: bool = False

    def applied_to(self, limits: Limits) -> Limits:
        """`limits` with what is given here."""
        return replace(limits, **self.given())


class WindowFields(Fields):
    """Any subset of a maintenance window: once from startsAt to endsAt, or for durationMs from each instant of a
    schedule; null takes one away, what is left out stays.
    """

    name: Str = ""
    queue: Str | None = None
    starts_at: Instant | None = None
    ends_at: Instant | None = None
    schedule: Str | None = None
    duration_ms: Milliseconds | None = None
    timezone: Str = "UTC"
    enabled: bool = True

    def applied_to(self, spec: WindowSpec) -> WindowSpec:
        """`spec` with what is given here."""
        return replace(spec, **self.given())
