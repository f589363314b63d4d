"""What makes a landing wait for a person, in which words, and that nothing is touched meanwhile."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aifactory import files, landing
from aifactory.landing import Landed, Waiting

Order = Callable[[str, Callable[[], object]], None]
NEW = {"a.txt": "new\n", "src/m.py": None, "lib/x.py": "x\n", "tool.sh": ("go\n", "100755")}


def edit(desk: Any) -> None:
    (desk.root / "a.txt").write_text("the user's\n")


def stage(desk: Any) -> None:
    edit(desk)
    desk.checkout.git("add", "a.txt")


def stage_and_revert(desk: Any) -> None:
    stage(desk)
    (desk.root / "a.txt").write_text("a\n")


def delete(desk: Any) -> None:
    (desk.root / "src/m.py").unlink()


def delete_staged(desk: Any) -> None:
    desk.checkout.git("rm", "--quiet", "src/m.py")


def untrack(desk: Any) -> None:
    desk.checkout.git("rm", "--quiet", "--cached", "src/m.py")


def add_untracked(desk: Any) -> None:
    desk.checkout.write({"lib/x.py": "the user's\n"})


def add_ignored(desk: Any) -> None:
    (desk.root / ".git/info/exclude").write_text("lib/\n")
    add_untracked(desk)


def add_the_same(desk: Any) -> None:
    desk.checkout.write({"lib/x.py": "x\n"})


def hide(desk: Any) -> None:
    desk.checkout.git("update-index", "--assume-unchanged", "a.txt")
    edit(desk)


def make_executable(desk: Any) -> None:
    (desk.root / "a.txt").chmod(0o755)


def link_the_parent(desk: Any) -> None:
    elsewhere = desk.root.parent / "elsewhere"
    elsewhere.mkdir()
    (desk.root / "lib").symlink_to(elsewhere)


def make_the_parent_a_file(desk: Any) -> None:
    desk.checkout.write({"lib": "the user's\n"})


def stage_the_parent_as_a_file(desk: Any) -> None:
    make_the_parent_a_file(desk)
    desk.checkout.git("add", "lib")
    (desk.root / "lib").unlink()


def make_a_directory(desk: Any) -> None:
    desk.checkout.write({"lib/x.py/mine": "the user's\n"})


def put_a_link(desk: Any) -> None:
    (desk.root / "a.txt").unlink()
    (desk.root / "a.txt").symlink_to("b.txt")


def switch_to_a_link(desk: Any) -> None:
    """A commit of somebody else's, not one that `prepare` would make."""
    (desk.root / "a.txt").unlink()
    (desk.root / "a.txt").symlink_to("b.txt")
    desk.checkout.commit({})


def merge(desk: Any) -> None:
    desk.checkout.git("checkout", "--quiet", "-b", "side")
    desk.checkout.commit({"b.txt": "side\n"})
    desk.checkout.git("checkout", "--quiet", "main")
    desk.checkout.git("merge", "--quiet", "--no-commit", "--no-ff", "side")


def bisect(desk: Any) -> None:
    desk.checkout.git("bisect", "start")


def lock(desk: Any) -> None:
    (desk.root / ".git/index.lock").write_text("")


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (edit, "a.txt has uncommitted changes"),
        (stage, "a.txt has staged changes"),
        (stage_and_revert, "a.txt has staged changes"),
        (delete, "src/m.py is deleted but not committed"),
        (delete_staged, "src/m.py is removed from the index"),
        (untrack, "src/m.py is removed from the index"),
        (add_untracked, "lib/x.py is untracked and would be overwritten"),
        (add_ignored, "lib/x.py is untracked and would be overwritten"),
        (add_the_same, "lib/x.py is untracked and would be overwritten"),
        (hide, "a.txt is hidden from Git (skip-worktree or assume-unchanged)"),
        (make_executable, "a.txt has uncommitted changes"),
        (link_the_parent, "lib is a symbolic link"),
        (make_the_parent_a_file, "lib is a file"),
        (stage_the_parent_as_a_file, "lib is staged as a file"),
        (make_a_directory, "lib/x.py is a directory that holds lib/x.py/mine"),
        (put_a_link, "a.txt has uncommitted changes"),
        (merge, "a merge is in progress in"),
        (bisect, "a bisect is in progress in"),
        (lock, "another Git command has"),
    ],
)
def test_it_waits_and_touches_nothing(desk: Any, act: Callable[[Any], None], reason: str) -> None:
    act(desk)
    before, tip, seen = desk.status(), desk.tip(), contents(desk.root)
    outcome = desk.lander().land(desk.candidate(NEW))
    assert isinstance(outcome, Waiting)
    assert outcome.reason.startswith(reason)
    assert (desk.status(), desk.tip(), contents(desk.root)) == (before, tip, seen)


def contents(root: Path) -> dict[str, object]:
    return {
        str(path): (path.lstat().st_mode, path.lstat().st_ino, path.lstat().st_mtime_ns)
        for path in root.rglob("*")
        if ".git" not in path.parts
    }


def test_it_lands_when_the_path_is_clean_again(desk: Any) -> None:
    candidate = desk.candidate(NEW)
    edit(desk)
    assert desk.lander().land(candidate) == Waiting("a.txt has uncommitted changes", ("a.txt",))
    desk.checkout.git("checkout", "--quiet", "a.txt")
    assert desk.lander().land(candidate) == Landed(candidate.commit)


