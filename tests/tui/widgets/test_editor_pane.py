"""The editor pane: every key of it, every dialog, and what it shows while one types."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.events import Paste
from textual.widgets import Select, TextArea

from tests.tui.editor.stage import SPEC, Bench, on_stage
from tui_scheduler.domain.errors import StoreUnavailable
from tui_scheduler.domain.job import Overlap, Request
from tui_scheduler.tui.editor.draft import texts_of
from tui_scheduler.tui.editor.external import Edited
from tui_scheduler.tui.editor.field_row import FieldRow
from tui_scheduler.tui.editor.form import Form
from tui_scheduler.tui.editor.group_box import GroupBox
from tui_scheduler.tui.screens.confirm import ConfirmScreen
from tui_scheduler.tui.screens.conflict import ConflictScreen
from tui_scheduler.tui.screens.curl import CurlScreen
from tui_scheduler.tui.screens.trial import TrialScreen


def is_top(bench: Bench, screen: type) -> bool:
    return isinstance(bench.app.screen, screen)


async def choose(bench: Bench, dialog: type, *keys: str) -> None:
    await bench.until(lambda: is_top(bench, dialog))
    await bench.press(*keys)
    await bench.until(lambda: not is_top(bench, dialog))


def test_without_a_job_it_says_how_to_make_one() -> None:
    async def scenario(bench: Bench) -> None:
        assert "c creates one" in bench.shown("#nothing")
        assert bench.title == "Editor"
        await bench.pane.show(None)
        assert not bench.pane.is_dirty

    on_stage(scenario)


def test_the_job_under_the_cursor_is_shown_and_takes_no_focus() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.show()
        assert bench.title == "Editor · nightly report · v1"
        assert bench.text("schedule") == "*/5 * * * * *"
        assert bench.text("headers") == "X-Source: nightly"
        assert bench.app.focused is None
        assert not bench.pane.is_dirty

    on_stage(scenario)


def test_no_job_under_the_cursor_empties_it() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.show()
        await bench.pane.show(None)
        await bench.until(lambda: bench.title == "Editor")
        assert bench.pane.query_one("#nothing").display

    on_stage(scenario)


def test_the_cursor_moving_on_does_not_take_what_is_unsaved() -> None:
    async def scenario(bench: Bench) -> None:
        other = bench.control.add(replace(SPEC, name="other"))
        await bench.edit()
        await bench.enter("name", "typed")
        await bench.pane.show(other.id)
        asked = len(bench.control.called)
        await bench.until(lambda: len(bench.control.called) > asked)  # it goes on looking at its own job
        assert bench.text("name") == "typed"

    on_stage(scenario)


def test_what_others_change_comes_in_while_nothing_is_typed() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.show()
        bench.control.update_job(bench.job.id, lambda spec: replace(spec, name="nightly, renamed"))
        await bench.until(lambda: bench.text("name") == "nightly, renamed")
        assert bench.title == "Editor · nightly, renamed · v2"

    on_stage(scenario)


def test_what_others_change_is_told_while_something_is_typed() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.edit()
        await bench.enter("name", "mine")
        bench.control.update_job(bench.job.id, lambda spec: replace(spec, name="theirs"))
        await bench.until(lambda: "v2 elsewhere" in bench.title)
        assert bench.text("name") == "mine"

    on_stage(scenario)


def test_a_job_that_is_deleted_elsewhere_goes() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.show()
        bench.control.delete_job(bench.job.id)
        await bench.until(lambda: bench.title == "Editor")

    on_stage(scenario)


def test_editing_begins_in_the_first_field_and_comes_back_to_the_last() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.edit()
        assert bench.app.focused is bench.entry("name")
        await bench.press("tab", "tab")
        assert bench.app.focused is bench.entry("api")
        await bench.press("shift+tab")
        assert bench.app.focused is bench.entry("method")
        await bench.press("escape")
        await bench.until(lambda: bench.app.left == 1)
        bench.pane.focus_inside()
        await bench.until(lambda: bench.app.focused is bench.pane)
        await bench.press("e")
        await bench.until(lambda: bench.app.focused is bench.entry("method"))

    on_stage(scenario)


def test_a_draft_has_the_focus_back_in_the_field_where_it_was() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.edit()
        await bench.enter("api", "http://127.0.0.1:1/")
        bench.app.set_focus(None)
        bench.pane.focus_inside()
        await bench.until(lambda: bench.app.focused is bench.entry("api"))

    on_stage(scenario)


def test_a_field_can_be_gone_to_before_the_form_is_laid_out() -> None:
    async def scenario(bench: Bench) -> None:
        form = Form(texts_of(SPEC))
        row = form.row("queue")  # nothing of it has a place yet, and nothing unusual in its group would open it
        await bench.app.query_one("#parts").mount(form)
        await bench.until(lambda: row.is_mounted)
        assert row.text == "default"
        assert [each.field.key for each in bench.app.query(FieldRow)].count("queue") == 1

    on_stage(scenario)


def test_an_answer_that_is_replaced_while_the_form_is_made_leaves_no_half_of_it() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.pane.show(bench.job.id)
        await bench.until(lambda: bench.pane._form is not None)
        bench.pane.workers.cancel_group(bench.pane, "look")
        assert bench.pane.query_one("#parts").display
        assert "nightly" in bench.title

    on_stage(scenario)


def test_typing_says_what_is_wrong_where_it_is_wrong() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.edit()
        await bench.enter("schedule", "0 30 2 * * ")
        await bench.type("8")
        # Without the 8 it is wrong, too, for another reason.
        await bench.until(lambda: "× 1 wrong" in bench.title and "8 is not" in bench.shown("#said"))
        assert "× Schedule" in str(bench.form.row("schedule").query_one(".label").render())
        caret = bench.shown("ScheduleNote").splitlines()[0]
        assert caret.index("^") == 13 + len("0 30 2 * * ")
        assert "8 is not within 0 to 7; for example" in bench.shown("#said")

    on_stage(scenario)


def test_typing_shows_what_the_schedule_means() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.edit()
        await bench.enter("schedule", "0 30 2 * * *")
        await bench.enter("timezone", "Europe/Berlin")
        await bench.until(lambda: "Tue 24 Nov 02:30:00  Tue 01:30:00  in 9h 30m" in bench.shown("#preview Static"))
        assert "at 02:30" in bench.shown("ScheduleNote")
        assert "▲ on 2027-03-28 the local time 02:30 is left" in bench.shown("#preview Static")

    on_stage(scenario)


def test_countdowns_go_on() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.show()
        await bench.until(lambda: "16:00:05" in bench.shown("#preview Static"))
        bench.control.clock += 7_000_000
        await bench.until(lambda: "16:00:05" not in bench.shown("#preview Static"))
        assert "16:00:10" in bench.shown("#preview Static")
        assert "in 3s" in bench.shown("#preview Static")

    on_stage(scenario)


def test_nothing_moves_when_something_becomes_wrong() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.edit()
        keys = ("name", "api", "schedule", "timezone", "jitterMs")
        before = [bench.entry(key).virtual_region for key in keys]
        await bench.enter("schedule", "never")
        await bench.until(lambda: "wrong" in bench.title)
        assert [bench.entry(key).virtual_region for key in keys] == before

    on_stage(scenario)


@pytest.mark.parametrize("key", ["f10", "ctrl+s"])
def test_saving_stores_what_was_typed_and_says_so(key: str) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.edit()
        await bench.enter("name", "nightly renamed")
        await bench.press(key)
        await bench.until(lambda: bench.app.saved)
        assert bench.stored == replace(SPEC, name="nightly renamed")
        assert "saved nightly renamed, v2" in bench.toasts()
        assert bench.title == "Editor · nightly renamed · v2"
        assert not bench.app.saved[0].created
        assert not bench.pane.is_dirty

    on_stage(scenario)


def test_saving_goes_to_the_first_wrong_field_and_stores_nothing() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.edit()
        await bench.enter("timeoutMs", "2h")
        await bench.enter("jitterMs", "x")
        await bench.enter("name", "new")
        await bench.press("f10")
        await bench.until(lambda: bench.app.focused is bench.entry("jitterMs"))
        assert "update_job" not in bench.control.called
        assert bench.stored == SPEC

    on_stage(scenario)


def test_what_the_store_refuses_is_told_and_nothing_is_lost() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.edit()
        await bench.enter("name", "nightly typed")
        bench.control.fails = StoreUnavailable("the database is locked", transient=True)
        await bench.press("f10")
        await bench.until(lambda: "the database is locked" in bench.toasts())
        assert bench.text("name") == "nightly typed"
        assert bench.pane.is_dirty

    on_stage(scenario)


def test_an_edit_can_be_undone_without_losing_what_others_changed_since() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.edit()
        await bench.enter("name", "nightly edited")
        await bench.press("f10")
        await bench.until(lambda: bench.app.saved)
        bench.control.update_job(bench.job.id, lambda spec: replace(spec, queue="reports"))
        undo = bench.app.desk.undo[-1]
        assert undo.label == "edited nightly edited"
        await undo.back()
        assert bench.stored == replace(SPEC, queue="reports")
        await bench.until(lambda: bench.text("name") == "nightly report")

    on_stage(scenario)


def test_a_new_job_is_created_from_what_is_typed() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.pane.create()
        await bench.until(lambda: bench.app.focused is not None)
        assert bench.title == "Editor · new job"
        await bench.enter("name", "fresh")
        await bench.enter("api", "http://127.0.0.1:3001/fresh")
        await bench.enter("schedule", "@every 90s")
        await bench.press("f10")
        await bench.until(lambda: bench.app.saved)
        assert bench.app.saved[0].created
        spec = bench.app.saved[0].view.job.spec
        assert (spec.name, spec.schedule, spec.request.url) == ("fresh", "@every 90s", "http://127.0.0.1:3001/fresh")
        assert bench.title == "Editor · fresh · v1"
        assert not bench.app.desk.undo  # one key too many would delete it, and nobody would have been asked

    on_stage(scenario)


def test_a_copy_is_unsaved_from_the_start() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.pane.create(replace(SPEC, name="copy"))
        await bench.until(lambda: bench.app.focused is not None)
        assert bench.pane.is_dirty
        assert "● unsaved" in bench.title
        assert bench.text("body") == SPEC.request.body

    on_stage(scenario)


def test_leaving_a_new_job_that_was_not_begun_asks_nothing() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.pane.create()
        await bench.until(lambda: bench.app.focused is not None)
        await bench.press("escape")
        await bench.until(lambda: bench.app.left == 1)
        assert bench.title == "Editor"

    on_stage(scenario)


@pytest.mark.parametrize(
    ("keys", "left", "name", "stored"),
    [
        (("escape",), 0, "typed", "nightly report"),
        (("right", "enter"), 1, "typed", "typed"),
        (("right", "right", "enter"), 1, "nightly report", "nightly report"),
    ],
    ids=["cancel", "save", "discard"],
)
def test_leaving_with_something_unsaved_asks(keys: tuple[str, ...], left: int, name: str, stored: str) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.edit()
        await bench.enter("name", "typed")
        await bench.press("escape")
        await choose(bench, ConfirmScreen, *keys)
        await bench.until(lambda: bench.app.left == left)
        assert bench.text("name") == name
        assert bench.stored.name == stored

    on_stage(scenario)


def test_another_job_to_edit_waits_for_what_is_unsaved() -> None:
    async def scenario(bench: Bench) -> None:
        other = bench.control.add(replace(SPEC, name="other"))
        await bench.edit()
        await bench.enter("name", "typed")
        await bench.pane.edit(other.id)
        await choose(bench, ConfirmScreen, "escape")
        assert bench.text("name") == "typed"
        await bench.pane.edit(other.id)
        await choose(bench, ConfirmScreen, "right", "right", "enter")
        await bench.until(lambda: bench.text("name") == "other")
        assert bench.stored == SPEC

    on_stage(scenario)


@pytest.mark.parametrize(
    ("keys", "stored", "shown"),
    [
        (("escape",), "theirs", "mine"),
        (("right", "enter"), "theirs", "theirs"),
        (("right", "right", "enter"), "mine", "mine"),
    ],
    ids=["go on", "take theirs", "keep mine"],
)
def test_a_conflict_shows_both_sides_and_asks(keys: tuple[str, ...], stored: str, shown: str) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.edit()
        await bench.enter("name", "mine")
        bench.control.update_job(bench.job.id, lambda spec: replace(spec, name="theirs"))
        await bench.press("f10")
        await bench.until(lambda: is_top(bench, ConflictScreen))
        assert "version 2" in bench.shown("#conflict Static")
        told = bench.shown("#differences Static")
        assert "mine    mine" in told
        assert "theirs  theirs" in told
        await choose(bench, ConflictScreen, *keys)
        await bench.until(lambda: bench.stored.name == stored and bench.text("name") == shown)
        assert bench.pane.is_dirty is (stored != shown)

    on_stage(scenario)


def test_a_pause_meanwhile_is_no_conflict() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.edit()
        await bench.enter("name", "mine")
        bench.control.pause_job(bench.job.id)
        await bench.press("f10")
        await bench.until(lambda: bench.app.saved)
        assert bench.stored.name == "mine"

    on_stage(scenario)


def test_a_job_deleted_meanwhile_can_be_created_anew() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.edit()
        await bench.enter("name", "mine")
        bench.control.update_job(bench.job.id, lambda spec: replace(spec, name="theirs"))
        await bench.until(lambda: "v2 elsewhere" in bench.title)
        bench.control.delete_job(bench.job.id)
        await bench.press("f10")
        await bench.until(lambda: "was deleted meanwhile" in bench.toasts())
        assert bench.title == "Editor · new job · ● unsaved"
        await bench.press("f10")
        await bench.until(lambda: bench.app.saved)
        assert bench.app.saved[0].created
        assert bench.app.saved[0].view.job.spec == replace(SPEC, name="mine")

    on_stage(scenario)


def test_revert_goes_back_to_what_is_stored() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.edit()
        await bench.enter("name", "typed")
        await bench.press("f5")
        assert bench.text("name") == "nightly report"
        await bench.until(lambda: bench.title == "Editor · nightly report · v1")

    on_stage(scenario)


def test_a_test_request_shows_the_answer_and_saves_nothing() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.edit()
        await bench.enter("name", "typed")
        await bench.press("f2")
        await bench.until(lambda: is_top(bench, TrialScreen) and "success" in bench.shown("#verdict"))
        await bench.press("escape")
        await bench.until(lambda: not is_top(bench, TrialScreen))
        assert bench.stored == SPEC
        assert bench.text("name") == "typed"

    on_stage(scenario)


def test_a_test_request_needs_a_url_but_no_schedule() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.pane.create()
        await bench.until(lambda: bench.app.focused is not None)
        await bench.press("f2")
        await bench.until(lambda: bench.app.focused is bench.entry("api"))
        await bench.enter("api", "http://127.0.0.1:3001/")
        await bench.press("f2")
        await bench.until(lambda: is_top(bench, TrialScreen))

    on_stage(scenario)


def test_a_curl_command_fills_in_the_form_and_revert_takes_it_back() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.edit()
        await bench.press("f3")
        await bench.until(lambda: is_top(bench, CurlScreen))
        bench.app.screen.query_one("#command", TextArea).text = "curl -m 5 -d n=1 https://example.com/new"
        await bench.until(lambda: "https://example.com/new" in bench.shown("#read"))
        await choose(bench, CurlScreen, "f10")
        await bench.until(lambda: bench.text("api") == "https://example.com/new")
        assert (bench.text("body"), bench.text("timeoutMs")) == ("n=1", "5s")
        assert bench.text("name") == "nightly report"
        assert bench.stored == SPEC
        await bench.press("f5")
        assert bench.text("api") == SPEC.request.url

    on_stage(scenario)


def test_a_curl_command_pasted_as_the_url_is_read() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.edit()
        bench.form.go_to("api")
        await bench.until(lambda: bench.app.focused is bench.entry("api"))
        bench.app.post_message(Paste("curl 'https://example.com/pasted' \\\n  -H 'X-A: 1'"))
        await bench.until(lambda: is_top(bench, CurlScreen))
        await bench.until(lambda: "X-A: 1" in bench.shown("#read"))
        await choose(bench, CurlScreen, "f10")
        await bench.until(lambda: bench.text("api") == "https://example.com/pasted")

    on_stage(scenario)


def test_a_curl_command_starts_a_job_where_none_is_open() -> None:
    async def scenario(bench: Bench) -> None:
        bench.pane.action_paste_curl()
        await bench.until(lambda: is_top(bench, CurlScreen))
        bench.app.screen.query_one("#command", TextArea).text = "curl https://example.com/new"
        await choose(bench, CurlScreen, "f10")
        await bench.until(lambda: "new job" in bench.title and bench.text("api") == "https://example.com/new")

    on_stage(scenario)


@pytest.mark.parametrize(
    ("outcome", "body", "said"),
    [
        (Edited('{"n": 2}'), '{"n": 2}', ""),
        (Edited(None, "vi ended with exit code 1: the body is as it was"), SPEC.request.body, "exit code 1"),
    ],
)
def test_the_body_is_edited_in_the_users_own_editor(outcome: Edited, body: str, said: str) -> None:
    async def scenario(bench: Bench) -> None:
        given: list[str] = []

        def edited(text: str) -> Edited:
            given.append(text)
            return outcome

        bench.pane.edit_outside = edited
        await bench.edit()
        await bench.press("f4")
        await bench.until(lambda: given == [SPEC.request.body])
        assert bench.text("body") == body
        assert said in bench.toasts()
        await bench.pane.edit(bench.job.id, body=True)
        await bench.until(lambda: len(given) == 2)

    on_stage(scenario)


def test_without_a_terminal_to_lend_the_body_stays() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.edit()
        await bench.press("f4")
        await bench.until(lambda: "cannot be lent" in bench.toasts())
        assert bench.text("body") == SPEC.request.body

    on_stage(scenario)


def test_keys_that_need_a_job_say_so() -> None:
    async def scenario(bench: Bench) -> None:
        for action in ("save", "test", "edit_body", "revert"):
            await bench.app.run_action(action, bench.pane)
        await bench.until(lambda: bench.toasts().count("no job is open") == 4)

    on_stage(scenario)


def test_closed_groups_open_by_key_and_tell_what_is_in_them() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.edit()
        title = bench.form.query("GroupTitle").last()
        assert "at least once, within 30s" in str(title.render())
        title.focus()
        await bench.press("enter")
        await bench.until(lambda: bench.form.query("PickEntry").last().region)
        await bench.press("space")
        await bench.until(lambda: "within 30s" in str(title.render()))

    on_stage(scenario)


def test_a_group_with_something_unusual_in_it_is_open() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.show()
        opened = ["What", "When", "Delivery"]
        await bench.until(lambda: [box.group.title for box in bench.form.query(GroupBox) if box.is_open] == opened)

    on_stage(scenario, spec=replace(SPEC, tags=("prod",)))


def test_a_value_is_picked_from_a_list_and_a_flag_is_turned() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.edit()
        bench.form.go_to("overlap")
        await bench.until(lambda: bench.app.focused is bench.entry("overlap"))
        await bench.press("enter", "down", "enter")
        assert bench.entry("overlap").query_ancestor(type(bench.form)) is bench.form
        await bench.until(lambda: bench.text("overlap") == Overlap.SKIP)
        bench.form.go_to("followRedirects")
        await bench.until(lambda: bench.app.focused is bench.entry("followRedirects"))
        await bench.press("space")
        await bench.press("f10")
        await bench.until(lambda: bench.app.saved)
        assert bench.stored.overlap is Overlap.SKIP
        assert bench.stored.request.follow_redirects

    on_stage(scenario)


def test_escape_closes_a_list_before_it_leaves() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.edit()
        await bench.press("tab", "enter")
        method = bench.entry("method")
        assert isinstance(method, Select)
        await bench.until(lambda: method.expanded)
        await bench.press("escape")
        await bench.until(lambda: not method.expanded)
        assert bench.app.left == 0
        await bench.press("escape")
        await bench.until(lambda: bench.app.left == 1)

    on_stage(scenario)


@pytest.mark.parametrize("size", [(46, 33), (80, 21), (120, 33)])
def test_schedule_and_url_are_seen_without_scrolling(size: tuple[int, int]) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.show()
        await bench.until(lambda: bench.entry("schedule").region)
        for key in ("api", "schedule"):
            assert bench.form.region.contains_region(bench.entry(key).region)

    on_stage(scenario, size=size)


def test_a_body_of_a_mebibyte_is_kept_and_shown_in_part() -> None:
    body = '{"text": "' + "x" * (1024 * 1024 - 20) + '"}'

    async def scenario(bench: Bench) -> None:
        await bench.edit()
        assert bench.text("body") == body
        bench.form.go_to("body")
        await bench.until(lambda: "F4 opens it in $EDITOR" in bench.shown("#said"))
        await bench.enter("name", "renamed")
        await bench.press("f10")
        await bench.until(lambda: bench.app.saved)
        assert bench.stored.request.body == body

    on_stage(scenario, spec=replace(SPEC, request=Request("http://127.0.0.1/", body=body)))


@pytest.mark.parametrize("body", ["a\r\nb\nc", "a\x0bb", "\x1b[31mred\x1b[0m", "tab\there", "line\n"])
def test_no_byte_of_a_body_is_lost_by_looking_at_it(body: str) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.edit()
        assert bench.text("body") == body
        assert not bench.pane.is_dirty
        lines = bench.entry("body").render_lines(bench.entry("body").size.region)
        assert not any("\x1b" in segment.text for line in lines for segment in line)

    on_stage(scenario, spec=replace(SPEC, request=Request("http://127.0.0.1/", body=body)))


def test_a_body_is_edited_line_by_line() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.edit()
        bench.form.go_to("body")
        await bench.until(lambda: bench.app.focused is bench.entry("body"))
        await bench.press("end", "backspace", "enter", "}")
        await bench.until(lambda: "unsaved" in bench.title)
        assert bench.text("body") == '{"n": 1, "ok": true\n}'

    on_stage(scenario)


def test_a_long_text_that_is_pasted_is_kept_and_deleted_at_once() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.edit()
        bench.form.go_to("body")
        await bench.until(lambda: bench.app.focused is bench.entry("body"))
        await bench.press("end")
        bench.app.post_message(Paste("x" * 100_000))
        await bench.until(lambda: bench.text("body") == f"{SPEC.request.body}{'x' * 100_000}")
        await bench.until(lambda: "Delete empties it" in bench.shown("#said"))
        await bench.press("x", "delete")
        await bench.until(lambda: bench.text("body") == "")
        await bench.press("y")
        assert bench.text("body") == "y"

    on_stage(scenario)


@pytest.mark.parametrize(
    ("key", "pasted", "shown"),
    [
        ("name", "one\ttwo", "one two"),
        ("name", "  nightly\r\n\treport \n", "nightly report"),
        ("api", "https://example.test/a/very/\n    long/path\n", "https://example.test/a/very/long/path"),
        ("name", "\n", ""),
    ],
)
def test_lines_that_are_pasted_into_one_line_are_all_there(key: str, pasted: str, shown: str) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.edit()
        await bench.enter(key, "")
        bench.app.post_message(Paste(pasted))
        await bench.until(lambda: bench.text(key) == shown)

    on_stage(scenario)
