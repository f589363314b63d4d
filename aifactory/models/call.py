"""One call of a model through LiteLLM. Runs inside the model host, the only importer of LiteLLM.

LiteLLM makes up a finish reason and a usage when a stream ends without them, so both are taken
only from the chunks that the provider really sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import time
from collections.abc import Callable
from typing import Any

from aifactory.models.caching import marked
from aifactory.models.classify import Cut, KeyMissing, NoProvider, Refused
from aifactory.models.prices import facts, prompt_tokens
from aifactory.models.request import is_loopback

CLOSING_SECONDS = 2.0


async def call(request: dict[str, Any], progress: Callable[[int], None]) -> dict[str, Any]:
    """The answer as a plain value. Raises `Cut`, TimeoutError, or what LiteLLM raises."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(request["seconds"]):
            stream = await _collect(request, progress)
    except TimeoutError as error:
        raise Cut(f"no whole answer after {request['seconds']:g} s, the call was cut") from error
    except Cut:
        raise
    except Exception:
        # LiteLLM dresses a key that is missing as an error of the server with most providers.
        _check_key(request)
        raise
    return {**_assembled(stream, request), "seconds": time.monotonic() - began}


async def check(request: dict[str, Any], progress: Callable[[int], None]) -> dict[str, Any]:
    """Whether the model's provider is known and its key is set. Nothing is sent."""
    _check_key(request)
    return {}


def _check_key(request: dict[str, Any]) -> None:
    import litellm

    model, _, stand_in = route(request["model"], request["api_base"])
    missing = litellm.validate_environment(model)["missing_keys"]
    # Where more than a key is asked for, there are other ways to sign in that are not seen here.
    if stand_in is None and missing and all(name.endswith("_API_KEY") for name in missing):
        raise KeyMissing(f"{' or '.join(missing)} is not set in the environment of the daemon")


async def _collect(request: dict[str, Any], progress: Callable[[int], None]) -> Any:
    """Reads the stream to its end; closes the connection whatever happens."""
    import litellm

    arguments = _arguments(request)
    await _check_window(arguments)
    stall = request["stall_seconds"]
    stream = await _before(stall, litellm.acompletion(**arguments))
    characters = 0
    try:
        while (chunk := await _before(stall, anext(stream, None))) is not None:
            characters += sum(_length(choice.delta) for choice in chunk.choices)
            progress(characters)
    finally:
        with contextlib.suppress(Exception):
            await asyncio.wait_for(stream.aclose(), CLOSING_SECONDS)
    if stream.received_finish_reason is None and stream.intermittent_finish_reason is None:
        raise Cut(f"the stream ended after {characters} characters without a finish reason")
    return stream


def _length(delta: Any) -> int:
    return len(delta.content or "") + len(getattr(delta, "reasoning_content", None) or "")


async def _before(seconds: float, awaitable: Any) -> Any:
    try:
        async with asyncio.timeout(seconds):
            return await awaitable
    except TimeoutError as error:
        raise Cut(f"no token for {seconds:g} s, the call was cut") from error


def _arguments(request: dict[str, Any]) -> dict[str, Any]:
    model, api_base, key = route(request["model"], request["api_base"])
    provider = model.partition("/")[0]
    arguments = {
        **request["parameters"],
        "model": model,
        "messages": marked(provider, request["messages"], request["tools"]),
        "api_base": api_base,
        "api_key": key,
        "tools": request["tools"] or None,
        "stream": True,
        "stream_options": {"include_usage": True},
        "timeout": request["seconds"],
        "max_retries": 0,
        "num_retries": 0,
    }
    return {name: value for name, value in arguments.items() if value is not None}


def route(model: str, api_base: str | None) -> tuple[str, str | None, str | None]:
    """Name and address as LiteLLM wants them, and a key for a server on loopback that needs none.

    A name that LiteLLM does not know is an OpenAI-compatible one when `api_base` is given.
    """
    import litellm

    try:
        provider = litellm.get_llm_provider(model, api_base=api_base)[1]
    except litellm.exceptions.BadRequestError as error:
        if api_base is None:
            raise NoProvider(f"no provider is known for {model!r}") from error
        model, provider = f"openai/{model}", "openai"
    if api_base is None:
        return model, None, None
    if provider == "anthropic":  # LiteLLM adds /v1 to this one's address itself
        return model, api_base.rstrip("/").removesuffix("/v1"), None
    keyless = provider == "openai" and not os.environ.get("OPENAI_API_KEY")
    return model, api_base, "none" if keyless and is_loopback(api_base) else None


async def _check_window(arguments: dict[str, Any]) -> None:
    """Counts a prompt that may be too long for its model, and refuses one that is."""
    import litellm

    model, messages, tools = (arguments.get(name) for name in ("model", "messages", "tools"))
    window = facts(str(model)).window
    if window is None or prompt_tokens(messages, tools) <= window:
        return
    count = functools.partial(litellm.token_counter, model=model, messages=messages, tools=tools)
    if (tokens := await asyncio.to_thread(count)) > window:
        raise Refused(f"the prompt has {tokens} tokens, {model} takes {window}")


def _assembled(stream: Any, request: dict[str, Any]) -> dict[str, Any]:
    import litellm

    whole: Any = litellm.stream_chunk_builder(stream.chunks, messages=request["messages"])
    message, usage = whole.choices[0].message, whole.usage
    return {
        "text": message.content or "",
        "finish_reason": whole.choices[0].finish_reason or stream.received_finish_reason,
        "tool_calls": [entry.model_dump(mode="json") for entry in message.tool_calls or ()],
        "usage": {"prompt": usage.prompt_tokens, "completion": usage.completion_tokens},
        "usage_known": any(getattr(chunk, "usage", None) for chunk in stream.chunks),
        "cost_usd": _cost(stream, usage),
    }


def _cost(stream: Any, usage: Any) -> float | None:
    """US dollars by LiteLLM's price list, cached tokens at their own price; None if unknown."""
    import litellm

    named = {"model": stream.model, "custom_llm_provider": stream.custom_llm_provider}
    try:
        listed = litellm.model_cost[litellm.get_model_info(**named)["key"]]
        prompt, completion = litellm.cost_per_token(**named, usage_object=usage)
    except Exception:  # LiteLLM raises a bare one for a model that is not in its list
        return None
    # a price that is missing in the list counts as zero there, which nobody promised
    return float(prompt + completion) if "input_cost_per_token" in listed else None
