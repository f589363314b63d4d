"""From a proposal to a verified candidate: the tree is computed first, then judged in the cage."""

from __future__ import annotations

import json
import re
import threading
import time
from dataclasses import replace

from aifactory import gate, landing, policy, proposals, rooms, rulings, signing
from aifactory.agents import Agent
from aifactory.config import Config
from aifactory.errors import ScopeViolation
from aifactory.factory import Factory
from aifactory.gate import GateResult
from aifactory.git import Repository
from aifactory.leaks import leaks
from aifactory.ledger import WRITER
from aifactory.model import Proposal, Record, Task
from aifactory.narration import one_line, printable
from aifactory.redaction import masked
from aifactory.settings import Policy
from aifactory.tree import GitTree


def check_scope(factory: Factory, task: Task, agent: Agent, proposal: Proposal) -> None:
    """Refuse a change outside what task, agent and owner allow, before anything is written."""
    tree = GitTree(factory.repository, proposal.base)
    policy.check(
        task,
        proposal.changes,
        base_paths={path: entry.mode for path, entry in tree.entries.items()},
        policy=guarded(factory.config),
        gate_commands=factory.config.gate.commands,
        agent_scope=agent.scope,
        before=tree.read,
    )
    check_leaks(proposal, tree)


def guarded(settings: Config) -> Policy:
    """The owner's policy; what runs in the daemon itself is protected as well."""
    policy, plugins = settings.policy, settings.agents.plugins
    more = {"protected": (*policy.protected, plugins)} if plugins else {}
    return policy.model_copy(update=more)


def check_leaks(proposal: Proposal, tree: GitTree) -> None:
    """Refuse a change that writes a secret, before it is recorded anywhere."""
    if found := dict.fromkeys(leaks(proposal.changes, tree.read)):
        places = ", ".join(f"{path!r} line {line}" for path, line in found)
        raise ScopeViolation(
            f"{places}: this looks like a secret, which must never be committed",
            next_step="read it from the environment instead, or write a key no service could give",
        )


def on_tip(factory: Factory, proposal: Proposal) -> Proposal:
    """The proposal on the target as it is now; StaleBase where that changed the same places."""
    tip = factory.tip()
    if proposal.base == tip:
        return proposal
    old, new = (GitTree(factory.repository, commit) for commit in (proposal.base, tip))
    return proposals.rebase(proposal, old, new, tip)


def candidate_of(
    factory: Factory, task: Task, proposal: Proposal, repository: Repository | None = None
) -> landing.Candidate:
    """The commit that would land, built in quarantine: nothing of it is visible yet.

    `repository` has the base, where that is a candidate itself.
    """
    record = factory.queue.records[task.task_id]
    return landing.prepare(
        repository or factory.repository,
        factory.layout,
        proposal,
        target=factory.target,
        message=message_of(task, proposal, record, factory.config.land.co_author),
        author=signing.identity_of(proposal.agent),
        committer=WRITER,
        at=int(time.time()),
        sign=signing.signer(factory.config.land, proposal.agent),
    )


TRAILER = re.compile(r"(?:Aifactory-[\w-]+|^\s*[\w-]+-by)\s*:", re.IGNORECASE)


def message_of(task: Task, proposal: Proposal, record: Record, co_author: str = "off") -> str:
    """Subject, summary and the trailers that bind the commit to what made it.

    Nothing that the task or the model wrote can pass for such a trailer.
    """
    written = one_line(task.title or task.description.strip().splitlines()[0])
    title = TRAILER.sub(lambda found: found[0].rstrip(": "), written)
    subject = title if len(title) <= 72 else title[:69].rstrip() + "..."
    trailers = {
        "Task": task.task_id,
        "Agent": proposal.agent,
        "Model": one_line(proposal.model) or "none",
        "Prompt": proposal.prompt_sha256,
        "Proposal": proposal.digest,
        "Attempt": proposal.attempt,
        "Cost": f"{record.cost_usd:.6f} USD",
    }
    lines = [f"Aifactory-{name}: {value}" for name, value in trailers.items()]
    block = "\n".join([*lines, *credit(proposal, co_author)])
    said = printable(proposal.summary).splitlines()
    told = [line for line in said if not TRAILER.search(line)]
    summary = "\n".join(told).strip()
    body = [summary] if summary and summary != subject else []
    return masked("\n\n".join([subject, *body, block]))


def credit(proposal: Proposal, co_author: str) -> list[str]:
    """The trailer that names the model beside the agent, which is the author."""
    model = re.sub("[<>]", "", one_line(proposal.model)).strip()
    if co_author == "off" or not model:
        return []
    whole = {
        "Co-authored-by": f"{model} <{signing.identity_of('noreply').email}>",
        "Assisted-by": f"{proposal.agent}:{model}",
    }
    return [f"{co_author}: {whole[co_author]}"]


def judge(
    factory: Factory, task: Task, candidate: landing.Candidate, stop: threading.Event
) -> GateResult:
    """Run the gate on exactly the tree of the candidate; a red one raises its error."""
    with factory.workspaces.lease() as workspace:
        room = rooms.room(
            factory,
            task,
            candidate.attempt,
            candidate.base,
            workspace,
            candidate.repository,
            candidate.tree,
            stop=stop,
        )
        before = candidate.repository.tree_of(candidate.base)
        ignored = rulings.ignored(factory, task, candidate)
        suspected = tuple(rulings.found_before(factory, task.task_id))
        unseen = factory.config.gate.held_out  # in no room but this one
        room = replace(room, ignored=ignored, suspected=suspected)
        result = gate.run(replace(room, base=before, held_out=unseen))
    data = {"ok": result.ok, "tree": candidate.tree, "commit": candidate.commit}
    factory.stream.emit("gate.finished", task.task_id, candidate.attempt, **data)
    if error := rulings.error_of(factory, task, candidate, result):
        raise error
    return result


def gate_artifacts(number: int, result: GateResult) -> dict[str, bytes]:
    verdicts = [verdict.model_dump() for verdict in result.verdicts]
    records = [command.model_dump() for command in result.commands]
    shown = {"ok": result.ok, "failure": None, "evidence": "", "verdicts": verdicts}
    return {
        f"gate-{number}.json": json.dumps(shown | {"commands": records}, indent=1).encode() + b"\n",
    }


def patch_of(candidate: landing.Candidate) -> bytes:
    """The candidate's change as Git writes it."""
    repository = candidate.repository
    old = repository.tree_of(candidate.base)
    return repository.run(
        "diff-tree", "-r", "-p", "--binary", "--full-index", "--no-ext-diff", "--no-textconv",
        "--no-renames", old, candidate.tree,
    )  # fmt: skip
