"""A person has the last word where the task says so."""

from __future__ import annotations

import json

import pytest

from aifactory import requests
from aifactory.model import State
from tests.conftest import Checkout
from tests.house import drop, opened, whole
from tests.memory import scratch

__all__ = ["scratch"]  # a fixture


def test_approval_is_asked_for_where_the_task_says_so(checkout: Checkout) -> None:
    drop(checkout, "t1", files=["a.py"], land="approve")
    with opened(checkout, [whole(a_py="a\n")]) as house:
        house.work()
        assert house.state("t1") is State.AWAITING_APPROVAL
        pending = checkout.root / "shared" / "proposals" / "t1"
        assert json.loads((pending / "proposal.json").read_text())["task_id"] == "t1"
        assert b"+a" in (pending / "proposal.patch").read_bytes()
        requests.post(house.factory.layout, "approve", "t1", {})
        house.take_in()
        assert house.land("t1") is State.DONE
        assert not pending.exists()


@pytest.mark.parametrize("verb", ["approve", "reject"])
def test_what_is_said_of_another_attempt_is_refused(checkout: Checkout, verb: str) -> None:
    drop(checkout, "t1", files=["a.py"], land="approve")
    with opened(checkout, [whole(a_py="a\n")]) as house:
        house.work()
        requests.post(house.factory.layout, verb, "t1", {"attempt": 7})
        house.take_in()
        assert house.state("t1") is State.AWAITING_APPROVAL


def test_a_rejected_proposal_never_lands(checkout: Checkout) -> None:
    drop(checkout, "t1", files=["a.py"], land="approve")
    with opened(checkout, [whole(a_py="a\n")]) as house:
        house.work()
        requests.post(house.factory.layout, "reject", "t1", {"reason": "not now"})
        house.work()
        assert house.state("t1") is State.REJECTED
    assert checkout.git("log", "--format=%s") == "first"
