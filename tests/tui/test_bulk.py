"""What is said and decided when something is done to many jobs at once."""

from __future__ import annotations

import pytest

from tui_scheduler.control.views import Change, Changed
from tui_scheduler.domain.errors import Conflict
from tui_scheduler.tui.bulk import Toggle, insist, named, progress, report, toggle


@pytest.mark.parametrize(
    ("paused", "finished", "wanted"),
    [
        (set(), set(), Toggle(Change.PAUSE, (1, 2, 3))),
        ({1}, set(), Toggle(Change.PAUSE, (2, 3))),
        ({1}, {2}, Toggle(Change.PAUSE, (3,))),
        ({1, 2, 3}, set(), Toggle(Change.RESUME, (1, 2, 3))),
        ({1, 3}, {2}, Toggle(Change.RESUME, (1, 3))),
        (set(), {1, 2, 3}, Toggle(Change.RESUME, ())),
    ],
)
def test_active_jobs_are_paused_and_only_where_none_is_the_paused_resumed(
    paused: set[int], finished: set[int], wanted: Toggle
) -> None:
    assert toggle((1, 2, 3), paused, finished) == wanted


@pytest.mark.parametrize(
    ("changed", "hidden", "name", "text"),
    [
        (Changed((1,)), 0, "nightly", "paused nightly"),
        (Changed((1,)), 0, "", "paused 1 job"),
        (Changed((1, 2, 3)), 0, "", "paused 3 jobs"),
        (
            Changed((1, 2, 3)),
            2,
            "",
            "paused 3 jobs; 2 marked jobs are hidden by the filter and were left alone",
        ),
        (Changed((1,)), 1, "", "paused 1 job; 1 marked job is hidden by the filter and was left alone"),
        (
            Changed((1,), ((2, "no"), (3, "no"), (4, "never"))),
            0,
            "",
            "paused 1 job; 2 jobs refused: no; 1 job refused: never",
        ),
        (Changed((), ((2, "it is deleted"),)), 0, "", "1 job refused: it is deleted"),
        (
            Changed((), tuple((key, f"no {key}") for key in range(5))),
            0,
            "",
            "1 job refused: no 0; 1 job refused: no 1; 1 job refused: no 2; 2 jobs refused for other reasons",
        ),
        (Changed((1,)), 0, "evil\x1b]0;", "paused evil␛]0;"),
    ],
)
def test_a_report_says_what_was_done_refused_and_left_out(changed: Changed, hidden: int, name: str, text: str) -> None:
    assert report(Change.PAUSE, changed, hidden, name) == text


def test_a_report_says_how_many_it_did_not_come_to() -> None:
    assert report(Change.PAUSE, Changed((1,)), 0, left=2) == "paused 1 job; stopped, 2 jobs are as before"
    assert progress(Change.PAUSE, 12_000, 100_000) == "paused 12,000 of 100,000 jobs …"


def test_who_insists_hears_what_was_refused() -> None:
    insist(Change.DELETE, Changed((1, 2)))
    with pytest.raises(Conflict, match=r"^deleted 1 job; 1 job refused: no$"):
        insist(Change.DELETE, Changed((1,), ((2, "no"),)))


def test_the_first_jobs_are_named_and_the_rest_counted() -> None:
    assert named(["a", "b"], 2) == "· a\n· b"
    assert named([str(n) for n in range(10)], 1_203).splitlines()[-2:] == ["· 5", "… and 1,197 more"]
