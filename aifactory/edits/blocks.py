"""What every format of an answer is turned into: steps on paths, blocks of marked lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple

Format = Literal["whole", "search_replace", "udiff", "v4a", "json"]
Mark = Literal[" ", "-", "+"]


class Line(NamedTuple):
    """One line of a block: kept (` `), removed (`-`) or added (`+`); `text` has no line feed.

    `ended` is False where the answer says that the file has no newline after this line.
    """

    mark: Mark
    text: str
    ended: bool = True


@dataclass(frozen=True)
class Block:
    """One place of one file to change: hunk of a diff, pair of SEARCH and REPLACE, `replace`.

    `number` is the place in the answer, from 1. `start` is the line number that the answer claims,
    `delta` how far it says that lines before have moved it, `heading` what stood behind `@@`.
    """

    number: int
    lines: tuple[Line, ...]
    anchors: tuple[str, ...] = ()
    heading: str = ""
    start: int | None = None
    delta: int = 0
    exact_counts: bool = False
    at_end: bool = False
    says_newline: bool = False
    literal: tuple[str, str] | None = None
    """Old and new text where the format replaces text and not lines."""
    others: tuple[Block, ...] = ()
    """Other ways to read the block, where the answer can be read in several."""

    @cached_property
    def old(self) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if line.mark != "+")

    @cached_property
    def new(self) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if line.mark != "-")


@dataclass(frozen=True)
class Write:
    """The whole text of a file. `fresh`: the answer says that the file is new."""

    path: str
    text: str
    number: int
    fresh: bool = False
    base_sha256: str | None = None
    explicit: bool = True
    """False where the name was found in prose: on a line above a fence."""
    exact_end: bool = True
    """False where the format cannot say whether the last line has a newline."""
    named: bool = False
    """Whoever asked named this path for a new file: it is no slip and has no stray prefix."""


@dataclass(frozen=True)
class Update:
    """Blocks of one file. `in_order`: a block may build on the result of one before it."""

    path: str
    blocks: tuple[Block, ...]
    in_order: bool = False
    identity: tuple[str, str] | None = None
    """Abbreviated ids of the file before and after, as Git names blobs."""


@dataclass(frozen=True)
class Delete:
    """The file goes; `text` is what the answer says stood in it, None where it says nothing."""

    path: str
    number: int
    block: Block | None = None
    if_empty: bool = False
    """Only if the file is empty: the answer shows nothing of it, and may be cut off there."""


@dataclass(frozen=True)
class Rename:
    path: str
    to: str
    number: int


Step = Write | Update | Delete | Rename


@dataclass(frozen=True)
class Edits:
    """A parsed answer: what it wants done, step by step, nothing of it done yet."""

    format: Format
    steps: tuple[Step, ...]
    summary: str = ""
    modes: Mapping[str, str] = field(default_factory=dict)
    """Path to `100755` or `100644`, where the answer says so."""
    unnamed: tuple[str, ...] = ()
    """Texts in code fences without a name: examples, or files whose name is missing."""

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path that the answer names, in its order, each once."""
        named = [path for step in self.steps for path in _paths(step)]
        return tuple(dict.fromkeys([*named, *self.modes]))


def _paths(step: Step) -> tuple[str, ...]:
    return (step.path, step.to) if isinstance(step, Rename) else (step.path,)
