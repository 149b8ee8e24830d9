"""Where the program's time goes in a scenario: py-spy looks on from outside, while it is measured.

Two tables. Of each sample, the innermost function of the program itself counts, with whatever libraries it called:
by module, and by function. Only threads that hold the interpreter (`--gil`) are sampled: on one core that is the time
that matters, and waiting is left out. A sampled program is slower than one left alone.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks import report
from benchmarks.measure import Watcher, measure
from benchmarks.program import scheduler
from benchmarks.scenarios import Scenario
from benchmarks.subjects import Terms

SAMPLES_A_SECOND = 200
SHOWN = 30
_FRAME = re.compile(r"(?P<function>.+) \((?P<file>[^()]+?)(?::\d+)?\)")
_NUMBER = re.compile(r" \d+$")
"""Of a worker thread: which of them does what is chance."""
_OURS = "tui_scheduler/"
ELSEWHERE = "elsewhere"


class CannotProfile(Exception):
    """There is no py-spy, or it is not allowed to look."""


class Place(NamedTuple):
    """`module` below `tui_scheduler/`, without its ending; ELSEWHERE for samples in no code of ours."""

    thread: str
    module: str
    function: str


def of(scenario: Scenario, terms: Terms) -> str:
    """The tables, and under which drift that was. Raises `CannotProfile`."""
    program = Path(sys.executable).with_name("py-spy")
    spy = str(program) if program.exists() else shutil.which("py-spy")
    if spy is None:
        raise CannotProfile("py-spy is not installed; `pip install py-spy` into .venv, or see the pins")
    with tempfile.TemporaryDirectory(prefix="tui-scheduler-bench-") as folder:
        log = Path(folder) / "samples.txt"
        result = measure(report.PROGRAM, scheduler, scenario, terms, looking_on(spy, log, terms.seconds))
        samples = list(read_samples(log.read_text().splitlines()))
    return f"{report.table([result])}\n\n{tables(samples)}"


def looking_on(spy: str, log: Path, seconds: int) -> Watcher:
    @contextmanager
    def look(pid: int) -> Iterator[None]:
        """Begins at once, in the warm-up's place if need be: samples of so many seconds."""
        options = ["--pid", str(pid), "--gil", "--threads", "--function", "--format", "raw", "--output", str(log)]
        rate = ["--rate", str(SAMPLES_A_SECOND), "--duration", str(seconds), "--nonblocking"]
        sampler = subprocess.Popen([spy, "record", *options, *rate], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        said: list[bytes] = []
        reader = threading.Thread(target=lambda: said.append(sampler.communicate()[0]), daemon=True)
        reader.start()
        try:
            yield
            reader.join(seconds + 30)
        finally:
            if sampler.poll() is None:
                sampler.kill()
            reader.join(10)
        if sampler.returncode or not log.exists():
            raise CannotProfile(f"py-spy ended with {sampler.returncode}: {b''.join(said).decode(errors='replace')}")

    return look


def read_samples(lines: Iterable[str]) -> Iterator[tuple[Place, int]]:
    """From py-spy's raw format: frames from the outermost to the innermost, separated by `;`, and a count."""
    for line in lines:
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        thread = frames[0].partition(": ")[2].strip('"') if frames[0].startswith("thread (") else "main"
        yield place_of(_NUMBER.sub("", thread) or "unnamed", frames), int(count)


def place_of(thread: str, frames: list[str]) -> Place:
    for frame in reversed(frames):
        found = _FRAME.fullmatch(frame)
        if found and _OURS in found["file"]:
            module = found["file"].rpartition(_OURS)[2].removesuffix(".py")
            return Place(thread, module, found["function"])
    return Place(thread, ELSEWHERE, "-")


def tables(samples: Iterable[tuple[Place, int]]) -> str:
    by_module: Counter[tuple[str, str]] = Counter()
    by_function: Counter[Place] = Counter()
    for place, count in samples:
        by_module[place.thread, place.module] += count
        by_function[place] += count
    total = max(1, sum(by_module.values()))
    modules = [[f"{count / total:.1%}", thread, module] for (thread, module), count in by_module.most_common(SHOWN)]
    functions = [[f"{count / total:.1%}", *place] for place, count in by_function.most_common(SHOWN)]
    heads = (["share", "thread", "module"], ["share", "thread", "module", "function"])
    both = (report.aligned([head, *rows], left=4) for head, rows in zip(heads, (modules, functions), strict=True))
    return f"{total:,} samples of whoever held the interpreter\n\n" + "\n\n".join(both)
