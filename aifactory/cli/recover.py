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
    """Finish or undo what a crash cut off, and say what was done.

    Of a damaged journal it says what can be read, and leaves the rest to you.
    """
    from aifactory.cli.output import print_json, say
    from aifactory.cli.place import opened
    from aifactory.errors import JournalCorrupt

    with opened(repo) as place:
        try:
            if dry_run:
                _tell_pending(place, json)
                return
            done = _recover(place)
        except JournalCorrupt as error:
            if error.next_step != JournalCorrupt.remedy:  # a newer version's
                raise
            _tell_damage(place, json)
            raise JournalCorrupt(error.message, next_step=_by_hand(place)) from error
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


def _tell_damage(place: Place, json: bool) -> None:
    """What a damaged journal still says of its last operation, and what Git says of it."""
    from aifactory import journal
    from aifactory.cli.output import print_json, say

    reading = journal.salvaged(place.layout.journal)
    pending = reading.pending or {"target": "", "tasks": ()}
    found = [
        {"task_id": task_id, "commit": commit, "landed": _is_on(place, commit, pending["target"])}
        for task_id, _, commit in pending["tasks"]
    ]
    if json:
        print_json({"readable": len(reading.records), "under_way": found})
        return
    say(f"{len(reading.records)} records can be read; what stood between them is not known.")
    for one in found:
        said = "is on the target" if one["landed"] else "is not on the target"
        say(f"under way: {one['task_id']}, whose commit {one['commit']} {said}")
    if not found:
        say("No operation without an end is among them.")


def _is_on(place: Place, commit: str, target: str) -> bool:
    tip = place.repository.tip(target)
    known = place.repository.object(commit)
    return bool(tip and known) and place.repository.is_ancestor(commit, tip or "")


def _by_hand(place: Place) -> str:
    path = place.layout.journal
    return (
        "compare `git status` with that and mend what is half done; then "
        f"`mv {path} {path}.damaged`, and the daemon begins a new one"
    )
