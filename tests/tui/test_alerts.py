"""A target that is down must not paper the screen with toasts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.tui.fake import NOW, SECOND
from tui_scheduler.control.views import AlertView
from tui_scheduler.tui.alerts import COUNT_EVERY_S, QUIET_S, SHOWN_S, AlertToasts, TroubleToasts
from tui_scheduler.tui.vitals import badge


def alert(job: str, message: str = "failed 3 times") -> AlertView:
    return AlertView(NOW, job, f"job {job}", NOW, "failed", 3, message)


def test_an_alert_says_which_job_and_what() -> None:
    (toast,) = AlertToasts().pick([alert("a")], NOW)
    assert (toast.title, toast.text) == ("job a", "failed 3 times")


def test_a_job_without_a_name_is_called_by_its_id() -> None:
    (toast,) = AlertToasts().pick([AlertView(NOW, "an-id", "", NOW, "failed", 1, "HTTP 500")], NOW)
    assert toast.title == "an-id"


@pytest.mark.parametrize(
    "story",
    [
        pytest.param([(0, "a", "job a"), (SHOWN_S, "", "")], id="a job that fails is told of"),
        pytest.param([(0, "aa", "job a"), (1, "a", "")], id="once"),
        pytest.param([(0, "a", "job a"), (QUIET_S - 1, "a", "")], id="for five minutes, however often it fails"),
        pytest.param(
            [(0, "a", "job a"), (QUIET_S - 1, "a", ""), (QUIET_S, "a", "job a")], id="then it is told of again"
        ),
        pytest.param([(0, "a", "job a"), (1, "b", "job b"), (2, "a", "")], id="two at once"),
        pytest.param([(0, "abcd", "job a, job b, and 2 more")], id="those beyond are counted"),
        pytest.param([(0, "abcdabcdcd", "job a, job b, and 2 more")], id="each of them once"),
        pytest.param(
            [(0, "abc", "job a, job b, and 1 more"), (SHOWN_S, "c", ""), (SHOWN_S, "d", "job d")],
            id="one that was counted was told of, and makes room for others",
        ),
        pytest.param([(0, "abc", "job a, job b, and 1 more"), (SHOWN_S - 1, "d", "")], id="as long as two are there"),
        pytest.param(
            [
                (0, "abc", "job a, job b, and 1 more"),
                (1, "de", ""),
                (COUNT_EVERY_S - 1, "", ""),
                (COUNT_EVERY_S, "", "and 2 more"),
                (2 * COUNT_EVERY_S, "", ""),
            ],
            id="they are counted no more than once a minute, and lost to no count",
        ),
    ],
)
def test_what_is_told_of_jobs_that_fail(story: list[tuple[int, str, str]]) -> None:
    """Each step: seconds from the beginning, a letter for each job that fails then, the titles of the toasts."""
    toasts = AlertToasts()
    for after, failing, told in story:
        shown = toasts.pick([alert(letter) for letter in failing], NOW + after * SECOND)
        assert ", ".join(toast.title for toast in shown) == told


def test_a_thousand_jobs_that_fail_are_two_toasts_and_a_count() -> None:
    shown = AlertToasts().pick([alert(str(number)) for number in range(1_002)], NOW)
    assert [toast.title for toast in shown] == ["job 0", "job 1", "and 1,000 more"]
    assert shown[-1].text == "1,000 other jobs failed too; filter the jobs by state:failing"


def test_one_that_is_counted_alone_is_one_job() -> None:
    shown = AlertToasts().pick([alert(letter) for letter in "abc"], NOW)
    assert shown[-1].text.startswith("1 other job failed too")


def test_failures_that_were_summed_up_are_counted_one_by_one_whichever_job_was_the_last() -> None:
    toasts = AlertToasts()
    toasts.pick([alert("a")], NOW)
    (toast,) = toasts.pick([replace(alert("a"), number=480)], NOW + SECOND)
    assert toast.title == "and 480 more"
    assert toast.text == "480 failures came too fast to name their jobs; filter the jobs by state:failing"


def test_jobs_and_failures_that_were_summed_up_are_told_apart() -> None:
    *_, toast = AlertToasts().pick([*map(alert, "abc"), replace(alert("d"), number=30)], NOW)
    assert toast.title == "and 31 more"
    assert toast.text.startswith("1 other job failed too, 30 failures came too fast")


def late(number: int, second: int) -> list[str]:
    return [f"{number:,} late occurrences, the oldest due {second} s ago", "a node is silent"]


def test_all_that_is_wrong_is_told_in_full_once_in_a_while() -> None:
    toasts = TroubleToasts()

    def told(second: int, reasons: list[str], trouble: str | None = None) -> tuple[str, str] | None:
        shown = badge(opened=True, stale=None, trouble=trouble, reasons=reasons)
        toast = toasts.pick(shown, reasons, NOW + second * SECOND)
        return None if toast is None else (toast.title, toast.text)

    assert told(0, []) is None
    assert told(1, late(4_469, 15)) == ("TROUBLE", "4,469 late occurrences, the oldest due 15 s ago\na node is silent")
    assert told(2, late(5, 17)) is None
    assert told(3, []) is None
    assert told(4, late(1, 1)) is None
    assert told(5, late(1, 1), "the engine died: out of luck") == ("ENGINE DEAD", "the engine died: out of luck")
    assert told(1 + QUIET_S, late(9, 400)) == (
        "TROUBLE",
        "9 late occurrences, the oldest due 400 s ago\na node is silent",
    )


def test_a_store_that_does_not_answer_is_the_badges_alone() -> None:
    shown = badge(opened=True, stale="no answer for 3 s", trouble=None, reasons=[])
    assert TroubleToasts().pick(shown, [], NOW) is None
