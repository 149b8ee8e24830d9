"""The four sample jobs of the original design."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from tui_scheduler.control.control import Control
from tui_scheduler.control.views import JobQuery, JobView
from tui_scheduler.domain.filtering import parse_filter
from tui_scheduler.domain.job import JobSpec, Request

TAG: Final = "sample"
RECEIVER: Final = "http://127.0.0.1:3001"
"""Where `tui-scheduler echo` listens by default."""

_PAGE: Final = 1_000
_SAMPLES: Final = {
    "every-minute": "0 * * * * *",
    "every-hour": "30 0 * * * *",
    "every-noon": "0 0 12 * * *",
    "weekday-nights": "31 10-15 1 * * MON-FRI",
}


def sample_jobs(receiver: str = RECEIVER) -> list[JobSpec]:
    """The samples, each sent to a path of its own below `receiver`."""
    return [
        JobSpec(
            schedule=schedule,
            request=Request(url=f"{receiver.rstrip('/')}/{name}"),
            name=f"sample {name}",
            tags=(TAG,),
        )
        for name, schedule in _SAMPLES.items()
    ]


def add_samples(control: Control, receiver: str = RECEIVER) -> tuple[list[JobView], int]:
    """Create the samples that are not there yet; those created, and how many were there."""
    present = {view.job.spec.name for view in _all_jobs(control) if TAG in view.job.spec.tags}
    missing = [spec for spec in sample_jobs(receiver) if spec.name not in present]
    return [control.create_job(spec) for spec in missing], len(_SAMPLES) - len(missing)


def sample_ports(control: Control) -> list[int]:
    """The ports of this machine that active samples call."""
    keys = control.list_jobs(JobQuery(parse_filter(f"tag:{TAG} state:active"))).keys
    ports = [_local_port(row.url) for row in control.job_rows(keys[:_PAGE])]
    return sorted({port for port in ports if port is not None})


def _local_port(url: str) -> int | None:
    parts = urlsplit(url)  # stored, so it was checked
    return parts.port if parts.scheme == "http" and parts.hostname in {"127.0.0.1", "localhost"} else None


def _all_jobs(control: Control) -> Iterator[JobView]:
    page = control.jobs(limit=_PAGE)
    while page:
        yield from page
        page = control.jobs(limit=_PAGE, after=page[-1].job.id)
