"""What a unified diff says about each of its files, as Git and as models write it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from aifactory.edits.blocks import Block
from aifactory.edits.formats.fences import Fence, fence
from aifactory.edits.formats.hunks import HUNK, begins_part, is_headless, read_hunk
from aifactory.edits.paths import unquoted
from aifactory.errors import AnswerUnusable

CUT = "give the whole diff again"
_GIT = re.compile(r"diff --git (.+)")
_INDEX = re.compile(r"index ([0-9a-f]{7,64})\.\.([0-9a-f]{7,64})")
_EXTENDED = re.compile(
    r"(new file mode|deleted file mode|old mode|new mode|rename from|rename to|copy from|copy to|"
    r"similarity index|dissimilarity index) (.*)"
)
_RENAME = re.compile(r"(?:rename|copy) (?:from|to) \S")
_FIRST = frozenset("`~d-@rc \t")  # letters that lines outside of hunks may begin with


@dataclass
class Section:
    """What a diff says about one file, as it is read."""

    number: int
    old: str = ""
    new: str = ""
    says: dict[str, str] = field(default_factory=dict)
    """What stands behind each of Git's extended headers."""
    hunks: list[Block] = field(default_factory=list)
    index: tuple[str, str] | None = None
    git: bool = False
    named: bool = False
    """By `---` and `+++`, or the first of them."""
    last: bool = False
    """At the end of an answer without a fence: it may be cut off."""

    @property
    def called(self) -> str:
        """How a refusal names the file."""
        return _plain(self.old if self.new == "/dev/null" else self.new)

    @property
    def bare(self) -> bool:
        return not self.hunks and not self.says


def read_sections(answer: str) -> list[Section]:
    """What the diff says about each file; AnswerUnusable if it is cut off, or does not say of
    which.
    """
    return _Reader(answer.split("\n")).read()


class _Reader:
    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._last = max((at for at, line in enumerate(lines) if line.strip()), default=0)
        self._sections: list[Section] = []
        self._opener: Fence | None = None
        self._fenced = False
        self._counts = True
        """No header of a hunk has counted wrongly."""
        self._number = 0

    def read(self) -> list[Section]:
        at = 0
        while at < len(self._lines):
            line = self._lines[at].rstrip("\r")
            at = self._read(line, at) if line[:1] in _FIRST or self._in_header else at + 1
        if self._sections and not self._fenced:
            self._sections[-1].last = True
        if self._opener and self._sections:
            raise AnswerUnusable(
                "the code fence around the diff is never closed, it seems cut off", next_step=CUT
            )
        return self._sections

    @property
    def _in_header(self) -> bool:
        return bool(self._sections) and not self._sections[-1].hunks

    def _read(self, line: str, at: int) -> int:
        """Take in the line at row `at`, or the hunk that begins there; the row behind it."""
        if found := fence(line):
            self._take_fence(found)
        elif git := _GIT.fullmatch(line):
            old, new = _both(git[1])
            self._sections.append(Section(len(self._sections) + 1, old, new, git=True))
        elif self._is_names(at):
            return self._take_names(line, at)
        elif self._sections and (HUNK.match(line) or is_headless(self._lines, at)):
            return self._take_hunk(at)
        elif self._in_header:
            _read_extended(self._sections[-1], line)
        else:
            self._check_stray(line, at)
        return at + 1

    def _take_fence(self, found: Fence) -> None:
        if self._opener is None or found.closes(self._opener):
            self._opener = None if self._opener else found
        self._fenced = True

    def _is_names(self, at: int) -> bool:
        first, second = self._lines[at], self._lines[at + 1 : at + 2]
        return first.startswith("--- ") and bool(second) and second[0].startswith("+++ ")

    def _take_names(self, line: str, at: int) -> int:
        old, new = _name(line), _name(self._lines[at + 1])
        if not self._in_header or not _may_have(self._sections[-1], old, new):
            self._sections.append(Section(len(self._sections) + 1))
        section = self._sections[-1]
        section.old, section.new = old, new
        section.named = True
        return at + 2

    def _take_hunk(self, at: int) -> int:
        self._number += 1
        section = self._sections[-1]
        try:
            hunk, behind = read_hunk(
                self._lines, at, self._number, self._last, self._opener, self._counts
            )
        except AnswerUnusable as error:
            told = f"{section.called}: {error.message}"
            raise AnswerUnusable(told, next_step=error.next_step) from None
        self._counts = self._counts and hunk.exact_counts
        section.hunks.append(hunk)
        return behind

    def _check_stray(self, line: str, at: int) -> None:
        """Raise if a line outside of all files belongs to one that is not named."""
        if line.startswith("@@ -") and HUNK.match(line):
            raise AnswerUnusable("the diff does not say which file it changes (`---`, `+++`)")
        if _RENAME.match(line) and not (self._sections and self._sections[-1].git):
            raise AnswerUnusable("the diff renames a file without a line `diff --git`")
        if self._sections and line and at == len(self._lines) - 1 and begins_part(line):
            raise AnswerUnusable("the diff ends where another part begins", next_step=CUT)


def _both(names: str) -> tuple[str, str]:
    """Old and new name of a `diff --git` line; they are the same unless the file is renamed."""
    if names.startswith('"'):
        quoted = re.findall(r'"(?:[^"\\]|\\.)*+"|\S+', names)
        return (unquoted(quoted[0]), unquoted(quoted[-1])) if len(quoted) == 2 else ("", "")
    middle = len(names) // 2
    first, second = names[:middle], names[middle + 1 :]
    alike = first == second or (first[1:2] == second[1:2] == "/" and first[2:] == second[2:])
    if len(names) % 2 and names[middle] == " " and alike:
        return first, second
    words = names.split(" ")
    return (words[0], words[1]) if len(words) == 2 else ("", "")


def _may_have(section: Section, old: str, new: str) -> bool:
    """Whether `---` and `+++` with these names belong to the section. One of Git's that changes a
    mode is whole without them, so others begin another.
    """
    known = {_plain(section.old), _plain(section.new)}
    return section.git and (
        "old mode" not in section.says or bool(known & {_plain(old), _plain(new)})
    )


def _plain(name: str) -> str:
    return name[2:] if name[:2] in ("a/", "b/") else name


def _name(line: str) -> str:
    """The name behind `---` or `+++`, without the time that `diff` writes behind it."""
    return unquoted(line[4:].split("\t")[0].strip())


def _read_extended(section: Section, line: str) -> None:
    if line.startswith(("GIT binary patch", "Binary files ")):
        raise AnswerUnusable("a diff of binary files cannot be applied")
    section.named |= line.startswith("--- ")
    if match := _INDEX.match(line):
        section.index = match[1], match[2]
    if match := _EXTENDED.fullmatch(line):
        section.says[match[1]] = match[2].strip()
