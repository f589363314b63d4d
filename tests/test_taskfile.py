"""The three kinds of task file become one kind of task."""

from __future__ import annotations

import pytest

from aifactory.model import Condition, ForbiddenPath
from aifactory.taskfile import faults, normalised, utc


def test_own_task() -> None:
    task = normalised(
        {
            "task_id": "t1",
            "description": "Do it",
            "files": ["./src/a.py", "src/a.py", "."],
            "depends_on": ["b", "b"],
            "forbidden": ["no new file", {"path": "docs"}],
            "preconditions": [{"kind": "file_exists", "path": "a"}],
            "budget": {"usd": 1},
            "inputs": {"deep": [1, None]},
        }
    )
    assert task.files == ("src/a.py", "**")
    assert task.depends_on == ("b",)
    assert task.forbidden == ("no new file", ForbiddenPath(path="docs"))
    assert task.preconditions == (Condition(kind="file_exists", path="a"),)
    assert task.budget.usd == 1.0
    assert task.inputs == {"deep": [1, None]}


def test_task_of_the_first_system() -> None:
    task = normalised(
        {
            "task_id": "old-7",
            "description": "Write the docs",
            "assignee": None,
            "files": ["docs/a.md"],
            "status": "pending",
            "priority": "high",
            "depends_on": None,
            "retry_count": 3,
            "created_at": "2024-05-01T12:00:00+02:00",
            "updated_at": None,
        }
    )
    assert (task.task_id, task.priority, task.depends_on) == ("old-7", 5, ())
    assert task.created_at == "2024-05-01T10:00:00.000000Z"
    assert not task.closed_before


@pytest.mark.parametrize(("status", "closed"), [("completed", True), ("failed", False)])
def test_completed_is_no_work(status: str, closed: bool) -> None:
    task = normalised({"task_id": "t", "description": "d", "status": status})
    assert task.closed_before is closed


def test_work_order() -> None:
    task = normalised(
        {
            "id": "WO-01",
            "title": "Freeze the layout",
            "intent": "Create the package",
            "allowed_files": ["pkg/__init__.py"],
            "files": ["pkg/cli.py"],
            "forbidden": ["Do not modify scripts/verify.sh"],
            "notes": None,
            "verify_exempt": True,
            "depends_on": ["WO-00"],
        }
    )
    assert (task.task_id, task.title, task.description) == (
        "WO-01",
        "Freeze the layout",
        "Create the package",
    )
    assert task.files == ("pkg/cli.py", "pkg/__init__.py")
    assert task.forbidden == ("Do not modify scripts/verify.sh",)
    assert (task.notes, task.verify_exempt, task.depends_on) == ("", True, ("WO-00",))


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"files": ["../x"]}, "files[0]: expected a path inside the repository"),
        ({"context_files": ["/etc/passwd"]}, "context_files[0]: expected a path inside"),
        ({"allowed_files": ["a", "b/.git/config"]}, "allowed_files[1]: expected a path inside"),
        (
            {"postconditions": [{"kind": "file_exists", "path": "a/../../b"}]},
            "postconditions[0].path",
        ),
        ({"forbidden": ["words", {"path": "\\x"}]}, "forbidden[1].path"),
        ({"acceptance_commands": ["ls", "echo 'a"]}, "acceptance_commands[1]: expected a command"),
        ({"id": "a", "task_id": "b"}, "task_id: expected the same as `id`"),
    ],
)
def test_fault_that_a_schema_cannot_see(document: dict[str, object], said: str) -> None:
    (fault,) = faults(document, "t.json")
    assert str(fault).startswith(f"t.json: {said}")


@pytest.mark.parametrize("value", [None, "", "yesterday", 1e300, float(253402300799 * 10)])
def test_time_that_says_nothing(value: str | float | None) -> None:
    assert utc(value) is None


def test_times_are_utc() -> None:
    assert utc(0) == "1970-01-01T00:00:00.000000Z"
    assert utc("2024-01-01") == "2024-01-01T00:00:00.000000Z"
    assert utc("2024-01-01T00:00:00Z") == "2024-01-01T00:00:00.000000Z"
