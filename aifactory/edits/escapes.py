"""Signs that an answer escapes, as Markdown or HTML has it, where the file does not."""

from __future__ import annotations

import re
from collections.abc import Iterable

_MARKED = re.compile(r"\\([_*`#\[\]<>~|])")
_ENTITY = re.compile(r"&(?:lt|gt|amp|quot|#\d+);")
_SIGN = re.compile("[<>&]")
_ESCAPED = ("_", "*")  # what Markdown gives a meaning to in the middle of a line of code


def as_entities(text: str) -> str | None:
    """An entity of HTML in the text, if it has no sign that entities stand for besides."""
    found = _ENTITY.search(text)
    return found[0] if found and not _SIGN.search(_ENTITY.sub("", text)) else None


def has_entities(text: str) -> bool:
    return bool(_ENTITY.search(text))


def escaped_sign(texts: Iterable[str]) -> str | None:
    """`_` or `*`, if the texts have it with a backslash only."""
    whole = "\n".join(texts)
    if "\\" not in whole:
        return None
    bare = _MARKED.sub("", whole)
    return next((s for s in _ESCAPED if f"\\{s}" in whole and s not in bare), None)


def unescaped(texts: list[str], known: Iterable[str]) -> list[str] | None:
    """The lines of a whole file without the backslashes that Markdown wants, None if no line
    becomes one of the file, `known`, by that, or some stay away from it.
    """
    if escaped_sign(texts) is None:
        return None
    there = set(known)
    plain = [_MARKED.sub(r"\1", text) for text in texts]
    turned = [a for a, b in zip(texts, plain, strict=True) if a != b]
    strays = sum(
        a != b and a not in there and b in there for a, b in zip(texts, plain, strict=True)
    )
    return plain if strays * 2 > len(turned) else None
