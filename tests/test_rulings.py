"""Failures that come and go: labelled, set aside by name, never green by luck."""

from __future__ import annotations

from collections.abc import Callable

from aifactory import holds
from aifactory.errors import FailureClass
from aifactory.model import CommandRecord, State
from aifactory.sandbox import Spec
from tests.conftest import Checkout
from tests.house import House, drop, opened, whole
from tests.memory import scratch

__all__ = ["scratch"]  # a fixture

FLAKY = "t/test_net.py::test_ping"


def once_red(
    *red: int, says: str = f"FAILED {FLAKY} - timed out\n"
) -> Callable[..., CommandRecord]:
    """A check that is red in these of its runs, counted from 1."""
    runs = iter(range(1, 1000))

    def run(spec: Spec) -> CommandRecord:
        if next(runs) in red and "test_ping" not in spec.environment.get("PYTEST_ADDOPTS", ""):
            return CommandRecord(argv=spec.argv, exit_code=1, output=says)
        return CommandRecord(argv=spec.argv, exit_code=0)

    return run


def failed(house: House, task_id: str) -> tuple[State, FailureClass | None, int]:
    record = house.factory.queue.record(task_id)
    assert record
    return record.state, record.failure and record.failure.failure_class, record.charged


def test_what_a_rerun_does_not_repeat_is_labelled_and_does_not_land(checkout: Checkout) -> None:
    drop(checkout, "t1", files=["a.py"])
    check = once_red(1)  # then green on the base, green again
    with opened(checkout, [whole(a_py="a\n")], {"check": check}, gate__commands=["check"]) as house:
        house.take_in()
        assert house.attempt("t1") is State.AWAITING_INPUT
        assert failed(house, "t1") == (State.AWAITING_INPUT, FailureClass.GATE_FLAKY, 0)
        assert [flake.test for flake in house.factory.flakes.active()] == [FLAKY]
        assert "test.quarantined" in house.names("t1")
        holds.release(house.factory)
        assert house.attempt("t1") is State.READY  # judged anew, in full
        assert len(house.model.requests) == 1


def test_red_again_on_the_change_that_it_was_found_on_is_the_changes_fault(
    checkout: Checkout,
) -> None:
    drop(checkout, "t1", files=["a.py"])
    check = once_red(1, 4)
    with opened(checkout, [whole(a_py="a\n")], {"check": check}, gate__commands=["check"]) as house:
        house.take_in()
        house.attempt("t1")
        holds.release(house.factory)
        assert house.attempt("t1") is State.QUEUED
        assert failed(house, "t1") == (State.QUEUED, FailureClass.GATE_FAILED, 1)
        house.attempt("t1")
        assert "fails now and then" in house.prompt(1)


def test_a_test_that_is_flaky_without_the_change_too_costs_no_other_answer(
    checkout: Checkout,
) -> None:
    drop(checkout, "t1", files=["a.py"])
    check = once_red(1, 4, 7, 9)  # the second time on the change, once on the base
    with opened(checkout, [whole(a_py="a\n")], {"check": check}, gate__commands=["check"]) as house:
        house.take_in()
        house.attempt("t1")
        holds.release(house.factory)
        assert house.attempt("t1") is State.AWAITING_INPUT
        assert failed(house, "t1") == (State.AWAITING_INPUT, FailureClass.GATE_FLAKY, 0)
        (flake,) = house.factory.flakes.active()
        assert (flake.test, flake.found_by, flake.times) == (FLAKY, "", 2)
        holds.release(house.factory)
        assert house.attempt("t1") is State.READY  # it does not count any more
        assert len(house.model.requests) == 1


def test_what_is_set_aside_does_not_count_for_other_changes(checkout: Checkout) -> None:
    drop(checkout, "t2", files=["a.py"])
    always = once_red(*range(1, 100))
    with opened(
        checkout, [whole(a_py="a\n")], {"check": always}, gate__commands=["check"]
    ) as house:
        house.factory.flakes.add([FLAKY], "check", "t1", days=1)
        house.take_in()
        assert house.attempt("t2") is State.READY


def test_a_change_of_the_flaky_test_itself_has_to_pass_it(checkout: Checkout) -> None:
    drop(checkout, "t2", files=["t/test_net.py"])
    answer = f"```python:{FLAKY.partition('::')[0]}\ndef test_ping(): pass\n```"
    with opened(checkout, [answer], {"check": once_red(1)}, gate__commands=["check"]) as house:
        house.factory.flakes.add([FLAKY], "check", "t1", days=1)
        house.take_in()
        assert house.attempt("t2") is State.QUEUED
        assert failed(house, "t2") == (State.QUEUED, FailureClass.GATE_FAILED, 1)


def test_a_script_that_names_no_test_is_set_aside_by_its_command(checkout: Checkout) -> None:
    drop(checkout, "t1", files=["a.py"])
    check = once_red(1, says="no route to host\n")
    with opened(checkout, [whole(a_py="a\n")], {"check": check}, gate__commands=["check"]) as house:
        house.take_in()
        house.attempt("t1")
        assert failed(house, "t1") == (State.AWAITING_INPUT, FailureClass.GATE_FLAKY, 0)
        assert [flake.test for flake in house.factory.flakes.active()] == ["check"]
