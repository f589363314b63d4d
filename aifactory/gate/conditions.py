"""What must be there, or must not, before a task is begun and after it is done."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

from aifactory.errors import FailureClass, PreconditionFailed
from aifactory.gate.base import Room
from aifactory.git import Repository
from aifactory.model import Condition, Task, Verdict


class Postconditions:
    """Every postcondition of the task is true of the tree."""

    name = "postconditions"

    def run(self, room: Room) -> Verdict:
        wrong = unmet(room.repository, room.tree, room.task.postconditions)
        return Verdict(
            check=self.name,
            ok=not wrong,
            message="; ".join(wrong) or "met",
            failure=FailureClass.POSTCONDITION_FAILED,
        )


def check_preconditions(repository: Repository, tree: str, task: Task) -> None:
    """Raise PreconditionFailed when a precondition is not true of the tree a task starts from."""
    if wrong := unmet(repository, tree, task.preconditions):
        raise PreconditionFailed(f"a precondition of {task.task_id} is not met: {'; '.join(wrong)}")


def unmet(repository: Repository, tree: str, conditions: Iterable[Condition]) -> list[str]:
    """The conditions that are not true of a tree ("" is the empty one), each in words.

    A directory exists when the tree has something below it; Git knows no empty ones.
    """
    wrong = []
    for condition in conditions:
        there = _exists(repository, tree, condition.path)
        if condition.kind == "file_exists" and not there:
            wrong.append(f"{condition.path} does not exist")
        if condition.kind == "file_absent" and there:
            wrong.append(f"{condition.path} exists")
    return wrong


def _exists(repository: Repository, tree: str, path: str) -> bool:
    name = posixpath.normpath(path)
    if not tree or name.startswith(("/", "..")) or "\0" in name:
        return False
    if name == ".":
        return True
    literal = {"GIT_LITERAL_PATHSPECS": "1"}
    return bool(repository.run("ls-tree", "-z", "--full-tree", tree, "--", name, env=literal))
