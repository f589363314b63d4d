"""The classes of failure, and what each means for the next step: a table, not a judgement."""

from __future__ import annotations

from enum import StrEnum


class FailureClass(StrEnum):
    """Why work stopped. The class alone decides what happens next."""

    INVALID_TASK = "invalid_task"
    UNKNOWN_AGENT = "unknown_agent"
    PRECONDITION_FAILED = "precondition_failed"
    POLICY_DENIED = "policy_denied"
    ANSWER_UNUSABLE = "answer_unusable"
    SCOPE_VIOLATION = "scope_violation"
    EDIT_REFUSED = "edit_refused"
    GATE_FAILED = "gate_failed"
    POSTCONDITION_FAILED = "postcondition_failed"
    WEAK_VERIFICATION = "weak_verification"
    STALE_BASE = "stale_base"
    MODEL_TRANSIENT = "model_transient"
    MODEL_PERMANENT = "model_permanent"
    BUDGET_EXHAUSTED = "budget_exhausted"
    DEADLINE = "deadline"
    GATE_BROKEN = "gate_broken"
    GATE_FLAKY = "gate_flaky"
    ENVIRONMENT = "environment"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    INTERNAL = "internal"

    @property
    def retryable(self) -> bool:
        """Whether the daemon tries again by itself."""
        return self in _RETRIED

    @property
    def charged(self) -> bool:
        """Whether the failure uses up one of the task's `max_attempts`."""
        return self in _CHARGED


_CHARGED = frozenset(
    {
        FailureClass.ANSWER_UNUSABLE,
        FailureClass.SCOPE_VIOLATION,
        FailureClass.EDIT_REFUSED,
        FailureClass.GATE_FAILED,
        FailureClass.POSTCONDITION_FAILED,
        FailureClass.WEAK_VERIFICATION,
    }
)

_RETRIED = _CHARGED | {
    FailureClass.STALE_BASE,
    FailureClass.MODEL_TRANSIENT,
    FailureClass.ENVIRONMENT,
    FailureClass.INTERRUPTED,
}
