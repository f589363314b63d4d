"""A cancelled task leaves nothing open on the forge: no pull request, no branch.

Each act is recorded before it is done and looked for before it is repeated, as on the way there.
A task that is retried meanwhile takes no further step of this, by the table of states.
"""

from __future__ import annotations

from contextlib import suppress

from aifactory import failpoints, reception
from aifactory.factory import Factory
from aifactory.forge import Forge, PullRequest, letters
from aifactory.model import Pull, Record
from aifactory.states import BadTransition
from aifactory.submission import base_of, is_ours, pull_of


def withdraw(factory: Factory, forge: Forge, task_id: str) -> None:
    """Close what is open, say why, delete the branch; what was merged meanwhile has landed."""
    record = factory.queue.records[task_id]
    pull = _found(factory, forge, record)
    if pull and pull.merged:
        reception.arrived(factory, record, pull)
        return
    with suppress(BadTransition):
        known = _begun(factory, record, pull)
        if pull and pull.open:
            _close(forge, pull, known.closing)
        left = _delete(factory, task_id, known)
        factory.queue.change(
            task_id,
            "pull.withdrawn",
            data={"left": left} if left else None,
            pull=known.model_copy(update={"withdrawn": True}),
            reason="",
        )


def _found(factory: Factory, forge: Forge, record: Record) -> PullRequest | None:
    """The pull request that we know, else one of ours whose opening we saw no end of."""
    known = pull_of(record)
    if known.number:
        return forge.pull(known.number)
    mark, base = letters.mark_of(record.task_id), base_of(factory)
    listed = forge.find(known.branch)
    ours = (one for one in listed if one.open and one.base == base and mark in one.body)
    return next(ours, None)


def _begun(factory: Factory, record: Record, pull: PullRequest | None) -> Pull:
    """The intent, with a reason that stays the same whenever we begin again."""
    known = pull_of(record)
    if known.closing:
        return known
    found = {"number": pull.number, "url": pull.url} if pull else {}
    known = known.model_copy(update={"closing": _why(factory, record), **found})
    told = {"branch": known.branch, "number": known.number}
    factory.queue.change(record.task_id, "pull.closing", data=told, pull=known)
    failpoints.hit("pull.closing")
    return known


def _why(factory: Factory, record: Record) -> str:
    """Who cancelled the task, and what they said."""
    events = factory.ledger.events(record.task_id)
    said = next((one.data for one in reversed(events) if one.name == "task.cancelled"), {})
    by = f" by {said['by']}" if said.get("by") else ""
    reason = f": {said['reason']}" if said.get("reason") else ""
    return f"The task {record.task_id} was cancelled{by}{reason}"


def _close(forge: Forge, pull: PullRequest, why: str) -> None:
    remark = letters.remark_of("closing", why)
    if letters.mark_in(remark.text) not in map(letters.mark_in, forge.remarks(pull.number)):
        forge.remark(pull, remark)
        failpoints.hit("pull.explained")
    forge.close(pull.number)
    failpoints.hit("pull.closed")


def _delete(factory: Factory, task_id: str, known: Pull) -> str:
    """Delete our branch; gives why it stays where it holds what somebody else did."""
    there = factory.remote.tip(known.branch)
    if not is_ours(factory, task_id, known, there):
        return f"the branch {known.branch} holds {there[:12]}, which is not ours"
    if there:
        factory.remote.delete(known.branch, there)
        failpoints.hit("pull.deleted")
    return ""
