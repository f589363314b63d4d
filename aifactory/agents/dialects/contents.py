"""Google's generateContent, which gemini speaks. Tools of the provider's own are left out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from aifactory.agents.dialects.base import (
    MODEL,
    Asked,
    Body,
    Event,
    NotUnderstood,
    Said,
    arguments_of,
    call,
    form,
    left_out,
    text_of,
    tool,
)

JSON = "application/json"
Called = list[tuple[str, str]]  # name and id of every call; no name where its result has come


@dataclass(frozen=True)
class Contents:
    """`path` says whether the answer is told as events; the request does not."""

    path: str
    stream: bool = False
    wait = "\n"  # Google's own client reads events by a pattern that knows no comments

    def read(self, body: Body) -> Asked:
        told = "\n\n".join(filter(None, (_text(body.get("systemInstruction")), _form(body))))
        system = [{"role": "system", "content": told}] if told else []
        called: Called = []
        turns = [turn for one in body["contents"] for turn in _turns(one, called)]
        tools = tuple(
            tool(one["name"], one.get("description"), _parameters(one))
            for group in body.get("tools") or ()
            for one in group.get("functionDeclarations") or ()
        )
        return Asked((*system, *turns), tools, self.stream)

    def whole(self, said: Said) -> dict[str, Any]:
        usage = said.answer.usage
        candidate = {
            "index": 0,
            "content": {"role": "model", "parts": list(_parts(said))},
            "finishReason": "MAX_TOKENS" if said.cut else "STOP",
        }
        return {
            "candidates": [candidate],
            "usageMetadata": {
                "promptTokenCount": usage.prompt,
                "candidatesTokenCount": usage.completion,
                "totalTokenCount": usage.prompt + usage.completion,
            },
            "modelVersion": MODEL,
            "responseId": said.id,
        }

    def events(self, said: Said) -> Iterator[Event]:
        yield "", json.dumps(self.whole(said))

    def error(self, status: int, message: str) -> dict[str, Any]:
        named = {400: "INVALID_ARGUMENT", 404: "NOT_FOUND"}.get(status, "PERMISSION_DENIED")
        return {"error": {"code": status, "message": message, "status": named}}


def _turns(content: Body, called: Called) -> Iterator[dict[str, Any]]:
    """A content as messages: results of tools have one each, before the rest."""
    texts, calls = [], []
    for part in content["parts"]:
        match part:
            case {"thought": True}:
                continue
            case {"functionCall": made}:
                known = made.get("id") or f"{made['name']}_{len(called)}"
                called.append((made["name"], known))
                calls.append(call(known, made["name"], json.dumps(made.get("args") or {})))
            case {"functionResponse": result}:
                known = _answered(result, called)
                yield {"role": "tool", "tool_call_id": known, "content": _result(result)}
            case _:
                texts.append(_said(part))
    if texts or calls:
        role = "assistant" if content.get("role") == "model" else "user"
        made = {"tool_calls": calls} if calls else {}
        yield {"role": role, "content": text_of(texts), **made}


def _answered(result: Body, called: Called) -> str:
    """The id of the call that a result is of: one without is of the first of that name."""
    name, known = result["name"], result.get("id")
    for number, (of, id) in enumerate(called):
        if of == name and known in (None, id):
            called[number] = ("", id)
            return id
    raise NotUnderstood(f"a result of {name}, which was not called")


def _result(result: Body) -> str:
    match result["response"]:
        case {"output": str(text), **others} if not others:
            pass
        case told:
            text = json.dumps(told)
    return "\n".join((text, *map(_said, result.get("parts") or ())))


def _said(part: Body) -> str:
    match part:
        case {"text": str(text)}:
            return text
        case {"inlineData": {"mimeType": str(kind)}} | {"fileData": {"mimeType": str(kind)}}:
            return left_out(kind)
        case _:
            raise NotUnderstood(f"a part with {', '.join(part) or 'nothing'}")


def _text(content: Any) -> str:
    """Of an instruction: a content, or its text alone."""
    return text_of(content["parts"] if isinstance(content, dict) else content)


def _form(body: Body) -> str:
    config = body.get("generationConfig") or {}
    if config.get("responseMimeType") != JSON:
        return ""
    return form(config.get("responseJsonSchema") or _plain(config.get("responseSchema")))


def _parameters(declared: Body) -> object:
    return declared.get("parametersJsonSchema") or _plain(declared.get("parameters"))


def _plain(schema: Any) -> Any:
    """Google's form of a schema as JSON Schema, whose types are in small letters."""
    if isinstance(schema, list):
        return [_plain(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    typed = schema.get("type")
    small = {"type": typed.lower()} if isinstance(typed, str) else {}
    return {key: _plain(value) for key, value in schema.items()} | small


def _parts(said: Said) -> Iterable[dict[str, Any]]:
    if said.answer.text or not said.calls:
        yield {"text": said.answer.text}
    for made in said.calls:
        known = {"id": made.id, "name": made.name, "args": dict(arguments_of(made))}
        yield {"functionCall": known}
