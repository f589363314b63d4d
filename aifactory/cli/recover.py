"""`aifactory recover`: settle what a crash left; the daemon does the same at its start."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING

from aifactory.cli.options import DryRun, Json, Repo

if TYPE_CHECKING:
    from aifactory.cli.place import Place
    from aifactory.landing import Recovery


def recover(repo: Repo = None, json: Json = False, dry_run: DryRun = False) -> None:
    """Finish or undo what a crash cut off, and say what was done."""
    from aifactory.cli.output import print_json, say
    from aifactory.cli.place import opened

    with opened(repo) as place:
        if dry_run:
            _tell_pending(place, json)
            return
        done = _recover(place)
    if json:
        print_json([asdict(one) for one in done])
        return
    for one in done:
        say(f"{one.what}: {one.task_id + ': ' if one.task_id else ''}{one.detail}")
    if not done:
        say("Nothing to recover.")


def _recover(place: Place) -> list[Recovery]:
    """Under the daemon's lock; raises LockHeld while one runs, which has recovered already."""
    from aifactory import files, landing
    from aifactory.journal import Journal

    held = files.Lock(place.layout.lock)
    held.acquire(f"pid {os.getpid()}, aifactory recover")
    try:
        with Journal(place.layout.journal) as journal:
            return landing.recover(place.repository, place.layout, journal)
    finally:
        held.release()


def _tell_pending(place: Place, json: bool) -> None:
    from aifactory import journal
    from aifactory.cli.output import print_json, say

    reading = journal.read(place.layout.journal)
    if json:
        print_json({"pending": reading.pending, "torn": reading.torn})
        return
    if reading.torn:
        say("would cut off a record that was not finished")
    if reading.pending:
        say(f"would finish or undo operation {reading.pending['op']}, as Git decides")
    if not reading.torn and not reading.pending:
        say("Nothing to recover.")