def test_a_link_is_not_landed(desk: Any) -> None:
    base = desk.tip()
    switch_to_a_link(desk)
    commit = desk.tip()
    desk.checkout.git("reset", "--quiet", "--hard", base)
    candidate = landing.reopened(
        desk.repository, desk.layout, commit, target="refs/heads/main", task_id="t", attempt=1
    )
    outcome = desk.lander().land(candidate)
    assert outcome == Waiting(
        "a.txt is a link or a submodule, and only files are landed", ("a.txt",)
    )


def test_many_paths_are_named_shortly(desk: Any) -> None:
    names = [f"n{number}" for number in range(5)]
    desk.checkout.write(dict.fromkeys(names, "mine"))
    outcome = desk.land(dict.fromkeys(names, "new"))
    assert outcome.reason.endswith(", and 2 more")
    assert outcome.paths == tuple(names)


def test_a_rebase_of_the_target_is_waited_for(desk: Any) -> None:
    desk.checkout.git("branch", "upstream")
    desk.checkout.commit({"a.txt": "mine\n"})
    desk.checkout.git("checkout", "--quiet", "upstream")
    desk.checkout.commit({"a.txt": "theirs\n"})
    desk.checkout.git("checkout", "--quiet", "main")
    with contextlib.suppress(subprocess.CalledProcessError):
        desk.checkout.git("rebase", "upstream")
    outcome = desk.land({"new.txt": "n\n"})
    assert isinstance(outcome, Waiting)
    assert outcome.reason == f"a rebase of main is in progress in {desk.root}"


def test_a_branch_checked_out_twice_is_waited_for(desk: Any) -> None:
    other = desk.root.parent / "other"
    desk.checkout.git("worktree", "add", "--quiet", "--force", str(other), "main")
    outcome = desk.land({"a.txt": "new\n"})
    assert isinstance(outcome, Waiting)
    assert outcome.reason.startswith("main is checked out twice")


@pytest.mark.parametrize("point", ["landing.staged", "landing.locked", "landing.begun"])
def test_an_edit_while_it_begins_is_seen(desk: Any, at_point: Order, point: str) -> None:
    at_point(point, lambda: edit(desk))
    outcome = desk.land(NEW)
    assert isinstance(outcome, Waiting)
    assert desk.status() == [" M a.txt"]
    assert (desk.root / "a.txt").read_text() == "the user's\n"


def test_an_edit_in_the_last_moment_before_the_exchange_is_given_back(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is found as it was, edited, and only then exchanged."""
    exchange = files.exchange

    def late(one: Path, other: Path) -> None:
        if other.name == "a.txt" and "a" in other.read_text()[:1]:
            edit(desk)
        exchange(one, other)

    monkeypatch.setattr(files, "exchange", late)
    outcome = desk.land(NEW)
    assert isinstance(outcome, Waiting)
    assert outcome.paths == ("a.txt",)
    assert (desk.root / "a.txt").read_text() == "the user's\n"
    assert desk.status() == [" M a.txt"]


def test_an_edit_in_the_last_moment_before_a_deletion_is_given_back(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = files.rename_new

    def late(source: Path, target: Path) -> None:
        if source.name == "m.py":
            source.write_text("the user's\n")
            monkeypatch.setattr(files, "rename_new", rename)
        rename(source, target)

    monkeypatch.setattr(files, "rename_new", late)
    outcome = desk.land(NEW)
    assert isinstance(outcome, Waiting)
    assert (desk.root / "src/m.py").read_text() == "the user's\n"
    assert desk.status() == [" M src/m.py"]


@pytest.mark.parametrize(
    ("call", "path", "change"),
    [
        ("exchange", "src/m.py", {"src/m.py": "new\n"}),
        ("rename_new", "src/m.py", {"src/m.py": None}),
        ("rename_new", "src/new.py", {"src/new.py": "new\n"}),
    ],
)
def test_a_link_in_place_of_a_directory_redirects_nothing(
    desk: Any, monkeypatch: pytest.MonkeyPatch, call: str, path: str, change: dict[str, str | None]
) -> None:
    """The directory is looked at, a link takes its place, and only then the file is moved."""
    elsewhere, moved = desk.root.parent / "elsewhere", desk.root.parent / "moved"
    shutil.copytree(desk.root / "src", elsewhere)
    before = contents(elsewhere)
    real = getattr(files, call)

    def late(*names: Path) -> None:
        if not moved.exists() and any(name.name == Path(path).name for name in names):
            (desk.root / "src").rename(moved)
            (desk.root / "src").symlink_to(elsewhere)
        real(*names)

    monkeypatch.setattr(files, call, late)
    desk.land(change)
    assert moved.exists()
    assert contents(elsewhere) == before


def test_an_edit_of_what_has_just_landed_is_the_users(desk: Any, at_point: Order) -> None:
    at_point("landing.files", lambda: edit(desk))
    assert isinstance(desk.land(NEW), Landed)
    assert desk.status() == [" M a.txt"]
    assert (desk.root / "a.txt").read_text() == "the user's\n"


def test_what_stands_open_in_an_editor_is_kept_for_two_weeks(desk: Any, at_point: Order) -> None:
    """A program that holds the old file open writes into what was taken out of the checkout."""
    held = (desk.root / "a.txt").open("a")
    at_point("landing.moved", lambda: (held.write("late bytes\n"), held.close()))
    assert isinstance(desk.land(NEW), Landed)
    kept = [path.read_text() for path in desk.layout.kept.rglob("*.old")]
    assert "a\nlate bytes\n" in kept
