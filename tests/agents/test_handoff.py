"""A person with a chat in the place of a model: asked in a file, answers when they like."""

from __future__ import annotations

import pytest

from aifactory import lifecycle, proposals, requests, wishes
from aifactory.model import CommandRecord, State
from aifactory.replay import replay
from tests.conftest import Checkout
from tests.house import House, drop, opened, whole
from tests.memory import scratch

__all__ = ["scratch"]  # a fixture

RED = CommandRecord(argv=("check",), exit_code=1, output="expected 42, got 41\n")


def question(house: House, task_id: str) -> str:
    return proposals.question_at(house.factory.layout, task_id).read_text()


def answer(house: House, task_id: str, text: str, attempt: int = 1) -> None:
    data = {"text": text, "attempt": attempt}
    requests.post(house.factory.layout, "answer", task_id, data, "ada")
    house.take_in()


def asked(house: House, task_id: str) -> None:
    house.take_in()
    assert house.attempt(task_id) is State.AWAITING_INPUT


def test_the_reply_of_a_chat_lands_as_any_answer(checkout: Checkout) -> None:
    drop(checkout, "t1", assignee="handoff", files=["a.py"], description="Add a")
    with opened(checkout, gate__commands=["check"]) as house:
        asked(house, "t1")
        text = question(house, "t1")
        assert "TASK-ID: t1" in text.splitlines() and "## How to answer" in text
        record = house.factory.queue.records["t1"]
        assert record.failure is None and "`aifactory answer t1 FILE`" in record.reason
        answer(house, "t1", "Here you are:\n\n" + whole(a_py="a = 1\n"))
        assert house.attempt("t1") is State.READY
        assert house.land("t1") is State.DONE
        assert house.model.requests == []
        (found,) = replay(house.factory.repository, house.factory.layout, "t1")
        assert found.same
    assert (checkout.root / "a.py").read_text() == "a = 1\n"
    assert "Aifactory-Model: person" in checkout.git("log", "-1", "--format=%b")


def test_a_reply_that_is_red_is_asked_for_again_with_the_evidence(checkout: Checkout) -> None:
    drop(checkout, "t1", assignee="handoff", files=["a.py"])
    with opened(checkout, results={"check": RED}, gate__commands=["check"]) as house:
        asked(house, "t1")
        answer(house, "t1", whole(a_py="a = 41\n"))
        assert house.attempt("t1") is State.QUEUED
        asked(house, "t1")
        text = question(house, "t1")
        assert "expected 42, got 41" in text and "a = 41" in text
        assert house.factory.queue.records["t1"].attempts == 2


def test_files_that_changed_meanwhile_are_merged(checkout: Checkout) -> None:
    checkout.commit({"a.py": "one\ntwo\nthree\nfour\nfive\n"})
    drop(checkout, "t1", assignee="handoff", files=["a.py"])
    with opened(checkout, gate__commands=["check"]) as house:
        asked(house, "t1")
        checkout.commit({"a.py": "ONE\ntwo\nthree\nfour\nfive\n"})
        answer(house, "t1", whole(a_py="one\ntwo\nthree\nfour\nFIVE\n"))
        house.work()
        assert house.state("t1") is State.DONE
        assert len(house.sandbox.ran) == 1  # on the tree that lands, and only there
        (found,) = replay(house.factory.repository, house.factory.layout, "t1")
        assert found.same
    assert (checkout.root / "a.py").read_text() == "ONE\ntwo\nthree\nfour\nFIVE\n"


def test_a_wish_that_a_crash_repeats_is_taken_once(checkout: Checkout) -> None:
    drop(checkout, "t1", assignee="handoff", files=["a.py"])
    with opened(checkout, results={"check": RED}, gate__commands=["check"]) as house:
        asked(house, "t1")
        data = {"text": whole(a_py="a = 41\n"), "attempt": 1}
        path = requests.post(house.factory.layout, "answer", "t1", data)
        [(_, wish)] = requests.pending(house.factory.layout)
        assert wish
        wishes.grant_one(house.factory, wish)
        house.take_in()
        assert not path.exists() and "request.refused" not in house.names("t1")
        assert house.names("t1").count("input.given") == 1
        house.attempt("t1")
        asked(house, "t1")
        wishes.grant_one(house.factory, wish)
        assert house.state("t1") is State.AWAITING_INPUT
        assert "request.refused" in house.names("t1")


def test_a_second_answer_is_refused_by_name(checkout: Checkout) -> None:
    drop(checkout, "t1", assignee="handoff", files=["a.py"])
    with opened(checkout) as house:
        asked(house, "t1")
        answer(house, "t1", whole(a_py="a = 1\n"))
        answer(house, "t1", whole(a_py="a = 2\n"))
        (refused,) = [event for event in house.events if event.name == "request.refused"]
        assert "asks for no answer" in refused.data["problems"]
        house.work()
    assert (checkout.root / "a.py").read_text() == "a = 1\n"


def test_a_question_whose_file_is_gone_is_shown_again(checkout: Checkout) -> None:
    drop(checkout, "t1", assignee="handoff", files=["a.py"])
    with opened(checkout) as house:
        asked(house, "t1")
        text = question(house, "t1")
        proposals.remove(house.factory.layout, "t1")
        lifecycle.resume(house.factory)
        assert question(house, "t1") == text


@pytest.mark.parametrize("verb", ["cancel", "answer"])
def test_nothing_is_asked_any_more_once_it_is_settled(checkout: Checkout, verb: str) -> None:
    drop(checkout, "t1", assignee="handoff", files=["a.py"])
    with opened(checkout) as house:
        asked(house, "t1")
        data = {"text": whole(a_py="a = 1\n"), "attempt": 1}
        requests.post(house.factory.layout, verb, "t1", data)
        house.work()
        assert not proposals.question_at(house.factory.layout, "t1").exists()


def test_what_a_person_says_to_a_task_that_waits_is_in_the_next_prompt(
    checkout: Checkout,
) -> None:
    drop(checkout, "t1", files=["a.py"], budget={"tokens": 1})
    with opened(checkout, [whole(a_py="a = 1\n")]) as house:
        asked(house, "t1")
        drop(checkout, "t1", files=["a.py"])
        answer(house, "t1", "keep it short")
        assert house.state("t1") is State.QUEUED
        requests.post(house.factory.layout, "cancel", "t1", {})
        requests.post(house.factory.layout, "retry", "t1", {})
        house.take_in()
        house.attempt("t1")
        assert "keep it short" in house.prompt(0)
