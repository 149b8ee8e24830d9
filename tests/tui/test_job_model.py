"""What the jobs pane knows: keys, lines, marks, and what an action acts on."""

from __future__ import annotations

import pytest

from tui_scheduler.control.views import JobListing, JobRow, SortBy
from tui_scheduler.domain.filtering import parse_filter
from tui_scheduler.domain.job import JobState
from tui_scheduler.tui.job_model import ROWS_KEPT, JobModel, Targets


def row(key: int, name: str = "") -> JobRow:
    return JobRow(
        key, f"id {key}", name, "GET", "http://x/", "* * * * * *", "UTC", "default", (), JobState.ACTIVE, 1, 0, None
    )


def model(*keys: int, total: int | None = None) -> JobModel:
    made = JobModel()
    made.take(JobListing(keys, len(keys) if total is None else total))
    return made


def test_a_listing_says_whether_the_order_is_another() -> None:
    jobs = JobModel()
    assert jobs.take(JobListing((1, 2), 2))
    assert not jobs.take(JobListing((1, 2), 2))
    assert jobs.take(JobListing((2, 1), 2))


def test_the_first_listing_is_news_even_when_it_is_empty() -> None:
    assert JobModel().take(JobListing((), 0))


def test_lines_that_were_read_are_told_by_whether_they_are_different() -> None:
    jobs = model(1, 2, 3)
    assert jobs.put([1, 2], [row(1), row(2)]).changed == {1, 2}
    assert jobs.put([1, 2], [row(1), row(2, "new name")]).changed == {2}


def test_a_line_that_is_asked_for_and_not_given_is_forgotten() -> None:
    jobs = model(1, 2)
    jobs.put([1, 2], [row(1), row(2)])
    assert jobs.put([1, 2], [row(2)]).gone == {1}
    assert jobs.row(1) is None
    assert jobs.put([1, 2], [row(2)]).gone == set()


def test_lines_shown_last_are_kept_and_others_forgotten() -> None:
    jobs = model(*range(ROWS_KEPT + 1))
    jobs.put(range(ROWS_KEPT), [row(key) for key in range(ROWS_KEPT)])
    jobs.row(0)
    jobs.put([ROWS_KEPT], [row(ROWS_KEPT)])
    assert jobs.row(0) is not None
    assert jobs.row(1) is None


@pytest.mark.parametrize(
    ("visible", "keys"),
    [
        (range(2), [10, 11, 12, 13]),
        (range(4, 6), [12, 13, 14, 15, 16, 17]),
        (range(8, 10), [16, 17, 18, 19]),
        (range(0), []),
    ],
)
def test_a_page_before_and_behind_the_screen_is_read_too(visible: range, keys: list[int]) -> None:
    assert model(*range(10, 20)).window(visible) == keys


def test_a_range_is_marked_from_the_last_mark_whichever_way() -> None:
    jobs = model(5, 6, 7, 8)
    jobs.mark(7)
    assert jobs.mark_range(0) == 2
    assert jobs.marks == {5, 6, 7}


def test_a_range_without_a_mark_to_start_from_is_one_job() -> None:
    jobs = model(5, 6, 7)
    jobs.mark(6)
    jobs.mark(6)
    jobs.mark_range(2)
    assert jobs.marks == {7}


def test_a_range_on_nothing_marks_nothing() -> None:
    jobs = model()
    assert jobs.mark_range(0) == 0
    assert jobs.marks == set()


def test_marking_all_keeps_what_the_filter_hides_marked() -> None:
    jobs = model(1, 2, 3)
    jobs.mark(3)
    jobs.filter_by(parse_filter("x"))
    jobs.take(JobListing((1, 2), 3))
    jobs.mark_all()
    assert jobs.marks == {1, 2, 3}


def test_marks_of_jobs_that_others_deleted_go_with_a_listing_of_all() -> None:
    jobs = model(1, 2, 3)
    jobs.mark_all()
    jobs.take(JobListing((1, 3), 2))
    assert jobs.marks == {1, 3}


