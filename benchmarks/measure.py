"""One measurement: a fresh target, one subject, a warm-up that does not count, a window that does."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen

from benchmarks import asking
from benchmarks.arrivals import Arrival
from benchmarks.findings import Findings, Seen, findings
from benchmarks.machine import Cores, all_cores, cores_for_measuring
from benchmarks.offers import occurrences
from benchmarks.processes import DidNotLast, DidNotStart, port_in, running, running_receiver, wait_for_line
from benchmarks.scenarios import SECOND, Scenario, Window
from benchmarks.subjects import History, Prepare, Setting, Subject, Terms
from benchmarks.usage import core_busy_seconds, usage_of
from benchmarks.verdict import Delivery, Recording, delivery, recording, skipped_in, still_due

JUST_BEFORE_THE_NEXT = 970_000
"""µs into a second: when what is due in it, or up to 0.97 s after its instant, should be recorded."""
START_S = 60.0
WRITES = 0.1
"""The share of the requests to the API that change something."""


@dataclass(frozen=True, slots=True)
class Load:
    """What the subject used in the window. `late_records`: the most occurrences that were still unrecorded when the
    next second began; None when there is no history to ask. `others`: the share of its core's time that went to
    anything else; a figure with much of that says little about the subject. None where it cannot be known.
    `database_seconds`: CPU time of the database server, where there is one.
    """

    cpu_seconds: float
    peak_rss: int
    late_records: int | None
    others: float | None
    database_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Result:
    """`delivery`: of what is judged, in the window. `beside`: of what stood beside it, from the first second on."""

    subject: str
    scenario: Scenario
    terms: Terms
    window: Window
    delivery: Delivery
    recording: Recording | None
    load: Load
    beside: Delivery | None = None
    findings: Findings = field(default_factory=dict)

    @property
    def fired(self) -> float:
        """Arrivals a second in the window, of everything."""
        return self.delivery.per_second + (self.beside.per_second if self.beside else 0.0)

    @property
    def cpu_us(self) -> float | None:
        """CPU time per firing that arrived in the window, everything the subject's processes did included."""
        arrived = self.fired * self.window.seconds
        return self.load.cpu_seconds / arrived * 1e6 if arrived else None

    @property
    def sound(self) -> bool:
        """Nothing lost, nothing invented. Only a subject that makes that promise is held to it."""
        unproven = self.recording.unproven if self.recording else 0
        parts = [part for part in (self.delivery, self.beside) if part]
        return unproven == 0 and all(part.lost == 0 and part.unplanned == 0 for part in parts)


@dataclass(frozen=True, slots=True)
class Running:
    """The subject's processes. `since`: µs since the epoch at which the first of them was started."""

    processes: Sequence[Popen[str]]
    since: int
    api: str | None

    def ended(self) -> int | None:
        """The exit code of one that ended by itself."""
        return next((code for process in self.processes if (code := process.poll()) is not None), None)


Watcher = Callable[[int], AbstractContextManager[None]]
"""Looks on at the process with this id, from the start of the window to the end of the block."""


@contextmanager
def nobody(_pid: int) -> Iterator[None]:
    yield


def measure(name: str, prepare: Prepare, scenario: Scenario, terms: Terms, watcher: Watcher = nobody) -> Result:
    """Raises `DidNotStart` or `DidNotLast` with what the subject had to say."""
    anywhere = scenario.course.shares_cores or terms.quick
    subject_core, target_core = (all_cores(),) * 2 if anywhere else cores_for_measuring()
    with tempfile.TemporaryDirectory(prefix="tui-scheduler-bench-") as temporary:
        folder = Path(temporary)
        with running_receiver(folder / "arrivals.log", cpu=target_core) as target:
            with prepare(Setting(scenario, folder, target.port, terms)) as subject:
                with started(subject, folder, subject_core) as servers:
                    window = window_from(max(subject.start, next_second()), scenario, terms)
                    with asked_meanwhile(scenario, servers.api, folder):
                        sleep_until(window.start)
                        with watcher(servers.processes[0].pid):
                            load = watch(servers, subject, window, core=subject_core, scenario=scenario)
                    wait_for_stragglers(subject.history, window.end, scenario)
                    if (code := servers.ended()) is not None:
                        said = tail_of(folder / "errors-0.txt")
                        raise DidNotLast(f"{name} ended with {code} while measured\n{said}")
                whole = Window(min(subject.start, window.start), window.end)
                states = subject.history.states(whole) if subject.history else {}
                next_planned = subject.history.next_planned() if subject.history else {}
            arrivals = target.arrivals()
        asked = asking.read_log(folder / "asked.log") if (folder / "asked.log").exists() else []
    plan = list(occurrences(subject.judged, window))
    plan_beside = list(occurrences(subject.beside, whole))
    skipped, to_come = skipped_in(states), still_due([*plan, *plan_beside], states, next_planned)
    ids_beside = {each.job_id for each in subject.beside}
    others: list[Arrival] = []
    judged: list[Arrival] = []
    for arrival in arrivals:
        (others if arrival.job_id in ids_beside else judged).append(arrival)
    return Result(
        subject=name,
        scenario=scenario,
        terms=terms,
        window=window,
        delivery=delivery(plan, judged, skipped, to_come, window),
        recording=recording(plan, judged, states) if subject.history else None,
        load=load,
        beside=delivery(plan_beside, others, skipped, to_come, whole, counted=window) if subject.beside else None,
        findings=findings(scenario, Seen(servers.since, subject.start, window, judged, others, subject.beside, asked)),
    )


