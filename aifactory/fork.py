"""An attempt of a task made again, from where it began, with another model or other prompts.

In a scratch repository: nothing of it is seen in the real one.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aifactory import auto_agent, files, gate, lifecycle, proposals, recordings
from aifactory.config import load
from aifactory.errors import AifactoryError, InvalidInput
from aifactory.factory import Factory
from aifactory.git import Repository
from aifactory.layout import Layout
from aifactory.ledger import History, Ledger
from aifactory.model import Record, State
from aifactory.models.request import SCRIPTED
from aifactory.opening import Options, open_factory
from aifactory.scratch import bring, bring_prompts, scratch
from aifactory.train import Train

Defect = Callable[[BaseException], AifactoryError]
KEPT_SECONDS = 2 * 86_400
NUMBERED = re.compile(r"\D+-(\d+)(-\d+)?\.\w+")


class NothingToFork(InvalidInput):
    remedy = "`aifactory show TASK` lists the attempts of a task"


@dataclass(frozen=True)
class Forked:
    """How a fork ended, beside how the task itself did.

    `patch` is what it would have landed, `answer` the recorded answer that led to it, and `base`
    the commit that it began on.
    """

    before: Record
    after: Record
    attempts: int
    cost_usd: float
    base: str
    patch: bytes = b""
    answer: bytes | None = None
    prompt_sha256: str = ""

    @property
    def outcome(self) -> str:
        kind = self.after.failure.failure_class if self.after.failure else ""
        return f"{self.after.state} ({kind})" if kind else self.after.state


def fork(
    repository: Repository,
    layout: Layout,
    task_id: str,
    number: int = 1,
    *,
    model: str | None = None,
    prompts: str | None = None,
) -> Forked:
    """Make attempt `number` again, and go on until the task ends.

    `model` answers in place of every other; without one the answers of this very task do, from
    that attempt on. `prompts` is the revision of the agents' files, without one as they are now.
    """
    ledger = Ledger(repository)
    history, base = begun(ledger, task_id, number)
    sweep(layout)
    with scratch(repository, base) as place:
        bring(layout.root, place, "aifactory.toml", "prompts")
        if prompts is not None:
            bring_prompts(repository, prompts, place)
        recordings.write(place.root, {task_id: recordings.of_task(ledger, history)})
        seed(Ledger(place), history, ledger, number)
        asked = model or recordings.MODEL
        if asked.startswith(SCRIPTED) and asked != recordings.MODEL:
            bring(layout.root, place, asked.removeprefix(SCRIPTED))
        options = Options(once=True, flags=flags(layout), model=asked, fork_of=layout)
        auto_agent.run(place.root, options)
        return forked(place, history.record, base)


def begun(ledger: Ledger, task_id: str, number: int) -> tuple[History, str]:
    """The task, and the commit that its attempt began on. Raises NothingToFork."""
    history = ledger.find(task_id)
    if history is None or not 1 <= number <= history.record.attempts:
        known = history.record.attempts if history else 0
        raise NothingToFork(f"{task_id}: there is no attempt {number}, it has {known}")
    return history, base_of(ledger, task_id, number)


def sweep(layout: Layout) -> None:
    """Make room for what a fork spends; put away what forks did of days that are over."""
    files.make_dir(layout.forks)
    for path in layout.forks.glob("*.json"):
        if time.time() - path.stat().st_mtime > KEPT_SECONDS:
            path.unlink(missing_ok=True)


def base_of(ledger: Ledger, task_id: str, number: int) -> str:
    """The commit that an attempt began on."""
    for event in ledger.events(task_id):
        if event.name == "attempt.started" and event.attempt == number and "base" in event.data:
            return str(event.data["base"])
    if data := ledger.artifact(task_id, f"proposal-{number}.json"):
        return proposals.from_json(data).base
    raise NothingToFork(f"{task_id}: what attempt {number} began on was not kept")


def flags(layout: Layout) -> Mapping[str, Any]:
    """Settings of the real place that do not come along with its files."""
    python = gate.interpreter(load(layout.root, environ=os.environ).environment.python, layout.root)
    return {"environment.python": str(python), "land.mode": "auto", "land.branch": "scratch"}


def seed(target: Ledger, history: History, source: Ledger, number: int) -> None:
    """Bring the task into another ledger as it was before the attempt.

    Attempts go on counting behind the last one, so no two have the same number.
    """
    task_id = history.record.task_id
    kept = [name for name in history.artifacts if name == "task.json" or earlier(name, number)]
    record = Record(
        task_id=task_id,
        state=State.QUEUED,
        title=history.record.title,
        agent=history.record.agent,
        priority=history.record.priority,
        attempts=history.record.attempts,
        calls=before_calls(history, number),
        created_at=history.record.created_at,
    )
    target.save(record, {name: source.artifact(task_id, name) or b"" for name in kept})
    for need in task.depends_on if (task := source.task(task_id)) else ():
        target.save(Record(task_id=need, state=State.DONE), {})  # else it had not begun


def earlier(name: str, number: int) -> bool:
    found = NUMBERED.fullmatch(name)
    return found is not None and int(found[1]) < number


def before_calls(history: History, number: int) -> int:
    """Answers that were taken before the attempt."""
    return sum(name.startswith("response-") and earlier(name, number) for name in history.artifacts)


def forked(place: Repository, before: Record, base: str) -> Forked:
    ledger = Ledger(place)
    history = ledger.find(before.task_id)
    assert history is not None, "it was seeded"
    after = history.record
    commit = after.commit or after.pending
    asked = json.loads(ledger.artifact(after.task_id, f"prompt-{after.attempts}.json") or b"{}")
    return Forked(
        before=before,
        after=after,
        attempts=after.attempts - before.attempts,
        cost_usd=after.cost_usd,
        base=base,
        patch=patch_of(place, commit) if commit else b"",
        prompt_sha256=asked.get("prompt_sha256", ""),
        answer=ledger.artifact(after.task_id, f"response-{after.attempts}.json"),
    )


def patch_of(place: Repository, commit: str) -> bytes:
    return place.run("diff-tree", "-r", "-p", "--root", "--no-commit-id", "--no-ext-diff", commit)


def land(root: Path, done: Forked, defect: Defect) -> Record:
    """Land what a fork came to: its answer is judged again, as the task's next attempt.

    No model is asked. LockHeld where a daemon runs.
    """
    task_id = done.after.task_id
    if done.answer is None or not done.patch:
        raise NothingToFork(f"{task_id}: the fork came to nothing that could land")
    with open_factory(root, Options(once=True, defect=defect)) as factory:
        queue = factory.queue
        task = queue.task(task_id)
        queue.put(task, queue.file_of(task_id), "task.retried")
        number = queue.records[task_id].attempts + 1
        began = {"agent": done.after.agent, "base": done.base, "fork": True}
        queue.change(task_id, "attempt.started", attempt=number, data=began, attempts=number)
        answer = {f"response-{number}.json": done.answer}
        queue.note(task_id, "model.answered", attempt=number, data=began, artifacts=answer)
        queue.change(task_id, "attempt.interrupted", attempt=number)
        lifecycle.attempt(factory, task_id)
        ride(factory, task_id)
        queue.archive()
        found = queue.record(task_id)
        assert found is not None
        return found


def ride(factory: Factory, task_id: str) -> None:
    """Land a verified task, with nothing else on its way."""
    with Train(factory, jobs=1, only=[task_id]) as train:
        while train.is_due():
            train.advance()
            for car in train.to_gate(()):
                car.begin()
                car.judge(factory)
