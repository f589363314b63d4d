"""What becomes of a task: from the file to the commit, and every way it can go wrong."""

from __future__ import annotations

import json
import time

from aifactory import requests
from aifactory.errors import (
    FailureClass,
    Interrupted,
    SandboxUnusable,
)
from aifactory.model import CommandRecord, State
from aifactory.queue import Queue
from aifactory.sandbox import Spec
from tests.conftest import Checkout
from tests.house import drop, opened, whole
from tests.memory import scratch

__all__ = ["scratch"]  # a fixture

RED = CommandRecord(argv=("check",), exit_code=1, output="expected 42, got 41\n")


def failure_of(queue: Queue, task_id: str) -> FailureClass:
    record = queue.record(task_id)
    assert record and record.failure
    return record.failure.failure_class


def test_a_task_becomes_one_commit_by_its_agent(checkout: Checkout) -> None:
    drop(checkout, "t1", files=["a.py"], description="Add a")
    with opened(checkout, [whole(a_py="print(1)\n")], gate__commands=["check"]) as house:
        house.work()
        assert house.state("t1") is State.DONE
    assert (checkout.root / "a.py").read_text() == "print(1)\n"
    assert checkout.git("log", "-1", "--format=%an %s") == "coder Add a"
    trailers = checkout.git("log", "-1", "--format=%(trailers:only,unfold)")
    names = {line.partition(":")[0] for line in trailers.splitlines()}
    kinds = ("Task", "Agent", "Model", "Prompt", "Proposal", "Attempt", "Cost")
    assert names == {f"Aifactory-{kind}" for kind in kinds}
    assert "Aifactory-Task: t1" in trailers
    assert checkout.git("log", "--format=%s", "--grep", "Aifactory-Task: t1") == "Add a"
    assert checkout.git("status", "--porcelain") == "?? tasks/"


def test_a_red_answer_never_lands_and_its_evidence_is_in_the_next_prompt(
    checkout: Checkout,
) -> None:
    drop(checkout, "t1", files=["a.py"])
    answers = [whole(a_py="wrong = 1\n"), whole(a_py="right = 1\n")]
    with opened(checkout, answers, {"check": RED}, gate__commands=["check"]) as house:
        house.take_in()
        assert house.attempt("t1") is State.QUEUED
        house.sandbox.results = {}
        assert house.attempt("t1") is State.READY
        assert house.land("t1") is State.DONE
        assert "expected 42, got 41" not in house.prompt(0)
        assert "expected 42, got 41" in house.prompt(1)
        assert "wrong = 1" in house.prompt(1)
        assert "TASK-ID: t1" in house.prompt(1).splitlines()
    assert checkout.git("log", "--format=%s") == "do t1\nfirst"
    assert (checkout.root / "a.py").read_text() == "right = 1\n"


def test_three_equal_failures_stop_a_task(checkout: Checkout) -> None:
    drop(checkout, "t1", files=["a.py"], max_attempts=5)
    with opened(checkout, ["I cannot do this."]) as house:
        house.work()
        assert house.state("t1") is State.FAILED
        assert failure_of(house.factory.queue, "t1") is FailureClass.ANSWER_UNUSABLE
        assert len(house.model.requests) == 3


def test_attempts_are_bounded(checkout: Checkout) -> None:
    drop(checkout, "t1", files=["a.py"], max_attempts=2)
    answers = [whole(a_py="a\n"), "prose"]
    with opened(checkout, answers, {"check": RED}, gate__commands=["check"]) as house:
        house.work()
        assert house.state("t1") is State.FAILED
        assert len(house.model.requests) == 2


def test_a_write_out_of_scope_is_refused_before_anything_runs(checkout: Checkout) -> None:
    drop(checkout, "t1", files=["a.py"], max_attempts=1)
    with opened(checkout, [whole(b_py="b\n")], gate__commands=["check"]) as house:
        house.work()
        assert failure_of(house.factory.queue, "t1") is FailureClass.SCOPE_VIOLATION
        assert house.sandbox.ran == []
    assert not (checkout.root / "b.py").exists()


def test_an_answer_that_changes_nothing_is_no_success(checkout: Checkout) -> None:
    drop(checkout, "t1", files=["README.md"], max_attempts=1)
    with opened(checkout, [whole(README_md="# A repository\n")]) as house:
        house.work()
        assert house.state("t1") is State.FAILED
    assert checkout.git("log", "--format=%s") == "first"


