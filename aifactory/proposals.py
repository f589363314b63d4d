"""Pending proposals, readable and reviewable, in `shared/proposals/<task>/`."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from aifactory import files
from aifactory.clashes import clashes
from aifactory.edits.merge import Conflict, merge
from aifactory.errors import StaleBase
from aifactory.layout import Layout
from aifactory.model import Change, Proposal, sha256
from aifactory.tree import GitTree

IGNORE = b"# written by aifactory: what stands here is pending and not for committing\n*\n"


def write(layout: Layout, proposal: Proposal, patch: bytes) -> None:
    """Show a proposal to people: `proposal.json`, `proposal.patch`, the new files."""
    folder = _make_room(layout, proposal.task_id)
    files.atomic_write(folder / "proposal.json", to_json(proposal))
    files.atomic_write(folder / "proposal.patch", patch)


def _make_room(layout: Layout, task_id: str) -> Path:
    """The task's folder, empty."""
    files.make_dir(layout.proposals)
    ignore = layout.proposals / ".gitignore"
    if not ignore.exists():
        files.atomic_write(ignore, IGNORE)
    remove(layout, task_id)
    return files.make_dir(layout.proposals / task_id)


def question_at(layout: Layout, task_id: str) -> Path:
    """Where a person finds what an attempt asks of them."""
    return layout.proposals / task_id / "prompt.md"


def ask(layout: Layout, task_id: str, text: bytes) -> None:
    """Show a person what an attempt asks of them, in place of an earlier proposal."""
    _make_room(layout, task_id)
    files.atomic_write(question_at(layout, task_id), text)


def remove(layout: Layout, task_id: str) -> None:
    folder = layout.proposals / task_id
    if folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(folder)


def to_json(proposal: Proposal) -> bytes:
    return (proposal.model_dump_json(indent=1) + "\n").encode()


def from_json(data: bytes) -> Proposal:
    return Proposal.model_validate_json(data)


def rebase(proposal: Proposal, old: GitTree, new: GitTree, commit: str) -> Proposal:
    """The same change on another base, merged where both touched a file, or StaleBase."""
    changes = tuple(_rebase_change(change, old, new) for change in proposal.changes)
    if all(_made(change, new) and not _made(change, old) for change in changes):
        raise StaleBase("the target branch already holds what the proposal says")
    _check_room(changes, new)
    return proposal.model_copy(update={"base": commit, "changes": changes})


def _made(change: Change, tree: GitTree) -> bool:
    """Whether the tree is already as the change says."""
    there = tree.read(change.path)
    return there == change.content and (there is None or tree.mode(change.path) == change.mode)


def _check_room(changes: Sequence[Change], new: GitTree) -> None:
    """Raise StaleBase for a new file that cannot stand beside what has come meanwhile."""
    if any(change.base_sha256 is None for change in changes):
        for path, why in clashes(changes, {at: entry.mode for at, entry in new.entries.items()}):
            raise _stale(path, f"{why} on the target branch by now")


def _rebase_change(change: Change, old: GitTree, new: GitTree) -> Change:
    before, now = old.read(change.path), new.read(change.path)
    modes = old.mode(change.path), new.mode(change.path)
    if before == now and modes[0] == modes[1]:
        return change
    if before is None:
        raise _stale(change.path, "has come into being on the target branch")
    if now is None:
        raise _stale(change.path, "is gone from the target branch")
    if change.content is None:
        raise _stale(change.path, "was to go, and has changed on the target branch")
    try:
        merged = merge(
            *(data.decode(errors="surrogateescape") for data in (before, change.content, now))
        )
    except Conflict as conflict:
        what = f"the target branch changed the same place, {conflict} as you saw it"
        raise _stale(change.path, what) from None
    content = merged.encode(errors="surrogateescape")
    mode = modes[1] if change.mode == modes[0] else change.mode
    return change.model_copy(update={"content": content, "base_sha256": sha256(now), "mode": mode})


def _stale(path: str, what: str) -> StaleBase:
    return StaleBase(
        f"{path}: {what}",
        next_step="look at the files as they are now and make the change again",
    )
