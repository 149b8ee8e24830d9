"""The way into the program: starts what was asked for, and says in one sentence what cannot be done.

Without arguments, with `--demo` or with a database alone it goes straight to the terminal UI, which paints before
anything else is imported. Reading other arguments takes a library of its own, and comes before any screen.

Exit codes: 0 fine, 1 failed, 2 not understood, 130 stopped at once.
"""

from __future__ import annotations

import sys
from typing import NoReturn

from tui_scheduler.domain.errors import Invalid, SchedulerError


def main() -> None:
    """Run the program; expected failures end as one sentence on standard error, never as a traceback."""
    try:
        _run()
    except Invalid as error:
        _fail(error, 2)
    except SchedulerError as error:
        _fail(error, 1)
    except BrokenPipeError:  # whoever read our output has left: `tui-scheduler echo | head`
        sys.stderr.close()
        sys.exit(1)


def _run() -> NoReturn:
    db = _database_alone(sys.argv[1:])
    if db is None and sys.argv[1:] not in ([], ["--demo"]):
        from tui_scheduler.commands import app

        app(prog_name="tui-scheduler")
        sys.exit(0)
    from tui_scheduler.terminal import leave, run_demo, run_here

    leave(run_demo() if sys.argv[1:] == ["--demo"] else run_here(db=db))


def _database_alone(arguments: list[str]) -> str | None:
    """What `--db` says, where nothing else is said; None for everything that needs a closer look."""
    match arguments:
        case [option] if option.startswith("--db="):
            db = option.removeprefix("--db=")
        case ["--db", value]:
            db = value
        case _:
            return None
    return db if db and not db.startswith("-") else None


def _fail(error: SchedulerError, code: int) -> NoReturn:
    print(f"tui-scheduler: {error}", file=sys.stderr)  # noqa: T201
    sys.exit(code)
