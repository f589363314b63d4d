"""A verdict as severe as the owner wants it: not asked for, a warning, or red."""

from __future__ import annotations

from collections.abc import Sequence

from aifactory.errors import FailureClass
from aifactory.model import Verdict
from aifactory.settings import Level

MOST_SHOWN = 20


def verdict_at(
    level: Level,
    check: str,
    findings: Sequence[str],
    fine: str,
    failure: FailureClass = FailureClass.GATE_FAILED,
) -> Verdict:
    """What the findings come to; `fine` is the message where there are none."""
    if not findings:
        return Verdict(check=check, ok=True, message=fine)
    shown = "\n".join(findings[:MOST_SHOWN])
    more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
    told = f"{findings[0]}{more}"
    if level == "warn":
        return Verdict(check=check, ok=True, message=f"warning: {told}", evidence=shown)
    return Verdict(check=check, ok=False, message=told, evidence=shown, failure=failure)
