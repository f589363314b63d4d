"""Windows that no sweep comes to: what people and other programs do beside a daemon."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from aifactory import failpoints, journal
from aifactory.layout import LEDGER_REF
from tests.conftest import Checkout
from tests.house import drop

ROOT = str(Path(__file__).resolve().parents[2])
RUN = """
import sys
from pathlib import Path
from aifactory import auto_agent, opening, factory, log
from aifactory.errors import AifactoryError
from aifactory.opening import Options
from aifactory.sandbox import FakeSandbox
opening.cage_of = lambda *_: FakeSandbox()
factory.TROUBLE_SECONDS = 0.5
once = sys.argv[1] == "once"
try:
    sys.exit(auto_agent.run(Path("."), Options(once=once, readers=(log.reader("json"),))))
except AifactoryError as error:
    sys.stderr.write(f"error: {error.message}\\nnext: {error.next_step}\\n")
    sys.exit(error.exit_code)
"""
RECOVER = "import sys; from aifactory import cli; sys.exit(cli.run(['recover']))"
EVERY = os.environ.get("CRASH_POINTS") == "1"
NAMES = ("abalone", "bromide", "cumulus")
DIRTY = {"mine.txt": "edited, not committed\n", "notes.md": "untracked\n"}
SECONDS = 150


class Scene:
    """A repository with work in it, the user's own and three tasks', and real daemons."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.checkout = Checkout(scratch / "repo")
        self.checkout.root.mkdir()
        self.checkout.git("init", "-q", "-b", "main")
        for key, value in (("user.name", "Ada"), ("user.email", "ada@example.org")):
            self.checkout.git("config", key, value)
        text = "```text:{0}.txt\n{0}\n```\n```text:{0}/deep.txt\n{0} deep\n```"
        answers = {name: [{"text": text.format(name)}] for name in NAMES}
        model = '[model]\ndefault = "scripted/answers.json"\n'
        given = {"answers.json": json.dumps({"tasks": answers}), "aifactory.toml": model}
        self.checkout.commit({**given, "mine.txt": "committed\n"})
        self.checkout.write(DIRTY)
        for name in NAMES:
            drop(self.checkout, name)

    def start(self, how: str = "once", order: str = "") -> subprocess.Popen[bytes]:
        return self.spawned([sys.executable, "-c", RUN, how], order)

    def recover(self, order: str = "") -> subprocess.Popen[bytes]:
        return self.spawned([sys.executable, "-c", RECOVER], order)

    def spawned(self, command: list[str], order: str) -> subprocess.Popen[bytes]:
        env = os.environ | {failpoints.VARIABLE: order, "PYTHONPATH": ROOT}
        env["AIFACTORY_CACHE_DIR"] = str(self.scratch / "cache")
        with (self.scratch / "log").open("ab") as log:
            return subprocess.Popen(
                command, env=env, stdout=log, stderr=log, cwd=self.checkout.root
            )

    def log(self) -> str:
        return (self.scratch / "log").read_text()

    def run(self, order: str = "") -> int:
        return self.start("once", order).wait(SECONDS)

    def landed(self) -> list[str]:
        form = "--format=%(trailers:key=Aifactory-Task,valueonly,separator=)"
        return sorted(self.checkout.git("log", form, "main").split())

    def check(self, landed: tuple[str, ...] = NAMES, status: tuple[str, ...] = ()) -> None:
        """What must hold in the end, whatever happened before."""
        assert self.landed() == sorted(landed), self.log()[-3000:]
        assert self.checkout.git("fsck", "--strict", "--no-dangling") == ""
        for path, text in DIRTY.items():
            assert (self.checkout.root / path).read_text() == text, path
        found = self.checkout.git("status", "--porcelain").splitlines()
        assert set(found) == {" M mine.txt", "?? notes.md", "?? tasks/", *status}, found
        for name in landed:
            assert (self.checkout.root / f"{name}.txt").read_text() == f"{name}\n"


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def until(condition: Callable[[], object], what: str) -> None:
    ends = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < ends, what
        time.sleep(0.02)


CUTS = ["landing.file=kill@3", "landing.moved=kill"]
RECOVERING = ["recovery.fenced", "landing.index", "landing.ended", "landing.unlocked"]
ROTATING = ["rotation.written", "rotation.kept", "rotation.done"]


@pytest.mark.parametrize("cut", CUTS)
def test_of_several_recoveries_at_once_one_works_and_others_are_refused(
    scene: Scene, cut: str
) -> None:
    assert scene.run(cut) == -signal.SIGKILL
    several = [scene.recover(), scene.start("once"), scene.recover(), scene.recover()]
    codes = {one.wait(SECONDS) for one in several}
    assert 0 in codes and codes <= {0, 5}, scene.log()
    assert scene.run() == 0
    scene.check()


