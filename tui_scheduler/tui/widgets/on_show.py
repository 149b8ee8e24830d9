"""Nothing is done to jobs that nobody has seen."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Protocol, TypeVar

from tui_scheduler.tui.job_model import JobModel
from tui_scheduler.tui.telling import Teller, tell


class _Shows(Teller, Protocol):
    """A widget that shows a model."""

    model: JobModel


P = TypeVar("P", bound=_Shows)


def on_show(action: Callable[[P], None]) -> Callable[[P], None]:
    """An action of a widget that says a word instead while the jobs on show are those of an older filter or order."""

    @wraps(action)
    def guarded(widget: P) -> None:
        if widget.model.is_current:
            action(widget)
        else:
            tell(widget, "not done: the jobs asked for are not on show yet", severity="warning")

    return guarded
