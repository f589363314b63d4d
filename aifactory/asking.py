"""The way to a model: within the budget, recorded before the call and before the answer is used."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import asdict, dataclass, field, replace

from aifactory import accounts, failpoints, journal, purse
from aifactory.agents import Question, label
from aifactory.errors import (
    AifactoryError,
    DeadlinePassed,
    DiskFull,
    ModelPermanent,
    ModelTransient,
)
from aifactory.factory import Factory
from aifactory.model import Answer, Task
from aifactory.models import Line, Request, Terms, estimate, facts
from aifactory.models.meter import Meter
from aifactory.models.persistence import routes
from aifactory.models.retry import RetryPolicy
from aifactory.redaction import masked, masked_data


@dataclass(frozen=True)
class Recorded:
    """An `Asker` for one attempt. An answer that is recorded already is not paid for again."""

    factory: Factory
    task: Task
    agent: str
    attempt: int
    stop: threading.Event
    purpose: str = ""  # of a question beside the one for the work itself, such as `review`
    placed: set[int] = field(default_factory=set)  # steps that questions without one were given

    def part(self, step: int) -> str:
        """What the artifacts of a question are named after, and its call."""
        name = label(self.attempt, step)
        return f"{name}-{self.purpose}" if self.purpose else name

    def place(self, question: Question) -> Question:
        """A question without a step in the place of the same one before a crash, else in the next.

        What is asked again has the answer that was paid for; what was not asked has none.
        """
        history = self.factory.ledger.find(self.task.task_id)
        names = history.artifacts if history else ()
        step = 1
        while step in self.placed or f"prompt-{self.part(step)}.json" in names:
            name = f"prompt-{self.part(step)}.json"
            if step not in self.placed and self.asked(name) == question.digest:
                break
            step += 1
        self.placed.add(step)
        return replace(question, step=step)

    def asked(self, name: str) -> str:
        """The digest of a question that is recorded."""
        recorded = self.factory.ledger.artifact(self.task.task_id, name) or b"{}"
        return str(json.loads(recorded).get("digest", ""))

    def __call__(self, question: Question) -> Answer:
        question = question if question.step else self.place(question)
        stop = question.stop or self.stop
        name = f"response-{self.part(question.step)}.json"
        known = self.factory.ledger.artifact(self.task.task_id, name)
        if known is not None:
            return Answer.model_validate_json(known)
        if question.cut:
            told = {"left_out": list(question.cut)}
            self.factory.stream.emit("prompt.cut", self.task.task_id, self.attempt, **told)
        request = self.request(question)
        left = self.factory.left_of(self.task)
        terms = Terms(
            policy=RetryPolicy(seconds=min(left, RetryPolicy.seconds)),
            fallbacks=self.fallbacks(),
            witness=_Recorder(self, question, self.meter(question, request, stop)),
            waiting=self.waits,
            warming=self.warms,
            line=Line(stop=stop),
        )
        began_at = time.monotonic()
        try:
            answer = self.factory.models.complete(request, terms)
        except ModelTransient as error:
            wait = error.retry_after or RetryPolicy.first_delay
            if time.monotonic() - began_at + wait >= left:
                raise DeadlinePassed(f"no answer in the time that was left: {error}") from error
            raise
        finally:
            self.factory.purse.budgets.forget(f"call:{request.call_id}")
        calls = tuple(masked_data(answer.tool_calls))
        kept = {"text": masked(answer.text), "tool_calls": calls}  # as it is recorded
        return answer.model_copy(update=kept)

    def waits(self, seconds: float, why: str) -> None:
        self.factory.stream.emit(
            "model.waits", self.task.task_id, self.attempt, seconds=round(seconds, 1), reason=why
        )

    def warms(self) -> None:
        self.factory.stream.emit("model.warming", self.task.task_id, self.attempt)

    def request(self, question: Question) -> Request:
        settings = self.factory.config.model
        model = question.model or settings.default or self.factory.model
        if model is None:
            raise ModelPermanent(
                "no model is set: neither the agent nor [model] default names one",
                next_step='set [model] default in aifactory.toml, such as "scripted/answers.json"',
            )
        name = self.part(question.step)
        request = Request(
            call_id=f"{self.task.task_id}/{name}/{self.factory.stream.run}",
            task_id=self.task.task_id,
            model=model,
            messages=tuple(map(masked_data, question.messages)),
            parameters={**settings.parameters, **question.parameters},
            api_base=settings.api_base,
            seconds=min(settings.seconds, self.factory.left_of(self.task)),
            stall_seconds=settings.stall_seconds,
            tools=question.tools,
            turn=self.turn(),
        )
        return routes(request, [self.factory.model])[-1] if self.factory.model else request

    def fallbacks(self) -> tuple[str, ...]:
        """The models to ask when the first fails: none for a review or under one model."""
        return () if self.purpose or self.factory.model else self.factory.config.model.fallbacks

    def turn(self) -> int:
        """Which of a script's answers is meant: those for the work, or one for each attempt."""
        done = self.factory.queue.records[self.task.task_id].calls
        return self.attempt - 1 if self.purpose else done

    def meter(self, question: Question, request: Request, stop: threading.Event) -> Meter:
        config, run = self.factory.config, self.factory.stream.run
        kept = purse.limits(config, self.task, self.agent, question.budget, run)
        kept[f"call:{request.call_id}"] = config.budget.call
        return Meter(self.factory.purse.budgets, kept, config.model.prices, stop=stop)


