"""The schema of a task file, and what a person is told about a document that breaks it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from jsonschema import Draft202012Validator

from aifactory import schema
from aifactory.errors import Problem
from aifactory.model import Task

GOOD = {"task_id": "t1", "description": "Mend the parser"}
KINDS = ("task", "first_task", "work_order")


def told(document: object) -> list[str]:
    return [f"{p.field}: {p.expected} / {p.got}" for p in schema.check(document, "task", "t.json")]


def test_schema_itself_is_valid() -> None:
    Draft202012Validator.check_schema(schema.load("task"))


def test_every_field_is_described() -> None:
    parts = schema.load("task")["$defs"]
    for kind in KINDS:
        for name, field in parts[kind]["properties"].items():
            reference = field.get("$ref") or field.get("else", {}).get("$ref")
            meaning = parts[reference.rpartition("/")[2]] if reference else field
            assert meaning["description"], f"{kind}.{name}"


@pytest.mark.parametrize(
    "name", sorted(set(Task.model_fields) & set(schema.load("task")["$defs"]) - {"description"})
)
def test_defaults_are_those_of_the_task(name: str) -> None:
    said = schema.load("task")["$defs"][name].get("default")
    default = Task(task_id="t", description="d").model_dump(mode="json", exclude_none=True)
    assert said == default.get(name)


def test_all_problems_at_once() -> None:
    document = {"task_id": "a b", "files": "src", "max_attempts": 0, "budget": {"usd": -1}}
    assert [problem.field for problem in schema.check(document, "task")] == [
        "budget.usd",
        "description",
        "files",
        "max_attempts",
        "task_id",
    ]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            {"files": ["a", 2]},
            "files[1]: a path or glob relative to the root of the repository / 2",
        ),
        ({"priority": "high"}, 'priority: a whole number / "high"'),
        ({"priority": True}, "priority: a whole number / true"),
        ({"depends_on": None}, "depends_on: a list of task ids / null"),
        ({"land": "now"}, 'land: one of auto, approve, branch, pr / "now"'),
        ({"max_attempts": 101}, "max_attempts: a whole number of at most 100 / 101"),
        ({"command_timeout": 0}, "command_timeout: a number of seconds above 0 / 0"),
        ({"schedule": "daily"}, 'schedule: a cron line of five fields / "daily"'),
        ({"forbidden": [{"path": ""}]}, "forbidden[0].path: a path or glob"),
        ({"preconditions": [{"kind": "file_exists"}]}, "preconditions[0].path: a path"),
        ({"depend_on": []}, "depend_on: a known name (did you mean `depends_on`?)"),
        ({"zzz": 1}, "zzz: one of $schema, acceptance_commands"),
        ({"files": ["a"] * 1001}, "files: a list of paths or globs with at most 1000 entries"),
        ({"description": " "}, "description: text that says what to do"),
        ({"task_id": "x" * 101}, "task_id: an id of 1 to 100 letters"),
        ({"task_id": "t1\n"}, "task_id: an id of 1 to 100 letters"),
    ],
)
def test_problem_says_what_was_expected_and_got(change: dict[str, object], line: str) -> None:
    (only,) = told(GOOD | change)
    assert only.startswith(line)


@pytest.mark.parametrize("document", [[], "text", 7, None, True])
def test_what_is_no_object(document: object) -> None:
    (only,) = told(document)
    assert only.startswith(": a JSON object that describes a task / ")


def test_missing_fields_are_named() -> None:
    assert [line.partition(" / ")[0].partition(":")[0] for line in told({})] == [
        "description",
        "task_id",
    ]
    assert [line.partition(":")[0] for line in told({"id": "WO-1"})] == ["intent"]


def test_kind_is_known_by_its_fields() -> None:
    first = GOOD | {"status": "pending", "priority": "high", "depends_on": None, "retry_count": 0}
    order = {"id": "WO-01", "intent": "Do it", "allowed_files": ["a"], "notes": None, "land": "pr"}
    assert told(first) == told(order) == told(GOOD) == []
    assert told(first | {"priority": "soon"}) == [
        'priority: one of critical, high, medium, low / "soon"'
    ]


def test_problems_are_capped() -> None:
    assert len(schema.check(GOOD | {"files": [0] * 5000}, "task")) == schema.MOST_PROBLEMS


def test_part_of_a_schema() -> None:
    assert schema.check("t1", "task#id") == []
    assert schema.check("-", "task#id")


def test_unseen_characters_are_escaped() -> None:
    problem = schema.unknown("f", schema.dotted(["a\nb\x1b[2J", 3, "\ud800"]), "x", ["y"])
    assert problem.field == "a\\nb\\x1b[2J[3].\\ud800"
    assert schema.show("zwei\u202eWörter") == '"zwei\\u202eWörter"'


def test_problem_is_one_line() -> None:
    assert str(Problem("t.json", "files", "a list", "3")) == "t.json: files: expected a list, got 3"
    assert str(Problem("t.json", "", "JSON", "nothing")) == "t.json: expected JSON, got nothing"


def test_library_is_imported_when_needed() -> None:
    code = "import sys, aifactory.intake; print('jsonschema' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
