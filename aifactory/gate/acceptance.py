"""The commands by which a task says when it is done."""

from __future__ import annotations

from aifactory.gate.base import Room
from aifactory.gate.execution import judge
from aifactory.gate.programs import check_programs, check_resolved
from aifactory.model import Verdict


class Acceptance:
    """Every acceptance command of the task exits with 0."""

    name = "acceptance commands"

    def run(self, room: Room) -> Verdict:
        if room.allowed is not None:
            check_programs(room.task, room.allowed)
            check_resolved(room, room.allowed)
        return judge(self.name, room, room.task.acceptance_commands)
