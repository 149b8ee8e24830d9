"""What a process and its children use, seen from outside: CPU time and memory."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc")
_HAS_PROC = _PROC.joinpath("self/stat").exists()


class Usage(NamedTuple):
    """`cpu_seconds`: user and system, of the process and its living children together.

    `peak_rss` in bytes, summed over them: on Linux the high-water mark since the start, elsewhere what it is now.
    """

    cpu_seconds: float
    peak_rss: int


def usage_of(pid: int) -> Usage:
    """A process that is gone uses nothing."""
    reader = _from_proc if _HAS_PROC else _from_ps
    found = [reader(each) for each in family(pid)]
    return Usage(sum(usage.cpu_seconds for usage in found), sum(usage.peak_rss for usage in found))


def core_busy_seconds(core: int | None) -> float | None:
    """For how long a core has been busy since the start of the machine, with whatever: all but idle and waiting for
    a disk. None where the system does not say."""
    if core is None or not _HAS_PROC:
        return None
    for line in (_PROC / "stat").read_text().splitlines():
        name, *ticks = line.split()
        if name == f"cpu{core}":
            user, nice, system, _idle, _waiting, interrupts, soft_interrupts, stolen = map(int, ticks[:8])
            busy = user + nice + system + interrupts + soft_interrupts + stolen
            return busy / os.sysconf("SC_CLK_TCK")
    return None


def family(pid: int) -> list[int]:
    """The process and all its living descendants."""
    children: dict[int, list[int]] = {}
    for child, parent in _parents_from_proc() if _HAS_PROC else _parents_from_ps():
        children.setdefault(parent, []).append(child)
    found = [pid]
    for each in found:
        found.extend(children.get(each, ()))
    return found


def _parents_from_proc() -> Iterator[tuple[int, int]]:
    for folder in _PROC.iterdir():
        if folder.name.isdigit():
            with suppress(OSError):  # gone since it was listed
                yield int(folder.name), int(_stat_fields(folder)[1])


def _parents_from_ps() -> Iterator[tuple[int, int]]:
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True, timeout=10)
    for line in listed.stdout.splitlines():
        child, parent = line.split()
        yield int(child), int(parent)


def _stat_fields(folder: Path) -> list[str]:
    """From the third, the state, on: the second is a name that may hold anything, so count from its closing bracket."""
    return (folder / "stat").read_text().rpartition(")")[2].split()


def _from_proc(pid: int) -> Usage:
    try:
        fields = _stat_fields(_PROC / str(pid))
        status = (_PROC / str(pid) / "status").read_text()
    except OSError:
        return Usage(0.0, 0)
    # utime and stime, in clock ticks
    cpu_seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    peak = [int(line.split()[1]) * 1_024 for line in status.splitlines() if line.startswith("VmHWM:")]
    return Usage(cpu_seconds, peak[0] if peak else 0)


def _from_ps(pid: int) -> Usage:
    listed = subprocess.run(
        ["ps", "-o", "time=,rss=", "-p", str(pid)], capture_output=True, text=True, check=False, timeout=10
    )
    if not listed.stdout.strip():
        return Usage(0.0, 0)
    clock, kilobytes = listed.stdout.split()
    seconds = 0.0
    for part in clock.split(":"):
        seconds = seconds * 60 + float(part)
    return Usage(seconds, int(kilobytes) * 1_024)
