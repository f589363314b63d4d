"""Landing proposals that are verified already: as a train of eight gates, and one after another.

    python benchmarks/landing/side_by_side.py [--tasks 40] [--jobs 8] [--seconds 2.0]

All proposals are made on one base and wait for approval; then the repository is copied. One copy
lands them with `--jobs 8`, the other with `--jobs 1`, each gated again on the tree that lands. The
gate mostly waits, as one that starts services does; the ratio of the two times is what counts.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from hundred import git, red_commits

CHECK = """
import os, pathlib, time
time.sleep(float(os.environ.get("SECONDS", {seconds})))
assert all(path.read_text() == "ok\\n" for path in pathlib.Path(".").glob("m*.py"))
"""


def prepare(root: Path, tasks: int, seconds: float) -> None:
    subprocess.run(["git", "init", "-q", "-b", "main", root], check=True)
    said = {f"t{n}": [{"text": f"```text:m{n}.py\nok\n```\n"}] for n in range(tasks)}
    settings = '[model]\ndefault = "scripted/answers.json"\n[land]\nmode = "approve"\n'
    (root / "check.py").write_text(CHECK.format(seconds=seconds))
    (root / "answers.json").write_text(json.dumps({"tasks": said}))
    (root / "aifactory.toml").write_text(f'{settings}[gate]\ncommands = ["python check.py"]\n')
    git(root, "add", "--all")
    git(root, "-c", "user.name=Ada", "-c", "user.email=a@example.org", "commit", "-qm", "first")
    (root / "tasks").mkdir()
    for number in range(tasks):
        task = {"task_id": f"t{number}", "description": "Do it", "files": [f"m{number}.py"]}
        (root / "tasks" / f"t{number}.json").write_text(json.dumps(task))


def aifactory(root: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "aifactory", *arguments, "--repo", str(root)]
    subprocess.run(command, capture_output=True, check=False)


def landing(root: Path, tasks: int, jobs: int) -> float:
    """The seconds in which every proposal lands."""
    aifactory(root, "approve", *(f"t{number}" for number in range(tasks)))
    git(root, "-c", "user.name=A", "-c", "user.email=a@example.org",
        "commit", "-qm", "by a person", "--allow-empty")  # fmt: skip
    began = time.monotonic()
    aifactory(root, "run", "--once", "--jobs", str(jobs))
    took = time.monotonic() - began
    commits = len(git(root, "rev-list", "main").split())
    assert commits == tasks + 2, f"{commits - 2} of {tasks} landed"
    assert red_commits(root) == []
    return took


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tasks", type=int, default=40)
    parser.add_argument("--jobs", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=2.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="aifactory-bench-") as place:
        first, second = Path(place) / "side-by-side", Path(place) / "one-by-one"
        prepare(first, given.tasks, given.seconds)
        aifactory(first, "run", "--once", "--jobs", str(given.jobs))
        shutil.copytree(first, second, symlinks=True)
        train = landing(first, given.tasks, given.jobs)
        alone = landing(second, given.tasks, 1)
    told = {"side by side": round(train, 1), "one after another": round(alone, 1)}
    print(json.dumps(told | {"ratio": round(alone / train, 2)}))  # noqa: T201 -- its result


if __name__ == "__main__":
    main()
