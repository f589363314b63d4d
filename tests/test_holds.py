"""A gate that is broken without the change: nobody is charged, the task waits for the base."""

from __future__ import annotations

from dataclasses import replace

from aifactory import holds
from aifactory.errors import (
    FailureClass,
)
from aifactory.model import CommandRecord, State
from aifactory.queue import Queue
from tests.conftest import Checkout
from tests.house import drop, opened, whole
from tests.memory import scratch

__all__ = ["scratch"]  # a fixture


def failure_of(queue: Queue, task_id: str) -> FailureClass:
    record = queue.record(task_id)
    assert record and record.failure
    return record.failure.failure_class


CLOCK = CommandRecord(argv=("check",), exit_code=1, output="FAILED t/test_clock.py::test_noon\n")


def test_a_gate_that_was_red_before_is_not_charged_and_waits_for_the_base(
    checkout: Checkout,
) -> None:
    drop(checkout, "t1", files=["a.py"], max_attempts=1)
    with opened(checkout, [whole(a_py="a\n")], {"check": CLOCK}, gate__commands=["check"]) as house:
        house.take_in()
        assert house.attempt("t1") is State.AWAITING_INPUT
        record = house.factory.queue.records["t1"]
        assert failure_of(house.factory.queue, "t1") is FailureClass.GATE_BROKEN
        assert record.charged == 0
        assert "without the change, too" in record.reason
        holds.release(house.factory)
        assert house.state("t1") is State.AWAITING_INPUT  # nothing has changed yet
        house.sandbox.results = {}
        checkout.commit({"clock.py": "mended\n"})
        holds.release(house.factory)
        assert house.attempt("t1") is State.READY
        assert house.land("t1") is State.DONE
        assert len(house.model.requests) == 1  # the answer was paid for once
        assert house.factory.queue.record("t1").attempts == 1


def test_a_broken_gate_is_looked_at_again_later_and_after_a_restart(checkout: Checkout) -> None:
    drop(checkout, "t1", files=["a.py"])
    with opened(checkout, [whole(a_py="a\n")], {"check": CLOCK}, gate__commands=["check"]) as house:
        house.take_in()
        house.attempt("t1")
        first = house.factory.held["t1"]
        house.factory.held["t1"] = replace(first, since=first.since - first.seconds)
        holds.release(house.factory)
        assert house.attempt("t1") is State.AWAITING_INPUT
        assert house.factory.held["t1"].seconds == 2 * first.seconds
    with opened(checkout, gate__commands=["check"]) as house:
        holds.release(house.factory)
        assert house.attempt("t1") is State.READY
        assert house.model.requests == []


def test_a_gate_that_breaks_on_the_way_to_landing_holds_the_task(checkout: Checkout) -> None:
    drop(checkout, "t1", files=["a.py"])
    with opened(checkout, [whole(a_py="a\n")], gate__commands=["check"]) as house:
        house.take_in()
        assert house.attempt("t1") is State.READY
        checkout.commit({"clock.py": "broken\n"})
        house.sandbox.results = {"check": CLOCK}
        assert house.land("t1") is State.AWAITING_INPUT
        house.sandbox.results = {}
        checkout.commit({"clock.py": "mended\n"})
        holds.release(house.factory)
        assert house.attempt("t1") is State.READY
        assert house.land("t1") is State.DONE
        assert len(house.model.requests) == 1
