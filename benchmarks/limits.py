"""What bounds everything else: how much the receiver and this machine carry when nobody schedules anything."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from benchmarks import capacity
from benchmarks.machine import cores_for_measuring
from benchmarks.processes import running_receiver

CONNECTIONS = 50
NO_WRK = "wrk is not installed: the limit is that of our own client in Python alone"


def told(seconds: float) -> list[str]:
    """A sentence for each client that keeps the receiver busy from the other core."""
    found = capacity.measure(CONNECTIONS, seconds)
    ours = (
        f"limit: {found.answered / found.seconds:,.0f} requests/s from a bare loop over sockets,"
        f" {found.cpu_us:.1f} µs of the receiver's CPU each"
    )
    return [ours, by_wrk(seconds)]


def by_wrk(seconds: float) -> str:
    wrk = shutil.which("wrk")
    if wrk is None:
        return NO_WRK
    sender_core, receiver_core = cores_for_measuring()
    with (
        tempfile.TemporaryDirectory(prefix="tui-scheduler-bench-") as folder,
        running_receiver(Path(folder) / "arrivals.log", cpu=receiver_core) as target,
    ):
        options = ["-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", target.url]
        command = [wrk, *options] if sender_core is None else ["taskset", "-c", str(sender_core), wrk, *options]
        said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 30).stdout
    return f"limit: {requests_a_second(said):,.0f} requests/s from wrk, {CONNECTIONS} connections"


def requests_a_second(said: str) -> float:
    """What wrk found. Raises ValueError when it says nothing of it."""
    found = re.search(r"Requests/sec:\s*([\d.]+)", said)
    if found is None:
        raise ValueError(f"wrk did not tell how many requests it made: {said!r}")
    return float(found[1])
