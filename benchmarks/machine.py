"""This machine: which cores to use, how many files may be open, what to write beside the figures."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from typing import TypedDict

WANTED_OPEN_FILES = 65_536


class Machine(TypedDict):
    """What a figure is worth nothing without."""

    date: str
    cores: int
    load: float
    python: str
    kernel: str
    commit: str


def describe() -> Machine:
    return Machine(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        cores=os.cpu_count() or 1,
        load=round(os.getloadavg()[0], 2),
        python=platform.python_version(),
        kernel=f"{platform.system()} {platform.release()} {platform.machine()}",
        commit=commit(),
    )


def commit() -> str:
    """The checkout's commit, with a `+` when files differ from it; `unknown` outside a checkout."""
    here = os.path.dirname(__file__)
    try:
        return subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--abbrev=10"],
            cwd=here,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"


Cores = int | frozenset[int] | None
"""One core, or several; None: wherever the system puts it."""


def pin(cores: Cores, pid: int = 0) -> None:
    """Keep a process on a core, where the system can and the core is ours to use; otherwise leave it be.

    Only the thread that is named by `pid` is moved, so this comes before a process starts others.
    """
    if cores is not None and hasattr(os, "sched_setaffinity"):
        with suppress(OSError):
            os.sched_setaffinity(pid, {cores} if isinstance(cores, int) else cores)


@cache
def all_cores() -> frozenset[int] | None:
    """Those this process may use, or None where the system does not say.

    The first answer stands: once this process has kept itself to one of them, it sees no other.
    """
    return frozenset(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


def cores_for_measuring() -> tuple[int | None, int | None]:
    """A core for what is measured, another for the target and everything else; (None, None) if there is but one."""
    usable = sorted(all_cores() or ())
    return (usable[0], usable[1]) if len(usable) > 1 else (None, None)


def raise_open_files_limit() -> int:
    """Allow this process and those it starts as many open files as the system lets it; returns how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, WANTED_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return soft
