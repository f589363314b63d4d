"""The local target branch goes where the forge's went, when nothing of the user's is in the way."""

from __future__ import annotations

from aifactory.factory import Factory
from aifactory.landing import Candidate, Landed, Waiting
from aifactory.model import Record


def follow(factory: Factory, record: Record, tip: str) -> str:
    """Move the target to a commit of the remote's; gives why it cannot follow, `""` if it does.

    A target with commits of its own is left where it is: putting the two together is a person's.
    """
    repository, local = factory.repository, factory.tip()
    if not factory.config.forge.follow or tip == local:
        return ""
    if local and repository.is_ancestor(tip, local):
        return ""
    branch = factory.target.removeprefix("refs/heads/")
    if local and not repository.is_ancestor(local, tip):
        reason = f"the local {branch} has commits that the forge does not: pull or push by hand"
        factory.stream.emit("target.unfollowed", record.task_id, reason=reason)
        return ""
    match factory.lander.land(_step(factory, record, local, tip)):
        case Landed(commit):
            factory.stream.emit("target.followed", record.task_id, commit=commit)
            return ""
        case Waiting(reason):
            return f"the local {branch} cannot follow: {reason}"
    return f"the local {branch} moved meanwhile"


def _step(factory: Factory, record: Record, local: str, tip: str) -> Candidate:
    """All that lies between, as if it was one change."""
    return Candidate(
        task_id=record.task_id,
        attempt=record.attempts,
        target=factory.target,
        base=local,
        tree=factory.repository.tree_of(tip),
        commit=tip,
        changed=factory.repository.changed(local, tip),
        quarantine=factory.layout.quarantine / "none",
        repository=factory.repository,
    )
