"""The columns of the job table: which show, and that they stand straight whatever is in them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.cells import cell_len

from tests.tui.fake import NOW, SECOND
from tui_scheduler.control.views import JobRow, Result, SortBy
from tui_scheduler.domain.execution import State
from tui_scheduler.domain.job import JobState
from tui_scheduler.tui.widgets.job_columns import (
    Column,
    Moment,
    ago,
    as_text,
    column_at,
    draw,
    draw_header,
    draw_unknown,
    layout,
)

MINUTE = 60 * SECOND
WIDTHS = [1, 5, 10, 20, 25, 26, 41, 42, 60, 61, 69, 70, 75, 79, 91, 92, 96, 97, 104, 117, 200]

ROW = JobRow(
    key=1,
    id="0190",
    name="nightly report",
    method="POST",
    url="http://127.0.0.1:3001/report",
    schedule="*/12 * * * * *",
    timezone="UTC",
    queue="reports",
    tags=(),
    state=JobState.ACTIVE,
    version=1,
    failures=0,
    next_run=NOW + 5 * SECOND,
)


def result(state: State = State.SUCCEEDED, *, back: int = 3 * SECOND, status: int | None = 200) -> Result:
    return Result(state, NOW - back, status, None, 1_200, 12_000)


def went_wrong(error: str, *, back: int = 3 * SECOND) -> Result:
    return replace(result(State.FAILED, back=back, status=None), error=error)


def line(row: JobRow, width: int = 71, *, marked: bool = False) -> str:
    return "".join(piece.text for piece in draw(row, width, Moment(NOW, marked)))


def cell(row: JobRow, column: Column, width: int = 117) -> str:
    text = line(row, width)
    place = next(place for place in layout(width) if place.column is column)
    return text[place.start : place.start + place.width].strip()


@pytest.mark.parametrize(
    ("width", "columns"),
    [
        (71, ["", "state", "name", "schedule", "next", "last", "runs"]),
        (79, ["", "state", "name", "schedule", "next", "last", "runs"]),
        (117, ["", "state", "name", "schedule", "next", "last", "runs", "drift", "queue"]),
        (20, ["", "state", "name"]),
    ],
)
def test_columns_show_where_there_is_room_for_them(width: int, columns: list[str]) -> None:
    assert [place.column.value for place in layout(width)] == columns


@pytest.mark.parametrize(
    ("width", "text"),
    [
        (75, " ● active   webhooks: partners-eu */12 * * * * *      5s ✓ 200 3s    ▆▆▆▆▆▆"),
        (79, " ● active   webhooks: partners-eu     */12 * * * * *      5s ✓ 200 3s    ▆▆▆▆▆▆"),
    ],
)
def test_beside_the_editor_and_on_a_narrow_terminal_a_usual_line_fits_whole(width: int, text: str) -> None:
    row = replace(ROW, results=(result(),) * 12, name="webhooks: partners-eu")
    assert line(row, width) == text


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    "name",
    [
        "plain",
        "",
        "x" * 100_000,
        "東京の在庫 東京の在庫 東京の在庫 東京の在庫",
        "emoji 🚀🔥 and ❤️ and 👩‍👩‍👧",
        "\x1b[31mred\x1b]0;title\x07 \x00\r\n\t",
        "[red]markup[/red] [/] [",
        "e" + "\u0301" * 500,
        "\u202eright to left",
    ],
)
def test_a_line_is_exactly_as_wide_as_the_table_whatever_the_job_is_called(name: str, width: int) -> None:
    row = replace(ROW, name=name, queue=name, schedule=name, results=(result(),) * 3)
    text = line(row, width)
    assert cell_len(text) == max(width, cell_len(text) if width < 20 else 0)
    assert text.isprintable()


@pytest.mark.parametrize("width", WIDTHS)
def test_header_lines_and_unknown_lines_stand_below_each_other(width: int) -> None:
    header = "".join(piece.text for piece in draw_header(width, SortBy.NAME, False))
    unknown = "".join(piece.text for piece in draw_unknown(width, False))
    assert cell_len(header) == cell_len(unknown) == cell_len(line(ROW, width))


def test_a_job_without_a_name_is_called_by_its_url() -> None:
    assert cell(replace(ROW, name=""), Column.NAME).startswith("http://127.0.0.1")


@pytest.mark.parametrize(
    ("state", "failures", "text"),
    [
        (JobState.ACTIVE, 0, "● active"),
        (JobState.ACTIVE, 2, "▲ failing"),
        (JobState.PAUSED, 2, "‖ paused"),
        (JobState.FINISHED, 0, "■ finished"),
    ],
)
def test_the_state_is_a_sign_and_a_word(state: JobState, failures: int, text: str) -> None:
    assert cell(replace(ROW, state=state, failures=failures), Column.STATE) == text


@pytest.mark.parametrize(
    ("instant", "narrow", "wide"),
    [
        (NOW + 5 * SECOND, "5s", "in 5s"),
        (NOW + 59 * MINUTE, "59m 00s", "in 59m 00s"),
        (NOW, "now", "now"),
        (NOW - 5 * SECOND, "5s late", "5s late"),
        (NOW - 59 * MINUTE - 59 * SECOND, "late", "59m late"),
        (NOW + 99 * 24 * 60 * MINUTE, "99d 0h", "in 99d 0h"),
        (None, "-", "-"),
    ],
)
def test_the_next_run_counts_down_in_the_cells_there_are(instant: int | None, narrow: str, wide: str) -> None:
    row = replace(ROW, next_run=instant)
    assert cell(row, Column.NEXT, 71) == narrow
    assert cell(row, Column.NEXT, 117) == wide


@pytest.mark.parametrize(
    ("last", "narrow", "wide"),
    [
        (result(), "✓ 200 3s", "✓ 200 3s"),
        (result(State.FAILED, status=500, back=90 * SECOND), "× 500 1m", "× 500 1m"),
        (result(State.RETRYING, status=503), "◐ retrying", "◐ retrying 3s"),
        (result(State.CLAIMED, status=500), "◇ claimed", "◇ claimed 3s"),
        (result(State.PENDING, status=500), "○ pending", "○ pending 3s"),
        (result(State.RUNNING, status=500), "▶ running", "▶ running 3s"),
        (result(State.CANCELLED, status=None), "□ cancelled", "□ cancelled 3s"),
        (result(State.SKIPPED, status=None), "» skipped", "» skipped 3s"),
        (result(State.LOST, status=None), "! lost 3s", "! lost 3s"),
        (went_wrong("127.0.0.1:9 refused the connection"), "× failed 3s", "× failed 3s"),
        (went_wrong("127.0.0.1:9 refused the connection", back=59 * MINUTE), "× failed", "× failed 59m"),
        (went_wrong("timeout"), "× failed 3s", "× timeout 3s"),
        (None, "-", "-"),
    ],
)
def test_the_last_result_is_a_sign_what_came_and_how_long_ago(last: Result | None, narrow: str, wide: str) -> None:
    row = replace(ROW, results=(last,) if last else ())
    assert cell(row, Column.LAST, 75) == narrow
    assert cell(row, Column.LAST, 117) == wide


def test_where_there_is_room_the_last_result_says_what_went_wrong() -> None:
    failed = went_wrong("127.0.0.1:9 refused the connection")
    assert cell(replace(ROW, results=(failed,)), Column.LAST, 200) == "× 127.0.0.1:9 refused the connection 3s"


def test_runs_go_from_old_to_new_and_failures_differ_in_shape() -> None:
    runs = (result(State.FAILED), result(State.SKIPPED), result(), result(State.LOST), result(State.RUNNING))
    assert cell(replace(ROW, results=runs), Column.RUNS) == "▶!▆»×"


def test_runs_that_failed_differ_in_their_look_too() -> None:
    pieces = draw(replace(ROW, results=(result(State.FAILED), result())), 117, Moment(NOW))
    looks = {piece.text.strip(): piece.look for piece in pieces}
    assert looks["▆"] == "state--good"
    assert looks["×"] == "state--bad"


def test_drift_is_that_of_the_latest_run_that_had_any() -> None:
    runs = (replace(result(State.SKIPPED), drift=None), result())
    assert cell(replace(ROW, results=runs), Column.DRIFT) == "+1.2 ms"


def test_a_marked_line_has_a_sign() -> None:
    assert line(ROW, marked=True).startswith("◆●")


@pytest.mark.parametrize(
    ("sort", "descending", "header"),
    [(SortBy.NAME, False, "NAME ↑"), (SortBy.NEXT_RUN, True, "NEXT ↓"), (SortBy.FAILURES, True, "RUNS ↓")],
)
def test_the_header_has_an_arrow_at_the_column_sorted_by(sort: SortBy, descending: bool, header: str) -> None:
    text = "".join(piece.text for piece in draw_header(71, sort, descending))
    assert header in text
    assert text.count("↑") + text.count("↓") == 1


def test_every_cell_of_the_header_belongs_to_a_column() -> None:
    found = [column_at(x, 71) for x in range(71)]
    assert None not in found
    assert found[0] is Column.MARK
    assert found[5] is Column.STATE
    assert found[-1] is Column.RUNS


@pytest.mark.parametrize(
    ("back", "text"),
    [
        (-SECOND, "0s"),
        (59 * SECOND, "59s"),
        (60 * SECOND, "1m"),
        (59 * MINUTE, "59m"),
        (23 * 60 * MINUTE, "23h"),
        (999 * 24 * 60 * MINUTE, "999d"),
        (1_000 * 24 * 60 * MINUTE, "2y"),
    ],
)
def test_how_long_ago_is_a_number_and_a_unit(back: int, text: str) -> None:
    assert ago(NOW - back, NOW) == text


def test_a_copied_line_has_everything_whole_and_harmless() -> None:
    text = as_text(replace(ROW, name="n" * 200 + "\x1b[0m", results=(result(),)), NOW)
    assert "n" * 200 + "␛[0m" in text
    assert "last: 200 3s ago" in text
    assert "POST http://127.0.0.1:3001/report" in text
