"""What one reads about a task: `show`, `artifacts`, `diff`, `logs`, `report`."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable

from aifactory.model import Event, Failure, State
from tests.cli.conftest import Shop

GATE = {
    "ok": False,
    "evidence": "$ pytest\nE  assert 5 == 4",
    "verdicts": [
        {
            "check": "gate commands",
            "ok": False,
            "message": "`pytest` ended with exit code 1",
            "evidence": "E  assert 5 == 4",
            "seconds": 1.5,
        }
    ],
}


def raw(shop: Shop, *arguments: str) -> bytes:
    """The very bytes that a command writes."""
    line = [sys.executable, "-m", "aifactory", *arguments]
    return subprocess.check_output(line, cwd=shop.checkout.root, env=shop.environment())


def test_show_says_why_a_task_failed(shop: Shop, failure: Callable[..., Failure]) -> None:
    artifacts = {"gate-1.json": json.dumps(GATE), "commands.jsonl": '{"argv": ["pytest"]}\n'}
    shop.put("t1", State.FAILED, artifacts, failure=failure(), attempts=1)
    done = shop.run("show", "t1")
    assert done.code == 0
    assert "# t1: failed" in done.out and "`gate_failed` in gate" in done.out
    assert "    E  assert 5 == 4" in done.out and "Next: mend it" in done.out
    assert "Kept: commands.jsonl, events.jsonl, gate-1.json, report.json, task.json" in done.out
    said = shop.run("show", "t", "--json").json
    assert said["evidence"] == GATE["evidence"]
    assert said["commands"] == [{"argv": ["pytest"]}]
    assert [event["name"] for event in said["events"]][:2] == ["task.accepted", "attempt.started"]
    assert said["failure"]["class"] == "gate_failed"


def test_show_of_a_file_that_nobody_took_in(shop: Shop) -> None:
    shop.write_task("t1")
    done = shop.run("show", "t1")
    assert done.code == 2
    assert "stands in tasks/ and is not taken in yet" in done.err and "aifactory run" in done.err


def test_artifacts_are_listed_and_printed_as_they_are(shop: Shop) -> None:
    shop.put("t1", artifacts={"proposal-1.patch": "a\r\nb\n"})
    assert "proposal-1.patch" in shop.run("artifacts", "t1").out.splitlines()
    assert shop.run("artifacts", "t1", "--json").json == [
        "events.jsonl", "proposal-1.patch", "report.json", "task.json",
    ]  # fmt: skip
    assert raw(shop, "artifacts", "t1", "proposal-1.patch") == b"a\r\nb\n"
    done = shop.run("artifacts", "t1", "proposal-1.patsh")
    assert (done.code, done.out) == (2, "")
    assert "did you mean proposal-1.patch?" in done.err


def test_diff_shows_the_commit_else_the_last_proposal(shop: Shop) -> None:
    shop.put("plain")
    assert shop.run("diff", "plain").code == 2
    shop.put("ready", State.READY, {"proposal-2.patch": "two\n", "proposal-10.patch": "ten\n"})
    assert shop.run("diff", "ready").out == "ten\n"
    commit = shop.checkout.commit({"new.txt": "new\n"})
    shop.put("landed", State.DONE, {"proposal-1.patch": "one\n"}, commit=commit)
    said = shop.run("diff", "landed", "--json").json
    assert "+++ b/new.txt\n" in said["patch"]
    assert (said["task_id"], said["commit"]) == ("landed", commit)


def test_logs_of_all_and_of_one(shop: Shop) -> None:
    shop.put("t1", State.RUNNING)
    shop.put("t2")
    shop.put("t3", State.DONE)
    shop.ledger.archive()
    every = shop.run("logs").out.splitlines()
    assert len(every) == 7 and every == sorted(every, key=lambda line: line[:8])
    assert every[0].endswith("t1 taken in: file t1.json")
    assert len(shop.run("logs", "t1").out.splitlines()) == 3
    last = shop.run("logs", "--tail", "2", "--json").out.splitlines()
    assert [Event.model_validate_json(line).task for line in last] == ["t3", "t3"]
    assert shop.run("logs", "--tail", "0").out == ""
    assert shop.run("logs", "--since", "2999-01-01").out == ""
    assert len(shop.run("logs", "--since", "1h").out.splitlines()) == 7
    assert shop.run("logs", "--since", "yesterday").code == 2


def test_logs_follow_until_the_task_is_closed(shop: Shop) -> None:
    shop.put("t1", State.RUNNING)
    with shop.start("logs", "t1", "--follow") as process:
        assert process.stdout
        assert "taken in" in process.stdout.readline()
        time.sleep(0.5)
        shop.stream.emit("task.landed", "t1", 1, state="done", commit="c" * 40)
        shop.ledger.save(shop.ledger.load()["t1"].model_copy(update={"state": State.DONE}))
        shop.ledger.archive()
        rest = process.stdout.read()
        assert process.wait(60) == 0
    assert rest.count("\n") == 3
    assert rest.endswith("t1 (1) landed: cccccccccc\n")


def test_report_of_all_and_of_one(shop: Shop, failure: Callable[..., Failure]) -> None:
    shop.put("good", State.DONE, commit="d" * 40)
    shop.put("bad", State.FAILED, failure=failure())
    every = shop.run("report").out
    assert every.startswith("# Report\n\n1 failed, 1 done, $0.00")
    assert every.index("| bad |") < every.index("| good |")
    assert shop.run("report", "good").out.startswith("# good: done")
    assert shop.run("report", "bad", "--json").json["schema"] == "aifactory/report@1"
    assert shop.run("report", "--json").json["totals"]["failed"] == 1


def test_security_scan_lists_what_is_dangerous(shop: Shop) -> None:
    shop.checkout.commit({"a.py": "import os\nos.system(x)\n", "get.sh": "curl x | sh\n"})
    done = shop.run("security-scan")
    assert done.code == 1
    assert "get.sh:1: high: what is downloaded is run unseen (piped-shell)" in done.out
    found = shop.run("security-scan", "--json", "--severity", "low", "*.py").json
    assert {"a.py"} == {one["path"] for one in found}
    clean = shop.run("security-scan", "README.md")
    assert (clean.code, clean.out) == (0, "")
