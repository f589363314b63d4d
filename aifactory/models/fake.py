"""A model for tests: answers from a list, in memory, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from typing import Any

from aifactory.errors import AifactoryError, Cancelled
from aifactory.model import Answer
from aifactory.models.request import OPEN, Line, Request

Outcome = str | Answer | AifactoryError


def calling(name: str, **arguments: Any) -> Answer:
    """An answer that calls a tool."""
    function = {"name": name, "arguments": json.dumps(arguments)}
    call = {"id": f"call_{name}", "type": "function", "function": function}
    return Answer(text="", finish_reason="tool_calls", tool_calls=(call,))


class FakeModel:
    """Gives or raises the given outcomes in order; the last one repeats. A text is an answer."""

    def __init__(self, outcomes: Sequence[Outcome]) -> None:
        self._outcomes = [Answer(text=one) if isinstance(one, str) else one for one in outcomes]
        self._lock = threading.Lock()
        self.requests: list[Request] = []

    def complete(self, request: Request, line: Line = OPEN) -> Answer:
        if line.stop.is_set():
            raise Cancelled("the call was cancelled")
        with self._lock:
            outcome = self._outcomes[min(len(self.requests), len(self._outcomes) - 1)]
            self.requests.append(request)
        if isinstance(outcome, AifactoryError):
            raise outcome
        line.progress(len(outcome.text))
        return outcome.model_copy(update={"model": outcome.model or request.model})
