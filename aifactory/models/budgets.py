"""Money, tokens and seconds: reserved before a call, settled after it.

A budget holds for a scope, a text such as `task:t1`, `agent:coder`, `day:2026-11-20` or `run:7`.
Everything is in memory; `state` is a plain value that the caller keeps, and a reservation that
was open when the daemon died counts as spent until somebody settles it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace

from aifactory.errors import BudgetExhausted, Cancelled, ModelTransient
from aifactory.model import Budget, Usage
from aifactory.models.experience import Experience
from aifactory.models.spend import Balance, BudgetState, Low, Reservation, Spend, balance

WARNING_SHARE = 0.8
UNITS = ("usd", "tokens", "seconds")
ROUNDING = 1e-9  # sums of dollars are floats
POLL_SECONDS = 0.2


class Budgets:
    """The one place that says whether a call may be paid. Thread-safe."""

    def __init__(
        self,
        state: BudgetState | None = None,
        beside: Callable[[str], Spend] = lambda scope: Spend(),
    ) -> None:
        """Calls that were under way when the state was kept are doubtful: nobody saw their end.

        `beside` says what others have taken in a scope, spent or put aside.
        """
        self._beside = beside
        state = (state or BudgetState()).unwatched()
        self._changed = threading.Condition()
        self._spent = dict(state.spent)
        self._open: dict[str, Reservation] = {}
        self._doubtful = dict(state.doubtful)
        self._known = dict(state.known)
        self._limits = dict(state.limits)

    @property
    def state(self) -> BudgetState:
        with self._changed:
            return BudgetState(
                spent=dict(self._spent),
                open=dict(self._open),
                doubtful=dict(self._doubtful),
                known=dict(self._known),
                limits=dict(self._limits),
            )

    def reserve(
        self,
        id: str,
        amount: Spend,
        limits: Mapping[str, Budget],
        *,
        stop: threading.Event | None = None,
    ) -> Reservation:
        """Sets the amount aside in every scope, or raises BudgetExhausted and sets nothing aside.

        Waits while nothing but other calls under way stands in its way, since most of them take
        less than they reserved; raises Cancelled once `stop` is set. `id` must be new.
        """
        reservation = Reservation(id=id, amount=amount, scopes=tuple(limits))
        with self._changed:
            if id in self._open or id in self._doubtful:
                raise ValueError(f"reservation {id} exists already")
            while not self._fits(amount, limits):
                if stop is not None and stop.is_set():
                    raise Cancelled("cancelled while it waited for money of other calls")
                self._changed.wait(POLL_SECONDS)
            self._open[id] = reservation
            self._limits |= limits
        return reservation

    def confirm(self, limits: Mapping[str, Budget]) -> None:
        """To be called once a reservation can be seen by others: two may have reserved at once.

        ModelTransient where there is not enough for both; then it has to be given back.
        """
        with self._changed:
            for scope, limit in limits.items():
                shared = self._beside(scope) != Spend()
                if shared and _overruns(limit, self._balance(scope).taken, Spend()):
                    raise ModelTransient(f"{scope}: another process reserved at the same time")

    def settle(self, id: str, actual: Spend) -> None:
        """The call ended and this is what it took; also for one that was in doubt."""
        with self._changed:
            reservation = self._take(id)
            for scope in reservation.scopes:
                self._spent[scope] = self._spent.get(scope, Spend()) + actual

    def doubt(self, id: str, seconds: float) -> None:
        """The call broke off after `seconds` and may have been charged: its money stays held."""
        with self._changed:
            held = self._take(id)
            amount = held.amount.model_copy(update={"seconds": seconds})
            self._doubtful[id] = held.model_copy(update={"amount": amount})

    def release(self, id: str) -> None:
        """The call was not made, or was refused: nothing was charged."""
        with self._changed:
            self._take(id)

    def experience(self, model: str) -> Experience:
        return self._known.get(model, Experience())

    def learn(self, model: str, estimate: Usage, actual: Usage) -> None:
        """Keep what an answer of a model took beside what was expected of it."""
        with self._changed:
            self._known[model] = self.experience(model).learn(estimate, actual)

    def forget(self, scope: str) -> None:
        """Drops what was taken in a scope that nobody asks about any more."""
        with self._changed:
            self._spent.pop(scope, None)
            self._limits.pop(scope, None)
            for id, held in list(self._doubtful.items()):
                left = tuple(name for name in held.scopes if name != scope)
                self._doubtful[id] = held.model_copy(update={"scopes": left})
                if not left:
                    del self._doubtful[id]

    def balance(self, scope: str) -> Balance:
        with self._changed:
            return self._balance(scope)

    def low(self, limits: Mapping[str, Budget]) -> tuple[Low, ...]:
        """Every limit of which 80 % or more is gone."""
        found = []
        for scope, limit in limits.items():
            gone = self.balance(scope).gone
            for unit in UNITS:
                most, amount = getattr(limit, unit), getattr(gone, unit)
                if most is not None and amount >= WARNING_SHARE * most:
                    found.append(Low(scope, unit, amount, most))
        return tuple(found)

    def _fits(self, amount: Spend, limits: Mapping[str, Budget]) -> bool:
        """False: later, perhaps. Raises BudgetExhausted where waiting does not help."""
        fits = True
        for scope, limit in limits.items():
            balance = self._balance(scope)
            _refuse_overrun(scope, limit, balance.gone, amount)
            fits = fits and not _overruns(limit, balance.taken, amount)
        return fits

    def _balance(self, scope: str) -> Balance:
        own = balance(self._spent, self._open, self._doubtful, scope)
        return replace(own, spent=own.spent + self._beside(scope))

    def _take(self, id: str) -> Reservation:
        found = self._open.pop(id, None) or self._doubtful.pop(id, None)
        if found is None:
            raise KeyError(f"no reservation {id}")
        self._changed.notify_all()
        return found


def _overruns(limit: Budget, taken: Spend, amount: Spend) -> str | None:
    """The first unit of which there is not enough."""
    for unit in UNITS:
        most = getattr(limit, unit)
        if most is not None and getattr(taken, unit) + getattr(amount, unit) > most + ROUNDING:
            return unit
    return None


def _refuse_overrun(scope: str, limit: Budget, gone: Spend, amount: Spend) -> None:
    if limit.usd is not None and amount.unpriced:
        raise BudgetExhausted(
            f"{scope} has a limit of ${limit.usd:g}, and the price of the model is not known",
            next_step='give it under [model.prices] in aifactory.toml: "MODEL" = '
            "{ prompt = 1.0, completion = 2.0 }, in US dollars for a million tokens",
        )
    if unit := _overruns(limit, gone, amount):
        before, more, most = (getattr(one, unit) for one in (gone, amount, limit))
        raise BudgetExhausted(
            f"{scope}: {before:g} of {most:g} {unit} are taken, the call may take {more:g}",
            next_step=f"raise the budget of the {scope.partition(':')[0]} ({unit}), "
            "then `aifactory retry TASK`",
        )
