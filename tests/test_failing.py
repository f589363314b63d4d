"""What a failure is charged to, and when enough is enough."""

from __future__ import annotations

import json

import pytest

from aifactory import failing
from aifactory.errors import ModelTransient
from aifactory.model import CommandRecord, State
from tests.conftest import Checkout
from tests.house import drop, opened, whole
from tests.memory import scratch

__all__ = ["scratch"]  # a fixture

BASE = "0" * 64


def stale(content: str) -> str:
    """An answer to a file that was never as it says."""
    write = {"path": "README.md", "base_sha256": BASE, "content": content}
    return json.dumps({"summary": "s", "writes": [write]})


def test_a_stale_answer_costs_no_attempt_but_is_not_paid_for_ever(checkout: Checkout) -> None:
    drop(checkout, "t1", files=["README.md"])
    with opened(checkout, [stale("the same")]) as house:
        house.work()
        record = house.factory.queue.record("t1")
        assert record and record.failure
        assert (record.state, record.failure.failure_class) == (State.FAILED, "stale_base")
        assert (record.charged, record.calls) == (0, 3)


def test_a_task_that_failed_says_what_a_person_does_next(checkout: Checkout) -> None:
    drop(checkout, "t1", files=["a.py"], max_attempts=1)
    red = {"check": CommandRecord(argv=("check",), exit_code=1)}
    with opened(checkout, [whole(a_py="a\n")], red, gate__commands=["check"]) as house:
        house.work()
        record = house.factory.queue.record("t1")
        assert record and record.failure
        assert (record.state, record.failure.failure_class) == (State.FAILED, "gate_failed")
        assert "aifactory retry TASK" in record.failure.next_step
        assert not (house.factory.layout.proposals / "t1").exists()


def test_other_answers_to_the_same_evidence_are_other_tries(checkout: Checkout) -> None:
    drop(checkout, "t1", files=["README.md"])
    answers = [*map(stale, "abcd"), whole(README_md="right\n")]
    with opened(checkout, answers) as house:
        house.work()
        assert house.state("t1") is State.DONE


@pytest.mark.parametrize("failures", [1, 3])
def test_what_a_provider_does_is_never_charged(checkout: Checkout, failures: int) -> None:
    drop(checkout, "t1", files=["a.py"], max_attempts=1)
    down = [ModelTransient("down")] * failures
    with opened(checkout, [*down, whole(a_py="a\n")]) as house:
        house.take_in()
        for _ in range(failures):
            assert house.attempt("t1") is State.QUEUED
            house.factory.queue.delay("t1", 0)
        assert house.attempt("t1") is State.READY
        record = house.factory.queue.record("t1")
        assert record and (record.charged, record.attempts) == (0, failures + 1)


def test_a_refused_edit_is_told_once_with_the_true_lines_and_the_next_step(
    checkout: Checkout,
) -> None:
    drop(checkout, "t1", files=["README.md"])
    block = "<<<<<<< SEARCH\n# My repository\n=======\n# Ours\n>>>>>>> REPLACE"
    with opened(checkout, [f"README.md\n```\n{block}\n```\n", whole(README_md="right\n")]) as house:
        house.work()
        assert house.state("t1") is State.DONE
        told = str(house.model.requests[1].messages[-1]["content"])
    assert "    1 | # A repository" in told.splitlines()
    assert told.count("edit 1 was not found; nearest is line 1") == 1
    assert "Next step: copy the lines to change from the file, letter by letter" in told


def test_what_only_a_person_can_do_is_not_told_to_the_agent() -> None:
    broken = {"class": "gate_broken", "message": "red before", "next_step": "make the gate green"}
    assert failing.told({"failure": broken, "evidence": "E"}) == "gate_broken: red before\n\nE"
