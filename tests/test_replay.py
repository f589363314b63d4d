"""What happened can be made again from the recorded answers, without a model."""

from __future__ import annotations

import pytest

from aifactory.model import State
from aifactory.replay import NothingRecorded, replay
from tests.conftest import Checkout
from tests.house import drop, opened, whole
from tests.memory import scratch
from tests.test_lifecycle import RED

__all__ = ["scratch"]  # a fixture


def test_every_attempt_comes_out_the_same(checkout: Checkout) -> None:
    drop(checkout, "t1", files=["a.py", "b.py"], max_attempts=2)
    answers = [whole(a_py="wrong\n"), whole(a_py="right\n", b_py="b\n")]
    with opened(checkout, answers, {"check": RED}, gate__commands=["check"]) as house:
        house.take_in()
        house.attempt("t1")
        house.sandbox.results = {}
        assert house.attempt("t1") is State.READY
        assert house.land("t1") is State.DONE
        asked = len(house.model.requests)
        found = replay(house.factory.repository, house.factory.layout, "t1")
        assert [one.attempt for one in found] == [1, 2]
        assert all(one.same for one in found)
        assert found[1].replayed == checkout.git("rev-parse", "HEAD^{tree}")
        assert len(house.model.requests) == asked


def test_an_answer_that_was_tampered_with_is_noticed(checkout: Checkout) -> None:
    drop(checkout, "t1", files=["a.py"])
    with opened(checkout, [whole(a_py="a\n")]) as house:
        house.work()
        record = house.factory.queue.record("t1")
        assert record
        data = house.factory.ledger.artifact("t1", "response-1.json") or b""
        forged = {"response-1.json": data.replace(b"a\\\\n", b"b\\\\n").replace(b"\\na", b"\\nb")}
        house.factory.ledger.save(record, forged)
        (found,) = replay(house.factory.repository, house.factory.layout, "t1")
        assert not found.same


def test_an_attempt_that_came_to_no_tree_says_why(checkout: Checkout) -> None:
    drop(checkout, "t1", files=["a.py"], max_attempts=1)
    with opened(checkout, ["prose"]) as house:
        house.work()
        (found,) = replay(house.factory.repository, house.factory.layout, "t1")
        assert (found.replayed, found.problem) == ("", "came to no tree: answer_unusable")


def test_what_was_never_answered_cannot_be_replayed(checkout: Checkout) -> None:
    drop(checkout, "t1", files=["a.py"], preconditions=[{"kind": "file_exists", "path": "no"}])
    with opened(checkout) as house:
        house.work()
        with pytest.raises(NothingRecorded):
            replay(house.factory.repository, house.factory.layout, "t1")
