"""What a restart finds after a crash, says and does; a kill at every step is in tests/crash."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aifactory import failpoints, fence, files, journal, landing, recovery
from aifactory.errors import GitKilled, InvalidConfig
from aifactory.landing import Landed

NEW = {"a.txt": "new\n", "src/m.py": None, "lib/x.py": "x\n"}
LAND = """
import sys
from pathlib import Path
from aifactory import git, landing
from aifactory.journal import Journal
from aifactory.layout import Layout
repository = git.discover(Path(sys.argv[1]))
layout = Layout(repository.root, repository.git_dir)
candidate = landing.reopened(repository, layout, sys.argv[2], target="refs/heads/main",
                             task_id="t1", attempt=1)
landing.Lander(repository, layout, Journal(layout.journal)).land(candidate)
"""


def crash(desk: Any, point: str, files: Any = NEW, action: str = "kill") -> landing.Candidate:
    """Land in another process that dies at this point."""
    candidate: landing.Candidate = desk.candidate(files)
    desk.journal.close()
    env = os.environ | {
        "AIFACTORY_FAILPOINTS": f"{point}={action}",
        "PYTHONPATH": str(Path(landing.__file__).parents[1]),
    }
    command = [sys.executable, "-c", LAND, str(desk.root), candidate.commit]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode in (-9, 75), done.stderr
    return candidate


BEFORE = ["staged", "locked", "checked", "begun", "file", "files", "indexed"]
AFTER = ["moved", "synced", "index", "ended", "unlocked", "freed"]


@pytest.mark.parametrize("point", [*BEFORE, *AFTER])
def test_a_kill_at_each_point_of_the_protocol(desk: Any, point: str) -> None:
    (desk.root / "b.txt").write_text("the user's\n")
    base = desk.tip()
    candidate = crash(desk, f"landing.{point}", action="kill" if point != "file" else "kill@2")
    desk.recover()
    has_landed = point in AFTER
    assert desk.tip() == (candidate.commit if has_landed else base)
    assert (desk.root / "a.txt").read_text() == ("new\n" if has_landed else "a\n")
    assert desk.status() == [" M b.txt"]
    assert desk.recover() == [], "there is nothing to do a second time"
    assert isinstance(desk.lander().land(candidate), Landed)


def test_it_says_what_it_did(desk: Any) -> None:
    crash(desk, "landing.files")
    assert desk.recover() == ["undone"]
    crash(desk, "landing.moved")
    assert desk.recover() == ["redone"]
    crash(desk, "landing.locked", {"b.txt": "new\n"})
    assert desk.recover() == ["lock removed", "stage removed"]


def test_while_the_daemon_is_dead_nobody_commits_half_a_change(desk: Any) -> None:
    crash(desk, "landing.files")
    with pytest.raises(subprocess.CalledProcessError):
        desk.checkout.git("commit", "--quiet", "--all", "--message", "mine")
    desk.recover()
    desk.checkout.commit({"b.txt": "mine\n"})


def test_an_edit_that_came_out_right_before_the_crash_is_given_back(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Saved after the last look, exchanged, and killed before what came out was looked at."""
    exchange = files.exchange

    def last(one: Path, other: Path) -> None:
        other.write_text("the user's\n")
        exchange(one, other)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(files, "exchange", last)
        desk.land(NEW)
    assert (desk.root / "a.txt").read_text() == "new\n"
    assert sorted(desk.recover()) == ["undone", "user's bytes kept"]
    assert (desk.root / "a.txt").read_text() == "the user's\n"
    assert desk.status() == [" M a.txt"]


