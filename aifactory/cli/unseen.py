"""Task files that no daemon has taken in yet, as people and scripts should see them."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from aifactory import intake
from aifactory.model import Failure, Record, State

UNSEEN = "not taken in yet: it is when the daemon next looks"


def waiting(tasks: Path, known: Collection[str]) -> list[Record]:
    """A record for each file in `tasks` whose id is not known; invalid ones say why."""
    paths = (path for path in sorted(tasks.glob("*.json")) if _id_in(path) not in known)
    found = intake.merged(one for path in paths if (one := intake.look(path)))
    records = [_record(one) for one in found if not (one.task and one.task.closed_before)]
    return [record for record in records if record.task_id not in known]


def _id_in(path: Path) -> str | None:
    """The id that a file names; cheaply, for those that the ledger may know already."""
    try:
        readable = path.is_file() and not path.is_symlink() and path.stat().st_size < 1 << 20
        document = json.loads(path.read_bytes()) if readable else None
    except (OSError, ValueError, RecursionError):
        return None
    given = document.get("id", document.get("task_id")) if isinstance(document, dict) else None
    return given if isinstance(given, str) else None


def _record(found: intake.Found) -> Record:
    if found.task is None:
        failure = Failure.of(found.error, "intake") if found.error else None
        return Record(
            task_id=found.task_id or intake.id_of_file(found.path),
            state=State.REJECTED,
            title=found.path.name,
            failure=failure,
            created_at=found.seen_at,
        )
    task = found.task
    return Record(
        task_id=task.task_id,
        state=State.QUEUED,
        digest=found.digest,
        file=found.path.name,
        title=task.title or task.description.strip().partition("\n")[0][:100],
        agent=task.assignee or "",
        priority=task.priority,
        depends_on=task.depends_on,
        reason=UNSEEN,
        created_at=found.seen_at,
    )
