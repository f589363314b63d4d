"""Anthropic's messages, which claude speaks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from aifactory.agents.dialects.base import (
    MODEL,
    Asked,
    Body,
    Event,
    NotUnderstood,
    Said,
    Usual,
    arguments_of,
    call,
    text_of,
    tool,
)

SKIPPED = ("thinking", "redacted_thinking")


class Messages(Usual):
    path = "/messages"

    def read(self, body: Body) -> Asked:
        system = text_of(body.get("system"))
        told = [{"role": "system", "content": system}] if system else []
        told += [one for message in body["messages"] for one in _turns(message)]
        tools = tuple(
            tool(one["name"], one.get("description"), one["input_schema"])
            for one in body.get("tools") or ()
            if "input_schema" in one
        )
        return Asked(tuple(told), tools, bool(body.get("stream")))

    def whole(self, said: Said) -> dict[str, Any]:
        usage = said.answer.usage
        return {
            "id": said.id,
            "type": "message",
            "role": "assistant",
            "model": MODEL,
            "content": list(_blocks(said)),
            "stop_reason": "max_tokens" if said.cut else "tool_use" if said.calls else "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": usage.prompt, "output_tokens": usage.completion},
        }

    def events(self, said: Said) -> Iterator[Event]:
        whole = self.whole(said)
        yield _event("message_start", message={**whole, "content": [], "stop_reason": None})
        for index, block in enumerate(whole["content"]):
            begun, delta = _apart(block)
            yield _event("content_block_start", index=index, content_block=begun)
            yield _event("content_block_delta", index=index, delta=delta)
            yield _event("content_block_stop", index=index)
        ended = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
        yield _event("message_delta", delta=ended, usage=whole["usage"])
        yield _event("message_stop")


def _turns(message: Body) -> Iterator[dict[str, Any]]:
    """A message with blocks as messages: results of tools have one each, before the rest."""
    content, role = message["content"], message["role"]
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    texts, calls = [], []
    for block in blocks:
        match block["type"]:
            case "text" | "image" | "document":
                texts.append(block)
            case "tool_use":
                calls.append(call(block["id"], block["name"], json.dumps(block["input"])))
            case "tool_result":
                result = text_of(block.get("content"))
                yield {"role": "tool", "tool_call_id": block["tool_use_id"], "content": result}
            case kind if kind not in SKIPPED:
                raise NotUnderstood(f"a block of type {kind!r}")
    if texts or calls:
        made = {"tool_calls": calls} if calls else {}
        yield {"role": role, "content": text_of(texts), **made}


def _blocks(said: Said) -> Iterator[dict[str, Any]]:
    if said.answer.text or not said.calls:
        yield {"type": "text", "text": said.answer.text}
    for made in said.calls:
        known = {"type": "tool_use", "id": made.id, "name": made.name}
        yield {**known, "input": dict(arguments_of(made))}


def _apart(block: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A block as it begins, and what is then told of it."""
    if block["type"] == "text":
        return {**block, "text": ""}, {"type": "text_delta", "text": block["text"]}
    told = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
    return {**block, "input": {}}, told


def _event(kind: str, **fields: Any) -> Event:
    return kind, json.dumps({"type": kind, **fields})
