"""Whether what was not run, or did not succeed, has the reason that is written down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.simulation.holds import may_be_closed
from tui_scheduler.domain.execution import SkipReason
from tui_scheduler.domain.job import CatchUp, JobState, Overlap
from tui_scheduler.engine.arming import rfc3339

if TYPE_CHECKING:
    from tests.simulation.audit import Case


def check_skip(case: Case, row: Any) -> None:
    """Say what is wrong with the reason of a skipped stretch."""
    reason = SkipReason(row.skip_reason)
    if reason is SkipReason.TOO_LATE:
        _check_late(case, row)
        return
    what = {deed.what for deed in case.deeds[1:]}
    states = {deed.job.state for deed in case.deeds}
    specs = [deed.job.spec for deed in case.deeds]
    may_be = {
        SkipReason.WINDOW: may_be_closed(case.history, case.job, row),
        SkipReason.OVERLAP: any(spec.overlap is not Overlap.ALLOW for spec in specs),
        SkipReason.PAUSED: JobState.PAUSED in states,
        SkipReason.DELETED: "delete" in what,
        SkipReason.EDITED: len({(spec.schedule, spec.timezone) for spec in specs}) > 1
        or bool(what & {"resume", "restore"}),
    }
    if not may_be[reason]:
        case.complain(f"execution {row.id} of {rfc3339(row.skip_from)} is skipped as {reason}, which never was")


def _check_late(case: Case, row: Any) -> None:
    """Too late is what was older than the grace, of a job that wants such occurrences skipped."""
    late_by = row.finished_at - row.skip_to
    graces = [deed.job.spec.grace + deed.job.offset for deed in case.deeds if deed.job.spec.catch_up is not CatchUp.ALL]
    if not graces:
        case.complain(f"execution {row.id} is skipped as too late, but the job wants to catch up on all")
    elif late_by <= min(graces):
        case.complain(f"execution {row.id} is skipped as too late after {late_by / 1e6:.3f} s, within the grace")


def check_end(case: Case, row: Any) -> None:
    """Say what is wrong with an execution that was cancelled."""
    if row.state != "cancelled" or row.id in case.history.cancelled:
        return
    gives_way = any(deed.job.spec.overlap is Overlap.CANCEL for deed in case.deeds)
    was_deleted = any(deed.what == "delete" for deed in case.deeds)
    if not gives_way and not was_deleted:
        case.complain(f"execution {row.id} was cancelled, and nobody asked for it")
