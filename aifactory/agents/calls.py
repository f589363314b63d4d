"""Calls of tools in a model's answer, and how they are told back to it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aifactory.errors import AnswerUnusable
from aifactory.model import Answer

TOLD = 16_000  # characters of one result
REMEMBERED = 300_000  # characters of results that a prompt holds
LEFT_OUT = "(left out to save room; call the tool again if it is needed)"
NO_CALL = "No tool was called. Go on with the tools; call `finish` when the work is done."


@dataclass(frozen=True)
class Call:
    id: str
    name: str
    text: str  # the arguments as the model wrote them

    @property
    def arguments(self) -> Mapping[str, Any]:
        """Raises AnswerUnusable for what is no JSON object, such as arguments that are cut off."""
        try:
            value = json.loads(self.text or "{}", strict=False)
        except (ValueError, RecursionError) as error:
            raise AnswerUnusable(f"the arguments are not valid JSON: {error}") from error
        if not isinstance(value, dict):
            raise AnswerUnusable("the arguments are not a JSON object")
        return value


def calls_of(answer: Answer, step: int) -> tuple[Call, ...]:
    """The calls in the order in which they are made."""
    found = []
    for number, entry in enumerate(answer.tool_calls, 1):
        function = entry.get("function") or {}
        known = str(entry.get("id") or f"call_{step}_{number}")
        found.append(Call(known, str(function.get("name")), str(function.get("arguments") or "")))
    return tuple(found)


def told(answer: Answer, calls: Sequence[Call], results: Sequence[str]) -> Iterator[dict[str, Any]]:
    """A step as turns of the talk: what the model said and called, and what came of it."""
    if not calls:
        yield {"role": "assistant", "content": answer.text or "(nothing)"}
        yield {"role": "user", "content": NO_CALL}
        return
    said = answer.text or None  # an empty text beside calls is refused by some providers
    yield {"role": "assistant", "content": said, "tool_calls": [*map(_echo, calls)]}
    for call, result in zip(calls, results, strict=True):
        yield {"role": "tool", "tool_call_id": call.id, "name": call.name, "content": result}


def _echo(call: Call) -> dict[str, Any]:
    """A call as it was; arguments that are no JSON would be refused by some providers."""
    try:
        text = json.dumps(call.arguments)
    except AnswerUnusable:
        text = "{}"
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": text},
    }


def bounded(text: str, most: int = TOLD) -> str:
    """Head and tail of a text that is too long."""
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]}\n[... {len(text) - 2 * half} characters left out ...]\n{text[-half:]}"


def fitted(messages: Sequence[dict[str, Any]], most: int = REMEMBERED) -> list[dict[str, Any]]:
    """The talk with its oldest results left out where it would grow too long."""
    sizes = [len(one["content"]) if one["role"] == "tool" else 0 for one in messages]
    over = sum(sizes) - most
    kept = []
    for message, size in zip(messages, sizes, strict=True):
        if over > 0 and size > len(LEFT_OUT):
            over -= size - len(LEFT_OUT)
            message = {**message, "content": LEFT_OUT}
        kept.append(message)
    return kept
