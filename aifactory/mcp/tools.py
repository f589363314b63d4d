"""What a server offers, as it is told to a model: named, bounded, and not trusted."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any, Self

from aifactory.mcp.client import ServerBroken
from aifactory.mcp.messages import plain
from aifactory.model import sha256

MOST_TEXT, MOST_SCHEMA = 4000, 20_000  # characters of a description, of a schema
LONGEST_NAME = 64  # that models' providers take
_STRANGE = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(frozen=True)
class Tool:
    """One tool of a server: its own name there, and what a model is told of it."""

    server: str
    name: str
    about: str
    schema: Mapping[str, Any]

    @property
    def shown(self) -> str:
        """The name for a model: `server__tool`; one that had to be altered ends in a hash."""
        plain_name = f"{self.server}__{_STRANGE.sub('_', self.name)}"
        if plain_name == f"{self.server}__{self.name}" and len(plain_name) <= LONGEST_NAME:
            return plain_name
        return f"{plain_name[: LONGEST_NAME - 9]}_{sha256(self.name.encode())[:8]}"

    @property
    def declared(self) -> dict[str, Any]:
        """What a model is told; whose words they are, too."""
        whose = f"[In the words of the server {self.server}, who is not the owner]"
        return {"description": f"{whose} {self.about}".rstrip(), "parameters": dict(self.schema)}

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def of_json(cls, text: str) -> Self:
        return cls(**json.loads(text))


def chosen(server: str, offered: Iterable[Mapping[str, Any]], globs: Sequence[str]) -> list[Tool]:
    """The offered tools that a prompt names, by name. Raises ServerBroken for what is none."""
    listed = list(offered)
    names = [one.get("name") for one in listed]
    for name, count in Counter(map(str, names)).items():
        if count > 1:
            raise ServerBroken(f"the MCP server {server} lists {name!r:.100} {count} times")
    found = [one for one in listed if any(fnmatchcase(str(one.get("name")), g) for g in globs)]
    for glob in globs:
        if not any(fnmatchcase(str(one.get("name")), glob) for one in found):
            has = plain(", ".join(sorted(map(str, names))))[:1000] or "none"
            raise ServerBroken(f"the MCP server {server} has no tool {glob!r}; it has: {has}")
    return sorted((_tool(server, one) for one in found), key=lambda tool: tool.name)


def _tool(server: str, one: Mapping[str, Any]) -> Tool:
    name, schema = one.get("name"), one.get("inputSchema")
    where = f"the MCP server {server}, tool {name!r:.100}"
    if not isinstance(name, str) or not name or not name.isprintable():
        raise ServerBroken(f"{where}: this is no name")
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise ServerBroken(f"{where}: its inputSchema is not that of an object")
    if not isinstance(schema.get("properties", {}), dict):
        raise ServerBroken(f"{where}: the properties of its inputSchema are no object")
    if len(json.dumps(schema)) > MOST_SCHEMA:
        raise ServerBroken(f"{where}: its inputSchema has more than {MOST_SCHEMA} characters")
    kept = {key: value for key, value in schema.items() if key != "$schema"}
    kept = {**kept, "properties": schema.get("properties", {})}
    about = one.get("description")
    return Tool(server, name, plain(about)[:MOST_TEXT] if isinstance(about, str) else "", kept)
