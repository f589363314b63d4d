"""Every try of a call is paid from the budgets: put aside before it is sent, settled after it."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Mapping

from aifactory.errors import AifactoryError, BudgetExhausted
from aifactory.model import Answer, Budget, Usage
from aifactory.models.budgets import Budgets
from aifactory.models.experience import LEAST_COMPLETION
from aifactory.models.prices import LIMITS, bounded, estimate, is_priced, price, priced_by
from aifactory.models.request import Request
from aifactory.models.spend import Spend
from aifactory.settings import Price


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
        self.limits = limits
        self._prices = prices
        self._stop = stop
        self._sent_at: dict[str, float] = {}

    def before(self, request: Request) -> Request:
        """Reserves the most that the try can take, and holds the request to what is left.

        Raises BudgetExhausted when not even a short answer can be paid, or nobody knows the price.
        """
        if not is_priced(request, self._prices):
            raise BudgetExhausted(
                f"the price of {request.model} is not known", next_step=priced_by(request.model)
            )
        while True:
            fitted = self._fit(request)
            try:
                amount = self._amount(fitted, self._expected(fitted), fitted.seconds)
                self._budgets.reserve(fitted.call_id, amount, self.limits, stop=self._stop)
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
                self._budgets.learn(request.model, estimate(request), outcome.usage)
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

    def _expected(self, request: Request) -> Usage:
        return self._budgets.experience(request.model).expecting(estimate(request))

    def _fit(self, request: Request) -> Request:
        seconds = request.seconds
        for scope, limit in self.limits.items():
            gone = self._budgets.balance(scope).gone
            if limit.seconds is not None:
                seconds = min(seconds, max(limit.seconds - gone.seconds, 1.0))
        fitted = dataclasses.replace(request, seconds=seconds)
        if all(limit.usd is None and limit.tokens is None for limit in self.limits.values()):
            return fitted
        return _shortened(fitted, self._affordable(request))

    def _affordable(self, request: Request) -> int:
        """The longest completion that all limits still pay for.

        At least one like the last answers, as far as the limits would ever pay for that: what is
        asked for with less would only be cut short, and some providers do not even cut it.
        """
        longest = self._expected(request).completion
        left, whole = longest, longest
        for scope, limit in self.limits.items():
            left = min(left, self._buys(request, limit, self._budgets.balance(scope).gone))
            whole = min(whole, self._buys(request, limit, Spend()))
        least = self._budgets.experience(request.model).least
        return max(left, min(longest, max(LEAST_COMPLETION, min(least, whole))))

    def _buys(self, request: Request, limit: Budget, gone: Spend) -> int:
        """Tokens of completion that a limit pays for, beside the prompt and what is gone."""
        usage = self._expected(request)
        tariff = price(request.model, Usage(completion=1), self._prices)
        base = price(request.model, Usage(prompt=usage.prompt), self._prices) or 0.0
        bought = usage.completion
        if limit.tokens is not None:
            bought = min(bought, limit.tokens - gone.tokens - usage.prompt)
        if limit.usd is not None and tariff:
            bought = min(bought, int((limit.usd - gone.usd - base) / tariff))
        return bought


def _shortened(request: Request, completion: int) -> Request:
    """The request with its longest completion told to the provider."""
    parameters = dict(bounded(request).parameters)
    for name in LIMITS:
        if name in parameters:
            parameters[name] = min(parameters[name], completion)
    return dataclasses.replace(request, parameters=parameters)
