"""The agents: a family of interchangeable workers behind one Protocol."""

from __future__ import annotations

from aifactory.agents.base import Agent, Asker, Job, Question, Turn
from aifactory.agents.one_shot import OneShot
from aifactory.prompts import Prompts

__all__ = ["Agent", "Asker", "Job", "OneShot", "Question", "Turn", "find"]


def find(name: str, prompts: Prompts) -> Agent:
    """The agent of that name; UnknownAgent names the nearest known one."""
    return OneShot(prompts.load(name))
