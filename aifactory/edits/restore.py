"""What a whole-file answer means: its text, with what the format or the model lost of the file."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence

from aifactory.edits import typography
from aifactory.edits.blocks import Write
from aifactory.edits.diff import changes, common_runs
from aifactory.edits.elisions import elides
from aifactory.edits.evidence import Evidence
from aifactory.edits.likeness import LOOKS, fold, fold_bytes, is_decomposed, lost_looks
from aifactory.edits.style import in_characters
from aifactory.edits.text import BOM, FileLine, join, split
from aifactory.edits.view import View
from aifactory.errors import EditRefused

_ELIDED = 2  # lines that must go where a line of dots comes, for the dots to stand for them
_GAINED = 3  # lines that must gain white space at their end for it to be a slip
_STRAYS = 2  # lines that must stray in the same way to show a way of writing
_NEAR = 3  # lines around a new one whose ends must agree, where a file mixes them
_WHITE = " \t\r"
Pairs = list[tuple[int, int]]


def restore(old: str, step: Write, path: str, evidence: Evidence) -> str:
    """The new text of a file that exists. Lines that do not change keep the file's bytes.

    Raises EditRefused if the answer leaves lines out, or has lost what cannot be restored.
    """
    text = step.text
    if old.startswith(BOM) and text and not text.startswith(BOM):
        text = BOM + text
    before, after = split(old), split(text)
    if before == after or not before:
        return text
    _check_elided(before, after, path)
    key = fold_bytes if "\ufffd" in text else fold
    pairs = _pairs(before, after, lambda line: key(line).rstrip(_WHITE))
    if not len(pairs) == len(before) == len(after):
        after = _in_file_text(before, after, pairs, View(old), path, evidence)
        after = _with_ends(before, after, pairs, path, evidence)
    else:
        after = [_composed(before[a], after[b]) for a, b in pairs]
    if not step.exact_end and after and not before[-1].end and _same_end(before, after):
        after[-1] = FileLine(after[-1].text, "")
    return join(after)


def _composed(true: FileLine, said: FileLine) -> FileLine:
    """The line as the file has it, if the answer only takes its accents apart."""
    if is_decomposed(said.text) and unicodedata.normalize("NFC", said.text) == true.text:
        return FileLine(true.text, said.end)
    return said


def _same_end(before: list[FileLine], after: list[FileLine]) -> bool:
    return before[-1].text == after[-1].text


def _pairs(before: list[FileLine], after: list[FileLine], key: Callable[[str], str]) -> Pairs:
    """Rows of the file and of the answer that are the same line."""
    runs = common_runs([key(line.text) for line in before], [key(line.text) for line in after])
    return [(run.old + at, run.new + at) for run in runs for at in range(run.size)]


def _check_elided(before: list[FileLine], after: list[FileLine], path: str) -> None:
    """Raise if a line of the answer stands for lines of the file that it leaves out."""
    dots = [at for at, line in enumerate(after) if elides(line.text)]
    there = {line.text for line in before}
    dots = [at for at in dots if after[at].text not in there]
    if not dots:
        return
    found = changes([line.text for line in before], [line.text for line in after])
    gone = [change for change in found if change.old_to - change.old_from >= _ELIDED]
    for at in dots:
        if any(change.new_from <= at < change.new_to for change in gone):
            raise EditRefused(
                f"{path}: line {at + 1} of the answer, {after[at].text.strip()[:80]!r}, stands "
                "for lines that are left out",
                next_step="give the full text of the file",
            )


def _in_file_text(
    before: list[FileLine],
    after: list[FileLine],
    pairs: Pairs,
    view: View,
    path: str,
    evidence: Evidence,
) -> list[FileLine]:
    """The lines with the file's characters, where the answer strays from them throughout."""
    strays = [(a, b) for a, b in pairs if before[a].text != after[b].text]
    gained = {b: before[a].text for a, b in strays if _gains(before[a].text, after[b].text)}
    true = {b: before[a].text for a, b in strays if _is_slip(before[a].text, after[b].text)}
    trimmed = len(gained) >= _GAINED
    true |= gained if trimmed else {}
    evidence.composed |= any(is_decomposed(after[b].text) for b in true)
    least = 1 if evidence.plain or evidence.lost else _STRAYS
    texts = [(before[a].text, after[b].text) for a, b in pairs]
    if _is_throughout(texts, least):
        true |= {b: before[a].text for a, b in strays if _looks(before[a].text, after[b].text)}
        _learn([(before[a].text, after[b].text) for a, b in strays], evidence)
    elif len(pairs) < max(len(before), len(after)):
        _check_strays(texts, path)
    same = {b for _, b in pairs}
    fresh = [line.text for at, line in enumerate(after) if at not in same]
    typography.check(fresh, view, path, path, evidence)
    result = []
    for at, line in enumerate(after):
        text = true.get(at, line.text)
        if at not in same:
            text = in_characters(text, evidence, view, f"{path}: line {at + 1} of the answer")
            text = text.rstrip(_WHITE) if trimmed else text
        result.append(FileLine(text, line.end))
    return result


