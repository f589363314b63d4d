"""Conditions: what must be there before a task, and after it."""

from __future__ import annotations

import pytest

from aifactory import gate
from aifactory.errors import PreconditionFailed
from aifactory.gate.conditions import unmet
from aifactory.git import Repository
from aifactory.model import Condition, Task
from tests.conftest import Checkout
from tests.gate.conftest import MakeRoom


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("src/app.py", True),
        ("./src//app.py", True),
        ("src/", True),
        ("src", True),
        (".", True),
        ("*", False),
        ("src/app", False),
        ("src/app.py/x", False),
        ("README.md/", True),
        ("/etc/passwd", False),
        ("../repo/README.md", False),
        (":(glob)**", False),
        ("nul\0", False),
        ("odd [name]", True),
    ],
)
def test_exists(repository: Repository, path: str, there: bool) -> None:
    commit = Checkout(repository.root).commit({"src/app.py": "1", "odd [name]": "1"})
    tree = repository.tree_of(commit)
    exists = unmet(repository, tree, [Condition(kind="file_exists", path=path)])
    absent = unmet(repository, tree, [Condition(kind="file_absent", path=path)])
    assert (exists == [], absent == []) == (there, not there)


def test_the_tree_counts_not_the_checkout(repository: Repository) -> None:
    (repository.root / "untracked").write_text("x")
    absent = Condition(kind="file_absent", path="untracked")
    assert unmet(repository, repository.tree_of("HEAD"), [absent]) == []
    assert unmet(repository, "", [absent]) == []


def test_preconditions(repository: Repository) -> None:
    wanted = (
        Condition(kind="file_exists", path="src/app.py"),
        Condition(kind="file_absent", path="README.md"),
        Condition(kind="file_exists", path="README.md"),
    )
    task = Task(task_id="t1", description="d", preconditions=wanted)
    with pytest.raises(PreconditionFailed) as caught:
        gate.check_preconditions(repository, repository.tree_of("HEAD"), task)
    assert caught.value.message == (
        "a precondition of t1 is not met: src/app.py does not exist; README.md exists"
    )
    gate.check_preconditions(
        repository,
        repository.tree_of("HEAD"),
        task.model_copy(update={"preconditions": wanted[2:]}),
    )


def test_postconditions_come_first(make_room: MakeRoom) -> None:
    task = {"postconditions": [{"kind": "file_exists", "path": "done.txt"}]}
    found = gate.run(make_room({"a": "1"}, "true", task=task))
    assert found.message == "postconditions: done.txt does not exist"
    assert found.commands == ()
    assert gate.run(make_room({"done.txt": "1"}, "true", task=task)).ok
