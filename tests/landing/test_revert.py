"""Taking back what a task landed: a task of its own, gated, landed and told like any other."""

from __future__ import annotations

import pytest

from aifactory import failpoints, requests, reversal
from aifactory.errors import FailureClass, InvalidInput
from aifactory.model import CommandRecord, State
from tests.conftest import Checkout
from tests.house import House, drop, opened, whole
from tests.memory import scratch

__all__ = ["scratch"]  # a fixture


def land(house: House, task_id: str) -> None:
    house.take_in()
    assert house.attempt(task_id) is State.READY
    assert house.land(task_id) is State.DONE


def ask(house: House, task_id: str) -> None:
    requests.post(house.factory.layout, "revert", task_id, {"reason": "it hurts"})
    house.take_in()


def test_what_landed_is_taken_back_by_a_commit_of_its_own(checkout: Checkout) -> None:
    checkout.commit({"old.py": "old\n", "tool.sh": "#!/bin/sh\n"})
    drop(checkout, "t1", files=["a.py", "old.py"], description="Add a")
    answer = whole(a_py="a\n", old_py="new\n")
    with opened(checkout, [answer], gate__commands=["check"]) as house:
        land(house, "t1")
        landed = checkout.git("rev-parse", "HEAD")
        ask(house, "t1")
        house.work()
        assert house.state("revert-t1") is State.DONE
        assert len(house.sandbox.ran) == 2, "it is gated like any other"
        assert len(house.model.requests) == 1, "and asks no model"
        record = house.factory.queue.record("t1")
        assert record and record.state is State.DONE and record.commit == landed
        assert record.reason == f"taken back by {checkout.git('rev-parse', 'HEAD')[:12]}"
    assert (checkout.root / "old.py").read_text() == "old\n"
    assert not (checkout.root / "a.py").exists()
    assert checkout.git("diff", "HEAD~2", "HEAD") == ""
    assert checkout.git("log", "-1", "--format=%an %s") == 'revert Revert "Add a"'
    assert f"This reverts commit {landed}." in checkout.git("log", "-1", "--format=%B")
    assert checkout.git("status", "--porcelain") == "?? tasks/"


def test_later_changes_elsewhere_in_a_file_stay(checkout: Checkout) -> None:
    checkout.commit({"a.py": "1\n2\n3\n4\n5\n"})
    drop(checkout, "t1", files=["a.py"])
    with opened(checkout, [whole(a_py="1\nTWO\n3\n4\n5\n")]) as house:
        land(house, "t1")
        checkout.commit({"a.py": "1\nTWO\n3\n4\nFIVE\n"})
        ask(house, "t1")
        house.work()
    assert (checkout.root / "a.py").read_text() == "1\n2\n3\n4\nFIVE\n"


def test_later_changes_in_the_same_place_refuse_it_by_name(checkout: Checkout) -> None:
    drop(checkout, "t1", files=["README.md"])
    with opened(checkout, [whole(README_md="# t1\n")]) as house:
        land(house, "t1")
        checkout.commit({"README.md": "# by a person\n"})
        ask(house, "t1")
        house.work()
        record = house.factory.queue.record("revert-t1")
        assert record and record.state is State.FAILED and record.failure
        assert record.failure.failure_class is FailureClass.PRECONDITION_FAILED
        assert "README.md: the target branch changed the same place" in record.failure.message
    assert (checkout.root / "README.md").read_text() == "# by a person\n"


def test_a_red_gate_keeps_it_from_landing(checkout: Checkout) -> None:
    drop(checkout, "t1", files=["a.py"])
    with opened(checkout, [whole(a_py="a\n")], gate__commands=["check"]) as house:
        land(house, "t1")
        red = CommandRecord(argv=("check",), exit_code=1, output="a.py is needed\n")
        house.sandbox.results = {
            "check": lambda spec: (
                red
                if not (spec.workspace / "a.py").exists()
                else CommandRecord(argv=("check",), exit_code=0)
            )
        }
        ask(house, "t1")
        house.work()
        assert house.state("revert-t1") is State.FAILED
    assert (checkout.root / "a.py").exists()


def test_what_brought_its_tests_takes_them_along(checkout: Checkout) -> None:
    """A change that deletes tests is refused; one that is taken back may."""
    drop(checkout, "t1", files=["test_a.py"])
    answer = whole(test_a_py="def test_a():\n    assert 1 + 1 == 2\n").replace(
        "test.a.py", "test_a.py"
    )
    with opened(checkout, [answer], strength__new_tests="off") as house:
        land(house, "t1")
        ask(house, "t1")
        house.work()
        assert house.state("revert-t1") is State.DONE
    assert not (checkout.root / "test_a.py").exists()


def test_asked_twice_it_is_done_once_and_again_after_a_new_landing(checkout: Checkout) -> None:
    drop(checkout, "t1", files=["a.py"])
    with opened(checkout, [whole(a_py="a\n")]) as house:
        land(house, "t1")
        for _ in range(2):
            ask(house, "t1")
            house.work()
        assert checkout.git("rev-list", "--count", "HEAD") == "3"
        requests.post(house.factory.layout, "retry", "t1", {})
        land(house, "t1")
        ask(house, "t1")
        house.work()
    assert checkout.git("rev-list", "--count", "HEAD") == "5"
    assert not (checkout.root / "a.py").exists()


def test_what_has_not_landed_and_a_name_that_is_taken_are_refused(checkout: Checkout) -> None:
    drop(checkout, "t1", files=["a.py"])
    drop(checkout, "revert-t1", files=["b.py"])
    with opened(checkout, [whole(a_py="a\n"), whole(b_py="b\n")]) as house:
        house.take_in()
        queue = house.factory.queue
        with pytest.raises(InvalidInput, match="only what has landed"):
            reversal.begin(house.factory.repository, queue, queue.records["t1"])
        assert house.attempt("t1") is State.READY
        assert house.land("t1") is State.DONE
        with pytest.raises(InvalidInput, match="is another task"):
            reversal.begin(house.factory.repository, queue, queue.records["t1"])


@pytest.mark.parametrize(
    ("point", "turn"),
    [("queue.told", 1), ("queue.saved", 2), ("landing.begun", 1), ("landing.moved", 1)],
)
def test_a_crash_takes_back_once_and_says_so(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch, point: str, turn: int
) -> None:
    class Crash(BaseException):
        pass

    reached = 0

    def hit(name: str) -> None:
        nonlocal reached
        reached += name == point
        if name == point and reached == turn:
            raise Crash

    drop(checkout, "t1", files=["a.py"])
    try:
        with opened(checkout, [whole(a_py="a\n")]) as house:
            land(house, "t1")
            requests.post(house.factory.layout, "revert", "t1", {})
            monkeypatch.setattr(failpoints, "hit", hit)
            house.work()
    except Crash:
        pass
    monkeypatch.setattr(failpoints, "hit", lambda name: None)
    with opened(checkout) as house:
        for record in house.factory.queue.in_state(State.READY):
            house.land(record.task_id)
        house.work()
        assert house.state("revert-t1") is State.DONE
        record = house.factory.queue.record("t1")
        assert record and "taken back by" in record.reason
    assert checkout.git("rev-list", "--count", "HEAD") == "3"
    assert checkout.git("status", "--porcelain") == "?? tasks/"
