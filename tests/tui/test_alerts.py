"""A target that is down must not paper the screen with toasts."""

from __future__ import annotations

from tests.tui.fake import NOW, SECOND
from tui_scheduler.control.views import AlertView
from tui_scheduler.tui.alerts import AT_ONCE, SHOWN_S, AlertToasts


def alert(job: str, message: str = "failed 3 times") -> AlertView:
    return AlertView(NOW, job, f"job {job}", NOW, "failed", 3, message)


def test_an_alert_says_which_job_and_what() -> None:
    (toast,) = AlertToasts().pick([alert("a")], NOW)
    assert (toast.title, toast.text) == ("job a", "failed 3 times")


def test_a_job_without_a_name_is_called_by_its_id() -> None:
    (toast,) = AlertToasts().pick([AlertView(NOW, "an-id", "", NOW, "failed", 1, "status 500")], NOW)
    assert toast.title == "an-id"


def test_a_job_has_one_toast_at_a_time() -> None:
    toasts = AlertToasts()
    assert len(toasts.pick([alert("a"), alert("a")], NOW)) == 1
    assert toasts.pick([alert("a")], NOW + SECOND) == []
    assert len(toasts.pick([alert("a")], NOW + SHOWN_S * SECOND)) == 1


def test_a_few_are_shown_and_the_jobs_beyond_are_counted_once_each() -> None:
    many = [alert(str(number)) for number in range(AT_ONCE + 12)]
    shown = AlertToasts().pick([*many, *many], NOW)
    assert [toast.title for toast in shown] == ["job 0", "job 1", "job 2", "and 12 more"]


def test_the_count_is_told_again_only_when_the_last_has_gone() -> None:
    toasts = AlertToasts()
    toasts.pick([alert(str(number)) for number in range(AT_ONCE + 1)], NOW)
    assert toasts.pick([alert("x"), alert("y")], NOW + SECOND) == []
    later = toasts.pick([], NOW + SHOWN_S * SECOND)
    assert [toast.title for toast in later] == ["and 2 more"]
    assert toasts.pick([], NOW + 3 * SHOWN_S * SECOND) == []
