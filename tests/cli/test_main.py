"""What holds for every command: help, errors, exit codes, streams."""

from __future__ import annotations

import inspect
import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from aifactory.cli.app import FAMILIES, PLAIN
from aifactory.git import Identity
from aifactory.ledger import ref_of
from tests.cli.conftest import Shop
from tests.conftest import Checkout

WHO = Identity("Ada", "ada@example.org")
READ_ONLY = """
import errno, os, sys
from aifactory.cli import run
opened = os.open
def read_only(path, flags, *rest, **options):
    if flags & os.O_ACCMODE != os.O_RDONLY:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
    return opened(path, flags, *rest, **options)
os.open = read_only
sys.exit(run(sys.argv[1:]))
"""
HEAVY = ("litellm", "rich", "pydantic", "jinja2", "jsonschema", "structlog", "fastapi", "langgraph")


def test_help_imports_nothing_heavy() -> None:
    code = "import sys, aifactory.cli.app; print([m for m in sys.modules if '.' not in m])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [name for name in HEAVY if repr(name) in out.stdout] == []


def test_help_shows_examples_and_every_command(shop: Shop) -> None:
    done = shop.run("--help")
    assert (done.code, done.err) == (0, "")
    assert "aifactory add" in done.out and "Exit codes" in done.out
    assert all(f"\n  {command.__name__.replace('_', '-')}" in done.out for command in PLAIN)


READING = {
    *("status", "show", "logs", "diff", "artifacts", "report", "schema", "wait", "watch"),
    *("doctor", "agents list", "budget list", "config show", "prompts diff", "security-scan"),
    # What they make, they make in a scratch clone that goes with them.
    *("rehearse", "prompts test", "prompts compare", "replay"),
}
CHANGING = {
    *("approve", "reject", "answer", "cancel", "retry", "revert", "init", "add", "recover"),
    *("run", "demo", "tidy", "agents keys", "budget free", "replay"),  # `replay --fork N --land`
}
PASSED_ON = {"sandbox exec"}  # what it runs, and how that ends, is the caller's own


def commands() -> dict[str, set[str]]:
    """Every command as it is typed, with the names of its parameters."""
    plain = {command.__name__.replace("_", "-"): command for command in PLAIN}
    families = {
        f"{family} {name}": command
        for family, (_, members) in FAMILIES.items()
        for name, command in members.items()
    }
    return {
        name: set(inspect.signature(command).parameters)
        for name, command in (plain | families).items()
    }


def test_reading_takes_json_and_changing_takes_dry_run() -> None:
    known = commands()
    assert set(known) == READING | CHANGING | PASSED_ON
    assert [name for name in READING if "json" not in known[name]] == []
    assert [name for name in CHANGING if "dry_run" not in known[name]] == []
    assert {name for name in known if "repo" not in known[name]} == {"schema", "demo"}


def test_no_command_is_answered_with_the_help(shop: Shop) -> None:
    done = shop.run()
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Usage: aifactory")


