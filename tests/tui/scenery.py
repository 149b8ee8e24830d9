"""The jobs and runs that the scenes show: a small company's work, the same every time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tests.tui import fake
from tests.tui.fake import SECOND, FakeControl
from tui_scheduler.control.views import AttemptView, Metrics, NodeView
from tui_scheduler.domain.execution import State, Trigger
from tui_scheduler.domain.job import Job, JobSpec, JobState, JobType, Overlap, Request, SuccessRule
from tui_scheduler.domain.retry import RetryPolicy
from tui_scheduler.domain.schedule import parse_schedule

MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
NOW = fake.NOW + 7 * SECOND + 250_000
"""A moment at which little is due: 2026-11-23 16:00:07.250 UTC."""
NODE = "4f1c6d6e-0000-4000-8000-000000000001"


@dataclass(frozen=True)
class Line:
    """A job and how its last runs went, oldest first: `.` succeeded, `x` failed, `s` skipped, `r` retrying."""

    name: str
    schedule: str
    runs: str
    tags: tuple[str, ...] = ()
    queue: str = "default"
    state: JobState = JobState.ACTIVE
    method: str = "POST"
    drift: int = 900
    duration: int = 12_300


LINES = (
    Line("cache warmer: front page", "*/5 * * * * *", "............", ("web",), method="GET"),
    Line("heartbeat to the status page", "* * * * * *", "............", ("ops",), drift=400, duration=2_100),
    Line("billing: charge due invoices", "0 */10 * * * *", "........xxx", ("money", "prod"), "billing"),
    Line("billing: dunning letters", "0 0 9 * * MON-FRI", "......", ("money",), "billing"),
    Line("reports: nightly sales", "0 30 2 * * *", ".........", ("report",), "reports", duration=8_400_000),
    Line("reports: weekly digest", "0 0 8 * * MON", "....", ("report",), "reports"),
    Line("search: reindex changed", "30 * * * * *", "......s..s..", ("search",), duration=41_000_000),
    Line("search: full reindex", "0 0 3 * * SUN", "..", ("search",), state=JobState.PAUSED),
    Line("webhooks: deliver outbox", "*/2 * * * * *", "....x.......", ("prod",), "webhooks", drift=1_700),
    Line("webhooks: partner Nagoya", "*/15 * * * * *", "...........r", ("partner",), "webhooks"),
    Line("mail: flush queue", "*/10 * * * * *", "............", ("mail",), "mail", duration=230_000),
    Line("mail: bounce sweep", "0 15 * * * *", ".....", ("mail",), "mail"),
    Line("backup: snapshot volumes", "0 0 1 * * *", ".......x.", ("ops", "prod"), duration=184_000_000),
    Line("backup: verify restore", "0 0 4 1 * *", "..", ("ops",)),
    Line("certificates: renew", "0 17 5 * * *", ".....", ("ops",)),
    Line("metrics: roll up minutes", "5 * * * * *", "............", ("metrics",), duration=90_000),
    Line("inventory: sync warehouse 7", "20 */5 * * * *", "..........xx", ("stock", "prod"), drift=2_300),
    Line("prices: import feed", "@every 90s", "............", ("stock",), duration=640_000),
    Line("launch: open the shop", "@at 2026-12-01T09:00:00+01:00", "", ("launch",)),
    Line("trial: expire accounts", "0 5 0 * * *", "......", ("money",)),
    Line("old: migrate avatars", "@at 2026-11-20T08:00:00Z", ".", (), state=JobState.FINISHED),
    Line("ünïcode ✓ 東京の在庫", "45 * * * * *", "............", ("partner",)),
)

_STATES = {".": State.SUCCEEDED, "x": State.FAILED, "s": State.SKIPPED, "r": State.RETRYING}
_ERRORS = {
    "billing: charge due invoices": (500, "HTTP 500"),
    "inventory: sync warehouse 7": (None, "connection refused by 127.0.0.1:4747"),
}


def office() -> FakeControl:
    """The usual scene: a few things fail, one retries, one is slow, most go well."""
    control = FakeControl(NOW)
    for line in LINES:
        _tell(control, _make(control, line), line)
    digest = _job(control, "search: reindex changed")
    control.happened(digest, State.RUNNING, ago=2 * SECOND)
    nodes = tuple(_node(control, number) for number in (1, 2))
    control.counts = Metrics(
        {}, 1_284_113, 1_279_902, 3_107, 2_411, 1_104, 0, 41, 3, 2, control.clock - SECOND, 900, 3_400, nodes
    )
    return control


def empty() -> FakeControl:
    """A store with nothing in it."""
    return FakeControl(NOW)


def failed_run(control: FakeControl) -> str:
    """The id of an execution that failed after three attempts, with all there is to say about it."""
    job = _job(control, "billing: charge due invoices")
    body = '{"error":"ledger is locked","retryable":true,"hint":"month end close runs until 16:30","batch":[7,8,9]}'
    known = {"attempt": 3, "response_excerpt": body, "error": "HTTP 503", "http_status": 503, "duration": 31_400}
    finished_at = control.clock - SECOND + 31_400
    view = control.happened(job, State.FAILED, ago=4 * SECOND, trigger=Trigger.MANUAL, finished_at=finished_at, **known)
    headers = (("content-type", "application/json"), ("retry-after", "2"), ("server", "ledger/4.2"))
    at = view.fire_at
    control.attempts[view.id] = [
        AttemptView(1, at + 900, at + 33_000, 32_100, 500, None, headers, "internal error\x1b[31m\n", 840_000, None),
        AttemptView(2, at + 900_000, at + 931_000, 31_000, 503, None, headers, body, 2_000_000, "Retry-After"),
        AttemptView(3, at + 3_000_000, at + 3_031_400, 31_400, 503, None, headers, body, None, None),
    ]
    return view.id


def _make(control: FakeControl, line: Line) -> Job:
    body = '{\n  "source": "scheduler",\n  "dryRun": false\n}' if line.method == "POST" else None
    path = line.name.encode("ascii", "ignore").decode().replace(":", "").replace(" ", "-") or "x"
    spec = JobSpec(
        line.schedule,
        Request(
            f"http://127.0.0.1:3001/{path}",
            line.method,
            (("Content-Type", "application/json"),) if body else (),
            body,
        ),
        name=line.name,
        tags=line.tags,
        queue=line.queue,
    )
    if line.name.startswith("billing: charge"):
        spec = replace(
            spec,
            type=JobType.ATMOST_ONCE,
            timezone="Europe/Berlin",
            retry=RetryPolicy(max_attempts=5, base=2 * SECOND),
            overlap=Overlap.SKIP,
            success=SuccessRule(((200, 204),), body_pattern="accepted"),
        )
    return control.add(spec, line.state)


def _tell(control: FakeControl, job: Job, line: Line) -> None:
    status, error = _ERRORS.get(line.name, (500, "HTTP 500"))
    for sign, at in zip(reversed(line.runs), _instants(job, control.clock), strict=False):
        state = _STATES[sign]
        known: dict[str, object] = {}
        if state in {State.SUCCEEDED, State.FAILED}:
            known = {"duration": line.duration, "started_at": at + line.drift}
            known["finished_at"] = at + line.drift + min(line.duration, (control.clock - at) // 2)
        if state is State.FAILED:
            known |= {"attempt": 3, "http_status": status, "error": error}
        if state is State.RETRYING:
            known |= {"attempt": 2, "error": "timeout: no response within 10 s", "http_status": None}
        control.happened(job, state, ago=control.clock - at, **known)


def _instants(job: Job, now: int) -> Iterator[int]:
    """The instants of a job up to now, latest first."""
    schedule = parse_schedule(job.spec.schedule, job.spec.timezone, created_at=now - 100 * DAY)
    while (at := schedule.last_between(now - 400 * DAY, now)) is not None:
        yield at
        now = at - 1


def _job(control: FakeControl, name: str) -> Job:
    return next(job for job in control.stored.values() if job.spec.name == name)


def _node(control: FakeControl, number: int) -> NodeView:
    uuid = f"4f1c6d6e-0000-4000-8000-{number:012}"
    since = control.clock - 26 * HOUR
    return NodeView(
        uuid, f"rack-{number}", 1_200 + number, "0.2.0", "alive", since, control.clock, {"fired": 642_056.0}
    )
