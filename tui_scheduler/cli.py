"""The command line: reads options, starts what they ask for, and says in one sentence what cannot be done.

Exit codes: 0 fine, 1 failed, 2 not understood.
"""

from __future__ import annotations

import sys
from typing import Annotated, NoReturn

import typer

from tui_scheduler import __version__
from tui_scheduler.domain.errors import Invalid, SchedulerError

EXAMPLES = """
Examples:

\b
  tui-scheduler --serve                 JSON API on http://127.0.0.1:3000
  tui-scheduler --serve --port 8080 --db /var/lib/jobs.db
  tui-scheduler --serve --db postgresql://user:password@host/name
  tui-scheduler echo                    a receiver on http://127.0.0.1:3001
  tui-scheduler sample-data             four sample jobs pointed at it
  tui-scheduler test-api                walk the API of the running server

Every option can stand in the environment too: TUI_SCHEDULER_DB and so on.
"""

app = typer.Typer(
    help="A job scheduler for the terminal: a job is a schedule plus an HTTP request, fired on time, at least once.",
    epilog=EXAMPLES,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

Db = Annotated[
    str | None,
    typer.Option("--db", metavar="PATH|URL", help="Database: a file, or postgresql://… [default: in your data folder]"),
]


def main() -> None:
    """Run the program; expected failures end as one sentence on standard error, never as a traceback."""
    try:
        app(prog_name="tui-scheduler")
    except Invalid as error:
        _fail(error, 2)
    except SchedulerError as error:
        _fail(error, 1)
    except BrokenPipeError:  # whoever read our output has left: `tui-scheduler echo | head`
        sys.stderr.close()
        sys.exit(1)


@app.callback(invoke_without_command=True)
def run(
    context: typer.Context,
    serve: Annotated[
        bool, typer.Option("--serve", help="Run the scheduler with its JSON API, no terminal UI.")
    ] = False,
    host: Annotated[str | None, typer.Option(help="Address to serve on [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="Port to serve on; 0 takes a free one [default: 3000]")] = None,
    db: Db = None,
    workers: Annotated[int | None, typer.Option(help="Engine processes [default: 1]")] = None,
    insecure_no_auth: Annotated[
        bool | None,
        typer.Option("--insecure-no-auth", help="Serve on an address others can reach, with no authentication."),
    ] = None,
    version: Annotated[bool, typer.Option("--version", help="Say the version.")] = False,
) -> None:
    context.obj = db
    if context.invoked_subcommand is not None:
        return
    if version:
        print(f"tui-scheduler {__version__}")  # noqa: T201
    elif serve:
        sys.exit(_serve(host=host, port=port, db=db, workers=workers, insecure_no_auth=insecure_no_auth))
    else:
        print(  # noqa: T201
            "The terminal interface comes with the next version; until then `tui-scheduler --serve` runs "
            "the scheduler with its JSON API, and `tui-scheduler --help` says what else there is."
        )


def _serve(**options: object) -> int:
    from tui_scheduler.settings import load_settings

    settings = load_settings(**options)  # before what takes long to import
    from tui_scheduler.logs import start_logging
    from tui_scheduler.serve import serve

    start_logging()
    return serve(settings)


@app.command("init-db")
def init_db(context: typer.Context, db: Db = None) -> None:
    """Make the database, or bring its tables up to date."""
    from tui_scheduler.store.database import open_database

    database = open_database(_database(context, db))
    database.close()
    typer.echo(f"{database} is ready")


@app.command("sample-data")
def sample_data(
    context: typer.Context,
    db: Db = None,
    url: Annotated[str, typer.Option(help="Where the sample jobs send their requests.")] = "http://127.0.0.1:3001",
) -> None:
    """Add four sample jobs; those that are there already stay as they are."""
    import time

    from tui_scheduler.control.local import LocalControl
    from tui_scheduler.samples import add_samples
    from tui_scheduler.store.database import open_database

    database = open_database(_database(context, db))
    try:
        control = LocalControl(database, now=lambda: time.time_ns() // 1_000, wake=lambda: None)
        added, present = add_samples(control, url)
    finally:
        database.close()
    for view in added:
        spec = view.job.spec
        typer.echo(f"{view.job.id}  {spec.schedule:<22}  {spec.request.url}")
    typer.echo(f"{len(added)} sample jobs added to {database}, {present} were there")


@app.command("test-api")
def walk_api(
    url: Annotated[str, typer.Option(help="Address of the running server.")] = "http://127.0.0.1:3000",
) -> None:
    """Walk the API of a running server, a real firing included, and print what passed."""
    from tui_scheduler.walkthrough import walk_through

    sys.exit(0 if walk_through(url, typer.echo) else 1)


@app.command()
def echo(
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on; 0 takes a free one.")] = 3001,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    status: Annotated[int, typer.Option(min=200, max=599, help="Status to answer with.")] = 200,
    delay: Annotated[float, typer.Option(min=0, max=3_600, help="Seconds to wait before answering.")] = 0.0,
    quiet: Annotated[bool, typer.Option("--quiet", help="Count requests instead of printing each.")] = False,
) -> None:
    """Receive requests and print a line for each, with how late it came."""
    from tui_scheduler.echo import receive

    sys.exit(receive(host, port, status=status, delay_s=delay, quiet=quiet))


def _database(context: typer.Context, db: str | None) -> str:
    """The database's address: the command's own --db, or that before the command, or the environment's."""
    from tui_scheduler.settings import load_settings

    return load_settings(db=db if db is not None else context.obj).db


def _fail(error: SchedulerError, code: int) -> NoReturn:
    print(f"tui-scheduler: {error}", file=sys.stderr)  # noqa: T201
    sys.exit(code)
