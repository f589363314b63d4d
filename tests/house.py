"""A factory for tests: real Git, real files, a scripted model and a scripted sandbox."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from aifactory import lifecycle, wishes
from aifactory.errors import AifactoryError, Bug
from aifactory.factory import Factory
from aifactory.model import Answer, Event, State
from aifactory.models import FakeModel, Request, Terms
from aifactory.models.persistence import PLAIN
from aifactory.opening import Options, open_factory
from aifactory.sandbox import FakeSandbox
from aifactory.train import Train
from tests.conftest import Checkout


def whole(**files: str) -> str:
    """An answer of whole files; `a_py` stands for `a.py`."""
    named = {name.replace("_", "."): text for name, text in files.items()}
    return "\n".join(f"```text:{name}\n{text}```" for name, text in named.items())


class Direct:
    """Hands a request to a fake model, once, with the witness told as the gateway tells it."""

    def __init__(self, model: FakeModel) -> None:
        self.model = model

    def check(self, model: str, api_base: str | None) -> None:
        """A fake can always be asked."""

    def complete(self, request: Request, terms: Terms = PLAIN) -> Answer:
        witness = terms.witness
        fitted = witness.before(dataclasses.replace(request, call_id=f"{request.call_id}.1"))
        try:
            answer = self.model.complete(fitted, terms.line)
        except AifactoryError as error:
            witness.after(fitted, error)
            raise
        witness.after(fitted, answer)
        return answer


class House:
    """One opened factory, driven step by step instead of by the daemon's loop."""

    def __init__(self, factory: Factory, model: FakeModel, sandbox: FakeSandbox) -> None:
        self.factory = factory
        self.model = model
        self.sandbox = sandbox
        self.events: list[Event] = []
        factory.stream.subscribe(self.events.append)

    def take_in(self) -> None:
        self.factory.queue.take_in()
        wishes.grant(self.factory)

    def attempt(self, task_id: str) -> State:
        """One attempt at a task that must be runnable now; gives its state afterwards."""
        assert task_id in self.factory.queue.runnable()
        lifecycle.attempt(self.factory, task_id)
        return self.state(task_id)

    def land(self, task_id: str) -> State:
        """Land a task that is ready, with nothing else in the train."""
        self.ride(Train(self.factory, jobs=1, only=[task_id]))
        return self.state(task_id)

    def ride(self, train: Train) -> None:
        """Land what can land, with one gate after the other."""
        with train:
            train.ride()

    def work(self) -> None:
        """All that a daemon would do until nothing is runnable."""
        self.take_in()
        while runnable := self.factory.queue.runnable():
            self.attempt(runnable[0])
            for record in self.factory.queue.in_state(State.READY):
                self.land(record.task_id)

    def state(self, task_id: str) -> State:
        record = self.factory.queue.record(task_id)
        assert record is not None
        return record.state

    def names(self, task_id: str) -> list[str]:
        return [event.name for event in self.events if event.task == task_id]

    def prompt(self, number: int) -> str:
        """All that the model was sent at its n-th call, from 0."""
        messages = self.model.requests[number].messages
        return "\n".join(str(message["content"]) for message in messages)


@contextmanager
def opened(
    checkout: Checkout,
    answers: Sequence[str | Answer | AifactoryError] = ("no answer",),
    results: Mapping[str, Any] | None = None,
    **flags: Any,
) -> Iterator[House]:
    """The factory of a repository, with everything real but the model and the cage."""

    def defect(error: BaseException) -> Bug:
        raise error

    settings = {
        "model.default": "fake",
        "model.api_base": "http://127.0.0.1:9/v1",
        "gate.security": "off",
        **{k.replace("__", "."): v for k, v in flags.items()},
    }
    with ExitStack() as stack:
        factory = stack.enter_context(
            open_factory(checkout.root, Options(flags=settings, defect=defect))
        )
        model, sandbox = FakeModel(answers), FakeSandbox(results or {})
        factory.models, factory.sandbox = Direct(model), lambda: sandbox
        lifecycle.resume(factory)
        yield House(factory, model, sandbox)


def drop(checkout: Checkout, task_id: str, **fields: Any) -> Path:
    """Leave a task file, complete at once."""
    document = {"task_id": task_id, "description": f"do {task_id}"} | fields
    path = checkout.root / "tasks" / f"{task_id}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(document))
    return path
