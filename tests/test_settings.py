"""Options: command line over environment over file over defaults, and a sentence for what cannot be."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from tui_scheduler.api.app import BODY_LIMIT
from tui_scheduler.domain.errors import Invalid
from tui_scheduler.places import config_file, themes_folder
from tui_scheduler.settings import Settings, hand_over, handed_over, load_settings
from tui_scheduler.tui.keymap import read_keys

README = Path(__file__).parents[1] / "README.md"


@pytest.fixture(autouse=True)
def _own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the developer's: no variables, and no file."""
    for name in list(os.environ):
        if name.upper().startswith(("TUI_SCHEDULER_", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


def write_config(content: str | bytes) -> Path:
    path = config_file()
    path.parent.mkdir(parents=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def as_written(value: object) -> str:
    return str(next(iter(value.values())) if isinstance(value, dict) else value).lower().removesuffix(".0")


def test_defaults_serve_this_machine_alone() -> None:
    settings = load_settings()
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 3000, 1)
    assert not settings.insecure_no_auth
    assert settings.body_limit == BODY_LIMIT


def test_the_database_lies_in_the_users_own_data_folder(tmp_path: Path) -> None:
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
    value = {"host": "::1", "db": "x.db", "insecure_no_auth": "true", "workers": "7"}.get(name, "2048")
    tables = {"keys": '{"jobs.create": "2048"}', "origins": '{"http://a": 2048}'}
    written = tables.get(name, value)
    monkeypatch.setenv(f"TUI_SCHEDULER_{name.upper()}", written)
    assert as_written(getattr(load_settings(), name)) == value


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("port", "abc", "valid integer"),
        ("port", "65536", "less than or equal to 65535"),
        ("port", "-1", "greater than or equal to 0"),
        ("workers", "0", "must be between 1 and 64"),
        ("workers", "9999", "must be between 1 and 64; more processes than the machine has cores carry no more"),
        ("workers", "two", "valid integer"),
        ("slots", "0", "greater"),
        ("drain_s", "nan", "3600"),
        ("node_timeout_s", "1", "greater"),
        ("look_ahead_ms", "1", "greater"),
        ("insecure_no_auth", "perhaps", "boolean"),
        ("per_origin", "0", "greater"),
        ("origins", "3", "must be a table of origins and numbers"),
        ("origins", "{", "must be JSON, such as"),
        ("origins", '{"a.example": 3}', "'a.example' must begin with http:// or https:// and a host"),
        ("origins", '{"http://a": 0}', "'http://a' must allow 1 to 100,000 requests at once"),
        ("keys", "3", "must be a table of actions and keys"),
        ("keys", '{"jobs.create": 3}', 'jobs.create must be text, such as "c, F5"'),
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


def test_the_file_lies_in_the_users_own_configuration_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert config_file().is_relative_to(tmp_path)
    assert config_file().parts[-2:] == ("tui-scheduler", "config.toml")
    if sys.platform == "linux":
        assert config_file() == tmp_path / ".config/tui-scheduler/config.toml"
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "elsewhere"))
        assert config_file() == tmp_path / "elsewhere/tui-scheduler/config.toml"


def test_command_line_then_environment_then_file_then_default(monkeypatch: pytest.MonkeyPatch) -> None:
    write_config("port = 1111\nslots = 11\nkeep_days = 0.5\ninsecure_no_auth = true\n")
    monkeypatch.setenv("TUI_SCHEDULER_PORT", "2222")
    monkeypatch.setenv("TUI_SCHEDULER_SLOTS", "22")
    monkeypatch.setenv("TUI_SCHEDULER_KEEP_DAYS", "")
    settings = load_settings(port=3333, host=None)
    assert (settings.port, settings.slots, settings.keep_days, settings.insecure_no_auth) == (3333, 22, 0.5, True)
    assert settings.host == "127.0.0.1"


@pytest.mark.parametrize("content", ["", "# nothing\n"])
def test_an_empty_file_says_nothing(content: str) -> None:
    write_config(content)
    assert load_settings().port == 3000


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_option_can_come_from_the_file(name: str) -> None:
    texts = {"host": '"::1"', "db": '"x.db"', "theme": '"linen"'}
    value = {**texts, "insecure_no_auth": "true", "workers": "7"}.get(name, "2048")
    tables = {"keys": '{ "jobs.create" = "2048" }', "origins": '{ "http://a" = 2048 }'}
    written = tables.get(name, value)
    write_config(f"{name} = {written}\n")
    assert as_written(getattr(load_settings(), name)) == value.strip('"')


@pytest.mark.parametrize(
    "table",
    [
        '[keys]\n"jobs.create" = "C"\n"jobs.sort-next" = "o, F9"',
        '[keys]\njobs.create = "C"\njobs.sort-next = ["o", "F9"]',
        '[keys.jobs]\ncreate = "C"\nsort-next = "o, F9"',
        'keys = { jobs.create = "C", jobs.sort-next = "o, F9" }',
    ],
)
def test_keys_are_a_table_in_any_way_toml_writes_one(table: str) -> None:
    write_config(f'theme = "linen"\n{table}\n')
    settings = load_settings()
    assert settings.keys == {"jobs.create": "C", "jobs.sort-next": "o, F9"}
    assert settings.theme == "linen"


