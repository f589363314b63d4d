"""Arguments of a call against a stranger's schema: all of it, without its hazards."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest

from aifactory.mcp import refusal

SCHEMA = {
    "type": "object",
    "properties": {
        "path": {"type": "string", "pattern": "(a+)+$"},
        "lines": {"type": ["integer", "null"]},
        "how": {"enum": ["fast", "well"]},
        "edits": {"type": "array", "items": {"$ref": "#/$defs/edit"}},
        "depth": {"anyOf": [{"type": "integer", "maximum": 9}, {"type": "null"}]},
    },
    "$defs": {
        "edit": {
            "type": "object",
            "properties": {"old": {"type": "string"}, "inner": {"$ref": "#/$defs/edit"}},
            "required": ["old"],
            "additionalProperties": False,
        }
    },
    "required": ["path"],
    "additionalProperties": False,
}


NO_WAY = "is not valid under any of the given schemas"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"path": "a" * 10_000 + "!"}, ""),  # a pattern is the server's to try
        ({"path": "a", "lines": None, "how": "well"}, ""),
        ({"path": "a", "edits": [{"old": "x", "inner": {"old": "y"}}], "depth": 3}, ""),
        ({}, "'path' is a required property"),
        ({"path": 1}, "path: 1 is not of type 'string'"),
        ({"path": "a", "lines": True}, "lines: True is not of type 'integer', 'null'"),
        ({"path": "a", "how": "badly"}, "how: 'badly' is not one of ['fast', 'well']"),
        ({"path": "a", "edits": [{"old": "x"}, {}]}, "edits[1]: 'old' is a required property"),
        (
            {"path": "a", "edits": [{"old": "x", "inner": {"old": 5}}]},
            "edits[0].inner.old: 5 is not of type 'string'",
        ),
        (
            {"path": "a", "depth": 12},
            f"depth: 12 {NO_WAY}; 12 is greater than the maximum of 9; 12 is not of type 'null'",
        ),
        (
            {"path": "a", "file": "b"},
            "Additional properties are not allowed ('file' was unexpected)",
        ),
    ],
)
def test_arguments_are_checked_before_a_call(arguments: dict[str, Any], why: str) -> None:
    assert refusal(SCHEMA, arguments) == why


def doubling(levels: int) -> dict[str, Any]:
    """A small schema with two to the power of `levels` ways through it."""
    ways = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(levels)}
    return {"$defs": ways | {f"d{levels}": {}}, "properties": {"p": {"$ref": "#/$defs/d0"}}}


def nested(rule: str, levels: int) -> dict[str, Any]:
    return {rule: nested(rule, levels - 1)} if levels else {"type": "string"}


DRAFT = "https://json-schema.org/draft/2020-12/schema"
NAMES, LONG = {"a" * 40 + "!": 1}, "a" * 60 + "!"
BAD = {"properties": {"q": {"type": "string"}}}


@pytest.mark.parametrize(
    ("schema", "arguments"),
    [
        ({"properties": {"p": {"pattern": "(a+)+$"}}}, {"p": LONG}),
        ({"propertyNames": {"pattern": "(a+)+$"}}, NAMES),
        ({"properties": {"p": {"$schema": DRAFT, "pattern": "(a+)+$"}}}, {"p": LONG}),
        ({"properties": {"p": nested("not", 95)}}, {"p": 1}),
        ({"patternProperties": {"(a+)+$": {}}, "additionalProperties": False}, NAMES),
        ({"patternProperties": {"(a+)+$": {}}, "additionalProperties": {}}, NAMES),
        ({"patternProperties": {"(a+)+$": {}}, "unevaluatedProperties": False}, NAMES),
        ({"properties": {"p": {"uniqueItems": True}}}, {"p": [{"a": n} for n in range(20_000)]}),
        (
            {"properties": {"p": {"items": {"anyOf": [{"type": "null"}, {}] * 200}}}},
            {"p": [0] * 9999},
        ),
        (doubling(25), {"p": 1}),
        (doubling(100), {"p": 1}),
        ({"allOf": [{"$ref": "#"}, {"$ref": "#"}]}, {"p": 1}),
        ({"properties": {"p": {"$ref": "#/properties/p"}}}, {"p": 1}),
        ({"if": {"$ref": "#"}, "unevaluatedItems": False}, {"p": 1}),
        ({"properties": {"p": {"$ref": "file:///etc/passwd"}}}, {"p": 1}),
        ({"properties": {"p": {"$ref": "#/nowhere"}}}, {"p": 1}),
        ({"$id": "http://[", **BAD}, {"p": 1}),
        ({"$id": 5, **BAD}, {"q": 1}),  # not valid itself: nothing is held against a call
        ({"properties": {"p": {"minimum": 1, "exclusiveMinimum": True}}}, {"p": 0}),
        ({"properties": {"p": {"items": [{"type": "string"}]}}}, {"p": [1]}),
        ({"properties": {"p": {"multipleOf": 1e-300}}}, {"p": 10**400}),
    ],
)
def test_what_cannot_be_decided_is_the_servers(
    schema: dict[str, Any], arguments: dict[str, Any]
) -> None:
    began = time.monotonic()
    assert refusal({"type": "object", **schema}, arguments) == ""
    assert time.monotonic() - began < 10


def test_a_schema_is_fetched_from_nowhere() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        for rule in ("$ref", "$dynamicRef"):
            assert refusal({"properties": {"p": {rule: f"{address}a"}}}, {"p": 1}) == ""
        assert refusal({"$id": address, "properties": {"p": {"$ref": "b"}}}, {"p": 1}) == ""
        listener.settimeout(0.2)
        with pytest.raises(TimeoutError):
            listener.accept()


def test_a_schema_that_is_deep_and_arguments_that_are_deeper() -> None:
    schema: dict[str, Any] = {"type": "string"}
    value: Any = 5
    for _ in range(20):
        schema, value = {"type": "object", "properties": {"a": schema}}, {"a": value}
    assert refusal(schema, value).endswith("a.a: 5 is not of type 'string'")
    for _ in range(400):
        value = {"a": value}
    assert refusal({"properties": {"a": {"$ref": "#"}}}, value) == ""
