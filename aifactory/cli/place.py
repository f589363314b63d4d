"""The repository that a command works on, and the tasks it knows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aifactory.cli.unseen import waiting
from aifactory.errors import InvalidInput, NotARepository
from aifactory.git import Repository, discover
from aifactory.layout import LEDGER_REF, TASK_REFS, Layout
from aifactory.ledger import History, Ledger, id_of, shard_of
from aifactory.model import Event, Record, Verdict
from aifactory.schema import nearest


class UnknownTask(InvalidInput):
    """No task, or more than one, is meant by what was given."""

    remedy = "`aifactory status` lists every task"


@dataclass(frozen=True)
class Place:
    """A repository with its paths and its ledger, opened for one command."""

    repository: Repository
    layout: Layout
    ledger: Ledger

    def ids(self) -> list[str]:
        """Every id that the ledger knows, open or closed."""
        found = {id_of(ref) for ref in self.repository.refs(TASK_REFS)}
        if self.repository.resolve(LEDGER_REF):
            paths = (path.split("/") for path in self.repository.tree(LEDGER_REF))
            found |= {path[-2] for path in paths if path[-1] == "report.json"}
        return sorted(found)

    def find(self, given: str) -> History:
        """The task with that id or that unique beginning; UnknownTask names what it may mean."""
        if history := self.ledger.find(given):
            return history
        candidates = [name for name in self.ids() if name.startswith(given)]
        if len(candidates) > 1:
            shown = ", ".join(candidates[:10]) + (", ..." if len(candidates) > 10 else "")
            raise UnknownTask(
                f"{given!r} is the beginning of {len(candidates)} tasks: {shown}",
                next_step="write more of the id",
            )
        history = self.ledger.find(candidates[0]) if candidates else None
        if history is None:
            raise self._unknown(given)
        return history

    def record(self, given: str) -> Record:
        """The record of a task, also of one that lies in `tasks/` and was not seen yet."""
        known = self.ids()
        unseen = waiting(self.layout.tasks, known) if given not in known else []
        found = next((one for one in unseen if one.task_id == given), None)
        return found or self.find(given).record

    def _unknown(self, given: str) -> UnknownTask:
        known = self.ids()
        if any(record.task_id == given for record in waiting(self.layout.tasks, known)):
            return UnknownTask(
                f"{given!r} stands in tasks/ and is not taken in yet",
                next_step="start the daemon: `aifactory run`",
            )
        guess = nearest(given, known)
        hint = f"; did you mean {guess!r}?" if guess else ""
        return UnknownTask(f"there is no task {given!r}{hint}")

    def records(self) -> list[Record]:
        """Every task: those of the ledger, and those that lie in `tasks/` and wait to be seen."""
        known = self.ledger.records()
        unseen = waiting(self.layout.tasks, {record.task_id for record in known})
        return [*known, *unseen]

    def blob(self, history: History, name: str) -> bytes | None:
        """An artifact of a task, or None."""
        entry = history.artifacts.get(name)
        return self.repository.blob(entry.oid) if entry else None

    def events(self, history: History) -> list[Event]:
        """What happened to a task, oldest first."""
        return parsed(self.blob(history, "events.jsonl"))

    def events_of(self, task_id: str, tip: str | None) -> list[Event]:
        """The events of a task whose ref holds `tip`, or that was closed."""
        closed = "/".join((*shard_of(task_id), task_id, "events.jsonl"))
        name = f"{tip}:events.jsonl" if tip else f"{LEDGER_REF}:{closed}"
        return parsed(self.repository.blob(name))

    def every_event(self) -> Iterator[Event]:
        """The events of all tasks, task by task."""
        tips = {id_of(ref): tip for ref, tip in self.repository.refs(TASK_REFS).items()}
        for task_id in {*self.ids(), *tips}:
            yield from self.events_of(task_id, tips.get(task_id))

    def gate(self, history: History) -> dict[str, Any]:
        """What the last attempt's gate said; empty where it never came so far."""
        found: dict[str, Any] = json.loads(
            self.blob(history, f"gate-{history.record.attempts}.json") or b"{}"
        )
        return found

    def verdicts(self, history: History) -> list[Verdict]:
        """What the checks of the last attempt's gate said."""
        return [Verdict.model_validate(one) for one in self.gate(history).get("verdicts", ())]


def parsed(lines: bytes | None) -> list[Event]:
    """The events of an `events.jsonl`."""
    return [Event.model_validate_json(line) for line in (lines or b"").splitlines()]


@contextmanager
def opened(repo: Path | None) -> Iterator[Place]:
    """The repository at `repo`, or the one around the current directory."""
    if repo is not None and not repo.is_dir():
        raise NotARepository(f"{repo} is no directory")
    repository = discover(repo or Path())
    try:
        yield Place(repository, Layout(repository.root, repository.git_dir), Ledger(repository))
    finally:
        repository.close()
