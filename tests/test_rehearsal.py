"""A whole queue is tried before the night, and nothing of it is seen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aifactory import git
from aifactory.errors import InvalidInput
from aifactory.layout import Layout
from aifactory.rehearsal import Rehearsed, rehearse
from tests.conftest import Checkout
from tests.house import drop, opened, whole


def tried(checkout: Checkout, answers: Path | None = None) -> Rehearsed:
    repository = git.discover(checkout.root)
    try:
        return rehearse(repository, Layout(repository.root, repository.git_dir), answers)
    finally:
        repository.close()


def test_a_queue_is_rehearsed_in_order_with_scripted_answers(
    checkout: Checkout, tmp_path: Path
) -> None:
    settings = '[model]\ndefault = "openai/never-asked"\napi_base = "http://127.0.0.1:9/v1"\n'
    checkout.commit({"aifactory.toml": settings})
    drop(checkout, "first", files=["a.py"])
    drop(checkout, "second", files=["b.py"], depends_on=["first"])
    drop(checkout, "third", files=["c.py"])
    script = {"first": [{"text": whole(a_py="a\n")}], "second": [{"text": whole(b_py="b\n")}]}
    answers = tmp_path / "answers.json"
    answers.write_text(json.dumps({"tasks": script}))
    before = checkout.git("for-each-ref"), checkout.git("status", "--porcelain")
    done = tried(checkout, answers)
    assert {one.task_id: one.state.value for one in done.records} == {
        "first": "done",
        "second": "done",
        "third": "failed",
    }
    assert (done.unanswered, done.code) == (("third",), 1)
    assert (checkout.git("for-each-ref"), checkout.git("status", "--porcelain")) == before


def test_what_was_answered_before_is_answered_so_again(checkout: Checkout) -> None:
    drop(checkout, "t1", files=["a.py"], land="approve")
    with opened(checkout, [whole(a_py="a\n")]) as house:
        house.take_in()
        house.attempt("t1")
    done = tried(checkout)
    assert [one.state.value for one in done.records] == ["awaiting_approval"]
    assert (done.unanswered, done.code) == ((), 8)


def test_a_file_that_holds_no_answers_is_refused(checkout: Checkout) -> None:
    checkout.write({"answers.json": "[]"})
    with pytest.raises(InvalidInput, match="holds no scripted answers"):
        tried(checkout, checkout.root / "answers.json")
