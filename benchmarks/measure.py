"""One measurement: a fresh target, one subject, a warm-up that does not count, a window that does."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import cores_for_measuring
from benchmarks.processes import DidNotLast, DidNotStart, running, running_receiver, wait_for_line
from benchmarks.scenarios import SECOND, Scenario, Window, occurrences
from benchmarks.subjects import History, Prepare, Setting
from benchmarks.usage import core_busy_seconds, usage_of
from benchmarks.verdict import Delivery, Recording, delivery, recording, skipped_in, still_due

JUST_BEFORE_THE_NEXT = 970_000
"""µs into a second: when what is due in it, or up to 0.97 s after its instant, should be recorded."""
SETTLING_S = 15.0
"""How long to wait for stragglers after the window, at most."""
START_S = 60.0


@dataclass(frozen=True, slots=True)
class Terms:
    """How to measure: seconds of warm-up and of measuring, what is in the history beforehand."""

    seconds: int = 20
    warm_up: int = 5
    history: int = 0
    prune: bool = False


@dataclass(frozen=True, slots=True)
class Load:
    """What the subject used in the window. `late_records`: the most occurrences that were still unrecorded when the
    next second began; None when there is no history to ask. `others`: the share of its core's time that went to
    anything else; a figure with much of that says little about the subject. None where it cannot be known.
    """

    cpu_seconds: float
    peak_rss: int
    late_records: int | None
    others: float | None


@dataclass(frozen=True, slots=True)
class Result:
    subject: str
    scenario: Scenario
    terms: Terms
    window: Window
    delivery: Delivery
    recording: Recording | None
    load: Load

    @property
    def cpu_us(self) -> float | None:
        """CPU time per firing that arrived in the window, everything the subject's processes did included."""
        arrived = self.delivery.per_second * self.window.seconds
        return self.load.cpu_seconds / arrived * 1e6 if arrived else None

    @property
    def sound(self) -> bool:
        """Nothing lost, nothing invented. Only a subject that makes that promise is held to it."""
        unproven = self.recording.unproven if self.recording else 0
        return self.delivery.lost == 0 and self.delivery.unplanned == 0 and unproven == 0


def measure(name: str, prepare: Prepare, scenario: Scenario, terms: Terms) -> Result:
    """Raises `DidNotStart` or `DidNotLast` with what the subject had to say."""
    subject_core, target_core = cores_for_measuring()
    with tempfile.TemporaryDirectory(prefix="tui-scheduler-bench-") as temporary:
        folder = Path(temporary)
        errors = folder / "errors.txt"
        with running_receiver(folder / "arrivals.log", cpu=target_core) as target:
            setting = Setting(scenario, folder, target.port, terms.history, terms.prune)
            with prepare(setting) as subject:
                started = running(
                    subject.command, cpu=subject_core, patience=30, errors=errors, environment=subject.environment
                )
                with started as process:
                    try:
                        wait_for_line(process, subject.ready_line, seconds=START_S)
                    except DidNotStart as reason:
                        raise DidNotStart(f"{reason}\n{tail_of(errors)}") from None
                    window = window_from(max(subject.start, next_second()), terms)
                    load = watch(process.pid, subject_core, subject.history, window)
                    if process.poll() is not None:
                        raise DidNotLast(f"{name} ended with {process.returncode} while measured\n{tail_of(errors)}")
                plan = list(occurrences(subject.phases, window))
                states = subject.history.states(window) if subject.history else {}
                next_planned = subject.history.next_planned() if subject.history else {}
            arrivals = target.arrivals()
    return Result(
        subject=name,
        scenario=scenario,
        terms=terms,
        window=window,
        delivery=delivery(plan, arrivals, skipped_in(states), still_due(plan, states, next_planned), window),
        recording=recording(plan, arrivals, states) if subject.history else None,
        load=load,
    )


def window_from(start: int, terms: Terms) -> Window:
    """What is measured when the warm-up begins at `start`: later than planned if the subject was slow to start."""
    after_warm_up = start + terms.warm_up * SECOND
    return Window(after_warm_up, after_warm_up + terms.seconds * SECOND)


def next_second() -> int:
    return (int(time.time()) + 1) * SECOND


def watch(pid: int, core: int | None, history: History | None, window: Window) -> Load:
    """Look on from outside until the window is over and the stragglers are in."""
    sleep_until(window.start)
    before, busy_before, began = usage_of(pid), core_busy_seconds(core), time.monotonic()
    late: list[int] = []
    for second in range(window.start, window.end, SECOND):
        sleep_until(second + JUST_BEFORE_THE_NEXT)
        if history:
            late.append(history.unrecorded(second + 1))
    sleep_until(window.end)
    after, busy_after, took = usage_of(pid), core_busy_seconds(core), time.monotonic() - began
    wait_for_stragglers(history, window.end)
    own = after.cpu_seconds - before.cpu_seconds
    others = None
    if busy_before is not None and busy_after is not None:
        others = max(0.0, busy_after - busy_before - own) / took
    # Scaled, because whoever looks on may be late too: a question to a busy database can take seconds.
    return Load(own / took * window.seconds, after.peak_rss, max(late) if late else None, others)


def wait_for_stragglers(history: History | None, end: int) -> None:
    """Until everything before `end` is recorded; a fixed while for a subject without a history."""
    deadline = time.monotonic() + (SETTLING_S if history else 3.0)
    while time.monotonic() < deadline and not (history and history.unrecorded(end) == 0):
        time.sleep(0.1)


def sleep_until(instant: int) -> None:
    time.sleep(max(0.0, instant / SECOND - time.time()))


def tail_of(path: Path, lines: int = 20) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else ""


def median(results: Sequence[Result]) -> Result:
    """That with the middle p99; the better of two in the middle."""
    ordered = sorted(results, key=lambda each: each.delivery.drift.p99 if each.delivery.drift else SECOND**2)
    return ordered[(len(ordered) - 1) // 2]
