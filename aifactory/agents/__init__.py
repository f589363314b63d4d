"""The agents: a family of interchangeable workers behind one Protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aifactory.agents.base import Agent, Asker, Job, Question, Turn, label
from aifactory.agents.bench import Bench
from aifactory.agents.fake import FakeWays
from aifactory.agents.handoff import Handoff
from aifactory.agents.one_shot import OneShot
from aifactory.agents.recipe import Recipe
from aifactory.agents.revert import Revert, inverse
from aifactory.agents.tool_loop import ToolLoop
from aifactory.prompts import Prompt, Prompts

__all__ = [
    "Agent",
    "Asker",
    "Bench",
    "FakeWays",
    "Handoff",
    "Job",
    "OneShot",
    "Question",
    "Recipe",
    "Revert",
    "ToolLoop",
    "Turn",
    "find",
    "inverse",
    "label",
]

KINDS: Mapping[str, Callable[[Prompt], Agent]] = {
    "model": OneShot,
    "handoff": Handoff,
    "recipe": Recipe,
    "revert": Revert,
    "tools": ToolLoop,
}


def find(name: str, prompts: Prompts) -> Agent:
    """The agent of that name; UnknownAgent names the nearest known one."""
    prompt = prompts.load(name)
    return KINDS[prompt.settings.kind](prompt)
