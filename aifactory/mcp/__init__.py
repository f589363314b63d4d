"""Servers of the Model Context Protocol as tools: a strict client of our own for caged programs.

The official SDK is not used: it starts the server itself, outside of any cage, takes lines of any
length, and would bring an event loop and most of a second of imports into the daemon. What is
needed here is three requests on a pipe.
"""

from __future__ import annotations

from aifactory.mcp.arguments import refusal
from aifactory.mcp.client import Client, ServerBroken, ToolRefused
from aifactory.mcp.fake import FakeServer
from aifactory.mcp.results import told
from aifactory.mcp.tools import Tool, chosen

__all__ = [
    "Client",
    "FakeServer",
    "ServerBroken",
    "Tool",
    "ToolRefused",
    "chosen",
    "refusal",
    "told",
]
