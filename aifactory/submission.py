"""From a verified proposal to an open pull request.

Each act is recorded before it is done and looked for before it is repeated, so that a crash
anywhere leaves one branch, one pull request and each comment once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from aifactory import car as cars
from aifactory import delivery, failpoints, proposals, report
from aifactory.enduring import of_machine
from aifactory.errors import ForgeRefused
from aifactory.factory import Factory
from aifactory.following import follow
from aifactory.forge import Forge, PullRequest, Remark, letters
from aifactory.layout import TASK_REFS
from aifactory.ledger import ref_of
from aifactory.model import Pull, Record, State, Verdict, now
from aifactory.reviewing import Review
from aifactory.trailers import TASK_TRAILER


def submit(factory: Factory, forge: Forge, task_id: str) -> None:
    """Bring a ready task into review: on the forge's newest base, gated there, pushed, opened."""
    record = factory.queue.records[task_id]
    known = record.pull or Pull(branch=branch_of(factory, task_id))
    tip = factory.remote.fetch(base_of(factory))
    follow(factory, record, tip)
    if not (commit := verified_on(factory, record, tip)) or not _is_wanted(factory, task_id):
        return
    pushed(factory, task_id, known, commit)
    if not _is_wanted(factory, task_id):
        return
    pull = opened(factory, forge, task_id)
    tell(factory, forge, task_id, pull)
    settings = factory.config.forge
    if settings.draft and pull.draft and pull.open:
        forge.announce(pull)
    if not _is_wanted(factory, task_id):
        return
    factory.queue.change(
        task_id,
        "pull.opened",
        attempt=record.attempts,
        data={"number": pull.number, "url": pull.url},
        pull=pull_of(factory.queue.records[task_id]).model_copy(update={"in_review": commit}),
        reason="",
    )


def _is_wanted(factory: Factory, task_id: str) -> bool:
    """Whether nobody cancelled it meanwhile."""
    return factory.queue.records[task_id].state is State.READY


def branch_of(factory: Factory, task_id: str) -> str:
    """The same name for a task always, and one that Git takes."""
    return factory.config.forge.prefix + ref_of(task_id).removeprefix(TASK_REFS)


def base_of(factory: Factory) -> str:
    return factory.target.removeprefix("refs/heads/")


def pull_of(record: Record) -> Pull:
    assert record.pull, record.task_id
    return record.pull


def verified_on(factory: Factory, record: Record, tip: str) -> str:
    """The commit of the proposal on a tip of the base, gated there; `""` if it went back."""
    task = factory.queue.task(record.task_id)
    try:
        car = cars.made(factory, record, None, tip)
    except Exception as error:
        if trouble := of_machine(error):
            raise trouble from error
        delivery.refused(factory, task, error)
        return ""
    try:
        if car.ok is None:
            car.begin()
            car.stop = factory.stop_of(record.task_id)
            car.judge(factory)
            if car.ok:
                delivery.verified(factory, task, car.candidate, car.result)
            elif car.error:
                delivery.refused(factory, task, car.error)
        return car.candidate.commit if car.ok else ""
    finally:
        car.release()


def pushed(factory: Factory, task_id: str, known: Pull, commit: str) -> None:
    """Set our branch to a commit. One that holds somebody else's work is left alone."""
    attempt = factory.queue.records[task_id].attempts
    there = factory.remote.tip(known.branch)
    if there != commit and not is_ours(factory, task_id, known, there):
        raise ForgeRefused(
            f"the branch {known.branch} holds {there[:12]}, which is not ours",
            next_step="merge it by hand, or delete the branch there: it is pushed again then",
        )
    if there != commit:
        intended = known.model_copy(update={"pushing": commit})
        told = {"branch": known.branch, "commit": commit}
        factory.queue.note(task_id, "pull.pushing", attempt=attempt, data=told, pull=intended)
        failpoints.hit("pull.pushing")
        factory.remote.push(known.branch, commit, there)
        failpoints.hit("pull.pushed")
    if known.head != commit:
        done = {"pushing": "", "head": commit, "pushed_at": now()}
        factory.queue.note(
            task_id,
            "pull.pushed",
            attempt=attempt,
            data={"branch": known.branch, "commit": commit},
            pull=known.model_copy(update=done),
        )


def is_ours(factory: Factory, task_id: str, known: Pull, there: str) -> bool:
    """Whether what a branch holds is ours, perhaps from an earlier life of the task."""
    if there in ("", known.head, known.pushing):
        return True
    if known.head or factory.remote.fetch(known.branch) != there:
        return False
    trailer = f"--format=%(trailers:key={TASK_TRAILER},valueonly)"
    return factory.repository.run("log", "-1", trailer, there).decode().strip() == task_id


