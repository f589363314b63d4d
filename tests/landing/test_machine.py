"""Landings, crashes and a user at work in any order, held against a model of what must be so."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from aifactory import failpoints, git, landing
from aifactory.git import Identity
from aifactory.journal import Journal
from aifactory.landing import Landed, Waiting
from aifactory.layout import Layout
from aifactory.model import Change, Proposal
from aifactory.trailers import landed_tasks

AGENT = Identity("coder", "coder@example.org")
TARGET = "refs/heads/main"
PATHS = st.sampled_from(["a", "b", "d/x", "d/y", "d/e/z", "ü"])
TEXTS = st.sampled_from(["", "1\n", "2\n", "three\r\n"])
CHANGES = st.dictionaries(PATHS, st.none() | TEXTS, min_size=1, max_size=4)
POINTS = st.sampled_from([name for name in failpoints.POINTS if name.startswith("landing.")])


class Crash(BaseException):
    """The process is gone: nothing of ours handles this."""


class Desks(RuleBasedStateMachine):
    """`committed` is what the target holds, `work` what lies in the checkout."""

    def __init__(self) -> None:
        super().__init__()
        self.scratch = Path(tempfile.mkdtemp(prefix="aifactory-test-"))
        self.root = self.scratch / "repo"
        self.root.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("config", "user.name", "Ada")
        self.git("config", "user.email", "ada@example.org")
        self.repository = git.discover(self.root)
        self.layout = Layout(self.repository.root, self.repository.git_dir)
        self.journal = Journal(self.layout.journal)
        self.committed: dict[str, str] = {}
        self.work: dict[str, str] = {}
        self.tasks: list[str] = []
        self.tries = 0

    def git(self, *arguments: str) -> bytes:
        command = ["git", *arguments]
        return subprocess.run(command, cwd=self.root, check=True, capture_output=True).stdout

    @rule(path=PATHS, text=TEXTS)
    def the_user_writes(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, newline="")
        self.work[path] = text

    @precondition(lambda self: self.work)
    @rule(data=st.data())
    def the_user_deletes(self, data: Any) -> None:
        path = data.draw(st.sampled_from(sorted(self.work)))
        (self.root / path).unlink()
        del self.work[path]

    @rule()
    def the_user_commits(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "mine")
        self.committed = dict(self.work)

    @rule(changes=CHANGES)
    def a_task_lands(self, changes: dict[str, str | None]) -> None:
        outcome = self.land(changes)
        if self.in_the_way(changes):
            assert isinstance(outcome, Waiting)
            assert set(outcome.paths) == self.in_the_way(changes)
        else:
            assert isinstance(outcome, Landed)
            self.follow(changes)

    @rule(changes=CHANGES, point=POINTS)
    def a_task_lands_and_crashes(self, changes: dict[str, str | None], point: str) -> None:
        def hit(name: str) -> None:
            if name == point:
                raise Crash

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(failpoints, "hit", hit)
            with contextlib.suppress(Crash):
                self.land(changes)
        self.restart()
        base = self.repository.resolve(f"{TARGET}~1") or ""
        tip = self.repository.resolve(TARGET) or ""
        if f"t{self.tries}" in landed_tasks(self.repository, tip, base):
            assert not self.in_the_way(changes)
            self.follow(changes)

    def in_the_way(self, changes: dict[str, str | None]) -> set[str]:
        """The paths that really change and that the user has in work."""
        return {
            path
            for path, text in changes.items()
            if self.committed.get(path) != text and self.committed.get(path) != self.work.get(path)
        }

    def follow(self, changes: dict[str, str | None]) -> None:
        self.tasks.append(f"t{self.tries}")
        for path, text in changes.items():
            if self.committed.get(path) == text:
                continue
            for files in (self.committed, self.work):
                files.pop(path, None)
                if text is not None:
                    files[path] = text

    def land(self, changes: dict[str, str | None]) -> landing.Outcome:
        self.tries += 1
        proposal = Proposal(
            task_id=f"t{self.tries}",
            attempt=1,
            agent="coder",
            base=self.repository.resolve(TARGET) or "",
            changes=tuple(
                Change(path=path, content=None if text is None else text.encode())
                for path, text in changes.items()
            ),
        )
        candidate = landing.prepare(
            self.repository,
            self.layout,
            proposal,
            target=TARGET,
            message="Do it",
            author=AGENT,
            committer=AGENT,
            at=1_700_000_000,
        )
        landing.publish(self.repository, candidate)
        landing.discard(candidate)
        return landing.Lander(self.repository, self.layout, self.journal).land(candidate)

    def restart(self) -> None:
        self.journal.close()
        self.journal = Journal(self.layout.journal)
        landing.recover(self.repository, self.layout, self.journal)
        assert landing.recover(self.repository, self.layout, self.journal) == []

    @invariant()
    def the_disk_is_as_the_model_says(self) -> None:
        found = {
            path.relative_to(self.root).as_posix(): path.read_bytes().decode()
            for path in self.root.rglob("*")
            if path.is_file() and ".git" not in path.parts
        }
        assert found == self.work
        assert not (self.root / ".git/index.lock").exists()

    @invariant()
    def the_target_and_the_index_are_as_the_model_says(self) -> None:
        tip = self.repository.resolve(TARGET) or ""
        tree = self.repository.tree(tip)
        held = {path: self.repository.blob(entry.oid) for path, entry in tree.items()}
        assert held == {path: text.encode() for path, text in self.committed.items()}
        staged = self.git("ls-files", "-s", "-z").split(b"\0")[:-1]
        lines = (line.decode().split("\t") for line in staged)
        assert {path: head.split(" ")[1] for head, path in lines} == {
            path: entry.oid for path, entry in tree.items()
        }

    @invariant()
    def every_task_is_there_once(self) -> None:
        if self.repository.resolve(TARGET):
            form = "--format=%(trailers:key=Aifactory-Task,valueonly)"
            said = self.git("log", "--reverse", form, "main").decode().split()
            assert said == self.tasks

    def teardown(self) -> None:
        self.journal.close()
        self.repository.close()
        shutil.rmtree(self.scratch)


TestDesks = Desks.TestCase
TestDesks.settings = settings(
    max_examples=8,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
