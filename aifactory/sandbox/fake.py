"""A sandbox and an internet for the tests of others: nothing runs, everything is scripted."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from aifactory.errors import Interrupted
from aifactory.model import CommandRecord, now
from aifactory.sandbox.spec import Spec
from aifactory.sandbox.talk import HELD, HOLD, Talk

Scripted = int | CommandRecord | Exception | Callable[[Spec], CommandRecord]


@dataclass
class FakeSandbox:
    """Answers each command by its joined words: an exit status, a record, an error or a call.

    What is not scripted gets `default`. `ran` holds every spec in order. `servers` are programs
    that are talked with: each answers a line with lines.
    """

    results: Mapping[str, Scripted] = field(default_factory=dict)
    default: Scripted = 0
    name: str = "fake"
    ran: list[Spec] = field(default_factory=list)
    servers: Mapping[str, Callable[[bytes], bytes]] = field(default_factory=dict)

    def run(self, spec: Spec, stop: threading.Event | None = None) -> CommandRecord:
        if stop is not None and stop.is_set():
            raise Interrupted("the daemon stops")
        self.ran.append(spec)
        result = self.results.get(" ".join(spec.argv), self.default)
        if isinstance(result, Exception):
            raise result
        if isinstance(result, CommandRecord):
            return result
        return self._record(spec, result) if isinstance(result, int) else result(spec)

    def talk(self, spec: Spec, talk: Talk) -> CommandRecord:
        self.ran.append(spec)
        answer = self.servers[" ".join(spec.argv)]
        held = b"ready \n"

        def order(word: bytes) -> None:
            nonlocal held
            held += (HELD + b"still\n") * (word == HOLD)
            talk.note(held)

        with open(os.dup(talk.source), "rb") as lines:
            talk.taken(order)
            talk.note(held)
            for line in lines:
                talk.hear("stdout", answer(line))
        talk.ended()
        return self._record(spec, 0)

    def _record(self, spec: Spec, exit_code: int) -> CommandRecord:
        return CommandRecord(
            argv=spec.argv, backend=self.name, started_at=now(), exit_code=exit_code
        )


@dataclass
class FakeNetwork:
    """Names with their addresses, and addresses with the local servers that stand for them.

    A name that is asked for again gets its next addresses, the last ones repeat. `asked` and
    `connected` hold what was wanted, in order.
    """

    names: Mapping[str, Sequence[Sequence[str]]] = field(default_factory=dict)
    servers: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    connected: list[tuple[str, int]] = field(default_factory=list)

    def resolve(self, host: str, port: int) -> Sequence[str]:
        if host not in self.names:
            raise OSError(f"no such name: {host}")
        answers = self.names[host]
        self.asked.append(host)
        return answers[min(self.asked.count(host), len(answers)) - 1]

    def connect(self, address: str, port: int) -> socket.socket:
        self.connected.append((address, port))
        if address not in self.servers:
            raise ConnectionRefusedError(f"nobody answers at {address}")
        return socket.create_connection(self.servers[address], 5)
