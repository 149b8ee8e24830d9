"""`--demo`: jobs of every behaviour and a receiver that behaves so, on a database in a folder that is gone at the end.

Nothing in it is made up: whatever the history shows has been fired.
"""

from __future__ import annotations

import json
import shutil
import socket
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tui_scheduler.control.control import Control
from tui_scheduler.domain.job import CatchUp, JobSpec, JobType, Overlap, Request, SuccessRule
from tui_scheduler.domain.retry import SECOND, RetryPolicy
from tui_scheduler.echo import HOST, Received, Reply, response
from tui_scheduler.hosting import now
from tui_scheduler.local_session import LocalSession
from tui_scheduler.settings import Settings, load_settings

TROUBLE_EVERY_S: Final = 24
TROUBLE_S: Final = range(4, 12)
"""The ledger fails in these seconds of every so many, and recovers in between."""

DRAIN_S: Final = 1.0
"""How long a stop waits for answers: not long, as nothing in it matters."""

_BRIEF: Final = RetryPolicy(max_attempts=3, base=SECOND // 2, cap=4 * SECOND)
_ONCE: Final = RetryPolicy(max_attempts=1)
_JSON: Final = (("Content-Type", "application/json"),)


class Behaviour:
    """What the receiver answers, by the path. `clock` gives seconds that only grow; the loop of the receiver calls."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._asked: Counter[str] = Counter()

    def __call__(self, received: Received) -> Reply:
        path = received.path.decode("ascii", "replace").partition("?")[0]
        self._asked[path] += 1
        answer = _ANSWERS.get(path.strip("/").partition("/")[0], _fine)
        return answer(self._asked[path], self._clock() - self._began)


def _fine(_asked: int, _elapsed: float) -> Reply:
    return _json(200, {"received": True})


def _troubled(_asked: int, elapsed: float) -> Reply:
    if int(elapsed) % TROUBLE_EVERY_S in TROUBLE_S:
        return _json(500, {"error": "the ledger is locked"})
    return _json(200, {"charged": 17})


def _missing(_asked: int, _elapsed: float) -> Reply:
    return _json(404, {"error": "no such feed"})


def _gone(_asked: int, _elapsed: float) -> Reply:
    return _json(410, {"error": "this webhook was removed"})


def _busy(asked: int, _elapsed: float) -> Reply:
    if asked % 3 != 0:
        return _json(429, {"error": "slow down"}, "Retry-After: 2\r\n")
    return _json(200, {"delivered": 40})


def _degraded(asked: int, _elapsed: float) -> Reply:
    return _json(200, {"status": "degraded" if asked % 4 == 0 else "ok"})


def _silent(asked: int, _elapsed: float) -> Reply:
    return Reply(b"", hangs_up=True) if asked % 3 == 0 else _json(202, {"queued": asked})


def _big(_asked: int, _elapsed: float) -> Reply:
    rows = [{"sku": f"A-{number:05}", "stock": number * 7 % 100} for number in range(6_000)]
    return _json(200, rows)


def _after(seconds: float) -> Callable[[int, float], Reply]:
    return lambda _asked, _elapsed: replace(_json(200, {"done": True}), delay_s=seconds)


def _json(status: int, body: object, headers: str = "") -> Reply:
    return Reply(response(status, json.dumps(body).encode() + b"\n", headers))


_ANSWERS: Final[dict[str, Callable[[int, float], Reply]]] = {
    "ledger": _troubled,
    "missing": _missing,
    "gone": _gone,
    "busy": _busy,
    "health": _degraded,
    "silent": _silent,
    "catalogue": _big,
    "warehouse": _after(3.5),
    "render": _after(0.4),
    "archive": _after(30.0),
}


def demo_jobs(receiver: str, dead: str, at: int) -> Iterator[JobSpec]:
    """The jobs, sent to `receiver`; `dead` is a URL where nobody listens, `at` µs since the epoch."""

    def to(path: str, method: str = "POST", body: object = None) -> Request:
        text, headers = (None, ()) if body is None else (json.dumps(body), _JSON)
        return Request(f"{receiver}/{path}", method, headers, text)

    yield JobSpec("* * * * * *", to("beat", "GET"), "heartbeat: status page", tags=("ops",))
    yield JobSpec("*/2 * * * * *", to("outbox"), "webhooks: deliver outbox", queue="webhooks", tags=("prod",))
    yield JobSpec("@every 3s", to("front", "GET"), "cache warmer: front page", tags=("web",))
    yield JobSpec("@every 4s", to("search", "GET"), "cache warmer: search", tags=("web",), jitter=2 * SECOND)
    yield JobSpec(
        "*/3 * * * * *",
        to("ledger", body={"currency": "EUR", "limit": 500}),
        "billing: charge due invoices",
        queue="billing",
        tags=("money", "prod"),
        priority=2,
        retry=_BRIEF,
    )
    yield JobSpec("*/5 * * * * *", to("render/invoices"), "billing: render invoices", queue="billing", tags=("money",))
    yield JobSpec("*/7 * * * * *", to("missing"), "prices: import feed", tags=("stock",), retry=_BRIEF)
    yield JobSpec(
        "*/10 * * * * *", Request(f"{dead}/sync", "PUT"), "inventory: sync warehouse 7", tags=("stock",), retry=_BRIEF
    )
    yield JobSpec(
        "*/6 * * * * *",
        to("archive", "PUT"),
        "backup: copy to archive",
        tags=("ops",),
        timeout=2 * SECOND,
        retry=replace(_BRIEF, max_attempts=2),
    )
    yield JobSpec(
        "*/8 * * * * *", to("busy"), "webhooks: partner Nagoya", queue="webhooks", tags=("partner",), retry=_BRIEF
    )
    yield JobSpec(
        "*/5 * * * * *", to("gone"), "webhooks: partner Oslo", queue="webhooks", tags=("partner",), pause_on_gone=True
    )
    yield JobSpec("*/15 * * * * *", to("catalogue", "GET"), "search: fetch catalogue", tags=("search",))
    yield JobSpec(
        "* * * * * *", to("warehouse/reindex"), "search: reindex changed", tags=("search",), overlap=Overlap.SKIP
    )
    yield JobSpec("*/4 * * * * *", to("warehouse/totals"), "metrics: roll up", tags=("metrics",), overlap=Overlap.QUEUE)
    yield JobSpec(
        "*/3 * * * * *", to("warehouse/preview"), "web: rebuild preview", tags=("web",), overlap=Overlap.CANCEL
    )
    yield JobSpec(
        "*/5 * * * * *",
        to("silent", body={"batch": 12}),
        "mail: send newsletter batch",
        queue="mail",
        tags=("mail",),
        type=JobType.ATMOST_ONCE,
        retry=_ONCE,
    )
    yield JobSpec(
        "*/4 * * * * *",
        to("health", "GET"),
        "ops: check the shop's health",
        tags=("ops",),
        retry=_ONCE,
        success=SuccessRule(json_path="status", json_equals="ok"),
    )
    yield JobSpec(
        "0 * * * * *", to("rollup"), "metrics: every minute", tags=("metrics",), catch_up=CatchUp.LATEST, priority=7
    )
    yield JobSpec(_at(at + 3 * SECOND), to("shop", "PATCH", {"open": True}), "launch: open the shop", tags=("launch",))
    yield JobSpec("31 10-15 1 * * MON-FRI", to("sales"), "reports: nightly sales", queue="reports", tags=("report",))
    yield JobSpec(
        "0 30 2 * * *",
        to("close"),
        "reports: close the day",
        queue="reports",
        tags=("report", "money"),
        timezone="Europe/Berlin",
    )
    yield JobSpec("@weekly", to("digest"), "reports: weekly digest", queue="reports", tags=("report",))
    yield JobSpec("0 0 6 L * *", to("ledger/close"), "billing: close the month", queue="billing", tags=("money",))


def rare(spec: JobSpec) -> bool:
    """Whether nothing would be seen of a job for hours."""
    return "report" in spec.tags or spec.name.startswith("billing: close")


def demo_session() -> LocalSession:
    """A session on a new database with these jobs; nothing of it is left once it has stopped."""
    demo = _Demo()
    return LocalSession(demo.settings, respond=Behaviour(), furnish=demo.furnish, tidy=demo.tidy)


class _Demo:
    """What has to be there for as long as the session: a folder, and a port where nobody listens."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._taken = socket.socket()

    def settings(self) -> Settings:
        self._folder = Path(tempfile.mkdtemp(prefix="tui-scheduler-demo-"))
        self._taken.bind((HOST, 0))  # and never listens: connections are refused, and nobody else takes the port
        return load_settings(db=str(self._folder / "demo.db"), drain_s=DRAIN_S)

    def furnish(self, control: Control, receiver: str) -> None:
        """Make the jobs. One is paused, and those that are rare are run once, so that there is something to look at."""
        dead = f"http://{HOST}:{self._taken.getsockname()[1]}"
        for spec in demo_jobs(receiver, dead, now()):
            view = control.create_job(spec)
            if rare(spec):
                control.run_now(view.job.id)
        old = JobSpec("*/2 * * * * *", Request(f"{receiver}/import"), "customers: import from the old system")
        control.pause_job(control.create_job(old).job.id)

    def tidy(self) -> None:
        self._taken.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def _at(instant: int) -> str:
    moment = datetime.fromtimestamp(instant // SECOND, UTC)
    return f"@at {moment.isoformat()}"
