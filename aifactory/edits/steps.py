"""Carry out the steps of an answer on a tree in memory, all of them or none."""

from __future__ import annotations

from dataclasses import replace

from aifactory.edits import escapes, fresh, names, outcome, paths
from aifactory.edits.blocks import Delete, Edits, Rename, Step, Update, Write
from aifactory.edits.effort import bounded
from aifactory.edits.evidence import Evidence
from aifactory.edits.overlay import Overlay
from aifactory.edits.patch import agrees, patched
from aifactory.edits.restore import restore
from aifactory.edits.stale import Seen, ShownTree, settled
from aifactory.edits.text import decode, encode
from aifactory.edits.tree import Tree
from aifactory.errors import AttemptFailed, EditRefused, StaleBase
from aifactory.model import sha256

_MOST_FAILED = 4  # steps that fail before the others are not looked at


def apply(edits: Edits, tree: Tree, *, seen: Seen | None = None) -> dict[str, bytes | None]:
    """The new bytes of every path that changes, None for one that goes.

    `seen` holds the files that have changed since the model was shown them, as they were then.
    Raises EditRefused, StaleBase or ScopeViolation; then nothing is to be done.
    """
    seen = seen or {}
    outcome.check_count(edits.steps, tree)
    names.check_unnamed(edits, ShownTree(tree, seen))
    overlay = _overlay(_distinct(edits.steps), tree, seen)
    result = settled(overlay.changes(), overlay.origins, tree, seen)
    changes = {path: data for path, data in result.items() if data != tree.read(path)}
    outcome.check_some(edits, changes)
    outcome.check_modes(edits, tree, changes)
    paths.check_room([path for path, data in changes.items() if data is not None], overlay)
    for path, data in changes.items():
        before, after = decode(tree.read(path) or b""), decode(data or b"")
        if edits.format == "json":
            escapes.check_quotes(before, after, path)
    return changes


@bounded()
def _overlay(steps: list[Step], tree: Tree, seen: Seen) -> Overlay:
    """The tree after all steps. What one shows of the answer's ways helps to read the others."""
    evidence = Evidence(unprefixed=any(_is_known(step.path, tree) for step in steps))
    try:
        overlay = _after(steps, tree, seen, evidence)
    except AttemptFailed:
        if not evidence.found and not evidence.kept:
            raise
    else:
        if not evidence.found:
            return overlay
    return _after(steps, tree, seen, evidence)


def _is_known(path: str, tree: Tree) -> bool:
    """Whether a file has this path, and it has no `a/` or `b/` in front."""
    return not path.startswith(("a/", "b/")) and tree.read(path) is not None


def _after(steps: list[Step], tree: Tree, seen: Seen, evidence: Evidence) -> Overlay:
    overlay = Overlay(ShownTree(tree, seen))
    failed: list[AttemptFailed] = []
    for step in steps:
        try:
            _carry_out(step, overlay, tree, evidence)
        except AttemptFailed as failure:
            failed.append(failure)  # some more are read for what they show
        if len(failed) == _MOST_FAILED:
            break
    if failed:
        raise failed[0]
    return overlay


def _distinct(steps: tuple[Step, ...]) -> list[Step]:
    """Steps that are given twice count once; two texts for one file are refused."""
    known: dict[Step, Step] = {}
    written: dict[str, Step] = {}
    for step in steps:
        same = replace(step, number=0) if not isinstance(step, Update) else step
        if same in known:
            continue
        if isinstance(step, Write) and step.path in written:
            raise EditRefused(
                f"{step.path}: the answer gives two different texts for it",
                next_step="give every file once",
            )
        if isinstance(step, Write):
            written[step.path] = step
        known[same] = step
    return list(known.values())


def _carry_out(step: Step, overlay: Overlay, tree: Tree, evidence: Evidence) -> None:
    if isinstance(step, Write):
        _write(step, overlay, tree, evidence)
    elif isinstance(step, Update):
        _update(step, overlay, tree, evidence)
    elif isinstance(step, Delete):
        _delete(step, overlay, evidence)
    else:
        _rename(step, overlay, evidence)


