"""A checkout with somebody at work in it, and the factory's own view of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aifactory import failpoints, git, landing
from aifactory.git import Identity, Repository
from aifactory.journal import Journal
from aifactory.layout import Layout
from aifactory.model import Change, Proposal

AGENT = Identity("coder", "coder@example.org")
AT = 1_700_000_000
START = {"a.txt": "a\n", "b.txt": "b\n", "src/m.py": "m\n", "tool.sh": "#!/bin/sh\n"}

Content = str | bytes | None | tuple[str, str]


def changes(files: Mapping[str, Content]) -> tuple[Change, ...]:
    """Path -> new text, None for gone, or (text, mode)."""

    def one(path: str, content: Content) -> Change:
        text, mode = content if isinstance(content, tuple) else (content, "100644")
        data = text.encode() if isinstance(text, str) else text
        return Change.model_validate({"path": path, "content": data, "mode": mode})

    return tuple(one(path, content) for path, content in files.items())


@dataclass
class Desk:
    """The factory on one repository; `checkout.git` is the user's own Git."""

    checkout: Any
    repository: Repository
    layout: Layout
    journal: Journal

    @classmethod
    def at(cls, checkout: Any) -> Desk:
        repository = git.discover(checkout.root)
        layout = Layout(repository.root, repository.git_dir)
        return cls(checkout, repository, layout, Journal(layout.journal))

    @property
    def root(self) -> Path:
        root: Path = self.checkout.root
        return root

    def tip(self, target: str = "refs/heads/main") -> str:
        return self.repository.resolve(target) or ""

    def candidate(
        self,
        files: Mapping[str, Content],
        task: str = "t1",
        *,
        base: str | None = None,
        target: str = "refs/heads/main",
        **more: Any,
    ) -> landing.Candidate:
        """A published candidate on the tip, or on `base`."""
        proposal = Proposal(
            task_id=task,
            attempt=1,
            agent="coder",
            base=self.tip(target) if base is None else base,
            changes=changes(files),
        )
        who = {"author": AGENT, "committer": AGENT, "at": AT, "message": f"Do {task}"}
        candidate = landing.prepare(
            self.repository, self.layout, proposal, target=target, **(who | more)
        )
        landing.publish(self.repository, candidate)
        landing.discard(candidate)
        return candidate

    def land(self, files: Mapping[str, Content], task: str = "t1", **more: Any) -> landing.Outcome:
        return self.lander().land(self.candidate(files, task, **more))

    def lander(self) -> landing.Lander:
        return landing.Lander(self.repository, self.layout, self.journal)

    def recover(self) -> list[str]:
        """What a restarted daemon says that it did."""
        self.journal.close()
        self.journal = Journal(self.layout.journal)
        found = landing.recover(self.repository, self.layout, self.journal)
        return [one.what for one in found]

    def status(self) -> list[str]:
        lines: list[str] = self.checkout.git("status", "--porcelain", "-uall").splitlines()
        return sorted(lines)

    def is_clean_and_quick(self) -> bool:
        """Whether the index knows every file by its stat: `diff-files` reads no file."""
        return not self.checkout.git("diff-files")

    def close(self) -> None:
        self.journal.close()
        self.repository.close()


def pytest_configure() -> None:
    """Break one rule of the protocol for the whole run, to see that a test notices."""
    if name := os.environ.get("CRASH_MUTANT"):
        sys.path.insert(0, str(Path(__file__).parents[1] / "crash"))
        import mutants

        mutants.MUTANTS[name].apply()


@pytest.fixture(autouse=True)
def _fresh_failpoints() -> None:
    failpoints.reset()


@pytest.fixture
def make_desk() -> Iterator[Callable[[Any], Desk]]:
    desks: list[Desk] = []

    def make(checkout: Any) -> Desk:
        desks.append(Desk.at(checkout))
        return desks[-1]

    yield make
    for desk in desks:
        desk.close()


@pytest.fixture
def desk(make_checkout: Callable[..., Any], make_desk: Callable[[Any], Desk]) -> Desk:
    """A clean checkout of a few files."""
    return make_desk(make_checkout(files=START))


@pytest.fixture
def at_point(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[[], object]], None]:
    """Do something the first time that a point of the protocol is reached."""

    def order(name: str, act: Callable[[], object]) -> None:
        assert name in failpoints.POINTS
        waiting = [act]

        def hit(reached: str) -> None:
            if reached == name and waiting:
                waiting.pop()()

        monkeypatch.setattr(failpoints, "hit", hit)

    return order
