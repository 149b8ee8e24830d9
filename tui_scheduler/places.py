"""Where files of the user's own are. Light: also what only names such a file imports it."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_config_path, user_log_path


def below_home(path: str) -> str:
    """The path with a `~` for the user's own folder, as people write it."""
    home = str(Path.home())
    return f"~{path.removeprefix(home)}" if path.startswith(f"{home}/") and home != "/" else path


def config_file() -> Path:
    """Where the configuration file would be, in the user's own configuration folder. It need not exist."""
    return user_config_path("tui-scheduler", appauthor=False) / "config.toml"


def themes_folder() -> Path:
    """Where themes of the user's own would be. It need not exist."""
    return config_file().parent / "themes"


def log_file() -> Path:
    """Where the log is while the terminal UI runs, in the user's own folder for such things. It need not exist."""
    return user_log_path("tui-scheduler", appauthor=False) / "tui-scheduler.log"
