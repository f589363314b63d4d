"""Whose fault is a red gate?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import pytest

from aifactory import gate
from aifactory.gate import GateResult
from tests.gate.conftest import MakeRoom

SUITE = "python -m pytest -q tests"
CALC = {
    "calc.py": "def add(a, b):\n    return a - b\n",
    "tests/test_calc.py": "import calc\ndef test_add(): assert calc.add(2, 2) == 4\n",
}
OTHER = {"tests/test_clock.py": "def test_clock(): assert 'noon' == 'midnight'\n"}
WRONG = {"calc.py": "def add(a, b):\n    return a * b + 1\n"}
RIGHT = {"calc.py": "def add(a, b):\n    return a + b\n"}
MEND = {"description": "Make sums right", "files": ["calc.py"]}


class Judge(Protocol):
    def __call__(
        self, before: Mapping[str, str], change: Mapping[str, str], *commands: str, **task: object
    ) -> GateResult: ...


@pytest.fixture
def judge(make_quick_room: MakeRoom) -> Judge:
    """Runs the gate on a change of a base, for a task."""

    def judged(
        before: Mapping[str, str], change: Mapping[str, str], *commands: str, **task: object
    ) -> GateResult:
        base = make_quick_room(before).tree
        return gate.run(make_quick_room(change, *commands, base=base, task=task))

    return judged


def test_a_change_that_breaks_what_was_green(judge: Judge) -> None:
    found = judge({**CALC, **RIGHT}, WRONG, SUITE, **MEND)
    assert (found.ok, found.broken) == (False, "")


def test_a_wrong_answer_to_a_task_that_mends_a_test(judge: Judge) -> None:
    """Red before, red after, by the same test: the task is about it, so the answer is wrong."""
    accept = ["python -m pytest -q tests/test_calc.py"]
    for task in (MEND, MEND | {"acceptance_commands": accept}):
        found = judge(CALC, WRONG, SUITE, **task)
        assert (found.ok, found.broken) == (False, "")
        assert "test_calc.py::test_add" in found.evidence()


def test_a_wrong_answer_to_a_task_that_names_the_test(judge: Judge) -> None:
    found = judge({**CALC, **OTHER}, RIGHT, SUITE, description="`test_clock` fails, mend it")
    assert (found.ok, found.broken) == (False, "")


def test_an_unrelated_test_is_red_on_the_base(judge: Judge) -> None:
    found = judge({**CALC, **OTHER}, RIGHT, SUITE, **MEND)
    assert "tests/test_clock.py::test_clock" in found.broken
    accept = "python -c 'import calc; assert calc.add(2, 2) == 4'"
    found = judge({**CALC, **OTHER}, RIGHT, SUITE, **MEND, acceptance_commands=[accept])
    assert "tests/test_clock.py::test_clock" in found.broken


def test_what_the_task_asks_for_goes_first(judge: Judge) -> None:
    """An unrelated test is red, and the answer is wrong as well: the agent sees its failure."""
    accept = "python -c 'import calc; assert calc.add(2, 2) == 4'"
    found = judge({**CALC, **OTHER}, {"calc.py": "add = max\n"}, SUITE, **MEND,
                  acceptance_commands=[accept])  # fmt: skip
    assert (found.ok, found.broken) == (False, "")
    assert "assert calc.add(2, 2) == 4" in found.evidence()


def test_acceptance_that_proves_nothing_does_not_excuse(judge: Judge) -> None:
    found = judge(CALC, WRONG, SUITE, **MEND, acceptance_commands=["python -c 'import calc'"])
    assert (found.ok, found.broken) == (False, "")


def test_another_test_is_red_too(judge: Judge) -> None:
    found = judge({**CALC, **RIGHT, **OTHER}, WRONG, SUITE, **MEND)
    assert (found.ok, found.broken) == (False, "")


def test_a_module_that_the_machine_lacks(judge: Judge) -> None:
    needs = {"tests/test_net.py": "import no_such_library\n"}
    found = judge({**CALC, **needs}, RIGHT, SUITE, **MEND)
    assert "No module named 'no_such_library'" in found.broken
    tool = "python -m no_such_tool"
    found = judge(CALC, {"a.py": "1\n"}, tool, description="write a", files=["a.py"])
    assert "No module named no_such_tool" in found.broken
    found = judge(CALC, {"a.py": "2\n"}, **MEND, acceptance_commands=["python -m no_such_tool"])
    assert "No module named no_such_tool" in found.broken


def test_a_module_that_the_task_should_have_written(judge: Judge) -> None:
    command = "python -c 'import maze'"
    for files in (["maze.py"], ["maze/**"], ["*.py"], []):
        found = judge({"a.txt": f"{files}"}, {"b.py": f"{files}"}, files=files,
                      description="generate", acceptance_commands=[command])  # fmt: skip
        assert (found.ok, found.broken) == (False, ""), files


def test_a_script_that_says_nothing(judge: Judge) -> None:
    """Red alike on both sides: the task's own commands decide, where it has any that can be red."""
    script = {"check.py": "raise SystemExit('no such host')"}
    found = judge({**CALC, **script}, WRONG, "python check.py", **MEND)
    assert (found.ok, found.broken) == (False, "")
    accept = "python -c 'import calc; assert calc.add(2, 2) == 4'"
    found = judge({**CALC, **script}, RIGHT, "python check.py", **MEND,
                  acceptance_commands=[accept])  # fmt: skip
    assert "no such host" in found.broken


def test_a_base_that_is_red_is_run_once(judge: Judge) -> None:
    found = judge({**CALC, **OTHER}, RIGHT, SUITE, **MEND)
    assert [record.details.get("on") for record in found.commands] == [None, "base"]
