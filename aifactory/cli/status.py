"""`aifactory status`: what every task is doing, what needs you first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from aifactory.cli.options import Json, Repo, SomeTask

if TYPE_CHECKING:
    from aifactory.accounts import Account
    from aifactory.cli.place import Place
    from aifactory.flakes import Flake
    from aifactory.model import Record
    from aifactory.pulse import Pulse

RECENT = 20  # done tasks that are listed without --all
Every = Annotated[bool, typer.Option("--all", "-a", help="List every task that is done, too.")]
SCHEMA = "aifactory/status@1"
SHADES = {"failed": "red", "rejected": "red", "done": "green", "running": "blue"}


def status(
    task: SomeTask = None, every: Every = False, repo: Repo = None, json: Json = False
) -> None:
    """What every task is doing. First what failed or waits for you, then what runs."""
    from aifactory import report
    from aifactory.accounts import spending
    from aifactory.cli.output import print_json
    from aifactory.cli.place import opened
    from aifactory.cli.standing import standing
    from aifactory.flakes import Flakes
    from aifactory.pulse import pulse

    with opened(repo) as place:
        records = _records(place, task)
        flakes = Flakes(place.repository).active()
        daemon = pulse(place.layout)
        accounts = standing(place)
    if json:
        print_json(
            {
                "schema": SCHEMA,
                "daemon": asdict(daemon),
                "totals": report.totals(records),
                "spending": spending(records),
                "budgets": [account.row() for account in accounts],
                "quarantined": [flake.model_dump() for flake in flakes],
                "tasks": [report.row(record) for record in records],
            }
        )
        return
    _print_rows(records, every)
    _print_flakes(flakes)
    _print_rest(records, daemon)
    _print_money(accounts)


def _records(place: Place, task: str | None) -> list[Record]:
    return place.records() if task is None else [place.record(task)]


def _print_rows(records: Sequence[Record], every: bool) -> None:
    from aifactory import report
    from aifactory.cli.output import print_table
    from aifactory.narration import STATE_WORDS

    ordered = report.by_urgency(records)
    done = [record for record in ordered if record.state == "done"]
    old = [] if every else done[:-RECENT]
    shown = ordered[: len(ordered) - len(done)] + done[len(old) :]
    rows = [(record.task_id, STATE_WORDS[record.state], *_middle(record)) for record in shown]
    heading = ("TASK", "STATE", "AGENT", "TRY", "COST", "")
    shades = ["dim", *(SHADES.get(record.state, "yellow") for record in shown)]
    print_table([heading, *rows] if rows else [], shades)


def _print_flakes(flakes: Sequence[Flake]) -> None:
    from aifactory.cli.output import paint, say

    for flake in flakes:
        say(paint(f"flaky: {flake}", "yellow"))


def _print_rest(records: Sequence[Record], daemon: Pulse) -> None:
    """Next steps, sums, and whether anybody works."""
    from aifactory import report
    from aifactory.cli.output import note, paint, say
    from aifactory.narration import one_line

    for record in report.by_urgency(records):
        if record.failure and record.failure.next_step and record.state != "done":
            say(paint(one_line(f"next for {record.task_id}: {record.failure.next_step}"), "dim"))
    if records:
        say(report.summary(records))
    else:
        say('No task yet. `aifactory add "..."` or a file in tasks/ makes one.')
    open_ones = sum(not record.state.closed for record in records)
    if daemon.stopped:
        note(f"The daemon is stopped; `kill -CONT {daemon.pid}` lets it go on.")
    elif daemon.running:
        note(f"The daemon runs{f' (process {daemon.pid})' if daemon.pid else ''}.")
    elif open_ones:
        note(f"No daemon runs and {open_ones} open: start it with `aifactory run`.")


def _print_money(accounts: Sequence[Account]) -> None:
    """Where every budget with a limit stands, and whether money is in doubt."""
    from aifactory.cli.output import note, say

    for line in (line for account in accounts for line in account.lines()):
        say(line)
    if any(account.balance.doubtful.usd for account in accounts):
        note("Money is in doubt: `aifactory budget` lists the calls.")


def _middle(record: Record) -> tuple[str, str, str, str]:
    from aifactory import report
    from aifactory.narration import money

    said = report.reason(record) or record.title
    if record.commit:
        said = f"{record.commit[:10]} {record.title}"
    return record.agent or "-", str(record.attempts), money(record.cost_usd), said
