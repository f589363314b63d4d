"""A program's talk in the form that every provider takes: many have a template that knows one
system message, the first, and never two users in a row."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

PLAIN = {"role", "content"}
JOINED = ("system", "user")


def sendable(messages: Iterable[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    """The same messages: what the system says later is told as by the user, neighbours of one role
    are joined, and an empty text beside calls, which some providers refuse, is none."""
    told: list[dict[str, Any]] = []
    for message in messages:
        late = message["role"] == "system" and any(one["role"] != "system" for one in told)
        one = {**message, "role": "user"} if late else message
        if told and _joins(told[-1], one):
            told[-1] = {**one, "content": f"{told[-1]['content']}\n\n{one['content']}"}
        else:
            bare = one.get("tool_calls") and not one["content"]
            told.append({**one, "content": None} if bare else one)
    return tuple(told)


def _joins(before: dict[str, Any], after: dict[str, Any]) -> bool:
    same = before["role"] == after["role"] and before["role"] in JOINED
    return same and before.keys() == after.keys() == PLAIN
