"""Who reviews: an agent whose model is of another family than the author's."""

from __future__ import annotations

from collections.abc import Iterable

from aifactory.config import Config
from aifactory.errors import InvalidConfig, PolicyDenied
from aifactory.models.family import family
from aifactory.prompts import Prompts


def check(config: Config, prompts: Prompts) -> None:
    """Raise InvalidConfig, UnknownAgent where the reviewer that is set cannot be one."""
    if name := config.gate.reviewer:
        reviewer = model_of(name, config, prompts)
        if reviewer is None:
            raise InvalidConfig(f"[gate] reviewer = {name!r}: no model is set for this agent")
        if clash := same(reviewer, models(config.agents.default, config, prompts)):
            raise InvalidConfig(
                f"[gate] reviewer = {name!r} asks {reviewer}, which is of the family "
                f"{family(reviewer)} like {clash}, the author's model",
                next_step=f"set a model of another family in prompts/{name}.md",
            )


def check_author(author: str, config: Config, prompts: Prompts) -> None:
    """Raise PolicyDenied for an author whose work the reviewer may not judge."""
    name = config.gate.reviewer
    reviewer = model_of(name, config, prompts) if name else None
    if reviewer and (clash := same(reviewer, models(author, config, prompts))):
        raise PolicyDenied(
            f"{author} asks {clash}, which is of the family {family(clash)} like the model of its "
            f"reviewer {name}, {reviewer}",
            next_step=f"set a model of another family in prompts/{name}.md or prompts/{author}.md",
        )


def same(reviewer: str, authors: Iterable[str]) -> str:
    """The first of the authors' models that is of the reviewer's family, or ""."""
    return next((model for model in authors if family(model) == family(reviewer)), "")


def models(agent: str, config: Config, prompts: Prompts) -> list[str]:
    """All the models that may answer for an agent; none for one that works without."""
    own = model_of(agent, config, prompts)
    return [own, *config.model.fallbacks] if own else []


def model_of(agent: str, config: Config, prompts: Prompts) -> str | None:
    settings = prompts.load(agent).settings
    return (settings.model or config.model.default) if settings.kind == "model" else None
