"""Where a program asks how long a prompt is: answered here, since no model need be asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from aifactory.agents.dialects.base import Asked, Body
from aifactory.agents.dialects.contents import Contents
from aifactory.agents.dialects.messages import Messages

BYTES_PER_TOKEN = 4  # about what English and code have; programs know that it is an estimate


@dataclass(frozen=True)
class Count:
    """`path` is how the address of a request ends, `name` what the count is called."""

    path: str
    name: str
    read: Callable[[Body], Asked]

    def tokens(self, body: Body) -> dict[str, int]:
        """Raises NotUnderstood as the dialect does."""
        asked = self.read(body)
        data = json.dumps([asked.messages, asked.tools], ensure_ascii=False).encode()
        return {self.name: -(-len(data) // BYTES_PER_TOKEN)}


def _contents(body: Body) -> Asked:
    """Google takes the contents alone, or all of a request."""
    return Contents("").read(body.get("generateContentRequest") or body)


COUNTS = (
    Count(":countTokens", "totalTokens", _contents),
    Count("/messages/count_tokens", "input_tokens", Messages().read),
)
