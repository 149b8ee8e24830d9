"""A crontab becomes jobs: what comes along is seen before, and can be taken back after."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Button, Input, Static, TextArea

from tests.tui.fake import FakeControl, FakeSession
from tests.tui.pilots import NARROW, WIDE, play, until
from tui_scheduler.control.views import JobView
from tui_scheduler.domain.errors import Conflict, StoreUnavailable
from tui_scheduler.domain.job import JobSpec, JobState
from tui_scheduler.tui.app import SchedulerApp
from tui_scheduler.tui.desk import Desk
from tui_scheduler.tui.screens.import_crontab import ImportCrontabScreen
from tui_scheduler.tui.screens.welcome import WelcomeScreen

CRONTAB = """\
# all this
MAILTO=me@example.com
*/5 * * * *  curl -fsS http://127.0.0.1:3001/ping
0 3 * * *    /usr/local/bin/backup --all
30 8 * * 1   curl -X POST -d 'a=1' http://127.0.0.1:3001/report
"""
SIZES = pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])


class Importer(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.fake = FakeControl()
        self.desk = Desk(self.fake.now)
        self.answers: list[int | None] = []

    def on_mount(self) -> None:
        self.desk.open(self.fake)
        self.push_screen(ImportCrontabScreen(self.desk, "Europe/Berlin"), self.answers.append)

    @property
    def toasts(self) -> list[str]:
        return [each.message for each in self._notifications]

    @property
    def urls(self) -> list[str]:
        there = [job for job in self.fake.stored.values() if job.state is not JobState.DELETED]
        return [job.spec.request.url.rpartition("/")[2] for job in there]

    def said(self, name: str) -> str:
        return str(self.screen.query_one(f"#{name}", Static).content)


@pytest.fixture(autouse=True)
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder with programs, and empty: there is no crontab of whoever runs the tests."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def crontab_program(folder: Path, script: str) -> None:
    path = folder / "crontab"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


async def paste(pilot: Pilot[Any], text: str) -> None:
    pilot.app.screen.query_one("#lines", TextArea).load_text(text)


async def two_found(pilot: Pilot[Any], app: Importer) -> None:
    await paste(pilot, CRONTAB)
    await until(pilot, lambda: app.said("summary") == "2 jobs to import, 1 line does not come along")


@SIZES
def test_what_each_line_becomes_is_shown_before_anything_is_stored(size: tuple[int, int]) -> None:
    app = Importer()

    async def scenario(pilot: Pilot[Any]) -> None:
        assert app.said("summary") == "Paste lines, name a file, or F5 for your own crontab."
        assert app.screen.query_one("#import", Button).disabled
        await two_found(pilot, app)
        found = app.said("found")
        assert "   3 ✓ job " in found
        assert "   4 × left out" in found
        assert "http://127.0.0.1:3001/ping" in found
        assert str(app.screen.query_one("#import", Button).label) == "Import 2 jobs"
        assert app.fake.stored == {}
        dialog = app.screen.query_one("#dialog").region
        assert app.screen.region.contains_region(dialog)
        for button in app.screen.query(Button):
            assert dialog.contains_region(button.region)
        assert app.screen.query_one("#scroll").size.height >= 6

    play(app, scenario, size=size)


@pytest.mark.parametrize("keys", [["f10"], ["ctrl+s"], ["tab", "tab", "tab", "enter"]])
@SIZES
def test_importing_makes_the_jobs_and_says_so(keys: list[str], size: tuple[int, int]) -> None:
    app = Importer()

    async def scenario(pilot: Pilot[Any]) -> None:
        await two_found(pilot, app)
        await pilot.press(*keys)
        await until(pilot, lambda: app.answers)
        assert app.answers == [2]
        assert app.urls == ["ping", "report"]
        assert app.toasts == ["imported 2 jobs"]

    play(app, scenario, size=size)


def test_what_is_there_already_is_left_out_and_said() -> None:
    app = Importer()

    async def scenario(pilot: Pilot[Any]) -> None:
        await two_found(pilot, app)
        await pilot.press("f10")
        await until(pilot, lambda: app.answers)
        app.push_screen(ImportCrontabScreen(app.desk, "UTC"), app.answers.append)
        await until(pilot, lambda: isinstance(app.screen, ImportCrontabScreen) and app.screen.query("#lines"))
        await paste(pilot, CRONTAB + "# another one\n0 0 * * * curl http://127.0.0.1:3001/ping\n")
        await until(pilot, lambda: app.said("summary") == "1 job to import, 3 lines do not come along")
        assert "a job with this name and URL is there already" in app.said("found")
        await pilot.press("f10")
        await until(pilot, lambda: len(app.answers) == 2)
        assert app.urls == ["ping", "report", "ping"]

    play(app, scenario)


def test_a_deleted_job_is_not_there() -> None:
    app = Importer()

    async def scenario(pilot: Pilot[Any]) -> None:
        await two_found(pilot, app)
        await pilot.press("f10")
        await until(pilot, lambda: app.answers)
        await app.desk.undo[0].back()
        app.push_screen(ImportCrontabScreen(app.desk, "UTC"), app.answers.append)
        await until(pilot, lambda: isinstance(app.screen, ImportCrontabScreen) and app.screen.query("#lines"))
        await two_found(pilot, app)

    play(app, scenario)


def test_an_import_can_be_taken_back() -> None:
    app = Importer()

    async def scenario(pilot: Pilot[Any]) -> None:
        await two_found(pilot, app)
        await pilot.press("f10")
        await until(pilot, lambda: app.answers)
        assert [undo.label for undo in app.desk.undo] == ["imported 2 jobs"]
        await app.desk.undo[0].back()
        assert app.urls == []

    play(app, scenario)


def test_taking_an_import_back_says_what_is_refused() -> None:
    app = Importer()

    async def scenario(pilot: Pilot[Any]) -> None:
        await two_found(pilot, app)
        await pilot.press("f10")
        await until(pilot, lambda: app.answers)
        app.fake.stored.popitem()
        with pytest.raises(Conflict, match=r"^deleted 1 job; 1 job refused: there is no such job$"):
            await app.desk.undo[0].back()

    play(app, scenario)


@pytest.mark.parametrize("size", [WIDE])
def test_escape_cancels(size: tuple[int, int]) -> None:
    app = Importer()

    async def scenario(pilot: Pilot[Any]) -> None:
        await two_found(pilot, app)
        await pilot.press("escape")
        await until(pilot, lambda: app.answers)
        assert (app.answers, app.urls, app.toasts, app.desk.undo) == ([0], [], [], [])

    play(app, scenario, size=size)


def test_the_jobs_keep_the_clock_of_their_machine_or_of_the_zone_that_is_typed() -> None:
    app = Importer()

    async def scenario(pilot: Pilot[Any]) -> None:
        zone = app.screen.query_one("#zone", Input)
        assert zone.value == "Europe/Berlin"
        await two_found(pilot, app)
        zone.value = "Europe/Nowhere"
        await until(pilot, lambda: app.said("summary") == "0 jobs to import, 3 lines do not come along")
        zone.value = "Asia/Tokyo"
        await until(pilot, lambda: app.said("summary").startswith("2 jobs"))
        await pilot.press("f10")
        await until(pilot, lambda: app.answers)
        assert {job.spec.timezone for job in app.fake.stored.values()} == {"Asia/Tokyo"}

    play(app, scenario)


def test_f10_with_nothing_to_import_does_nothing() -> None:
    app = Importer()

    async def scenario(pilot: Pilot[Any]) -> None:
        await paste(pilot, "# nothing\n")
        await until(pilot, lambda: app.said("summary") == "Nothing here is a job: comments and settings only.")
        await pilot.press("f10")
        await pilot.pause()
        assert app.answers == []

    play(app, scenario)


@pytest.mark.parametrize("button", ["cancel", "import"])
def test_the_buttons_can_be_clicked(button: str) -> None:
    app = Importer()

    async def scenario(pilot: Pilot[Any]) -> None:
        await two_found(pilot, app)
        await pilot.click(f"#{button}")
        await until(pilot, lambda: app.answers)

    play(app, scenario)
    assert app.answers == [2 if button == "import" else 0]


def test_ones_own_crontab_is_there_from_the_start(programs: Path) -> None:
    crontab_program(
        programs, f'[ "$1" = -l ] && cat() {{ while IFS= read -r l; do echo "$l"; done; }}; cat <<\'E\'\n{CRONTAB}E'
    )
    app = Importer()

    async def scenario(pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: app.said("summary").startswith("2 jobs"))

    play(app, scenario)


def test_ones_own_crontab_does_not_take_the_place_of_what_was_pasted_but_f5_gets_it(programs: Path) -> None:
    app = Importer()

    async def scenario(pilot: Pilot[Any]) -> None:
        await paste(pilot, "# mine\n")
        crontab_program(programs, "echo '0 3 * * * curl http://127.0.0.1:3001/own'")
        screen = app.screen
        assert isinstance(screen, ImportCrontabScreen)
        await screen._fill_in_own(asked=False)
        assert screen.query_one("#lines", TextArea).text == "# mine\n"
        await pilot.press("f5")
        await until(pilot, lambda: app.said("summary") == "1 job to import")

    play(app, scenario)


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (None, "× crontab -l: there is no such program here"),
        ("echo 'no crontab for [b]me' >&2; exit 1", "× crontab -l: no crontab for [b]me"),
        ("exit 3", "× crontab -l: failed with exit code 3"),
        ("printf '\\377\\376'", "× crontab -l: not UTF-8"),
    ],
)
def test_a_crontab_that_cannot_be_had_is_told_when_it_was_asked_for(
    script: str | None, says: str, programs: Path
) -> None:
    if script is not None:
        crontab_program(programs, script)
    app = Importer()

    async def scenario(pilot: Pilot[Any]) -> None:
        await pilot.pause()
        await pilot.press("f5")
        await until(pilot, lambda: app.said("summary") == says)

    play(app, scenario)


def test_a_file_is_read_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "my crontab").write_text(CRONTAB)
    app = Importer()

    async def scenario(pilot: Pilot[Any]) -> None:
        path = app.screen.query_one("#path", Input)
        path.focus()
        path.value = "~/my crontab"
        await pilot.press("enter")
        await until(pilot, lambda: app.said("summary").startswith("2 jobs"))
        assert app.screen.query_one("#lines", TextArea).text == CRONTAB

    play(app, scenario)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"\xff\xfe", "not UTF-8"),
        (b"#" * 300_000, "longer than 256 KiB"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(content: bytes | None, says: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    if content is not None:
        path.write_bytes(content)
    app = Importer()

    async def scenario(pilot: Pilot[Any]) -> None:
        field = app.screen.query_one("#path", Input)
        field.focus()
        field.value = str(path)
        await pilot.press("enter")
        await until(pilot, lambda: app.said("summary") == f"× {path}: {says}")

    play(app, scenario)


def test_a_job_that_is_refused_leaves_the_others_and_is_named() -> None:
    class Picky(FakeControl):
        def create_job(self, spec: JobSpec) -> JobView:
            if spec.request.url.endswith("ping"):
                raise Conflict("not [b]this one")
            return super().create_job(spec)

    app = Importer()
    app.fake = Picky()

    async def scenario(pilot: Pilot[Any]) -> None:
        await two_found(pilot, app)
        await pilot.press("f10")
        await until(pilot, lambda: app.answers)
        assert app.answers == [1]
        assert app.urls == ["report"]
        assert app.toasts[0].startswith("imported 1 job of 2\n")
        assert app.toasts[0].endswith(": not [b]this one")

    play(app, scenario)


def test_a_store_that_goes_away_ends_the_import_and_what_was_made_can_be_taken_back() -> None:
    class Failing(FakeControl):
        def create_job(self, spec: JobSpec) -> JobView:
            if self.stored:
                raise StoreUnavailable("the disk is full", transient=False)
            return super().create_job(spec)

    app = Importer()
    app.fake = Failing()

    async def scenario(pilot: Pilot[Any]) -> None:
        await two_found(pilot, app)
        await pilot.press("f10")
        await until(pilot, lambda: app.answers)
        assert app.toasts == ["imported 1 job of 2\nthe disk is full"]
        await app.desk.undo[0].back()
        assert app.urls == []

    play(app, scenario)


def test_escape_while_it_imports_stops_after_the_job_under_way() -> None:
    app = Importer()
    gate = asyncio.Event()
    ask = app.desk.ask

    async def slowly(question: Any) -> Any:
        await gate.wait()
        return await ask(question)

    async def scenario(pilot: Pilot[Any]) -> None:
        await two_found(pilot, app)
        app.desk.ask = slowly  # type: ignore[method-assign]
        await pilot.press("f10")
        await until(pilot, lambda: app.said("summary") == "Importing 1 of 2 … Esc stops")
        await pilot.press("f10", "escape")
        gate.set()
        await until(pilot, lambda: app.answers)
        assert app.answers == [1]
        assert app.toasts == ["imported 1 job of 2"]

    play(app, scenario)


@SIZES
def test_hundreds_of_lines_scroll(size: tuple[int, int]) -> None:
    app = Importer()

    async def scenario(pilot: Pilot[Any]) -> None:
        await paste(pilot, "".join(f"0 3 * * * curl http://127.0.0.1:3001/{n}\n" for n in range(620)))
        await until(pilot, lambda: app.said("summary") == "620 jobs to import")
        assert app.said("found").endswith("… and 120 lines more")
        scroll = app.screen.query_one("#scroll")
        await pilot.press("pagedown", "pagedown", "pageup")
        assert scroll.scroll_offset.y > 0

    play(app, scenario, size=size)


def test_text_from_elsewhere_is_inert() -> None:
    app = Importer()

    async def scenario(pilot: Pilot[Any]) -> None:
        await paste(pilot, "0 3 * * * [bold]run\x1b[31m 漢字の仕事\n")
        await until(pilot, lambda: "[bold]run" in app.said("found"))
        assert "\x1b" not in app.said("found")

    play(app, scenario)


@pytest.mark.parametrize("keys", [["i"], ["escape", "i"]], ids=["from the welcome", "from the jobs"])
def test_i_imports_into_the_jobs_on_show(keys: list[str]) -> None:
    session = FakeSession(FakeControl())
    app = SchedulerApp(lambda: session, now=session.control.now)

    async def scenario(pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: isinstance(app.screen, WelcomeScreen))
        for key in keys:
            await pilot.press(key)
        await until(pilot, lambda: isinstance(app.screen, ImportCrontabScreen))
        await paste(pilot, CRONTAB)
        await until(pilot, lambda: not app.screen.query_one("#import", Button).disabled)
        await pilot.press("f10")
        await until(pilot, lambda: app.screen is app.main and len(session.control.stored) == 2)
        await until(pilot, lambda: "Jobs 2" in str(app.main.jobs.border_title))

    play(app, scenario)
