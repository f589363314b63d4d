"""OpenAI's chat completions, which most programs speak."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from aifactory.agents.dialects.base import MODEL, Asked, Body, Event, Said, Usual, formed, text_of

KEPT = ("role", "tool_calls", "tool_call_id", "name")


class Chat(Usual):
    path = "/chat/completions"

    def read(self, body: Body) -> Asked:
        messages = (*formed(body.get("response_format")), *map(_message, body["messages"]))
        tools = tuple(one for one in body.get("tools") or () if one["type"] == "function")
        return Asked(messages, tools, bool(body.get("stream")))

    def whole(self, said: Said) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": said.answer.text}
        if calls := _calls(said):
            message["tool_calls"] = calls
        choice = {"index": 0, "message": message, "finish_reason": _finish(said)}
        return {**_head(said, "chat.completion"), "choices": [choice], "usage": _usage(said)}

    def events(self, said: Said) -> Iterator[Event]:
        first: dict[str, Any] = {"role": "assistant", "content": said.answer.text}
        if calls := _calls(said):
            first["tool_calls"] = [{"index": n, **one} for n, one in enumerate(calls)]
        head = _head(said, "chat.completion.chunk")
        for delta, finish in ((first, None), ({}, _finish(said))):
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            yield "", json.dumps({**head, "choices": [choice]})
        yield "", json.dumps({**head, "choices": [], "usage": _usage(said)})
        yield "", "[DONE]"


def _message(message: Body) -> dict[str, Any]:
    kept = {key: message[key] for key in KEPT if message.get(key)}
    role = "system" if kept["role"] == "developer" else kept["role"]
    return {**kept, "role": role, "content": text_of(message.get("content"))}


def _head(said: Said, kind: str) -> dict[str, Any]:
    return {"id": said.id, "object": kind, "created": 0, "model": MODEL}


def _calls(said: Said) -> list[dict[str, Any]]:
    return [
        {"id": one.id, "type": "function", "function": {"name": one.name, "arguments": one.text}}
        for one in said.calls
    ]


def _finish(said: Said) -> str:
    return "length" if said.cut else "tool_calls" if said.calls else "stop"


def _usage(said: Said) -> dict[str, int]:
    usage = said.answer.usage
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
    }
