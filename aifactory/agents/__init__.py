"""The agents: a family of interchangeable workers behind one Protocol."""

from __future__ import annotations

from aifactory.agents.base import Agent, Asker, Job, Question, Turn, label
from aifactory.agents.bench import Bench
from aifactory.agents.draft import Draft
from aifactory.agents.fake import FakeWays
from aifactory.agents.handoff import Handoff
from aifactory.agents.kinds import PROTOCOL, BrokenPlugin, Kind, Kinds, bare, find, proposed
from aifactory.agents.one_shot import OneShot
from aifactory.agents.recipe import Recipe
from aifactory.agents.revert import Revert, inverse
from aifactory.agents.tool_loop import ToolLoop

__all__ = [
    "PROTOCOL",
    "Agent",
    "Asker",
    "Bench",
    "BrokenPlugin",
    "Draft",
    "FakeWays",
    "Handoff",
    "Job",
    "Kind",
    "Kinds",
    "OneShot",
    "Question",
    "Recipe",
    "Revert",
    "ToolLoop",
    "Turn",
    "bare",
    "find",
    "inverse",
    "label",
    "proposed",
]
