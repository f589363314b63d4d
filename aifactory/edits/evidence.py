"""What an answer shows of the ways in which it strays from the files, for all of its blocks."""

from __future__ import annotations

from dataclasses import dataclass, field

from aifactory.edits.indentation import Shift


@dataclass
class Evidence:
    """Collected while an answer is applied; what is found makes a second round worth while."""

    plain: dict[int, str | None] = field(default_factory=dict)
    """Characters that stand where the files have plain ones; None where that is not clear."""
    lost: set[tuple[str, str]] = field(default_factory=set)
    """Typographic characters of the files that the answer has in plain form, and that form."""
    composed: bool = False
    """The answer takes letters and their accents apart, the files do not."""
    latin: bool = False
    """The answer has letters where the files have bytes of an older encoding."""
    exact_bytes: bool = False
    """The answer has such bytes as they are."""
    returns: bool = False
    """The answer ends lines with CRLF where the files do not."""
    feeds: bool = False
    """The answer ends lines with LF where the files have CRLF."""
    trails: bool = False
    """The answer has white space at the end of lines where the files have none."""
    prefixed: bool = False
    """The answer has the `a/` or `b/` of a diff in front of paths."""
    unprefixed: bool = False
    """It names files of the tree without them."""
    numbered: bool = False
    """The answer has numbers in front of the lines of a file."""
    kept: set[str] = field(default_factory=set)
    """Indentations of the files that the answer has as they are."""
    tabs: Shift | None = None
    """How the answer's tabs and spaces become the files'."""

    def learn(self, char: str, plain: str | None) -> None:
        """Note what a character of the answer stands for; None once it stands for two things."""
        if plain is not None:
            known = self.plain.setdefault(ord(char), plain)
            self.plain[ord(char)] = plain if known == plain else None

    @property
    def found(self) -> bool:
        characters = self.plain or self.lost or self.composed or self.latin or self.exact_bytes
        ends = self.returns or self.feeds or self.trails
        return bool(characters or ends or self.prefixed or self.numbered or self.tabs)
