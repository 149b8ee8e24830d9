"""Pasting a curl command: what it means is shown as it changes."""

from __future__ import annotations

import pytest
from textual.widgets import Button, TextArea

from tests.tui.editor.stage import Bench, on_stage
from tui_scheduler.domain.curl import CurlRequest
from tui_scheduler.tui.screens.curl import CurlScreen


async def open_curl(bench: Bench, command: str = "") -> list[CurlRequest | None]:
    answers: list[CurlRequest | None] = []
    bench.app.push_screen(CurlScreen(command), answers.append)
    await bench.until(lambda: isinstance(bench.app.screen, CurlScreen) and bench.app.screen.query("#fill"))
    return answers


async def write(bench: Bench, command: str) -> None:
    bench.app.screen.query_one("#command", TextArea).text = command


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("", "Paste it here"),
        ("curl https://a.example/x", "GET https://a.example/x"),
        ("curl -k -L -m 3 https://a.example/x", "TLS not verified, follows redirects, timeout 3s"),
        ("curl -H 'X-A: 1' -d '{}' https://a.example/x", "X-A: 1"),
        ("curl https://a.example/x | jq .", "▲ what its answer is piped to"),
        ("wget https://a.example/x", "× is no curl command"),
        ("curl --upload-file f https://a.example/x", ", at: --upload-file f"),
        ("curl 'https://a.example/\x1b[31m'", "␛[31m"),
    ],
)
def test_what_a_command_means_or_why_it_cannot_be_taken_is_shown(command: str, said: str) -> None:
    async def scenario(bench: Bench) -> None:
        await open_curl(bench)
        await write(bench, command)
        await bench.until(lambda: said in bench.shown("#read"))
        is_taken = not said.startswith(("×", "Paste", ", at", "␛"))
        assert bench.app.screen.query_one("#fill", Button).disabled is not is_taken

    on_stage(scenario, size=(80, 24))


def test_the_button_gives_the_request() -> None:
    async def scenario(bench: Bench) -> None:
        answers = await open_curl(bench, "curl https://a.example/x")
        await bench.until(lambda: "GET" in bench.shown("#read"))
        await bench.press("tab", "tab", "enter")
        await bench.until(lambda: answers)
        assert answers[0] is not None
        assert answers[0].request.url == "https://a.example/x"

    on_stage(scenario, size=(80, 24))


@pytest.mark.parametrize("keys", [("escape",), ("tab", "enter")])
def test_cancelling_gives_nothing(keys: tuple[str, ...]) -> None:
    async def scenario(bench: Bench) -> None:
        answers = await open_curl(bench, "curl https://a.example/x")
        await bench.press(*keys)
        await bench.until(lambda: answers == [None])

    on_stage(scenario, size=(80, 24))


def test_what_cannot_be_taken_fills_in_nothing() -> None:
    async def scenario(bench: Bench) -> None:
        answers = await open_curl(bench, "curl")
        await bench.press("f10")
        await bench.press("escape")
        await bench.until(lambda: answers == [None])

    on_stage(scenario, size=(80, 24))
