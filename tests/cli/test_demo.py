"""The demo, as somebody meets it who has just installed the program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path


def demo(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "aifactory", "demo", *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_demo_lands_four_tasks_and_refuses_one(scratch: Path) -> None:
    root = scratch / "demo"
    # A model of the user's own must not be asked, nor be paid.
    done = demo("--dir", str(root), AIFACTORY_MODEL="openai/gpt-4o", AIFACTORY_LAND_MODE="approve")
    assert done.returncode == 0, done.stderr
    subjects = subprocess.check_output(
        ["git", "-c", f"safe.directory={root}", "log", "--format=%an: %s"], cwd=root, text=True
    ).splitlines()
    assert sorted(subjects[:4]) == [
        "coder: Print a receipt",
        "coder: Read amounts to the cent",
        "coder: Split a bill without losing a cent",
        "coder: Take off percent, not hundreds",
    ]
    assert all(subject in done.stdout for subject in ("Print a receipt", "Cost: $0.00", "Next:"))
    assert "round-long-amounts (scope_violation)" in done.stdout
    assert f"cd {root}" in done.stdout
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests", "wanted"]
    assert subprocess.run(tests, cwd=root, capture_output=True, check=False).returncode == 0
    replay_everything(root)


def replay_everything(root: Path) -> None:
    """Every attempt comes to the tree that it came to, with no model to ask."""
    (root / "answers.json").unlink()
    for task in (root / "tasks").glob("*.json"):
        command = [sys.executable, "-m", "aifactory", "replay", "--json"]
        name = json.loads(task.read_bytes())["task_id"]
        done = subprocess.run([*command, name], cwd=root, capture_output=True, check=False)
        attempts = json.loads(done.stdout)["attempts"]
        assert done.returncode == 0 and all(one["same"] for one in attempts)


def test_demo_says_beforehand_what_it_would_make(tmp_path: Path) -> None:
    done = demo("--dry-run", "--dir", str(tmp_path / "new"))
    assert done.returncode == 0
    assert f"would make a repository in {tmp_path / 'new'}, and work on 5 tasks" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_demo_takes_only_an_empty_directory(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    done = demo("--dir", str(tmp_path))
    assert done.returncode == 2
    assert "is not empty" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    done = demo("--dir", str(tmp_path / "mine.txt"))
    assert done.returncode == 2
    assert "Not a directory" in done.stderr
