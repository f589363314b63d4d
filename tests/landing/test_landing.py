"""What a landing leaves: one commit, a checkout that followed, and the user's work as it was."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aifactory import files, journal, landing
from aifactory.errors import DiskFull
from aifactory.landing import Landed, Moved, Waiting
from aifactory.trailers import landed_tasks

Order = Callable[[str, Callable[[], object]], None]


def test_one_commit_lands_and_the_checkout_follows(desk: Any) -> None:
    before = desk.tip()
    outcome = desk.land({"a.txt": "new\n", "b.txt": None, "lib/x.py": "x\n"})
    assert outcome == Landed(desk.tip())
    assert desk.checkout.git("log", "-1", "--format=%P %an %s") == f"{before} coder Do t1"
    assert (desk.root / "a.txt").read_text() == "new\n"
    assert not (desk.root / "b.txt").exists()
    assert desk.status() == []
    assert desk.is_clean_and_quick()
    assert not list(desk.layout.stage.iterdir())


def test_the_reflogs_say_what_a_commit_says(desk: Any) -> None:
    desk.land({"a.txt": "new\n"})
    for log in ("HEAD", "main"):
        assert desk.checkout.git("reflog", "-1", "--format=%gs %gn", log) == "commit: Do t1 coder"


def test_the_users_work_stays_as_it_was(desk: Any) -> None:
    mine = {
        "b.txt": b"half\x00done\r\n",
        "new.txt": b"untracked",
        "src/n.py": b"n",
        "tasks/t.json": b"{}",
    }
    desk.checkout.write(mine)
    desk.checkout.git("add", "src/n.py")
    before = desk.status()
    assert isinstance(desk.land({"a.txt": "new\n", "src/m.py": None}), Landed)
    assert {path: (desk.root / path).read_bytes() for path in mine} == mine
    assert desk.status() == before


def test_modes_and_their_changes(desk: Any) -> None:
    desk.land({"tool.sh": ("#!/bin/sh\n", "100755"), "bin/run": ("go\n", "100755")})
    assert os.access(desk.root / "tool.sh", os.X_OK)
    assert os.access(desk.root / "bin/run", os.X_OK)
    assert desk.status() == []
    desk.land({"tool.sh": "#!/bin/sh\n"}, "t2")
    assert not os.access(desk.root / "tool.sh", os.X_OK)
    assert desk.status() == []


def test_where_the_disk_keeps_no_modes_they_are_not_looked_at(desk: Any) -> None:
    desk.checkout.git("config", "core.fileMode", "false")
    (desk.root / "a.txt").chmod(0o755)
    assert isinstance(desk.land({"a.txt": ("new\n", "100755"), "tool.sh": "2\n"}), Landed)
    assert desk.status() == []


def test_a_directory_takes_the_place_of_a_file_and_back(desk: Any) -> None:
    desk.land({"a.txt": None, "a.txt/inside": "1\n", "src/m.py": None, "src": "a file\n"})
    assert (desk.root / "a.txt/inside").read_text() == "1\n"
    assert (desk.root / "src").read_text() == "a file\n"
    assert desk.status() == []
    desk.land({"a.txt/inside": None, "a.txt": "back\n", "src": None, "src/m.py": "m\n"}, "t2")
    assert (desk.root / "a.txt").read_text() == "back\n"
    assert desk.status() == []


def test_empty_directories_go_as_git_lets_them_go(desk: Any) -> None:
    desk.checkout.commit({"deep/er/one.txt": "1", "kept/two.txt": "2"})
    (desk.root / "kept/empty").mkdir()
    desk.land({"deep/er/one.txt": None, "kept/two.txt": None})
    assert not (desk.root / "deep").exists()
    assert (desk.root / "kept/empty").is_dir()


def test_links_and_submodules_beside_stay(desk: Any, make_checkout: Callable[..., Any]) -> None:
    module = make_checkout("module", {"x": "x"})
    (desk.root / "src/link").symlink_to("m.py")
    allow = ("-c", "protocol.file.allow=always")
    desk.checkout.git(*allow, "submodule", "--quiet", "add", str(module.root), "src/module")
    desk.checkout.git("add", "--all")
    desk.checkout.git("commit", "--quiet", "--message", "more")
    desk.land({"src/m.py": "2\n", "src/new": "n\n"})
    assert desk.status() == []
    assert (desk.root / "src/link").readlink() == Path("m.py")
    assert (desk.root / "src/module/x").read_text() == "x"


@pytest.mark.parametrize("mine", [{}, {"mine.txt": "untracked", "lib/mine.py": "m"}])
def test_the_first_commit_of_an_empty_repository(
    make_checkout: Callable[..., Any], make_desk: Callable[[Any], Any], mine: dict[str, str]
) -> None:
    desk = make_desk(make_checkout("empty"))
    desk.checkout.write(mine)
    outcome = desk.land({"a.txt": "a\n", "lib/x.py": "x\n"})
    assert outcome == Landed(desk.tip())
    assert desk.checkout.git("log", "--format=%P%s") == "Do t1"
    assert desk.checkout.git("reflog", "-1", "--format=%gs") == "commit (initial): Do t1"
    assert (desk.root / "lib/x.py").read_text() == "x\n"
    assert desk.status() == sorted(f"?? {path}" for path in mine)


def test_a_first_commit_that_changes_nothing(
    make_checkout: Callable[..., Any], make_desk: Callable[[Any], Any]
) -> None:
    desk = make_desk(make_checkout("empty"))
    assert isinstance(desk.land({"none": None}), Landed)
    assert desk.status() == []


def test_what_is_staged_on_an_unborn_branch_stays_staged(
    make_checkout: Callable[..., Any], make_desk: Callable[[Any], Any]
) -> None:
    desk = make_desk(make_checkout("empty"))
    desk.checkout.write({"mine.txt": "m"})
    desk.checkout.git("add", "mine.txt")
    desk.land({"a.txt": "a\n"})
    assert desk.status() == ["A  mine.txt"]


def test_a_branch_that_nobody_has_checked_out_only_moves(desk: Any) -> None:
    desk.checkout.git("branch", "feature/deep/one")
    ref = "refs/heads/feature/deep/one"
    outcome = desk.land({"a.txt": "new\n"}, target=ref)
    assert outcome == Landed(desk.tip(ref))
    assert (desk.root / "a.txt").read_text() == "a\n"
    assert desk.status() == []


def test_a_linked_worktree_follows(desk: Any) -> None:
    other = desk.root.parent / "other"
    desk.checkout.git("worktree", "add", "--quiet", "-b", "side", str(other))
    (other / "b.txt").write_text("dirty there\n")
    ref = "refs/heads/side"
    assert isinstance(desk.land({"a.txt": "new\n", "lib/x": "x\n"}, target=ref), Landed)
    assert (other / "a.txt").read_text() == "new\n"
    assert desk.checkout.git("-C", str(other), "status", "--porcelain") == "M b.txt".rjust(8)
    assert desk.checkout.git("-C", str(other), "reflog", "-1", "--format=%gs") == "commit: Do t1"
    assert (desk.root / "a.txt").read_text() == "a\n"
    assert desk.status() == []


def test_a_worktree_whose_directory_is_gone_is_not_waited_for(desk: Any) -> None:
    other = desk.root.parent / "other"
    desk.checkout.git("worktree", "add", "--quiet", "-b", "side", str(other))
    shutil.rmtree(other)
    assert isinstance(desk.land({"a.txt": "new\n"}, target="refs/heads/side"), Landed)


def test_a_target_that_moved_is_told(desk: Any) -> None:
    candidate = desk.candidate({"a.txt": "new\n"})
    tip = desk.checkout.commit({"b.txt": "the user's commit\n"})
    assert desk.lander().land(candidate) == Moved(tip)
    assert desk.status() == []


def test_a_target_that_moves_at_the_last_moment_wins(desk: Any, at_point: Order) -> None:
    candidate = desk.candidate({"a.txt": "new\n", "src/m.py": None, "lib/x.py": "x\n"})
    tree = desk.checkout.git("rev-parse", "main^{tree}")
    theirs = desk.checkout.git("commit-tree", tree, "-p", "main", "-m", "pushed from elsewhere")
    at_point("landing.indexed", lambda: desk.checkout.git("update-ref", "refs/heads/main", theirs))
    assert desk.lander().land(candidate) == Moved(theirs)
    assert desk.status() == []
    assert not (desk.root / "lib").exists()


def test_landing_again_changes_nothing(desk: Any) -> None:
    candidate = desk.candidate({"a.txt": "new\n"})
    first = desk.lander().land(candidate)
    (desk.root / "a.txt").write_text("the user goes on\n")
    assert desk.lander().land(candidate) == first
    assert (desk.root / "a.txt").read_text() == "the user goes on\n"


def test_a_landed_task_is_found_by_its_trailer_alone(desk: Any) -> None:
    base = desk.tip()
    desk.land({"a.txt": "1\n"}, "t1")
    desk.land({"a.txt": "2\n"}, "t10")
    desk.checkout.commit({"b.txt": "b2"}, "Mention Aifactory-Task: t2 in passing")
    first = desk.checkout.git("rev-parse", "main~2")
    second, tip = desk.checkout.git("rev-parse", "main~1"), desk.tip()
    assert landed_tasks(desk.repository, tip, base) == {"t1": first, "t10": second}
    assert landed_tasks(desk.repository, tip, first) == {"t10": second}
    assert landed_tasks(desk.repository, tip) == {"t1": first, "t10": second}
    assert landed_tasks(desk.repository, "") == {}


def test_an_amended_commit_still_counts(desk: Any) -> None:
    base = desk.tip()
    desk.land({"a.txt": "1\n"})
    desk.checkout.git("commit", "--quiet", "--amend", "--no-edit", "--date", "2020-01-01T00:00:00Z")
    assert "t1" in landed_tasks(desk.repository, desk.tip(), base)


def test_a_train_lands_as_one_operation(desk: Any) -> None:
    one = desk.candidate({"a.txt": "1\n", "lib/x": "x\n"}, "t1")
    two = desk.candidate({"a.txt": "2\n", "lib/x": None}, "t2", base=one.commit)
    three = desk.candidate({"c.txt": "3\n"}, "t3", base=two.commit)
    outcome = desk.lander().land_many([one, two, three])
    assert outcome == [Landed(each.commit) for each in (one, two, three)]
    assert desk.status() == []
    assert (desk.root / "a.txt").read_text() == "2\n"
    begun = [
        record for record in journal.read(desk.layout.journal).records if record["t"] == "begin"
    ]
    assert len(begun) == 1


def test_a_train_lands_up_to_the_one_that_has_to_wait(desk: Any) -> None:
    one = desk.candidate({"a.txt": "1\n"}, "t1")
    two = desk.candidate({"b.txt": "2\n"}, "t2", base=one.commit)
    (desk.root / "b.txt").write_text("the user's\n")
    first, second = desk.lander().land_many([one, two])
    assert first == Landed(one.commit)
    assert isinstance(second, Waiting)
    assert desk.tip() == one.commit


def test_where_files_cannot_be_exchanged_they_are_linked_and_renamed(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(source: Path, target: Path, flags: int) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(files, "_renameat2", unsupported)
    assert isinstance(desk.land({"a.txt": "new\n", "b.txt": None, "lib/x": "x\n"}), Landed)
    assert (desk.root / "a.txt").read_text() == "new\n"
    assert desk.status() == []


def test_a_worktree_of_a_bare_repository(
    make_checkout: Callable[..., Any], make_desk: Callable[[Any], Any]
) -> None:
    first = make_checkout("first", {"a.txt": "a\n"})
    bare = first.root.parent / "project" / ".git"
    first.git("clone", "--quiet", "--bare", str(first.root), str(bare))
    first.git(
        "-C", str(bare), "worktree", "add", "--quiet", "-b", "side", str(bare.parent / "side")
    )
    desk = make_desk(type(first)(bare.parent / "side"))
    assert isinstance(desk.land({"a.txt": "new\n"}, target="refs/heads/side"), Landed)
    assert desk.status() == []
    assert isinstance(desk.land({"a.txt": "2\n"}, "t2"), Landed)
    assert not (bare.parent / "a.txt").exists()


def test_packed_refs_and_sha256(
    make_checkout: Callable[..., Any], make_desk: Callable[[Any], Any]
) -> None:
    plain = make_checkout("new")
    shutil.rmtree(plain.root / ".git")
    plain.git("init", "--quiet", "--initial-branch=main", "--object-format=sha256")
    plain.commit({"a.txt": "a"})
    plain.git("pack-refs", "--all")
    desk = make_desk(plain)
    assert isinstance(desk.land({"a.txt": "new\n"}), Landed)
    assert len(desk.tip()) == 64
    assert desk.status() == []


def test_a_split_index_and_an_untracked_cache_stay_right(desk: Any) -> None:
    desk.checkout.git("update-index", "--split-index", "--untracked-cache")
    desk.checkout.write({"mine.txt": "m"})
    desk.status()
    desk.land({"lib/x.py": "x\n", "a.txt": "new\n"})
    assert desk.status() == ["?? mine.txt"]


def test_no_hook_runs(desk: Any) -> None:
    ran = desk.root.parent / "ran"
    for name in ("pre-commit", "post-commit", "reference-transaction", "post-checkout"):
        hook = desk.root / ".git/hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\necho {name} >> {ran}\n")
        hook.chmod(0o755)
    desk.land({"a.txt": "new\n"})
    assert not ran.exists()


def test_while_it_lands_the_user_can_commit_nothing(desk: Any, at_point: Order) -> None:
    said = []

    def commit() -> None:
        command = ["git", "commit", "--quiet", "--all", "--message", "mine"]
        done = subprocess.run(command, cwd=desk.root, capture_output=True, text=True, check=False)
        said.append((done.returncode, done.stderr))

    at_point("landing.indexed", commit)
    assert isinstance(desk.land({"a.txt": "new\n"}), Landed)
    assert said[0][0] != 0
    assert "index.lock" in said[0][1]
    assert desk.status() == []


def test_a_full_disk_is_told_and_the_next_try_lands(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIFACTORY_FAILPOINTS", "landing.files=full@1")
    candidate = desk.candidate({"a.txt": "new\n", "lib/x": "x\n"})
    with pytest.raises(DiskFull):
        desk.lander().land(candidate)
    assert desk.status() == []
    assert not (desk.root / "lib").exists()
    monkeypatch.delenv("AIFACTORY_FAILPOINTS")
    assert isinstance(desk.lander().land(candidate), Landed)


def test_too_little_space_is_told_before_anything_is_touched(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landing, "FREE_BYTES", 1 << 60)
    with pytest.raises(DiskFull, match="MiB are needed"):
        desk.land({"a.txt": "new\n"})
    assert desk.status() == []
    assert not list(desk.layout.stage.iterdir())


def test_an_error_behind_the_commit_point_is_no_error(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIFACTORY_FAILPOINTS", "landing.synced=error@1")
    assert isinstance(desk.land({"a.txt": "new\n"}), Landed)
    assert desk.status() == []


def test_a_ref_locked_by_another_command_is_waited_for(desk: Any) -> None:
    lock = desk.root / ".git/refs/heads/main.lock"
    candidate = desk.candidate({"a.txt": "new\n", "lib/x": "x\n"})
    lock.write_text("")
    outcome = desk.lander().land(candidate)
    assert isinstance(outcome, Waiting)
    assert "refs/heads/main locked" in outcome.reason
    assert desk.status() == []
    lock.unlink()
    assert isinstance(desk.lander().land(candidate), Landed)
