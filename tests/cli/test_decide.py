"""`cancel retry approve reject answer`: with and without a daemon, and what each state allows."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from aifactory import requests
from aifactory.files import Lock
from aifactory.model import State
from tests.cli.conftest import Shop


def settings(shop: Shop) -> None:
    """Settling opens the factory, which needs a branch; nothing is run."""
    shop.checkout.commit({"aifactory.toml": '[model]\ndefault = "scripted/none.json"\n'})


def state_of(shop: Shop, task_id: str) -> str:
    return str(shop.run("status", task_id, "--json").json["tasks"][0]["state"])


@pytest.mark.parametrize(
    ("verb", "before", "after"),
    [
        ("cancel", State.QUEUED, "cancelled"),
        ("cancel", State.AWAITING_APPROVAL, "cancelled"),
        ("reject", State.AWAITING_APPROVAL, "rejected"),
        ("retry", State.CANCELLED, "queued"),
        ("retry", State.FAILED, "queued"),
    ],
)
def test_without_a_daemon_it_is_done_at_once(
    shop: Shop, verb: str, before: State, after: str
) -> None:
    settings(shop)
    shop.put("t1", before)
    done = shop.run(verb, "t")
    assert (done.code, done.out) == (0, f"t1 {after}\n"), done.err
    assert ("No daemon runs" in done.err) is (after == "queued")
    again = shop.run(verb, "t1", "--json")
    assert again.code == 0 and f"t1 is {after} already" in again.err
    assert [(row["task_id"], row["state"]) for row in again.json] == [("t1", after)]


def test_an_answer_reaches_the_task(shop: Shop) -> None:
    settings(shop)
    shop.put("t1", State.AWAITING_INPUT)
    assert shop.run("answer", "t1", "use a list").out == "t1 queued\n"
    assert shop.run("artifacts", "t1", "input-1.txt").out == "use a list"


def test_an_answer_comes_from_a_file_or_from_stdin(shop: Shop) -> None:
    settings(shop)
    for task_id in ("t1", "t2"):
        shop.put(task_id, State.AWAITING_INPUT)
    shop.checkout.write({"reply.md": "from a file\n"})
    assert shop.run("answer", "t1", "reply.md").out == "t1 queued\n"
    assert shop.run("artifacts", "t1", "input-1.txt").out == "from a file\n"
    assert shop.run("answer", "t2", "-", stdin="from stdin\n").out == "t2 queued\n"
    assert shop.run("artifacts", "t2", "input-1.txt").out == "from stdin\n"


@pytest.mark.parametrize(("given", "said"), [("replay.md", "no file"), ("-", "empty")])
def test_an_answer_that_cannot_be_meant_is_refused(shop: Shop, given: str, said: str) -> None:
    settings(shop)
    shop.put("t1", State.AWAITING_INPUT)
    done = shop.run("answer", "t1", given)
    assert done.code == 2 and said in done.err
    assert state_of(shop, "t1") == "awaiting_input"


def test_a_file_that_nobody_took_in_can_be_cancelled(shop: Shop) -> None:
    settings(shop)
    shop.write_task("t1")
    assert shop.run("cancel", "t1", "--reason", "a mistake").out == "t1 cancelled\n"
    assert "a mistake" in shop.run("logs", "t1").out


def test_what_the_state_does_not_allow_is_refused(shop: Shop) -> None:
    shop.put("t1", State.DONE)
    shop.put("t2")
    for verb in ("cancel", "reject"):
        done = shop.run(verb, "t1")
        assert done.code == 2 and f"t1 is done: `{verb}` does not apply" in done.err
    assert shop.run("answer", "t1", "text").code == 2
    both = shop.run("cancel", "t2", "t1")
    assert both.code == 2 and state_of(shop, "t2") == "queued"


def test_dry_run_asks_nothing(shop: Shop) -> None:
    shop.put("t1")
    done = shop.run("cancel", "t1", "--dry-run")
    assert (done.code, done.out) == (0, "")
    assert "would cancel t1, which is queued" in done.err
    assert requests.pending(shop.layout) == []
    assert state_of(shop, "t1") == "queued"


def test_a_running_daemon_is_asked_by_a_file(shop: Shop) -> None:
    """The lock is held as a daemon holds it; this one is too busy to look."""
    shop.put("t1")
    lock = Lock(shop.layout.lock)
    lock.acquire(f"pid {os.getpid()}")
    done = shop.run("cancel", "t1", "--reason", "why not")
    lock.release()
    assert done.code == 0 and "The daemon is busy" in done.err
    [(path, request)] = requests.pending(shop.layout)
    assert request is not None
    assert (request.verb, request.task_id, request.data) == (
        "cancel",
        "t1",
        {"reason": "why not", "attempt": 0},
    )
    assert json.loads(Path(path).read_text())["by"]


def test_a_real_daemon_does_what_is_asked(shop: Shop) -> None:
    settings(shop)
    shop.put("t1", State.AWAITING_APPROVAL)
    with shop.start("run", "--log-format", "json") as daemon:
        assert daemon.stderr
        while "daemon.ready" not in daemon.stderr.readline():
            assert daemon.poll() is None
        assert shop.run("reject", "t1").out == "t1 rejected\n"
        daemon.terminate()
        told = daemon.stderr.read()
        assert daemon.wait(60) == 130
    assert '"event": "proposal.rejected"' in told
