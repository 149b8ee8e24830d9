"""The command line: reads options and starts what they ask for."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated

import typer

from tui_scheduler import __version__
from tui_scheduler.domain.errors import Invalid
from tui_scheduler.places import log_file

EXAMPLES = f"""
Examples:

\b
  tui-scheduler                         the terminal UI, on the database in your data folder
  tui-scheduler --demo                  the same, with jobs to try it on and a database of their own
  tui-scheduler --serve                 JSON API on http://127.0.0.1:3000
  tui-scheduler --serve --port 8080 --db /var/lib/jobs.db
  tui-scheduler --serve --workers 2     engines in two processes, the API in a third
  tui-scheduler --serve --db postgresql://user:password@host/name
  tui-scheduler echo                    a receiver on http://127.0.0.1:3001
  tui-scheduler sample-data             four sample jobs pointed at it
  tui-scheduler test-api                walk the API of the running server

Every option can stand in the environment too: TUI_SCHEDULER_DB and so on.

\b
While the terminal UI runs, its log goes to
  {log_file()}
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


@app.callback(invoke_without_command=True)
def run(  # noqa: PLR0913, PLR0917 - its parameters are the options
    context: typer.Context,
    serve: Annotated[
        bool, typer.Option("--serve", help="Run the scheduler with its JSON API, no terminal UI.")
    ] = False,
    demo: Annotated[
        bool, typer.Option("--demo", help="Show jobs of every kind, on a database that is gone at the end.")
    ] = False,
    host: Annotated[str | None, typer.Option(help="Address to serve on [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="Port to serve on; 0 takes a free one [default: 3000]")] = None,
    db: Db = None,
    workers: Annotated[int | None, typer.Option(help="Engines; 2 and more in own processes [default: 1]")] = None,
    per_origin: Annotated[
        int | None, typer.Option(help="Requests to one origin at once, by each engine [default: no limit]")
    ] = None,
    insecure_no_auth: Annotated[
        bool | None,
        typer.Option("--insecure-no-auth", help="Serve on an address others can reach, with no authentication."),
    ] = None,
    version: Annotated[bool, typer.Option("--version", help="Say the version.")] = False,
) -> None:
    context.obj = db
    if context.invoked_subcommand is not None:
        return
    of_server = {
        "host": host,
        "port": port,
        "workers": workers,
        "per_origin": per_origin,
        "insecure_no_auth": insecure_no_auth,
    }
    if version:
        print(f"tui-scheduler {__version__}")  # noqa: T201
    elif serve:
        _refuse_with_demo(demo, "--serve", "runs in the terminal UI")
        sys.exit(_serve(db=db, **of_server))
    else:
        _refuse_server_options(of_server)
        _refuse_with_demo(demo and db is not None, "--db", "has a database of its own")
        _show(db, demo)


def _refuse_with_demo(is_given: bool, option: str, reason: str) -> None:
    if is_given:
        raise Invalid("demo", f"{reason}, so {option} cannot stand beside it")


def _refuse_server_options(options: Mapping[str, object]) -> None:
    for name, value in options.items():
        if value is not None:
            option = name.replace("_", "-")
            raise Invalid(option, f"the terminal UI opens no port, so --{option} goes with --serve")


def _show(db: str | None, demo: bool) -> None:
    from tui_scheduler.terminal import leave, run_demo, run_here

    if demo:
        leave(run_demo())
    from tui_scheduler.settings import load_settings

    leave(run_here(load_settings(db=db)))  # what is wrong with an option is said before there is a screen


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
