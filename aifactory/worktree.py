"""The user's checkouts: which has the target, and is somebody in the middle of something."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from aifactory.git import Repository
from aifactory.intent import Worktree

BUSY = {
    "MERGE_HEAD": "a merge",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase",
    "BISECT_LOG": "a bisect",
    "sequencer": "a series of picks",
}


def worktrees(repository: Repository) -> Iterator[Worktree]:
    """Every checkout of the repository that can be reached."""
    common = repository.git_dir
    if main := _main_root(repository):
        yield Worktree(main, common)
    for name in sorted((common / "worktrees").glob("*/gitdir")):
        # Newer Git may keep this path relative to the directory that it lies in.
        root = (name.parent / name.read_text().strip()).parent
        if root.is_dir():
            yield Worktree(root.resolve(), name.parent)


def _main_root(repository: Repository) -> Path | None:
    common = repository.git_dir
    own = repository.root / ".git"
    if own.is_dir() and own.resolve() == common.resolve():
        return repository.root
    if own.is_file():
        named = own.read_text().removeprefix("gitdir:").strip()
        if (repository.root / named).resolve() == common.resolve():
            return repository.root
    if (
        common.name != ".git"
        or repository.user_settings(r"^core\.bare$").get("core.bare") == "true"
    ):
        return None
    return common.parent


def head(repository: Repository, git_dir: Path) -> str:
    """The ref that is checked out there; `""` when HEAD is detached."""
    path = git_dir / "HEAD"
    text = "" if path.is_symlink() else path.read_text().strip()
    if text.startswith("ref: ") and not text.endswith("/.invalid"):
        return text.removeprefix("ref: ")
    out = repository.run("symbolic-ref", "-q", "HEAD", env={"GIT_DIR": str(git_dir)}, ok=(0, 1))
    return out.decode().strip()


def with_target(repository: Repository, target: str) -> list[Worktree]:
    """The checkouts that have the target branch checked out."""
    return [one for one in worktrees(repository) if head(repository, one.git_dir) == target]


def busy(worktree: Worktree) -> str:
    """What the user is in the middle of, as a sentence; `""` for nothing."""
    for name, what in BUSY.items():
        if (worktree.git_dir / name).exists():
            return f"{what} is in progress in {worktree.root}"
    return ""


def rebasing(repository: Repository, target: str) -> str:
    """Whether the target is being rebased somewhere, with HEAD detached meanwhile."""
    for one in worktrees(repository):
        for name in ("rebase-merge", "rebase-apply"):
            branch = one.git_dir / name / "head-name"
            if branch.exists() and branch.read_text().strip() == target:
                return (
                    f"a rebase of {target.removeprefix('refs/heads/')} is in progress in {one.root}"
                )
    return ""
