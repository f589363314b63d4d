"""JavaScript that makes tests green without being right, as far as its words show it."""

from __future__ import annotations

import re
from collections.abc import Iterator

_ENDS = (".js", ".jsx", ".ts", ".tsx", ".mjs", ".cjs", ".mts")
_COMMENTS = re.compile(r"/\*.*?\*/|^\s*//[^\n]*", re.DOTALL | re.MULTILINE)
_TEXTS = re.compile(r"`(?:\\.|[^`\\])*`|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL)
_PATCHED = re.compile(
    r"(?<![\w.])(?:assert|expect|test|jest|vi)(?:\.\w+)+\s*=[^=>]"
    r"|require\(\s*['\"](?:node:)?(?:assert|test)[^)]*\)(?:\.\w+)+\s*=[^=>]"
)
_AT_EXIT = re.compile(r"\bprocess\.on\(\s*\S*exit\b|\breallyExit\b|\bprocess\.exit\s*=[^=]")
_CONDITION = re.compile(r"=>|\bif\s*\(|&&|\?")
_EXIT = re.compile(r"\b(?:process|Deno)\.exit\(\s*0?\s*\)")


def script(path: str, source: bytes) -> Iterator[str]:
    """What a file does to its tests; nothing for other languages."""
    if not path.endswith(_ENDS):
        return
    text = _COMMENTS.sub("", source.decode(errors="replace"))
    for found in _PATCHED.finditer(text):
        yield f"changes the tools of tests: {' '.join(found[0].split())}"
    for found in _AT_EXIT.finditer(text):
        yield f"ends the process before its tests do: {found[0]}"
    if not text.startswith("#!"):
        yield from _exits(_TEXTS.sub("''", text))


def _exits(text: str) -> Iterator[str]:
    """Exits as if all were well that are reached when the module is only imported."""
    for found in _EXIT.finditer(text):
        ahead = text[: found.start()]
        free = not _CONDITION.search(ahead.rpartition(";")[2])
        if free and ahead.count("{") == ahead.count("}"):
            yield f"ends the process before its tests do: {found[0]}"
