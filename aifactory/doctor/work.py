"""Who does the work: models and agents."""

from __future__ import annotations

from collections.abc import Iterator

from aifactory.doctor.ground import FAIL, OK, WARN, Finding, Ground, Level
from aifactory.errors import AifactoryError
from aifactory.models import keys
from aifactory.models.remote import reach
from aifactory.models.request import SCRIPTED


def model(ground: Ground) -> Iterator[Finding]:
    model = ground.config.model.default
    if model is None:
        remedy = "set [model] default or AIFACTORY_MODEL"
        yield Finding("model", FAIL, "no model is configured", remedy)
        return
    if model.startswith(SCRIPTED):
        rest = model.removeprefix(SCRIPTED)
        there = (ground.layout.root / rest).is_file()
        if there:
            yield Finding("model", OK, f"answers come from the file {rest}")
        else:
            yield Finding("model", FAIL, f"{model}: there is no {rest}", "write that file")
        return
    yield from remote(ground, model)


def remote(ground: Ground, model: str) -> Iterator[Finding]:
    """Whether a model of a provider can be asked, as far as that shows without a call."""
    base = ground.config.model.api_base
    names = keys.missing(model, base, ground.environ)
    if names:
        level: Level = FAIL if keys.known(model) else WARN
        yield Finding(
            "model", level, f"{model}: no key in {' or '.join(names)}", f"export {names[0]}=..."
        )
        return
    if base is not None:
        reach(base)
    with_key = keys.found(model, ground.environ)
    how = f"key in {with_key}" if with_key else f"at {base or 'a local server'}, no key set"
    yield Finding("model", OK, f"{model}, {how} (not called)")


def agents(ground: Ground) -> Iterator[Finding]:
    from aifactory.prompts import Prompts

    prompts = Prompts(ground.layout)
    names = prompts.names()
    for name in names:
        try:
            prompts.load(name)
        except AifactoryError as error:
            yield Finding("agents", FAIL, error.message, error.next_step)
    default = ground.config.agents.default
    prompts.load(default)
    yield Finding("agents", OK, f"{', '.join(names)}; {default} by default")
