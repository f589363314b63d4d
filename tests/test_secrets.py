"""What becomes of a secret of the daemon's that turns up on the way of a task."""

from __future__ import annotations

import json

import pytest

from aifactory.errors import FailureClass, ModelTransient
from aifactory.model import CommandRecord, State
from aifactory.redaction import MASK
from tests.conftest import Checkout
from tests.house import House, drop, opened, whole

SECRET = "correct-horse-battery"
GOOD = whole(a_py="a = 1\n")


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_KEY", SECRET)


def kept(house: House, task_id: str = "t1") -> dict[str, bytes]:
    """Every artifact of a task."""
    history = house.factory.ledger.find(task_id)
    assert history
    found = {name: house.factory.ledger.artifact(task_id, name) for name in history.artifacts}
    return {name: data for name, data in found.items() if data is not None}


def test_it_is_masked_in_prompts_answers_outputs_and_messages(checkout: Checkout) -> None:
    checkout.commit({"a.py": f"key = '{SECRET}'\n"}, "a key that somebody committed")
    drop(checkout, "t1", files=["a.py"], description=f"Take {SECRET} out")
    printed = CommandRecord(argv=("check",), exit_code=0, output=f"MY_API_KEY={SECRET}\n")
    answer = f"I took {SECRET} out.\n{GOOD}"
    with opened(checkout, [answer], {"check": printed}, gate__commands=["check"]) as house:
        house.work()
        assert house.state("t1") is State.DONE
        assert SECRET not in house.prompt(0) and house.prompt(0).count(MASK) >= 2
        told = b"".join(kept(house).values()).decode()
        said = "".join(event.model_dump_json() for event in house.events)
    assert SECRET not in told and SECRET not in said
    for name in ("response-1.json", "commands.jsonl", "prompt-1.json", "task.json"):
        assert MASK in kept_text(checkout, "t1", name)
    assert SECRET not in checkout.git("log", "-1", "--format=%B")
    assert MASK in checkout.git("log", "-1", "--format=%s")


def kept_text(checkout: Checkout, task_id: str, name: str) -> str:
    """One artifact, as the user's own Git reads it."""
    return checkout.git("show", f"refs/aifactory/tasks/{task_id}:{name}")


def test_an_error_of_a_provider_that_repeats_it_is_masked(checkout: Checkout) -> None:
    drop(checkout, "t1", files=["a.py"])
    with opened(checkout, [ModelTransient(f"503: {SECRET} is busy")]) as house:
        house.take_in()
        house.attempt("t1")
        told = b"".join(kept(house).values()).decode()
    assert SECRET not in told and f"503: {MASK} is busy" in told


@pytest.mark.parametrize("secret", [SECRET, "ghp_" + "a1B2c3D4e5" * 4])
def test_a_change_that_writes_one_is_refused_with_its_place(
    checkout: Checkout, secret: str
) -> None:
    drop(checkout, "t1", files=["a.py"], max_attempts=2)
    answers = [whole(a_py=f"a = 1\nkey = '{secret}'\n"), GOOD]
    with opened(checkout, answers) as house:
        house.take_in()
        assert house.attempt("t1") is State.QUEUED
        record = house.factory.queue.record("t1")
        assert record and record.failure
        assert record.failure.failure_class is FailureClass.SCOPE_VIOLATION
        assert "'a.py' line 2" in record.failure.message
        assert secret not in record.failure.message
        verdict = json.loads(kept(house)["gate-1.json"])
        assert "looks like a secret" in verdict["failure"]["message"]
        house.work()
        assert house.state("t1") is State.DONE
    assert (checkout.root / "a.py").read_text() == "a = 1\n"
