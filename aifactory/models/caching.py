"""Marks of what a provider may keep of a prompt, where it keeps only what is marked.

Anthropic's models do; others keep long beginnings by themselves. Keeping costs a quarter more than
not keeping, so a prompt is marked when it was sent before or will be again: a second attempt, or a
talk with tools.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

MARKED = ("anthropic",)
MARK = {"type": "ephemeral"}


def marked(
    provider: str, messages: Sequence[dict[str, Any]], tools: Sequence[Any]
) -> list[dict[str, Any]]:
    """The messages with marks at the end of the first prompt and of the whole."""
    again = tools or any(message["role"] == "assistant" for message in messages)
    if provider not in MARKED or not again:
        return list(messages)
    asked = [number for number, message in enumerate(messages) if message["role"] == "user"]
    ends = {*asked[:1], *asked[-1:]}
    return [
        _with_mark(message) if number in ends else message
        for number, message in enumerate(messages)
    ]


def _with_mark(message: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(message["content"], str):
        return message
    block = {"type": "text", "text": message["content"], "cache_control": MARK}
    return {**message, "content": [block]}
