"""Unified diffs: the steps that each file of one stands for."""

from __future__ import annotations

from aifactory.edits.blocks import Block, Delete, Rename, Step, Update, Write
from aifactory.edits.formats.sections import CUT, Section, read_sections
from aifactory.edits.margins import is_set_off
from aifactory.edits.paths import forward, tidy, unquoted
from aifactory.errors import AnswerUnusable

_NULL = "/dev/null"


def parse(answer: str) -> tuple[list[Step], dict[str, str]]:
    """Steps and modes of every file in the diff; AnswerUnusable if it is cut off."""
    steps: list[Step] = []
    modes: dict[str, str] = {}
    for section in read_sections(answer):
        steps += _steps(section)
        _read_mode(section, modes)
    return steps, modes


def _names(section: Section) -> tuple[str, str]:
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


def _steps(section: Section) -> list[Step]:
    old, new = _names(section)
    _check(section, old, new)
    if "new file mode" in section.says or old == _NULL:
        return [_created(section, new)]
    if "deleted file mode" in section.says or new == _NULL:
        return [_deleted(section, old)]
    steps: list[Step] = []
    if section.hunks:
        steps.append(Update(old, tuple(section.hunks), identity=section.index))
    elif section.says.get("similarity index", "100%") != "100%":
        raise AnswerUnusable(f"{new}: the diff ends before its first hunk", next_step=CUT)
    if "rename to" in section.says or old != new:
        steps += _renamed(section, old, new)
    return steps


def _check(section: Section, old: str, new: str) -> None:
    """Raise if the section says too little, or what cannot be done."""
    says = section.says
    if "copy from" in says or "copy to" in says:
        raise AnswerUnusable("a diff that copies a file cannot be applied")
    if not old or not new:
        raise AnswerUnusable(f"file {section.number} of the diff has no readable name")
    if section.bare or (section.named and not section.hunks):
        raise AnswerUnusable(f"{new}: the diff ends before its first hunk", next_step=CUT)
    if ("rename from" in says) != ("rename to" in says):
        raise AnswerUnusable(
            f"{new}: the diff ends before both names of the renamed file", next_step=CUT
        )


def _renamed(section: Section, old: str, new: str) -> list[Step]:
    """The rename; Git names both files in two ways, and they must be the same ones."""
    names = [tidy(unquoted(section.says.get(key, ""))) for key in ("rename from", "rename to")]
    if names == ["", ""]:
        raise AnswerUnusable(
            f"{new}: the diff names {old} before and {new} after, and does not say that it renames",
            next_step="name the same file twice, or add `rename from` and `rename to`",
        )
    if names not in ([old, new], [f"a/{old}", f"b/{new}"]):
        raise AnswerUnusable(
            f"{new}: the diff names the renamed file in two ways, it seems cut off", next_step=CUT
        )
    return [Rename(old, new, section.number)] if old != new else []


def _created(section: Section, path: str) -> Write:
    lines = [line for hunk in section.hunks for line in hunk.lines]
    if any(line.mark == "-" for line in lines):
        raise AnswerUnusable(f"{path}: the diff creates the file, but removes lines from it")
    if len(section.hunks) > 1:
        raise AnswerUnusable(f"{path}: a new file has one hunk only")
    if is_set_off([line.text for line in lines]):
        raise AnswerUnusable(f"{path}: every line of the new file begins with a space")
    text = "".join(line.text + ("\n" if line.ended else "") for line in lines)
    return Write(path, text, section.number, fresh=True)


def _deleted(section: Section, path: str) -> Delete:
    lines = tuple(line for hunk in section.hunks for line in hunk.lines)
    if any(line.mark == "+" for line in lines):
        raise AnswerUnusable(f"{path}: the diff deletes the file, but adds lines to it")
    block = Block(section.number, lines) if lines else None
    return Delete(path, section.number, block, if_empty=section.last and not lines)


def _read_mode(section: Section, modes: dict[str, str]) -> None:
    mode = section.says.get("new mode") or section.says.get("new file mode")
    path = _names(section)[1]
    if mode == "100644" and "new mode" not in section.says:
        return
    if mode in ("100644", "100755"):
        modes[path] = mode
    elif mode:
        raise AnswerUnusable(f"{path}: the mode {mode} is not one of a plain file")
