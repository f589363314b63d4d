"""The lines of one file, ready to be searched at every level of tolerance."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain, islice
from typing import NamedTuple

from aifactory.edits.likeness import KEYS, Level, indent
from aifactory.edits.text import BOM, FileLine, join, split

_PROSE = re.compile(
    r"(?:^|/)[^./]*$"
    r"|\.(?:md|mdx|markdown|qmd|rmd|rst|txt|adoc|html?|xhtml|po|pot|tex)$",
    re.IGNORECASE,
)
_MANY = 8  # places of a line that are looked at one by one
_MOST_PLACES = 500
_TAB_SIZES = (4, 8)  # columns that a tab is likely to stand for


class Splice(NamedTuple):
    """Rows `low` to `high` of a file become `lines`."""

    low: int
    high: int
    lines: tuple[FileLine, ...]


class View:
    """Lines of a file that blocks are applied to, with what each level makes of them."""

    def __init__(self, text: str, path: str = "") -> None:
        self.prose = bool(_PROSE.search(path))
        """Whether the file is one for people, who write typographic characters."""
        self.lines = split(text)
        self._plain = text.isascii()
        self.original = [True] * len(self.lines)
        """Which lines stood there before any block was applied."""
        self._first: View | None = None
        self._keys: dict[Level, list[str]] = {}
        self._rows: dict[Level, dict[str, list[int]]] = {}
        self._coded: dict[Level, tuple[dict[str, str], str]] = {}

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
        return frozenset(chain.from_iterable(line.text for line in self.lines))

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

    @property
    def text(self) -> str:
        return join(self.lines)

    def _level(self, level: Level) -> Level:
        """The strictest level at which the lines have the same keys."""
        return min(level, Level.INDENT) if self._plain else level

    def keys(self, level: Level) -> list[str]:
        level = self._level(level)
        if level not in self._keys:
            self._keys[level] = [KEYS[level](line.text) for line in self.lines]
        return self._keys[level]

    def rows(self, level: Level = Level.DRIFT) -> dict[str, list[int]]:
        """Where each line stands, by its key."""
        level = self._level(level)
        if level not in self._rows:
            rows: dict[str, list[int]] = {}
            for at, key in enumerate(self.keys(level)):
                rows.setdefault(key, []).append(at)
            self._rows[level] = rows
        return self._rows[level]

    def places(self, wanted: Sequence[str], level: Level) -> list[int]:
        """Every row at which the keys `wanted` follow each other; at most some thousands."""
        rows = self.rows(level)
        if not wanted or any(key not in rows for key in wanted):
            return []
        rarest = min(range(len(wanted)), key=lambda at: len(rows[wanted[at]]))
        if len(rows[wanted[rarest]]) > _MANY:
            return list(islice(self._find_all(wanted, level), _MOST_PLACES))
        keys, size = self.keys(level), len(wanted)
        starts = (row - rarest for row in rows[wanted[rarest]])
        return [at for at in starts if at >= 0 and keys[at : at + size] == wanted]

    def _find_all(self, wanted: Sequence[str], level: Level) -> Iterator[int]:
        """Linear search, whatever repeats: keys become letters, and lists of them texts."""
        level = self._level(level)
        if level not in self._coded:
            names: dict[str, str] = {}
            hay = "".join([names.setdefault(key, chr(len(names))) for key in self.keys(level)])
            self._coded[level] = names, hay
        names, hay = self._coded[level]
        needle = "".join([names[key] for key in wanted])
        at = hay.find(needle)
        while at >= 0:
            yield at
            at = hay.find(needle, at + 1)

    def splice(self, splice: Splice) -> None:
        """Replace rows, and keep what is known of all the others."""
        low, high, lines = splice
        self._first = self._first or View(self.text)
        self.lines[low:high] = lines
        self.original[low:high] = [False] * len(lines)
        for level, keys in self._keys.items():
            keys[low:high] = [KEYS[level](line.text) for line in lines]
        self._rows, self._coded = {}, {}
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
