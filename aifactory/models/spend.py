"""Amounts of money, tokens and seconds: spent, set aside, in doubt. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain

from pydantic import Field

from aifactory.model import Budget, Value
from aifactory.models.experience import Experience


class Spend(Value):
    """An amount of all three; `unpriced` are those tokens whose price nobody knows."""

    usd: float = 0.0
    tokens: int = 0
    seconds: float = 0.0
    unpriced: int = 0

    def __add__(self, other: Spend) -> Spend:
        return Spend(
            usd=self.usd + other.usd,
            tokens=self.tokens + other.tokens,
            seconds=self.seconds + other.seconds,
            unpriced=self.unpriced + other.unpriced,
        )


class Reservation(Value):
    """An amount put aside for one call, in all scopes at once."""

    id: str
    amount: Spend
    scopes: tuple[str, ...]


class BudgetState(Value):
    """What is spent, what is set aside for calls under way, and what may have been charged."""

    spent: dict[str, Spend] = Field(default_factory=dict)
    open: dict[str, Reservation] = Field(default_factory=dict)
    doubtful: dict[str, Reservation] = Field(default_factory=dict)
    known: dict[str, Experience] = Field(default_factory=dict)  # by model
    limits: dict[str, Budget] = Field(default_factory=dict)  # as the last call of a scope had them

    def balance(self, scope: str) -> Balance:
        return balance(self.spent, self.open, self.doubtful, scope)

    def unwatched(self) -> BudgetState:
        """The same when the daemon that made the calls is gone: nobody sees the end of them."""
        return self.model_copy(update={"open": {}, "doubtful": {**self.doubtful, **self.open}})


@dataclass(frozen=True)
class Balance:
    """Where one scope stands. `doubtful`: calls that broke off; the provider may have charged."""

    spent: Spend
    reserved: Spend
    doubtful: Spend

    @property
    def gone(self) -> Spend:
        """What will not come back by itself."""
        return self.spent + self.doubtful

    @property
    def taken(self) -> Spend:
        """What counts against the limit."""
        return self.gone + self.reserved


@dataclass(frozen=True)
class Low:
    """A limit that is nearly used up: how much of which unit is gone, and how much there was."""

    scope: str
    unit: str
    gone: float
    limit: float


def balance(
    spent: Mapping[str, Spend],
    reserved: Mapping[str, Reservation],
    doubtful: Mapping[str, Reservation],
    scope: str,
) -> Balance:
    """Where a scope stands."""
    return Balance(spent.get(scope, Spend()), _sum(reserved, scope), _sum(doubtful, scope))


def _sum(reservations: Mapping[str, Reservation], scope: str) -> Spend:
    amounts = (one.amount for one in reservations.values() if scope in one.scopes)
    return sum(chain([Spend()], amounts), start=Spend())
