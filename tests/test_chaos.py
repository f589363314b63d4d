"""Chaos is drawn from its seed alone, and the work survives it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from aifactory import failpoints
from aifactory.chaos import Chaos, weather
from aifactory.errors import ModelTransient
from aifactory.events import Stream
from aifactory.model import Answer, Event
from aifactory.models import FakeModel, Request
from aifactory.sandbox import FakeSandbox
from tests.conftest import Checkout
from tests.house import drop

STARTS = 25  # more than a seed ever needed


def outcome(chaos: Chaos, task_id: str) -> str:
    model = chaos.model(FakeModel(["0123456789"]))
    try:
        answer = model.complete(Request("c", task_id, "m", ()))
    except ModelTransient as error:
        return error.message
    return f"{answer.finish_reason} {answer.text}"


def outcomes(seed: int, tasks: list[str]) -> dict[str, str]:
    chaos = Chaos(seed, 1, Stream())
    return {task_id: outcome(chaos, task_id) for task_id in tasks}


def test_what_happens_to_a_call_depends_on_the_seed_and_not_on_the_order() -> None:
    tasks = [f"t{number}" for number in range(200)]
    assert outcomes(1, tasks) == outcomes(1, tasks[::-1])
    assert outcomes(1, tasks) != outcomes(2, tasks)


def test_calls_fail_in_every_way_and_most_do_not() -> None:
    found = list(outcomes(1, [f"t{number}" for number in range(300)]).values())
    kinds = set(found)
    assert kinds == {
        "stop 0123456789",
        "length 01234",
        "chaos: 503, the provider is busy",
        "chaos: the connection was reset",
    }
    assert found.count("stop 0123456789") > 200


def test_failpoints_differ_from_start_to_start_and_are_understood() -> None:
    orders = [Chaos(1, start, Stream()).orders() for start in range(1, 30)]
    assert len(set(orders)) == len(orders)
    assert orders == [Chaos(1, start, Stream()).orders() for start in range(1, 30)]
    assert any("=kill" in order for order in orders)
    for order in orders:
        assert failpoints.ordered(order)


def test_it_says_that_it_is_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(failpoints.VARIABLE, "")
    told: list[Event] = []
    stream = Stream()
    stream.subscribe(told.append)
    weather(None, 1, stream).begin()
    assert told == []
    weather(4, 2, stream).begin()
    assert (told[0].name, told[0].data["seed"]) == ("chaos.on", 4)
    assert os.environ[failpoints.VARIABLE] == told[0].data["failpoints"]


def test_without_a_seed_every_part_stays_as_it_is() -> None:
    calm = weather(None, 1, Stream())
    model, cage = FakeModel([Answer(text="a")]), FakeSandbox()
    assert calm.model(model) is model
    assert calm.sandbox(lambda: cage)() is cage


def test_started_again_and_again_the_daemon_lands_everything_once(checkout: Checkout) -> None:
    answers = json.dumps({"tasks": {"t1": [{"text": "```text:a.txt\na\n```"}]}})
    settings = '[model]\ndefault = "scripted/answers.json"\n'
    checkout.commit({"answers.json": answers, "aifactory.toml": settings})
    drop(checkout, "t1", files=["a.txt"])
    command = [sys.executable, "-m", "aifactory", "run", "--once", "--chaos", "11"]
    for _ in range(STARTS):
        done = subprocess.run(
            [*command, "--repo", str(checkout.root)], capture_output=True, text=True, check=False
        )
        assert '"chaos.on"' in done.stderr
        assert done.returncode in (0, 5, -9), done.stderr
        if done.returncode == 0:
            break
    landed = checkout.git("log", "--format=%(trailers:key=Aifactory-Task,valueonly,separator=)")
    assert landed.split() == ["t1"]
    assert checkout.git("fsck", "--strict", "--no-dangling") == ""
