"""One MCP server at work in the cage, in the workspace of an attempt."""

from __future__ import annotations

import os
import shlex
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from aifactory.errors import AifactoryError, EnvironmentUnusable
from aifactory.mcp import Client, ServerBroken
from aifactory.mcp.client import CLOSE_SECONDS, Patience
from aifactory.model import CommandRecord
from aifactory.models.keys import KEYS
from aifactory.redaction import MASK, SHORTEST
from aifactory.sandbox import Internet, Network, Request, Sandbox, Spec, Talk, serve, toolchain
from aifactory.settings import Server
from aifactory.workspace import PASSABLE, make_own

LAST_WORDS = 2000  # characters of what a broken server wrote
_PROVIDERS = frozenset(name for names in KEYS.values() for name in names)


@dataclass(frozen=True)
class Place:
    """Where a server works and who is told. `spec` is that of its command, as of any other there;
    beside its workspace is room for the daemon's own."""

    sandbox: Sandbox
    spec: Spec
    owner: tuple[int, int] | None = None
    stop: threading.Event | None = None
    network: Network | None = None
    on_start: Callable[[str], None] = lambda command: None
    on_command: Callable[[CommandRecord], None] = lambda record: None


class Serving:
    """A started server, until `close`; its record is told as any command's."""

    def __init__(self, name: str, server: Server, place: Place) -> None:
        """Start it. Raises ServerBroken, SandboxUnusable, Interrupted."""
        self._name, self._server, self._place = name, server, place
        self._given = given(name, server)
        self._talk = Talk()
        self._record: CommandRecord | None = None
        self._problem: AifactoryError | None = None
        self.client = Client(name, self._talk, Patience(server.seconds, place.stop))
        place.on_start(shlex.join(server.command))
        self._thread = threading.Thread(target=self._run, name=f"mcp-{name}", daemon=True)
        self._thread.start()
        try:
            self.client.greet()
        except BaseException as error:
            record = self.close()
            if self._problem:  # of the cage itself
                raise self._problem from error
            if record and isinstance(error, ServerBroken):
                raise ServerBroken(error.message + _said(record), evidence=words(record)) from error
            raise

    def masked(self, text: str) -> str:
        """The text without the values of the variables that the server was given."""
        for value in sorted(self._given.values(), key=len, reverse=True):
            text = text.replace(value, MASK) if len(value) >= SHORTEST else text
        return text

    def close(self) -> CommandRecord | None:
        """End it with all that it started, and tell its record."""
        self._talk.close(CLOSE_SECONDS)
        self._thread.join()
        record, self._record = self._record, None
        if record:
            self._place.on_command(record)
        return record

    def _run(self) -> None:
        """In a thread of its own: the cage, and the way out of it."""
        requests: list[Request] = []
        try:
            with self._door(requests) as door:
                record = self._place.sandbox.talk(self._spec(door), self._talk)
            told = {
                "command": shlex.join(self._server.command),
                "server": self._name,
                "bounds": asdict(self._place.spec.limits),
                "requests": [asdict(request) for request in requests],
            }
            output, details = self.masked(record.output), record.details | told
            self._record = record.model_copy(update={"output": output, "details": details})
        except AifactoryError as error:
            self._problem = error
        except OSError as error:
            self._problem = EnvironmentUnusable(f"the MCP server {self._name}: {error}")
        finally:
            self._talk.ended()

    def _spec(self, door: Path | None) -> Spec:
        spec = self._place.spec
        return replace(
            spec,
            environment={**self._given, **spec.environment},
            readable=(*spec.readable, *installation(Path(self._server.command[0]))),
            network=door,
        )

    @contextmanager
    def _door(self, requests: list[Request]) -> Iterator[Path | None]:
        """The way out, for a server that has hosts."""
        hosts, place = self._server.hosts, self._place
        if not hosts:
            yield None
            return
        folder = place.spec.workspace.parent / f"door-{self._name}"
        make_own(folder, PASSABLE)
        door, network = folder / "proxy", place.network or Internet()
        with serve(hosts, door, requests.append, network, place.owner):
            yield door


def given(name: str, server: Server) -> Mapping[str, str]:
    """The variables that a server gets. Raises ServerBroken for one that it cannot have."""
    for variable in server.environment:
        if variable in _PROVIDERS:
            raise ServerBroken(f"[mcp.servers.{name}] environment: {variable} is a model's key")
        if variable not in os.environ:
            raise ServerBroken(
                f"[mcp.servers.{name}] environment: {variable} is not set",
                next_step=f"set {variable} in the environment of the daemon and start it again",
            )
    return {variable: os.environ[variable] for variable in server.environment}


def installation(program: Path) -> tuple[Path, ...]:
    """What must be visible of a program that is named by its full path: its virtual environment,
    or the `node_modules` that it stands in."""
    if not program.is_absolute():
        return ()
    if (program.parent.parent / "pyvenv.cfg").is_file():
        return toolchain(program.parent / "python").readable
    return tuple(parent for parent in program.parents if parent.name == "node_modules")[:1]


def words(record: CommandRecord | None) -> str:
    """The end of what a server wrote, for whoever has to mend it."""
    return record.output[-LAST_WORDS:] if record else ""


def _said(record: CommandRecord) -> str:
    """Its last line, as the reason that people look for first."""
    lines = record.output.strip().splitlines()
    return f"; it said: {lines[-1][:300]}" if lines else ""
