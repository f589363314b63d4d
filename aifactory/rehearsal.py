"""A night rehearsed: the whole queue against known answers, in a scratch repository."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aifactory import auto_agent, intake, recordings
from aifactory.config import load
from aifactory.errors import InvalidInput
from aifactory.events import Reader
from aifactory.fork import flags
from aifactory.git import Repository
from aifactory.layout import Layout
from aifactory.ledger import Ledger
from aifactory.model import Record, State
from aifactory.models.request import SCRIPTED
from aifactory.opening import Options
from aifactory.scratch import bring, scratch


@dataclass(frozen=True)
class Rehearsed:
    """What every task came to, and the exit code that the night would have had."""

    records: tuple[Record, ...]
    unanswered: tuple[str, ...]  # tasks that nobody has an answer for
    code: int


def rehearse(
    repository: Repository,
    layout: Layout,
    answers: Path | None = None,
    jobs: int | None = None,
    readers: tuple[Reader, ...] = (),
) -> Rehearsed:
    """Run what waits in `tasks/` on the target as it is now. No model is asked, nothing lands.

    Answers come from the file given, else from a scripted model that is set, else from what the
    tasks were answered before.
    """
    settings = load(layout.root, environ=os.environ)
    target = f"refs/heads/{settings.land.branch}" if settings.land.branch else repository.target()
    script = script_of(layout, repository, answers, settings.model.default)
    with scratch(repository, repository.tip(target) or "") as place:
        bring(layout.root, place, "aifactory.toml", "prompts", "tasks")
        names = leave_waiting(place.root / "tasks", Ledger(repository))
        recordings.write(place.root, script)
        flagged = {**flags(layout), "run.jobs": jobs}
        options = Options(once=True, readers=readers, flags=flagged, model=recordings.MODEL)
        code = auto_agent.run(place.root, options)
        every = {record.task_id: record for record in Ledger(place).records()}
        found = tuple(every[name] for name in names if name in every)
        return Rehearsed(found, tuple(name for name in names if name not in script), code)


def leave_waiting(tasks: Path, ledger: Ledger) -> list[str]:
    """Take away the files of tasks that ended otherwise than done; the ids of those that wait."""
    waiting = []
    for found in filter(None, map(intake.look, sorted(tasks.glob("*.json")))):
        name = found.task_id or intake.id_of_file(found.path)
        history = ledger.find(name)
        state = history.record.state if history else State.QUEUED
        if not state.closed:
            waiting.append(name)
        elif state is not State.DONE:
            found.path.unlink()
    return waiting


def script_of(
    layout: Layout, repository: Repository, answers: Path | None, default: str | None
) -> dict[str, list[dict[str, Any]]]:
    ledger = Ledger(repository)
    known: dict[str, list[dict[str, Any]]] = {}
    for record in ledger.records():
        history = ledger.find(record.task_id)
        if history and (recorded := recordings.of_task(ledger, history)):
            known[record.task_id] = recorded
    if default and default.startswith(SCRIPTED):
        known |= read(layout.root / default.removeprefix(SCRIPTED))
    return known | (read(answers) if answers else {})


def read(path: Path) -> dict[str, list[dict[str, Any]]]:
    """The tasks of a file of scripted answers."""
    try:
        found: dict[str, list[dict[str, Any]]] = json.loads(path.read_bytes())["tasks"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidInput(
            f"{path} holds no scripted answers: {error}",
            next_step='it must hold {"tasks": {"ID": [{"text": "..."}]}}',
        ) from error
    return found