@dataclass(frozen=True)
class _Recorder:
    """Hears of every try: the money is put aside and the intent lasts before it is sent."""

    asked: Recorded
    question: Question
    meter: Meter

    @property
    def name(self) -> str:
        return self.asked.part(self.question.step)

    def before(self, request: Request) -> Request:
        fitted = self.meter.before(request)
        try:
            self.intend(fitted)
        except AifactoryError as error:
            self.meter.after(fitted, error)
            self.asked.factory.purse.save()
            raise
        return fitted

    def intend(self, fitted: Request) -> None:
        self.asked.factory.purse.save()
        self.asked.factory.purse.budgets.confirm(self.meter.limits)
        shown = {
            "model": fitted.model,
            "parameters": dict(fitted.parameters),
            "api_base": fitted.api_base,
            "prompt_sha256": self.question.prompt_sha256,
            "messages": list(map(masked_data, self.question.new)) or list(fitted.messages),
            "tools": [tool["function"]["name"] for tool in self.question.tools],
            "left_out": list(self.question.cut),
            **({"digest": self.question.digest} if self.question.digest else {}),
        }
        self.asked.factory.queue.note(
            fitted.task_id,
            "model.called",
            attempt=self.asked.attempt,
            data={"model": fitted.model, "call": fitted.call_id},
            artifacts={f"prompt-{self.name}.json": to_json(shown)},
        )

    def after(self, request: Request, outcome: Answer | BaseException) -> None:
        try:
            if isinstance(outcome, Answer):
                failpoints.hit("answer.given")
                self.keep(outcome)
                failpoints.hit("answer.recorded")
            else:
                self.asked.factory.stream.emit(
                    "model.failed", request.task_id, self.asked.attempt, problems=str(outcome)[:500]
                )
        finally:
            self.meter.after(request, outcome)
        self.asked.factory.purse.save()
        self.warn()

    def warn(self) -> None:
        """Tell each limit once that is nearly used up."""
        for low in self.asked.factory.purse.newly_low(self.meter.limits):
            self.asked.factory.stream.emit(
                "budget.warning", self.asked.task.task_id, self.asked.attempt, **asdict(low)
            )

    def keep(self, answer: Answer) -> None:
        """Record the answer; on a full disk in the space that is held in reserve: it is paid."""
        try:
            self.record(answer)
        except DiskFull:
            journal.free_reserve(self.asked.factory.layout.journal)
            self.record(answer)

    def record(self, answer: Answer) -> None:
        task_id, attempt = self.asked.task.task_id, self.asked.attempt
        record = self.asked.factory.queue.records[task_id]
        recorded = answer.model_dump_json(indent=1).encode() + b"\n"
        self.asked.factory.queue.note(
            task_id,
            "model.answered",
            attempt=attempt,
            data={
                "model": answer.model,
                "seconds": round(answer.seconds, 3),
                "cost_usd": answer.cost_usd,
                "tokens": answer.usage.model_dump(),
                "finish_reason": answer.finish_reason,
            },
            artifacts={f"response-{self.name}.json": recorded},
            calls=record.calls + (not self.asked.purpose),
            cost_usd=record.cost_usd + answer.cost_usd,
            tokens=record.tokens + answer.usage,
            payments=accounts.paid(record.payments, self.asked.agent, answer),
        )


def room(factory: Factory, model: str | None) -> int | None:
    """The most tokens of a prompt to a model: what its window leaves beside the longest answer, at
    least half of it; None where nobody knows."""
    settings = factory.config.model
    name = factory.model or model or settings.default
    window = settings.window or (facts(name).window if name else None)
    if name is None or window is None:
        return None
    longest = estimate(Request("", "", name, (), settings.parameters)).completion
    return max(window // 2, window - longest)


def to_json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1).encode(errors="replace") + b"\n"
