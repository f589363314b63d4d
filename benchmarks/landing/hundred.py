"""A hundred tasks in one set of files, eight at a time: what lands, and is every commit green?

    python benchmarks/landing/hundred.py [--tasks 100] [--jobs 8] [--seconds 1.0]

A real daemon works in a real cage on a repository of ten modules. Every task inserts a line, all
tasks of a module at the same place, so they conflict. Every tenth answers wrong at first, every
twentieth always; three gates in a hundred fail by chance. Afterwards each commit of main is taken
out and put to the owner's test, one by one.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MODULES = 10
CHECK = """
import os, pathlib, random, sys, time
time.sleep(float(os.environ.get("SECONDS", {seconds})))
for path in sorted(pathlib.Path(".").glob("m*.py")):
    lines = path.read_text().splitlines()
    assert lines[0] == "# begin" and lines[-1] == "# end", path
    assert all(line == "ok = True" or line.startswith("# ") for line in lines), path
if "SECONDS" not in os.environ and random.random() < 0.03:
    sys.exit("the weather is bad today")
"""


def is_wrong(number: int) -> bool:
    return number % 20 == 7


def answer(number: int, line: str) -> dict[str, str]:
    path = f"m{number % MODULES}.py"
    new = f"# task {number}\n{line}\n# end"
    return {"text": f"{path}\n<<<<<<< SEARCH\n# end\n=======\n{new}\n>>>>>>> REPLACE\n"}


def answers(number: int) -> list[dict[str, str]]:
    wrong, right = answer(number, "not python"), answer(number, "ok = True")
    if is_wrong(number):
        return [wrong]
    return [wrong, right] if number % 10 == 3 else [right]


def prepare(root: Path, tasks: int, seconds: float) -> None:
    subprocess.run(["git", "init", "-q", "-b", "main", root], check=True)
    for module in range(MODULES):
        (root / f"m{module}.py").write_text("# begin\n# end\n")
    (root / "check.py").write_text(CHECK.format(seconds=seconds))
    said = {f"t{number}": answers(number) for number in range(tasks)}
    (root / "answers.json").write_text(json.dumps({"tasks": said}))
    (root / "aifactory.toml").write_text(
        '[model]\ndefault = "scripted/answers.json"\n[gate]\ncommands = ["python check.py"]\n'
    )
    git(root, "add", "--all")
    git(root, "-c", "user.name=Ada", "-c", "user.email=a@example.org", "commit", "-qm", "first")
    (root / "tasks").mkdir()
    for number in range(tasks):
        task = {"task_id": f"t{number}", "description": f"Do {number}"}
        task["files"] = [f"m{number % MODULES}.py"]  # type: ignore[assignment]
        (root / "tasks" / f"t{number}.json").write_text(json.dumps(task))


def git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", root, *arguments], check=True, capture_output=True)
    return done.stdout.decode()


def red_commits(root: Path) -> list[str]:
    """The commits of main that the owner's test does not pass, each taken out by itself."""
    red = []
    for commit in git(root, "rev-list", "--reverse", "main").split():
        with tempfile.TemporaryDirectory() as place:
            tree = subprocess.run(
                ["git", "-C", root, "archive", commit], check=True, capture_output=True
            ).stdout
            subprocess.run(["tar", "-x", "-C", place], input=tree, check=True)
            command = [sys.executable, "check.py"]
            if subprocess.run(command, cwd=place, env={"SECONDS": "0"}, check=False).returncode:
                red.append(commit)
    return red


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tasks", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=1.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="aifactory-bench-") as place:
        root = Path(place) / "repo"
        prepare(root, given.tasks, given.seconds)
        began = time.monotonic()
        daemon = [sys.executable, "-m", "aifactory", "run", "--repo", str(root), "--once"]
        log = Path(place) / "log"
        with log.open("w") as out:
            subprocess.run(
                [*daemon, "--jobs", str(given.jobs), "--log-format", "json"],
                stderr=out, check=False,
            )  # fmt: skip
        took = time.monotonic() - began
        report(root, log, given.tasks, took)


def report(root: Path, log: Path, tasks: int, took: float) -> None:
    status = [sys.executable, "-m", "aifactory", "status", "--repo", str(root), "--json"]
    rows = json.loads(subprocess.run(status, check=True, capture_output=True).stdout)["tasks"]
    states = {row["task_id"]: row["state"] for row in rows}
    right = [number for number in range(tasks) if not is_wrong(number)]
    names = [json.loads(line)["event"] for line in log.read_text().splitlines()]
    told = {
        "seconds": round(took, 1),
        "right ones": len(right),
        "right ones landed": sum(states[f"t{n}"] == "done" for n in right),
        "wrong ones landed": sum(s == "done" for s in states.values())
        - sum(states[f"t{n}"] == "done" for n in right),
        "commits": len(git(root, "rev-list", "main").split()),
        "red commits": red_commits(root),
        "gates": names.count("gate.finished"),
        "proposed again at no charge": names.count("proposal.stale"),
    }
    print(json.dumps(told, indent=1))  # noqa: T201 -- what this program is for


if __name__ == "__main__":
    main()
