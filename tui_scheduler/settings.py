"""Every option: from the command line, else `TUI_SCHEDULER_*` in the environment, else a file, else its default."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Annotated, Final

from platformdirs import user_data_path
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from tui_scheduler.domain.errors import Invalid
from tui_scheduler.domain.origins import checked_limits
from tui_scheduler.places import config_file

NAME: Final = "tui-scheduler"
PREFIX: Final = "TUI_SCHEDULER_"
FILE: Final = "configuration file"
DEFAULT_PORT: Final = 3000
MOST_WORKERS: Final = 64
_ORIGINS_EXAMPLE: Final = '{"https://api.example.com": 5}'
_KEYS_EXAMPLE: Final = '{"jobs.create": "C"}'


def default_database() -> str:
    """The path of the SQLite file used when nothing else is said, in the user's own data folder."""
    return str(user_data_path(NAME, appauthor=False) / f"{NAME}.db")


class ConfigFile(TomlConfigSettingsSource):
    """What the configuration file says, which is nothing where there is none. A mistyped key is refused."""

    def __init__(self, settings: type[BaseSettings]) -> None:
        path = config_file()
        try:
            super().__init__(settings, path)
        except OSError as error:
            raise Invalid(FILE, f"{path} cannot be read: {error.strerror}") from None
        except ValueError as error:  # not TOML, not UTF-8, or a number of thousands of digits
            raise Invalid(FILE, f"{path} is not valid TOML: {error}") from None
        for key in self.toml_data:
            if key not in settings.model_fields:
                known = ", ".join(sorted(settings.model_fields))
                raise Invalid(FILE, f"{path} has an unknown key {key!r}; there are {known}")


class Settings(BaseSettings):
    """The options of a server and of the terminal UI. Made by `load_settings`, which reports bad ones in a sentence."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True)

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = DEFAULT_PORT
    """0: any free one."""
    insecure_no_auth: bool = False
    """Serve on an address that others can reach although nothing asks who they are."""
    db: Annotated[str, Field(min_length=1)] = Field(default_factory=default_database)
    """A path, or a `sqlite:///` or `postgresql://` address."""
    workers: int = 1
    """Engine processes of a server; 1: the engine is in the server's own."""
    slots: Annotated[int, Field(ge=1, le=100_000)] = 20_000
    """How many requests a node has under way at once, at most; the limit on open files may allow fewer."""
    per_origin: Annotated[int | None, Field(ge=1, le=100_000)] = None
    """How many requests a node has under way to one origin at once, at most; none: no limit."""
    origins: dict[str, int] = Field(default_factory=dict)
    """The same for single origins, such as "https://api.example.com" = 5."""
    look_ahead_ms: Annotated[int, Field(ge=50, le=4_000)] = 2_000
    """How long before its instant an occurrence is claimed."""
    drain_s: Annotated[float, Field(ge=0, le=3_600)] = 10.0
    """How long a stop waits for requests under way before it lets go of them."""
    node_timeout_s: Annotated[float, Field(ge=2, le=3_600)] = 15.0
    """A node without a heartbeat for this long is dead to the others. The same on every node of a database: one that
    allows itself more than the others allow it would send what they have taken from it."""
    body_limit: Annotated[int, Field(ge=1_024, le=1 << 30)] = (1 << 20) + (16 << 10)
    """Bytes of a request's body to the API: a job's own body of 1 MiB, and room for what stands around it."""
    keep_days: Annotated[float, Field(gt=0, le=36_500)] = 30.0
    """History older than this is pruned."""
    keep_per_job: Annotated[int, Field(ge=1, le=100_000_000)] = 100_000
    """Executions of one job beyond this number are pruned, oldest first, whatever made them."""
    keep_failed_days: Annotated[float, Field(gt=0, le=36_500)] = 90.0
    """What failed or was lost is kept so long, and never less than `keep_days`."""
    theme: str = ""
    """The terminal UI's; "" is its default. Which there are, only it knows: an unknown one is told there."""
    keys: dict[str, str] = Field(default_factory=dict)
    """The terminal UI's: an action's id and its keys, separated by commas. Checked there too."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The first that says something wins."""
        return init_settings, env_settings, ConfigFile(settings_cls)

    @field_validator("keys", mode="before")
    @classmethod
    def _written_as_a_table(cls, keys: object) -> object:
        """`jobs.create = "c"` is a table in a table to TOML; several keys may be a list."""
        if not isinstance(keys, dict):
            raise ValueError("must be a table of actions and keys")
        return dict(_entries(keys, ""))

    @field_validator("origins", mode="before")
    @classmethod
    def _named_once(cls, origins: object) -> object:
        if not isinstance(origins, dict):
            raise ValueError("must be a table of origins and numbers")
        try:
            return checked_limits(origins)
        except Invalid as invalid:
            raise ValueError(invalid.reason) from None

    @field_validator("workers")
    @classmethod
    def _as_many_as_make_sense(cls, workers: int) -> int:
        if not 1 <= workers <= MOST_WORKERS:
            raise ValueError(
                f"must be between 1 and {MOST_WORKERS}; more processes than the machine has cores carry no more"
            )
        return workers


def _entries(table: Mapping[object, object], path: str) -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _entries(value, f"{path}{name}.")
        elif isinstance(value, str):
            yield f"{path}{name}", value
        elif isinstance(value, list) and all(isinstance(key, str) for key in value):
            yield f"{path}{name}", ", ".join(value)
        else:
            raise ValueError(f'{path}{name} must be text, such as "c, F5"')


class _HandedOver(Settings):
    """What another process has worked out already: no environment and no file is asked."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """As given, and nothing else."""
        return (init_settings,)


def hand_over(settings: Settings) -> bytes:
    """All of them as a line, for a process that runs on the same ones."""
    return settings.model_dump_json().encode() + b"\n"


def handed_over(line: bytes) -> Settings:
    """The settings in a line of `hand_over`."""
    return _HandedOver(**json.loads(line))


def load_settings(**given: object) -> Settings:
    """The settings; `given` has what the command line can say, None for what it did not say.

    Raises `Invalid` for the first one that cannot be taken.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    except SettingsError:
        raise _not_json() from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0]).lower()
        reason = str(first["ctx"]["error"]) if first["type"] == "value_error" else first["msg"]
        reason = (
            "must not be empty" if first["type"] == "string_too_short" else reason.replace("Input should be", "must be")
        )
        option = name.replace("_", "-")
        if given.get(name) is None and not _is_in_environment(name):
            source = f"{name} in {config_file()}"
        else:
            source = " or ".join([f"--{option}"] * (name in given) + [PREFIX + name.upper()])
        raise Invalid(option, f"{reason} (set by {source})") from None


def _not_json() -> Invalid:
    """Tables are JSON in the environment, and one of them is none."""
    wrong = {name.upper() for name, text in os.environ.items() if text and not _is_json(text)}
    name, example = ("keys", _KEYS_EXAMPLE) if PREFIX + "KEYS" in wrong else ("origins", _ORIGINS_EXAMPLE)
    return Invalid(name, f"must be JSON, such as {example} (set by {PREFIX}{name.upper()})")


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _is_in_environment(name: str) -> bool:
    """As pydantic-settings sees it: in any case, and empty is nothing."""
    return any(variable.upper() == PREFIX + name.upper() and value for variable, value in os.environ.items())
