"""A server that others wrote and published, in every real cage."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from aifactory.agents.serving import Place, Serving
from aifactory.mcp import chosen, refusal, told
from aifactory.sandbox import Limits, Spec, own_toolchain, owner
from aifactory.sandbox.confined import Confined
from aifactory.settings import Server
from tests.sandbox.conftest import cage, workspace

__all__ = ["cage", "workspace"]  # fixtures


def test_the_time_is_told(cage: Confined, workspace: Path) -> None:
    program = str(Path(sys.executable).with_name("mcp-server-time"))
    tools = own_toolchain()
    spec = Spec((program,), workspace, tools.environment, tools.readable, Limits(seconds=60))
    serving = Serving("time", Server(command=(program,)), Place(cage, spec, owner(41)))
    try:
        [tool] = chosen("time", serving.client.tools(), ["convert_*"])
        wanted = {"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo"}
        assert "is a required property" in refusal(tool.schema, {"time": "12:00"})
        said = told("time", serving.client.call(tool.name, wanted))
        assert json.loads(said)["time_difference"] == "+9.0h"
        bad = wanted | {"source_timezone": "Mars/Olympus"}
        assert told("time", serving.client.call(tool.name, bad)).startswith("error: ")
    finally:
        serving.close()
