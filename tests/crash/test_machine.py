"""Tasks, landings, crashes, wishes, edits, clones and second daemons in any order.

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
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from aifactory import failpoints, git
from aifactory.ledger import Ledger
from aifactory.model import State
from tests.conftest import Checkout
from tests.crash import histories
from tests.house import drop

RUN = """
import sys
from pathlib import Path
from aifactory import auto_agent, cli, opening
from aifactory.errors import AifactoryError
from aifactory.opening import Options
from aifactory.queue import admission
from aifactory.sandbox import FakeSandbox
opening.cage_of = lambda *_: FakeSandbox()
admission.MOST_OPEN = 3
if sys.argv[1:]:
    sys.exit(cli.run(sys.argv[1:]))
try:
    sys.exit(auto_agent.run(Path("."), Options(once=True)))
except AifactoryError as error:
    sys.exit(error.exit_code)
"""
FILES = ("alpha.txt", "beta.txt", "gamma.txt")
TASKS = ("first", "second", "third", "fourth", "fifth")
JUDGED = ("fourth", "fifth")  # wait for a person before they land
BUSY, REFUSED, DONE = 5, 2, 0


class Daily(RuleBasedStateMachine):
    """A repository in which people and daemons work side by side."""

    @initialize()
    def begin(self) -> None:
        self.scratch = Path(tempfile.mkdtemp(prefix="aifactory-machine-"))
        self.checkout = Checkout(self.scratch / "repo")
        self.checkout.root.mkdir()
        (self.checkout.root / "tasks").mkdir()
        self.checkout.git("init", "-q", "-b", "main")
        self.sign()
        answers = {name: [{"text": self.answer(name)}] for name in TASKS}
        model = '[model]\ndefault = "scripted/answers.json"\n'
        given = {"answers.json": json.dumps({"tasks": answers}), "aifactory.toml": model}
        self.checkout.commit({**given, **dict.fromkeys(FILES, "0\n")})
        self.dropped: set[str] = set()
        self.asked: dict[str, set[str]] = {name: set() for name in TASKS}
        self.retried = Counter[str]()
        self.clones = 0
        self.dirty: dict[str, str] = {}
        self.untracked: dict[str, str] = {}
        self.commits = 0
        self.seen: list[str] = []

    def sign(self) -> None:
        for key, value in (("user.name", "Ada"), ("user.email", "ada@example.org")):
            self.checkout.git("config", key, value)

    def answer(self, task_id: str) -> str:
        """Each task adds a file of its own and replaces one that others write, too."""
        shared = FILES[TASKS.index(task_id) % len(FILES)]
        own = f"```text:of_{task_id}_{task_id * 2}.txt\n{task_id}\n```"
        return f"{own}\n```text:{shared}\n{task_id} was here\n```"

    @rule(name=st.sampled_from(TASKS))
    def add_task(self, name: str) -> None:
        drop(self.checkout, name, **({"land": "approve"} if name in JUDGED else {}))
        self.dropped.add(name)

    @rule(name=st.sampled_from(TASKS))
    def add_by_command(self, name: str) -> None:
        words = ["add", f"do {name}", "--id", name]
        code = self.command(*words, *(["--land", "approve"] if name in JUDGED else []))
        assert code in (DONE, REFUSED), code  # refused where its file lies there already
        self.dropped.add(name)

    @precondition(lambda self: self.dropped)
    @rule(verb=st.sampled_from(sorted(histories.GRANTED)), data=st.data())
    def ask(self, verb: str, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.dropped)))
        self.note(verb, name)
        assert self.command(verb, name) in (DONE, REFUSED)

    @precondition(lambda self: self.dropped)
    @rule(verb=st.sampled_from(sorted(histories.GRANTED)), data=st.data())
    def ask_while_a_daemon_works(self, verb: str, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.dropped)))
        self.note(verb, name)
        daemon, command = self.started(""), self.started("", verb, name)
        # One that found no daemon works by itself: of the two the later is refused by the lock.
        assert command.wait(200) in (DONE, REFUSED, BUSY)
        assert daemon.wait(200) in (0, 1, 5, 8)

    def note(self, verb: str, name: str) -> None:
        self.asked[name].add(verb)
        self.retried[name] += verb == "retry"

    @rule(whole=st.booleans())
    def go_on_in_a_clone(self, whole: bool) -> None:
        """What was not committed stays behind; without the refs the history of wishes does, too."""
        self.clones += 1
        clone = Checkout(self.scratch / f"clone-{self.clones}")
        self.checkout.git("clone", "-q", str(self.checkout.root), str(clone.root))
        if whole:
            clone.git("fetch", "-q", "origin", "refs/aifactory/*:refs/aifactory/*")
        shutil.copytree(self.checkout.root / "tasks", clone.root / "tasks", dirs_exist_ok=True)
        self.checkout = clone
        self.sign()
        self.dirty, self.untracked = {}, {}
        if not whole:
            # What had landed counts as before, by its trailer; what was taken back is forgotten.
            self.asked = {name: wishes & {"retry"} for name, wishes in self.asked.items()}

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
        if self.own("commit", "-q", "--allow-empty", "-m", "by hand", "--", *sorted(self.dirty)):
            self.dirty.clear()

    @precondition(lambda self: self.dirty)
    @rule()
    def take_own_work_back(self) -> None:
        if self.own("checkout", "-q", "--", *sorted(self.dirty)):
            self.dirty.clear()

    def own(self, *words: str) -> bool:
        """A Git command of the user's; after a crash our lock refuses it until a recovery."""
        try:
            self.checkout.git(*words)
        except subprocess.CalledProcessError:
            assert (self.checkout.root / ".git" / "index.lock").exists()
            return False
        return True

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
        assert self.work("") in (0, 1, 8)
        if not self.dirty:
            self.settle()

    def settle(self) -> None:
        """Approve until nothing moves, then look what became of every task."""
        for _ in range(2 * len(TASKS)):
            waiting = [r.task_id for r in self.told().records.values() if not r.state.closed]
            if not waiting:
                break
            for name in waiting:
                assert self.command("approve", name) in (DONE, REFUSED)
            assert self.work("") in (0, 1, 8)
        found = self.told()
        assert set(found.records) == self.dropped
        for name, record in found.records.items():
            ends = {State.DONE}
            ends |= {State.CANCELLED} if "cancel" in self.asked[name] else set()
            ends |= {State.REJECTED} if "reject" in self.asked[name] else set()
            ends |= {State.FAILED} if "retry" in self.asked[name] else set()
            assert record.state in ends, (name, record.state, record.failure, self.asked[name])
            assert record.state is not State.DONE or name in self.landed(), name

    def told(self) -> histories.Told:
        repository = git.discover(self.checkout.root)
        try:
            return histories.told(Ledger(repository))
        finally:
            repository.close()

    def command(self, *words: str) -> int:
        return self.started("", *words).wait(200)

    def started(self, order: str, *words: str) -> subprocess.Popen[bytes]:
        root = str(Path(__file__).resolve().parents[2])
        env = os.environ | {failpoints.VARIABLE: order, "PYTHONPATH": root}
        env["AIFACTORY_CACHE_DIR"] = str(self.scratch / "cache")
        command = [sys.executable, "-c", RUN, *words]
        with (self.scratch / "log").open("ab") as log:
            return subprocess.Popen(
                command, env=env, stdout=log, stderr=log, cwd=self.checkout.root
            )

    def work(self, order: str) -> int:
        return self.started(order).wait(200)

    def landed(self) -> list[str]:
        form = "--format=%(trailers:key=Aifactory-Task,valueonly,separator=)"
        return self.checkout.git("log", "--reverse", form, "main").split()

    @invariant()
    def nothing_twice_and_nothing_back(self) -> None:
        landed = self.landed()
        again = Counter(landed) - Counter(set(landed))
        assert again <= self.retried, landed
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
        assert self.work("") in (0, 1, 8), (self.scratch / "log").read_text()[-2000:]
        self.settle()
        assert self.checkout.git("fsck", "--strict", "--no-dangling") == ""
        status = self.checkout.git("status", "--porcelain").splitlines()
        assert set(status) <= {"?? notes.md", "?? tasks/"}, status
        shutil.rmtree(self.scratch)


def test_whatever_happens_nothing_is_lost_and_nothing_is_done_twice() -> None:
    examples = int(os.environ.get("CRASH_EXAMPLES", "3"))
    run_state_machine_as_test(
        Daily,
        settings=settings(
            max_examples=examples,
            stateful_step_count=8,
            deadline=None,
            derandomize=examples < 10,
            phases=(Phase.explicit, Phase.reuse, Phase.generate),  # a step takes too long to shrink
            suppress_health_check=list(HealthCheck),
        ),
    )
