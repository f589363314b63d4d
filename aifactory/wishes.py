"""What people ask of the daemon while it runs: cancel, retry, approve, reject, answer, free."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aifactory import failpoints, files, handover, pauses, proposals, requests, reversal
from aifactory.errors import AifactoryError, EnvironmentUnusable
from aifactory.factory import Factory
from aifactory.model import Record, State
from aifactory.requests import Request


def grant(factory: Factory) -> None:
    """Do what was asked since the last time, oldest first; what cannot be done is told."""
    for path, request in requests.pending(factory.layout):
        if request is None:
            factory.stream.emit("request.refused", file=path.name, problems="not a request")
        else:
            grant_one(factory, request)
            failpoints.hit("wish.granted")
        files.remove(path)


def grant_one(factory: Factory, request: Request) -> None:
    record = factory.queue.record(request.task_id)
    try:
        if record is None:
            raise AifactoryError(f"there is no task {request.task_id!r}")
        VERBS[request.verb](factory, request, record)
    except EnvironmentUnusable:
        raise  # the wish stays where it is, and is granted when the machine is well
    except AifactoryError as error:
        factory.stream.emit(
            "request.refused", request.task_id, verb=request.verb, problems=error.message
        )


def meant(request: Request, record: Record) -> None:
    """Refuse what was said of an attempt that is no longer the one at hand."""
    attempt = request.data.get("attempt", record.attempts)
    if attempt != record.attempts:
        raise AifactoryError(
            f"{request.verb} meant attempt {attempt}, {record.task_id} is at attempt"
            f" {record.attempts}"
        )


def said(request: Request) -> dict[str, object]:
    return {"by": request.by, "reason": request.data.get("reason", "")}


def cancel(factory: Factory, request: Request, record: Record) -> None:
    if record.state.closed and record.due_at:
        factory.queue.note(record.task_id, "schedule.ended", data=said(request), due_at=None)
    elif record.state is not State.CANCELLED:
        factory.queue.change(
            record.task_id, "task.cancelled", data=said(request), pending=None, reason=""
        )
        factory.stop_of(record.task_id).set()
        proposals.remove(factory.layout, record.task_id)


def retry(factory: Factory, request: Request, record: Record) -> None:
    """Run a task again: as its file is now, with a fresh count of attempts."""
    found = factory.queue.file_of(record.task_id)
    task = found.task if found and found.task else factory.queue.task(record.task_id)
    factory.stops.pop(record.task_id, None)
    pauses.resume(factory, task.assignee or factory.config.agents.default)
    factory.queue.put(task, found, "task.retried")


def approve(factory: Factory, request: Request, record: Record) -> None:
    meant(request, record)
    if record.state is not State.READY:
        factory.queue.change(record.task_id, "proposal.approved", data=said(request), reason="")


def reject(factory: Factory, request: Request, record: Record) -> None:
    meant(request, record)
    factory.queue.change(
        record.task_id,
        "proposal.rejected",
        data=said(request),
        pending=None,
        reason=str(request.data.get("reason") or "rejected by a person"),
    )
    proposals.remove(factory.layout, record.task_id)


def answer(factory: Factory, request: Request, record: Record) -> None:
    meant(request, record)
    handover.reply(factory, record, str(request.data.get("text", "")), said(request))


def free(factory: Factory, request: Request, record: Record) -> None:
    """Settle a call that broke off at what a person says that it cost."""
    call_id, usd = str(request.data["call"]), float(request.data["usd"])
    factory.purse.free(call_id, usd)
    told: dict[str, Any] = {"call_id": call_id, "cost_usd": usd, "by": request.by}
    if record.task_id in factory.queue.records:
        factory.queue.note(record.task_id, "budget.freed", data=told)
    else:
        factory.stream.emit("budget.freed", **told)


def revert(factory: Factory, request: Request, record: Record) -> None:
    """Take in the task that takes back what another one landed."""
    reason = str(request.data.get("reason", ""))
    reversal.begin(factory.repository, factory.queue, record, reason)


VERBS: Mapping[str, Callable[[Factory, Request, Record], None]] = {
    "cancel": cancel,
    "retry": retry,
    "approve": approve,
    "reject": reject,
    "answer": answer,
    "free": free,
    "revert": revert,
}
