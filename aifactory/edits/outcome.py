"""What an answer comes to as a whole: something, not too much, no mode without its file."""

from __future__ import annotations

from collections.abc import Mapping

from aifactory.edits import paths
from aifactory.edits.blocks import Edits, Step, Write
from aifactory.edits.tree import Tree
from aifactory.errors import EditRefused

_MOST_NEW = 200
_NAMED = 3


def check_count(steps: tuple[Step, ...], tree: Tree) -> None:
    """Raise if more files are new than can be compared with the others by name."""
    new = {step.path for step in steps if isinstance(step, Write)}
    if len(new) > _MOST_NEW and sum(tree.read(path) is None for path in new) > _MOST_NEW:
        raise EditRefused(
            f"the answer makes more than {_MOST_NEW} new files",
            next_step="make fewer files in one answer",
        )


def check_some(edits: Edits, changes: Mapping[str, bytes | None]) -> None:
    """Raise if nothing changes. A mode alone may be a change."""
    if changes or set(edits.modes) - {step.path for step in edits.steps}:
        return
    more = ", ..." if len(edits.paths) > _NAMED else ""
    raise EditRefused(
        "the answer changes nothing: what it says is already so in "
        f"{', '.join(edits.paths[:_NAMED])}{more}",
        next_step="compare with the files as they are now",
    )


def check_modes(edits: Edits, tree: Tree, changes: Mapping[str, bytes | None]) -> None:
    """Raise for a mode that no file is there for, after all steps."""
    for path in edits.modes:
        paths.check(path, tree)
        if (changes[path] if path in changes else tree.read(path)) is None:
            raise paths.not_there(path, tree, "of which the answer changes the mode")
