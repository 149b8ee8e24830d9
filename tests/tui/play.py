"""`python -m tests.tui.play`: the app over the fake control, to look at while a widget is being made."""

from __future__ import annotations

from tests.tui.fake import SECOND, FakeControl, FakeSession
from tui_scheduler.domain.execution import State
from tui_scheduler.domain.job import JobSpec, JobState, Request
from tui_scheduler.tui.app import SchedulerApp


def some_jobs() -> FakeControl:
    control = FakeControl()
    for number in range(40):
        spec = JobSpec(
            f"*/{number % 12 + 1} * * * * *",
            Request(f"http://127.0.0.1:3001/{number}"),
            name=f"job {number:02}",
            tags=("sample", "even" if number % 2 == 0 else "odd"),
            queue="reports" if number % 5 == 0 else "default",
        )
        job = control.add(spec, JobState.PAUSED if number % 7 == 3 else JobState.ACTIVE)
        for run in range(12, 0, -1):
            bad = number % 6 == 1 and run < 4
            control.happened(job, State.FAILED if bad else State.SUCCEEDED, ago=run * 10 * SECOND)
    return control


if __name__ == "__main__":
    fake = some_jobs()
    SchedulerApp(lambda: FakeSession(fake), now=fake.now).run()
