"""A request sent to try it: what came back, and leaving before it does."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import replace

from tests.tui.editor.stage import SPEC, Bench, on_stage
from tests.tui.pilots import DEADLINE_S
from tui_scheduler.control.views import Trial
from tui_scheduler.domain.errors import Conflict
from tui_scheduler.domain.job import JobSpec
from tui_scheduler.tui.desk import THREADS
from tui_scheduler.tui.screens.trial import TrialScreen


async def open_trial(bench: Bench, spec: JobSpec = SPEC) -> TrialScreen:
    screen = TrialScreen(bench.app.desk, spec)
    bench.app.push_screen(screen)
    await bench.until(lambda: bench.app.screen is screen and screen.query("#response"))
    return screen


def test_the_verdict_the_headers_and_the_body_are_shown() -> None:
    async def scenario(bench: Bench) -> None:
        await open_trial(bench)
        await bench.until(lambda: bench.shown("#verdict") == "✓ success  status 200 in 12.3 ms")
        assert bench.shown("#target") == "POST http://127.0.0.1:3001/hook"
        assert "content-type: text/plain" in bench.shown("#response")
        assert bench.shown("#response").endswith("ok")
        await bench.press("enter")
        await bench.until(lambda: not isinstance(bench.app.screen, TrialScreen))

    on_stage(scenario)


def test_a_failure_says_why_and_what_the_target_sends_is_harmless() -> None:
    async def scenario(bench: Bench) -> None:
        bench.control.trial = Trial(
            False,
            "HTTP 500",
            bench.control.clock,
            5_000,
            500,
            (("x-evil", "\x1b]0;pwned\x07"),),
            "[red]\x1b[31mno[/red]\nline",
        )
        await open_trial(bench)
        await bench.until(lambda: bench.shown("#verdict") == "× failure  status 500 in 5.0 ms: HTTP 500")
        response = bench.shown("#response")
        assert "x-evil: ␛]0;pwned␇" in response
        assert "[red]␛[31mno[/red]\nline" in response

    on_stage(scenario)


def test_a_request_that_cannot_be_sent_is_a_sentence() -> None:
    async def scenario(bench: Bench) -> None:
        def refuse(spec: JobSpec, *, unwanted: Future[None] | None = None) -> Trial:
            raise Conflict("no engine runs in this process")

        bench.control.test_request = refuse  # type: ignore[method-assign]
        await open_trial(bench)
        await bench.until(lambda: bench.shown("#verdict") == "× no engine runs in this process")

    on_stage(scenario)


def test_leaving_before_the_answer_cuts_the_request_off() -> None:
    given_up = threading.Event()

    async def scenario(bench: Bench) -> None:
        def slow(spec: JobSpec, *, unwanted: Future[None] | None = None) -> Trial:
            assert unwanted is not None
            unwanted.add_done_callback(lambda _done: given_up.set())
            assert given_up.wait(DEADLINE_S)
            return bench.control.trial

        bench.control.test_request = slow  # type: ignore[method-assign]
        await open_trial(bench, replace(SPEC, timeout=5_000_000))
        assert bench.shown("#verdict") == "▶ waiting for the answer, 0 s of 5s"
        bench.control.clock += 2_000_000
        await bench.until(lambda: bench.shown("#verdict") == "▶ waiting for the answer, 2 s of 5s")
        await bench.press("escape")
        await bench.until(lambda: not isinstance(bench.app.screen, TrialScreen))
        await bench.until(given_up.is_set)

    on_stage(scenario)


def test_requests_that_end_late_keep_no_other_question_waiting() -> None:
    may_end = threading.Event()

    async def scenario(bench: Bench) -> None:
        def deaf(spec: JobSpec, *, unwanted: Future[None] | None = None) -> Trial:
            assert may_end.wait(DEADLINE_S)
            return bench.control.trial

        bench.control.test_request = deaf  # type: ignore[method-assign]
        for _ in range(THREADS):
            await open_trial(bench)
            await bench.press("escape")
            await bench.until(lambda: not isinstance(bench.app.screen, TrialScreen))
        assert (await bench.app.desk.ask(lambda control: control.health())).ok
        may_end.set()

    on_stage(scenario)
