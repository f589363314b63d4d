"""A server for the tests of others, without a process: its tools are functions."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aifactory.mcp.messages import line_of

Handler = Callable[[Mapping[str, Any]], str]


@dataclass
class FakeServer:
    """Answers a line with lines, for `FakeSandbox.servers`. `asked` holds every message."""

    tools: Mapping[str, Handler] = field(default_factory=dict)
    version: str = "2025-11-25"
    asked: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, line: bytes) -> bytes:
        message = json.loads(line)
        self.asked.append(message)
        if "id" not in message:
            return b""
        return line_of({"id": message["id"], "result": self._result(message)})

    def _result(self, message: Mapping[str, Any]) -> dict[str, Any]:
        match message["method"]:
            case "initialize":
                about = {"name": "fake", "version": "1"}
                return {"protocolVersion": self.version, "capabilities": {}, "serverInfo": about}
            case "tools/list":
                return {"tools": [self._listed(name) for name in self.tools]}
            case _:
                params = message["params"]
                said = self.tools[params["name"]](params["arguments"])
                return {"content": [{"type": "text", "text": said}]}

    def _listed(self, name: str) -> dict[str, Any]:
        about = self.tools[name].__doc__ or ""
        return {"name": name, "description": about, "inputSchema": {"type": "object"}}
