"""One command in a room: split, run in the cage, the tree put back after it, told in words."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path

from aifactory import policy
from aifactory.errors import Interrupted, InvalidInput, SandboxUnusable
from aifactory.gate.base import Room, last_lines
from aifactory.gate.interpreter import installed_in_place
from aifactory.model import CommandRecord, Verdict, now
from aifactory.sandbox import Spec, Toolchain, layered
from aifactory.workspace import Restored

PYTHONS = frozenset({"python", "python3"})
NOT_FOUND, NOT_EXECUTABLE = 127, 126
OPERATORS = frozenset({"&&", "||", "|", ";", "&", ">", ">>", "<", "2>&1"})
_MOST_PATHS, _MOST_SHOWN = 50, 5
_CACHE = re.compile(r"(^|/)(\.[^/]*|__pycache__)$|\.pyc$")
_PLAIN = re.compile(r"[A-Za-z0-9._/+@=~ -]+")
_SYSTEM = frozenset({"bin", "dev", "etc", "lib", "lib64", "proc", "sbin", "sys", "usr"})
_TOO_MUCH = {"memory": "memory", "output": "room for its output", "disk": "disk space"}


def split(command: str) -> tuple[str, ...]:
    """The words of a command as a shell splits them. Raises InvalidInput where it cannot."""
    try:
        return policy.split(command)
    except ValueError as error:
        raise InvalidInput(
            f"the command `{command}` cannot be split into words: {error}",
            next_step="mend the command in the task file or in aifactory.toml",
        ) from error


def execute(room: Room, command: str) -> CommandRecord:
    """Run one command and undo what it did to the tree, so that the next one meets it as it was.

    The record says in `details` what was `restored` and `removed`, and names a `missing_program`
    that is not the repository's own. Raises SandboxUnusable when the cage refuses, Interrupted
    when `room.stop` was set, DeadlinePassed when the task's time is up.
    """
    words = split(command)
    with ThreadPoolExecutor(1) as alone:  # a layer is for the thread that lays it
        record = alone.submit(_undone, room, command, words).result()
    room.on_command(record)
    room.left()
    return record


def _undone(room: Room, command: str, words: tuple[str, ...]) -> CommandRecord:
    """On a layer of fixed size where one can be had, unless something may stay for the next."""
    place = room.workspace.path
    with nullcontext() if room.keep else layered(place, room.limits) as limits:
        there = replace(room, limits=limits) if limits else room
        record = ran(there, command, words)
        found = room.workspace.seen() if limits else room.workspace.restore(room.keep)
    return record.model_copy(update={"details": record.details | _aftermath(room, found)})


def ran(room: Room, command: str, words: tuple[str, ...]) -> CommandRecord:
    """Run one command and leave what it did; its end is the caller's to tell. As `execute`."""
    room.on_start(command)
    if room.environment:
        room.workspace.link(room.environment.shown)
    spec = spec_of(room, words)
    told: dict[str, object] = {"command": command, "bounds": asdict(spec.limits)}
    record = _run(room, spec, told)
    if record.killed_by == "shutdown":
        room.on_command(record)
        raise Interrupted(f"`{command}` was stopped")
    if _missing(words[0], record):
        missing = {"missing_program": words[0]}
        return record.model_copy(update={"details": record.details | missing})
    return record


def _run(room: Room, spec: Spec, told: dict[str, object]) -> CommandRecord:
    """The record of a command; one that the cage refuses has a record too."""
    try:
        record = room.sandbox.run(spec, room.stop)
    except SandboxUnusable as error:
        started = {"argv": spec.argv, "started_at": now(), "denied": error.message}
        room.on_command(CommandRecord(**started, details=told))
        raise
    record = record.model_copy(update={"details": told | record.details})
    if record.denied:
        room.on_command(record)
        raise SandboxUnusable(f"`{told['command']}` was not run: {record.denied}")
    return record


def spec_of(room: Room, words: tuple[str, ...]) -> Spec:
    """What a command of these words gets to see and to use."""
    if words[0] in PYTHONS:
        words = (str(room.python), *words[1:])
    more = room.equipment
    tools = Toolchain((*room.tools.readable, *more.readable), (*more.path, *room.tools.path))
    own = {"PYTHONDONTWRITEBYTECODE": "1", **_without(room), **more.variables}
    return Spec(
        argv=words,
        workspace=room.workspace.path,
        environment={**tools.environment, **own},
        readable=tools.readable,
        network=more.network,
        limits=replace(room.limits, seconds=min(room.seconds, room.left())),
        mounted_at=_shown_at(room),
    )


