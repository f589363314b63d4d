"""Signs that an answer escapes, as Markdown or HTML has it, where the file does not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from aifactory.edits.evidence import shows_habit
from aifactory.errors import EditRefused

_ENTITY = re.compile(r"&(?:lt|gt|amp|quot|#\d+);")
_SIGN = re.compile("[<>&]")
_BARE = {"_": re.compile(r"(?<=\w)_(?=\w)"), "*": re.compile(r"(?<!\\)\*")}
_NAME = re.compile(r"\w\\_|\\_\w")
_STAR = re.compile(r"[^'\"`/\\]*(?:\w ?\\\*|\\\*(?:\\\*)? ?\w)")  # not in a pattern or a text
_QUOTED = re.compile(r"^[^'\"`\n]*\\\"", re.MULTILINE)
_PROSE = re.compile(r"\.(?:tex|sty|cls|bib|rst|txt|md|mdx)$")


def as_entities(text: str) -> str | None:
    """An entity of HTML in the text, if it has no sign that entities stand for besides."""
    found = _ENTITY.search(text)
    return found[0] if found and not _SIGN.search(_ENTITY.sub("", text)) else None


def has_entities(text: str) -> bool:
    return bool(_ENTITY.search(text))


def escaped_sign(texts: Sequence[str]) -> str | None:
    """`_` or `*`, if the texts have it in the middle of lines with a backslash only."""
    if not any("\\_" in text or "\\*" in text for text in texts):
        return None
    signs = _signs(texts)
    return signs[0] if signs else None


def stray_sign(texts: Sequence[str], path: str) -> str | None:
    """`\\_` or `\\*` in texts to be added, where neither code nor the path gives it a meaning."""
    sign = escaped_sign(texts)
    if sign == "_" and not _PROSE.search(path) and any(map(_NAME.search, texts)):
        return r"\_"
    stars = sign == "*" and any(_STAR.match(text) for text in texts)
    return r"\*" if stars and not path.endswith((".tex", ".rst")) else None


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


def check_quotes(texts: Sequence[str], file: str, label: str) -> None:
    """Raise EditRefused if lines have `\\"` where no text has begun, as JSON in JSON has it, and no
    line of the file does so.
    """
    strays = any('\\"' in text and _QUOTED.match(text) for text in texts)
    if strays and shows_habit(file) and not _QUOTED.search(file):
        raise EditRefused(
            f"{label} adds quotes with a backslash in front outside of any text",
            next_step="escape each quote once in JSON",
        )
