"""A repository's own `scripts/verify.sh`, run as the gate where there is one."""

from __future__ import annotations

from aifactory.gate.base import Room
from aifactory.gate.execution import judge
from aifactory.model import Verdict
from aifactory.paths import tidied

SCRIPT = "scripts/verify.sh"


class VerifyScript:
    """`bash scripts/verify.sh` exits with 0, and is the owner's own.

    A change to the script is judged by the changed one only if the task names it in `files`.
    """

    name = "verify script"

    def run(self, room: Room) -> Verdict:
        if room.task.verify_exempt:
            return Verdict(check=self.name, ok=True, message="the task is exempt")
        if _changed(room) and SCRIPT not in map(tidied, room.task.files):
            return Verdict(
                check=self.name,
                ok=False,
                message=f"the change touches {SCRIPT}, which judges it",
                evidence=f"Only a task that names {SCRIPT} in `files` may change it.",
            )
        there = _script(room, room.tree)
        return judge(self.name, room, [f"bash {SCRIPT}"] if there else [])


def _changed(room: Room) -> bool:
    """Whether the owner's script was altered or taken away; a new one was nobody's rule before."""
    before = _script(room, room.base) if room.base else b""
    return bool(before) and before != _script(room, room.tree)


def _script(room: Room, tree: str) -> bytes:
    return room.repository.run("ls-tree", "-z", "--full-tree", tree, "--", SCRIPT)
