"""What is spent, reserved, in doubt and left: of every budget, agent, model and day."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aifactory.model import Answer, Budget, Payment, Record, now
from aifactory.models.budgets import UNITS
from aifactory.models.spend import Balance, BudgetState
from aifactory.narration import duration, money
from aifactory.settings import Budgets as Limits

ORDER = ("day", "run", "agent", "task")
SHOWN: Mapping[str, Callable[[float], str]] = {
    "usd": money,
    "tokens": lambda tokens: f"{tokens:,.0f} tokens",
    "seconds": duration,
}


@dataclass(frozen=True)
class Account:
    """Where one scope stands, such as `day:2026-11-20` or `task:t1`."""

    scope: str
    limit: Budget
    balance: Balance

    def left(self, unit: str) -> float | None:
        """What may still be taken; None where there is no limit."""
        most = getattr(self.limit, unit)
        return None if most is None else max(0.0, most - getattr(self.balance.taken, unit))

    def row(self) -> dict[str, Any]:
        parts = ("spent", "reserved", "doubtful")
        sums = {name: getattr(self.balance, name).model_dump(include=set(UNITS)) for name in parts}
        left = {unit: self.left(unit) for unit in UNITS}
        return {"scope": self.scope, "limit": self.limit.model_dump(), **sums, "left": left}

    def lines(self) -> Iterator[str]:
        """One sentence for each unit that is limited."""
        for unit in UNITS:
            if (left := self.left(unit)) is not None:
                show = SHOWN[unit]
                most = show(getattr(self.limit, unit))
                sums = [f"{show(getattr(self.balance.spent, unit))} of {most} spent"]
                for name, words in (("reserved", "reserved"), ("doubtful", "in doubt")):
                    if amount := getattr(getattr(self.balance, name), unit):
                        sums.append(f"{show(amount)} {words}")
                yield f"{self.scope}: {', '.join(sums)}, {show(left)} left"


def accounts(state: BudgetState, limits: Limits) -> list[Account]:
    """Every budget that has a limit or is in use: the day first, then run, agents and tasks.

    Limits are those of the last call; of a day without one, that of `limits`.
    """
    configured = {f"day:{now()[:10]}": limits.day}
    held = [*state.open.values(), *state.doubtful.values()]
    used = {*state.spent, *(scope for one in held for scope in one.scopes)}
    known = {**configured, **state.limits}
    scopes = {*used, *(scope for scope in known if known[scope] != Budget())}
    found = [
        Account(scope, known.get(scope, Budget()), state.balance(scope))
        for scope in scopes
        if scope.partition(":")[0] in ORDER
    ]
    return sorted(found, key=lambda one: (ORDER.index(one.scope.partition(":")[0]), one.scope))


def spending(records: Iterable[Record]) -> dict[str, dict[str, dict[str, Any]]]:
    """What all calls took by agent, by model and by day."""
    sums: dict[str, dict[str, Payment]] = {"agent": {}, "model": {}, "day": {}}
    for one in (payment for record in records for payment in record.payments):
        for kind, name in (("agent", one.agent), ("model", one.model), ("day", one.day)):
            sums[kind][name] = sums[kind][name] + one if name in sums[kind] else one
    shown = {"calls", "usd", "tokens", "seconds"}
    return {
        kind: {name: total.model_dump(include=shown) for name, total in sorted(totals.items())}
        for kind, totals in sums.items()
    }


def paid(before: tuple[Payment, ...], agent: str, answer: Answer) -> tuple[Payment, ...]:
    """The payments of a task with one more answer."""
    one = Payment(
        day=now()[:10],
        agent=agent,
        model=answer.model,
        calls=1,
        usd=answer.cost_usd,
        tokens=answer.usage,
        seconds=answer.seconds,
    )
    same = [old for old in before if old.of == one.of]
    others = [old for old in before if old.of != one.of]
    return (*others, sum(same, start=one))
