"""Signs that an answer escapes, as JSON, Markdown or HTML has it, where the file does not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from aifactory.errors import EditRefused

_PAIR = re.compile(r'\\"[^"\\\w]*+\w[^"\\]*+\\"')
_BARE_QUOTE = re.compile(r'(?<!\\)"')
_ENTITY = re.compile(r"&(?:lt|gt|amp|quot|#\d+);")
_SIGN = re.compile("[<>&]")
_BARE = {"_": re.compile(r"(?<=\w)_(?=\w)"), "*": re.compile(r"(?<!\\)\*")}


def as_entities(text: str) -> str | None:
    """An entity of HTML in the text, if it has no sign that entities stand for besides."""
    found = _ENTITY.search(text)
    return found[0] if found and not _SIGN.search(_ENTITY.sub("", text)) else None


def has_entity(text: str) -> bool:
    return "&" in text and _ENTITY.search(text) is not None


def escaped_sign(texts: Sequence[str]) -> str | None:
    """`_` or `*`, if the texts have it in the middle of lines with a backslash only."""
    if not any("\\_" in text or "\\*" in text for text in texts):
        return None
    signs = _signs(texts)
    return signs[0] if signs else None


def unescaped(texts: list[str], known: Iterable[str]) -> list[str] | None:
    """The lines of a whole file without the backslashes that Markdown wants, None if no line
    becomes one of the file, `known`, by that, or most stay away from it.
    """
    if escaped_sign(texts) is None:
        return None
    there = set(known)
    marked = re.compile(r"\\([{}])".format("".join(_signs(texts))))
    plain = [text if text in there else marked.sub(r"\1", text) for text in texts]
    turned = [(a, b) for a, b in zip(texts, plain, strict=True) if a != b]
    return plain if sum(b in there for _, b in turned) * 2 > len(turned) else None


def _signs(texts: Sequence[str]) -> list[str]:
    return [
        sign
        for sign, bare in _BARE.items()
        if any(f"\\{sign}" in text for text in texts)
        and not any(bare.search(text) for text in texts)
    ]


def check_quotes(before: str, after: str, path: str) -> None:
    """Raise if every quote that a file gains has a backslash in front, as JSON in JSON has it, and
    it has no such line.
    """
    if '\\"' not in after:
        return
    known = before.split("\n")
    gained = set(after.split("\n")).difference(known)
    escapes = any(map(_PAIR.search, gained)) and not any(map(_BARE_QUOTE.search, gained))
    if escapes and not any(_PAIR.search(line) and not _BARE_QUOTE.search(line) for line in known):
        raise EditRefused(
            f"{path}: each quote of the new lines has a backslash in front",
            next_step="escape quotes once in JSON",
        )
