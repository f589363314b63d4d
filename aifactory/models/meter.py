"""Every try of a call is paid from the budgets: put aside before it is sent, settled after it."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Mapping

from aifactory.errors import AifactoryError, BudgetExhausted
from aifactory.model import Answer, Budget, Usage
from aifactory.models.budgets import Budgets, Spend
from aifactory.models.prices import LIMITS, bounded, estimate, price
from aifactory.models.request import Request
from aifactory.settings import Price

LEAST_COMPLETION = 256  # with fewer tokens left, an answer would only be cut short


class Meter:
    """A witness that keeps one task's calls within `limits`: scope (`task:t1`, ...) to budget."""

    def __init__(
        self,
        budgets: Budgets,
        limits: Mapping[str, Budget],
        prices: Mapping[str, Price],
        *,
        stop: threading.Event | None = None,
    ) -> None:
        self._budgets = budgets
        self._limits = limits
        self._prices = prices
        self._stop = stop
        self._sent_at: dict[str, float] = {}

    def before(self, request: Request) -> Request:
        """Reserves the most that the try can take, and holds the request to what is left.

        Raises BudgetExhausted when not even a short answer can be paid.
        """
        while True:
            fitted = self._fit(request)
            try:
                amount = self._amount(fitted, estimate(fitted), fitted.seconds)
                self._budgets.reserve(fitted.call_id, amount, self._limits, stop=self._stop)
                self._sent_at[fitted.call_id] = time.monotonic()
                return fitted
            except BudgetExhausted:
                if self._fit(request) == fitted:  # else others spent meanwhile: a smaller one
                    raise

    def after(self, request: Request, outcome: Answer | BaseException) -> None:
        """Settles what is known, keeps what is in doubt, gives back what was not charged."""
        seconds = time.monotonic() - self._sent_at.pop(request.call_id)
        match outcome:
            case Answer():
                spend = self._amount(request, outcome.usage, outcome.seconds)
                known = {"usd": outcome.cost_usd, "unpriced": 0} if outcome.cost_known else {}
                self._budgets.settle(request.call_id, spend.model_copy(update=known))
            case AifactoryError() if not getattr(outcome, "in_doubt", False):
                self._budgets.release(request.call_id)
            case _:
                self._budgets.doubt(request.call_id, seconds)

    def _amount(self, request: Request, usage: Usage, seconds: float) -> Spend:
        usd = price(request.model, usage, self._prices)
        tokens = usage.prompt + usage.completion
        return Spend(
            usd=usd or 0.0,
            tokens=tokens,
            seconds=seconds,
            unpriced=tokens if usd is None else 0,
        )

    def _fit(self, request: Request) -> Request:
        seconds = request.seconds
        for scope, limit in self._limits.items():
            gone = self._budgets.balance(scope).gone
            if limit.seconds is not None:
                seconds = min(seconds, max(limit.seconds - gone.seconds, 1.0))
        fitted = dataclasses.replace(request, seconds=seconds)
        if all(limit.usd is None and limit.tokens is None for limit in self._limits.values()):
            return fitted
        return _shortened(fitted, self._affordable(request))

    def _affordable(self, request: Request) -> int:
        """The longest completion that all limits still pay for, at least a short one."""
        usage = estimate(request)
        tariff = price(request.model, Usage(completion=1), self._prices)
        base = price(request.model, Usage(prompt=usage.prompt), self._prices) or 0.0
        longest = usage.completion
        for scope, limit in self._limits.items():
            gone = self._budgets.balance(scope).gone
            if limit.tokens is not None:
                longest = min(longest, limit.tokens - gone.tokens - usage.prompt)
            if limit.usd is not None and tariff:
                longest = min(longest, int((limit.usd - gone.usd - base) / tariff))
        return max(longest, min(usage.completion, LEAST_COMPLETION))


def _shortened(request: Request, completion: int) -> Request:
    """The request with its longest completion told to the provider."""
    parameters = dict(bounded(request).parameters)
    for name in LIMITS:
        if name in parameters:
            parameters[name] = min(parameters[name], completion)
    return dataclasses.replace(request, parameters=parameters)
