"""Who starts first where tasks may write the same files."""

from __future__ import annotations

from collections.abc import Collection

from aifactory.elbowroom import spread
from aifactory.model import Task


def task(task_id: str, *files: str, priority: int = 10) -> Task:
    return Task(task_id=task_id, description="d", files=files, priority=priority)


def order(runnable: list[Task], *in_work: Task, late: Collection[str] = ()) -> list[str]:
    return [one.task_id for one in spread(runnable, in_work, late)]


def test_tasks_whose_files_nobody_has_in_work_go_first() -> None:
    waiting = [task("a", "x.py"), task("b", "x.py"), task("c", "y.py"), task("d", "z.py")]
    assert order(waiting) == ["a", "c", "d", "b"]
    assert order(waiting, task("e", "x.py")) == ["c", "d", "a", "b"]


def test_a_glob_meets_what_it_means_and_no_name_meets_nothing() -> None:
    waiting = [task("a", "src/*.py"), task("b", "src/m.py"), task("c", "docs/a.md"), task("d")]
    assert order(waiting) == ["a", "c", "d", "b"]
    assert order(waiting, task("e", "src/m.py")) == ["c", "d", "a", "b"]


def test_priority_goes_before_elbow_room() -> None:
    waiting = [task("a", "x.py", priority=1), task("b", "x.py", priority=1), task("c", "y.py")]
    assert order(waiting) == ["a", "b", "c"]


def test_one_that_came_too_late_waits_until_nobody_is_in_its_way() -> None:
    waiting = [task("a", "x.py"), task("b", "x.py"), task("c", "y.py")]
    assert order(waiting, task("e", "x.py"), late={"a"}) == ["c"]
    assert order(waiting, late={"a"}) == ["a", "c", "b"]
