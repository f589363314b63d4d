"""Code fences in an answer, and the names of files around them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

_FENCE = re.compile(r"([ \t]*+)(`{3,}+|~{3,}+)([^`]*+)$")
_DECORATION = re.compile(r"^(?:#+[ \t]+|[>*+\-][ \t]+|\d+[.)][ \t]+)+")
_LABEL = re.compile(r"^(?:file ?name|file ?path|file|path)[ \t]*[:=][ \t]*", re.IGNORECASE)
_QUOTED = re.compile(r"(\*\*|__|`|\"|')(.+)\1:?")
_EXTENSION = re.compile(r"\.[\w+\-]{1,16}$")
_NAME = re.compile(r".*\.[^.\s]+|[A-Z][A-Z0-9_\-]+|\w*[Ff]ile")
_MOST_WORDS = 2  # behind a fence: a language and a name
_UPPER = re.compile(r"AUTHORS|CHANGES|COPYING|INSTALL|LICEN[CS]E|NEWS|NOTICE|README|VERSION")
_KNOWN = re.compile(rf"\w*[Ff]ile|{_UPPER.pattern}")
_LINK = re.compile(r"(\[)([^\[\]]+)\]\([^()\s]*\):?")
_REMARK = re.compile(r"(?<=\S)\s+\([^()]*\):?$")  # `(new file)`, `(updated)`
_DOTFILE = re.compile(r"\.\w[\w.\-]{2,}")
_SIMPLE = re.compile(r"(?:[\w+@\-]+/)*[\w+@\-]+\.\w{1,16}")
_LONGEST = 1_000
_WORD = re.compile(r"[\w.+@~\-]+")
_LANGUAGE = re.compile(r"[A-Za-z0-9_+#.\-]*")
_BEGUN = re.compile(r"[#>*`\s]*[\w./\-]*")
_SAID = re.compile(r"(?:done|ok|okay|finished|end|thanks)\b\W*", re.IGNORECASE)


class Fence(NamedTuple):
    """A line that opens or closes a code block: `bare` ones can do both."""

    indent: str
    char: str
    length: int
    info: str

    @property
    def bare(self) -> bool:
        return not self.info

    def closes(self, opener: Fence) -> bool:
        return self.bare and self.char == opener.char and self.length >= opener.length

    def rivals(self, opener: Fence) -> bool:
        """Whether this line, inside of the block, could be mistaken for an end of it."""
        same = self.char == opener.char and self.indent == opener.indent
        return same and self.length >= opener.length


def fence(line: str) -> Fence | None:
    if "```" not in line and "~~~" not in line:
        return None
    found = _FENCE.match(line)
    if not found:
        return None
    indent, marks, info = found.groups()
    return Fence(indent, marks[0], len(marks), info.lstrip(" \t").rstrip(" \t\r"))


def path_in_info(info: str) -> str | None:
    """The path of ```` ```lang:path ````, ```` ```path ```` or ```` ```lang path="x" ````."""
    if not info:
        return None
    if found := re.search(r"(?:title|path|file|filename)=[\"']?([^\"'\s}]+)", info):
        return found[1]
    language, colon, rest = info.partition(":")
    if colon and rest.strip() and _LANGUAGE.fullmatch(language.strip()):
        return rest.strip()
    if _DOTFILE.fullmatch(info) or _UPPER.fullmatch(info):
        return info
    words = info.split()
    if len(words) > _MOST_WORDS and _EXTENSION.search(info) and not any("=" in w for w in words):
        return info.partition(" ")[2].strip()
    last = words[-1:] or [""]
    if "/" in last[0] or (len(info.split()) == 2 and "." in last[0]):
        return last[0] if not last[0].startswith("{") else None
    return last[0] if _EXTENSION.search(last[0]) and not last[0].startswith((".", "{")) else None


def path_in_line(line: str) -> str | None:
    """The path that stands alone on a line, whatever heading or quotes are around it."""
    text = line.strip()
    if not text or len(text) > _LONGEST or text.startswith(("```", "~~~")):
        return None
    if _SIMPLE.fullmatch(text):
        return text
    name = _undecorated(text)
    if _plain(name):
        return name
    if " " in name and ("/" in name or _EXTENSION.search(name)) and not name.endswith("."):
        return name
    return _word(name)


def begins_name(line: str, *, ended: bool) -> bool:
    """Whether the last line of an answer is the name of a file, or the beginning of one. What
    follows the edits else is prose, and that has an end.
    """
    path = path_in_line(line)
    text = line.strip()
    if not text or _SAID.fullmatch(text):
        return False
    whole = path is not None and ("/" in path or "." in path) and " " not in path
    return whole or (not ended and bool(_BEGUN.fullmatch(text)))


def open_fence(lines: Iterable[str], opener: Fence | None = None) -> Fence | None:
    """The fence that is open behind these lines, where `opener` is open above them."""
    for found in filter(None, map(fence, lines)):
        if opener is None or found.closes(opener):
            opener = None if opener else found
    return opener


def is_name(text: str) -> bool:
    """Whether a word looks like the name of a file, and not like one of prose."""
    return bool(_NAME.fullmatch(text))


def _undecorated(text: str) -> str:
    """The name without list marks, heading marks, labels, quotes and a colon behind it."""
    name = _LABEL.sub("", _DECORATION.sub("", text))
    name = _REMARK.sub("", name)
    while quoted := _QUOTED.fullmatch(name) or _LINK.fullmatch(name):
        name = _LABEL.sub("", quoted[2])
    bare = name.removesuffix(":")
    return bare if "." in name or "/" in name or _KNOWN.fullmatch(bare) else name


def _plain(name: str) -> bool:
    if any(char.isspace() for char in name) or name.endswith(("/", ":")):
        return False
    return bool(name.strip("./\\")) and (
        "/" in name or "\\" in name or bool(_EXTENSION.search(name)) or name.startswith(".")
    )


def _word(name: str) -> str | None:
    return name if _WORD.fullmatch(name) and not name.endswith(".") else None
