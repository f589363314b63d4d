"""What the night may cost: limits by scope, and what is spent of them, kept across restarts.

The file is a cache: what was spent stands in the ledger, call by call.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from pydantic import ValidationError

from aifactory import files
from aifactory.config import Config
from aifactory.errors import EnvironmentUnusable
from aifactory.model import Answer, Budget, Task, now
from aifactory.models.budgets import Budgets, BudgetState, Spend

UNITS = ("usd", "tokens", "seconds")


class Purse:
    """The budgets of one repository. A change lasts before the call that it pays for is made."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.budgets = Budgets(read(path))

    def tidy(self, run: str, open_tasks: Collection[str]) -> None:
        """Drop what nobody asks about any more: other runs, other days, closed tasks, calls."""
        kept = {f"run:{run}", f"day:{now()[:10]}", *(f"task:{name}" for name in open_tasks)}
        for scope in self.budgets.state.spent:
            if scope not in kept and not scope.startswith("agent:"):
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

    def save(self) -> None:
        files.atomic_write(self._path, self.budgets.state.model_dump_json().encode(), 0o600)


def read(path: Path) -> BudgetState:
    """What was spent before. A file that cannot be read stops the work: it may hide money."""
    try:
        return BudgetState.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return BudgetState()
    except ValidationError as error:
        raise EnvironmentUnusable(
            f"{path} does not say what was spent before: {error.error_count()} problems",
            next_step=f"look at it, then remove it: `rm {path}` starts to count anew",
        ) from error


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