@pytest.mark.parametrize("point", RECOVERING if EVERY else RECOVERING[1:2])
@pytest.mark.parametrize("cut", CUTS)
def test_a_recovery_by_hand_that_is_killed_is_done_again(
    scene: Scene, cut: str, point: str
) -> None:
    assert scene.run(cut) == -signal.SIGKILL
    assert scene.recover(f"{point}=kill").wait(SECONDS) == -signal.SIGKILL, scene.log()
    assert scene.recover().wait(SECONDS) == 0
    assert scene.run() == 0
    scene.check()


@pytest.mark.parametrize("end", [signal.SIGCONT, signal.SIGKILL])
def test_a_halted_daemon_is_not_recovered_behind_its_back(scene: Scene, end: int) -> None:
    first = scene.start("once", "landing.files=delay:3")
    until(lambda: (scene.checkout.root / ".git" / "index.lock").exists(), "no landing")
    first.send_signal(signal.SIGSTOP)
    try:
        assert scene.run() == scene.recover().wait(SECONDS) == 5
        assert "that process is stopped" in scene.log()
    finally:
        first.send_signal(end)
        code = first.wait(SECONDS)
    assert code == (0 if end == signal.SIGCONT else -signal.SIGKILL)
    assert scene.run() == 0
    scene.check()


@pytest.mark.parametrize("point", ROTATING if EVERY else ROTATING[1:2])
def test_a_crash_while_the_journal_is_rotated_loses_nothing(scene: Scene, point: str) -> None:
    path = scene.checkout.root / ".git" / "aifactory" / "journal"
    with journal.Journal(path) as held:
        while path.stat().st_size < journal.ROTATE_BYTES:
            held.note(filler="x" * 100_000)
    assert scene.run(f"{point}=kill") == -signal.SIGKILL
    assert scene.run("landing.file=kill@2") == -signal.SIGKILL
    assert scene.run() == 0
    scene.check()
    assert path.stat().st_size < journal.ROTATE_BYTES
    assert len(journal.segments(path)) in (1, 2)


def test_a_history_that_somebody_deletes_lets_nothing_land_twice(scene: Scene) -> None:
    daemon = scene.start("on")
    until(lambda: scene.landed() == sorted(NAMES), "nothing landed")
    for ref in scene.checkout.git("for-each-ref", "--format=%(refname)", "refs/aifactory").split():
        scene.checkout.git("update-ref", "-d", ref)
    (scene.checkout.root / "tasks" / "more.json").write_text('{"task_id": "more"}')
    until(lambda: '"task": "more"' in scene.log(), "the daemon does not go on")
    (scene.checkout.root / "tasks" / "more.json").unlink()
    daemon.terminate()
    daemon.wait(SECONDS)
    assert scene.run() == 0
    scene.check()
    shutil.rmtree(scene.checkout.root / ".git" / "aifactory")
    scene.checkout.git("update-ref", "-d", LEDGER_REF)
    assert scene.run() == 0
    scene.check()


@pytest.mark.parametrize("edit", ["other words", ""])
def test_a_task_file_may_be_edited_or_removed_while_its_task_lands(scene: Scene, edit: str) -> None:
    first = scene.start("once", "landing.files=delay:1")
    until(lambda: (scene.checkout.root / ".git" / "index.lock").exists(), "no landing")
    path = drop(scene.checkout, NAMES[0], description=edit or "gone")
    if not edit:
        path.unlink()
    assert first.wait(SECONDS) == 0, scene.log()
    assert scene.run() == 0
    scene.check()


OTHER = "git worktree add -q --detach ../other && git worktree remove --force ../other"
HABITS = {
    "gc": "git gc -q",
    "repack": "git repack -adq",
    "pack-refs": "git pack-refs --all --prune",
    "worktree": OTHER,
    "stash": "git stash -q -- mine.txt && git stash pop -q",
    "add": "git add mine.txt && git reset -q mine.txt",
    "rebase": "git -c core.editor=true rebase -q --autostash --force-rebase HEAD",
}


@pytest.mark.parametrize("habit", HABITS if EVERY else ["gc", "repack"])
@pytest.mark.parametrize("kills", [0, 4])
def test_work_goes_on_beside_what_people_do_with_git(scene: Scene, habit: str, kills: int) -> None:
    daemon, ends = scene.start("once"), time.monotonic() + SECONDS
    while daemon.poll() != 0 or scene.landed() != sorted(NAMES):
        if daemon.poll() is not None:
            daemon = scene.start("once")
        subprocess.run(HABITS[habit], shell=True, cwd=scene.checkout.root, check=False)
        if kills:
            time.sleep(0.3 * kills)
            daemon.kill()
            daemon.wait(SECONDS)
            kills -= 1
        time.sleep(0.2)
        assert time.monotonic() < ends, scene.log()[-3000:]
    assert '"task.failed"' not in scene.log()
    assert not list(scene.checkout.root.glob(".git/objects/pack/*.keep"))
    scene.check()
