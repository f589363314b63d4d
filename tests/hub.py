"""What the tests of pull requests share: a bare repository for pushes, a forge in memory."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from aifactory.auto_agent import bring_on
from aifactory.forge import FakeForge, Method, PullRequest, Review
from aifactory.model import Record
from aifactory.pulls import Pulls
from tests.conftest import IDENTITY, Checkout
from tests.house import House, drop, opened, whole

ONE, TWO = whole(a_py="a = 1\n"), whole(a_py="a = 2\n")
BRANCH = "aifactory/t1"


class Hub:
    """What GitHub keeps: a bare repository, and what is said about its branches."""

    def __init__(self, checkout: Checkout) -> None:
        self.checkout = checkout
        self.bare = Path(f"{checkout.root}.git")
        subprocess.run(["git", "init", "-q", "--bare", self.bare, "-b", "main"], check=True)
        checkout.git("remote", "add", "origin", str(self.bare))
        checkout.git("push", "--quiet", "origin", "main")
        self.forge = FakeForge(self.tip, self.merge)

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", "--git-dir", self.bare, *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=IDENTITY | {"PATH": "/usr/bin:/bin:/usr/local/bin"},
        )
        return done.stdout.strip()

    def tip(self, branch: str) -> str:
        return self.git("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}")

    def merge(self, pull: PullRequest, method: Method, message: str) -> str:
        """What GitHub does for a squash of a branch that stands on the newest commit."""
        base, tree = self.tip(pull.base), self.git("rev-parse", f"{pull.head}^{{tree}}")
        commit = self.git("commit-tree", tree, "-p", base, "-m", message)
        self.git("update-ref", f"refs/heads/{pull.base}", commit, base)
        return commit

    def commit(self, path: str, text: str) -> str:
        """Somebody else pushes to main."""
        other = Checkout(Path(f"{self.bare}.other"))
        if not other.root.exists():
            subprocess.run(["git", "clone", "-q", self.bare, other.root], check=True)
        other.git("pull", "--quiet", "--rebase", "origin", "main")
        commit = other.commit({path: text}, f"change {path}")
        other.git("push", "--quiet", "origin", "main")
        return commit

    def review(self, verdict: Any, text: str = "", author: str = "grace", **more: Any) -> None:
        listed = self.forge.verdicts.setdefault(1, [])
        listed.append(Review(len(listed) + 1, author, verdict, text, **more))


@pytest.fixture
def hub(checkout: Checkout) -> Hub:
    return Hub(checkout)


@contextmanager
def road(
    hub: Hub, answers: Any = (ONE,), results: Any = None, reviewed: bool = False, **more: Any
) -> Iterator[House]:
    settings = {
        "land__mode": "pr",
        "forge__merge": "auto",
        "forge__grace_seconds": 0.0,
        "forge__poll_seconds": 0.001,
    }
    with opened(hub.checkout, answers, results, **settings | more) as house:
        house.factory.forge = lambda: hub.forge
        yield house


def work(house: House) -> Record:
    """All that a daemon would do until only the forge can bring `t1` on."""
    house.take_in()
    while True:
        while runnable := house.factory.queue.runnable():
            house.attempt(runnable[0])
        bring_on(house.factory, Pulls(house.factory))
        if not house.factory.queue.runnable():
            record = house.factory.queue.record("t1")
            assert record
            return record


@pytest.fixture
def task(checkout: Checkout) -> None:
    drop(checkout, "t1", files=["a.py"], description="Make a")
