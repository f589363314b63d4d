"""From an exception of LiteLLM to a kind of failure, by its class and status, never by its text.

Runs inside the model host. The classes were measured against real faults (study/dependencies,
section 1); a bare `APIError` is what LiteLLM makes of every status that it has no class for.
"""

from __future__ import annotations

import contextlib
import email.utils
import socket
import time
from collections.abc import Iterator
from typing import Literal

Kind = Literal["transient", "permanent", "unknown", "credentials"]

# The first class that fits decides: children stand before their parents.
KINDS: tuple[tuple[str, Kind], ...] = (
    ("AuthenticationError", "credentials"),
    ("PermissionDeniedError", "credentials"),
    ("NotFoundError", "unknown"),
    ("BadRequestError", "permanent"),  # context too long, policy, unknown provider, no money
    ("InvalidRequestError", "permanent"),
    ("UnprocessableEntityError", "permanent"),
    ("RateLimitError", "transient"),
    ("Timeout", "transient"),
    ("ServiceUnavailableError", "transient"),  # also a stream that broke half way
    ("InternalServerError", "transient"),  # also a reset or refused connection
    ("BadGatewayError", "transient"),
    ("APIConnectionError", "transient"),
    ("APIResponseValidationError", "transient"),
)
TRANSIENT_STATUS = frozenset({408, 409, 425, 429})


class Cut(Exception):
    """A call that did not end as it should: stalled, too long, or broken off by the server."""


class Refused(Exception):
    """A call that is not worth sending."""

    kind: Kind = "permanent"


class NoProvider(Refused):
    kind: Kind = "unknown"


class KeyMissing(Refused):
    kind: Kind = "credentials"


def classify(error: BaseException) -> Kind:
    """Whether the same call may succeed later, never, or with another key."""
    import litellm

    if isinstance(error, Refused):
        return error.kind
    error = _root(error)
    for name, kind in KINDS:
        if isinstance(error, getattr(litellm.exceptions, name)):
            return kind
    if isinstance(error, (Cut, TimeoutError, ConnectionError)):
        return "transient"
    return kind_of_status(status(error))


def kind_of_status(code: int | None) -> Kind:
    """What an HTTP status says where no class does; none at all means that nothing came back."""
    if code in (401, 403):
        return "credentials"
    if code == 404:
        return "unknown"
    if code is not None and 400 <= code < 500 and code not in TRANSIENT_STATUS:
        return "permanent"
    return "transient"


def status(error: BaseException) -> int | None:
    code = getattr(error, "status_code", None)
    return code if isinstance(code, int) else None


def retry_after(error: BaseException) -> float | None:
    """The provider's wish in seconds (`Retry-After`, as seconds or as an HTTP date), or None."""
    error = _root(error)
    response = getattr(error, "response", None)
    for source in (
        getattr(error, "litellm_response_headers", None),
        getattr(response, "headers", None),
    ):
        if source is not None and (value := source.get("retry-after")) is not None:
            return _seconds(value)
    return None


def in_doubt(error: BaseException) -> bool:
    """Whether the provider may have worked, and charged, for a call that broke off.

    LiteLLM dresses a lost connection as a status 500; what it was stays in the chain of causes,
    where even a reset under way is an httpx.ConnectError: only what lies below is to be believed.
    """
    import aiohttp
    import httpx
    import openai

    never_sent = (
        aiohttp.ClientConnectorError,
        socket.gaierror,
        ConnectionRefusedError,
        httpx.ConnectTimeout,
        httpx.PoolTimeout,
    )
    chain = list(_chain(error))
    if any(isinstance(one, never_sent) for one in chain):
        return False
    broken = (Cut, TimeoutError, httpx.TransportError, openai.APIConnectionError)
    return any(isinstance(one, broken) for one in chain)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _root(error: BaseException) -> BaseException:
    """What lies in LiteLLM's wrapping of an error that came while the stream was opened."""
    inner = getattr(error, "original_exception", None)
    return inner if isinstance(inner, Exception) else error


def _seconds(value: str) -> float | None:
    with contextlib.suppress(ValueError):
        return max(0.0, float(value))
    with contextlib.suppress(ValueError):
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    return None
