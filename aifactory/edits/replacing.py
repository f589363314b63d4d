"""Text for text: `old` stands in the file once and becomes `new`."""

from __future__ import annotations

from aifactory.edits.blocks import Block
from aifactory.edits.characters import holds_odd_bytes, in_characters
from aifactory.edits.diff import marked
from aifactory.edits.effort import spend
from aifactory.edits.elisions import check_added, leaves_out
from aifactory.edits.evidence import Evidence
from aifactory.edits.likeness import indent, telling
from aifactory.edits.refusals import occurs_again
from aifactory.edits.style import kind_of
from aifactory.edits.view import View
from aifactory.errors import EditRefused

_MOST_TOLD = 8  # places of a text that occurs more than once
_LETTERS = 120  # that are searched through and copied in a step of effort
Replacement = tuple[int, int, str]
"""Where replaced letters begin and end, and the new ones."""


def replaced(
    text: str, block: Block, path: str, evidence: Evidence, first: View
) -> Replacement | None:
    """What the block replaces in `text`, None if `old` is not in it letter by letter. `first` is
    the file before any replacement.
    """
    old, new = block.literal or ("", "")
    _check(old, block, path)
    spend(len(text) // _LETTERS + 1)
    at = text.find(old)
    if at < 0:
        return None
    if text.find(old, at + 1) >= 0:
        raise occurs_again(block, View(text), _places(text, old, at), path)
    end, label = at + len(old), f"{path}: edit {block.number}"
    _check_edges(text[at - 1 : at], text[end : end + 1], block, label)
    if _is_foreign(new, old, first, evidence) or _is_outdented(new, text, at):
        return None
    evidence.exact_bytes |= holds_odd_bytes(old)
    if not new.isascii():
        new = in_characters(new, evidence, first, label)
    _check_elided(old, new, text, label)
    new = _with_ends(text, old, new, at, label)
    if _is_there(text, old, new, at):
        raise EditRefused(
            f"{label} is in the file already, at line {_line(text, at)}",
            next_step="leave the edit out, or compare with the file as it is",
        )
    return at, end, new


def learn(text: str, block: Block, evidence: Evidence) -> None:
    """Note what a replacement that is found letter by letter shows of the answer's ways."""
    old = block.literal[0] if block.literal else ""
    spend(len(text) // _LETTERS + 1)
    if old and old in text:
        evidence.kept |= {kind_of(indent(line)) for line in old.split("\n")} - {""}


def by_lines(block: Block, path: str) -> Block:
    """The same replacement as a block of lines, to be found with more tolerance."""
    old, new = block.literal or ("", "")
    if old.startswith("\n") and new.startswith("\n"):
        old, new = old[1:], new[1:]
    elif old.startswith("\n"):
        raise _no_lines(block, path)
    if old.endswith("\n") and (new.endswith("\n") or not new):
        lines = marked(old[:-1].split("\n"), new[:-1].split("\n") if new else [])
    elif old.endswith("\n"):
        raise _no_lines(block, path)
    else:
        lines = marked(old.split("\n"), new.split("\n"))
    return Block(block.number, tuple(lines))


def _no_lines(block: Block, path: str) -> EditRefused:
    return EditRefused(
        f"{path}: edit {block.number} was not found letter by letter, and does not replace "
        "whole lines",
        next_step="copy whole lines from the file, with their line ends",
    )


def _check(old: str, block: Block, path: str) -> None:
    if not old:
        raise EditRefused(
            f"{path}: edit {block.number} replaces nothing: `old` is empty",
            next_step='use {"op": "write"} for a new file, or name the text to replace',
        )


def _check_elided(old: str, new: str, text: str, label: str) -> None:
    """Raise if the new text stands for lines of the old one that it leaves out."""
    if not any(leaves_out(line, ends=False) for line in new.split("\n")):
        return
    lines = list(marked(old.split("\n"), new.split("\n")))
    check_added(lines, set(text.split("\n")), label)


def _check_edges(before: str, behind: str, block: Block, label: str) -> None:
    """Raise if the new text ends its line where the file's line goes on, which the old one does
    not tell; or goes on in a line that the old one ends.
    """
    old, new = block.literal or ("", "")
    goes_on = new != "" and not new.startswith(("\n", "\r\n"))
    if old.startswith(("\n", "\r\n")) and goes_on and before not in ("", "\n"):
        raise EditRefused(
            f"{label} begins with the end of a line, and its new text does not",
            next_step="copy the whole line before, too, or leave out the empty line",
        )
    if behind.strip() and new.endswith("\n") and not old.endswith("\n"):
        raise EditRefused(
            f"{label} ends in the middle of a line, and its new text with a newline",
            next_step="copy the whole line from the file",
        )


def _places(text: str, old: str, at: int) -> list[int]:
    """The rows where `old` begins, the first at letter `at`."""
    found = [at]
    while len(found) < _MOST_TOLD and (at := text.find(old, at + 1)) >= 0:
        found.append(at)
    return [_line(text, place) - 1 for place in found]


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def _with_ends(text: str, old: str, new: str, at: int, label: str) -> str:
    """`new` with the line ends of the place, if it has others. Raises EditRefused if the old text
    has those ends, so that others may be meant.
    """
    if "\n" not in new:
        return new
    if "\r\n" in new:
        _check_returns(text, old, new, label)
        return new
    if "\n" not in old:
        end = text.find("\n", at)
        end = text.rfind("\n") if end < 0 else end
        crlf = end > 0 and text[end - 1] == "\r"
    else:
        low = at - 1 if text[at - 1 : at] == "\r" else at
        there = text[low : at + len(old)]
        crlf = there.count("\n") == there.count("\r\n")
    if crlf and "\r\n" in old:
        raise EditRefused(
            f"{label} ends lines with CRLF in its old text, and not in its new one",
            next_step="end the lines of both in one way",
        )
    if not crlf:
        return new
    ended = new.replace("\n", "\r\n")
    return ended[1:] if old.startswith("\n") and new.startswith("\n") and at else ended


def _check_returns(text: str, old: str, new: str, label: str) -> None:
    """Raise if all lines of the new text end with CRLF, none of the file's, and the old text does
    not tell.
    """
    if "\n" not in old and "\r\n" not in text and new.count("\n") == new.count("\r\n"):
        raise EditRefused(
            f"{label} ends lines with CRLF, and the file has none",
            next_step="end the lines as those of the file",
        )


def _is_foreign(new: str, old: str, first: View, evidence: Evidence) -> bool:
    """Whether the new text is indented with tabs where old text and file have spaces only, or
    the other way round: then its lines must be looked at one by one.
    """
    tabs = ("\n\t" in new or new.startswith("\t")) and "\t" not in old
    spaces = ("\n  " in new or new.startswith("  ")) and "  " not in old
    if ("  " if tabs else "\t") in evidence.kept:
        return False
    if (tabs or spaces) and first.is_foreign("\t" if tabs else "  "):
        return True
    if "  " not in new or not first.holds("\t"):
        return False
    known = set(old.split("\n"))
    depths = {indent(line) for line in new.split("\n") if line not in known}
    return any(depth and first.writes_otherwise(depth) for depth in depths)


def _is_outdented(new: str, text: str, at: int) -> bool:
    """Whether the old text begins behind the indentation of its line, and the new one has lines
    that are indented less: then both may have lost it.
    """
    before = text[text.rfind("\n", 0, at) + 1 : at]
    below = [line for line in new.split("\n")[1:] if line.strip()]
    return bool(before) and not before.strip() and any(len(indent(b)) < len(before) for b in below)


def _is_there(text: str, old: str, new: str, at: int) -> bool:
    """Whether `new`, which holds `old`, stands around the place already."""
    inside = new.find(old)
    if inside < 0 or new == old or not telling(new.replace(old, "", 1)):
        return False
    return text.startswith(new, at - inside) if at >= inside else False
