"""What a call may cost and how much fits into a model, from LiteLLM's own list and the owner's.

The list is read as the data file that it is: importing LiteLLM takes seconds and 200 MB.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from aifactory.model import Usage
from aifactory.models.request import SCRIPTED, Request, is_loopback
from aifactory.settings import Price

LIST = "litellm/model_prices_and_context_window_backup.json"
LIMITS = ("max_completion_tokens", "max_tokens")
USUAL_COMPLETION = 16_384  # tokens reserved where neither the request nor the list has a limit
BYTES_PER_TOKEN = 2  # fewer than any text of a programmer has, so that an estimate errs high
OWN_SERVERS = ("ollama", "ollama_chat", "lm_studio", "llamafile")  # by default on this machine
OTHER_TARIFFS = ("batches", "priority", "flex")


@dataclass(frozen=True)
class Facts:
    """What the list knows of a model; None where it says nothing."""

    price: Price | None = None  # the dearest tariff of an ordinary call, nothing from a cache
    window: int | None = None  # most tokens of a prompt
    longest: int | None = None  # most tokens of a completion


@lru_cache(maxsize=256)
def facts(model: str) -> Facts:
    """Looks a model up by its whole name, or without its provider if that is the listed one."""
    if model.startswith(SCRIPTED):
        return Facts(price=Price(prompt=0.0, completion=0.0))
    entries = _entries()
    provider, _, name = model.partition("/")
    entry = entries.get(model)
    if entry is None and (short := entries.get(name)) and short["litellm_provider"] == provider:
        entry = short
    if entry is None:
        return Facts()
    return Facts(
        price=_price(entry),
        window=_count(entry.get("max_input_tokens")),
        longest=_count(entry.get("max_output_tokens")),
    )


def _entries() -> dict[str, dict[str, Any]]:
    """The list of the installed package, whatever lies about in the working directory."""
    try:
        path = distribution("litellm").locate_file(LIST)
    except PackageNotFoundError:
        return {}
    loaded: dict[str, dict[str, Any]] = json.loads(Path(str(path)).read_bytes())
    return loaded


def _price(entry: Mapping[str, Any]) -> Price | None:
    prompt = _dearest(entry, "input_cost_per_token", "cache_creation_input_token_cost")
    completion = _dearest(entry, "output_cost_per_token", "output_cost_per_reasoning_token")
    if prompt is None or completion is None:
        return None
    return Price(prompt=prompt * 1e6, completion=completion * 1e6)


def _dearest(entry: Mapping[str, Any], base: str, *more: str) -> float | None:
    if not isinstance(entry.get(base), int | float):
        return None
    return max(
        float(value)
        for name, value in entry.items()
        if name.startswith((base, *more))
        and not name.endswith(OTHER_TARIFFS)
        and isinstance(value, int | float)
    )


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and value > 0 else None


def price(model: str, usage: Usage, overrides: Mapping[str, Price]) -> float | None:
    """US dollars for a usage: at the owner's price, else at most by the list; None if unknown."""
    tariff = overrides.get(model) or facts(model).price
    if tariff is None:
        return None
    return (usage.prompt * tariff.prompt + usage.completion * tariff.completion) / 1e6


def is_priced(request: Request, overrides: Mapping[str, Price]) -> bool:
    """Whether a call's price is known, or nobody sends a bill: the model's server runs here."""
    own = request.model.partition("/")[0] in OWN_SERVERS and request.api_base is None
    if own or (request.api_base and is_loopback(request.api_base)):
        return True
    return price(request.model, Usage(), overrides) is not None


def priced_by(model: str) -> str:
    """How the owner gives a price."""
    return (
        "see that the name is right, or give its price under [model.prices] in aifactory.toml: "
        f'"{model}" = '
        "{ prompt = 1.0, completion = 2.0 }, in US dollars for a million tokens; 0 if it is free"
    )


def estimate(request: Request) -> Usage:
    """The most that a call uses: its prompt by a safe rule, and its longest completion."""
    given = [_count(request.parameters.get(name)) for name in LIMITS]
    longest = facts(request.model).longest or USUAL_COMPLETION
    limit = next(filter(None, given), min(longest, USUAL_COMPLETION))
    return Usage(prompt=prompt_tokens(request.messages, request.tools), completion=limit)


def prompt_tokens(messages: Any, tools: Any) -> int:
    """Tokens of a prompt, rather too many than too few."""
    return -(-len(json.dumps([messages, tools], ensure_ascii=False).encode()) // BYTES_PER_TOKEN)


def bounded(request: Request) -> Request:
    """The request with its longest completion told to the provider, so that an estimate holds."""
    if any(name in request.parameters for name in LIMITS):
        return request
    limit = {"max_tokens": estimate(request).completion}
    return dataclasses.replace(request, parameters={**request.parameters, **limit})
