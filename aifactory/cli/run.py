"""`aifactory run`: the daemon, in the foreground."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Annotated, Literal

import typer

from aifactory.cli.options import DryRun, Repo

Once = Annotated[bool, typer.Option("--once", help="Work until nothing is runnable, then exit.")]
Jobs = Annotated[int | None, typer.Option(min=1, max=1000, help="Tasks at once (4).")]
Format = Literal["console", "json"]
Chaos = Annotated[int | None, typer.Option(metavar="SEED", help="Make trouble on purpose.")]
Forecast = Annotated[bool, typer.Option("--json", help="Print the forecast as JSON.")]
LogFormat = Annotated[Format | None, typer.Option(help="How events are told on stderr.")]


def run(
    repo: Repo = None,
    once: Once = False,
    jobs: Jobs = None,
    log_format: LogFormat = None,
    chaos: Chaos = None,
    dry_run: DryRun = False,
    json: Forecast = False,
) -> int:
    """Start the daemon. It takes up task files and lands what passes the gate.

    Ctrl-C once finishes or puts back what runs, twice stops now. On a terminal a live view is
    shown, elsewhere, or with --log-format, one line for each event. With --dry-run nothing runs:
    the order and a forecast of cost and time are printed.
    """
    import os

    from aifactory import auto_agent, config, log
    from aifactory.cli import dry_run as forecast
    from aifactory.cli.crash import defect
    from aifactory.cli.place import opened
    from aifactory.opening import Options

    flags = {"run.jobs": jobs, "run.log_format": log_format}
    if dry_run:
        forecast.show(repo, flags, json)
        return 0
    with opened(repo) as place:
        root = place.layout.root
        settings = config.load(root, flags=flags, environ=os.environ)
        records = [] if settings.run.log_format else list(place.ledger.load().values())
    options = Options(once=once, unattended=not once, flags=flags, defect=defect, chaos=chaos)
    if settings.run.log_format is None and sys.stderr.isatty():
        from aifactory.board import Board
        from aifactory.view import LiveView

        with LiveView(sys.stderr, Board.of(records)) as view:
            return auto_agent.run(root, replace(options, readers=(view,)))
    told = log.reader(settings.run.log_format)
    return auto_agent.run(root, replace(options, readers=(told,)))