def _gains(true: str, said: str) -> bool:
    """Whether the answer has white space at the end of a line where the file has none."""
    return said != true and said.rstrip(_WHITE) == true


def _is_slip(true: str, said: str) -> bool:
    """Whether the answer's line is the file's, with bytes lost or accents set apart."""
    if is_decomposed(said) and not is_decomposed(true):
        return True
    odd = any("\udc80" <= char <= "\udcff" for char in true)
    return odd and true.rstrip(_WHITE) != said.rstrip(_WHITE)


def _looks(true: str, said: str) -> bool:
    return true.rstrip(_WHITE) != said.rstrip(_WHITE)


def _is_throughout(texts: Sequence[tuple[str, str]], least: int) -> bool:
    """Whether no line kept any of the characters that others lost, nor any of their kind: a way
    of writing, not a change.
    """
    lost: set[str] = set()
    count = 0
    for true, said in texts:
        if _looks(true, said):
            lost |= _marks(true) - _marks(said)
            count += 1
    kinds = lost | {char for kind in _KINDS if lost & kind for char in kind}
    return (
        count >= least
        and bool(lost)
        and not any(kinds & _marks(true) for true, said in texts if not _looks(true, said))
    )


def _check_strays(texts: Sequence[tuple[str, str]], path: str) -> None:
    """Raise if characters of the file are written otherwise beside another change, and none of
    them is left: a slip as likely as a part of the change.
    """
    strays = [(true, said) for true, said in texts if _looks(true, said)]
    gone = set().union(*(_marks(true) - _marks(said) for true, said in strays))
    left = set().union(*(_marks(true) for true, said in texts if not _looks(true, said)))
    if gone and not gone & left:
        raise EditRefused(
            f"{path}: {sorted(gone)[0]!r} is written otherwise in the answer; whether it is "
            "meant to change is not clear",
            next_step="copy the lines that do not change letter by letter, or use edits",
        )


def _marks(text: str) -> set[str]:
    """The characters of a line that have look-alikes, or are look-alikes, or have accents."""
    return {
        char
        for char in text
        if ord(char) in LOOKS or char in _PLAIN or (char > "\x7f" and _accented(char))
    }


_PLAIN = frozenset("".join(LOOKS.values())) - {" ", "."}
_KINDS = (frozenset("'\""), frozenset("\u2018\u2019\u201c\u201d"))


def _accented(char: str) -> bool:
    return unicodedata.normalize("NFD", char) != char


def _learn(texts: Sequence[tuple[str, str]], evidence: Evidence) -> None:
    for true, said in texts:
        for char in set(said) - set(true):
            plain = LOOKS.get(ord(char))
            if plain and plain in true:
                evidence.plain[ord(char)] = plain
        evidence.lost |= lost_looks(true, said)
        evidence.composed |= is_decomposed(said) and not is_decomposed(true)


def _with_ends(
    before: list[FileLine],
    after: list[FileLine],
    pairs: Pairs,
    path: str,
    evidence: Evidence,
) -> list[FileLine]:
    """The lines with the file's line ends, if the answer has one kind only and not the file's."""
    told = {line.end for line in after if line.end}
    differ = [(a, b) for a, b in pairs if before[a].end and after[b].end != before[a].end]
    differ = [(a, b) for a, b in differ if after[b].end]
    if len(told) != 1 or not differ:
        return after
    evidence.returns |= told == {"\r\n"}
    kinds = {line.end for line in before if line.end}
    if len(kinds) == 1:
        end = kinds.pop()
        return [FileLine(line.text, end if line.end else "") for line in after]
    ends = {b: before[a].end for a, b in pairs}
    return [
        FileLine(line.text, (ends.get(at) or _end_near(ends, at, path)) if line.end else "")
        for at, line in enumerate(after)
    ]


def _end_near(ends: dict[int, str], at: int, path: str) -> str:
    near = {ends.get(row, "") for row in range(at - 2 * _NEAR, at + 2 * _NEAR + 1)} - {""}
    if len(near) != 1:
        raise EditRefused(
            f"{path}: line ends are mixed in the file, and the answer has one kind only",
            next_step="change the lines with an edit, not the whole file",
        )
    return near.pop()
