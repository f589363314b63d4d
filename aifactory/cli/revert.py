"""`aifactory revert`: take back what a task landed."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from aifactory.cli.options import DryRun, Json, Reason, Repo, TaskId

if TYPE_CHECKING:
    from aifactory.cli.place import Place
    from aifactory.model import Record, Task

POLL_SECONDS = 0.3


def revert(
    task: TaskId,
    reason: Reason = "",
    repo: Repo = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> int:
    """Take back what a task landed, by a commit of its own that is gated and landed like any other.

    Refused where later changes stand in the way. Ends with 0 when it has landed, 1 when its gate is
    red, 8 when a person has to act first.
    """
    from aifactory import report, reversal
    from aifactory.cli.output import note, print_json, say
    from aifactory.cli.place import opened
    from aifactory.cli.settled import exit_code

    with opened(repo) as place:
        record = place.record(task)
        planned = reversal.task_of(place.repository, record, reason)
        done = _done(place, planned)
        if done is None:
            _refuse_early(place, planned)
        if done is None and not dry_run:
            done = _carry_out(place, record, planned, reason)
    if done is None:
        note(f"would take back {str(record.commit)[:12]} of {record.task_id}")
        for path in planned.files:
            say(path)
        return 0
    if json:
        print_json(report.row(done))
    else:
        say(f"{done.task_id} {done.state}")
        if done.reason:
            note(done.reason)
    return exit_code([done])


def _done(place: Place, planned: Task) -> Record | None:
    """The record of the task that has taken this very commit back already, or None."""
    history = place.ledger.find(planned.task_id)
    known = place.ledger.task(planned.task_id)
    if history is None or known is None or history.record.state != "done":
        return None
    return history.record if known.inputs == planned.inputs else None


def _refuse_early(place: Place, planned: Task) -> None:
    """PreconditionFailed where the commit cannot be taken back as the target is now."""
    import os

    from aifactory import config
    from aifactory.agents import inverse
    from aifactory.opening import target_of
    from aifactory.tree import GitTree

    settings = config.load(place.layout.root, environ=os.environ)
    tip = place.repository.resolve(target_of(place.repository, settings)) or ""
    inverse(planned, GitTree(place.repository, tip))


def _carry_out(place: Place, record: Record, planned: Task, reason: str) -> Record:
    """Ask the daemon and wait for it; where none runs, do this one task here."""
    from aifactory import auto_agent
    from aifactory.cli.posting import post
    from aifactory.cli.settled import moves
    from aifactory.errors import LockHeld
    from aifactory.pulse import pulse

    post(place, "revert", [(record.task_id, {"reason": reason})])
    if not pulse(place.layout).running:
        with suppress(LockHeld):  # a daemon started meanwhile: it goes on with it
            auto_agent.work_on(place.layout.root, planned.task_id)
    while pulse(place.layout).running:
        found = place.ledger.find(planned.task_id)  # None: the daemon has not taken the wish
        if found and not moves(found.record):
            break
        time.sleep(POLL_SECONDS)
    return place.record(planned.task_id)