def test_keys_of_the_environment_stand_beside_those_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    write_config('[keys]\n"jobs.create" = "C"\n"log.pause" = "v"\n')
    monkeypatch.setenv("TUI_SCHEDULER_KEYS", '{"jobs.create": "F9"}')
    assert load_settings().keys == {"jobs.create": "F9", "log.pause": "v"}


def test_keys_that_are_not_json_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUI_SCHEDULER_KEYS", "jobs.create=C")
    with pytest.raises(Invalid) as raised:
        load_settings()
    assert str(raised.value) == 'keys: must be JSON, such as {"jobs.create": "C"} (set by TUI_SCHEDULER_KEYS)'


def test_themes_of_ones_own_lie_beside_the_file() -> None:
    assert themes_folder() == config_file().parent / "themes"


@pytest.mark.parametrize("key", ["colour", "look-ahead-ms", "PORT", "tui_scheduler_port", '"a\\nb"', "server.port"])
def test_an_unknown_key_is_refused_by_name(key: str) -> None:
    path = write_config(f"{key} = 1\n")
    with pytest.raises(Invalid) as raised:
        load_settings(port=5000)
    says = str(raised.value)
    assert f"{path} has an unknown key '{key.strip(chr(34)).partition('.')[0]}'" in says
    assert "\n" not in says


@pytest.mark.parametrize("content", ["port 3000", "port = 1\nport = 2\n", b"host = '\xff'", f"port = {'1' * 5000}"])
def test_what_is_not_toml_is_one_sentence_naming_the_file(content: str | bytes) -> None:
    path = write_config(content)
    with pytest.raises(Invalid, match="is not valid TOML") as raised:
        load_settings()
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_cannot_be_read_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_config("port = 1\n")

    def refuse(*_: object, **__: object) -> NoReturn:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)  # root reads what chmod forbids
    with pytest.raises(Invalid) as raised:
        load_settings()
    assert str(raised.value) == f"configuration file: {path} cannot be read: Permission denied"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("port = 65536", "less than or equal to 65535"),
        ('port = "abc"', "valid integer"),
        ("workers = 65", "must be between 1 and 64"),
        ("db = 3", "valid string"),
        ("drain_s = nan", "3600"),
        ("look_ahead_ms = 5000", "less than or equal to 4000"),
        ("host.name = 1", "valid string"),
        ("theme = 3", "valid string"),
        ("keys = 3", "must be a table of actions and keys"),
        ("keys = { jobs.create = 3 }", 'jobs.create must be text, such as "c, F5"'),
        ("keys = { jobs = [3] }", "jobs must be text"),
    ],
)
def test_a_bad_value_in_the_file_is_one_sentence_naming_both(line: str, says: str) -> None:
    path = write_config(f"{line}\n")
    key = re.split(r"\W", line)[0]
    with pytest.raises(Invalid, match=re.escape(says)) as raised:
        load_settings(port=None, db=None)
    assert raised.value.field == key.replace("_", "-")
    assert str(raised.value).endswith(f"(set by {key} in {path})")
    assert "\n" not in str(raised.value)


def test_who_set_a_bad_value_is_blamed_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    write_config("port = 1\n")
    monkeypatch.setenv("tui_scheduler_port", "-1")
    with pytest.raises(Invalid, match=r"set by TUI_SCHEDULER_PORT\)"):
        load_settings()


def test_what_is_overruled_in_the_file_does_no_harm() -> None:
    write_config("port = -1\n")
    assert load_settings(port=5000).port == 5000


def test_the_example_in_the_readme_is_taken() -> None:
    example = re.search(r"```toml\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert example is not None
    write_config(example[1])
    settings = load_settings()
    assert (settings.port, settings.look_ahead_ms, settings.keep_days) == (8080, 1000, 90)
    assert settings.db.startswith("postgresql://")
    assert settings.theme == "linen"
    assert read_keys(settings.keys) == ({"jobs.create": "C", "jobs.run-now": "r,f9"}, [])


def test_no_database_at_all_is_told_in_our_own_words() -> None:
    with pytest.raises(Invalid, match=r"db: must not be empty \(set by --db or TUI_SCHEDULER_DB\)"):
        load_settings(db="")


def test_settings_are_handed_over_whatever_the_other_process_would_find(monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_config('keep_days = 7\n[keys]\njobs.create = "C"\n')
    settings = load_settings(db="postgresql://user:secret@host/name", drain_s=0.5, workers=3)
    line = hand_over(settings)
    path.write_text("nonsense")
    monkeypatch.setenv("TUI_SCHEDULER_DRAIN_S", "9")
    assert line.count(b"\n") == 1
    assert handed_over(line).model_dump() == settings.model_dump()
