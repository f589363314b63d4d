"""Kill the whole daemon, children and all, again and again at random moments of a queue.

    python kills.py [--tasks N] [--kills N] [--jobs N] [--seed N] [--span LO,HI] [--server FILE]

Afterwards it runs undisturbed. Then every task has landed exactly once, the repository is whole,
the user's bytes are the same, and no attempt has asked its model twice. Prints one JSON line.
`--server` names a program that serves scripted answers over HTTP and logs the requests
(`--script FILE --port 0 --log FILE`); what it was asked is counted there.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import driver

ROOT = str(Path(__file__).resolve().parents[2])
PR_SET_CHILD_SUBREAPER = 36
USERS = {"user.txt": "not committed\n", "untracked.txt": "mine\n"}


def ids(count: int) -> list[str]:
    return [f"t{number:03d}" for number in range(count)]


def file_of(task_id: str) -> str:
    """A file whose name is like no other, so that none is taken for a slip."""
    return hashlib.sha256(task_id.encode()).hexdigest()[:16] + ".txt"


def set_up(repo: Path, count: int, model: Mapping[str, str]) -> None:
    repo.mkdir()
    os.chdir(repo)
    driver.plain("init", "-q", "-b", "main", ".")
    driver.plain("config", "user.name", "Ada")
    driver.plain("config", "user.email", "ada@example.org")
    settings = "".join(f"{key} = {json.dumps(value)}\n" for key, value in model.items())
    driver.write({"aifactory.toml": f"[model]\n{settings}", "user.txt": "committed\n"})
    driver.plain("add", "-A")
    driver.plain("commit", "-qm", "first")
    driver.write(USERS | {"answers.json": json.dumps(answers(count))})
    for name in ids(count):
        task = {"task_id": name, "description": f"Write {name}", "files": [file_of(name)]}
        task["acceptance_commands"] = [f"test -f {file_of(name)}"]
        driver.write({f"tasks/{name}.json": json.dumps(task)})


def answers(count: int) -> dict[str, Any]:
    tasks = {
        name: [{"text": f"```text:{file_of(name)}\n{file_of(name)}\n```"}] for name in ids(count)
    }
    return {"tasks": tasks, "defaults": {"latency": 0.2}}


def daemon(repo: Path, jobs: int, log: Path) -> subprocess.Popen[bytes]:
    env = os.environ | {
        "PYTHONPATH": ROOT,
        "AIFACTORY_CACHE_DIR": str(repo.parent / "cache"),
        "OPENAI_API_KEY": "none",
    }
    command = [sys.executable, "-m", "aifactory.auto_agent", "--once", "--log-format", "json"]
    command += ["--repo", str(repo), "--jobs", str(jobs)]
    with log.open("ab") as out:
        return subprocess.Popen(command, env=env, stdout=out, stderr=out, start_new_session=True)


def descendants() -> list[int]:
    """Every process below this one. Orphans of its children belong to it, as it asked for."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError, IndexError):
            if entry.name.isdigit():
                parent = int((entry / "stat").read_text().rpartition(") ")[2].split()[1])
                parents.setdefault(parent, []).append(int(entry.name))
    found, look = [], [os.getpid()]
    while look:
        below = parents.get(look.pop(), [])
        found += below
        look += below
    return found


def kill_all(spared: frozenset[int]) -> None:
    """SIGKILL to everything below this process but `spared`, until nothing is left."""
    while doomed := [pid for pid in descendants() if pid not in spared]:
        for pid in doomed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in doomed:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        time.sleep(0.002)


def killed(repo: Path, options: Namespace, log: Path, spared: frozenset[int]) -> int:
    """Start and kill, as often as was asked or until the work is done; gives how often."""
    dice = random.Random(options.seed)
    low, high = (float(part) for part in options.span.split(","))
    for number in range(options.kills):
        process = daemon(repo, options.jobs, log)
        try:
            code = process.wait(dice.uniform(low, high))
            assert code == 0, f"after {number} kills a run ended with {code}: {tail(log)}"
            return number
        except subprocess.TimeoutExpired:
            kill_all(spared)
            process.wait()
    return options.kills


def tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


def verify(repo: Path, count: int) -> dict[str, int]:
    """All landed once, nothing broken, nothing of the user's touched, no attempt asked twice."""
    os.chdir(repo)
    found = counted(repo)
    damage = driver.plain("fsck", "--strict", "--no-dangling", "--no-progress")
    assert not damage, damage
    form = "--format=%(trailers:key=Aifactory-Task,valueonly,separator=)"
    landed = Counter(driver.plain("log", form, "main").split())
    twice = [name for name, times in landed.items() if times > 1]
    missing = [name for name in ids(count) if name not in landed]
    assert not twice and not missing, f"twice: {twice}, missing: {missing}"
    for path, text in USERS.items():
        assert Path(path).read_text() == text, path
    status = sorted(driver.plain("status", "--porcelain").splitlines())
    assert status == [" M user.txt", "?? answers.json", "?? tasks/", "?? untracked.txt"], status
    return found


def counted(repo: Path) -> dict[str, int]:
    from aifactory import git
    from aifactory.ledger import Ledger

    repository = git.discover(repo)
    ledger, calls, attempts = Ledger(repository), 0, 0
    for record in ledger.records():
        assert record.state == "done", f"{record.task_id} is {record.state}: {record.failure}"
        lines = (ledger.artifact(record.task_id, "events.jsonl") or b"").splitlines()
        events = [json.loads(line) for line in lines]
        names = Counter(event["name"] for event in events)
        assert names["task.landed"] == names["task.accepted"] == 1, f"{record.task_id}: {names}"
        asked = [event["attempt"] for event in events if event["name"] == "model.called"]
        assert len(asked) == len(set(asked)), f"{record.task_id} asked in attempts {asked}"
        calls, attempts = calls + len(asked), attempts + record.attempts
    repository.close()
    assert calls <= attempts
    return {"calls": calls, "attempts": attempts}


@contextlib.contextmanager
def served(program: str | None, scratch: Path, count: int) -> Iterator[tuple[dict[str, str], int]]:
    """The settings of the model, and the process that serves it (0: none does)."""
    if program is None:
        yield {"default": "scripted/answers.json"}, 0
        return
    script = scratch / "script.json"
    script.write_text(json.dumps(answers(count)))
    command = [sys.executable, program, "--script", str(script), "--port", "0"]
    command += ["--log", str(scratch / "requests.jsonl")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as server:
        assert server.stdout
        port = re.search(rb":(\d+)", server.stdout.readline())
        assert port, "the server does not say its port"
        base = f"http://127.0.0.1:{port[1].decode()}/v1"
        try:
            yield {"default": "openai/scripted", "api_base": base}, server.pid
        finally:
            server.kill()


def main() -> None:
    parser = ArgumentParser()
    parser.add_argument("--tasks", type=int, default=50)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--span", default="0.3,3", help="seconds until a kill, from,to")
    parser.add_argument("--server", help="a program that serves scripted answers over HTTP")
    options = parser.parse_args()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    with tempfile.TemporaryDirectory(prefix="aifactory-kills-") as folder:
        scratch = Path(folder)
        scratch.chmod(0o755)
        repo, log = scratch / "repo", scratch / "log"
        with served(options.server, scratch, options.tasks) as (model, server):
            set_up(repo, options.tasks, model)
            began = time.monotonic()
            kills = killed(repo, options, log, frozenset([server]))
            code = daemon(repo, options.jobs, log).wait()
            found: dict[str, float] = {"kills": kills, **verify(repo, options.tasks)}
            assert code == 0, f"the last run ended with {code}: {tail(log)}"
        if options.server:
            requests = (scratch / "requests.jsonl").read_text().splitlines()
            found["requests"] = len(requests)
            assert len(requests) <= found["attempts"], f"{len(requests)} requests"
        os.chdir("/")
        sys.stdout.write(json.dumps(found | {"seconds": round(time.monotonic() - began)}) + "\n")


if __name__ == "__main__":
    main()
