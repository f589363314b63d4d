"""The agents: a family of interchangeable workers behind one Protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aifactory.agents.base import Agent, Asker, Job, Question, Turn
from aifactory.agents.handoff import Handoff
from aifactory.agents.one_shot import OneShot
from aifactory.prompts import Prompt, Prompts

__all__ = ["Agent", "Asker", "Handoff", "Job", "OneShot", "Question", "Turn", "find"]

KINDS: Mapping[str, Callable[[Prompt], Agent]] = {"model": OneShot, "handoff": Handoff}


def find(name: str, prompts: Prompts) -> Agent:
    """The agent of that name; UnknownAgent names the nearest known one."""
    prompt = prompts.load(name)
    return KINDS[prompt.settings.kind](prompt)
