"""The one door to every model."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from aifactory.model import Answer
from aifactory.models.persistence import PLAIN, Persistence, Terms, routes
from aifactory.models.prices import price
from aifactory.models.remote import Remote
from aifactory.models.request import OPEN, SCRIPTED, Line, Model, Request
from aifactory.models.retry import Breaker
from aifactory.models.scripted import Scripted
from aifactory.settings import Price


class Gateway:
    """Sends `scripted/<file>` to the file, everything else to the model host. Thread-safe."""

    def __init__(
        self,
        repository_root: Path,
        *,
        environment: Mapping[str, str] | None = None,
        prices: Mapping[str, Price] | None = None,
        through: Callable[[Model], Model] = lambda model: model,
    ) -> None:
        """`environment` holds the providers' keys (default: ours), `prices` the owner's own.

        Every try goes `through` what is put around the models.
        """
        self.remote = Remote(os.environ if environment is None else environment)
        self._switch = _Switch(Scripted(repository_root), self.remote, prices or {})
        self._model = through(self._switch)
        self._breaker = Breaker()
        self._numbers = itertools.count(1)

    def __enter__(self) -> Gateway:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def warm(self) -> None:
        """Starts the model host in the background, so that the first call need not wait for it."""
        self.remote.warm()

    def close(self) -> None:
        """Ends the model host with all that it is doing."""
        self.remote.close()

    def check(self, model: str, api_base: str | None) -> None:
        self._switch.check(model, api_base)

    def complete(self, request: Request, terms: Terms = PLAIN) -> Answer:
        call = Persistence(
            model=self._model,
            breaker=self._breaker,
            terms=terms,
            prepare=self._switch.prepare,
            numbers=self._numbers,
        )
        return call.complete(routes(request, terms.fallbacks))


class _Switch:
    """One try, by whoever knows the model; the owner's price goes before the list's."""

    def __init__(self, scripted: Scripted, remote: Remote, prices: Mapping[str, Price]) -> None:
        self._scripted = scripted
        self._remote = remote
        self._prices = prices

    def check(self, model: str, api_base: str | None) -> None:
        if model.startswith(SCRIPTED):
            self._scripted.check(model)
        else:
            self._remote.check(model, api_base)

    def prepare(self, request: Request, terms: Terms) -> None:
        """Waits for the model host, so that no money is put aside while LiteLLM is imported."""
        if request.model.startswith(SCRIPTED):
            return
        if not self._remote.is_ready:
            terms.warming()
        self._remote.prepare(terms.line)

    def complete(self, request: Request, line: Line = OPEN) -> Answer:
        if request.model.startswith(SCRIPTED):
            return self._scripted.complete(request, line)
        answer = self._remote.complete(request, line)
        if request.model not in self._prices:
            return answer
        cost = price(request.model, answer.usage, self._prices)
        return answer.model_copy(update={"cost_usd": cost, "cost_known": True})
