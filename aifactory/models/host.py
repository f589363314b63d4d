"""The model host: a child process that alone imports LiteLLM and speaks to providers.

`python -m aifactory.models.host`. JSON lines in: `{"op": "call", "id", "request"}`, the same with
`check`, and `{"op": "cancel", "id"}`. JSON lines out: `{"event": "ready"}` once, then for each call
`progress` and at the end one of `answer`, `error`, `cancelled`. Several calls run at once. It
writes nothing to disk, and ends as soon as its stdin closes.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import platform
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from aifactory.models.classify import classify, in_doubt, retry_after, status
from aifactory.redaction import masked, masked_data

PROGRESS_SECONDS = 0.25
MESSAGE_LIMIT = 2000
REHEARSAL = (
    'data: {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "rehearsal", '
    '"choices": [{"index": 0, "finish_reason": "stop", '
    '"delta": {"role": "assistant", "content": "hello"}}]}\n\ndata: [DONE]\n\n'
)
TOOL = {"type": "function", "function": {"name": "none", "parameters": {"type": "object"}}}
Emit = Callable[..., None]


def main() -> None:
    """Serves until stdin closes."""
    _learn_the_platform()
    emit = _claim_stdout()
    asyncio.run(_serve(emit))


def _learn_the_platform() -> None:
    """Let Python ask `uname` now, without our keys: a provider's library asks later, and then the
    answer is remembered."""
    kept = dict(os.environ)
    os.environ.clear()
    os.environ["PATH"] = kept.get("PATH", os.defpath)
    try:
        platform.uname().processor  # noqa: B018  # reading it is what asks and remembers
    finally:
        os.environ.update(kept)


def _claim_stdout() -> Emit:
    """Keeps stdout for the protocol: whatever else prints goes to stderr."""
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)

    def emit(event: str, **fields: Any) -> None:
        lines.write(json.dumps({"event": event, **fields}) + "\n")

    return emit


async def _serve(emit: Emit) -> None:
    loop = asyncio.get_running_loop()
    calls: dict[str, asyncio.Task[None]] = {}

    def dispatch(message: dict[str, Any]) -> None:
        name = message["id"]
        if message["op"] != "cancel":
            calls[name] = loop.create_task(_work(message, emit))
            calls[name].add_done_callback(lambda _: calls.pop(name, None))
        elif name in calls:
            calls[name].cancel()

    def read() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(dispatch, json.loads(line))
        os._exit(0)  # the daemon is gone, and a call may hang: nothing here is worth a goodbye

    threading.Thread(target=read, daemon=True).start()
    await _prepare_litellm()
    emit("ready")
    await asyncio.Event().wait()


async def _prepare_litellm() -> None:
    """Imports LiteLLM, quiet, and all that it imports only when it makes its first call."""
    import litellm

    litellm.suppress_debug_info = True
    litellm.telemetry = False
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
        logging.getLogger(name).handlers = [logging.NullHandler()]
    await _rehearse()


async def _rehearse() -> None:
    """One call that goes all the way, but for the network."""
    import httpx
    import litellm
    import openai

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, text=REHEARSAL)

    messages = [{"role": "user", "content": "hello"}]
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        stream: Any = await litellm.acompletion(
            model="openai/rehearsal",
            messages=messages,
            stream=True,
            tools=[TOOL],  # for them it imports more
            client=openai.AsyncOpenAI(api_key="none", http_client=client),
        )
        async for _ in stream:
            pass
    litellm.stream_chunk_builder(stream.chunks, messages=messages)


async def _work(message: dict[str, Any], emit: Emit) -> None:
    from aifactory.models.call import call, check

    name, work = message["id"], {"call": call, "check": check}[message["op"]]
    try:
        answer = await work(message["request"], _reporter(name, emit))
    except asyncio.CancelledError:
        emit("cancelled", id=name)
    except Exception as error:  # every class of LiteLLM, and its bugs: the kind says which
        emit("error", id=name, **_failure(error))
    else:
        emit("answer", id=name, answer=masked_data(answer))  # providers repeat what they are sent


def _reporter(name: str, emit: Emit) -> Callable[[int], None]:
    """Progress, told at most a few times a second."""
    told_at = 0.0

    def report(characters: int) -> None:
        nonlocal told_at
        if time.monotonic() - told_at >= PROGRESS_SECONDS:
            told_at = time.monotonic()
            emit("progress", id=name, characters=characters)

    return report


def _failure(error: Exception) -> dict[str, Any]:
    return {
        "kind": classify(error),
        "message": masked(f"{type(error).__name__}: {error}")[:MESSAGE_LIMIT],
        "status": status(error),
        "retry_after": retry_after(error),
        "in_doubt": in_doubt(error),
    }


if __name__ == "__main__":
    main()
