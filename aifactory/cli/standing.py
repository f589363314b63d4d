"""Where the money stands, as a command reads it while a daemon may run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aifactory.accounts import Account
    from aifactory.cli.place import Place
    from aifactory.models.spend import BudgetState


def state(place: Place) -> BudgetState:
    """What is spent, reserved and in doubt. Without a daemon, nothing is under way."""
    from aifactory import purse
    from aifactory.models.spend import BudgetState
    from aifactory.pulse import pulse

    found = purse.read(place.layout.budgets) or BudgetState()
    return found if pulse(place.layout).running else found.unwatched()


def standing(place: Place) -> list[Account]:
    """Every budget, forks counted in; without the limits of a configuration that cannot be read,
    and says so."""
    import os

    from aifactory import accounts, config, purse
    from aifactory.cli.output import note
    from aifactory.errors import InvalidInput
    from aifactory.settings import Budgets

    try:
        limits = config.load(place.layout.root, environ=os.environ).budget
    except InvalidInput as error:
        note(f"limits are left out: {error.message}")
        limits = Budgets()
    spent = purse.together(state(place), place.layout.forks.glob("*.json"))
    return accounts.accounts(spent, limits)
