"""The owner's commands, `[gate] commands` of the target branch's configuration."""

from __future__ import annotations

from aifactory.gate.base import Room
from aifactory.gate.execution import judge
from aifactory.model import Verdict


class Commands:
    """Every gate command exits with 0."""

    name = "gate commands"

    def run(self, room: Room) -> Verdict:
        return judge(self.name, room, room.commands)
