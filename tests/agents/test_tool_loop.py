"""An agent with tools: what it may do, what it is told, and that nothing is paid or done twice."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from aifactory.agents.calls import LEFT_OUT, TOLD, bounded, fitted
from aifactory.errors import Interrupted, ModelTransient
from aifactory.model import Answer, CommandRecord, FailureClass, State
from aifactory.models import calling
from aifactory.replay import replay
from aifactory.sandbox import Spec
from tests.conftest import Checkout
from tests.house import House, drop, opened
from tests.memory import scratch

__all__ = ["scratch"]  # a fixture

FILES = {"a.py": "A = 1\n", "b.py": "B = 1\n", "pkg/c.py": "C = 1\n", ".gitignore": "*.log\n"}
DONE = calling("finish", summary="A is two")
EDIT = calling("edit", path="a.py", old="A = 1", new="A = 2")


@pytest.fixture
def checkout(make_checkout: Callable[..., Checkout]) -> Checkout:
    return make_checkout(files=FILES)


def results(house: House, request: int = -1) -> list[str]:
    """What the tools said, as the model was told at its last call."""
    messages = house.model.requests[request].messages
    return [message["content"] for message in messages if message["role"] == "tool"]


def failure(house: House) -> FailureClass:
    record = house.factory.queue.record("t1")
    assert record and record.failure
    return record.failure.failure_class


def records(house: House) -> set[str]:
    history = house.factory.ledger.find("t1")
    assert history
    return set(history.artifacts)


def test_steps_become_one_commit_and_can_be_done_again_without_model_and_commands(
    checkout: Checkout,
) -> None:
    def test(spec: Spec) -> CommandRecord:
        assert (spec.workspace / "a.py").read_text() == "A = 2\n"
        (spec.workspace / "made.txt").write_text("made\n")
        (spec.workspace / "noise.log").write_text("noise\n")
        bounds = {"bounds": {"seconds": 1}}
        return CommandRecord(argv=spec.argv, exit_code=0, output="1 passed\n", details=bounds)

    drop(checkout, "t1", assignee="engineer", files=["a.py", "made.txt"])
    answers = [calling("read", path="a.py"), EDIT, calling("run", command="python -m pytest"), DONE]
    with opened(checkout, answers) as house:
        house.sandbox.default = test
        house.work()
        assert house.state("t1") is State.DONE
        first, second, third = results(house)
        assert (first, second) == ("A = 1\n", "done")
        assert "1 passed" in third and "exit code 0" in third and "changed: made.txt" in third
        assert {"response-1.json", "response-1-4.json", "work-1-3.json"} <= records(house)
        shown = json.loads(house.factory.ledger.artifact("t1", "prompt-1-3.json") or b"")
        assert [message["role"] for message in shown["messages"]] == ["assistant", "tool"]
        asked, ran = len(house.model.requests), len(house.sandbox.ran)
        (found,) = replay(house.factory.repository, house.factory.layout, "t1")
        assert found.same and found.replayed == checkout.git("rev-parse", "HEAD^{tree}")
        assert (len(house.model.requests), len(house.sandbox.ran)) == (asked, ran)
    assert checkout.git("show", "--stat", "--format=%b", "HEAD").startswith("A is two")
    assert checkout.git("show", "HEAD:made.txt") == "made"


def test_the_tools_are_declared_to_the_model(checkout: Checkout) -> None:
    drop(checkout, "t1", assignee="engineer", files=["a.py"])
    with opened(checkout, [EDIT, DONE]) as house:
        house.work()
        names = [tool["function"]["name"] for tool in house.model.requests[0].tools]
        assert names == ["read", "search", "edit", "undo", "run", "finish"]
        echoed = house.model.requests[1].messages[-2]["tool_calls"][0]
        assert json.loads(echoed["function"]["arguments"])["new"] == "A = 2"


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("read", {"path": "pkg"}, "c.py"),
        ("read", {"path": "."}, ".gitignore\na.py\nb.py\npkg/"),
        ("read", {"path": "none.py"}, "error: there is no none.py"),
        ("read", {"path": "../../etc/passwd"}, "error: there is no"),
        ("read", {}, "error: read needs path"),
        ("read", {"path": 5}, "error: read: path is not of type string"),
        ("read", {"file": "a.py"}, "error: read takes no file"),
        ("open", {"path": "a.py"}, "error: there is no tool 'open'"),
        ("edit", {"path": "a.py", "old": "nowhere", "new": "x"}, "error: a.py"),
        ("edit", {"path": "b.py", "new": "B = 2\n"}, "error: b.py is not to be written, only a.py"),
        ("edit", {"path": "../out.py", "new": "x"}, "error: "),
        ("finish", {"summary": "nothing"}, "error: nothing was changed yet"),
        ("run", {"command": "curl example.org"}, "error: `curl example.org`"),
    ],
)
def test_what_a_call_says(
    checkout: Checkout, name: str, arguments: dict[str, Any], said: str
) -> None:
    drop(checkout, "t1", assignee="engineer", files=["a.py"])
    with opened(checkout, [calling(name, **arguments), EDIT, DONE]) as house:
        house.work()
        assert results(house)[0].startswith(said)
        assert house.state("t1") is State.DONE


def test_an_edit_that_has_no_place_is_told_with_the_true_lines(checkout: Checkout) -> None:
    drop(checkout, "t1", assignee="engineer", files=["a.py"])
    with opened(
        checkout, [calling("edit", path="a.py", old="B = 1", new="B"), EDIT, DONE]
    ) as house:
        house.work()
        (told, _) = results(house)
        assert house.state("t1") is State.DONE
    assert "; next: " in told and "    1 | A = 1" in told.splitlines()


def test_an_edit_of_a_file_that_no_model_is_shown_tells_nothing_of_it(checkout: Checkout) -> None:
    checkout.commit({".env": "PASSWORD=hunter2-of-ours\n"})
    drop(checkout, "t1", assignee="engineer", files=["a.py", ".env"])
    probe = calling("edit", path=".env", old="PASSWORD=x", new="PASSWORD=y")
    with opened(checkout, [probe, EDIT, DONE]) as house:
        house.work()
        (told, _) = results(house)
    assert "no model is shown what is in this file" in told and "hunter2" not in told


def test_arguments_that_are_cut_off_are_told_and_not_sent_back(checkout: Checkout) -> None:
    cut = {"id": "x", "type": "function", "function": {"name": "edit", "arguments": '{"path": "a'}}
    drop(checkout, "t1", assignee="engineer", files=["a.py"])
    answers = [Answer(text="", finish_reason="length", tool_calls=(cut,)), EDIT, DONE]
    with opened(checkout, answers) as house:
        house.work()
        assert "not valid JSON" in results(house)[0]
        echoed = house.model.requests[1].messages[-2]["tool_calls"][0]
        assert echoed["function"]["arguments"] == "{}"


def test_what_a_command_did_outside_the_task_is_told_at_the_end_and_can_be_undone(
    checkout: Checkout,
) -> None:
    def spoil(spec: Spec) -> CommandRecord:
        (spec.workspace / "b.py").write_text("spoilt\n")
        return CommandRecord(argv=spec.argv, exit_code=0, details={"bounds": {"seconds": 1}})

    drop(checkout, "t1", assignee="engineer", files=["a.py"])
    answers = [EDIT, calling("run", command="make"), DONE, calling("undo", path="b.py"), DONE]
    with opened(checkout, answers) as house:
        house.sandbox.default = spoil
        house.work()
        assert house.state("t1") is State.DONE
        assert "'b.py' is not among the task's files" in results(house)[2]
    assert (checkout.root / "b.py").read_text() == "B = 1\n"


def test_a_shell_is_used_where_the_command_needs_one(checkout: Checkout) -> None:
    drop(checkout, "t1", assignee="engineer", files=["a.py"])
    bounds = {"bounds": {"seconds": 1}}
    fine = CommandRecord(argv=("x",), exit_code=0, details=bounds)
    commands = ["ls | wc -l", "ls pkg", "./tools/check.sh -v"]
    answers = [*(calling("run", command=command) for command in commands), EDIT, DONE]
    with opened(checkout, answers) as house:
        house.sandbox.default = fine
        house.work()
        assert [spec.argv for spec in house.sandbox.ran] == [
            ("bash", "-c", "ls | wc -l"),
            ("ls", "pkg"),
            ("./tools/check.sh", "-v"),
        ]


def test_a_crash_asks_and_does_nothing_twice(checkout: Checkout) -> None:
    ran: list[str] = []

    def count(spec: Spec) -> CommandRecord:
        ran.append((spec.workspace / "a.py").read_text())
        return CommandRecord(argv=spec.argv, exit_code=0, details={"bounds": {"seconds": 1}})

    drop(checkout, "t1", assignee="engineer", files=["a.py"])
    run = calling("run", command="make")
    answers = [EDIT, run, Interrupted("the daemon stops"), run, DONE]
    with opened(checkout, answers) as house:
        house.sandbox.default = count
        house.take_in()
        assert house.attempt("t1") is State.QUEUED
        assert ran == ["A = 2\n"] and len(house.model.requests) == 3
        assert house.attempt("t1") is State.READY
        assert ran == ["A = 2\n"] * 2 and len(house.model.requests) == 5
        record = house.factory.queue.record("t1")
        assert record and (record.attempts, record.calls) == (1, 4)


def test_a_provider_in_trouble_goes_on_where_it_was(checkout: Checkout) -> None:
    drop(checkout, "t1", assignee="engineer", files=["a.py"], max_attempts=1)
    with opened(checkout, [EDIT, ModelTransient("503"), DONE]) as house:
        house.take_in()
        assert house.attempt("t1") is State.QUEUED
        house.factory.queue.delay("t1", 0)
        assert house.attempt("t1") is State.READY
        assert len(house.model.requests) == 3


def test_going_in_circles_ends_the_attempt(checkout: Checkout) -> None:
    drop(checkout, "t1", assignee="engineer", files=["a.py"], max_attempts=1)
    with opened(checkout, [calling("read", path="a.py")]) as house:
        house.work()
        assert failure(house) is FailureClass.ANSWER_UNUSABLE
        assert len(house.model.requests) == 3


def test_the_same_call_on_other_files_is_no_circle(checkout: Checkout) -> None:
    drop(checkout, "t1", assignee="engineer", files=["a.py"])
    look = calling("read", path="b.py")
    writes = [calling("edit", path="a.py", new=f"A = {n}\n") for n in range(2, 6)]
    answers = [one for write in writes for one in (look, write)]
    with opened(checkout, [*answers, DONE]) as house:
        house.work()
        assert house.state("t1") is State.DONE


def test_an_answer_without_a_call_is_asked_to_go_on_three_times(checkout: Checkout) -> None:
    drop(checkout, "t1", assignee="engineer", files=["a.py"], max_attempts=1)
    with opened(checkout, ["I would change a.py."]) as house:
        house.work()
        assert failure(house) is FailureClass.ANSWER_UNUSABLE
        assert len(house.model.requests) == 3
        assert "No tool was called" in house.prompt(1)


def test_steps_are_bounded_and_the_model_is_told(checkout: Checkout) -> None:
    prompt = "---\nkind: tools\nsteps: 4\n---\nDo it\n"
    checkout.commit({"prompts/hasty.md": prompt})
    drop(checkout, "t1", assignee="hasty", files=["a.py"], max_attempts=1)
    answers = [calling("edit", path="a.py", new=f"A = {n}\n") for n in range(2, 9)]
    with opened(checkout, answers) as house:
        house.work()
        assert failure(house) is FailureClass.ANSWER_UNUSABLE
        assert len(house.model.requests) == 4
        assert "1 steps are left" in house.prompt(3)


def test_a_red_gate_is_in_the_next_attempt_with_the_change_that_was_red(
    checkout: Checkout,
) -> None:
    red = CommandRecord(argv=("check",), exit_code=1, output="expected 3, got 2\n")
    drop(checkout, "t1", assignee="engineer", files=["a.py"])
    better = calling("edit", path="a.py", old="A = 1", new="A = 3")
    answers = [EDIT, DONE, better, DONE]
    with opened(checkout, answers, {"check": red}, gate__commands=["check"]) as house:
        house.take_in()
        house.attempt("t1")
        house.sandbox.results = {}
        house.work()
        assert "expected 3, got 2" in house.prompt(2) and "+A = 2" in house.prompt(2)
        assert house.state("t1") is State.DONE
        found = replay(house.factory.repository, house.factory.layout, "t1")
        assert all(one.same for one in found)


def test_a_stop_ends_a_command_and_the_attempt(checkout: Checkout) -> None:
    drop(checkout, "t1", assignee="engineer", files=["a.py"])
    with opened(checkout, [EDIT, calling("run", command="make"), DONE]) as house:

        def stop(spec: Spec) -> CommandRecord:
            raise Interrupted("stopped")

        house.sandbox.default = stop
        house.take_in()
        assert house.attempt("t1") is State.QUEUED
        assert isinstance(house.factory.stop_of("t1"), threading.Event)
        assert "work-1-2.json" not in records(house)


def test_long_results_are_cut_and_old_ones_left_out() -> None:
    assert len(bounded("x" * 100_000)) < TOLD + 100
    talk = [{"role": "tool", "content": "y" * 1000} for _ in range(4)]
    kept = [message["content"] for message in fitted(talk, 2500)]
    assert kept == [LEFT_OUT, LEFT_OUT, "y" * 1000, "y" * 1000]