def opened(factory: Factory, forge: Forge, task_id: str) -> PullRequest:
    """The pull request of the branch: the known one, else one that is there, else a new one."""
    record = factory.queue.records[task_id]
    pull, ours = pull_of(record), _description(factory, record)
    title = _title(factory, record)
    if pull.number:
        found = forge.pull(pull.number)
    elif there := _adopted(factory, forge, record):
        found = there
    else:
        told = {"branch": pull.branch}
        factory.queue.note(task_id, "pull.opening", attempt=record.attempts, data=told)
        failpoints.hit("pull.opening")
        draft = factory.config.forge.draft
        found = forge.open(pull.branch, base_of(factory), title, ours, draft=draft)
        failpoints.hit("pull.opened")
    if pull.number != found.number:
        known = pull.model_copy(update={"number": found.number, "url": found.url})
        told = {"url": found.url}
        factory.queue.note(task_id, "pull.found", attempt=record.attempts, data=told, pull=known)
    body = letters.with_ours(found.body, ours)
    if found.open and body != found.body:
        whose = letters.mark_of(task_id) in found.body
        forge.describe(found.number, title if whose else found.title, body)
    return found


def _adopted(factory: Factory, forge: Forge, record: Record) -> PullRequest | None:
    """An open one from our branch, or one of this very commit that is over already."""
    pull, mark = pull_of(record), letters.mark_of(record.task_id)
    for found in forge.find(pull.branch):
        over = found.head == pull.head and mark in found.body
        if found.base == base_of(factory) and (found.open or over):
            return found
    return None


def tell(factory: Factory, forge: Forge, task_id: str, pull: PullRequest) -> None:
    """Post what belongs to it: comments once each, labels, and whose review is asked for."""
    record, settings = factory.queue.records[task_id], factory.config.forge
    posted = {letters.mark_in(text) for text in forge.remarks(pull.number)}
    for remark in _remarks(factory, record):
        if letters.mark_in(remark.text) not in posted:
            forge.remark(pull, remark)
            failpoints.hit("pull.remarked")
    asked = set(settings.reviewers)
    if heard := {one.partition(":")[0] for one in pull_of(record).heard}:
        asked |= {one.author for one in forge.reviews(pull.number) if str(one.id) in heard}
    try:
        if settings.labels:
            forge.label(pull.number, settings.labels)
        if asked - {pull.author}:
            forge.ask(pull.number, sorted(asked - {pull.author}))
    except ForgeRefused as error:
        factory.stream.emit("pull.unasked", task_id, problems=error.message)


def _remarks(factory: Factory, record: Record) -> Iterator[Remark]:
    """What the reviewer found in this attempt, and why there is another one."""
    before = factory.ledger.artifact(record.task_id, f"gate-{record.attempts - 1}.json")
    if before and pull_of(record).returned:
        failure = json.loads(before).get("failure") or {}
        yield letters.remark_of(
            "again", f"Attempt {record.attempts}, since: {failure.get('message', '')}"
        )
    if data := factory.ledger.artifact(record.task_id, f"review-{record.attempts}.json"):
        for one in Review.model_validate_json(data).findings:
            said = f"{one.severity}: {one.problem} {one.remedy}".strip()
            yield letters.remark_of("finding", said, one.file, one.line)


def _title(factory: Factory, record: Record) -> str:
    """The subject of the commit."""
    return subject_and_body(factory, record)[0]


def subject_and_body(factory: Factory, record: Record) -> tuple[str, str]:
    """The message of the verified commit."""
    found = factory.repository.object(record.pending or "")
    message = (found[1] if found else b"").partition(b"\n\n")[2].decode(errors="replace")
    subject, _, body = message.partition("\n")
    return subject, body.strip()


def _description(factory: Factory, record: Record) -> str:
    artifact = factory.ledger.artifact
    proposal = proposals.from_json(
        artifact(record.task_id, f"proposal-{record.attempts}.json") or b""
    )
    gate = json.loads(artifact(record.task_id, f"gate-{record.attempts}.json") or b"{}")
    verdicts = [Verdict.model_validate(one) for one in gate.get("verdicts", ())]
    told = report.markdown(record, factory.ledger.events(record.task_id), verdicts)
    return letters.description(factory.queue.task(record.task_id), record, proposal, told)
