"""Every agent that ships, at work in `examples/agents`: a real daemon, gate and sandbox."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable

from aifactory.layout import shipped
from tests.conftest import Checkout


def aifactory(checkout: Checkout, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "aifactory", *arguments],
        cwd=checkout.root,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_every_agent_does_its_example(make_checkout: Callable[..., Checkout]) -> None:
    checkout = make_checkout("shop")
    shutil.copytree(shipped("examples") / "agents", checkout.root, dirs_exist_ok=True)
    checkout.commit({}, "a shop")
    waits = aifactory(checkout, "run", "--once")
    assert waits.returncode == 8, waits.stderr
    assert aifactory(checkout, "answer", "ask-a-person", "reply.md").returncode == 0
    done = aifactory(checkout, "run", "--once")
    assert done.returncode == 0, done.stderr
    back = aifactory(checkout, "revert", "ask-a-person")
    assert back.returncode == 0, back.stderr
    authors = set(checkout.git("log", "--format=%an").splitlines())
    places = (shipped("prompts"), checkout.root / "prompts")
    files = [path for place in places for path in place.glob("[!_]*.md")]
    # What wraps a program has an example of its own, see test_programs.
    agents = {path.stem for path in files if "kind: wrapped" not in path.read_text()}
    assert agents <= authors
    tasks = [json.loads(path.read_text()) for path in (checkout.root / "tasks").iterdir()]
    assert {task["assignee"] for task in tasks} == agents - {"revert"}
