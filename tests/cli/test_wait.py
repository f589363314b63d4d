"""`aifactory wait` and `aifactory watch`: when they end, and with which code."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from aifactory.model import Failure, State
from tests.cli.conftest import Shop


@pytest.mark.parametrize(
    ("states", "code"),
    [
        ((), 0),
        (("done", "done"), 0),
        (("done", "failed"), 1),
        (("rejected",), 1),
        (("cancelled", "done"), 1),
        (("done", "awaiting_approval"), 8),
        (("blocked",), 8),
    ],
)
def test_the_exit_code_says_what_became_of_all(shop: Shop, states: list[str], code: int) -> None:
    for number, state in enumerate(states):
        shop.put(f"t{number}", State(state))
    done = shop.run("wait")
    assert done.code == code
    assert done.out.split() == [word for n, state in enumerate(states) for word in (f"t{n}", state)]


def test_a_reached_limit_ends_with_6(shop: Shop, failure: Callable[..., Failure]) -> None:
    shop.put("t1", State.AWAITING_INPUT, failure=failure("budget_exhausted"))
    assert shop.run("wait", "t1").code == 6


def test_what_waits_for_the_users_files_waits_for_a_person(shop: Shop) -> None:
    shop.put("t1", State.READY, reason="a.txt has uncommitted changes")
    assert shop.run("wait").code == 8


def test_time_runs_out(shop: Shop) -> None:
    shop.put("t1")
    began = time.monotonic()
    done = shop.run("wait", "--timeout", "0.5", "--json")
    assert done.code == 8 and time.monotonic() - began >= 0.5
    assert [row["state"] for row in done.json] == ["queued"]
    assert "No daemon runs" in done.err


def test_only_the_named_ones_are_waited_for(shop: Shop) -> None:
    shop.put("t1", State.DONE)
    shop.put("t2")
    assert shop.run("wait", "t1").code == 0
    assert shop.run("wait", "t3").code == 2
    shop.write_task("fresh")
    assert shop.run("wait", "fresh", "--timeout", "0").code == 8


def test_wait_sees_a_task_end(shop: Shop) -> None:
    record = shop.put("t1", State.RUNNING)
    with shop.start("wait", "t1") as process:
        time.sleep(1)
        assert process.poll() is None
        shop.ledger.save(record.model_copy(update={"state": State.DONE}))
        assert process.wait(60) == 0
        assert process.stdout and process.stdout.read() == "t1 done\n"


def test_watch_tells_what_happens_and_ends(shop: Shop) -> None:
    record = shop.put("t1", State.RUNNING)
    with shop.start("watch") as process:
        assert process.stdout and process.stdout.readline() == "1 running, $0.00\n"
        shop.stream.emit("command.started", "t1", 1, command="pytest -q")
        shop.stream.emit("task.failed", "t1", 1, state="failed", reason="no more")
        shop.ledger.save(record.model_copy(update={"state": State.FAILED}))
        assert process.wait(60) == 1
        told = [line[9:] for line in process.stdout.read().splitlines()]
    assert told == ["t1 (1) runs: `pytest -q`", "t1 (1) failed: no more"]
