"""Results made by hand."""

from __future__ import annotations

from benchmarks import report
from benchmarks.measure import Load, Result
from benchmarks.scenarios import SECOND, Window, parse
from benchmarks.subjects import Terms
from benchmarks.verdict import Delivery, Drift, Recording

WINDOW = Window(0, 10 * SECOND)


def result(
    name: str,
    p99: int = 1_000,
    *,
    subject: str = report.PROGRAM,
    db: str = "sqlite",
    history: int = 0,
    per_second: float = 1_000.0,
    behind: int = 0,
    lost: int = 0,
    late: int = 0,
    findings: dict[str, float] | None = None,
) -> Result:
    return Result(
        subject=subject,
        scenario=parse(name),
        terms=Terms(10, history=history, db=db),
        window=WINDOW,
        delivery=Delivery(9_000, 9_000, 0, behind, lost, 0, 0, 9_000, per_second, Drift(1, 2, p99, p99)),
        recording=Recording(9_000, 0, 0),
        load=Load(1.0, 100_000_000, late, 0.0),
        findings=findings or {},
    )
