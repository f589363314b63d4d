"""Pending proposals, readable and reviewable, in `shared/proposals/<task>/`."""

from __future__ import annotations

import shutil
from pathlib import Path

from aifactory import files
from aifactory.edits import Tree
from aifactory.edits.merge import Conflict, merge
from aifactory.errors import StaleBase
from aifactory.layout import Layout
from aifactory.model import Change, Proposal, sha256

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


def rebase(proposal: Proposal, old: Tree, new: Tree, commit: str) -> Proposal:
    """The same change on another base, merged where both touched a file, or StaleBase."""
    changes = tuple(_rebase_change(change, old, new) for change in proposal.changes)
    if all(old.read(one.path) != one.content == new.read(one.path) for one in changes):
        raise StaleBase("the target branch already holds what the proposal says")
    return proposal.model_copy(update={"base": commit, "changes": changes})


def _rebase_change(change: Change, old: Tree, new: Tree) -> Change:
    before, now = old.read(change.path), new.read(change.path)
    if before == now:
        return change
    if before is None or now is None or change.content is None:
        raise StaleBase(f"{change.path} was added or removed on the target branch meanwhile")
    try:
        merged = merge(
            *(data.decode(errors="surrogateescape") for data in (before, change.content, now))
        )
    except Conflict as conflict:
        raise StaleBase(
            f"{change.path}: the target branch changed the same place, {conflict}"
        ) from None
    content = merged.encode(errors="surrogateescape")
    return change.model_copy(update={"content": content, "base_sha256": sha256(now)})
