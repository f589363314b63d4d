"""Many processes add, cancel, approve, reject and retry while the daemon works.

    python crowd.py [--people N] [--commands N] [--tasks N] [--kills N] [--seed N]

Every person is a process of its own that runs the real commands, on few tasks, so that they meet.
Then everything left is approved or cancelled, and this must hold: what `add` took is there, each
history is one that the table of states allows, every wish is granted once or refused by name, and
what landed landed once for each run of its task. Prints one JSON line.
"""

from __future__ import annotations

import contextlib
import io
import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser, Namespace
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import driver
import histories
from histories import GRANTED

from aifactory.cli import run as command

ROOT = str(Path(__file__).resolve().parents[2])
DAEMON = """
import sys
from pathlib import Path
from aifactory import auto_agent, log, opening
from aifactory.errors import AifactoryError
from aifactory.opening import Options
from aifactory.sandbox import FakeSandbox
opening.cage_of = lambda *_: FakeSandbox()
readers = (log.reader("json"),)
try:
    sys.exit(auto_agent.run(Path(sys.argv[1]), Options(readers=readers)))
except AifactoryError as error:
    sys.exit(error.exit_code)
"""


def names(count: int) -> list[str]:
    return [f"task-{number}" for number in range(count)]


def answer(name: str, turn: int) -> dict[str, str]:
    return {"text": f"```text:{name}{name}.txt\n{turn}\n```"}


def set_up(repo: Path, tasks: int) -> None:
    repo.mkdir()
    os.chdir(repo)
    driver.plain("init", "-q", "-b", "main", ".")
    driver.plain("config", "user.name", "Ada")
    driver.plain("config", "user.email", "ada@example.org")
    texts = {
        n: [{"text": f"```text:{n}{n}.txt\n{k}\n```"} for k in range(99)] for n in names(tasks)
    }
    given = {"answers.json": json.dumps({"tasks": texts})}
    given["aifactory.toml"] = '[model]\ndefault = "scripted/answers.json"\n'
    driver.write(given)
    driver.plain("add", "-A")
    driver.plain("commit", "-qm", "first")


def person(repo: Path, number: int, options: Namespace) -> list[tuple[str, str, int]]:
    """What one person did: verb, task, exit code."""
    dice = random.Random(f"{options.seed}/{number}")
    done = []
    for _ in range(options.commands):
        verb = dice.choice(["add", "add", *GRANTED])
        name = dice.choice(names(options.tasks))
        words = [verb, f"do {name}", "--id", name, "--land", "approve"]
        said = words if verb == "add" else [verb, name]
        heard = io.StringIO()
        with contextlib.redirect_stdout(heard), contextlib.redirect_stderr(heard):
            code = command([*said, "--repo", str(repo)])
        assert code in (0, 2), f"{said} ended with {code}: {heard.getvalue()}"
        done.append((verb, name, code))
        time.sleep(dice.uniform(0, 0.1))
    return done


class Daemon:
    """The daemon, which may be killed and started again."""

    def __init__(self, repo: Path, log: Path) -> None:
        self.command, self.log = [sys.executable, "-c", DAEMON, str(repo)], log
        self.process = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as out:
            return subprocess.Popen(self.command, stderr=out)

    def keep_up(self) -> None:
        """A command that does a wish by itself may hold the lock when the daemon starts."""
        if (code := self.process.poll()) is not None:
            assert code == 5, f"the daemon ended with {code}"
            self.process = self.start()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()

    def again(self) -> None:
        self.end()
        self.process = self.start()


def people(repo: Path, daemon: Daemon, options: Namespace) -> list[tuple[str, str, int]]:
    dice = random.Random(options.seed)
    context = multiprocessing.get_context("spawn")
    with context.Pool(options.people) as pool:
        work = [(repo, number, options) for number in range(options.people)]
        result = pool.starmap_async(person, work)
        for _ in range(options.kills):
            result.wait(dice.uniform(0.5, 3))
            daemon.again()
        return [one for done in result.get() for one in done]


def settle(repo: Path, daemon: Daemon) -> None:
    """Approve what waits for it until nothing moves any more, then stop the daemon."""
    from aifactory import git
    from aifactory.ledger import Ledger

    ends = time.monotonic() + 120
    while time.monotonic() < ends:
        repository = git.discover(repo)
        states = {record.task_id: record.state for record in Ledger(repository).records()}
        repository.close()
        waiting = [name for name, state in states.items() if state == "awaiting_approval"]
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            daemon.keep_up()
            for name in waiting:
                command(["approve", name, "--repo", str(repo)])
        if states and all(state.closed for state in states.values()):
            break
        time.sleep(0.1)
    else:
        raise AssertionError(f"not settled: {states}")
    daemon.process.terminate()
    code = daemon.process.wait(60)
    assert code in (5, 130, -signal.SIGTERM), f"the daemon ended with {code}"


def verify(repo: Path, did: list[tuple[str, str, int]], log: Path) -> dict[str, Any]:
    from aifactory import git
    from aifactory.ledger import Ledger

    os.chdir(repo)
    damage = driver.plain("fsck", "--strict", "--no-dangling", "--no-progress")
    assert not damage, damage
    repository = git.discover(repo)
    told = histories.told(Ledger(repository))
    granted, landed = told.granted, told.landed
    added = {name for verb, name, code in did if verb == "add" and code == 0}
    assert added == set(told.records), (added, set(told.records))
    repository.close()
    form = "--format=%(trailers:key=Aifactory-Task,valueonly,separator=)"
    assert Counter(driver.plain("log", form, "main").split()) == landed
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    refused = Counter(one["verb"] for one in lines if one["event"] == "request.refused")
    left = list(Path(".git/aifactory/requests").glob("*.json"))
    assert not left, left
    asked = Counter(verb for verb, _, code in did if code == 0)
    more = {verb for verb in GRANTED if granted[verb] > asked[verb]} - {"approve"}
    assert not more, (granted, asked)
    return {
        "asked": dict(asked),
        "granted": dict(granted),
        "refused": dict(refused),
        "landed": landed.total(),
    }


def main() -> None:
    parser = ArgumentParser()
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--commands", type=int, default=40)
    parser.add_argument("--tasks", type=int, default=4)
    parser.add_argument("--kills", type=int, default=0, help="of the daemon, meanwhile")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="aifactory-crowd-") as folder:
        scratch = Path(folder)
        os.environ |= {"PYTHONPATH": ROOT, "AIFACTORY_CACHE_DIR": str(scratch / "cache")}
        repo, log = scratch / "repo", scratch / "log"
        set_up(repo, options.tasks)
        daemon = Daemon(repo, log)
        try:
            did = people(repo, daemon, options)
            settle(repo, daemon)
        finally:
            daemon.end()
        found = verify(repo, did, log)
        os.chdir("/")
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
