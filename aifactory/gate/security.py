"""No change adds what is dangerous to run, from the severity on that the owner names."""

from __future__ import annotations

from aifactory.errors import Interrupted, SandboxUnusable
from aifactory.gate.base import Room
from aifactory.git import Entry
from aifactory.model import CommandRecord, Verdict
from aifactory.sandbox import Spec
from aifactory.security import Finding, at_least, bandit_version, by_bandit, by_rules, new

_SHOWN = 50
_FILES = ("100644", "100755")


class Security:
    """Our rules and, where it is installed, bandit find nothing new in the changed files."""

    name = "security"

    def run(self, room: Room) -> Verdict | None:
        if room.security == "off":
            return None
        pairs = room.changed.items()
        written = {path: new for path, (_, new) in pairs if new and new.mode in _FILES}
        changed = {path: _read(room, entry) for path, entry in written.items()}
        found = [one for path, data in changed.items() for one in by_rules(path, data)]
        scanned = "own rules"
        python = [path for path in changed if path.endswith((".py", ".pyi"))]
        if python and (version := bandit_version()):
            scanned = f"own rules and bandit {version}"
            found += by_bandit(room.workspace.path, python, lambda spec: _run(room, spec))
        bad = at_least(room.security, new(found, lambda path: _read(room, room.changed[path][0])))
        return Verdict(
            check=self.name,
            ok=not bad,
            message=_summary(bad) or f"nothing new in {len(changed)} files ({scanned})",
            evidence="\n".join(f"{one}\n    {one.text[:200]}" for one in bad[:_SHOWN]),
        )


def _read(room: Room, entry: Entry | None) -> bytes:
    return (room.repository.blob(entry.oid) if entry and entry.mode in _FILES else None) or b""


def _run(room: Room, spec: Spec) -> CommandRecord:
    record = room.sandbox.run(spec, room.stop)
    told = {"command": "bandit", "check": Security.name}
    record = record.model_copy(update={"details": record.details | told})
    room.on_command(record.model_copy(update={"output": record.output[-4000:]}))
    room.workspace.restore(room.keep)
    if record.killed_by == "shutdown":
        raise Interrupted("bandit was stopped")
    if record.denied:
        raise SandboxUnusable(f"bandit was not run: {record.denied}")
    return record


def _summary(bad: list[Finding]) -> str:
    if not bad:
        return ""
    more = f", and {len(bad) - 1} more" if len(bad) > 1 else ""
    return f"{bad[0]}{more}"
