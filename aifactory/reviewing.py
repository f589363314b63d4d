"""A second opinion: an agent of another model family reads a green change before it lands."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import Literal

from pydantic import Field, ValidationError

from aifactory.agents import Question
from aifactory.asking import Recorded
from aifactory.errors import GateBroken, GateFailed
from aifactory.factory import Factory
from aifactory.gate import GateResult
from aifactory.model import Proposal, Task, Value, Verdict

CHECK = "review"
MOST_PATCH = 200_000  # characters of a patch that a reviewer reads


class Finding(Value):
    """One thing that is wrong, where, and what to do about it."""

    severity: Literal["blocking", "major", "minor"]
    file: str
    line: int | None = None
    problem: str
    remedy: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{self.severity}: {place}: {self.problem} {self.remedy}".rstrip()


class Review(Value):
    """What the reviewer says; kept as `review-N.json` with the proposal."""

    summary: str = ""
    findings: tuple[Finding, ...] = Field(max_length=100)

    @property
    def blocking(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.severity == "blocking"]


def reviewed(
    factory: Factory, task: Task, proposal: Proposal, patch: bytes, result: GateResult,
    stop: threading.Event,
) -> GateResult:  # fmt: skip
    """The green result with the reviewer's verdict, where there is one; GateFailed if it blocks."""
    name = factory.config.gate.reviewer
    if name is None:
        return result
    review = _ask(factory, name, task, proposal, patch, stop)
    verdict = _verdict(review)
    artifact = f"review-{proposal.attempt}.json"
    factory.queue.note(
        task.task_id,
        "review.written",
        attempt=proposal.attempt,
        data={"agent": name, "blocking": len(review.blocking), "findings": len(review.findings)},
        artifacts={artifact: review.model_dump_json(indent=1).encode() + b"\n"},
    )
    whole = replace(result, verdicts=(*result.verdicts, verdict))
    if not verdict.ok:
        error = GateFailed(whole.message, evidence=whole.evidence())
        error.verdicts, error.commands = whole.verdicts, whole.commands
        raise error
    return whole


def _verdict(review: Review) -> Verdict:
    stops = review.blocking
    return Verdict(
        check=CHECK,
        ok=not stops,
        message=f"{len(stops)} blocking of {len(review.findings)} findings",
        evidence="\n".join(map(str, stops or review.findings)),
    )


def _ask(
    factory: Factory, name: str, task: Task, proposal: Proposal, patch: bytes,
    stop: threading.Event,
) -> Review:  # fmt: skip
    agent = factory.prompts.reviewing(name)
    text = patch.decode(errors="replace")
    if len(text) > MOST_PATCH:
        raise GateBroken(
            f"the change is too long for a review: {len(text)} of {MOST_PATCH} characters",
            next_step="divide the task, or take [gate] reviewer away for it",
        )
    schema = json.dumps(Review.model_json_schema(), indent=1)
    asked = agent.render(task=task, summary=proposal.summary, patch=text, schema=schema)
    system = [{"role": "system", "content": agent.settings.system}] if agent.settings.system else []
    question = Question(
        messages=(*system, {"role": "user", "content": asked}),
        model=agent.settings.model,
        parameters=dict(agent.settings.parameters),
        prompt_sha256=agent.sha256,
        budget=agent.settings.budget,
    )
    ask = Recorded(factory, task, name, proposal.attempt, stop, purpose="review")
    return parsed(ask(question).text)


def parsed(text: str) -> Review:
    """The review in an answer, which may have words around it. GateBroken where there is none."""
    start, end = text.find("{"), text.rfind("}")
    try:
        return Review.model_validate_json(text[start : end + 1])
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the answer"
        raise GateBroken(
            f"the review cannot be read: {where}: {first['msg']}",
            next_step="mend the reviewer's prompt or model, then `aifactory retry TASK`",
            evidence=text[:2000],
        ) from error
