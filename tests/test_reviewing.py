"""A second opinion by a model of another family."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aifactory.errors import FailureClass, InvalidConfig, UnknownAgent
from aifactory.model import Answer, State
from tests.conftest import Checkout
from tests.house import House, drop, opened, whole
from tests.memory import scratch

__all__ = ["scratch"]  # a fixture

ANSWER = whole(a_py="a = 1\n")
REVIEWER = (
    "---\nmodel: anthropic/claude-sonnet-4\nsystem: Be fair.\n---\nunused {{ task.task_id }}\n"
)
BY = {"gate__reviewer": "critic", "model__default": "openai/gpt-4o"}


def review(*findings: dict[str, Any]) -> str:
    return "Here it is:\n```json\n" + json.dumps({"summary": "s", "findings": findings}) + "\n```"


BLOCKING = {"severity": "blocking", "file": "a.py", "line": 1, "problem": "a is never two"}
MINOR = {"severity": "minor", "file": "a.py", "problem": "no docstring"}


@pytest.fixture
def reviewed(checkout: Checkout) -> Checkout:
    checkout.commit({"prompts/critic.md": REVIEWER})
    drop(checkout, "t1", files=["a.py"], description="Make a two")
    return checkout


def failed(house: House) -> FailureClass | None:
    record = house.factory.queue.records["t1"]
    return record.failure and record.failure.failure_class


def test_a_change_without_blocking_findings_lands(reviewed: Checkout) -> None:
    with opened(reviewed, [ANSWER, review(MINOR)], **BY) as house:
        house.take_in()
        assert house.attempt("t1") is State.READY
        assert house.land("t1") is State.DONE
        ledger = house.factory.ledger
        kept = json.loads(ledger.artifact("t1", "review-1.json") or b"")
        assert kept["findings"][0]["problem"] == "no docstring"
        gate = json.loads(ledger.artifact("t1", "gate-1.json") or b"")
        assert gate["verdicts"][-1]["check"] == "review"
        assert gate["verdicts"][-1]["message"] == "0 blocking of 1 findings"


def test_the_reviewer_sees_the_task_and_the_change(reviewed: Checkout) -> None:
    with opened(reviewed, [ANSWER, review()], **BY) as house:
        house.take_in()
        house.attempt("t1")
        asked = house.model.requests[1]
        assert asked.model == "anthropic/claude-sonnet-4"
        text = house.prompt(1)
        assert "Be fair." in text and "Make a two" in text
        assert "+a = 1" in text and '"blocking"' in text


def test_a_blocking_finding_goes_back_to_the_author(reviewed: Checkout) -> None:
    with opened(
        reviewed, [ANSWER, review(BLOCKING), whole(a_py="a = 2\n"), review()], **BY
    ) as house:
        house.take_in()
        assert house.attempt("t1") is State.QUEUED
        assert failed(house) is FailureClass.GATE_FAILED
        assert house.attempt("t1") is State.READY
        assert "blocking: a.py:1: a is never two" in house.prompt(2)


def test_its_money_is_counted_with_the_task(reviewed: Checkout) -> None:
    answers = [Answer(text=ANSWER, cost_usd=0.5), Answer(text=review(), cost_usd=0.25)]
    with opened(reviewed, answers, **BY) as house:
        house.take_in()
        house.attempt("t1")
        record = house.factory.queue.records["t1"]
        assert record.cost_usd == 0.75
        assert {one.agent: one.usd for one in record.payments} == {"coder": 0.5, "critic": 0.25}


def test_a_red_change_is_not_reviewed(reviewed: Checkout) -> None:
    with opened(reviewed, [ANSWER], {"check": 1}, gate__commands=["check"], **BY) as house:
        house.take_in()
        assert house.attempt("t1") is State.QUEUED
        assert len(house.model.requests) == 1


def test_a_review_that_cannot_be_read_is_not_the_authors_fault(reviewed: Checkout) -> None:
    with opened(reviewed, [ANSWER, "Looks good to me!"], **BY) as house:
        house.take_in()
        assert house.attempt("t1") is State.AWAITING_INPUT
        assert failed(house) is FailureClass.GATE_BROKEN
        assert house.factory.queue.records["t1"].charged == 0


def test_a_reviewer_of_the_authors_family_is_refused_by_name(reviewed: Checkout) -> None:
    alike = opened(reviewed, **BY | {"model__default": "bedrock/anthropic.claude-3"})
    with pytest.raises(InvalidConfig, match=r"claude-sonnet-4.*family anthropic"), alike:
        pass
    unknown = opened(reviewed, **BY | {"gate__reviewer": "critik"})
    with pytest.raises(UnknownAgent, match="critik"), unknown:
        pass


def test_an_author_of_the_reviewers_family_is_refused_before_it_is_paid(
    reviewed: Checkout,
) -> None:
    reviewed.commit({"prompts/other.md": "---\nmodel: claude-opus-4\n---\nDo it.\n"})
    drop(reviewed, "t2", files=["b.py"], assignee="other")
    with opened(reviewed, **BY) as house:
        house.take_in()
        assert house.attempt("t2") is State.FAILED
        assert house.model.requests == []
