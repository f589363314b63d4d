"""Lines of an answer that stand for others, left out: `...`, `# rest of the file unchanged`."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from itertools import pairwise

from aifactory.edits.blocks import Block, Line
from aifactory.edits.likeness import KEYS, Level
from aifactory.edits.view import View
from aifactory.errors import EditRefused

Rows = tuple[int | None, ...]
"""The row of each kept or removed line of a block, None for one that is not in the file."""

_LONG = 200
ELIDED = 2  # lines that must go where one of dots comes, for it to stand for them
_MARKS = r"#|//|/\*|\*|--|;|%|<!--"
_SAYS = re.compile(
    rf"\s*+(?:{_MARKS}|\{{/\*)++\s*+[\[(<]?(?:the |all |other |your )*(?:"
    r"(?:rest|remainder|remaining)\b[^\n]*\b(?:same|unchanged|here|file|code|lines|content|as is)"
    r"|snip(?:ped)?|(?:\w+ ){0,3}(?:remains?|stays?) (?:the same|unchanged|as (?:is|before))"
    r"|existing \w+(?: here| goes here| remains| stays)?"
    r"|(?:\w+ ){0,3}(?:unchanged|omitted|truncated|elided)(?: for brevity)?"
    r"|(?:same|code) as (?:before|above)|no changes?(?: here)?"
    r")[^\w\n]*",
    re.IGNORECASE,
)
_EXISTING = re.compile(
    rf"\s*+(?:{_MARKS}|\{{/\*)++\s*+[\[(<]?(?:\.\.\.+|\u2026)\s*(?:the )?"
    r"(?:rest|existing|remaining|unchanged|previous) (?:of |code|lines?|content|methods?|imports?)",
    re.IGNORECASE,
)
_SPREAD = re.compile(r"\s*\.\.\.\w+(?:[^\w\s]|\s*$|.*[,;(<\[{=])")  # of JavaScript
_WORDS = (
    r"rest|existing|unchanged|same|remain\w*|previous|omitted|other|more|code|before|above|"
    r"below|keep|snip|etc|truncated|elided|skipped"
)
_SAYS_AT_END = re.compile(rf"\s*+(?:{_MARKS})++[^\n]*\b(?:{_WORDS})\b.*", re.IGNORECASE)
_ELISION = re.compile(
    rf"\s*+(?:{_MARKS}|\{{/\*|\"|')*+\s*+[\[(<]?(?:\.\.\.+|\u2026)"
    rf"(?:[^\n]*\b(?:{_WORDS})\b[^\n]*)?[\])>]?\s*(?:\*/\}}?|-->)?\s*"
    rf"|\s*+(?:{_MARKS})++[^\n]*\b(?:{_WORDS})\b[^\n]*(?:\.\.\.|\u2026)[^\n]*",
    re.IGNORECASE,
)


def elides(text: str) -> bool:
    """Whether a line stands for others that were left out: `...`, `# ... rest unchanged ...`."""
    if len(text) >= _LONG or ("..." not in text and "\u2026" not in text):
        return False
    return bool(_ELISION.fullmatch(text)) and not _SPREAD.match(text)


def leaves_out(text: str, ends: bool) -> bool:
    """Whether a line of a whole file stands for others; a comment may say so without dots, in
    freer words where it `ends` the file.
    """
    says = _SAYS_AT_END if ends else _SAYS
    return len(text) < _LONG and (elides(text) or bool(says.fullmatch(text)))


def says_so(text: str) -> bool:
    """Whether a comment says in words that it stands for code: `# ... rest of the code ...`."""
    return len(text) < _LONG and _EXISTING.match(text) is not None


def is_body(text: str, above: str) -> bool:
    """Whether dots are all that a function or class of Python has in it."""
    return text.strip() == "..." and above.rstrip().endswith(":")


def check_added(lines: Sequence[Line], known: Collection[str], label: str) -> None:
    """Raise EditRefused if a line that a block adds, and none of the `known` ones of the file,
    stands for lines that are left out: by its words, or because others are removed.
    """
    gone = sum(line.mark == "-" for line in lines)
    for above, line in pairwise([Line(" ", ""), *lines]):
        new = line.mark == "+" and line.text not in known and not is_body(line.text, above.text)
        if new and (leaves_out(line.text, ends=False) if gone >= ELIDED else says_so(line.text)):
            raise EditRefused(
                f"{label} has {line.text.strip()[:80]!r} in place of lines",
                next_step="give every line that is to stay",
            )


def across(block: Block, view: View, gaps: list[int]) -> list[Rows]:
    """The rows of a block that leaves lines out. Each part that changes something must have one
    place between those of its neighbours; a part that does not may stay open.
    """
    bounds = list(zip([-1, *gaps], [*gaps, len(block.old)], strict=True))
    parts = [block.old[low + 1 : high] for low, high in bounds]
    starts = [_part(part, view) if part else [] for part in parts]
    changed = _changed(block, gaps)
    found: list[int | None] = [None] * len(parts)
    for _ in parts:
        for at, part in enumerate(parts):
            inside = _between(starts[at], found, at, parts)
            if not inside and part and at in changed:
                return []
            found[at] = inside[0] if len(inside) == 1 else None
    if any(found[at] is None for at in changed if parts[at]):
        return []
    rows: list[int | None] = []
    for at, part in enumerate(parts):
        start = found[at]
        rows += [None] if at else []
        rows += [None] * len(part) if start is None else range(start, start + len(part))
    return [tuple(rows)] if any(row is not None for row in rows) else []


def _changed(block: Block, gaps: list[int]) -> set[int]:
    """Which parts touch a removed or added line."""
    changed: set[int] = set()
    part = row = 0
    for line in block.lines:
        if line.mark == "+":
            changed.add(part)
            continue
        if line.mark == "-":
            changed.add(part)
        part += row in gaps
        row += 1
    return changed


def _between(
    starts: list[int], found: list[int | None], at: int, parts: Sequence[Sequence[Line]]
) -> list[int]:
    """The places of a part below the nearest known part before it, above the one behind it."""
    low = max((s + len(parts[i]) for i, s in enumerate(found[:at]) if s is not None), default=0)
    high = min((s for s in found[at + 1 :] if s is not None), default=None)
    size = len(parts[at])
    return [s for s in starts if s >= low and (high is None or s + size <= high)]


def _part(part: Sequence[Line], view: View) -> list[int]:
    for level in (Level.EXACT, Level.SPACE, Level.INDENT, Level.LOOK):
        places = view.places([KEYS[level](line.text) for line in part], level)
        if places:
            return places
    return []
