"""What the forge says of an open pull request, and what follows: wait, mend, merge, done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from aifactory import delivery, failing, failpoints
from aifactory.errors import GateFailed
from aifactory.factory import Factory
from aifactory.following import follow
from aifactory.forge import Check, Forge, PullRequest, Review, letters
from aifactory.model import Failure, Record, State
from aifactory.submission import base_of, pull_of, subject_and_body


def look(factory: Factory, forge: Forge, task_id: str) -> None:
    """One look at a pull request in review, and one step on its way."""
    record = factory.queue.records[task_id]
    pull = forge.pull(pull_of(record).number or 0)
    if over(factory, record, pull):
        return
    if pull.base != base_of(factory):
        held = f"it is to land on {pull.base}, and was verified on {base_of(factory)}"
        delivery.wait(factory, task_id, told(pull, held))
    elif pull.head != record.pending:
        held = f"its branch holds {pull.head[:12]}, and {(record.pending or '')[:12]} was verified"
        delivery.wait(factory, task_id, told(pull, held))
    else:
        weigh(factory, forge, record, pull)


def over(factory: Factory, record: Record, pull: PullRequest) -> bool:
    """Whether a pull request was merged or closed, by whomever; then the task is over, too."""
    if pull.merged:
        arrived(factory, record, pull)
    elif not pull.open:
        delivery.closed(factory, record, pull)
    return not pull.open


def told(pull: PullRequest, what: str) -> str:
    return f"pull request #{pull.number}: {what}"


def weigh(factory: Factory, forge: Forge, record: Record, pull: PullRequest) -> None:
    """The pull request is open and holds what was verified."""
    rules = forge.protection(base_of(factory))
    verdicts = last_words(forge.reviews(pull.number))
    angry = [one for one in verdicts if one.verdict == "changes" and one.trusted]
    if fresh := [one for one in angry if not answered(record, one)]:
        names = ", ".join(one.author for one in fresh)
        back(factory, record, pull, f"{names} asks for changes", letters.wanted(fresh), fresh)
        return
    needed = tuple(dict.fromkeys((*rules.checks, *factory.config.forge.checks)))
    checks = forge.checks(pull.head)
    counted = [one for one in checks if one.name in needed] if needed else list(checks)
    if red := [one for one in counted if one.standing == "red"]:
        _mend(factory, forge, record, pull, red)
        return
    if (pull.conflicted or pull.behind or rules.strict) and _renewed(factory, record, pull):
        return
    agreed = {one.author for one in verdicts if one.verdict == "approved" and one.trusted}
    approvals = agreed - {pull.author}
    waits = _waits(factory, record, needed, counted)
    waits += [f"{one.author} to look again" for one in angry]
    if len(approvals) < rules.approvals:
        waits.append(f"{rules.approvals - len(approvals)} more approvals")
    waits += ["it to leave its draft"] if pull.draft else []
    waits += ["branch protection to agree"] if pull.blocked and not waits else []
    waits += ["the forge to see whether it can be merged"] if pull.conflicted else []
    if waits:
        delivery.wait(factory, record.task_id, told(pull, f"waits for {', '.join(waits)}"))
    elif factory.config.forge.merge == "manual":
        delivery.wait(factory, record.task_id, told(pull, "green: waits for you to merge it"))
    elif not _renewed(factory, record, pull):
        merge(factory, forge, record, pull)


def last_words(reviews: Iterable[Review]) -> list[Review]:
    """Everybody's last verdict; a mere comment takes none back."""
    found: dict[str, Review] = {}
    for one in reviews:
        if one.verdict != "comment":
            found[one.author] = one
    return list(found.values())


def answered(record: Record, review: Review) -> bool:
    """Whether the agent was told of a review, and what is in review now came after it."""
    pull = pull_of(record)
    heard = (one.partition(":") for one in pull.heard)
    return any(id == str(review.id) and commit != pull.head for id, _, commit in heard)


def _waits(
    factory: Factory, record: Record, needed: Sequence[str], checks: Sequence[Check]
) -> list[str]:
    """What the checks have not said yet."""
    named = {one.name for one in checks}
    waits = [f"the check {name}" for name in needed if name not in named]
    waits += [f"the check {one.name}" for one in checks if one.standing == "pending"]
    waits += [
        f"somebody to run the check {one.name} again" for one in checks if one.standing == "held"
    ]
    if not checks and not needed and _age(pull_of(record).pushed_at) < grace(factory):
        waits.append("checks to begin")
    return waits


