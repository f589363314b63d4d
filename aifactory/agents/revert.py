"""An agent without a model: it takes back what one commit did, exactly or not at all."""

from __future__ import annotations

from collections.abc import Iterator

from aifactory.agents.base import FileAgent, Job
from aifactory.errors import PreconditionFailed, StaleBase
from aifactory.model import Change, Proposal, Task, sha256
from aifactory.proposals import rebase
from aifactory.tree import FILES, GitTree

NEXT_STEP = "take it back by hand, or describe a task that does"


class Revert(FileAgent):
    """The task's `inputs` name the `commit` and its `parent`, "" for the first commit."""

    def propose(self, job: Job) -> Proposal:
        told = inverse(job.task, job.tree)
        return told.model_copy(
            update={
                "attempt": job.attempt,
                "agent": self.name,
                "prompt_sha256": self.prompt.sha256,
                "summary": f"This reverts commit {job.task.inputs['commit']}.",
            }
        )


def inverse(task: Task, tree: GitTree) -> Proposal:
    """What takes the commit back on this tree, or PreconditionFailed with what is in the way."""
    commit, parent = str(task.inputs["commit"]), str(task.inputs["parent"])
    after, before = tree.at(commit), tree.at(parent)
    proposal = Proposal(
        task_id=task.task_id,
        attempt=0,
        agent="",
        base=commit,
        changes=tuple(_undone(before, after)),
    )
    try:
        return rebase(proposal, after, tree, tree.commit)
    except StaleBase as error:
        reason = f"{commit[:12]} cannot be taken back: {error.message}"
        raise PreconditionFailed(reason, next_step=NEXT_STEP) from error


def _undone(before: GitTree, after: GitTree) -> Iterator[Change]:
    for path in sorted({*before.entries, *after.entries}):
        old, new = before.entries.get(path), after.entries.get(path)
        if old == new:
            continue
        if any(entry and entry.mode not in FILES for entry in (old, new)):
            reason = f"{path} is no regular file: its change cannot be taken back here"
            raise PreconditionFailed(reason, next_step=NEXT_STEP)
        now = after.read(path)
        yield Change(
            path=path,
            content=before.read(path) if old else None,
            mode=before.mode(path),
            base_sha256=None if now is None else sha256(now),
        )