@pytest.mark.parametrize("point", ["index", "ended", "unlocked", "freed"])
def test_an_error_after_the_commit_point_heals_at_once(
    desk: Any, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    monkeypatch.setenv("AIFACTORY_FAILPOINTS", f"landing.{point}=error@1")
    assert isinstance(desk.land(NEW), Landed)
    desk.checkout.commit({"b.txt": "the user goes on\n"})
    assert desk.status() == []


@pytest.mark.parametrize("point", ["landing.files", "landing.synced"])
def test_what_the_user_does_to_a_path_after_the_crash_stays(desk: Any, point: str) -> None:
    crash(desk, point)
    (desk.root / "a.txt").write_text("the user's\n")
    assert "user's bytes kept" in desk.recover()
    assert (desk.root / "a.txt").read_text() == "the user's\n"
    assert desk.status() == [" M a.txt"]


def test_a_revert_by_hand_after_the_landing_stays(desk: Any) -> None:
    """The index has the new entries, so the files were done; what differs is the user's."""
    crash(desk, "landing.index")
    (desk.root / "a.txt").write_text("a\n")
    assert desk.recover() == ["redone"]
    assert (desk.root / "a.txt").read_text() == "a\n"
    assert desk.status() == [" M a.txt"]


def test_a_user_who_broke_our_lock_and_committed_keeps_the_commit(desk: Any) -> None:
    crash(desk, "landing.files")
    (desk.root / ".git/index.lock").unlink()
    tip = desk.checkout.commit({"b.txt": "mine\n"})
    desk.recover()
    assert desk.tip() == tip
    assert desk.status() == []


def test_a_user_who_broke_our_lock_and_went_to_another_branch(desk: Any) -> None:
    desk.checkout.git("branch", "side")
    crash(desk, "landing.files")
    (desk.root / ".git/index.lock").unlink()
    desk.checkout.git("checkout", "--quiet", "--force", "side")
    desk.recover()
    assert desk.checkout.git("diff", "HEAD") == ""
    assert not (desk.root / ".git/index.lock").exists()


def test_our_lock_goes_even_when_head_names_another_branch(desk: Any) -> None:
    desk.checkout.git("branch", "side")
    crash(desk, "landing.begun")
    desk.checkout.git("symbolic-ref", "HEAD", "refs/heads/side")
    desk.recover()
    desk.checkout.commit({"b.txt": "mine\n"})


def test_a_commit_that_is_gone_was_not_landed(desk: Any) -> None:
    crash(desk, "landing.files")
    desk.repository.close()  # it still has the pack open
    for pack in desk.root.glob(".git/objects/pack/*"):
        pack.unlink()
    assert desk.recover() == ["undone"]
    assert desk.status() == []


@pytest.mark.parametrize("point", ["landing.files", "landing.moved"])
def test_a_repository_that_was_moved_recovers_where_it_is(
    desk: Any, make_desk: Callable[[Any], Any], point: str
) -> None:
    crash(desk, point)
    desk.close()
    elsewhere = desk.root.parent / "elsewhere"
    desk.root.rename(elsewhere)
    moved = make_desk(type(desk.checkout)(elsewhere))
    moved.recover()
    assert moved.status() == []


@pytest.mark.parametrize("name", ["refs/heads/main.lock", "HEAD.lock"])
def test_a_lock_that_a_killed_git_left_is_removed(desk: Any, name: str) -> None:
    crash(desk, "landing.indexed")
    (desk.root / ".git" / name).write_text("")
    assert "lock removed" in desk.recover()
    assert isinstance(desk.land(NEW, "t2"), Landed)


KILLED = """#!/bin/sh
case "$*" in
update-ref*) : > "$GIT_DIR/refs/heads/main.lock" && kill -9 $$ ;;
*) PATH=${PATH#*:} exec git "$@" ;;
esac
"""


def test_a_git_that_is_killed_alone_keeps_nobody_waiting(
    desk: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon lives on, so no recovery comes by."""
    (tmp_path / "git").write_text(KILLED)
    (tmp_path / "git").chmod(0o755)
    candidate = desk.candidate(NEW)
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(tmp_path), prepend=":")
        with pytest.raises(GitKilled):
            desk.lander().land(candidate)
    assert not (desk.root / ".git/refs/heads/main.lock").exists()
    assert desk.status() == []
    assert isinstance(desk.lander().land(candidate), Landed)


def test_a_lock_of_ours_on_other_refs_is_removed_and_an_old_one_is_not(desk: Any) -> None:
    old = desk.root / ".git/packed-refs.lock"
    old.write_text("")
    os.utime(old, (1, 1))
    ours = desk.root / ".git/refs/aifactory/tasks/t1.lock"
    ours.parent.mkdir(parents=True)
    ours.write_text("")
    assert desk.recover() == ["lock removed"]
    assert old.exists()
    assert not ours.exists()


def test_a_lock_that_somebody_holds_is_not_removed(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fence, "PATIENCE", 0.2)
    lock = desk.root / ".git/refs/aifactory/tasks/t1.lock"
    lock.parent.mkdir(parents=True)
    with lock.open("w") as file:
        holder = subprocess.Popen(["sleep", "60"], stdout=file)
    try:
        assert desk.recover() == []
        assert lock.exists()
    finally:
        holder.kill()
        holder.wait()
    assert desk.recover() == ["lock removed"]


def test_a_git_child_that_outlived_its_daemon_is_ended_first(desk: Any) -> None:
    """Or it could move the target after the files were taken back."""
    candidate = crash(desk, "landing.indexed")
    op = desk.layout.stage.iterdir().__next__().name
    env = os.environ | {fence.MARK: op}
    command = f"sleep 10; git update-ref refs/heads/main {candidate.commit}"
    orphan = subprocess.Popen(["sh", "-c", command], env=env, cwd=desk.root)
    assert desk.recover() == ["undone"]
    assert orphan.wait(timeout=10) == -9
    assert desk.tip() != candidate.commit
    assert desk.status() == []


def test_a_full_disk_gives_back_the_reserve(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.recover()
    crash(desk, "landing.moved")
    held = journal.reserve(desk.layout.journal)
    copy = files.copy

    def full_while_it_is_held(source: Path, target: Path) -> None:
        if held.exists():
            with files.disk_errors(str(target)):
                raise OSError(28, "No space left on device")
        copy(source, target)

    monkeypatch.setattr(files, "copy", full_while_it_is_held)
    assert desk.recover() == ["redone"]
    assert desk.status() == []
    assert held.exists(), "it is made again"


def test_what_was_kept_goes_after_two_weeks(desk: Any) -> None:
    for name, age in (("old", recovery.KEPT_SECONDS + 60), ("new", 60)):
        stage = desk.layout.kept / name
        stage.mkdir(parents=True)
        os.utime(stage, (time.time() - age,) * 2)
    desk.recover()
    assert [stage.name for stage in desk.layout.kept.iterdir()] == ["new"]


def test_an_action_that_is_not_known_is_refused() -> None:
    with pytest.raises(InvalidConfig) as caught:
        failpoints.ordered("landing.begun=explode")
    assert "landing.begun" in caught.value.next_step
    with pytest.raises(InvalidConfig):
        failpoints.ordered("landing.nowhere=kill")


def test_every_point_is_reached_by_its_name() -> None:
    source = "".join(path.read_text() for path in Path(failpoints.__file__).parent.rglob("*.py"))
    assert [name for name in failpoints.POINTS if f'hit("{name}")' not in source] == []
    assert source.count("failpoints.hit(") == len(failpoints.POINTS)
