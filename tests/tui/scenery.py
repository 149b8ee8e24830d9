"""The jobs and runs that the scenes show: a small company's work, the same every time."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tests.tui.fake import SECOND, FakeControl
from tui_scheduler.control.views import AttemptView, Metrics, NodeView
from tui_scheduler.domain.execution import State, Trigger
from tui_scheduler.domain.job import Job, JobSpec, JobState, JobType, Overlap, Request, SuccessRule
from tui_scheduler.domain.retry import RetryPolicy

MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
NODE = "4f1c6d6e-0000-4000-8000-000000000001"


@dataclass(frozen=True)
class Line:
    """A job and how its last runs went, oldest first: `.` succeeded, `x` failed, `s` skipped, `r` retrying."""

    name: str
    schedule: str
    runs: str
    every: int
    tags: tuple[str, ...] = ()
    queue: str = "default"
    state: JobState = JobState.ACTIVE
    method: str = "POST"
    drift: int = 900
    duration: int = 12_300


LINES = (
    Line("cache warmer: front page", "*/5 * * * * *", "............", 5 * SECOND, ("web",), method="GET"),
    Line("heartbeat to the status page", "* * * * * *", "............", SECOND, ("ops",), drift=400, duration=2_100),
    Line("billing: charge due invoices", "0 */10 * * * *", "........xxx", 10 * MINUTE, ("money", "prod"), "billing"),
    Line("billing: dunning letters", "0 0 9 * * MON-FRI", "......", 24 * HOUR, ("money",), "billing"),
    Line("reports: nightly sales", "0 30 2 * * *", ".........", 24 * HOUR, ("report",), "reports", duration=8_400_000),
    Line("reports: weekly digest", "0 0 8 * * MON", "....", 168 * HOUR, ("report",), "reports"),
    Line("search: reindex changed", "30 * * * * *", "......s..s..", MINUTE, ("search",), duration=41_000_000),
    Line("search: full reindex", "0 0 3 * * SUN", "..", 168 * HOUR, ("search",), state=JobState.PAUSED),
    Line("webhooks: deliver outbox", "*/2 * * * * *", "....x.......", 2 * SECOND, ("prod",), "webhooks", drift=1_700),
    Line("webhooks: partner Nagoya", "*/15 * * * * *", "...........r", 15 * SECOND, ("partner",), "webhooks"),
    Line("mail: flush queue", "*/10 * * * * *", "............", 10 * SECOND, ("mail",), "mail", duration=230_000),
    Line("mail: bounce sweep", "0 15 * * * *", ".....", HOUR, ("mail",), "mail"),
    Line("backup: snapshot volumes", "0 0 1 * * *", ".......x.", 24 * HOUR, ("ops", "prod"), duration=184_000_000),
    Line("backup: verify restore", "0 0 4 1 * *", "..", 720 * HOUR, ("ops",)),
    Line("certificates: renew", "0 17 5 * * *", ".....", 24 * HOUR, ("ops",)),
    Line("metrics: roll up minutes", "5 * * * * *", "............", MINUTE, ("metrics",), duration=90_000),
    Line("inventory: sync warehouse 7", "20 */5 * * * *", "..........xx", 5 * MINUTE, ("stock", "prod"), drift=2_300),
    Line("prices: import feed", "@every 90s", "............", 90 * SECOND, ("stock",), duration=640_000),
    Line("launch: open the shop", "@at 2026-12-01T09:00:00+01:00", "", HOUR, ("launch",)),
    Line("trial: expire accounts", "0 5 0 * * *", "......", 24 * HOUR, ("money",)),
    Line("old: migrate avatars", "@at 2026-11-20T08:00:00Z", ".", 80 * HOUR, (), state=JobState.FINISHED),
    Line("ünïcode ✓ 東京の在庫", "45 * * * * *", "............", MINUTE, ("partner",)),
)

_STATES = {".": State.SUCCEEDED, "x": State.FAILED, "s": State.SKIPPED, "r": State.RETRYING}
_ERRORS = {
    "billing: charge due invoices": (500, "status 500"),
    "inventory: sync warehouse 7": (None, "connection refused by 127.0.0.1:4747"),
}


def office() -> FakeControl:
    """The usual scene: a few things fail, one retries, one is slow, most go well."""
    control = FakeControl()
    for line in LINES:
        _tell(control, _make(control, line), line)
    digest = _job(control, "search: reindex changed")
    control.happened(digest, State.RUNNING, ago=2 * SECOND)
    nodes = tuple(_node(control, number) for number in (1, 2))
    control.counts = Metrics(
        {}, 1_284_113, 1_279_902, 3_107, 2_411, 1_104, 0, 41, 3, 2, control.clock - SECOND, 900, 3_400, nodes
    )
    return control


def failed_run(control: FakeControl) -> str:
    """The id of an execution that failed after three attempts, with all there is to say about it."""
    job = _job(control, "billing: charge due invoices")
    body = '{"error":"ledger is locked","retryable":true,"hint":"month end close runs until 16:30","batch":[7,8,9]}'
    known = {"attempt": 3, "response_excerpt": body, "error": "status 503", "http_status": 503, "duration": 31_400}
    view = control.happened(job, State.FAILED, ago=4 * MINUTE, **known)
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
    status, error = _ERRORS.get(line.name, (500, "status 500"))
    for back, sign in enumerate(reversed(line.runs)):
        # Spread within the second, so that no two lines of the log depend on which was written first.
        ago = back * line.every + (job.key * 37_000) % SECOND + SECOND // 4
        state = _STATES[sign]
        known: dict[str, object] = {}
        if state in {State.SUCCEEDED, State.FAILED}:
            known = {"duration": line.duration, "started_at": control.clock - ago + line.drift}
            known["finished_at"] = control.clock - ago + line.drift + min(line.duration, ago // 2)
        if state is State.FAILED:
            known |= {"attempt": 3, "http_status": status, "error": error}
        if state is State.RETRYING:
            known |= {"attempt": 2, "error": "timeout: no response within 10 s", "http_status": None}
        if line.name == "launch: open the shop":
            known["trigger"] = Trigger.MANUAL
        control.happened(job, state, ago=ago, **known)


def _job(control: FakeControl, name: str) -> Job:
    return next(job for job in control.stored.values() if job.spec.name == name)


def _node(control: FakeControl, number: int) -> NodeView:
    uuid = f"4f1c6d6e-0000-4000-8000-{number:012}"
    since = control.clock - 26 * HOUR
    return NodeView(
        uuid, f"rack-{number}", 1_200 + number, "0.2.0", "alive", since, control.clock, {"fired": 642_056.0}
    )