@contextmanager
def started(subject: Subject, folder: Path, cores: Cores) -> Iterator[Running]:
    """All its processes, up; stopped at the end."""
    since = time.time_ns() // 1_000
    with ExitStack() as stack:
        processes: list[Popen[str]] = []
        lines: list[str] = []
        for number, command in enumerate(subject.commands):
            errors = folder / f"errors-{number}.txt"
            process = stack.enter_context(
                running(command, cpu=cores, patience=30, errors=errors, environment=subject.environment)
            )
            try:
                lines.append(wait_for_line(process, subject.ready_line, seconds=START_S))
            except DidNotStart as reason:
                raise DidNotStart(f"{reason}\n{tail_of(errors)}") from None
            processes.append(process)
        api = f"http://127.0.0.1:{port_in(lines[0])}" if subject.has_api else None
        yield Running(processes, since, api)


@contextmanager
def asked_meanwhile(scenario: Scenario, api: str | None, folder: Path) -> Iterator[None]:
    """Ask the API to the end of the block, if the scenario is about that, too."""
    rate = scenario.requests
    if not rate or api is None:
        yield
        return
    options = ["--url", api, "--rate", str(rate), "--writes", str(WRITES), "--log", str(folder / "asked.log")]
    with running([sys.executable, "-m", "benchmarks.asking", *options], patience=90) as client:
        wait_for_line(client, "ready", seconds=START_S)
        yield


def window_from(start: int, scenario: Scenario, terms: Terms) -> Window:
    """What is measured when the warm-up begins at `start`: later than planned if the subject was slow to start."""
    course = scenario.course
    warm_up = terms.warm_up if terms.quick else max(terms.warm_up, course.warm_up)
    seconds = terms.seconds if terms.quick else max(terms.seconds, course.seconds)
    after_warm_up = start + warm_up * SECOND
    return Window(after_warm_up, after_warm_up + seconds * SECOND)


def next_second() -> int:
    return (int(time.time()) + 1) * SECOND


def watch(servers: Running, subject: Subject, window: Window, *, core: Cores, scenario: Scenario) -> Load:
    """Look on from outside until the window is over."""
    sleep_until(window.start)
    own_core = core if isinstance(core, int) else None
    history = subject.history if scenario.course.records else None
    before, busy_before, began = used(servers), core_busy_seconds(own_core), time.monotonic()
    database_before = database_seconds(subject)
    late: list[int] = []
    for second in range(window.start, window.end, SECOND):
        sleep_until(second + JUST_BEFORE_THE_NEXT)
        if history:
            late.append(history.unrecorded(second + 1))
    sleep_until(window.end)
    (cpu, peak), busy_after, took = used(servers), core_busy_seconds(own_core), time.monotonic() - began
    own = cpu - before[0]
    others = None
    if busy_before is not None and busy_after is not None:
        others = max(0.0, busy_after - busy_before - own) / took
    # Scaled, because whoever looks on may be late too: a question to a busy database can take seconds.
    scale = window.seconds / took
    database = (database_seconds(subject) - database_before) * scale
    return Load(own * scale, peak, max(late) if late else None, others, database)


def used(servers: Running) -> tuple[float, int]:
    """CPU seconds and peak memory (bytes) of all processes together."""
    found = [usage_of(process.pid) for process in servers.processes]
    return sum(usage.cpu_seconds for usage in found), sum(usage.peak_rss for usage in found)


def database_seconds(subject: Subject) -> float:
    return usage_of(subject.database_pid).cpu_seconds if subject.database_pid else 0.0


def wait_for_stragglers(history: History | None, end: int, scenario: Scenario) -> None:
    """Until everything before `end` is recorded; a fixed while for a subject without a history, and where not all can
    be recorded soon."""
    patience = scenario.course.settling if history else 3.0
    asks = history if patience > 3.0 else None
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline and not (asks and asks.unrecorded(end) == 0):
        time.sleep(0.1)


def sleep_until(instant: int) -> None:
    time.sleep(max(0.0, instant / SECOND - time.time()))


def tail_of(path: Path, lines: int = 20) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else ""


def median(results: Sequence[Result]) -> Result:
    """That with the middle p99; the better of two in the middle."""
    ordered = sorted(results, key=lambda each: each.delivery.drift.p99 if each.delivery.drift else SECOND**2)
    return ordered[(len(ordered) - 1) // 2]
