"""An agent without a model: a person carries the prompt to a chat, and the reply back."""

from __future__ import annotations

from aifactory.agents.base import Job
from aifactory.agents.one_shot import OneShot
from aifactory.model import Answer


class Handoff(OneShot):
    """As one that asks a model, but a person is asked. InputNeeded until there is a reply."""

    def ask(self, job: Job) -> Answer:
        return job.ask_person(self.question(job))
