"""One HTTP connection to GitHub's API: PyGithub's, with every trouble by its class."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from aifactory.errors import ForgeDenied, ForgeDown, ForgeFailed, ForgeRefused
from aifactory.redaction import redacted

T = TypeVar("T")
TIMEOUT_SECONDS = 20
PAGE, MOST_PAGES = 100, 20
LIMITED_SECONDS = 60.0  # where GitHub does not say how long; its advice for secondary limits
MOST_WAIT_SECONDS = 3900.0  # limits are counted by the hour
MOST_LOG_BYTES = 4 << 20
NONSENSE = (
    LookupError, TypeError, ValueError, AttributeError, AssertionError, RuntimeError,
)  # fmt: skip


class Wire:
    """Requests go one after the other: PyGithub's connection is for one thread, and GitHub asks
    for it. Nothing is repeated here."""

    def __init__(self, api_url: str, token: str) -> None:
        try:
            from github import Auth, Github
        except ImportError as error:
            raise ForgeRefused(
                "PyGithub is not installed", next_step="pip install 'aifactory[github]'"
            ) from error
        # PyGithub's own retries would sleep, and repeat what may have happened.
        self._requester = Github(
            auth=Auth.Token(token),
            base_url=api_url,
            timeout=TIMEOUT_SECONDS,
            retry=None,
            seconds_between_requests=None,
            seconds_between_writes=None,
        ).requester
        self._lock = threading.Lock()

    def call(
        self,
        verb: str,
        path: str,
        read: Callable[[Any], T],
        *,
        input: Mapping[str, Any] | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> T:
        """What an answer says; ForgeDown where it does not say it."""
        given = dict(parameters) if parameters else None
        with self._lock, trouble(f"{verb} {path}"):
            answered = self._requester.requestJsonAndCheck(verb, path, given, None, input)
            return read(answered[1])

    def pages(
        self, path: str, read: Callable[[Any], T], field: str = "", **parameters: Any
    ) -> list[T]:
        """Every item of a list, which stands in `field` where the answer has one."""
        found: list[T] = []
        for page in range(1, MOST_PAGES + 1):
            asked = {**parameters, "per_page": PAGE, "page": page}
            items = self.call("GET", path, lambda data: list(data[field] if field else data),
                              parameters=asked)  # fmt: skip
            with trouble(f"GET {path}"):
                found += [read(item) for item in items]
            if len(items) < PAGE:
                break
        return found

    def mutate(self, name: str, input: Mapping[str, Any]) -> None:
        """A mutation of GraphQL's, for what REST cannot do."""
        with self._lock, trouble(name):
            self._requester.graphql_named_mutation(name, dict(input), "clientMutationId")

    def log(self, path: str) -> str:
        """The end of a log that lies elsewhere; the token stays here."""
        import requests

        with self._lock, trouble(f"GET {path}"):
            _, headers, _ = self._requester.requestJson("GET", path)
        address = str(headers.get("location") or "")
        if not address.startswith(("https://", "http://localhost:", "http://127.0.0.1:")):
            return ""
        kept = b""
        with trouble("the log"), requests.get(address, stream=True, timeout=TIMEOUT_SECONDS) as got:
            if got.status_code in (403, 404, 410):
                return ""  # too old; the annotations have to do
            got.raise_for_status()
            for chunk in got.iter_content(1 << 16):
                kept = (kept + chunk)[-MOST_LOG_BYTES:]
        return kept.decode(errors="replace")


@contextmanager
def trouble(what: str) -> Iterator[None]:
    """Errors of the line and of the forge as errors of ours, without secrets."""
    import requests
    from github import GithubException

    try:
        yield
    except ForgeFailed:
        raise
    except GithubException as error:
        raise told(what, error.status, error.headers or {}, error.data) from None
    except requests.RequestException as error:
        kind = type(error).__name__
        raise ForgeDown(f"the forge cannot be reached: {what}: {kind}") from None
    except NONSENSE as error:
        said = redacted(repr(error))[:200]
        raise ForgeDown(f"the forge's answer cannot be read: {what}: {said}") from None


def told(what: str, status: int, headers: Mapping[str, Any], data: Any) -> ForgeFailed:
    """The error that an answer is."""
    said = redacted(_message(data))[:500]
    if status in (403, 429) and (wait := _limited(headers, said)) is not None:
        until = time.strftime("%H:%M:%SZ", time.gmtime(time.time() + wait))
        return ForgeDown(f"the forge's rate limit is used up until {until}", retry_after=wait)
    if status >= 500 or status == 408:
        wished = _seconds(headers.get("retry-after"))
        return ForgeDown(f"the forge is in trouble: {what}: {status} {said}", retry_after=wished)
    if status == 401:
        return ForgeDenied(f"the forge does not take the token: {said}")
    return Refusal(f"the forge refuses {what}: {status} {said}", status)


class Refusal(ForgeRefused):
    """`status` is HTTP's."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def _message(data: Any) -> str:
    if not isinstance(data, Mapping):
        return str(data or "")
    details = [
        str(one.get("message") or one.get("code") or "") if isinstance(one, Mapping) else str(one)
        for one in data.get("errors") or ()
    ]
    return "; ".join(filter(None, [str(data.get("message") or ""), *details]))


def _limited(headers: Mapping[str, Any], said: str) -> float | None:
    """Seconds until requests are taken again; None where this is no limit.

    https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
    """
    wait = _seconds(headers.get("retry-after"))
    if wait is None and str(headers.get("x-ratelimit-remaining")) == "0":
        reset = _seconds(headers.get("x-ratelimit-reset"))
        wait = None if reset is None else max(1.0, reset - _now(headers))
    if wait is None and ("rate limit" in said.lower() or "abuse" in said.lower()):
        wait = LIMITED_SECONDS
    return None if wait is None else min(wait, MOST_WAIT_SECONDS)


def _now(headers: Mapping[str, Any]) -> float:
    """The forge's clock, since ours may be wrong."""
    try:
        return parsedate_to_datetime(str(headers.get("date"))).timestamp()
    except ValueError:
        return time.time()


def _seconds(text: Any) -> float | None:
    try:
        return max(0.0, float(text))
    except (TypeError, ValueError):
        return None
