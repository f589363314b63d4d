"""Taking back what a task landed, by a task of its own: gated, landed, told like any other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from aifactory.agents.revert import inverse
from aifactory.errors import InvalidInput
from aifactory.git import Repository
from aifactory.model import Record, State, Task, sha256
from aifactory.quarantine import planned, rebuilt
from aifactory.queue import Queue
from aifactory.settings import Strength
from aifactory.tree import GitTree

AGENT = "revert"
NO_PROOF = Strength(tests="off", machinery="off", acceptance="off", new_tests="off")
LONGEST = 100  # characters of a task's id


def name_of(task_id: str) -> str:
    """The id of the task that takes another one back."""
    name = f"revert-{task_id}"
    return name if len(name) <= LONGEST else f"revert-{sha256(task_id.encode())[:32]}"


def task_of(repository: Repository, record: Record, reason: str = "") -> Task:
    """The task that takes back what `record` landed. InvalidInput where nothing has landed."""
    if record.state is not State.DONE or not record.commit:
        raise InvalidInput(
            f"{record.task_id} is {record.state}: only what has landed can be taken back",
            next_step=f"`aifactory show {record.task_id}` says where it stands",
        )
    parent = repository.resolve(f"{record.commit}^") or ""
    paths = repository.changed(parent, record.commit)
    title = f'Revert "{record.title or record.task_id}"'
    return Task(
        task_id=name_of(record.task_id),
        title=title,
        description=f"{title}\n\n{reason}".strip(),
        assignee=AGENT,
        files=tuple(paths),
        priority=0,
        max_attempts=1,
        inputs={"task": record.task_id, "commit": record.commit, "parent": parent},
    )


def begin(repository: Repository, queue: Queue, record: Record, reason: str = "") -> str:
    """Take in the task that takes back what `record` landed, once; gives its id."""
    task = task_of(repository, record, reason)
    known = queue.record(task.task_id)
    if known is None:
        queue.put(task, None)
    elif not is_ours(known):
        raise InvalidInput(
            f"{task.task_id}, which would take {record.task_id} back, is another task",
            next_step="give that task another id",
        )
    elif known.state.closed and not is_done(queue, known, record):
        queue.put(task, None, "task.retried")
    return task.task_id


def is_ours(record: Record) -> bool:
    return record.agent == AGENT


def is_done(queue: Queue, known: Record, record: Record) -> bool:
    """Whether `known` took back the very commit that `record` landed last."""
    return known.state is State.DONE and queue.task(known.task_id).inputs["commit"] == record.commit


def tell(queue: Queue, task: Task, commit: str) -> None:
    """Say of the task that was taken back by which commit; may be said again."""
    if task.assignee != AGENT or not isinstance(task.inputs, dict):
        return
    record = queue.record(str(task.inputs.get("task", "")))
    reason = f"taken back by {commit[:12]}"
    if record and record.state is State.DONE and record.reason != reason:
        data = {"by": task.task_id, "commit": commit}
        queue.change(record.task_id, "task.reverted", data=data, reason=reason)


def strength(task: Task, asked: Strength) -> Strength:
    """What is taken back takes its tests with it, so nothing is asked of them."""
    return NO_PROOF if task.assignee == AGENT else asked


def task_at(repository: Repository, queue: Queue, commit: str) -> Record | None:
    """The task that landed this very commit, if one did."""
    out = repository.run("log", "-1", "--format=%(trailers:key=Aifactory-Task,valueonly)", commit)
    record = queue.record(out.decode(errors="replace").strip())
    return record if record and record.commit == commit else None


@dataclass(frozen=True)
class TakenBack:
    """What one of a row of commits did, and `task` undid in a later one. Places in that row."""

    task: Task
    landed: int
    undone: int


def taken_back(repository: Repository, queue: Queue, commits: Sequence[str]) -> Iterator[TakenBack]:
    """What landed in this row of commits, oldest first, and was taken back in it."""
    for undone, commit in enumerate(commits):
        record = task_at(repository, queue, commit)
        if record and is_ours(record):
            task = queue.task(record.task_id)
            if (landed := str(task.inputs["commit"])) in commits[:undone]:
                yield TakenBack(task, commits.index(landed), undone)


def without(inside: Repository, commit: str, tasks: Iterable[Task]) -> str:
    """The tree of a commit as it would be had these tasks been done on it, last landed first.

    `inside` has a place for new objects. PreconditionFailed where one cannot be taken back there.
    """
    tree = inside.tree_of(commit)
    for task in tasks:
        proposal = inverse(task, GitTree(inside, tree))
        changed = planned(inside, inside, proposal)
        new = {path: after for path, (_, after) in changed.items()}
        tree = rebuilt(inside, inside, tree, new) or inside.write("tree", b"")
    return tree
