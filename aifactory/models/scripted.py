"""A model whose answers are read from a file of the repository: no network, no cost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from aifactory.errors import Cancelled, ModelPermanent
from aifactory.model import Answer, Usage
from aifactory.models.request import OPEN, SCRIPTED, Line, Request


class _Usage(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    prompt_tokens: int = 0
    completion_tokens: int = 0


class _ScriptedAnswer(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    text: str = ""
    finish_reason: str = "stop"
    usage: _Usage = _Usage()
    tool_calls: tuple[dict[str, Any], ...] = ()


class Scripted:
    """`scripted/<file>`, relative to the root of the repository.

    The file holds `{"tasks": {task_id: [{"text", "finish_reason", "usage"}, ...]}}`; the n-th
    request for a task gets the n-th answer, the last one repeats. It is read afresh every time.
    An answer may have `tool_calls`: `[{"name", "arguments": {...}}, ...]`.
    """

    def __init__(self, repository_root: Path) -> None:
        self.root = repository_root.resolve()

    def complete(self, request: Request, line: Line = OPEN) -> Answer:
        if line.stop.is_set():
            raise Cancelled("the call was cancelled")
        answers = _answers(_read(self._path(request.model)), request)
        turn = min(request.turn, len(answers) - 1)
        answer = _parse(answers[turn], f"{request.model}: tasks.{request.task_id}[{turn}]")
        line.progress(len(answer.text))
        return Answer(
            text=answer.text,
            finish_reason=answer.finish_reason,
            usage=Usage(
                prompt=answer.usage.prompt_tokens, completion=answer.usage.completion_tokens
            ),
            model=request.model,
            tool_calls=tuple(map(_call, answer.tool_calls)),
        )

    def check(self, model: str) -> None:
        """Raises ModelPermanent unless the file can be read and holds tasks."""
        _tasks(_read(self._path(model)), model)

    def _path(self, model: str) -> Path:
        path = (self.root / model.removeprefix(SCRIPTED)).resolve()
        if not path.is_relative_to(self.root):
            raise _broken(model, "expected a path inside the repository", got=str(path))
        return path


def _call(call: dict[str, Any]) -> dict[str, Any]:
    """A call as a provider sends it; `{"name", "arguments": {...}}` is enough in the file."""
    if "function" in call:
        return call
    function = {"name": call.get("name"), "arguments": json.dumps(call.get("arguments", {}))}
    return {"type": "function", "function": function}


def _broken(where: str, expected: str, *, got: str) -> ModelPermanent:
    return ModelPermanent(
        f"{where}: {expected}, got {got}", next_step="mend the file of scripted answers"
    )


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _broken(str(path), "expected a readable file", got=error.strerror or "") from error
    except (ValueError, RecursionError) as error:
        raise _broken(str(path), "expected JSON", got=str(error)) from error


def _tasks(document: Any, model: str) -> dict[str, Any]:
    tasks = document.get("tasks") if isinstance(document, dict) else None
    if not isinstance(tasks, dict):
        raise _broken(model, "`tasks` must be an object", got=type(tasks).__name__)
    return tasks


def _answers(document: Any, request: Request) -> list[Any]:
    answers = _tasks(document, request.model).get(request.task_id)
    field = f"{request.model}: tasks.{request.task_id}"
    if not isinstance(answers, list) or not answers:
        got = "no such task" if answers is None else repr(answers)[:80]
        raise _broken(field, "expected a list of answers that is not empty", got=got)
    return answers


def _parse(answer: Any, where: str) -> _ScriptedAnswer:
    try:
        # JSON has no tuples: strict validation of JSON text takes an array for one.
        return _ScriptedAnswer.model_validate_json(json.dumps(answer))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in (where, *first["loc"]))
        raise _broken(field, first["msg"], got=repr(first["input"])[:80]) from error