def test_an_unknown_agent_is_said_by_name(checkout: Checkout) -> None:
    drop(checkout, "t1", assignee="codr")
    with opened(checkout) as house:
        house.work()
        assert house.state("t1") is State.REJECTED
        record = house.factory.queue.record("t1")
        assert record and record.failure and "did you mean 'coder'" in record.failure.message
        drop(checkout, "t1", assignee="coder", files=["a.py"])
        house.take_in()
        assert house.state("t1") is State.QUEUED


def test_a_precondition_that_does_not_hold_asks_no_model(checkout: Checkout) -> None:
    drop(checkout, "t1", preconditions=[{"kind": "file_exists", "path": "missing.py"}])
    with opened(checkout) as house:
        house.work()
        assert failure_of(house.factory.queue, "t1") is FailureClass.PRECONDITION_FAILED
        assert house.model.requests == []


def test_without_a_sandbox_no_work_is_taken(checkout: Checkout) -> None:
    drop(checkout, "t1", files=["a.py"])
    red = {"check": SandboxUnusable("no cage")}
    with opened(checkout, [whole(a_py="a\n")], red, gate__commands=["check"]) as house:
        house.take_in()
        assert house.attempt("t1") is State.QUEUED
        assert house.factory.trouble is not None
        assert house.factory.trouble.error.exit_code == 5


def test_an_interrupted_attempt_is_put_back_and_its_answer_not_paid_twice(
    checkout: Checkout,
) -> None:
    drop(checkout, "t1", files=["a.py"])
    red = {"check": Interrupted("the daemon stops")}
    with opened(checkout, [whole(a_py="a\n")], red, gate__commands=["check"]) as house:
        house.take_in()
        assert house.attempt("t1") is State.QUEUED
    with opened(checkout, ["never asked"], gate__commands=["check"]) as house:
        house.work()
        assert house.state("t1") is State.DONE
        assert house.model.requests == []
        record = house.factory.queue.record("t1")
        assert record and record.attempts == 1


def test_uncommitted_work_makes_a_landing_wait(checkout: Checkout) -> None:
    checkout.write({"README.md": "mine, not committed\n"})
    drop(checkout, "t1", files=["README.md"])
    with opened(checkout, [whole(README_md="by the agent\n")]) as house:
        house.take_in()
        assert house.attempt("t1") is State.READY
        assert house.land("t1") is State.READY
        record = house.factory.queue.record("t1")
        assert record and "README.md" in record.reason
        assert (checkout.root / "README.md").read_text() == "mine, not committed\n"
        checkout.git("checkout", "--", "README.md")
        assert house.land("t1") is State.DONE
    assert (checkout.root / "README.md").read_text() == "by the agent\n"


def test_a_moved_target_is_gated_again_on_the_new_tree(checkout: Checkout) -> None:
    drop(checkout, "t1", files=["a.py"])
    with opened(checkout, [whole(a_py="a\n")], gate__commands=["check"]) as house:
        house.take_in()
        assert house.attempt("t1") is State.READY
        checkout.git("commit", "--quiet", "--allow-empty", "-m", "by a person")
        assert house.land("t1") is State.DONE
        assert len(house.sandbox.ran) == 2
        assert len(house.model.requests) == 1
    assert checkout.git("log", "--format=%s") == "do t1\nby a person\nfirst"


def test_a_change_in_the_same_place_is_proposed_again_at_no_charge(checkout: Checkout) -> None:
    drop(checkout, "t1", files=["README.md"], max_attempts=1)
    answers = [whole(README_md="# From the agent\n"), whole(README_md="# Both\n")]
    with opened(checkout, answers) as house:
        house.take_in()
        assert house.attempt("t1") is State.READY
        checkout.write({"README.md": "# From a person\n"})
        checkout.git("commit", "--quiet", "-am", "by a person")
        assert house.land("t1") is State.QUEUED
        assert house.attempt("t1") is State.READY
        assert "# From a person" in house.prompt(1)
        assert house.land("t1") is State.DONE


def test_a_task_may_land_on_a_branch_of_its_own(checkout: Checkout) -> None:
    drop(checkout, "t1", files=["a.py"], land="branch")
    with opened(checkout, [whole(a_py="a\n")]) as house:
        house.work()
        assert house.state("t1") is State.DONE
    assert checkout.git("log", "--format=%s", "main") == "first"
    assert checkout.git("log", "--format=%s", "aifactory/t1") == "do t1\nfirst"


