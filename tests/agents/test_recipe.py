"""Commands in the place of a model: what differs afterwards is judged as any proposal."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from aifactory.agents import find
from aifactory.model import CommandRecord, FailureClass, State
from aifactory.prompts import BrokenPrompt, Prompts
from aifactory.replay import replay
from aifactory.sandbox import Spec
from tests.conftest import Checkout
from tests.house import House, drop, opened
from tests.memory import scratch

__all__ = ["scratch"]  # a fixture

RECIPE = """---
kind: recipe
scope: ["**/*.py"]
commands: ["python upgrade.py {files}"]
---
Upgrade {{ task.files | join(", ") }}
"""
FILES = {"prompts/upgrader.md": RECIPE, "a.py": "a\n", "b.py": "b\n", "c.txt": "c\n"}


def writes(files: Mapping[str, str], exit_code: int = 0) -> Callable[[Spec], CommandRecord]:
    """A command that leaves these files."""

    def run(spec: Spec) -> CommandRecord:
        for name, text in files.items():
            (spec.workspace / name).write_text(text)
        return CommandRecord(argv=spec.argv, exit_code=exit_code, output="a word")

    return run


def failure(house: House) -> FailureClass:
    record = house.factory.queue.record("t1")
    assert record and record.failure
    return record.failure.failure_class


@pytest.fixture
def checkout(make_checkout: Callable[..., Checkout]) -> Checkout:
    return make_checkout(files=FILES)


def command(house: House, run: Callable[[Spec], CommandRecord]) -> None:
    house.sandbox.default = run


def test_what_the_commands_change_lands(checkout: Checkout) -> None:
    drop(checkout, "t1", assignee="upgrader", files=["*.py", "*.txt"])
    with opened(checkout) as house:
        command(house, writes({"a.py": "A\n"}))
        house.work()
        assert house.state("t1") is State.DONE
        assert house.model.requests == []
        [spec] = house.sandbox.ran
        assert spec.argv[1:] == ("upgrade.py", "a.py", "b.py")
        assert {"work-1.json", "commands.jsonl"} <= set(house.factory.ledger.find("t1").artifacts)
        ran = len(house.sandbox.ran)
        (found,) = replay(house.factory.repository, house.factory.layout, "t1")
        assert found.same and len(house.sandbox.ran) == ran
    assert (checkout.root / "a.py").read_text() == "A\n"
    assert "Upgrade *.py, *.txt" in checkout.git("log", "-1", "--format=%b")


def test_a_write_outside_the_task_is_refused(checkout: Checkout) -> None:
    drop(checkout, "t1", assignee="upgrader", files=["a.py"], max_attempts=1)
    with opened(checkout) as house:
        command(house, writes({"a.py": "A\n", "b.py": "B\n"}))
        house.work()
        assert failure(house) is FailureClass.SCOPE_VIOLATION
    assert (checkout.root / "a.py").read_text() == "a\n"


def test_a_command_that_fails_proposes_nothing(checkout: Checkout) -> None:
    drop(checkout, "t1", assignee="upgrader", max_attempts=1)
    with opened(checkout) as house:
        command(house, writes({"a.py": "A\n"}, exit_code=3))
        house.work()
        assert failure(house) is FailureClass.ANSWER_UNUSABLE
        evidence = house.factory.ledger.artifact("t1", "gate-1.json") or b""
        assert b"exit code 3" in evidence and b"a word" in evidence
        assert b'"exit_code":3' in (house.factory.ledger.artifact("t1", "commands.jsonl") or b"")


def test_commands_that_change_nothing_are_no_success(checkout: Checkout) -> None:
    drop(checkout, "t1", assignee="upgrader", max_attempts=1)
    with opened(checkout) as house:
        command(house, writes({}))
        house.work()
        assert failure(house) is FailureClass.ANSWER_UNUSABLE


def test_what_is_no_file_is_named(checkout: Checkout) -> None:
    def link(spec: Spec) -> CommandRecord:
        (spec.workspace / "link.py").symlink_to("/etc/passwd")
        return CommandRecord(argv=spec.argv, exit_code=0)

    drop(checkout, "t1", assignee="upgrader", max_attempts=1)
    with opened(checkout) as house:
        command(house, link)
        house.work()
        record = house.factory.queue.record("t1")
        assert (
            record and record.failure and "'link.py' is no regular file" in record.failure.message
        )


def test_a_program_that_the_owner_does_not_allow_is_not_run(checkout: Checkout) -> None:
    drop(checkout, "t1", assignee="upgrader")
    with opened(checkout, policy__commands=["make"]) as house:
        house.work()
        assert failure(house) is FailureClass.POLICY_DENIED
        assert house.sandbox.ran == []


def test_a_program_that_is_not_there_is_said_by_name(checkout: Checkout) -> None:
    checkout.commit({"prompts/upgrader.md": RECIPE.replace("python upgrade.py", "cargo fmt")})
    drop(checkout, "t1", assignee="upgrader")
    with opened(checkout) as house:
        command(
            house,
            lambda spec: CommandRecord(argv=spec.argv, exit_code=127, output="cargo: not found"),
        )
        house.work()
        assert failure(house) is FailureClass.PRECONDITION_FAILED


def test_a_recipe_without_commands_is_a_broken_file(checkout: Checkout) -> None:
    checkout.commit({"prompts/upgrader.md": "---\nkind: recipe\n---\nNothing\n"})
    with opened(checkout) as house, pytest.raises(BrokenPrompt, match="needs `commands`"):
        find("upgrader", Prompts(house.factory.layout))
