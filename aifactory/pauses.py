"""Agents that pause: their model has no key, or is none. The others go on.

What waits for a paused agent stays queued, so one bad key does not use up a night's queue.
"""

from __future__ import annotations

from collections.abc import Iterable

from aifactory.errors import AifactoryError, CredentialsMissing, ModelUnknown
from aifactory.factory import Factory
from aifactory.model import Record

OF_MODEL = (CredentialsMissing, ModelUnknown)


def pause(factory: Factory, agent: str, error: AifactoryError) -> None:
    """Start no more tasks of an agent whose every call would fail as this one did."""
    if isinstance(error, OF_MODEL) and agent not in factory.paused:
        factory.paused[agent] = version(factory, agent)
        factory.stream.emit(
            "agent.paused", agent=agent, problems=error.message, next_step=error.next_step
        )


def version(factory: Factory, agent: str) -> str:
    """What pins the agent's file, `""` where it does not load."""
    try:
        return factory.prompts.load(agent).sha256
    except AifactoryError:
        return ""


def release(factory: Factory) -> None:
    """Let agents go on whose files were edited."""
    for agent, before in list(factory.paused.items()):
        if version(factory, agent) != before:
            resume(factory, agent)


def resume(factory: Factory, agent: str) -> None:
    if factory.paused.pop(agent, None) is not None:
        factory.stream.emit("agent.resumed", agent=agent)


def waiting(factory: Factory, records: Iterable[Record]) -> frozenset[str]:
    """Those of the tasks that wait for a paused agent."""
    default = factory.config.agents.default
    return frozenset(one.task_id for one in records if (one.agent or default) in factory.paused)