def _safe(path: str, overlay: Overlay, evidence: Evidence) -> str:
    """The path that is meant; ScopeViolation if it could lead out of the tree."""
    paths.check(path, overlay)
    meant = paths.resolve(path, overlay, evidence)
    if meant != path:
        paths.check(meant, overlay)
        evidence.prefixed |= meant == path[2:]
    return meant


def _write(step: Write, overlay: Overlay, tree: Tree, evidence: Evidence) -> None:
    if step.named:
        paths.check(step.path, overlay)
    path = step.path if step.named else _safe(step.path, overlay, evidence)
    old = overlay.read(path)
    if old is None and not step.named:
        path = names.in_case(step, path, overlay)
        paths.check(path, overlay)
        old = overlay.read(path)
    if step.fresh and old:
        raise EditRefused(
            f"{path}: edit {step.number} creates the file, but it exists",
            next_step="change the file that is there, or name another",
        )
    _check_base(step, path, old, tree.read(path))
    if old is None:
        if not step.named:
            names.check_new(step, path, overlay)
        text = fresh.text_of(step, path, tree, evidence)
    else:
        names.check_known(step, path, old, overlay)
        text = restore(decode(old), step, path, evidence)
        fresh.check_first_depth(decode(old), text, path, tree, evidence)
    overlay.put(path, encode(text, path))


def _check_base(step: Write, path: str, then: bytes | None, now: bytes | None) -> None:
    known = (sha256(then or b""), sha256(now or b""))
    if step.base_sha256 and step.base_sha256.lower() not in known:
        raise StaleBase(
            f"{path}: base_sha256 is {step.base_sha256[:12]}, "
            f"the file's bytes have {known[1][:12]}",
            next_step="look at the file as it is now and give its new text again",
        )


def _update(step: Update, overlay: Overlay, tree: Tree, evidence: Evidence) -> None:
    path = _safe(step.path, overlay, evidence)
    data = overlay.read(path)
    if data is None:
        path, data = _meant(step, path, overlay)
    before = decode(data)
    after = patched(before, step, path, evidence)
    fresh.check_first_depth(before, after, path, tree, evidence)
    overlay.put(path, encode(after, path))


def _meant(step: Update, path: str, overlay: Overlay) -> tuple[str, bytes]:
    """The one file with nearly this name in which all stands that the step says of it."""
    found = [(other, overlay.read(other) or b"") for other in paths.spellings(path, overlay)]
    fitting = [(other, data) for other, data in found if agrees(decode(data), step)]
    if len(fitting) != 1:
        raise paths.missing(path, overlay, step.blocks[0].number)
    paths.check(fitting[0][0], overlay)
    return fitting[0]


def _delete(step: Delete, overlay: Overlay, evidence: Evidence) -> None:
    path = _safe(step.path, overlay, evidence)
    data = overlay.read(path)
    if data is None:
        raise paths.not_there(path, overlay, "which the answer deletes")
    if step.if_empty and data:
        raise EditRefused(
            f"{path}: the diff ends before the lines that it deletes, it seems cut off",
            next_step="give the whole diff again",
        )
    if step.block and patched(decode(data), Update(path, (step.block,)), path, Evidence()):
        raise EditRefused(
            f"{path}: edit {step.number} deletes the file, but does not remove all of its lines",
            next_step="remove every line of the file as it is now",
        )
    overlay.put(path, None)


def _rename(step: Rename, overlay: Overlay, evidence: Evidence) -> None:
    path = _safe(step.path, overlay, evidence)
    prefixed = path == step.path[2:] and step.to.startswith(("a/", "b/"))
    to = step.to[2:] if prefixed else step.to
    paths.check(to, overlay)
    if overlay.read(path) is None:
        raise paths.not_there(path, overlay, "which the answer renames")
    if overlay.read(to) is not None:
        raise EditRefused(
            f"{to}: exists, so {path} cannot be renamed to it",
            next_step="choose another name, or delete the file first",
        )
    overlay.rename(path, to)
