"""JSON: `writes` with the hash of their base, or a list of `edits`."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from aifactory.edits.blocks import Block, Delete, Rename, Step, Update, Write
from aifactory.edits.formats.fences import fence
from aifactory.edits.paths import tidy
from aifactory.errors import AnswerUnusable

_STRING_OR_COMMENT = re.compile(r'"(?:[^"\\]|\\.)*+"?|//[^\n]*+|/[*][^*]*+[*]/', re.DOTALL)
_STRING_OR_COMMA = re.compile(r'"(?:[^"\\]|\\.)*+"?|,(?=\s*+[\]}])', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_NAMES = {
    "file": "path", "file_path": "path", "filename": "path",
    "old_string": "old", "old_text": "old", "search": "old",
    "new_string": "new", "new_text": "new", "replace": "new",
}  # fmt: skip
"""Keys as other tools have them, and as we do."""
_OPS = {
    "edit": "replace", "modify": "replace", "update": "replace", "create": "write", "add": "write",
    "remove": "delete", "move": "rename",
}  # fmt: skip
_PYTHON = re.compile(r"[\s{\[]+'")
_LONGEST = 200_000  # letters of a value of Python; reading more takes too long
_QUOTES = 8  # quotes without a backslash that are mended
_KEYS = ("edits", "writes")
_FORM = (
    "give each edit `op` and `path`: replace with `old` and `new`, write with `content`, rename "
    "with `to`, or delete"
)
_MANY = 8  # different objects after which no further one is compared


def parse(answer: str) -> tuple[list[Step], str]:
    """Steps and summary of the one JSON object in the answer; AnswerUnusable if there is none."""
    distinct: list[Mapping[str, Any]] = []
    for value in _candidates(answer):
        if value not in distinct[:_MANY]:
            distinct.append(value)
    if not distinct:
        raise AnswerUnusable(
            "no complete JSON object with `edits` or `writes`: cut off, or not valid JSON"
            + _where(answer),
            next_step="answer with one JSON object only",
        )
    objects = [_steps(value) for value in distinct]
    _check_apart(objects)
    return [step for steps in objects for step in steps], _summary(distinct[0])


def _check_apart(objects: list[list[Step]]) -> None:
    """Raise if two objects do more to one file than to replace texts in it."""
    known: dict[str, bool] = {}
    for steps in objects:
        now = {step.path: isinstance(step, Update) for step in steps}
        now |= {step.path: False for step in steps if not isinstance(step, Update)}
        if any(not (known[path] and now[path]) for path in known.keys() & now.keys()):
            raise AnswerUnusable(
                f"{len(objects)} different JSON objects: which one counts is not clear",
                next_step="answer with one JSON object only",
            )
        known |= now


def _candidates(answer: str) -> Iterator[Mapping[str, Any]]:
    """The whole answer if it is an object of ours, else each that begins a line."""
    if (value := _load(answer.strip().removeprefix("\ufeff"))) is not None:
        yield value
        return
    at = 0
    for match in re.finditer(r"^[ \t]*[{\[]", answer, re.MULTILINE):
        if match.start() < at:
            continue
        start = match.end() - 1
        length = _extent(answer, start)
        if not length:
            if _OURS.search(answer, start):
                raise AnswerUnusable(
                    "the last JSON object is never closed, the answer seems cut off",
                    next_step="answer with one JSON object only",
                )
            return
        if (value := _load(answer[start : start + length])) is not None:
            yield value
        at = start + length


_OURS = re.compile(r'"(?:edits|writes|op)"\s*:')
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"?|[{}\[\]]', re.DOTALL)


def _extent(text: str, start: int) -> int:
    """How long the bracketed value at `start` is, 0 if it is never closed."""
    depth = 0
    for token in _TOKEN.finditer(text, start):
        mark = token[0]
        if mark[0] == '"' and (len(mark) == 1 or mark[-1] != '"'):
            return 0
        if mark in "{[":
            depth += 1
        elif mark in "}]":
            depth -= 1
            if depth == 0:
                return token.end() - start
    return 0


def _load(text: str) -> Mapping[str, Any] | None:
    """The object, if it is one of ours. Raw newlines in strings and trailing commas pass."""
    try:
        value = _decode(text)
        value = _decode(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        return None
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        value = {"edits": value} if all("path" in item for item in value) else None
    if isinstance(value, dict) and "op" in value and "path" in value:
        value = {"edits": [value]}
    return value if isinstance(value, dict) and any(key in value for key in _KEYS) else None


def _decode(text: str) -> Any:
    try:
        return json.loads(text, strict=False, object_pairs_hook=_unique)
    except json.JSONDecodeError:
        if _PYTHON.match(text) and len(text) <= _LONGEST:
            return _literal(text)
        bare = _STRING_OR_COMMENT.sub(lambda m: _mended(m[0]) if m[0][0] == '"' else "", text)
        return _requoted(_STRING_OR_COMMA.sub(lambda m: "" if m[0] == "," else m[0], bare))


def _mended(text: str) -> str:
    """A text of JSON without backslashes in front of single quotes, which have none there."""
    return _ESCAPED.sub(lambda m: "'" if m[1] == "'" else m[0], text) if "\\'" in text else text


def _literal(text: str) -> Any:
    """A value that is written as Python writes it, in single quotes."""
    try:
        return ast.literal_eval(text)
    except (SyntaxError, MemoryError):
        raise ValueError("not a value of Python") from None


def _requoted(text: str) -> Any:
    """A value with a few quotes in its texts that lack their backslash: what follows them cannot
    follow a text. Raises JSONDecodeError.
    """
    for _ in range(_QUOTES):
        try:
            return json.loads(text, strict=False, object_pairs_hook=_unique)
        except json.JSONDecodeError as error:
            before, rest = text[: error.pos].rstrip(), text[error.pos :]
            if not before.endswith('"') or rest[:1] in ("", '"', ",", ":", "}", "]"):
                raise
            text = before[:-1] + '\\"' + text[len(before) :]
    return json.loads(text, strict=False, object_pairs_hook=_unique)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for key, item in pairs:
        if key in value and value[key] != item:
            raise ValueError(f"the key {key!r} stands twice")
        value[key] = item
    return value


def _where(answer: str) -> str:
    body = "\n".join(line for line in answer.split("\n") if not fence(line)).strip()
    try:
        json.loads(body[max(body.find("{"), 0) :], strict=False)
    except json.JSONDecodeError as error:
        return f" ({error.msg}, line {error.lineno} column {error.colno} of the JSON)"
    except (ValueError, RecursionError):
        pass
    return ""


def _summary(value: Mapping[str, Any]) -> str:
    summary = value.get("summary")
    return summary if isinstance(summary, str) else ""


def _steps(value: Mapping[str, Any]) -> list[Step]:
    steps: list[Step] = []
    for key in _KEYS:
        items = value.get(key, [])
        if not isinstance(items, list):
            raise _unreadable(f"`{key}` is not a list")
        for number, item in enumerate(items, start=1):
            steps.append(_step(item, key, number))
    return steps


def _step(item: Any, key: str, number: int) -> Step:
    label = f"{key}[{number}]"
    if not isinstance(item, dict):
        raise _unreadable(f"{label} is not an object")
    item = {_NAMES.get(name, name): value for name, value in item.items()} | item
    path = tidy(_text(item, "path", label))
    op = item.get("op", "replace" if "old" in item else "write") if key == "edits" else "write"
    op = _OPS.get(op.lower(), op.lower()) if isinstance(op, str) else op
    if op == "write":
        base = item.get("base_sha256")
        if base is not None and not isinstance(base, str):
            raise _unreadable(f"{label}: `base_sha256` is not a text")
        return Write(path, _text(item, "content", label), number, base_sha256=base or None)
    if op == "replace":
        old, new = (_lines(item, name, label) for name in ("old", "new"))
        return Update(path, (Block(number, (), literal=(old, new)),), in_order=True)
    if op == "rename":
        return Rename(path, tidy(_text(item, "to", label)), number)
    if op == "delete":
        return Delete(path, number)
    raise _unreadable(f"{label}: {op!r} is none of replace, write, rename, delete")


def _lines(item: Mapping[str, Any], name: str, label: str) -> str:
    """A text, which may be given as the list of its lines."""
    value = item.get(name)
    if isinstance(value, list) and value and all(isinstance(line, str) for line in value):
        return "\n".join(value)
    return _text(item, name, label)


def _text(item: Mapping[str, Any], name: str, label: str) -> str:
    value = item.get(name)
    if not isinstance(value, str):
        raise _unreadable(f"{label}: `{name}` is missing or not a text")
    return value


def _unreadable(what: str) -> AnswerUnusable:
    return AnswerUnusable(what, next_step=_FORM)
