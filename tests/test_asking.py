"""What becomes of a task whose model cannot be asked."""

from __future__ import annotations

import pytest

from aifactory.errors import (
    CredentialsMissing,
    ModelTransient,
)
from aifactory.model import State
from tests.conftest import Checkout
from tests.house import drop, opened, whole
from tests.memory import scratch

__all__ = ["scratch"]  # a fixture


def test_a_provider_in_trouble_costs_no_attempt(checkout: Checkout) -> None:
    drop(checkout, "t1", files=["a.py"], max_attempts=1)
    with opened(checkout, [ModelTransient("503"), whole(a_py="a\n")]) as house:
        house.take_in()
        assert house.attempt("t1") is State.QUEUED
        assert house.factory.queue.runnable() == []
        assert 0 < (house.factory.queue.next_due() or 0) <= 5
        house.factory.queue.delay("t1", 0)
        assert house.attempt("t1") is State.READY


def test_a_missing_key_fails_the_task_at_once(checkout: Checkout) -> None:
    drop(checkout, "t1", files=["a.py"])
    with opened(checkout, [CredentialsMissing("no key")]) as house:
        house.work()
        assert house.state("t1") is State.FAILED
        assert house.factory.exit_codes["t1"] == 4


@pytest.mark.parametrize("budget", [{"tokens": 0}, {"usd": 0}, {"seconds": 0}])
def test_no_call_is_made_without_budget(checkout: Checkout, budget: dict[str, float]) -> None:
    drop(checkout, "t1", files=["a.py"], budget=budget)
    with opened(checkout, [whole(a_py="a\n")]) as house:
        house.work()
        assert house.model.requests == []
        assert house.state("t1") in (State.AWAITING_INPUT, State.REJECTED)
