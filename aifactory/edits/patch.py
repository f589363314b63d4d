"""Carry out the blocks of one file: all at once, or one on the result of the other."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from aifactory.edits import numbers, replacing
from aifactory.edits.blocks import Block, Update
from aifactory.edits.evidence import Evidence
from aifactory.edits.likeness import KEYS, Level, telling
from aifactory.edits.match import Place, find
from aifactory.edits.refusals import Ambiguous
from aifactory.edits.rewrite import splices
from aifactory.edits.view import Splice, View
from aifactory.errors import EditRefused

_MOST_UNCLEAR = 20  # blocks of one file that fit several places before it is given up


def patched(text: str, update: Update, path: str, evidence: Evidence) -> str:
    """The text of a file after all blocks of `update`. Raises EditRefused."""
    blocks = list(update.blocks)
    if not update.in_order:
        return _as_git_says(text, update, path, evidence) or _at_once(
            View(text, path), blocks, path, evidence
        )
    if len(blocks) > 1 and all(block.literal is None and not block.others for block in blocks):
        view = View(text, path)
        try:
            return _at_once(view, blocks, path, evidence)
        except EditRefused:
            return _one_by_one(text, blocks, path, evidence, view)  # one may build on another
    return _one_by_one(text, blocks, path, evidence)


def agrees(text: str, update: Update) -> bool:
    """Whether all that the update says of a file, and it says something, stands in this text."""
    view = View(text)
    return all(_agrees(block, text, view) for block in update.blocks)


def _agrees(block: Block, text: str, view: View) -> bool:
    if block.literal is not None:
        return telling(block.literal[0]) and block.literal[0] in text
    keys = [KEYS[Level.EXACT](line.text) for line in block.old]
    return any(map(telling, keys)) and bool(view.places(keys, Level.EXACT))


def _at_once(view: View, blocks: list[Block], path: str, evidence: Evidence) -> str:
    places: list[Place] = []
    for found in _places(blocks, view, path):
        if isinstance(found, Ambiguous):
            raise found
        places.append(found)
    return _spliced(blocks, places, view, path, evidence)


def _as_git_says(text: str, update: Update, path: str, evidence: Evidence) -> str | None:
    """The text with every block where its number says, if that gives the blob that is named."""
    if not update.identity or not numbers.is_blob(text, update.identity[0]):
        return None
    blocks, view = list(update.blocks), View(text, path)
    places = numbers.named(blocks, _places(blocks, view, path))
    after = _spliced(blocks, places, view, path, evidence)
    return after if numbers.is_blob(after, update.identity[1]) else None


def _places(blocks: list[Block], view: View, path: str) -> list[Place | Ambiguous]:
    found: list[Place | Ambiguous] = []
    for block in blocks:
        try:
            place = find(block, view, path)
        except Ambiguous as unclear:
            found.append(unclear)
            if sum(isinstance(item, Ambiguous) for item in found) > _MOST_UNCLEAR:
                raise
            continue
        numbers.check(block, place, view, path)
        found.append(place)
    return found


def _spliced(
    blocks: list[Block], places: list[Place], view: View, path: str, evidence: Evidence
) -> str:
    found: list[Splice] = []
    refused: EditRefused | None = None
    for block, place in zip(blocks, places, strict=True):
        try:
            found += splices(block, place, view, path, evidence)
        except EditRefused as refusal:
            refused = refused or refusal  # the others are read for what they show
    if refused:
        raise refused
    return view.spliced(_in_order(found, path))


def _one_by_one(
    text: str, blocks: list[Block], path: str, evidence: Evidence, view: View | None = None
) -> str:
    first = View(text, path)
    for block in blocks:
        replacing.learn(text, block, evidence)
    for block in blocks:
        chosen = block
        if block.literal is not None:
            text = view.text if view else text
            if replacement := replacing.replaced(text, block, path, evidence, first):
                low, high, new = replacement
                text = text[:low] + new + text[high:]
                if view:
                    view.replace(*replacement)
                continue
            chosen = replacing.by_lines(block, path)
            if view:
                view.settle()
        view = view or View(text, path)
        chosen, place = _read(chosen, view, path)
        for splice in reversed(_in_order(splices(chosen, place, view, path, evidence), path)):
            view.splice(splice)
    return view.text if view else text


def _read(block: Block, view: View, path: str) -> tuple[Block, Place]:
    """The block in the reading that the file confirms: the one with most lines that are there."""
    if not block.others:
        return block, find(block, view, path)
    readings = (replace(block, others=()), *block.others)
    fitting = [reading for reading in readings if len(_spaced_places(reading, view)) == 1]
    if not fitting:
        raise EditRefused(
            f"{path}: block {block.number} can be divided in several ways, and none fits one place",
            next_step="choose lines to search for that do not look like the divider",
        )
    chosen = max(fitting, key=lambda reading: len(reading.old))
    return chosen, find(chosen, view, path)


def _spaced_places(block: Block, view: View) -> list[int]:
    return view.places([KEYS[Level.SPACE](line.text) for line in block.old], Level.SPACE)


def _in_order(found: list[Splice], path: str) -> list[Splice]:
    """The splices from the first to the last. Raises EditRefused if two touch the same lines."""
    order = sorted(found, key=lambda splice: (splice.low, splice.high))
    for first, second in pairwise(order):
        together = first.low == first.high == second.low == second.high
        if together or second.low < first.high:
            raise EditRefused(
                f"{path}: two edits change the same lines (line {second.low + 1})",
                next_step="give each change once, or join the two",
            )
    return order