def test_marks_of_jobs_whose_lines_are_gone_go_whatever_the_filter() -> None:
    jobs = model(1, 2, 3)
    jobs.mark_all()
    jobs.filter_by(parse_filter("x"))
    jobs.put([1, 2], [row(1)])
    assert jobs.marks == {1, 3}


def test_the_keys_are_those_of_an_older_query_until_a_listing_of_the_new_one_comes() -> None:
    jobs = model(1, 2)
    found = [jobs.is_current]
    jobs.filter_by(parse_filter("x"))
    found.append(jobs.is_current)
    jobs.take(JobListing((1,), 2))
    found.append(jobs.is_current)
    jobs.sort_next()
    found.append(jobs.is_current)
    assert found == [True, False, True, False]


def test_the_order_goes_round_turns_and_begins_with_what_one_looks_for() -> None:
    jobs = JobModel()
    for _ in SortBy:
        jobs.sort_next()
    assert jobs.query == JobModel().query
    jobs.sort_toward(SortBy.FAILURES)
    assert (jobs.query.sort, jobs.query.descending) == (SortBy.FAILURES, True)
    jobs.sort_toward(SortBy.FAILURES)
    assert (jobs.query.sort, jobs.query.descending) == (SortBy.FAILURES, False)


def test_an_action_acts_on_the_marked_jobs_that_are_shown_in_their_order() -> None:
    jobs = model(3, 1, 2)
    for key in (1, 3, 9):
        jobs.mark(key)
    assert jobs.targets() == Targets((3, 1), hidden=1)


def test_an_action_never_falls_back_on_the_cursor_while_all_marks_are_hidden() -> None:
    jobs = model(1, 2)
    jobs.cursor_key = 1
    jobs.mark(9)
    assert jobs.targets() == Targets((), hidden=1)


def test_without_marks_an_action_acts_on_the_job_with_the_cursor() -> None:
    jobs = model(1, 2)
    assert jobs.targets() == Targets(())
    jobs.cursor_key = 2
    assert jobs.targets() == Targets((2,))


@pytest.mark.parametrize(
    ("index", "step", "found"), [(0, 1, 1), (1, 1, 3), (3, 1, 1), (3, -1, 1), (1, -1, 3), (2, 1, 3)]
)
def test_the_nearest_wanted_job_is_looked_for_round_the_end(index: int, step: int, found: int) -> None:
    assert model(10, 11, 12, 13).nearest({11, 13}, index, step) == found


def test_the_only_wanted_job_is_found_from_itself_and_none_from_nowhere() -> None:
    assert model(10, 11).nearest({11}, 1, 1) == 1
    assert model(10, 11).nearest({12}, 0, 1) is None
    assert model().nearest({12}, 0, 1) is None


def test_the_summary_says_what_is_shown_of_what() -> None:
    jobs = JobModel()
    assert jobs.summary("") == "Jobs"
    jobs.take(JobListing(range(1_203), 1_203))
    assert jobs.summary("") == "Jobs 1,203"
    jobs.marks = {1, 2, 2_000}
    jobs.filter_by(parse_filter("prod"))
    jobs.sort_by(SortBy.NAME, descending=True)
    assert jobs.summary("prod\x1b[31m") == "Jobs 1,203 of 1,203 · 3 marked, 1 hidden · by name ↓ · filter: prod␛[31m"


def test_where_there_are_no_lines_it_says_why_and_what_to_press() -> None:
    jobs = JobModel()
    assert jobs.nothing_there("Esc", "c") == ("reading the jobs …",)
    jobs.take(JobListing((), 0))
    assert jobs.nothing_there("Esc", "c") == ("no jobs yet", "", "c creates one")
    jobs.filter_by(parse_filter("x"))
    jobs.take(JobListing((), 1_200))
    assert jobs.nothing_there("Esc", "c") == ("nothing matches", "", "Esc shows all 1,200 jobs")
