"""Code that is dangerous to run: what the rules here and bandit find in files, line by line."""

from __future__ import annotations

from aifactory.security.bandit import bandit_version, by_bandit
from aifactory.security.findings import SEVERITIES, Finding, Severity, at_least, new
from aifactory.security.rules import RULES, Rule, by_rules

__all__ = [
    "RULES",
    "SEVERITIES",
    "Finding",
    "Rule",
    "Severity",
    "at_least",
    "bandit_version",
    "by_bandit",
    "by_rules",
    "new",
]
