"""JSON Schema in, clear errors out: what is wrong with a document, in words, all at once."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from aifactory.errors import Problem
from aifactory.layout import shipped

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

MOST_PROBLEMS = 50
NOTHING = "nothing"


@cache
def load(name: str) -> dict[str, Any]:
    """The JSON Schema `schemas/<name>.schema.json`. Raises FileNotFoundError."""
    text = (shipped("schemas") / f"{name}.schema.json").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    return document


def check(document: object, name: str, file: str = "") -> list[Problem]:
    """Everything that is wrong with `document` by the schema `name`, at most `MOST_PROBLEMS`.

    `task#id` is the definition `id` within the schema `task`. `document` must be plain JSON that is
    not nested so deep that walking it fails.
    """
    titles = _titles(name.partition("#")[0])
    errors = _validator(name).iter_errors(document)
    found = (problem for error in errors for problem in _explain(error, titles, file))
    return sorted(
        set(islice(found, MOST_PROBLEMS)), key=lambda problem: (problem.field, problem.expected)
    )


def show(value: object, limit: int = 80) -> str:
    """A value as an error quotes it: short JSON, named by its type where it is long."""
    if isinstance(value, dict):
        return f"an object of {len(value)}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    text = printable(json.dumps(value, default=str, ensure_ascii=False))
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` was probably meant to be."""
    close = difflib.get_close_matches(word[:100], list(known), n=1, cutoff=0.6)
    return close[0] if close else None


def unknown(file: str, field: str, word: str, known: Iterable[str]) -> Problem:
    """The problem of a key that nobody knows, with the nearest one that is known."""
    names = sorted(known)
    guess = nearest(word, names)
    expected = f"a known name (did you mean `{guess}`?)" if guess else f"one of {', '.join(names)}"
    return Problem(file, field, expected, "an unknown name")


def dotted(path: Iterable[str | int]) -> str:
    """A place in a document as a person writes it: `files[2]`, `budget.usd`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{printable(part[:100])}"
    return text.removeprefix(".")


def printable(text: str) -> str:
    """The text on one line of any terminal: what cannot be seen is escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


@cache
def _validator(name: str) -> Draft202012Validator:
    from jsonschema import Draft202012Validator

    whole, _, part = name.partition("#")
    document = load(whole)
    if part:
        document = {"$ref": f"#/$defs/{part}", "$defs": document["$defs"]}
    return Draft202012Validator(document)


@cache
def _titles(name: str) -> Mapping[str, str]:
    """By the reference to a definition, what it is called."""
    definitions = load(name).get("$defs", {})
    return {f"#/$defs/{key}": part["title"] for key, part in definitions.items() if "title" in part}


def _explain(error: ValidationError, titles: Mapping[str, str], file: str) -> Iterator[Problem]:
    path = list(error.absolute_path)
    schema: Any = error.schema
    if error.validator == "additionalProperties":
        known = schema["properties"]
        strange: Any = error.instance
        yield from (unknown(file, dotted([*path, n]), n, known) for n in strange if n not in known)
        return
    if error.validator == "required":
        # One error for each missing name, which the library puts into its message alone.
        missing = next(n for n in schema["required"] if error.message.startswith(repr(n)))
        field = schema["properties"][missing]
        noun = field.get("title") or titles.get(field.get("$ref", ""), "a value")
        yield Problem(file, dotted([*path, missing]), f"{noun} (required)", NOTHING)
        return
    wording = _WORDING.get(str(error.validator), _title)
    yield Problem(file, dotted(path), wording(error), _got(error))


def _got(error: ValidationError) -> str:
    value: Any = error.instance
    if error.validator == "maxLength":
        return f"{len(value)} characters"
    return show(value)


def _title(error: ValidationError) -> str:
    schema: Any = error.schema
    return str(schema.get("title") or f"a value of type {schema.get('type')}")


def _words(error: ValidationError) -> str:
    schema: Any = error.schema
    return "one of " + ", ".join(schema["enum"])


def _limit(text: str) -> Callable[[ValidationError], str]:
    return lambda error: f"{_title(error)} {text.format(error.validator_value)}"


_WORDING: Mapping[str, Callable[[ValidationError], str]] = {
    "type": _title,
    "pattern": _title,
    "minLength": _title,
    "enum": _words,
    "maxLength": _limit("of at most {} characters"),
    "maxItems": _limit("with at most {} entries"),
    "minimum": _limit("of at least {}"),
    "maximum": _limit("of at most {}"),
    "exclusiveMinimum": _limit("above {}"),
}
