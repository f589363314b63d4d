"""What the night may cost: limits by scope, and what is spent of them, kept across restarts.

The file is a cache: what was spent stands in the ledger, call by call.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from aifactory import files
from aifactory.config import Config
from aifactory.errors import EnvironmentUnusable
from aifactory.model import Answer, Budget, Payment, Task, now
from aifactory.models.budgets import Budgets
from aifactory.models.spend import BudgetState, Low, Spend

Paid = Mapping[str, Sequence[Payment]]  # by task
UNITS = ("usd", "tokens", "seconds")


class Purse:
    """The budgets of one repository. A change lasts before the call that it pays for is made."""

    def __init__(
        self,
        path: Path,
        paid: Callable[[], Paid] = dict,
        beside: Callable[[], Iterable[Path]] = tuple,
    ) -> None:
        """`paid` is what the ledger says, asked for where the file is lost. `beside` are the
        files of others who spend of the same day: a repository and its forks."""
        self._path = path
        self._beside = beside
        self._saving = threading.Lock()
        self._told: set[tuple[str, str]] = set()
        known = read(path)
        self.budgets = Budgets(known or self.begun(paid()), self.of_others)
        if known is None:
            self.save()
        for scope in [one for one in self.budgets.state.spent if one.startswith("call:")]:
            self.budgets.forget(scope)

    def begun(self, paid: Paid) -> BudgetState:
        """What the ledger says, and what others know of how much models take."""
        others = [one for path in self._beside() if (one := read(path))]
        known = {name: each for one in others for name, each in one.known.items()}
        return rebuilt(paid).model_copy(update={"known": known})

    def of_others(self, scope: str) -> Spend:
        """What others have taken of a day; what they put aside is gone, nobody waits for it."""
        if not scope.startswith("day:"):
            return Spend()
        others = (read(path) for path in self._beside() if path != self._path)
        return sum((one.balance(scope).taken for one in others if one), start=Spend())

    def tidy(self, run: str, open_tasks: Collection[str]) -> None:
        """Drop what nobody asks about any more: other runs, other days, closed tasks, calls.

        What is in doubt when its day is over, and nobody freed it, counts as spent.
        """
        state, day = self.budgets.state, f"day:{now()[:10]}"
        for id, held in state.doubtful.items():
            if day not in held.scopes:
                self.budgets.settle(id, held.amount)
        kept = {f"run:{run}", day, *(f"task:{name}" for name in open_tasks)}
        scopes = {
            *self.budgets.state.spent,
            *(s for r in state.doubtful.values() for s in r.scopes),
        }
        for scope in scopes:
            if scope not in kept and not scope.startswith(("agent:", "call:")):
                self.budgets.forget(scope)

    def settle(self, answer_of: Callable[[str, str], bytes | None]) -> None:
        """Settle calls whose end the last run did not see, where their answers were recorded.

        `answer_of(task, artifact)` reads the ledger. The last try of a call brought its answer.
        """
        last: dict[str, str] = {}
        for call_id in sorted(self.budgets.state.doubtful, key=lambda one: (len(one), one)):
            last[call_id.rpartition(".")[0]] = call_id
        for call, call_id in last.items():
            task_id, attempt, *_ = call.split("/")
            if recorded := answer_of(task_id, f"response-{attempt}.json"):
                answer = Answer.model_validate_json(recorded)
                tokens = answer.usage.prompt + answer.usage.completion
                spend = Spend(usd=answer.cost_usd, tokens=tokens, seconds=answer.seconds)
                self.budgets.settle(call_id, spend)

    def free(self, call_id: str, usd: float) -> None:
        """Settle a call in doubt at what the provider charged; any other is left alone."""
        if held := self.budgets.state.doubtful.get(call_id):
            self.budgets.settle(call_id, Spend(usd=usd, seconds=held.amount.seconds))
            self.save()

    def newly_low(self, limits: Mapping[str, Budget]) -> list[Low]:
        """Limits that are nearly used up and were not told of before in this run."""
        found = [low for low in self.budgets.low(limits) if (low.scope, low.unit) not in self._told]
        self._told |= {(low.scope, low.unit) for low in found}
        return found

    def save(self) -> None:
        with self._saving:  # an older state must not come after a newer one
            files.atomic_write(self._path, self.budgets.state.model_dump_json().encode(), 0o600)


def read(path: Path) -> BudgetState | None:
    """What was spent before, None where nothing is kept.

    A file that cannot be read stops the work: it may hide money.
    """
    try:
        return BudgetState.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise EnvironmentUnusable(
            f"{path} does not say what was spent before: {error.error_count()} problems",
            next_step=f"look at it, then remove it: `rm {path}` counts anew from the ledger",
        ) from error


def together(state: BudgetState, forks: Iterable[Path]) -> BudgetState:
    """What a repository spent, with what its forks took of each day."""
    spent, limits = dict(state.spent), dict(state.limits)
    for fork in filter(None, map(read, forks)):
        for scope in (one for one in fork.limits if one.startswith("day:")):
            spent[scope] = spent.get(scope, Spend()) + fork.balance(scope).taken
            limits[scope] = fork.limits[scope]
    return state.model_copy(update={"spent": spent, "limits": limits})


def rebuilt(paid: Paid) -> BudgetState:
    """What the ledger says was spent by tasks, by agents and on days."""
    spent: dict[str, Spend] = defaultdict(Spend)
    for task_id, payments in paid.items():
        for one in payments:
            for scope in (f"task:{task_id}", f"agent:{one.agent}", f"day:{one.day}"):
                spent[scope] += spend_of(one)
    return BudgetState(spent=spent)


def spend_of(payment: Payment) -> Spend:
    tokens = payment.tokens.prompt + payment.tokens.completion
    return Spend(usd=payment.usd, tokens=tokens, seconds=payment.seconds)


def limits(config: Config, task: Task, agent: str, of_agent: Budget, run: str) -> dict[str, Budget]:
    """Every limit that a call for a task has to keep, by scope."""
    given = config.budget
    return {
        f"task:{task.task_id}": tightest(given.task, task.budget, of_agent),
        f"agent:{agent}": given.agent,
        f"day:{now()[:10]}": given.day,
        f"run:{run}": given.run,
    }


def tightest(*budgets: Budget) -> Budget:
    """The smallest of each unit that any of them names."""
    named: Mapping[str, list[float]] = {
        unit: [value for one in budgets if (value := getattr(one, unit)) is not None]
        for unit in UNITS
    }
    return Budget.model_validate({unit: min(values) for unit, values in named.items() if values})
