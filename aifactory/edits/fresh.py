"""The text of a new file, and the first indentation of one: as the other files of its kind."""

from __future__ import annotations

from contextlib import suppress

from aifactory.edits import kin, margins
from aifactory.edits.blocks import Write
from aifactory.edits.characters import check_rule, in_characters
from aifactory.edits.evidence import Evidence
from aifactory.edits.indentation import NoShift, Shift, reindented
from aifactory.edits.tree import Tree
from aifactory.edits.view import View
from aifactory.errors import EditRefused


def text_of(step: Write, path: str, tree: Tree, evidence: Evidence) -> str:
    """The text of a new file, without the ways in which the answer strays elsewhere."""
    text = _undressed(step.text, path, evidence)
    text = margins.trimmed(text) if evidence.trails else text
    if evidence.returns:
        text = text.replace("\r\n", "\n")
    elif evidence.feeds and "\r" not in text and kin.ends_in_crlf(path, tree):
        text = text.replace("\n", "\r\n")
    text = _indented_as_kin(text, path, tree, evidence.tabs)
    for line in text.split("\n") if not text.isascii() else []:
        check_rule(line, path)
    if evidence.plain or evidence.composed:
        return in_characters(text, evidence, View(text, path), path)
    return text


def _indented_as_kin(text: str, path: str, tree: Tree, shift: Shift | None) -> str:
    """The text of a new file, with the tabs or spaces that the other files of its kind have."""
    if kin.needs_tabs(path):
        return text
    if shift is None:
        strays = kin.strays(text, path, tree)
    else:
        tabs = kin.has_tabs(path, tree)
        white = "  " if shift.kind == "tabs" else "\t"
        strays = f"\n{white}" in text and tabs in (None, shift.kind == "tabs")
        with suppress(NoShift):
            if strays and tabs is not None:
                return "\n".join([reindented(line, shift) for line in text.split("\n")])
    if strays:
        raise _unclear_depth(path)
    return text


def check_first_depth(before: str, after: str, path: str, tree: Tree, evidence: Evidence) -> None:
    """Raise if the first lines of a file that are indented are so with tabs where the other files
    of its kind have spaces, or the other way round, and the answer nowhere keeps the files' own.
    """
    if evidence.kept or kin.indents(before) or not (whites := kin.indents(after)):
        return
    tabs = kin.has_tabs(path, tree)
    if tabs is not None and ("  " if tabs else "\t") in whites:
        raise _unclear_depth(path)


def _unclear_depth(path: str) -> EditRefused:
    return EditRefused(
        f"{path}: whether tabs or spaces are meant at the start of lines is not clear",
        next_step="indent its lines as those of the other files of its kind are",
    )


def _undressed(text: str, path: str, evidence: Evidence) -> str:
    """The text of a new file without numbers in front of its lines, if the answer numbers the
    lines of others as well.
    """
    lines = text.removesuffix("\n").split("\n")
    if not margins.are_numbered(lines):
        return text
    if not evidence.numbered:
        raise margins.numbered(path)
    return "\n".join(margins.without_numbers(lines)) + "\n"
