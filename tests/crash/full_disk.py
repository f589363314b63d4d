"""A running daemon on a file system that is full, and then has room again.

    python full_disk.py {cache,repository} [--tasks N]

Either the workspaces or the repository with its Git directory lie on a small tmpfs, in a mount
namespace of its own, which an ordinary user may make, too. Every page of it is taken, tasks are
dropped, the daemon must say what is wrong, keep every task, and land them all by itself once there
is room. Prints one JSON line.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import driver

ROOT = str(Path(__file__).resolve().parents[2])
APART = ("unshare", "--mount")
MADE = 'mount -t tmpfs -o "size=$1" none "$2" && shift 2 && exec "$@"'
NOBODY = ("unshare", "--user", "--map-user=1000")  # not root, who would own workspaces as others
SIZES = {"cache": "8m", "repository": "96m"}
SECONDS = 120
DAEMON = """
import sys
from pathlib import Path
from aifactory import auto_agent, factory, log, opening
from aifactory.errors import AifactoryError
from aifactory.opening import Options
from aifactory.sandbox import FakeSandbox
opening.cage_of = lambda *_: FakeSandbox()
factory.TROUBLE_SECONDS = 0.5
try:
    sys.exit(auto_agent.run(Path("."), Options(readers=(log.reader("json"),))))
except AifactoryError as error:
    sys.exit(error.exit_code)
"""


def ids(count: int) -> list[str]:
    return [hashlib.sha256(b"%d" % number).hexdigest()[:12] for number in range(count)]


def set_up(tasks: list[str]) -> None:
    driver.plain("init", "-q", "-b", "main", ".")
    driver.plain("config", "user.name", "Ada")
    driver.plain("config", "user.email", "ada@example.org")
    # The files are large, so that a workspace needs room for them.
    answers = {name: [{"text": f"```text:{name}.txt\n{name}\n```"}] for name in tasks}
    large = {f"large-{number}.txt": f"{number}" * (1 << 20) for number in range(2)}
    model = '[model]\ndefault = "scripted/answers.json"\n'
    driver.write({"answers.json": json.dumps({"tasks": answers}), "aifactory.toml": model} | large)
    driver.plain("add", "-A")
    driver.plain("commit", "-qm", "first")


def take_all(folder: Path) -> Path:
    """Take every byte that is free there."""
    ballast = folder / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    return ballast


def told(log: Path) -> list[dict[str, Any]]:
    lines = log.read_text().splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def wait_for(what: str, there: Callable[[], bool], daemon: subprocess.Popen[bytes]) -> None:
    ends = time.monotonic() + SECONDS
    while not there():
        assert daemon.poll() is None, f"the daemon ended with {daemon.returncode} before: {what}"
        assert time.monotonic() < ends, f"not within {SECONDS} seconds: {what}"
        time.sleep(0.1)


def landed() -> list[str]:
    form = "--format=%(trailers:key=Aifactory-Task,valueonly,separator=)"
    return driver.plain("log", form, "main").split()


def watch(full: Path, log: Path, tasks: list[str]) -> dict[str, Any]:
    command = [sys.executable, "-c", DAEMON]
    with log.open("wb") as output:
        daemon = subprocess.Popen(command, stdout=output, stderr=output)

    def has_said(name: str) -> bool:
        return any(one["event"] == name for one in told(log))

    try:
        wait_for("daemon.ready", lambda: has_said("daemon.ready"), daemon)
        inbox = Path("tasks")
        # Made before the disk is full: a person's editor would have failed, not the daemon.
        waiting = [inbox / f".{name}.tmp" for name in tasks]
        for path, name in zip(waiting, tasks, strict=True):
            path.write_text(json.dumps({"task_id": name, "description": "work"}))
        ballast = take_all(full)
        for path, name in zip(waiting, tasks, strict=True):
            path.rename(inbox / f"{name}.json")
        wait_for("daemon.paused", lambda: has_said("daemon.paused"), daemon)
        time.sleep(2)
        assert landed() == []
        paused = [one for one in told(log) if one["event"] == "daemon.paused"]
        ballast.unlink()
        wait_for("all landed", lambda: sorted(landed()) == sorted(tasks), daemon)
    finally:
        daemon.terminate()
        code = daemon.wait(SECONDS)
    assert driver.plain("fsck", "--strict", "--no-dangling") == ""
    events = told(log)
    calls = sum(one["event"] == "model.called" for one in events)
    failed = [one for one in events if one["event"] in ("task.failed", "task.refused")]
    assert not failed, failed
    return {"exit": code, "landed": len(landed()), "calls": calls,
            "paused": sorted({one["problems"] for one in paused})}  # fmt: skip


def apart(what: str, small: str) -> int:
    """The same program where a small file system lies at `small`, seen by nobody else."""
    ours = (*APART,) if os.geteuid() == 0 else (*APART, "--map-root-user")
    again = [sys.executable, *sys.argv, "--small", small]
    inner = again if os.geteuid() == 0 else [*NOBODY, *again]
    made = ["sh", "-c", MADE, "sh", SIZES[what], small, *inner]
    return subprocess.run([*ours, *made], check=False).returncode


def main() -> None:
    parser = ArgumentParser()
    parser.add_argument("what", choices=SIZES)
    parser.add_argument("--tasks", type=int, default=3)
    parser.add_argument("--small", type=Path, help="where the small file system lies already")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="aifactory-full-") as folder:
        if chosen.small is None:
            Path(folder).chmod(0o755)
            sys.exit(apart(chosen.what, folder))
        repo = Path(chosen.small if chosen.what == "repository" else folder, "repo")
        cache = Path(chosen.small if chosen.what == "cache" else folder, "cache")
        repo.mkdir()
        os.chdir(repo)
        set_up(ids(chosen.tasks))
        os.environ |= {"PYTHONPATH": ROOT, "AIFACTORY_CACHE_DIR": str(cache)}
        log = Path(folder, "log")
        try:
            found = watch(chosen.small, log, ids(chosen.tasks))
        except BaseException:
            sys.stderr.write(log.read_text()[-6000:])
            raise
        finally:
            os.chdir("/")
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
