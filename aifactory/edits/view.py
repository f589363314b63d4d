"""The lines of one file, ready to be searched at every level of tolerance."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import NamedTuple

from aifactory.edits.effort import spend
from aifactory.edits.escapes import has_entity
from aifactory.edits.kin import needs_tabs
from aifactory.edits.likeness import KEYS, Level, indent
from aifactory.edits.text import BOM, FileLine, join, split
from aifactory.errors import EditRefused

_PROSE = re.compile(
    r"(?:^|/)[^./]*$"
    r"|\.(?:md|mdx|markdown|qmd|rmd|rst|txt|adoc|html?|xhtml|po|pot|tex)$",
    re.IGNORECASE,
)
HEADING = re.compile(r"[A-Za-z_$]")
"""Begins a line that begins a unit, as Git sees it."""
_MOST_PLACES = 500
_STEPS = 8  # of effort, to look at a line
_STEPS_TO_JOIN = 2
_SPLICED = 20  # lines that are moved in a step
_SOUGHT = 50  # lines that are searched through in a step
_TAB_SIZES = (4, 8)  # columns that a tab is likely to stand for


class Splice(NamedTuple):
    """Rows `low` to `high` of a file become `lines`."""

    low: int
    high: int
    lines: tuple[FileLine, ...]


def is_prose(path: str) -> bool:
    """Whether the file is one for people, who write typographic characters, and dots."""
    return _PROSE.search(path) is not None


class View:
    """Lines of a file that blocks are applied to, with what each level makes of them."""

    def __init__(self, text: str, path: str = "") -> None:
        self.prose = is_prose(path)
        self.needs_tabs = needs_tabs(path)
        self._text: str | None = text
        self._plain = text.isascii()
        self._spliced = False
        self._first: View | None = None
        self._keys: dict[Level, list[str]] = {}
        self._rows: dict[Level, dict[str, list[int]]] = {}
        self._coded: dict[Level, tuple[dict[str, str], str]] = {}

    @cached_property
    def lines(self) -> list[FileLine]:
        lines = split(self.text)
        spend(_STEPS * len(lines))
        return lines

    @cached_property
    def original(self) -> list[bool]:
        """Which lines stood there before any block was applied."""
        return [True] * len(self.lines)

    @cached_property
    def depths(self) -> Counter[str]:
        """Every indentation that the file had at first, and how often."""
        return Counter(indent(line.text) for line in self.lines if line.text.strip())

    def is_foreign(self, white: str) -> bool:
        """Whether lines are indented, but none with `white`: a tab, or two spaces."""
        other = "  " if white == "\t" else "\t"
        return not self._count(white) and self._count(other) > 0

    def writes_otherwise(self, white: str) -> bool:
        """Whether the file writes an indentation of spaces with tabs, and never as here."""
        if white in self.depths or "\t" in white:
            return False
        return any(
            "\t" in depth and white == depth.expandtabs(size)
            for depth in self.depths
            for size in _TAB_SIZES
        )

    def _count(self, white: str) -> int:
        return sum(count for depth, count in self.depths.items() if white in depth)

    def had_once(self, wanted: Sequence[str]) -> bool:
        """Whether these lines followed each other in one place of the file at first."""
        return self._first is not None and len(self._first.places(wanted, Level.EXACT)) == 1

    @cached_property
    def ends(self) -> frozenset[str]:
        """The kinds of line ends that the file has."""
        return frozenset(line.end for line in self.lines if line.end)

    @cached_property
    def characters(self) -> frozenset[str]:
        """Every character that stood in the file at first."""
        return frozenset(self.text) - {"\n"}

    def holds(self, char: str) -> bool:
        return char in self.characters

    @cached_property
    def holds_odd_bytes(self) -> bool:
        """Whether some bytes are not UTF-8."""
        return any("\udc80" <= char <= "\udcff" for char in self.characters)

    @cached_property
    def holds_letters(self) -> bool:
        """Whether there is something in UTF-8 beyond ASCII."""
        odd = {chr(code) for code in range(0xDC80, 0xDD00)} | {BOM, "\ufffd"}
        return any(char > "\x7f" and char not in odd for char in self.characters)

    @cached_property
    def headings(self) -> list[int]:
        """The rows, at first, of lines that begin a unit."""
        return [at for at, line in enumerate(self.lines) if HEADING.match(line.text)]

    @cached_property
    def has_entities(self) -> bool:
        """Whether the file has entities of HTML."""
        return any(has_entity(line.text) for line in self.lines)

    @property
    def text(self) -> str:
        if self._text is None:
            self._text = join(self.lines)
            spend(_STEPS_TO_JOIN * len(self.lines))
        return self._text

    def _level(self, level: Level) -> Level:
        """The strictest level at which the lines have the same keys."""
        return min(level, Level.INDENT) if self._plain else level

    def keys(self, level: Level) -> list[str]:
        level = self._level(level)
        if level not in self._keys:
            self._keys[level] = [KEYS[level](line.text) for line in self.lines]
            spend(_STEPS * len(self.lines))
        return self._keys[level]

    def rows(self, level: Level = Level.DRIFT) -> Mapping[str, list[int]]:
        """Where each line stands, by its key."""
        level = self._level(level)
        if self._spliced:
            return _Rows(*self._code(level))
        if level not in self._rows:
            rows: dict[str, list[int]] = {}
            for at, key in enumerate(self.keys(level)):
                rows.setdefault(key, []).append(at)
            self._rows[level] = rows
            spend(_STEPS * len(self.lines))
        return self._rows[level]

    def places(self, wanted: Sequence[str], level: Level) -> list[int]:
        """Every row at which the keys `wanted` follow each other; at most some hundreds."""
        names, hay = self._code(self._level(level))
        if not wanted or any(key not in names for key in wanted):
            return []
        return list(islice(_find_all(hay, _coded(wanted, names)), _MOST_PLACES))

    def _code(self, level: Level) -> tuple[dict[str, str], str]:
        """The letter of each key, and the text that the keys of all lines are in these."""
        if level not in self._coded:
            names: dict[str, str] = {}
            self._coded[level] = names, _coded(self.keys(level), names)
        return self._coded[level]

    def replace(self, low: int, high: int, new: str) -> None:
        """Replace letters `low` to `high` of the text."""
        start = self.text.rfind("\n", 0, low) + 1
        end = self.text.find("\n", high) + 1 or len(self.text)
        row = self.text.count("\n", 0, start)
        lines = split(self.text[start:low] + new + self.text[high:end])
        self.splice(Splice(row, row + len(split(self.text[start:end])), tuple(lines)))

    def settle(self) -> None:
        """Take what was done so far for what stood there before any block was applied."""
        self._first = None
        self.original[:] = [True] * len(self.lines)

    def splice(self, splice: Splice) -> None:
        """Replace rows, and keep what is known of all the others."""
        low, high, lines = splice
        self._first = self._first or View(self.text)
        self.lines[low:high] = lines
        self.original[low:high] = [False] * len(lines)
        for level, keys in self._keys.items():
            keys[low:high] = new = [KEYS[level](line.text) for line in lines]
            if level in self._coded:
                names, hay = self._coded[level]
                self._coded[level] = names, hay[:low] + _coded(new, names) + hay[high:]
        self._rows = {}
        self._text, self._spliced = None, True
        spend(len(self.lines) // _SPLICED + 1)
        self._plain = self._plain and all(line.text.isascii() for line in lines)

    def spliced(self, splices: Sequence[Splice]) -> str:
        """The text after all splices, which are in order and do not overlap."""
        parts: list[FileLine] = []
        at = 0
        for low, high, lines in splices:
            parts += self.lines[at:low]
            parts += lines
            at = high
        return join(parts + self.lines[at:])


class _Rows(Mapping[str, list[int]]):
    """The first rows of each key, searched when they are asked for."""

    def __init__(self, names: dict[str, str], hay: str) -> None:
        self._names, self._hay = names, hay

    def __getitem__(self, key: str) -> list[int]:
        spend(len(self._hay) // _SOUGHT + 1)
        if rows := list(islice(_find_all(self._hay, self._names[key]), _MOST_PLACES)):
            return rows
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _coded(keys: Sequence[str], names: dict[str, str]) -> str:
    """A text with one letter for each key, so that lists of keys are found as fast as texts."""
    if len(names) + len(keys) > sys.maxunicode:
        raise EditRefused(
            f"the file has more than {sys.maxunicode} lines",
            next_step="change it with JSON, which replaces text for text",
        )
    return "".join([names.setdefault(key, chr(len(names))) for key in keys])


def _find_all(hay: str, needle: str) -> Iterator[int]:
    """Linear, whatever repeats."""
    at = hay.find(needle)
    while at >= 0:
        yield at
        at = hay.find(needle, at + 1)