def _without(room: Room) -> dict[str, str]:
    """What makes pytest leave out the ignored tests, however deep in a script it is called."""
    options = shlex.join(f"--deselect={test}" for test in room.ignored)
    return {"PYTEST_ADDOPTS": options} if options else {}


def _shown_at(room: Room) -> Path | None:
    """The path of the user's checkout, where the interpreter has it installed in place.

    The tests must import the tree that is judged, and the environment finds it by that path.
    Elsewhere the workspace stays at its own, so that no `.venv` of the checkout stands in it.
    """
    root = room.repository.root
    if room.environment:
        return None
    plain = len(root.parts) > 2 and root.parts[1] not in _SYSTEM and _PLAIN.fullmatch(str(root))
    movable = plain and getattr(room.sandbox, "can_move", False)
    return root if movable and installed_in_place(room.python, root) else None


def _aftermath(room: Room, restored: Restored) -> dict[str, object]:
    details: dict[str, object] = {}
    # Where an environment of the checkout is attached, its empty mount point stays behind.
    attached = room.tools.readable
    linked = room.environment.shown if room.environment else {}
    removed = [
        name
        for name in restored.removed
        if room.repository.root / name not in attached and name not in linked
    ]
    if restored.changed:
        details["restored"] = restored.changed[:_MOST_PATHS]
    if removed:
        details["removed"] = removed[:_MOST_PATHS]
    return details


def _missing(program: str, record: CommandRecord) -> bool:
    """Whether the cage itself found no such program: a shell inside ends with 127 too.

    A path is the repository's: that it is missing is the change's fault, not the machine's.
    """
    alone = re.fullmatch(rf"{re.escape(program)}: [^:\n]+", record.output.strip())
    return record.exit_code in (NOT_FOUND, NOT_EXECUTABLE) and bool(alone) and "/" not in program


def judge(check: str, room: Room, commands: Iterable[str]) -> Verdict:
    """Run commands up to the first that fails; its end is the evidence."""
    records: list[CommandRecord] = []
    for command in commands:
        records.append(execute(room, command))
        room.known.keep(room.tree, command, room.ignored, records[-1])
        if not records[-1].ok:
            message = f"`{command}` {outcome(records[-1], room.seconds)}"
            shown = "\n".join(filter(None, [evidence(command, records[-1]), _lost(records[:-1])]))
            return _verdict(check, records, message, shown, command)
    said = f"{len(records)} commands passed" if len(records) > 1 else "passed"
    return _verdict(check, records, said if records else "nothing to run")


def _verdict(
    check: str, records: list[CommandRecord], message: str, shown: str = "", red: str = ""
) -> Verdict:
    seconds = sum(record.seconds for record in records)
    return Verdict(
        check=check, ok=not red, message=message, evidence=shown, command=red, seconds=seconds
    )


def _lost(earlier: list[CommandRecord]) -> str:
    """What earlier commands made and the last one may have missed; caches are nobody's need."""
    removed = [name for record in earlier for name in record.details.get("removed", ())]
    made = [name for name in removed if not _CACHE.search(name)][:_MOST_SHOWN]
    return f"Note: removed before this command ran: {', '.join(made)}" if made else ""


def outcome(record: CommandRecord, limit: float) -> str:
    """How a command ended, in words that follow its name."""
    if record.timed_out:
        return f"was stopped after {limit:g} s with every process it had started: it took too long"
    if record.killed_by in _TOO_MUCH:
        return f"was killed: it used more {_TOO_MUCH[record.killed_by]} than it may"
    if record.signal is not None:
        return f"was killed by signal {record.signal}"
    if "missing_program" in record.details:
        return f"could not start (exit code {record.exit_code}): no such program in the sandbox"
    return f"ended with exit code {record.exit_code}"


def evidence(command: str, record: CommandRecord) -> str:
    """The last lines of a command's output under a prompt, as a terminal would show them."""
    lines = [f"$ {command}", last_lines(record.output) or "(no output)"]
    if hint := _hint(split(command)):
        lines.append(hint)
    return "\n".join(lines)


def _hint(words: tuple[str, ...]) -> str:
    operators = OPERATORS.intersection(words)
    if operators and words[0] not in ("bash", "sh"):
        given = ", ".join(f"`{operator}`" for operator in sorted(operators))
        return f"Note: {given} was passed as an argument; commands are not run by a shell."
    return ""
