"""A workspace to work in: commands in the cage, and what differs in the end, seen from outside."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from aifactory import harvest
from aifactory.agents.serving import Place, Serving
from aifactory.errors import PolicyDenied, PreconditionFailed
from aifactory.gate import Equipment, Room
from aifactory.gate.execution import ran, spec_of, split
from aifactory.harvest import File
from aifactory.mcp import ServerBroken
from aifactory.model import Change, CommandRecord, sha256
from aifactory.policy import command_refusal
from aifactory.tree import GitTree
from aifactory.workspace import PASSABLE, make_own


class Bench:
    """The workspace of one attempt. It holds the base, then what is done to it here."""

    def __init__(self, room: Room, tree: GitTree, most_bytes: int) -> None:
        self._room = room
        self._tree = tree
        self._most_bytes = most_bytes
        self._held: dict[str, Change] = {}
        self.commands: list[CommandRecord] = []
        room.workspace.checkout(room.repository, room.tree)

    def run(self, command: str) -> CommandRecord:
        """Run one command in the cage; what it did stays.

        Raises PolicyDenied for a program that the owner does not allow, PreconditionFailed for
        one that is not there.
        """
        words = split(command)
        allowed = self._room.allowed
        if allowed is not None and (why := command_refusal(words, allowed)):
            raise PolicyDenied(f"`{command}`: {why}")
        return self._run(_equipped(self._room, words[0]), command, words)

    def wrap(self, command: str, equipment: Equipment, stop: threading.Event) -> CommandRecord:
        """Run a program of the user's with what it needs; `stop` ends it, as Interrupted tells.

        It need not be allowed by name: its user named where it stands. Raises as `run` else.
        """
        room = replace(self._room, equipment=equipment, stop=stop)
        return self._run(room, command, split(command))

    def _run(self, room: Room, command: str, words: tuple[str, ...]) -> CommandRecord:
        record = ran(room, command, words)
        self.commands.append(record)
        room.on_command(record)
        room.left()
        if program := record.details.get("missing_program"):
            raise PreconditionFailed(
                f"`{command}`: the sandbox has no {program}",
                next_step=f"install {program} into the environment that [environment] python names",
            )
        return record

    @property
    def place(self) -> Path:
        """Where the files are, for us."""
        return self._room.workspace.path

    @property
    def owner(self) -> tuple[int, int] | None:
        """Whom the files belong to, and as whom commands run; None: as our user."""
        return self._room.workspace.owner

    @property
    def programs(self) -> tuple[Path, ...]:
        """Where the programs stand that may be wrapped."""
        return self._room.programs

    @property
    def stop(self) -> threading.Event:
        """Set to end what runs here."""
        return self._room.stop or threading.Event()

    def door(self) -> Path:
        """An empty directory beside the files, for what a command is shown and may not change."""
        door = self.place.with_name("door")
        shutil.rmtree(door, ignore_errors=True)
        make_own(door, PASSABLE)
        return door

    def serving(self, name: str, seconds: float) -> Serving:
        """Start one of the owner's MCP servers here, for at most so many seconds; it is the
        caller's to close.

        Raises ServerBroken, SandboxUnusable, Interrupted.
        """
        server = self._room.servers.get(name)
        if server is None:
            known = ", ".join(sorted(self._room.servers)) or "none"
            raise ServerBroken(f"[mcp.servers] of the target branch has no {name} (known: {known})")
        room = _equipped(self._room, server.command[0])
        if room.environment:
            room.workspace.link(room.environment.shown)
        spec = spec_of(room, server.command)
        place = Place(
            sandbox=room.sandbox,
            spec=replace(spec, limits=replace(spec.limits, seconds=seconds)),
            owner=room.workspace.owner,
            stop=room.stop,
            network=room.network,
            on_start=room.on_start,
            on_command=room.on_command,
        )
        return Serving(name, server, place)

    def hold(self, changes: Iterable[Change]) -> None:
        """Let the files be the base's with these changes, whatever was done here."""
        wanted = {change.path: change for change in changes}
        for path in {*self._held, *wanted}:
            change = wanted.get(path) or original(path, self._tree)
            if self._held.get(path) != change:
                content = change.content
                file = None if content is None else File(content, change.mode)
                harvest.put(self._room.workspace, path, file)
        self._held = wanted

    def changes(self) -> tuple[tuple[Change, ...], Mapping[str, str]]:
        """Every file that differs from the base; and what stands there but is none, with why."""
        room = self._room
        found = harvest.harvest(room.workspace, room.repository, self._most_bytes, self._held)
        changes = {
            path: change_of(path, file, self._tree) for path, file in sorted(found.files.items())
        }
        self._held = changes
        linked = room.environment.shown if room.environment else {}
        left = {path: why for path, why in found.left.items() if path not in linked}
        return tuple(changes.values()), left


def change_of(path: str, file: File | None, tree: GitTree) -> Change:
    before = tree.read(path)
    known = {"path": path, "base_sha256": None if before is None else sha256(before)}
    if file is None:
        return Change.model_validate(known | {"content": None})
    return Change.model_validate(known | {"content": file.content, "mode": file.mode})


def original(path: str, tree: GitTree) -> Change:
    """The change that undoes all others of a path."""
    content = tree.read(path)
    return change_of(path, None if content is None else File(content, tree.mode(path)), tree)


def _equipped(room: Room, program: str) -> Room:
    """The room with the daemon's own environment, where only that one has the program."""
    if "/" in program:
        return room
    ours = Path(sys.executable).with_name(program)
    theirs = shutil.which(program, path=room.tools.environment["PATH"])
    own = replace(room, python=Path(sys.executable), environment=None)
    return room if theirs or not ours.is_file() else own
