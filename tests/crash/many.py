"""Make a repository with many closed and open tasks, as years of work would leave it.

    python many.py FOLDER [--closed N] [--open N] [--commits N]

Every task has its file in tasks/. The history is written by `git fast-import`, so it takes seconds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from aifactory import intake, ledger
from aifactory.layout import LEDGER_REF
from aifactory.model import Record, State, Task, sha256

WHO = "Ada <ada@example.org> 1700000000 +0000"
AT = "2025-01-01T00:00:00.000000Z"


def data(content: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(content), content)


def commit(ref: str, message: str, files: dict[str, bytes], parent: str = "") -> Iterator[bytes]:
    yield f"commit {ref}\ncommitter {WHO}\n".encode() + data(message.encode())
    if parent:
        yield f"from {parent}\n".encode()
    for path, content in files.items():
        yield f"M 100644 inline {path}\n".encode() + data(content)


def task_of(number: int) -> Task:
    return Task(task_id=f"task-{number:06d}", description=f"Do the work number {number}")


def file_of(task: Task) -> bytes:
    said = {"task_id": task.task_id, "description": task.description}
    return json.dumps(said).encode()


def record_of(task: Task, state: State, base: str) -> Record:
    return Record(
        task_id=task.task_id,
        state=state,
        digest=intake.identity(task),
        file=f"{task.task_id}.json",
        file_sha256=sha256(file_of(task)),
        title=task.description,
        created_at=AT,
        attempts=0 if state is State.QUEUED else 1,
        base=base,
        commit=base if state is State.DONE else None,
    )


def artifacts(task: Task, state: State, base: str) -> dict[str, bytes]:
    event = {"id": "r-1", "at": AT, "run": "r", "task": task.task_id, "name": "task.accepted"}
    return {
        "report.json": record_of(task, state, base).to_json(),
        "task.json": task.model_dump_json(indent=1).encode() + b"\n",
        "events.jsonl": json.dumps(event).encode() + b"\n",
    }


def history(closed: int, opened: int, base: str) -> Iterator[bytes]:
    """The ledger with the closed tasks, and a ref for each open one; every tenth was running."""
    files = {}
    for number in range(closed):
        task = task_of(number)
        folder = "/".join((*ledger.shard_of(task.task_id), task.task_id))
        for name, content in artifacts(task, State.DONE, base).items():
            files[f"{folder}/{name}"] = content
    yield from commit(LEDGER_REF, f"close {closed} tasks", files)
    for number in range(closed, closed + opened):
        task = task_of(number)
        state = State.RUNNING if number % 10 == 0 else State.QUEUED
        yield from commit(ledger.ref_of(task.task_id), state, artifacts(task, state, base))


def make(folder: Path, closed: int, opened: int, commits: int) -> None:
    def git(*arguments: str, given: bytes = b"") -> str:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], input=given, capture_output=True, check=True
        )
        return done.stdout.decode().strip()

    folder.mkdir()
    git("init", "-q", "-b", "main")
    main = b"".join(
        b"".join(commit("refs/heads/main", f"change {n}", {"a.txt": b"%d\n" % n}))
        for n in range(commits)
    )
    git("fast-import", "--quiet", given=main)
    git("reset", "-q", "--hard")
    base = git("rev-parse", "HEAD")
    git("fast-import", "--quiet", given=b"".join(history(closed, opened, base)))
    (folder / "tasks").mkdir()
    for number in range(closed + opened):
        task = task_of(number)
        (folder / "tasks" / f"{task.task_id}.json").write_bytes(file_of(task))
    os.sync()


if __name__ == "__main__":
    parser = ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--closed", type=int, default=10_000)
    parser.add_argument("--open", type=int, default=200)
    parser.add_argument("--commits", type=int, default=1)
    chosen = parser.parse_args()
    make(chosen.folder, chosen.closed, chosen.open, chosen.commits)
