"""Checks that no agent and no prompt ever sees: files laid over the tree that is judged.

They are read from the owner's place when they run. Of what they did only the name of a failed one
goes on; the output is kept beside the journal, for the owner.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import Field, ValidationError

from aifactory import files
from aifactory.errors import EditRefused, GateBroken, SandboxUnusable
from aifactory.fields import Text
from aifactory.gate.base import Room
from aifactory.gate.base_run import standing_on
from aifactory.gate.execution import evidence, execute, split
from aifactory.gate.trees import scratch, with_entries
from aifactory.git import Entry, Repository
from aifactory.layout import Layout
from aifactory.model import CommandRecord, Value, Verdict

LISTING = "held-out.toml"
_SEEN = ("/usr", "/etc", "/opt", "/bin", "/lib", "/lib64", "/sbin", "/proc", "/sys", "/dev")


class HeldOutCheck(Value):
    """One check: the name that an agent may hear, and commands that have to end with 0."""

    name: Text
    commands: tuple[Text, ...] = Field(min_length=1)


class _Listing(Value):
    check: tuple[HeldOutCheck, ...] = Field(min_length=1)


@dataclass(frozen=True)
class Place:
    """What the owner holds out: the checks, and the files that they need, as entries of Git."""

    checks: tuple[HeldOutCheck, ...]
    entries: dict[str, Entry]


class HeldOut:
    """Every check that is held out passes."""

    name = "held-out checks"

    def run(self, room: Room) -> Verdict | None:
        if not room.held_out:
            return None
        said: list[str] = []
        with scratch(room.repository) as inside:
            place = _read(inside, room.held_out)
            try:
                tree = with_entries(inside, room.tree, place.entries)
            except EditRefused:
                why = "the change stands in the way of held-out checks"
                return Verdict(check=self.name, ok=False, message=why)
            unseen = replace(room, repository=inside)
            with standing_on(unseen, tree, "held-out checks") as there:
                failed = [check for check in place.checks if not _passes(there, check, said)]
        _keep(room, said)
        told = [f"held-out check {check.name} failed" for check in failed]
        shown = "\n".join(told)
        passed = f"{len(place.checks)} passed"
        return Verdict(
            check=self.name, ok=not told, message="; ".join(told) or passed, evidence=shown
        )


def _passes(room: Room, check: HeldOutCheck, said: list[str]) -> bool:
    """Whether all commands of a check end with 0; what they said is added to `said`."""
    hidden = replace(
        room,
        on_start=lambda command: room.on_start(f"held-out check {check.name}"),
        on_command=lambda record: room.on_command(_hidden(record, check)),
    )
    for command in check.commands:
        try:
            record = execute(hidden, command)
        except SandboxUnusable as error:
            told = f"the sandbox did not run held-out check {check.name}"
            raise SandboxUnusable(told) from error
        said.append(f"{check.name}: {evidence(command, record)}")
        if not record.ok:
            return False
    return True


def _hidden(record: CommandRecord, check: HeldOutCheck) -> CommandRecord:
    """The record as everybody may read it: that it ran, for how long, and how it ended."""
    details = {"command": f"held-out check {check.name}", "on": "held-out checks"}
    missing = record.details.get("missing_program")
    return record.model_copy(
        update={
            "argv": ("held-out", check.name),
            "output": "",
            "output_sha256": "",
            "denied": "not run" if record.denied else "",
            "details": details | ({"missing_program": missing} if missing else {}),
        }
    )


def _keep(room: Room, said: list[str]) -> None:
    """Leave what the checks said for the owner, in a place that no cage sees."""
    layout = Layout(room.repository.root, room.repository.git_dir)
    folder = files.make_dir(layout.held_out)
    text = "\n\n".join(said).encode(errors="replace")
    files.atomic_write(folder / f"{room.task.task_id}.txt", text + b"\n", 0o600)


def _read(inside: Repository, place: str) -> Place:
    """The checks of a place: a ref, or a directory outside of the repository. Raises GateBroken."""
    in_git = place.startswith("refs/")
    entries = dict(_from_ref(inside, place) if in_git else _from_folder(inside, place))
    listing = entries.pop(LISTING, None)
    text = inside.blob(listing.oid) if listing else None
    if text is None:
        raise _broken(f"{place} has no {LISTING}")
    try:
        checks = _Listing.model_validate(tomllib.loads(text.decode())).check
        for command in (command for check in checks for command in check.commands):
            split(command)
    except (ValueError, ValidationError) as error:
        raise _broken(f"{LISTING} in {place} cannot be read: {type(error).__name__}") from error
    return Place(checks, entries)


def _from_ref(inside: Repository, ref: str) -> Iterator[tuple[str, Entry]]:
    if inside.resolve(ref) is None:
        raise _broken(f"there is no {ref}")
    yield from inside.tree(ref).items()


def _from_folder(inside: Repository, place: str) -> Iterator[tuple[str, Entry]]:
    folder = (inside.root / Path(place).expanduser()).resolve()
    if folder.is_relative_to(inside.root.resolve()):
        raise _broken(f"{folder} is inside the repository, where agents read")
    if any(folder.is_relative_to(seen) for seen in _SEEN):
        raise _broken(f"{folder} can be seen in the sandbox")
    if not folder.is_dir():
        raise _broken(f"there is no directory {folder}")
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and not path.is_symlink() and ".git" not in name.parts:
            mode = "100755" if path.stat().st_mode & 0o100 else "100644"
            yield name.as_posix(), Entry(mode, inside.write("blob", path.read_bytes()))


def _broken(why: str) -> GateBroken:
    return GateBroken(
        f"the held-out checks cannot be run: {why}",
        next_step=f"[gate] held_out names a ref or a directory with {LISTING}, see docs",
    )
