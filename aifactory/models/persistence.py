"""Goes on until a call is answered: other tries, then other models, within one policy."""

from __future__ import annotations

import dataclasses
import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from aifactory.errors import Cancelled, ModelPermanent, ModelTransient
from aifactory.model import Answer
from aifactory.models.request import OPEN, Line, Model, Request
from aifactory.models.retry import Breaker, RetryPolicy

Waiting = Callable[[float, str], None]  # for how many seconds, and why


class Witness(Protocol):
    """Hears of every try before and after it goes over the wire."""

    def before(self, request: Request) -> Request:
        """The request to send, perhaps with tighter limits. An error raised here stops the call.

        Its `call_id` is that of this very try: the caller's, a dot, and a number that the gateway
        gives only once.
        """
        ...

    def after(self, request: Request, outcome: Answer | BaseException) -> None:
        """What became of it; called exactly once for every `before` that returned."""
        ...


class Unwitnessed:
    """Nobody wants to know."""

    def before(self, request: Request) -> Request:
        return request

    def after(self, request: Request, outcome: Answer | BaseException) -> None:
        pass


@dataclass(frozen=True)
class Terms:
    """On what terms a call is made. `fallbacks` are models that answer where the first cannot;
    `waiting` hears of every pause between two tries, `warming` of one until LiteLLM is there."""

    policy: RetryPolicy = field(default_factory=RetryPolicy)
    fallbacks: Sequence[str] = ()
    witness: Witness = field(default_factory=Unwitnessed)
    waiting: Waiting = field(default=lambda seconds, why: None)
    warming: Callable[[], None] = field(default=lambda: None)
    line: Line = OPEN


PLAIN = Terms()


class Models(Protocol):
    """Whoever gets an answer, with other tries and other models; the `Gateway` or a fake."""

    def check(self, model: str, api_base: str | None) -> None:
        """Tells, without a call, what would make every call fail.

        Raises CredentialsMissing, ModelUnknown, ModelPermanent (a bad file of scripted answers) or
        ModelTransient (the server cannot be reached). Waits for the model host.
        """
        ...

    def complete(self, request: Request, terms: Terms = PLAIN) -> Answer:
        """The answer of the model that the request names, or of a fallback; see `Model.complete`.

        Transient failures are tried again within the policy; the witness hears of every try.
        """
        ...


class Clock:
    """Monotonic time, sleep that a stop ends, and luck."""

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float, stop: threading.Event) -> None:
        stop.wait(seconds)

    def luck(self) -> float:
        return random.random()


@dataclass
class Persistence:
    """One call: who answers it, on what terms, and what has to be ready before it is paid."""

    model: Model
    breaker: Breaker
    terms: Terms
    prepare: Callable[[Request, Terms], None] = lambda request, terms: None
    clock: Clock = field(default_factory=Clock)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def complete(self, routes: Sequence[Request]) -> Answer:
        """The first answer; each of `routes` is the same request to another model.

        Raises the ModelTransient of the last model when the policy allows no more.
        """
        began_at = self.clock.now()
        ends_at = began_at + self.terms.policy.seconds
        for route in routes[:-1]:
            try:
                few = self.terms.policy.tries_before_fallback
                return self._follow(route, few, ends_at, pause_until=began_at)
            except ModelTransient:
                continue
        return self._follow(routes[-1], self.terms.policy.tries, ends_at, pause_until=ends_at)

    def _follow(self, route: Request, tries: int, ends_at: float, *, pause_until: float) -> Answer:
        for failed in range(1, tries + 1):
            self._await_circuit(route, pause_until)
            try:
                return self._send(route)
            except ModelTransient as error:
                delay = self.terms.policy.delay(failed, error.retry_after, self.clock.luck())
                if failed == tries or self.clock.now() + delay > ends_at:
                    raise self._given_up(error, failed) from error
                self._sleep(delay, error.message)
        raise AssertionError("a policy allows one try at least")

    def _await_circuit(self, route: Request, until: float) -> None:
        while wait := self.breaker.wait(provider(route), self.clock.now()):
            why = f"{provider(route)} failed several times in a row and is left alone for now"
            if self.clock.now() + wait > until:
                raise ModelTransient(why, retry_after=wait)
            self._sleep(wait, why)

    def _sleep(self, seconds: float, why: str) -> None:
        self.terms.waiting(seconds, why)
        self.clock.sleep(seconds, self.terms.line.stop)
        if self.terms.line.stop.is_set():
            raise Cancelled("cancelled while it waited for another try")

    def _send(self, route: Request) -> Answer:
        if self.terms.line.stop.is_set():
            raise Cancelled("cancelled before it was sent")
        named = dataclasses.replace(route, call_id=f"{route.call_id}.{next(self.numbers)}")
        self.prepare(named, self.terms)
        request = self.terms.witness.before(named)
        try:
            answer = self.model.complete(request, self.terms.line)
        except BaseException as error:
            self._judge(route, error)
            self.terms.witness.after(request, error)
            raise
        self.breaker.succeeded(provider(route))
        self.terms.witness.after(request, answer)
        return answer

    def _judge(self, route: Request, error: BaseException) -> None:
        if isinstance(error, ModelTransient):
            self.breaker.failed(provider(route), self.clock.now())
        elif isinstance(error, ModelPermanent):
            self.breaker.succeeded(provider(route))  # it refuses, but it is there

    def _given_up(self, error: ModelTransient, tries: int) -> ModelTransient:
        return ModelTransient(
            f"{error.message} (given up after {tries} {'try' if tries == 1 else 'tries'})",
            retry_after=error.retry_after,
            in_doubt=error.in_doubt,
            next_step="the task is tried again later; `aifactory doctor` checks the provider",
            evidence=error.evidence,
        )


def provider(request: Request) -> str:
    """Who answers: the server if one is named, else the first part of the model's name."""
    return request.api_base or request.model.partition("/")[0]


def routes(request: Request, fallbacks: Sequence[str]) -> tuple[Request, ...]:
    """The request to its own model and to the fallbacks.

    `api_base` holds for those fallbacks that name the same provider as the request, or none.
    """
    own = request.model.partition("/")[0] if "/" in request.model else ""

    def to(model: str) -> Request:
        theirs = model.partition("/")[0] if "/" in model else ""
        base = request.api_base if theirs in (own, "") else None
        return dataclasses.replace(request, model=model, api_base=base)

    return (request, *map(to, fallbacks))
