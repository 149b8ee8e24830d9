"""Options: the command line over the environment over the defaults, and a sentence for what cannot be."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tui_scheduler.api.app import BODY_LIMIT
from tui_scheduler.domain.errors import Invalid
from tui_scheduler.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("TUI_SCHEDULER_"):
            monkeypatch.delenv(name)


def test_defaults_serve_this_machine_alone() -> None:
    settings = load_settings()
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 3000, 1)
    assert not settings.insecure_no_auth
    assert settings.body_limit == BODY_LIMIT


def test_the_database_lies_in_the_users_own_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    path = Path(load_settings().db)
    assert path.is_relative_to(tmp_path)
    assert path.parts[-2:] == ("tui-scheduler", "tui-scheduler.db")


def test_the_command_line_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUI_SCHEDULER_PORT", "4000")
    monkeypatch.setenv("TUI_SCHEDULER_DB", "/from/environment.db")
    assert load_settings(port=5000).port == 5000
    assert load_settings(port=None).port == 4000
    assert load_settings(db=None).db == "/from/environment.db"


def test_an_empty_variable_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUI_SCHEDULER_PORT", "")
    assert load_settings().port == 3000


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_option_can_come_from_the_environment(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    value = {"host": "::1", "db": "x.db", "insecure_no_auth": "true", "workers": "1"}.get(name, "2048")
    monkeypatch.setenv(f"TUI_SCHEDULER_{name.upper()}", value)
    assert str(getattr(load_settings(), name)).lower().removesuffix(".0") == value


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("port", "abc", "valid integer"),
        ("port", "65536", "less than or equal to 65535"),
        ("port", "-1", "greater than or equal to 0"),
        ("workers", "2", "one process runs one engine"),
        ("workers", "0", "one process runs one engine"),
        ("slots", "0", "greater"),
        ("drain_s", "nan", "3600"),
        ("look_ahead_ms", "1", "greater"),
        ("insecure_no_auth", "perhaps", "boolean"),
    ],
)
def test_a_bad_value_is_one_sentence_naming_the_option(
    name: str, value: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"TUI_SCHEDULER_{name.upper()}", value)
    with pytest.raises(Invalid, match=re.escape(says)) as raised:
        load_settings()
    assert raised.value.field == name.replace("_", "-")
    assert f"TUI_SCHEDULER_{name.upper()}" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_what_the_command_line_can_say_is_named_as_it_says_it() -> None:
    with pytest.raises(Invalid, match=r"--port or TUI_SCHEDULER_PORT"):
        load_settings(port=-1)
