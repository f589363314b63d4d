"""Models: calls, prices, budgets and recorded answers. The only importer of LiteLLM."""

from __future__ import annotations

from aifactory.models.budgets import Budgets
from aifactory.models.fake import FakeModel, calling
from aifactory.models.gateway import Gateway
from aifactory.models.meter import Meter
from aifactory.models.persistence import Models, Terms, Witness
from aifactory.models.prices import Facts, estimate, facts, price
from aifactory.models.request import OPEN, Line, Model, Progress, Request
from aifactory.models.retry import RetryPolicy
from aifactory.models.scripted import Scripted
from aifactory.models.spend import Balance, BudgetState, Reservation, Spend

__all__ = [
    "OPEN",
    "Balance",
    "BudgetState",
    "Budgets",
    "Facts",
    "FakeModel",
    "Gateway",
    "Line",
    "Meter",
    "Model",
    "Models",
    "Progress",
    "Request",
    "Reservation",
    "RetryPolicy",
    "Scripted",
    "Spend",
    "Terms",
    "Witness",
    "calling",
    "estimate",
    "facts",
    "price",
]
