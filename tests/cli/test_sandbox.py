"""`aifactory sandbox exec` and `aifactory run`: the real sandbox, the whole road."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from contextlib import suppress

from aifactory.model import State
from tests.cli.conftest import Shop

ANSWER = "```text:made.txt\nmade\n```"


def test_exec_passes_streams_and_exit_code_through(shop: Shop) -> None:
    workspace = shop.home / "workspace"
    workspace.mkdir()
    (workspace / "seen").write_text("hello\n")
    script = "cat seen; echo made > new; echo oops >&2; exit 7"
    done = shop.run("sandbox", "exec", str(workspace), "--", "sh", "-c", script)
    assert (done.code, done.out, done.err) == (7, "hello\n", "oops\n")
    made = workspace / "new"
    assert made.read_text() == "made\n"
    assert (made.stat().st_uid, workspace.stat().st_uid) == (os.getuid(), os.getuid())


def test_exec_knows_its_cages_by_name(shop: Shop) -> None:
    done = shop.run("sandbox", "exec", ".", "--backend", "none", "--", "true")
    assert done.code == 2 and "firejail" in done.err


def test_exec_is_caged(shop: Shop) -> None:
    workspace = shop.home / "workspace"
    workspace.mkdir()
    (shop.home / "secret").write_text("secret")
    exec_ = ("sandbox", "exec", str(workspace), "--network", "none", "--")
    assert shop.run(*exec_, "cat", str(shop.home / "secret")).code == 1
    assert shop.run(*exec_, "sh", "-c", "kill -9 $$").code == 137
    assert shop.run(*exec_, "no-such-program").code == 127
    python = shop.run(*exec_, "python", "-c", "import os; print(os.getuid() != 0)")
    assert (python.code, python.out) == (0, "True\n")


def test_exec_reaches_hosts_only_for_what_the_owner_installs(shop: Shop) -> None:
    workspace = shop.home / "workspace"
    workspace.mkdir()
    text = '[environment]\ninstall = ["sh -c \'echo $https_proxy\'"]\nhosts = ["pypi.test"]\n'
    shop.checkout.commit({"aifactory.toml": text})
    exec_ = ("sandbox", "exec", str(workspace), "--network")
    allowed = shop.run(*exec_, "install", "--", "sh", "-c", "echo $https_proxy")
    assert (allowed.code, allowed.out) == (0, "http://127.0.0.1:3128\n")
    denied = shop.run(*exec_, "install", "--", "sh", "-c", "echo $https_proxy; true")
    assert (denied.code, denied.out) == (2, "")
    assert "only a command of [environment] install" in denied.err
    assert shop.run(*exec_, "host", "--", "true").code == 2


def test_on_a_terminal_run_shows_the_live_view(shop: Shop) -> None:
    shop.checkout.commit({"aifactory.toml": ""})
    shop.put("t1", State.AWAITING_APPROVAL)
    shop.environ["TERM"] = "xterm"
    main, other = pty.openpty()
    line = [sys.executable, "-m", "aifactory", "run", "--once"]
    with subprocess.Popen(
        line, cwd=shop.checkout.root, env=shop.environment(), stdout=subprocess.PIPE, stderr=other
    ) as process:
        os.close(other)
        said = b""
        with suppress(OSError):  # the end of a terminal that nobody writes to any more
            while piece := os.read(main, 100_000):
                said += piece
        assert process.stdout and process.stdout.read() == b""
    os.close(main)
    shown = said.decode()
    assert process.returncode == 8
    assert "1 waiting for your approval, $0.00" in shown and "{" not in shown


def test_run_once_lands_a_task_and_says_so_in_json_lines(shop: Shop) -> None:
    shop.checkout.commit(
        {
            "aifactory.toml": '[model]\ndefault = "scripted/answers.json"\n'
            '[gate]\ncommands = ["grep -q made made.txt"]\n',
            "answers.json": json.dumps({"tasks": {"t1": [{"text": ANSWER}]}}),
        }
    )
    shop.write_task("t1", files=["made.txt"])
    shop.write_task("t2", depends_on=["nobody"])
    done = shop.run("run", "--once")
    assert (done.code, done.out) == (8, ""), done.err  # t2 waits for what does not exist
    told = [json.loads(line) for line in done.err.splitlines()]
    assert {"daemon.ready", "model.answered", "task.landed"} <= {line["event"] for line in told}
    assert all({"event", "task", "attempt", "run", "at", "level"} <= set(line) for line in told)
    assert (shop.checkout.root / "made.txt").read_text() == "made\n"
    rows = {row["task_id"]: row for row in shop.run("status", "--json").json["tasks"]}
    assert rows["t1"]["commit"] == shop.checkout.git("rev-parse", "HEAD")
    assert "which does not exist" in shop.run("status", "t2").out
    assert "made.txt" in shop.run("diff", "t1").out
    assert "grep -q made made.txt" in shop.run("report", "t1").out
    assert shop.run("wait", "t1").code == 0
