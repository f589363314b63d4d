"""What a check is, what it may use, and what the gate says at the end."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal, Protocol, Self

from aifactory.environments import Environment
from aifactory.gate.known import Known
from aifactory.git import Entry, Repository
from aifactory.model import CommandRecord, Task, Verdict
from aifactory.sandbox import Limits, Network, Sandbox, Toolchain, toolchain
from aifactory.settings import Server, Strength
from aifactory.workspace import Workspace

MOST_EVIDENCE = 4000


@dataclass(frozen=True)
class Equipment:
    """What one command is given beyond what all are: trees to see, directories before the others
    on PATH, variables, the socket that it may reach, and its own time."""

    readable: tuple[Path, ...] = ()
    path: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    network: Path | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Room:
    """All that a check may use: one tree, a workspace that holds it, a cage to run commands in.

    `repository` may be a quarantine view. `base` is the owner's tree that the change was made on,
    "" where there is none to compare with. `commands` and `keep` (globs of untracked paths that
    may stay from one command to the next) are the owner's, never read from `tree`; `allowed` are
    the programs that a task's own commands may run, None for any. `ignored` are tests of pytest's
    that do not count, by name, and `suspected` those that were flaky on this very change before;
    `held_out` is where unseen checks are. `timeout` is in seconds for
    one command; the task's own goes before it, and before `limits`. Commands find `python` first on
    PATH, and what `environment` has, where there is one. `security` is the severity from which on a
    finding is red. `known` remembers what commands did on other trees. `programs` are where the
    programs stand that agents wrap; `equipment` is for what a command needs that no other does.
    `servers` are the owner's MCP servers, by name; `network` is what those reach that may, the
    machine's own by default. `left` is the seconds that the task still has, whatever one command
    may take; it raises DeadlinePassed when none are left.
    """

    workspace: Workspace
    sandbox: Sandbox
    python: Path
    task: Task
    repository: Repository
    tree: str
    base: str = ""
    commands: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    allowed: tuple[str, ...] | None = None
    ignored: tuple[str, ...] = ()
    suspected: tuple[str, ...] = ()
    held_out: str | None = None
    timeout: float = 600
    strength: Strength = field(default_factory=Strength)
    limits: Limits = field(default_factory=Limits)
    environment: Environment | None = None
    programs: tuple[Path, ...] = ()
    equipment: Equipment = field(default_factory=Equipment)
    security: Literal["off", "low", "medium", "high"] = "off"
    known: Known = field(default_factory=Known)
    servers: Mapping[str, Server] = field(default_factory=dict)
    network: Network | None = None
    left: Callable[[], float] = lambda: math.inf
    stop: threading.Event | None = None
    on_start: Callable[[str], None] = lambda command: None
    on_command: Callable[[CommandRecord], None] = lambda record: None

    @cached_property
    def changed(self) -> dict[str, tuple[Entry | None, Entry | None]]:
        """Every path that differs from the base, with its entry before and after."""
        return self.repository.changed(self.base, self.tree)

    @property
    def seconds(self) -> float:
        """How long one command may take."""
        return self.equipment.seconds or self.task.command_timeout or self.timeout

    @property
    def tools(self) -> Toolchain:
        """What commands need to be shown of interpreter and environment."""
        return self.environment.tools if self.environment else toolchain(self.python)

    def watched(self, records: list[CommandRecord]) -> Self:
        """The same room, noting every command in `records` too."""

        def note(record: CommandRecord) -> None:
            records.append(record)
            self.on_command(record)

        return replace(self, on_command=note)


class Check(Protocol):
    """One kind of check; no verdict where the owner asks for none or nothing is to be compared.

    Raises SandboxUnusable, never a verdict, where no cage can be had.
    """

    @property
    def name(self) -> str: ...

    def run(self, room: Room) -> Verdict | None: ...


@dataclass(frozen=True)
class GateResult:
    """What the gate says of one tree, with the record of every command that ran for it.

    `broken` is why a red one is not the change's fault, in words, "" where it is. `flaky` names
    tests that failed in one of two runs; `passed_again`: nothing failed in the second one.
    `inherited` are suspected ones of these that fail now and then without the change, too.
    """

    verdicts: tuple[Verdict, ...]
    commands: tuple[CommandRecord, ...]
    broken: str = ""
    flaky: tuple[str, ...] = ()
    passed_again: bool = False
    inherited: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return all(verdict.ok for verdict in self.verdicts)

    @property
    def red(self) -> tuple[Verdict, ...]:
        return tuple(verdict for verdict in self.verdicts if not verdict.ok)

    @property
    def failed_command(self) -> CommandRecord | None:
        """The command that a red verdict stands on; None where it stands on something else."""
        named = {verdict.command for verdict in self.red if verdict.command}
        own = (record for record in reversed(self.commands) if "on" not in record.details)
        return next((record for record in own if record.details.get("command") in named), None)

    @property
    def missing_programs(self) -> tuple[str, ...]:
        """Programs that the cage does not have. The gate may be broken, whatever the change is."""
        found = (record.details.get("missing_program") for record in self.commands)
        return tuple(str(program) for program in found if program)

    @property
    def message(self) -> str:
        """Why the gate is red, in one line; "" when it is green."""
        return "; ".join(f"{verdict.check}: {verdict.message}" for verdict in self.red)

    def evidence(self) -> str:
        """For the agent's next prompt: what failed, how, and the last lines of each failure."""
        return "\n\n".join(
            f"{verdict.check}: {verdict.message}\n{verdict.evidence}".rstrip()
            for verdict in self.red
        )


def last_lines(text: str, limit: int = MOST_EVIDENCE) -> str:
    """The end of a text, at most `limit` characters, whole lines where there are any."""
    text = text.rstrip()
    if len(text) <= limit:
        return text
    tail = text[-limit:]
    head, newline, rest = tail.partition("\n")
    return f"[...]\n{rest if newline and len(head) < limit // 2 else tail}"
