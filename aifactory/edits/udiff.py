"""Unified diffs, as Git and as models write them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from aifactory.edits.blocks import Block, Delete, Rename, Step, Update, Write
from aifactory.edits.fences import Fence, fence
from aifactory.edits.hunks import HUNK, Hunk, begins_part, is_headless, read_hunk
from aifactory.edits.margins import is_set_off
from aifactory.edits.paths import forward, tidy, unquoted
from aifactory.errors import AnswerUnusable

_GIT = re.compile(r"diff --git (.+)")
_INDEX = re.compile(r"index ([0-9a-f]{7,64})\.\.([0-9a-f]{7,64})")
_EXTENDED = re.compile(
    r"(new file mode|deleted file mode|old mode|new mode|rename from|rename to|copy from|copy to|"
    r"similarity index|dissimilarity index) (.*)"
)
_RENAME = re.compile(r"(?:rename|copy) (?:from|to) \S")
_FIRST = frozenset("`~d-@rc \t")  # letters that lines outside of hunks may begin with
_NULL = "/dev/null"
_CUT = "give the whole diff again"


@dataclass
class _Section:
    """What a diff says about one file, as it is read."""

    number: int
    old: str = ""
    new: str = ""
    says: dict[str, str] = field(default_factory=dict)
    hunks: list[Hunk] = field(default_factory=list)
    index: tuple[str, str] | None = None
    git: bool = False
    named: bool = False  # by `---` and `+++`, or the first of them
    last: bool = False

    @property
    def bare(self) -> bool:
        return not self.hunks and not self.says


def parse(answer: str) -> tuple[list[Step], dict[str, str]]:
    """Steps and modes of every file in the diff; AnswerUnusable if it is cut off."""
    lines = answer.split("\n")
    sections = _sections(lines)
    steps: list[Step] = []
    modes: dict[str, str] = {}
    for section in sections:
        found = _steps(section)
        steps += found
        _read_mode(section, modes)
    return steps, modes


def _sections(lines: list[str]) -> list[_Section]:
    sections: list[_Section] = []
    opener: Fence | None = None
    fenced = False
    counts = True
    number = at = 0
    last = last_row(lines)
    while at < len(lines):
        line = lines[at].rstrip("\r")
        if line[:1] not in _FIRST and not (sections and not sections[-1].hunks):
            at += 1
            continue
        found = fence(line)
        if found:
            if opener is None or found.closes(opener):
                opener = None if opener else found
            fenced = True
        elif git := _GIT.fullmatch(line):
            sections.append(_Section(len(sections) + 1, git=True))
            sections[-1].old, sections[-1].new = _both(git[1])
        elif _is_names(lines, at):
            if not sections or sections[-1].hunks or not sections[-1].git:
                sections.append(_Section(len(sections) + 1))
            _read_names(sections[-1], line, lines[at + 1].rstrip("\r"))
            at += 1
        elif sections and (HUNK.match(line) or is_headless(lines, at)):
            number += 1
            hunk, at = read_hunk(lines, at, number, last_row(lines), opener, counts)
            counts = counts and hunk.block.exact_counts
            sections[-1].hunks.append(hunk)
            continue
        elif HUNK.match(line) and line.startswith("@@ -"):
            raise AnswerUnusable("the diff does not say which file it changes (`---`, `+++`)")
        elif _RENAME.match(line) and not (sections and sections[-1].git):
            raise AnswerUnusable("the diff renames a file without a line `diff --git`")
        elif sections and not sections[-1].hunks:
            _read_extended(sections[-1], line)
        elif sections and line and at == len(lines) - 1 and begins_part(line):
            raise AnswerUnusable("the diff ends where another part begins", next_step=_CUT)
        at += 1
    if sections and not fenced:
        sections[-1].last = True
    if opener and sections:
        raise AnswerUnusable(
            "the code fence around the diff is never closed, it seems cut off", next_step=_CUT
        )
    return sections


def last_row(lines: list[str]) -> int:
    """The last row that is not empty."""
    at = len(lines) - 1
    while at > 0 and not lines[at].strip():
        at -= 1
    return at


def _is_names(lines: list[str], at: int) -> bool:
    return lines[at].startswith("--- ") and at + 1 < len(lines) and lines[at + 1].startswith("+++ ")


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


def _read_names(section: _Section, old: str, new: str) -> None:
    section.old = unquoted(old[4:].split("\t")[0].strip())
    section.new = unquoted(new[4:].split("\t")[0].strip())
    section.named = True


def _read_extended(section: _Section, line: str) -> None:
    if line.startswith(("GIT binary patch", "Binary files ")):
        raise AnswerUnusable("a diff of binary files cannot be applied")
    section.named |= line.startswith("--- ")
    if match := _INDEX.match(line):
        section.index = match[1], match[2]
    if match := _EXTENDED.fullmatch(line):
        section.says[match[1]] = match[2].strip()


def _names(section: _Section) -> tuple[str, str]:
    """Old and new path, without `a/` and `b/`."""
    says = section.says
    old = forward(section.old or unquoted(says.get("rename from", "")))
    new = forward(section.new or unquoted(says.get("rename to", "")))
    both = old.startswith("a/") and new.startswith("b/")
    if both or (old == _NULL and new.startswith("b/")) or (new == _NULL and old.startswith("a/")):
        old, new = old.removeprefix("a/"), new.removeprefix("b/")
    elif old == f"a/{new}" or new == f"b/{old}":
        old = new = min(old, new, key=len)
    return tidy(old), tidy(new)


def _steps(section: _Section) -> list[Step]:
    old, new = _names(section)
    says = section.says
    if "copy from" in says or "copy to" in says:
        raise AnswerUnusable("a diff that copies a file cannot be applied")
    if not old or not new:
        raise AnswerUnusable(f"file {section.number} of the diff has no readable name")
    if section.bare or (section.named and not section.hunks):
        raise AnswerUnusable(f"{new}: the diff ends before its first hunk", next_step=_CUT)
    if ("rename from" in says) != ("rename to" in says):
        raise AnswerUnusable(
            f"{new}: the diff ends before both names of the renamed file", next_step=_CUT
        )
    if "new file mode" in says or old == _NULL:
        return [_created(section, new)]
    if "deleted file mode" in says or new == _NULL:
        return [_deleted(section, old)]
    blocks = tuple(hunk.block for hunk in section.hunks)
    steps: list[Step] = []
    if blocks:
        steps.append(Update(old, blocks, identity=section.index))
    elif says.get("similarity index", "100%") != "100%":
        raise AnswerUnusable(f"{new}: the diff ends before its first hunk", next_step=_CUT)
    to = tidy(unquoted(says.get("rename to", new)))
    start = tidy(unquoted(says.get("rename from", old)))
    if (start, to) == (f"a/{old}", f"b/{new}"):
        start, to = old, new
    if "rename to" in says and (start, to) != (old, new):
        raise AnswerUnusable(
            f"{new}: the diff names the renamed file in two ways, it seems cut off", next_step=_CUT
        )
    if to != start and to != old:
        steps.append(Rename(old, to, section.number))
    return steps


def _created(section: _Section, path: str) -> Write:
    lines = [line for hunk in section.hunks for line in hunk.block.lines]
    if any(line.mark == "-" for line in lines):
        raise AnswerUnusable(f"{path}: the diff creates the file, but removes lines from it")
    if len(section.hunks) > 1:
        raise AnswerUnusable(f"{path}: a new file has one hunk only")
    if is_set_off([line.text for line in lines]):
        raise AnswerUnusable(f"{path}: every line of the new file begins with a space")
    text = "".join(line.text + ("\n" if line.ended else "") for line in lines)
    return Write(path, text, section.number, fresh=True)


def _deleted(section: _Section, path: str) -> Delete:
    lines = tuple(line for hunk in section.hunks for line in hunk.block.lines)
    if any(line.mark == "+" for line in lines):
        raise AnswerUnusable(f"{path}: the diff deletes the file, but adds lines to it")
    block = Block(section.number, lines) if lines else None
    return Delete(path, section.number, block, if_empty=section.last and not lines)


def _read_mode(section: _Section, modes: dict[str, str]) -> None:
    mode = section.says.get("new mode") or section.says.get("new file mode")
    if mode == "100644" and "new mode" not in section.says:
        return
    if mode in ("100644", "100755"):
        modes[tidy(unquoted(section.says.get("rename to", _names(section)[1])))] = mode
    elif mode:
        raise AnswerUnusable(f"{_names(section)[1]}: the mode {mode} is not one of a plain file")
