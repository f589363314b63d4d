"""What a whole-file answer means: its text, with what the format or the model lost of the file."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from itertools import pairwise

from aifactory.edits import margins
from aifactory.edits.blocks import Write
from aifactory.edits.characters import holds_odd_bytes
from aifactory.edits.diff import changes, common_runs
from aifactory.edits.elisions import ELIDED, is_body, leaves_out, says_so
from aifactory.edits.escapes import as_entities, unescaped
from aifactory.edits.evidence import Evidence
from aifactory.edits.indentation import Pair, converted, shifted
from aifactory.edits.likeness import fold, fold_bytes, indent, is_decomposed, with_two_dashes
from aifactory.edits.strays import Pairs, in_file_text
from aifactory.edits.text import BOM, FileLine, end_between, join, split
from aifactory.edits.view import View, is_prose
from aifactory.errors import EditRefused

_MIXED = 2
_WHITE = " \t\r"


def restore(old: str, step: Write, path: str, evidence: Evidence) -> str:
    """The new text of a file that exists. Lines that do not change keep the file's bytes.

    Raises EditRefused if the answer leaves lines out, or has lost what cannot be restored.
    """
    if "\0" in old and holds_odd_bytes(old) and not holds_odd_bytes(step.text):
        raise EditRefused(
            f"{path}: the file is binary, or in UTF-16", next_step="leave the file as it is"
        )
    mark = BOM if old.startswith(BOM) or step.text.startswith(BOM) else ""
    before, after = split(old.removeprefix(BOM)), split(step.text.removeprefix(BOM))
    if before == after or not before or not after:
        return mark + step.text.removeprefix(BOM) if after else step.text
    _check_ends(before, after, path)
    after = _undressed(before, after, path, evidence)
    _check_elided(before, after, path)
    words = _same_words(before, after)
    after = _in_own_tabs(before, after, words)
    _check_form(before, after, words, path)
    pairs = _alike(before, after)
    alone = len(pairs) == len(before) == len(after) and _is_one_change(before, after)
    if evidence.plain or not alone:
        after = in_file_text(before, after, pairs, View(join(before), path), path, evidence)
    else:
        after = [_composed(before[a], after[b]) for a, b in pairs]
    if [line.text for line in before] != [line.text for line in after]:
        after = _with_ends(before, after, pairs, path, evidence)
    if not step.exact_end and after and not before[-1].end:
        after[-1] = FileLine(after[-1].text, "")
    return mark + join(after)


def _check_ends(before: list[FileLine], after: list[FileLine], path: str) -> None:
    """Raise if nothing but line ends would change: those of the answer tell little."""
    if [line.text for line in before] == [line.text for line in after] and any(
        old.end != new.end for old, new in zip(before[:-1], after[:-1], strict=True)
    ):
        raise EditRefused(
            f"{path}: only line ends differ from the file's; whether that is meant is not clear",
            next_step="leave the file out if it is to stay, or use edits",
        )


def _undressed(
    before: list[FileLine], after: list[FileLine], path: str, evidence: Evidence
) -> list[FileLine]:
    """The answer without what it puts around lines of a file that has nothing like it: numbers,
    backslashes as in Markdown.
    """
    known = {line.text for line in before}
    said = [line.text for line in after]
    texts = _unnumbered(said, known, path, evidence)
    texts = unescaped(texts, known) or texts
    texts[0] = texts[0].removeprefix(BOM)
    return [FileLine(text, line.end) for text, line in zip(texts, after, strict=True)]


def _unnumbered(said: list[str], known: set[str], path: str, evidence: Evidence) -> list[str]:
    """The lines without numbers; of a file too short to show it, if the answer numbers others."""
    if texts := margins.unnumbered(said, known):
        evidence.numbered = True
        return texts
    if not margins.are_numbered(said) or any(margins.are_numbered([text]) for text in known):
        return list(said)
    if not evidence.numbered:
        raise margins.numbered(path)
    return margins.without_numbers(said)


def _is_one_change(before: list[FileLine], after: list[FileLine]) -> bool:
    """Whether lines that differ in characters only all have bytes of an older encoding, or none."""
    differ = [old.text for old, new in zip(before, after, strict=True) if old.text != new.text]
    return len({holds_odd_bytes(text) for text in differ}) < _MIXED


def _composed(true: FileLine, said: FileLine) -> FileLine:
    """The line as the file has it, if the answer only takes its accents apart."""
    if is_decomposed(said.text) and unicodedata.normalize("NFC", said.text) == true.text:
        return FileLine(true.text, said.end)
    return said


def _alike(before: list[FileLine], after: list[FileLine]) -> Pairs:
    """Rows that are the same line but for how its characters look."""
    texts = [line.text for line in after]
    key = fold_bytes if any("\ufffd" in text for text in texts) else fold
    pairs = _pairs(before, after, lambda line: key(line).rstrip(_WHITE))
    if not any("\u2014" in text for text in texts):
        return pairs
    dashed = _pairs(before, after, lambda line: key(with_two_dashes(line)).rstrip(_WHITE))
    return max(pairs, dashed, key=len)


def _pairs(before: list[FileLine], after: list[FileLine], key: Callable[[str], str]) -> Pairs:
    """Rows of the file and of the answer that are the same line."""
    runs = common_runs([key(line.text) for line in before], [key(line.text) for line in after])
    return [(run.old + at, run.new + at) for run in runs for at in range(run.size)]


def _check_elided(before: list[FileLine], after: list[FileLine], path: str) -> None:
    """Raise if a line of the answer stands for lines of the file that it leaves out."""
    there = {line.text for line in before}
    texts = [line.text for line in after]
    last = len(texts) - 1
    dots = [at for at, text in enumerate(texts) if leaves_out(text, ends=at == last)]
    dots = [at for at in dots if texts[at] not in there or at == last]
    above = ["", *texts]
    dots = [at for at in dots if above[at] in there or not is_body(texts[at], above[at])]
    if not dots:
        return
    found = changes([line.text for line in before], texts)
    gone = [change for change in found if change.old_to - change.old_from >= ELIDED]
    instead = {at for change in gone for at in range(change.new_from, change.new_to)}
    for at in dots:
        elsewhere = bool(gone) and at != last and not is_prose(path)
        if at in instead or (texts[at] not in there and (elsewhere or says_so(texts[at]))):
            raise EditRefused(
                f"{path}: line {at + 1} of the answer, {texts[at].strip()[:80]!r}, stands "
                "for lines that are left out",
                next_step="give the full text of the file",
            )


def _check_form(before: list[FileLine], after: list[FileLine], words: Pairs, path: str) -> None:
    """Raise if all tabs have become spaces, or spaces tabs, or signs entities of HTML, beside
    another change: the form of the answer as likely as a part of the change.
    """
    old, new = ([line.text for line in lines] for lines in (before, after))
    if _is_reindented(old, new):
        return
    pairs = [(indent(after[b].text), indent(before[a].text)) for a, b in words]
    if any(_is_turned(pairs, tabs) for tabs in (True, False)):
        what = "tabs and spaces at the start of lines are not those of the file"
    elif as_entities("\n".join(new)) and not as_entities("\n".join(old)):
        what = "`<`, `>` and `&` are written as entities of HTML"
    else:
        return
    raise EditRefused(
        f"{path}: {what}; whether that is meant is not clear",
        next_step="copy the lines that do not change letter by letter, or use edits",
    )


def _in_own_tabs(before: list[FileLine], after: list[FileLine], words: Pairs) -> list[FileLine]:
    """The lines that stay with the file's tabs or spaces, if the answer has turned the ones into
    the others there, and has lines to be added as the file would have them.
    """
    true = {b: indent(before[a].text) for a, b in words}
    shift = converted([Pair(indent(after[b].text), white) for b, white in true.items()])
    if shift is None:
        return after
    own = "\t" if shift.kind == "tabs" else "  "
    told = [(at, line.text) for at, line in enumerate(after) if line.text.strip()]
    new = [indent(text) for at, text in told if at not in true]
    if not any(own in white for white in new) or any(shifted(w, shift) != w for w in new):
        return after
    return [
        FileLine(true.get(at, indent(line.text)) + line.text.lstrip(" \t"), line.end)
        for at, line in enumerate(after)
    ]


def _is_reindented(old: list[str], new: list[str]) -> bool:
    """Whether nothing but the start of lines changes, and all of them begin in one way then."""
    if [text.strip() for text in old] != [text.strip() for text in new]:
        return False
    return not (_indents_with_tabs(new) and any(text.startswith("  ") for text in new))


def _same_words(before: list[FileLine], after: list[FileLine]) -> Pairs:
    """Rows that are the same line but for its indentation; those that say something only."""
    pairs = _pairs(before, after, str.strip)
    return [(a, b) for a, b in pairs if before[a].text.strip()]


def _is_turned(pairs: list[tuple[str, str]], tabs: bool) -> bool:
    """Whether more lines lose their tabs, or spaces, than keep them (narrower ones aside)."""
    turned = [_width(true) for said, true in pairs if ("\t" in said) != ("\t" in true) == tabs]
    kept = [_width(true) for said, true in pairs if said == true and ("\t" in true) == tabs]
    least = 0 if tabs else min(turned, default=0)
    return len(turned) > sum(width >= least for width in kept)


def _width(white: str) -> int:
    return len(white.expandtabs())


def _indents_with_tabs(texts: list[str]) -> bool:
    return any(text.startswith("\t") for text in texts)


def _with_ends(
    before: list[FileLine],
    after: list[FileLine],
    pairs: Pairs,
    path: str,
    evidence: Evidence,
) -> list[FileLine]:
    """The lines with the file's line ends, if the answer has one kind only and not the file's."""
    told = {line.end for line in after[:-1]} or {line.end for line in after if line.end}
    differ = [(a, b) for a, b in pairs if before[a].end and after[b].end != before[a].end]
    differ = [(a, b) for a, b in differ if after[b].end]
    kinds = {line.end for line in before if line.end}
    turned = not pairs and len(told) == len(kinds) == 1 and told != kinds
    if not turned and (not differ or (len(told) != 1 and len(kinds) != 1)):
        return after
    evidence.returns |= told == {"\r\n"}
    evidence.feeds |= told == {"\n"}
    if len(kinds) == 1:
        end = kinds.pop()
        return [FileLine(line.text, end if line.end else "") for line in after]
    there = {line.text: line.end for line in before if line.text.strip()}
    ends: list[str] = []
    bounds = pairwise([(-1, -1), *pairs, (len(before), len(after))])
    for (above, said_above), (below, said_below) in bounds:
        new = after[said_above + 1 : said_below]
        fresh = end_between(before, above + 1, below) if new else ""
        if fresh is None or any(there.get(line.text, fresh) != fresh for line in new):
            raise EditRefused(
                f"{path}: line ends are mixed in the file, and the answer has one kind only",
                next_step="change the lines with an edit, not the whole file",
            )
        ends += [fresh] * len(new) + ([before[below].end or "\n"] if below < len(before) else [])
    return [
        FileLine(line.text, end if line.end else "") for line, end in zip(after, ends, strict=True)
    ]
