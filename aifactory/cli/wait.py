"""`aifactory wait`: for scripts, until tasks are through."""

from __future__ import annotations

import math
import time
from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated

import typer

from aifactory.cli.options import Json, Repo, SomeTasks
from aifactory.errors import Pending

if TYPE_CHECKING:
    from aifactory.cli.place import Place
    from aifactory.model import Record

Timeout = Annotated[float | None, typer.Option(min=0, metavar="SECONDS", help="Give up after.")]


def wait(
    tasks: SomeTasks = None, timeout: Timeout = None, repo: Repo = None, json: Json = False
) -> int:
    """Wait until the tasks are through; without a name, all.

    Ends with 0 when all are done, 1 when one failed, was rejected or cancelled, 6 when a limit was
    reached, 8 when a person has to act or the time ran out.
    """
    from aifactory import report
    from aifactory.cli.output import print_json, say
    from aifactory.cli.place import opened
    from aifactory.cli.settled import exit_code

    end = math.inf if timeout is None else time.monotonic() + timeout
    with opened(repo) as place:
        names = {place.record(name).task_id for name in tasks or ()}
        records, settled = _watch(place, names, end)
    if json:
        print_json([report.row(record) for record in records])
    for record in [] if json else records:
        say(f"{record.task_id} {record.state}")
    return exit_code(records) if settled else Pending.exit_code


def _watch(place: Place, names: Collection[str], end: float) -> tuple[list[Record], bool]:
    """The records at the end of it, and whether they are settled; else the time is up."""
    from aifactory.cli.follow import rest
    from aifactory.cli.output import note
    from aifactory.cli.settled import is_settled
    from aifactory.pulse import pulse

    told = False
    while True:
        began = time.monotonic()
        every = place.records()
        records = [record for record in every if not names or record.task_id in names]
        settled = is_settled(records, every)
        if settled or time.monotonic() >= end:
            return records, settled
        if not told and not pulse(place.layout).running:
            note("No daemon runs: start one with `aifactory run`.")
        told = True
        rest(began, end)
