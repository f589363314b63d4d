"""JSON from an untrusted hand: what Python's reader lets pass, or dies of, is a problem."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

from aifactory.errors import Problem
from aifactory.schema import MOST_PROBLEMS, dotted, show

MOST_BYTES = 1 << 20
MOST_VALUES = 20_000
MOST_DEPTH = 100
_MOST_DIGITS = 18  # what every reader of JSON holds exactly in 64 bits


def parse(data: bytes, file: str) -> tuple[Any, list[Problem]]:
    """The document in `data`, None if there is none, and what is wrong with it as JSON.

    Beside broken syntax: more than `MOST_BYTES`, no UTF-8, a name twice in an object, NaN and
    Infinity, numbers beyond 64 bits, NUL characters, lone surrogates, nesting and sheer number.
    """
    if len(data) > MOST_BYTES:
        return None, [Problem(file, "", f"at most {MOST_BYTES} bytes", f"{len(data)} bytes")]
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return None, [
            Problem(
                file, "", "UTF-8 text", f"the byte {data[error.start]:#04x} at offset {error.start}"
            )
        ]
    if not text.strip():
        return None, [Problem(file, "", "a JSON object", "an empty file")]
    return _decode(text, file)


def _decode(text: str, file: str) -> tuple[Any, list[Problem]]:
    twice: list[str] = []
    decoder = json.JSONDecoder(
        object_pairs_hook=lambda pairs: _object(pairs, twice), parse_int=_integer, parse_float=float
    )
    try:
        document = decoder.decode(text)
    except json.JSONDecodeError as error:
        place = f"{error.msg} at line {error.lineno}, column {error.colno}"
        return None, [Problem(file, "", "valid JSON", place)]
    except RecursionError:
        return None, [Problem(file, "", f"at most {MOST_DEPTH} levels of nesting", "more")]
    repeated = [
        Problem(file, dotted([name]), "the name once in its object", "it twice")
        for name in twice[:MOST_PROBLEMS]
    ]
    walked = list(_walk(document, file))
    return document, repeated + walked


def _object(pairs: list[tuple[str, Any]], twice: list[str]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        times = Counter(name for name, _ in pairs)
        twice.extend(name for name, count in times.items() if count > 1)
    return made


def _integer(digits: str) -> int | float:
    """The number, or infinity where it is too long: the walk reports that with its place."""
    return int(digits) if len(digits) <= _MOST_DIGITS else math.inf


def _walk(document: object, file: str) -> Iterator[Problem]:
    """Every value without recursion; ends early where the document is too deep or too large."""
    todo: list[tuple[tuple[str | int, ...], object]] = [((), document)]
    seen = found = 0
    while todo and found < MOST_PROBLEMS:
        path, value = todo.pop()
        seen += len(value) if isinstance(value, dict | list) else 0
        if seen > MOST_VALUES or len(path) > MOST_DEPTH:
            limit = f"at most {MOST_VALUES} values and {MOST_DEPTH} levels of nesting"
            yield Problem(file, "", limit, "more")
            return
        for text in value if isinstance(value, dict) else (value,):
            if wrong := _fault(text):
                found += 1
                yield Problem(file, dotted(path), *wrong)
        todo.extend(((*path, key), inner) for key, inner in _inside(value))


def _inside(value: object) -> Iterator[tuple[str | int, object]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from enumerate(value)


def _fault(value: object) -> tuple[str, str] | None:
    if isinstance(value, float) and not math.isfinite(value):
        return f"a finite number of at most {_MOST_DIGITS} digits", "NaN" if math.isnan(
            value
        ) else "one too large"
    if isinstance(value, str):
        if "\0" in value:
            return "text without NUL characters", show(value)
        if not value.isprintable() and any("\ud800" <= char <= "\udfff" for char in value):
            return "text that is valid Unicode", "a lone surrogate"
    return None
