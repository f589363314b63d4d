"""`aifactory status`: the contract's JSON, and the table for people."""

from __future__ import annotations

import json
import os
from collections.abc import Callable

from aifactory.files import Lock
from aifactory.flakes import Flakes
from aifactory.model import Failure, State, Usage
from tests.cli.conftest import Shop

ROW = {
    "task_id", "state", "agent", "attempts", "commit", "failure", "cost_usd", "tokens",
    "created_at", "started_at", "finished_at", "charged", "payments", "reason", "pull",
}  # fmt: skip


def test_json_is_the_contract(shop: Shop, failure: Callable[..., Failure]) -> None:
    shop.put("t1", State.DONE, commit="a" * 40, attempts=2, cost_usd=0.25)
    shop.put("t2", State.FAILED, failure=failure(), tokens=Usage(prompt=7, completion=3))
    shop.ledger.archive()
    shop.put("t3", State.RUNNING, tokens=Usage(prompt=1, completion=1))
    done = shop.run("status", "--json")
    assert (done.code, done.err) == (0, "")
    said = done.json
    sums = {"totals", "budgets", "spending", "quarantined"}
    assert set(said) == {"schema", "daemon", "tasks"} | sums
    assert said["schema"] == "aifactory/status@1"
    assert said["daemon"] == {
        "running": False,
        "pid": None,
        "heartbeat": None,
        "stopped": False,
    }
    assert {state: said["totals"][state] for state in ("done", "failed", "running", "queued")} == {
        "done": 1, "failed": 1, "running": 1, "queued": 0,
    }  # fmt: skip
    assert set(said["totals"]) == {*State, "cost_usd", "tokens"}
    assert said["totals"]["cost_usd"] == 0.25
    assert said["totals"]["tokens"] == {"prompt": 8, "completion": 4}
    rows = {row["task_id"]: row for row in said["tasks"]}
    assert all(set(row) == ROW for row in rows.values())
    assert rows["t1"]["commit"] == "a" * 40 and rows["t1"]["attempts"] == 2
    assert rows["t2"]["failure"] == {
        "class": "gate_failed", "stage": "gate", "message": "the gate is red",
        "retryable": True, "next_step": "mend it",
    }  # fmt: skip


def test_what_needs_a_person_stands_first(shop: Shop, failure: Callable[..., Failure]) -> None:
    shop.put("t1", State.DONE, commit="a" * 40)
    shop.put("t2", State.BLOCKED, reason="waits for `t3`")
    shop.put("t3", State.AWAITING_APPROVAL, reason="waits for `aifactory approve`")
    shop.put("t4", State.FAILED, failure=failure())
    done = shop.run("status")
    assert [line.split()[0] for line in done.out.splitlines()[1:5]] == ["t4", "t3", "t2", "t1"]
    assert "gate_failed: the gate is red" in done.out and "waits for `t3`" in done.out
    assert "next for t4: mend it" in done.out
    assert "No daemon runs and 2 open" in done.err


def test_of_many_done_ones_the_newest_are_listed(shop: Shop) -> None:
    for number in range(23):
        at = f"2026-01-01T00:00:{number:02}.000000Z"
        shop.put(f"t{number}", State.DONE, created_at=at, commit="a" * 40)
    shop.put("bad", State.FAILED)
    out = shop.run("status").out
    assert "\nt22 " in out and "\nt3 " in out and "\nt2 " not in out and "\nbad " in out
    assert out.endswith("1 failed, 23 done, $0.00, 0 tokens in, 0 out\n")
    assert "\nt0 " in shop.run("status", "--all").out


def test_one_task_by_a_unique_beginning(shop: Shop) -> None:
    shop.put("login-form")
    shop.put("login-page")
    done = shop.run("status", "login-f", "--json")
    assert [row["task_id"] for row in done.json["tasks"]] == ["login-form"]
    done = shop.run("status", "login")
    assert done.code == 2
    assert "the beginning of 2 tasks: login-form, login-page" in done.err
    assert "did you mean 'login-form'" in shop.run("status", "logn-form").err


def test_an_exact_id_wins_over_longer_ones(shop: Shop) -> None:
    shop.put("t1")
    shop.put("t10")
    assert [row["task_id"] for row in shop.run("status", "t1", "--json").json["tasks"]] == ["t1"]


def test_a_running_daemon_is_seen_and_not_disturbed(shop: Shop) -> None:
    lock = Lock(shop.layout.lock)
    lock.acquire("the test")
    beat = {"pid": os.getpid(), "at": "2026-01-01T00:00:00.000000Z", "run": "r"}
    shop.layout.heartbeat.write_text(json.dumps(beat))
    daemon = shop.run("status", "--json").json["daemon"]
    assert daemon == {
        "running": True,
        "pid": os.getpid(),
        "heartbeat": beat["at"],
        "stopped": False,
    }
    lock.release()
    assert shop.run("status", "--json").json["daemon"]["running"] is False
    lock.acquire("a second daemon")
    lock.release()


def test_files_that_no_daemon_has_seen_are_shown(shop: Shop) -> None:
    shop.write_task("fresh")
    shop.write_task("elsewhere", status="completed")
    (shop.layout.tasks / "broken.json").write_text("{")
    rows = {row["task_id"]: row for row in shop.run("status", "--json").json["tasks"]}
    assert set(rows) == {"fresh", "broken"}
    assert rows["fresh"]["state"] == "queued"
    assert rows["broken"]["state"] == "rejected"
    assert rows["broken"]["failure"]["class"] == "invalid_task"


def test_text_from_outside_cannot_steer_the_terminal(shop: Shop) -> None:
    shop.put("t1", title="red \x1b[31m alarm \u202e")
    out = shop.run("status").out
    assert "\x1b" not in out and "\u202e" not in out
    assert r"\x1b[31m" in out


def test_flaky_tests_are_shown_until_they_count_again(shop: Shop) -> None:
    Flakes(shop.ledger.repository).add(["t.py::test_a"], "pytest", "t1", days=1)
    shop.put("t1", State.DONE)
    for command in ("status", "report"):
        assert "flaky: t.py::test_a of `pytest`, does not count until" in shop.run(command).out
        (row,) = shop.run(command, "--json").json["quarantined"]
        assert row["found_by"] == "t1"
