"""What a program that talks to a model says and hears, whatever its dialect."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from aifactory.agents.calls import Call, calls_of
from aifactory.errors import AnswerUnusable, InvalidInput
from aifactory.model import Answer

MODEL = "aifactory"  # what every model is called: which one answers, the agent's file says
Body = Mapping[str, Any]
NO_TEXT = ("image", "image_url", "input_image", "document", "file", "input_file", "input_audio")
Event = tuple[str, str]  # the name of a server-sent event, "" for none, and its data


class NotUnderstood(InvalidInput):
    remedy = "mend the program's settings; docs/wrapped.md lists what is understood"


@dataclass(frozen=True)
class Asked:
    """One request of a program, in the form of OpenAI's chat API. `stream`: as events."""

    messages: tuple[dict[str, Any], ...]
    tools: tuple[dict[str, Any], ...] = ()
    stream: bool = False


@dataclass(frozen=True)
class Said:
    """The answer; `number` counts those of an attempt, so that no two calls have one name."""

    answer: Answer
    number: int

    @property
    def id(self) -> str:
        return f"{MODEL}_{self.number}"

    @property
    def calls(self) -> tuple[Call, ...]:
        return calls_of(self.answer, self.number)

    @property
    def cut(self) -> bool:
        """Whether the model had more to say than it may."""
        return self.answer.finish_reason == "length"


class Dialect(Protocol):
    """One wire format. `path` is how the address of a request ends; `wait` is what a program that
    reads events is sent while there are none."""

    @property
    def path(self) -> str: ...

    @property
    def wait(self) -> str: ...

    def read(self, body: Body) -> Asked:
        """Raises NotUnderstood for what no text or tool is."""
        ...

    def whole(self, said: Said) -> dict[str, Any]: ...

    def events(self, said: Said) -> Iterator[Event]: ...

    def error(self, status: int, message: str) -> dict[str, Any]: ...


class Usual:
    """What most dialects share: comments for who waits, and the form of an error."""

    wait = ": wait\n\n"

    def error(self, status: int, message: str) -> dict[str, Any]:
        kind = "not_found_error" if status == 404 else "invalid_request_error"
        return {"type": "error", "error": {"type": kind, "message": message}}


def text_of(content: object) -> str:
    """The text of a message, whole or in parts; of a picture and the like, that it was left out."""
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        raise NotUnderstood(f"a message's content is no text: {str(content)[:80]}")
    return "\n".join(map(_part, content))


def _part(part: object) -> str:
    match part:
        case str():
            return part
        case {"text": str(text)}:
            return text
        case {"type": kind} if kind in NO_TEXT:
            return left_out(kind)
        case _:
            raise NotUnderstood(f"a part of a message is no text: {str(part)[:80]}")


def form(schema: object) -> str:
    """What a model is told where its answer must be JSON: not every provider has a switch."""
    by = f" It must be valid by this JSON schema: {json.dumps(schema)}" if schema else ""
    return f"Answer with one JSON value and nothing else.{by}"


def formed(wanted: Any) -> list[dict[str, Any]]:
    """The same as a message, for what OpenAI's dialects ask for; none for text."""
    match wanted:
        case {"type": "json_schema", "json_schema": {"schema": schema}}:
            told = form(schema)
        case {"type": "json_schema", "schema": schema}:
            told = form(schema)
        case {"type": "json_object"}:
            told = form(None)
        case _:
            return []
    return [{"role": "system", "content": told}]


def left_out(kind: str) -> str:
    """What a model is told in the place of what it is not shown."""
    return f"(left out: {kind:.60}, which is not shown to a model here)"


def call(id: object, name: object, arguments: str) -> dict[str, Any]:
    """A tool call as a message holds it."""
    function = {"name": str(name), "arguments": arguments}
    return {"id": str(id), "type": "function", "function": function}


def tool(name: object, description: object, parameters: object) -> dict[str, Any]:
    """A tool as a model is told of it."""
    function = {
        "name": str(name),
        "description": str(description or ""),
        "parameters": parameters or {"type": "object", "properties": {}},
    }
    return {"type": "function", "function": function}


def arguments_of(made: Call) -> Mapping[str, Any]:
    """The arguments for a dialect that sends them as a value; {} for what is cut off."""
    try:
        return made.arguments
    except AnswerUnusable:
        return {}
