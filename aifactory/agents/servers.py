"""The tools that one attempt has from MCP servers: listed once, called, and never trusted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aifactory.agents.bench import Bench
from aifactory.agents.serving import Serving, words
from aifactory.errors import AnswerUnusable
from aifactory.mcp import ServerBroken, Tool, chosen, refusal, told
from aifactory.model import CommandRecord, sha256

MOST_TOOLS, MOST_TOLD = 100, 100_000  # that a model is told of; characters of it
MOST_BREAKS = 3  # of one server in one attempt
ALL = "*"


class Servers:
    """Those that a prompt names, each started when it is first needed."""

    def __init__(self, wanted: Sequence[str], seconds: float, bench: Callable[[], Bench]) -> None:
        """`wanted` are names, `server` or `server/tool`, the tool with `*` for any text; a server
        lives for at most so many seconds."""
        self._globs: dict[str, list[str]] = {}
        for one in wanted:
            server, _, tool = one.partition("/")
            self._globs.setdefault(server, []).append(tool or ALL)
        self._seconds, self._bench = seconds, bench
        self._serving: dict[str, Serving] = {}
        self._breaks: Counter[str] = Counter()
        self._tools: dict[str, Tool] = {}

    def __bool__(self) -> bool:
        return bool(self._globs)

    def __contains__(self, name: str) -> bool:
        return name in self._tools

    @property
    def declared(self) -> dict[str, dict[str, Any]]:
        """What a model is told of the tools."""
        return {name: tool.declared for name, tool in self._tools.items()}

    def listing(self) -> tuple[str, ...]:
        """Every tool that the prompt names, as the servers describe it now, for `learn`.

        Raises ServerBroken for a server that does not start or has no such tool.
        """
        found = [tool for server in self._globs for tool in self._listed(server)]
        listing = tuple(tool.to_json() for tool in found)
        if len(listing) > MOST_TOOLS or sum(map(len, listing)) > MOST_TOLD:
            raise ServerBroken(
                f"{len(listing)} tools of MCP servers are too much to tell a model: "
                f"at most {MOST_TOOLS}, of {MOST_TOLD} characters",
                next_step="name fewer in `servers` of the prompt file: server/tool",
            )
        return listing

    def learn(self, listing: Sequence[str]) -> None:
        """What the tools of this attempt are."""
        tools = map(Tool.of_json, listing)
        self._tools = {tool.shown: tool for tool in tools}

    def pinned(self, prompt_sha256: str) -> str:
        """The hash of a prompt together with what was told of the tools."""
        shown = [tool.to_json() for tool in self._tools.values()]
        return sha256("\0".join([prompt_sha256, *shown]).encode()) if self else prompt_sha256

    def call(self, name: str, arguments: Mapping[str, Any]) -> str:
        """What a tool says. Raises AnswerUnusable with what the model has to hear, and
        ServerBroken for a server that breaks again and again."""
        tool = self._tools[name]
        if why := refusal(tool.schema, arguments):
            raise AnswerUnusable(f"{name}: {why}")
        try:
            serving = self._started(tool.server)
            if serving.client.changed:
                self._compare(tool.server)
            result = serving.client.call(tool.name, dict(arguments))
            if serving.client.changed:
                self._compare(tool.server)
            return serving.masked(told(tool.server, result))
        except ServerBroken as error:
            raise self._broke(tool.server, error) from error

    def close(self) -> list[CommandRecord]:
        """End them all."""
        records = [serving.close() for serving in self._serving.values()]
        self._serving.clear()
        return [record for record in records if record]

    def _started(self, server: str) -> Serving:
        """The server at work; one that is started again must offer the same."""
        if server not in self._serving:
            self._serving[server] = self._bench().serving(server, self._seconds)
            self._compare(server)
        return self._serving[server]

    def _listed(self, server: str) -> list[Tool]:
        if server not in self._serving:
            self._serving[server] = self._bench().serving(server, self._seconds)
        return chosen(server, self._serving[server].client.tools(), self._globs[server])

    def _compare(self, server: str) -> None:
        before = set(self._known(server))
        now = {tool.to_json() for tool in self._listed(server)}
        if now != before:
            names = sorted({Tool.of_json(one).name for one in now ^ before})
            raise ServerBroken(
                f"the MCP server {server} changed its tools in the middle of the attempt: "
                + ", ".join(names)
            )

    def _known(self, server: str) -> list[str]:
        return [tool.to_json() for tool in self._tools.values() if tool.server == server]

    def _broke(self, server: str, error: ServerBroken) -> Exception:
        """What one break is for the model; the last one is for the owner."""
        self._breaks[server] += 1
        serving = self._serving.pop(server, None)
        record = serving.close() if serving else None
        if self._breaks[server] >= MOST_BREAKS:
            return ServerBroken(f"{error.message}, {MOST_BREAKS} times", evidence=words(record))
        return AnswerUnusable(f"{error.message}; it is started again at the next call")
