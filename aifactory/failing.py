"""What a failure leads to. The class alone decides."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from aifactory import audit, holds, pauses, proposals
from aifactory.enduring import pause
from aifactory.errors import AifactoryError, FailureClass, ModelTransient
from aifactory.factory import Factory
from aifactory.model import Failure, Record, State, Task, sha256

SAME_IN_A_ROW = 3  # equal failure signatures that stop a task
MOST_UNCHARGED = 20  # failures in a row that were nobody's fault, and still end a task
EVIDENCE_LIMIT = 16_000  # characters of evidence that are kept
TRANSIENT_SECONDS = (5, 15, 60, 300)  # pauses between attempts that failed through no fault
ASKS_OWNER = (
    FailureClass.BUDGET_EXHAUSTED,
    FailureClass.DEADLINE,
    FailureClass.GATE_BROKEN,
    FailureClass.GATE_FLAKY,
)
PAID = (FailureClass.STALE_BASE,)  # cost no attempt, and yet an answer
AGENTS_OWN = (*(kind for kind in FailureClass if kind.charged), *PAID)
OVER = ("task.failed", "task.refused")
AFTER_THE_LAST = (
    "see the evidence in `aifactory show TASK`, mend task or agent, then `aifactory retry TASK`"
)
REFUSES_TASK = (FailureClass.INVALID_TASK, FailureClass.UNKNOWN_AGENT)


def fail(factory: Factory, task: Task, attempt: int, stage: str, error: AifactoryError) -> Record:
    """Record a failed attempt, and take the step that its class asks for."""
    failure = Failure.of(error, stage)
    record = factory.queue.records[task.task_id]
    answer = factory.ledger.artifact(task.task_id, f"response-{attempt}.json") or b""
    fields = count(record, failure, error, answer)
    event = verdict_on(factory, task, record, failure, fields)
    kept = evidence_of(failure, error)  # with what the agent is told
    if event == "task.failed" and failure.retryable:
        failure = failure.model_copy(update={"next_step": AFTER_THE_LAST})
    if event in OVER:
        proposals.remove(factory.layout, task.task_id)
    if event == "attempt.failed":
        delay(factory, task.task_id, record, error)
    if failure.failure_class is FailureClass.GATE_BROKEN:
        holds.hold(factory, task.task_id)
    if failure.failure_class is FailureClass.GATE_FLAKY:
        holds.pass_on(factory, task.task_id)
    pauses.pause(factory, record.agent or factory.config.agents.default, error)
    if failure.failure_class is FailureClass.ENVIRONMENT:
        pause(factory, error)
    factory.exit_codes[task.task_id] = error.exit_code
    return factory.queue.change(
        task.task_id,
        event,
        attempt=attempt,
        data={"failure": failure.model_dump(by_alias=True)},
        artifacts={
            f"gate-{attempt}.json": kept,
            **audit.with_records(factory.ledger, task.task_id, error.commands),
        },
        failure=failure,
        reason=failure.message,
        pending=None,
        **fields,
    )


def give_up(
    factory: Factory, task: Task, attempt: int, failure: Failure, error: AifactoryError
) -> None:
    """End a task that no further attempt is to be made at."""
    factory.exit_codes[task.task_id] = error.exit_code
    factory.queue.change(
        task.task_id,
        "task.failed",
        attempt=attempt,
        data={"failure": failure.model_dump(by_alias=True)},
        artifacts={f"gate-{attempt}.json": evidence_of(failure, error)},
        failure=failure,
        reason=failure.message,
        pending=None,
    )


def count(record: Record, failure: Failure, error: AifactoryError, answer: bytes) -> dict[str, Any]:
    kind = failure.failure_class
    if not (kind.charged or kind in PAID):
        return {"uncharged": record.uncharged + 1}
    signature = signature_of(failure, error, answer)
    recent = (*record.signatures, signature)[-SAME_IN_A_ROW:]
    if not kind.charged:
        return {"uncharged": record.uncharged + 1, "signatures": recent}
    return {"charged": record.charged + 1, "signatures": recent, "uncharged": 0}


def verdict_on(
    factory: Factory, task: Task, record: Record, failure: Failure, fields: dict[str, Any]
) -> str:
    """The event of the state table that this failure is."""
    kind = failure.failure_class
    if kind in REFUSES_TASK and record.state is not State.READY:
        return "task.refused"
    if kind in ASKS_OWNER and record.state in (State.RUNNING, State.READY):
        return "input.requested"
    if not kind.retryable:
        return "task.failed"
    recent = fields.get("signatures", ())
    stuck = len(recent) == SAME_IN_A_ROW and len(set(recent)) == 1
    if stuck or fields.get("charged", 0) >= task.max_attempts:
        return "task.failed"
    transient = kind is FailureClass.MODEL_TRANSIENT
    patience = factory.patience if transient else MOST_UNCHARGED
    if patience is not None and fields.get("uncharged", 0) > patience:
        return "task.failed"
    return "attempt.failed"


def delay(factory: Factory, task_id: str, record: Record, error: AifactoryError) -> None:
    if error.failure_class in (FailureClass.MODEL_TRANSIENT, FailureClass.ENVIRONMENT):
        step = min(record.uncharged, len(TRANSIENT_SECONDS) - 1)
        wish = error.retry_after if isinstance(error, ModelTransient) else None
        factory.queue.delay(task_id, max(TRANSIENT_SECONDS[step], wish or 0))


def signature_of(failure: Failure, error: AifactoryError, answer: bytes) -> str:
    """What two failures share when only numbers, addresses and times differ.

    The answer's text is part of it: another answer to the same evidence is another try.
    """
    text = re.sub(r"\b0x[0-9a-f]+|\b[0-9a-f]{7,64}\b|\d+", "#", failure.message + error.evidence)
    said = json.loads(answer)["text"] if answer else ""
    return f"{failure.failure_class}:{sha256((text + said).encode(errors='replace'))[:16]}"


def told(verdict: Mapping[str, Any]) -> str:
    """What an agent is told of an attempt that failed: each thing once, and what it may do."""
    failure = verdict.get("failure") or {"class": "", "message": ""}
    message, evidence = failure["message"], verdict.get("evidence", "")
    step = failure.get("next_step", "") if failure["class"] in AGENTS_OWN else ""
    parts = [
        f"{failure['class']}: {message}",
        "" if evidence in message else evidence,
        f"Next step: {step}" if step else "",
    ]
    return "\n\n".join(filter(None, parts)).strip()


def evidence_of(failure: Failure, error: AifactoryError) -> bytes:
    """`gate-N.json` of an attempt that failed, wherever it failed."""
    commands = getattr(error, "commands", ())
    verdicts = getattr(error, "verdicts", ())
    shown = {
        "ok": False,
        "failure": failure.model_dump(by_alias=True),
        "evidence": (error.evidence or error.message)[-EVIDENCE_LIMIT:],
        "verdicts": [verdict.model_dump() for verdict in verdicts],
        "commands": [command.model_dump() for command in commands],
    }
    return json.dumps(shown, indent=1).encode(errors="replace") + b"\n"