def test_a_command_is_cut_when_the_time_of_its_task_is_up(checkout: Checkout) -> None:
    def endless(spec: Spec) -> CommandRecord:
        time.sleep(spec.limits.seconds)
        return CommandRecord(argv=spec.argv, exit_code=None, timed_out=True)

    drop(checkout, "t1", files=["a.py"], budget={"seconds": 3}, command_timeout=600)
    answers, results = [whole(a_py="a\n")], {"check": endless}
    with opened(checkout, answers, results, gate__commands=["check"]) as house:
        house.work()
        assert house.state("t1") is State.AWAITING_INPUT
        assert failure_of(house.factory.queue, "t1") is FailureClass.DEADLINE
        assert house.names("t1").count("command.finished") == 1
        assert house.sandbox.ran[0].limits.seconds <= 3


def test_a_cancelled_task_stops_and_can_be_taken_up_again(checkout: Checkout) -> None:
    drop(checkout, "t1", files=["a.py"])
    with opened(checkout, [whole(a_py="a\n")]) as house:
        requests.post(house.factory.layout, "cancel", "t1", {"reason": "changed my mind"})
        house.work()
        assert house.state("t1") is State.CANCELLED
        requests.post(house.factory.layout, "retry", "t1", {})
        house.work()
        assert house.state("t1") is State.DONE


def test_done_work_is_done_once(checkout: Checkout) -> None:
    path = drop(checkout, "t1", files=["a.py"])
    with opened(checkout, [whole(a_py="a\n")]) as house:
        house.work()
        house.factory.queue.archive()
    path.rename(path.with_name("again.json"))
    with opened(checkout, ["never asked"]) as house:
        house.work()
        assert house.model.requests == []
        drop(checkout, "t1", files=["b.py"])
        path.with_name("again.json").unlink()
        house.work()
        assert house.model.requests == []
        refused = [event for event in house.events if event.name == "file.refused"]
        assert "aifactory retry t1" in refused[0].data["problems"]
    assert checkout.git("log", "--format=%s") == "do t1\nfirst"


def test_the_first_landing_of_an_empty_repository_makes_its_root(make_checkout: object) -> None:
    assert callable(make_checkout)
    checkout: Checkout = make_checkout("empty")
    drop(checkout, "t1", files=["a.py"])
    with opened(checkout, [whole(a_py="a\n")]) as house:
        house.work()
        assert house.state("t1") is State.DONE
    assert checkout.git("log", "--format=%s") == "do t1"
    assert (checkout.root / "a.py").read_text() == "a\n"


def test_two_files_of_one_id_are_refused_once_and_a_mended_one_is_taken_in(
    checkout: Checkout,
) -> None:
    one = drop(checkout, "t1", files=["a.py"])
    other = one.with_name("other.json")
    other.write_text(one.read_text().replace("a.py", "b.py"))
    with opened(checkout, [whole(a_py="a\n")]) as house:
        for _ in range(3):
            house.take_in()
        assert house.names("t1") == ["task.refused"]
        other.unlink()
        house.work()
        assert house.state("t1") is State.DONE


def test_a_broken_file_is_rejected_under_its_name_until_it_is_mended(checkout: Checkout) -> None:
    path = drop(checkout, "t1", files=["a.py"])
    good = path.read_text()
    path.write_text(good[:-3])
    with opened(checkout, [whole(a_py="a\n")]) as house:
        house.take_in()
        rejected = house.factory.queue.in_state(State.REJECTED)
        assert [record.file for record in rejected] == ["t1.json"]
        path.write_text(good)
        house.work()
        assert house.state("t1") is State.DONE
        assert house.factory.queue.ended_badly == set()


def test_another_answer_to_the_same_evidence_is_another_try(checkout: Checkout) -> None:
    drop(checkout, "t1", files=["a.py"], max_attempts=4)
    answers = [whole(a_py=f"{number}\n") for number in range(4)]
    with opened(checkout, answers, {"check": RED}, gate__commands=["check"]) as house:
        house.work()
        assert house.state("t1") is State.FAILED
        assert len(house.model.requests) == 4


def test_a_new_file_that_the_task_names_is_no_slip_in_another_name(checkout: Checkout) -> None:
    text = "".join(f"line {number}\n" for number in range(5))
    checkout.commit({"a/init.py": text}, "a sibling")
    drop(checkout, "t1", files=["b/init.py"])
    answer = json.dumps({"summary": "s", "writes": [{"path": "b/init.py", "content": text}]})
    with opened(checkout, [answer]) as house:
        house.work()
        assert house.state("t1") is State.DONE