@pytest.mark.parametrize("line", ["statsu", "status --nope", "show", "wait --timeout soon"])
def test_wrong_usage_ends_with_2_and_a_hint(shop: Shop, line: str) -> None:
    done = shop.run(*line.split())
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ") and "\nnext: `aifactory" in done.err


def test_an_error_as_json_goes_to_stderr(shop: Shop) -> None:
    done = shop.run("show", "nobody", "--json")
    assert (done.code, done.out) == (2, "")
    error = json.loads(done.err)["error"]
    assert error["message"] == "there is no task 'nobody'"
    assert error["next_step"] == "`aifactory status` lists every task"
    assert (error["class"], error["exit_code"]) == ("invalid_task", 2)


def test_outside_a_repository_the_remedy_is_named(shop: Shop) -> None:
    done = shop.run("status", cwd=shop.home)
    assert (done.code, done.out) == (5, "")
    assert "not a git repository" in done.err and "--repo" in done.err
    assert shop.run("status", "--repo", "nowhere").code == 5


def test_works_from_a_subdirectory_and_with_repo(shop: Shop) -> None:
    shop.put("t1")
    deep = shop.checkout.root / "a" / "b"
    deep.mkdir(parents=True)
    elsewhere = shop.run("status", "--json", "--repo", str(deep), cwd=shop.home)
    assert shop.run("status", "--json", cwd=deep).json == elsewhere.json
    assert [row["task_id"] for row in elsewhere.json["tasks"]] == ["t1"]


def test_a_bug_leaves_a_report_without_secrets(shop: Shop) -> None:
    """A record that is no JSON is nothing that any command expects."""
    key = "sk-test-0123456789abcdefghij"
    tree = shop.repository.write("blob", key.encode())
    folder = shop.repository.write("tree", b"100644 report.json\0" + bytes.fromhex(tree))
    commit = shop.repository.write_commit(folder, [], "queued", WHO, WHO, 1)
    shop.repository.update_refs({ref_of("t1"): (shop.repository.null, commit)})
    done = shop.run("status")
    assert (done.code, done.out) == (3, "")
    assert "error: unexpected ValidationError" in done.err and key not in done.err
    path = Path(done.err.strip().rpartition("report ")[2])
    report = path.read_text()
    assert path.parent == shop.home / "state" / "aifactory" / "reports"
    assert report.startswith("# aifactory: unexpected ValidationError")
    assert "git version" in report and "Traceback" in report and "aifactory status" in report
    assert key not in report and "[redacted secret]" in report
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("words", [("recover",), ("add", "more work")])
def test_a_disk_that_cannot_be_written_is_told_as_such(shop: Shop, words: tuple[str, ...]) -> None:
    command = [sys.executable, "-c", READ_ONLY, *words]
    where, env = shop.checkout.root, shop.environment()
    done = subprocess.run(command, cwd=where, env=env, capture_output=True, text=True)
    assert done.returncode == 5
    assert done.stderr.startswith("error: Read-only file system: ")


def test_interrupted_ends_with_130(shop: Shop) -> None:
    shop.put("t1")
    with shop.start("wait") as process:
        assert process.stderr and "No daemon runs" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130


def test_a_reader_that_leaves_is_no_error(shop: Shop) -> None:
    for number in range(40):
        shop.put(f"t{number}", title="x" * 90)
    reader, writer = os.pipe()
    os.close(reader)
    with subprocess.Popen(
        [sys.executable, "-m", "aifactory", "status"],
        cwd=shop.checkout.root,
        env=shop.environment(),
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        os.close(writer)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (141, "")


def test_colours_only_where_they_are_wanted(shop: Shop) -> None:
    shop.put("t1")
    assert "\x1b" not in shop.run("status").out
    shop.environ["FORCE_COLOR"] = "1"
    assert "\x1b[" in shop.run("status").out
    shop.environ["NO_COLOR"] = "1"
    assert "\x1b" not in shop.run("status").out


def test_nothing_is_written_by_reading(shop: Shop, checkout: Checkout) -> None:
    shop.put("t1")
    before = sorted(checkout.root.rglob("*"))
    for command in ("status", "logs", "report", "agents", "schema"):
        assert shop.run(command).code == 0
    assert sorted(checkout.root.rglob("*")) == before


def test_help_is_quick(shop: Shop) -> None:
    """Seconds of computing, 0.2 of them; those of the clock depend on what else is at work."""
    best = float("inf")
    for _ in range(3):
        began = computed()
        shop.run("--help")
        best = min(best, computed() - began)
    assert best < 1.5


def computed() -> float:
    """Seconds that all processes took which were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_tasks_are_completed_for_the_shell(shop: Shop) -> None:
    shop.put("alpha")
    shop.put("beta")
    shop.environ |= {"_AIFACTORY_COMPLETE": "complete_bash"}
    shop.environ |= {"COMP_WORDS": "aifactory show al", "COMP_CWORD": "2"}
    assert shop.run().out.split() == ["alpha"]
