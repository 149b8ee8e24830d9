"""Disks that can be full: a small one of memory where root may mount it, else a limit on what a process may write."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

SIZE = "160m"
CHUNK = 1 << 16


class Disk(Protocol):
    """Where a database lies. `pids` are the processes that write to it."""

    def fill(self, pids: Collection[int]) -> None:
        """Leave no room."""
        ...

    def make_room(self, pids: Collection[int]) -> None: ...


class SmallDisk:
    """A file takes all the room there is."""

    def __init__(self, folder: Path) -> None:
        self._ballast = folder / "ballast"

    def fill(self, pids: Collection[int]) -> None:
        with self._ballast.open("ab", buffering=0) as file:
            for size in (CHUNK, 512):
                with suppress(OSError):
                    while file.write(bytes(size)) == size:
                        pass

    def make_room(self, pids: Collection[int]) -> None:
        self._ballast.unlink(missing_ok=True)


class LimitedFiles:
    """No file of the processes may grow beyond what the database's log has now."""

    def __init__(self, log: Path) -> None:
        self._log = log

    def fill(self, pids: Collection[int]) -> None:
        for pid in pids:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (self._log.stat().st_size, resource.RLIM_INFINITY))

    def make_room(self, pids: Collection[int]) -> None:
        for pid in pids:
            with suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@contextmanager
def small_disk(folder: Path, owner: tuple[int, int] | None = None) -> Iterator[SmallDisk | None]:
    """A disk of 160 MiB over `folder`, None where that is not allowed. What is on it is gone at the end."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, check=False, capture_output=True).returncode != 0:
        yield None
        return
    try:
        if owner is not None:
            os.chown(folder, *owner)
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
