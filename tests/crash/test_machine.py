"""Tasks, landings, crashes, a user's edits and second daemons in any order, against what must hold.

Each run of the daemon is a fork, which a failpoint may kill; the model of what must hold is kept
outside: which tasks exist, what the user wrote, what was in the target before.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from aifactory import failpoints
from tests.conftest import Checkout
from tests.house import drop

RUN = """
import sys
from pathlib import Path
from aifactory import auto_agent, opening
from aifactory.errors import AifactoryError
from aifactory.opening import Options
from aifactory.sandbox import FakeSandbox
opening.cage_of = lambda *_: FakeSandbox()
try:
    sys.exit(auto_agent.run(Path(sys.argv[1]), Options(once=True)))
except AifactoryError as error:
    sys.exit(error.exit_code)
"""
FILES = ("alpha.txt", "beta.txt", "gamma.txt")
TASKS = ("first", "second", "third", "fourth")
BUSY, DONE = 5, 0


class Daily(RuleBasedStateMachine):
    """A repository in which people and daemons work side by side."""

    @initialize()
    def begin(self) -> None:
        self.scratch = Path(tempfile.mkdtemp(prefix="aifactory-machine-"))
        self.checkout = Checkout(self.scratch / "repo")
        self.checkout.root.mkdir()
        self.checkout.git("init", "-q", "-b", "main")
        for key, value in (("user.name", "Ada"), ("user.email", "ada@example.org")):
            self.checkout.git("config", key, value)
        answers = {name: [{"text": self.answer(name)}] for name in TASKS}
        model = '[model]\ndefault = "scripted/answers.json"\n'
        given = {"answers.json": json.dumps({"tasks": answers}), "aifactory.toml": model}
        self.checkout.commit({**given, **dict.fromkeys(FILES, "0\n")})
        self.dropped: set[str] = set()
        self.dirty: dict[str, str] = {}
        self.untracked: dict[str, str] = {}
        self.commits = 0
        self.seen: list[str] = []

    def answer(self, task_id: str) -> str:
        """Each task adds a file of its own and replaces one that others write, too."""
        shared = FILES[TASKS.index(task_id) % len(FILES)]
        own = f"```text:of_{task_id}_{task_id * 2}.txt\n{task_id}\n```"
        return f"{own}\n```text:{shared}\n{task_id} was here\n```"

    @rule(name=st.sampled_from(TASKS))
    def add_task(self, name: str) -> None:
        drop(self.checkout, name)
        self.dropped.add(name)

    @rule(path=st.sampled_from(FILES), text=st.sampled_from(["mine\n", "other\n"]))
    def leave_uncommitted(self, path: str, text: str) -> None:
        (self.checkout.root / path).write_text(text)
        self.dirty[path] = text

    @rule(text=st.sampled_from(["a\n", "b\n"]))
    def leave_untracked(self, text: str) -> None:
        (self.checkout.root / "notes.md").write_text(text)
        self.untracked["notes.md"] = text

    @precondition(lambda self: self.dirty)
    @rule()
    def commit_own_work(self) -> None:
        self.checkout.git("commit", "-q", "-m", "by hand", "--", *sorted(self.dirty))
        self.dirty.clear()

    @precondition(lambda self: self.dirty)
    @rule()
    def take_own_work_back(self) -> None:
        self.checkout.git("checkout", "-q", "--", *sorted(self.dirty))
        self.dirty.clear()

    @rule(
        point=st.sampled_from(sorted(failpoints.POINTS)),
        action=st.sampled_from(["kill", "error", "full"]),
        turn=st.integers(1, 3),
    )
    def run_into_trouble(self, point: str, action: str, turn: int) -> None:
        if action != "kill" and point.startswith(("journal.", "rotation.", "recovery.")):
            action = "kill"
        code = self.work(f"{point}={action}@{turn}")
        assert code in (0, 1, 3, 5, 8, -signal.SIGKILL), code

    @rule()
    def run_two_at_once(self) -> None:
        first, second = self.started(""), self.started("")
        codes = {first.wait(), second.wait()}
        assert codes <= {0, 5, 8}, codes

    @rule()
    def run_undisturbed(self) -> None:
        assert self.work("") in (0, 8)
        if not self.dirty:
            assert sorted(self.landed()) == sorted(self.dropped)

    def started(self, order: str) -> subprocess.Popen[bytes]:
        root = str(Path(__file__).resolve().parents[2])
        env = os.environ | {failpoints.VARIABLE: order, "PYTHONPATH": root}
        env["AIFACTORY_CACHE_DIR"] = str(self.scratch / "cache")
        command = [sys.executable, "-c", RUN, str(self.checkout.root)]
        with (self.scratch / "log").open("ab") as log:
            return subprocess.Popen(command, env=env, stdout=log, stderr=log)

    def work(self, order: str) -> int:
        return self.started(order).wait(60)

    def landed(self) -> list[str]:
        form = "--format=%(trailers:key=Aifactory-Task,valueonly,separator=)"
        return self.checkout.git("log", "--reverse", form, "main").split()

    @invariant()
    def nothing_twice_and_nothing_back(self) -> None:
        landed = self.landed()
        assert len(landed) == len(set(landed)), landed
        assert landed[: len(self.seen)] == self.seen, (landed, self.seen)
        assert set(landed) <= self.dropped
        self.seen = landed

    @invariant()
    def own_work_is_untouched(self) -> None:
        for path, text in {**self.dirty, **self.untracked}.items():
            assert (self.checkout.root / path).read_text() == text, path

    def teardown(self) -> None:
        if not hasattr(self, "checkout"):
            return
        for path in sorted(self.dirty):
            self.checkout.git("checkout", "-q", "--", path)
        assert self.work("") == 0, (self.scratch / "log").read_text()[-2000:]
        assert sorted(self.landed()) == sorted(self.dropped)
        assert self.checkout.git("fsck", "--strict", "--no-dangling") == ""
        status = self.checkout.git("status", "--porcelain").splitlines()
        assert set(status) <= {"?? notes.md", "?? tasks/"}, status
        shutil.rmtree(self.scratch)


def test_whatever_happens_nothing_is_lost_and_nothing_is_done_twice() -> None:
    examples = int(os.environ.get("CRASH_EXAMPLES", "4"))
    run_state_machine_as_test(
        Daily,
        settings=settings(
            max_examples=examples,
            stateful_step_count=8,
            deadline=None,
            derandomize=examples < 10,
            suppress_health_check=list(HealthCheck),
        ),
    )
