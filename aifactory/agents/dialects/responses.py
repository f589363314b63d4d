"""OpenAI's Responses, which codex speaks. Tools of the provider's own are left out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from aifactory.agents.dialects.base import (
    MODEL,
    Asked,
    Body,
    Event,
    NotUnderstood,
    Said,
    Usual,
    call,
    formed,
    text_of,
    tool,
)

ROLES = {"developer": "system"}
SKIPPED = ("reasoning", "item_reference")


class Responses(Usual):
    path = "/responses"

    def read(self, body: Body) -> Asked:
        given = body["input"]
        items = [{"role": "user", "content": given}] if isinstance(given, str) else given
        messages = [{"role": "system", "content": text_of(body.get("instructions"))}]
        messages += formed((body.get("text") or {}).get("format"))
        for item in items:
            _add(messages, item)
        tools = tuple(
            tool(one["name"], one.get("description"), one.get("parameters"))
            for one in body.get("tools") or ()
            if one["type"] == "function"
        )
        told = tuple(one for one in messages if one["content"] or one["role"] != "system")
        return Asked(told, tools, bool(body.get("stream")))

    def whole(self, said: Said) -> dict[str, Any]:
        usage = said.answer.usage
        why = {"reason": "max_output_tokens"} if said.cut else None
        return {
            "id": said.id,
            "object": "response",
            "created_at": 0,
            "status": "incomplete" if said.cut else "completed",
            "incomplete_details": why,
            "error": None,
            "model": MODEL,
            "output": list(_items(said)),
            "usage": {
                "input_tokens": usage.prompt,
                "input_tokens_details": {"cached_tokens": 0},
                "output_tokens": usage.completion,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": usage.prompt + usage.completion,
            },
        }

    def events(self, said: Said) -> Iterator[Event]:
        whole = self.whole(said)
        begun = {**whole, "status": "in_progress", "output": [], "usage": None}
        last = "response.incomplete" if said.cut else "response.completed"
        told = [("response.created", {"response": begun}), *_told(whole["output"])]
        for number, (kind, fields) in enumerate([*told, (last, {"response": whole})]):
            yield kind, json.dumps({"type": kind, "sequence_number": number, **fields})


def _add(messages: list[dict[str, Any]], item: Body) -> None:
    """An item as a message; calls stand in the message of the assistant that made them."""
    kind = item.get("type", "message")
    if kind == "message":
        role = ROLES.get(item["role"], item["role"])
        messages.append({"role": role, "content": text_of(item.get("content"))})
    elif kind == "function_call":
        if messages[-1]["role"] != "assistant":
            messages.append({"role": "assistant", "content": ""})
        made = call(item["call_id"], item["name"], str(item.get("arguments") or "{}"))
        messages[-1].setdefault("tool_calls", []).append(made)
    elif kind == "function_call_output":
        output = text_of(item.get("output"))
        messages.append({"role": "tool", "tool_call_id": item["call_id"], "content": output})
    elif kind not in SKIPPED:
        raise NotUnderstood(f"an item of type {kind!r}")


def _items(said: Said) -> Iterator[dict[str, Any]]:
    done = {"status": "completed"}
    if said.answer.text:
        part = {"type": "output_text", "text": said.answer.text, "annotations": []}
        known = {"type": "message", "id": f"{said.id}_text", "role": "assistant"}
        yield {**known, **done, "content": [part]}
    for made in said.calls:
        known = {"type": "function_call", "id": f"{said.id}_{made.id}", "call_id": made.id}
        yield {**known, **done, "name": made.name, "arguments": made.text}


def _told(items: Iterable[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for index, item in enumerate(items):
        begun = {**item, "status": "in_progress"} | ({"content": []} if "content" in item else {})
        yield "response.output_item.added", {"output_index": index, "item": begun}
        for part in item.get("content", ()):
            place = {"output_index": index, "content_index": 0, "item_id": item["id"]}
            yield "response.output_text.delta", {**place, "delta": part["text"]}
        yield "response.output_item.done", {"output_index": index, "item": item}