def grace(factory: Factory) -> float:
    return factory.config.forge.grace_seconds


def _age(at: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds()


def _mend(
    factory: Factory, forge: Forge, record: Record, pull: PullRequest, red: Sequence[Check]
) -> None:
    """Let the agent mend what it broke; what is red on the base, too, it did not break."""
    base = factory.repository.resolve(f"{record.pending}^") or ""
    before = {one.name for one in forge.checks(base) if one.standing == "red"} if base else set()
    own = [one for one in red if one.name not in before]
    if not own:
        names = ", ".join(one.name for one in red)
        delivery.wait(
            factory, record.task_id, told(pull, f"{names} is red on {base_of(factory)}, too")
        )
        return
    names = ", ".join(one.name for one in own)
    evidence = letters.red([(one, forge.evidence(one)) for one in own])
    back(factory, record, pull, f"{names} is red", evidence, ())


def back(
    factory: Factory, record: Record, pull: PullRequest, why: str, evidence: str,
    reviews: Iterable[Review],
) -> None:  # fmt: skip
    """Give a pull request back to the agent, with what speaks against it; not without end."""
    known, task = pull_of(record), factory.queue.task(record.task_id)
    returned = tuple(dict.fromkeys((*known.returned, pull.head)))
    heard = tuple(dict.fromkeys((*known.heard, *(f"{one.id}:{pull.head}" for one in reviews))))
    noted = known.model_copy(update={"returned": returned, "heard": heard})
    told_why = {"reason": why}
    factory.queue.note(
        task.task_id, "pull.returned", attempt=record.attempts, data=told_why, pull=noted
    )
    most = factory.config.forge.remediations
    if len(returned) > most:
        error = GateFailed(
            told(pull, f"{why}, after {most} remediations"),
            evidence=evidence,
            next_step=f"mend it by hand at {pull.url}, or `aifactory retry {task.task_id}`",
        )
        failing.give_up(factory, task, record.attempts, Failure.of(error, "pull request"), error)
        return
    error = GateFailed(told(pull, why), evidence=evidence)
    failing.fail(factory, task, record.attempts, "pull request", error)


def _renewed(factory: Factory, record: Record, pull: PullRequest) -> bool:
    """Whether the base moved away under what was verified: it is verified on the new one first."""
    tip = factory.remote.fetch(base_of(factory))
    if tip == factory.repository.resolve(f"{record.pending}^"):
        return False
    why = "it conflicts with" if pull.conflicted else "it was not verified on"
    reason = f"{why} {tip[:12]} of {base_of(factory)}"
    factory.queue.change(
        record.task_id,
        "pull.stale",
        attempt=record.attempts,
        data={"reason": reason},
        pull=pull_of(record).model_copy(update={"in_review": ""}),
        reason="",
    )
    return True


def merge(factory: Factory, forge: Forge, record: Record, pull: PullRequest) -> None:
    """Merge the very commit that was verified and that all checks are green on."""
    if factory.queue.records[record.task_id].state is not State.READY:
        return  # cancelled while the forge was asked
    known = pull_of(record).model_copy(update={"merging": pull.head})
    intended = {"commit": pull.head}
    factory.queue.note(
        record.task_id, "pull.merging", attempt=record.attempts, data=intended, pull=known
    )
    failpoints.hit("pull.merging")
    subject, body = subject_and_body(factory, record)
    method = factory.config.forge.method
    forge.merge(pull.number, pull.head, method, f"{subject} (#{pull.number})", body)
    failpoints.hit("pull.merged")
    arrived(factory, record, forge.pull(pull.number))


def arrived(factory: Factory, record: Record, pull: PullRequest) -> None:
    """It is merged: the local target follows, and the task is done."""
    tip = factory.remote.fetch(base_of(factory))
    if not pull.merged or factory.repository.object(pull.commit) is None:
        delivery.wait(factory, record.task_id, told(pull, "waits for the forge to show the merge"))
        return
    if why := follow(factory, record, tip):
        delivery.wait(factory, record.task_id, told(pull, f"merged; {why}"))
        return
    failpoints.hit("pull.followed")
    repository = factory.repository
    if repository.tree_of(pull.commit) != repository.tree_of(record.pending or ""):
        data = {"commit": pull.commit, "reason": "the base moved, or somebody changed the branch"}
        factory.stream.emit("pull.differs", record.task_id, record.attempts, **data)
    delivery.landed(factory, factory.queue.task(record.task_id), pull.commit)
