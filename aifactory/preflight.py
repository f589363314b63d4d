"""Looks at the start whether models and forge can be asked, and says what to mend.

What shows without LiteLLM is told at once; the rest in the background, once there is work: the
daemon is ready long before LiteLLM is imported.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial

from aifactory.errors import AifactoryError, BudgetExhausted, CredentialsMissing, Interrupted
from aifactory.factory import Factory
from aifactory.models import keys
from aifactory.models.persistence import routes
from aifactory.models.prices import is_priced, priced_by
from aifactory.models.remote import reach
from aifactory.models.request import Request
from aifactory.settings import Price

POLL_SECONDS = 0.5


@contextmanager
def looking(factory: Factory) -> Iterator[None]:
    """Look at every model that is set, without getting in the way of the work in the block."""
    over = threading.Event()
    thread = threading.Thread(target=look, args=(factory, over), name="preflight", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()


def look(factory: Factory, over: threading.Event) -> None:
    found = defaults(factory)
    bad = {model for model, base in found.items() if not fits(factory, model, base, glance)}
    look_at_forge(factory)
    while not factory.queue.has_work():
        if over.wait(POLL_SECONDS):
            return
    priced = partial(check_price, factory.config.model.prices)
    for model, base in {**found, **of_agents(factory)}.items():
        looks = (factory.models.check, priced)
        if model not in bad and all(fits(factory, model, base, one) for one in looks):
            factory.stream.emit("model.checked", model=model)


def look_at_forge(factory: Factory) -> None:
    """Whether pull requests can be opened, where work lands by them."""
    if factory.config.land.mode != "pr":
        return
    try:
        connected = factory.forge()
        factory.stream.emit("forge.checked", forge=connected.name, by=connected.check())
    except AifactoryError as error:
        problems, next_step = error.message, error.next_step
        factory.stream.emit("forge.unusable", problems=problems, next_step=next_step)


def fits(
    factory: Factory, model: str, base: str | None, check: Callable[[str, str | None], None]
) -> bool:
    """Whether a check finds nothing wrong; what it finds is told."""
    try:
        check(model, base)
    except Interrupted:
        return False
    except AifactoryError as error:
        factory.stream.emit(
            "model.unusable", model=model, problems=error.message, next_step=error.next_step
        )
        return False
    return True


def glance(model: str, base: str | None) -> None:
    """What shows without LiteLLM: a key that is not set, a server that nobody hears."""
    if keys.known(model) and keys.missing(model, base, os.environ):
        names = " or ".join(keys.variables(model))
        raise CredentialsMissing(f"{names} is not set in the environment")
    if base is not None:
        reach(base)


def check_price(prices: Mapping[str, Price], model: str, base: str | None) -> None:
    """A model whose price nobody knows would not be called."""
    if not is_priced(Request("", "", model, (), api_base=base), prices):
        raise BudgetExhausted(f"the price of {model} is not known", next_step=priced_by(model))


def defaults(factory: Factory) -> dict[str, str | None]:
    """The default model and its fallbacks, each with its server's address."""
    settings = factory.config.model
    if factory.model is not None:
        return {factory.model: None}
    if settings.default is None:
        return {}
    first = Request("", "", settings.default, (), api_base=settings.api_base)
    return {one.model: one.api_base for one in routes(first, settings.fallbacks)}


def of_agents(factory: Factory) -> dict[str, str | None]:
    """The models that agents' files name; a file that does not load says so elsewhere."""
    found: dict[str, str | None] = {}
    for name in () if factory.model else factory.prompts.names():
        with suppress(AifactoryError):
            if model := factory.prompts.load(name).settings.model:
                found[model] = factory.config.model.api_base
    return found
