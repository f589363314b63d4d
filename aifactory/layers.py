"""One source of settings: its keys known, its values of the right type, or the problems."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from aifactory.errors import Problem
from aifactory.fields import Texts
from aifactory.schema import dotted, nearest, show, unknown
from aifactory.settings import keys

_SECRET = re.compile("key|secret|password|authorization|credential", re.IGNORECASE)
_WORDS = {
    "bool_type": "true or false",
    "dict_type": "a table",
    "float_type": "a number",
    "int_type": "a whole number",
    "missing": "a value (required)",
    "model_type": "a table",
    "extra_forbidden": "no such name",
    "string_pattern_mismatch": "text that is not blank",
    "string_type": "text in quotes",
    "tuple_type": "a list",
}


def settled(layer: Any, origin: str, problems: list[Problem]) -> dict[str, Any]:
    """The layer by dotted keys, each value of the right type; what is not goes to `problems`."""
    return dict(_settle(layer, "", origin, problems))


def _settle(
    table: Any, prefix: str, origin: str, problems: list[Problem]
) -> Iterator[tuple[str, Any]]:
    below = {key[len(prefix) :].partition(".")[0] for key in keys() if key.startswith(prefix)}
    if not isinstance(table, dict):
        expected = f"a table with {', '.join(sorted(below))}"
        problems.append(Problem(origin, prefix.rstrip("."), expected, show(table)))
        return
    for name, value in table.items():
        key = prefix + name
        if name not in below:
            problems.append(_stranger(origin, key, below))
        elif key in keys():
            yield from _checked(key, value, origin, problems)
        else:
            yield from _settle(value, f"{key}.", origin, problems)


def _stranger(origin: str, key: str, below: set[str]) -> Problem:
    name, shown = key.rpartition(".")[2], dotted(key.split("."))
    elsewhere = nearest(key, keys()) or next((k for k in keys() if k.endswith(f".{name}")), None)
    if not nearest(name, below) and elsewhere:
        expected = f"a known name (did you mean `{elsewhere}`?)"
        return Problem(origin, shown, expected, "an unknown name")
    return unknown(origin, shown, name, below)


def _checked(
    key: str, value: Any, origin: str, problems: list[Problem]
) -> Iterator[tuple[str, Any]]:
    if secret := next(_secrets(value, key), None) if key == "model.parameters" else None:
        expected = "no key: keys come from the environment, under the names LiteLLM uses"
        problems.append(Problem(origin, secret, expected, "a key"))
        return
    try:
        yield key, _adapter(key).validate_json(json.dumps(value), strict=True)
    except TypeError:  # TOML has dates and times, JSON has none
        problems.append(Problem(origin, key, "no date or time", show(value)))
    except ValidationError as error:
        for fault in error.errors(include_url=False):
            where = dotted([key, *fault["loc"]])
            said = fault["msg"].removeprefix("Input should be ")
            expected = _WORDS.get(fault["type"], said)
            problems.append(Problem(origin, where, expected, show(fault["input"])))


@cache
def _adapter(key: str) -> TypeAdapter[Any]:
    field = keys()[key]
    kind: Any = field.annotation
    for constraint in field.metadata:
        kind = Annotated[kind, constraint]
    return TypeAdapter(kind)


def _secrets(value: Any, place: str) -> Iterator[str]:
    """The places in the parameters of calls whose names are those of keys."""
    for name, inner in value.items() if isinstance(value, dict) else ():
        here = dotted([place, name])
        if _SECRET.search(name):
            yield here
        yield from _secrets(inner, here)


def typed(text: str, field: FieldInfo) -> Any:
    """Text from the environment or a flag, as TOML would hold it."""
    try:
        value: Any = tomllib.loads(f"value = {text}")["value"]
    except ValueError:
        value = text
    if field.annotation == Texts or get_origin(field.annotation) is tuple:
        return value if isinstance(value, list) else [text]
    return text if _takes_text(field.annotation) else value


def _takes_text(kind: Any) -> bool:
    """Whether a value of this type is written as it is: a string, or one word of several."""
    if get_origin(kind) is Annotated:
        return _takes_text(get_args(kind)[0])
    return kind is str or get_origin(kind) is Literal or any(map(_takes_text, _members(kind)))


def _members(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if isinstance(kind, UnionType) or get_origin(kind) is Union else ()
