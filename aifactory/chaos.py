"""Trouble made on purpose, from a seed: `aifactory run --chaos SEED`.

Parts are wrapped where the run is put together; no other module knows of it. What happens is drawn
for each call from the seed, the number of this start and what the call is for, so it does not
depend on the order of threads. Crashes, errors and pauses are ordered at failpoints. A start that
kills itself is meant: start it again, with the same seed, until it ends by itself.
"""

from __future__ import annotations

import os
import random
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from aifactory import failpoints
from aifactory.errors import ModelTransient
from aifactory.events import Stream
from aifactory.model import Answer, CommandRecord
from aifactory.models import OPEN, Line, Model, Request
from aifactory.sandbox import Sandbox, Spec, Talk

KILL_SHARE = 0.6  # of the starts: one failpoint kills the process
PAUSES, ERRORS, LATEST = 3, 2, 3  # failpoints with each action; at the first to the LATEST time
COMMAND_SHARE = 0.05
FAULTS = {"busy": 0.06, "drop": 0.04, "cut": 0.05}  # of the calls of a model
# After these, what an error means is decided by the code around them, as for a real one.
ERRING = ("publish.", "landing.", "queue.", "ledger.")


@dataclass
class Chaos:
    """What one start of the daemon has to go through. `start` counts the starts."""

    seed: int
    start: int
    stream: Stream
    _counts: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def dice(self, *what: str) -> random.Random:
        """A source of luck for the n-th time of something, the same in every run of the seed."""
        name = "/".join(what)
        with self._lock:
            self._counts[name] += 1
            return random.Random(f"{self.seed}/{self.start}/{name}/{self._counts[name]}")

    def orders(self) -> str:
        """What is ordered at the failpoints in this start."""
        luck = self.dice("failpoints")
        points = sorted(failpoints.POINTS)
        erring = [point for point in points if point.startswith(ERRING)]
        chosen = dict.fromkeys(luck.sample(points, PAUSES), "delay:0.2")
        chosen |= {p: luck.choice(("error", "full")) for p in luck.sample(erring, ERRORS)}
        if luck.random() < KILL_SHARE:
            chosen[luck.choice(points)] = "kill"
        turns = {point: luck.randint(1, LATEST) for point in sorted(chosen)}
        return ",".join(f"{point}={chosen[point]}@{turns[point]}" for point in sorted(chosen))

    def begin(self) -> None:
        """Order what the failpoints do, and say so."""
        os.environ[failpoints.VARIABLE] = self.orders()
        self.stream.emit(
            "chaos.on",
            seed=self.seed,
            start=self.start,
            failpoints=os.environ[failpoints.VARIABLE],
            model=FAULTS,
            commands=COMMAND_SHARE,
        )

    def model(self, model: Model) -> Model:
        return Moody(self, model)

    def sandbox(self, choose: Callable[[], Sandbox]) -> Callable[[], Sandbox]:
        return lambda: Clumsy(self, choose())


@dataclass(frozen=True)
class Calm:
    """No chaos: every part stays as it is."""

    def begin(self) -> None:
        pass

    def model(self, model: Model) -> Model:
        return model

    def sandbox(self, choose: Callable[[], Sandbox]) -> Callable[[], Sandbox]:
        return choose


def weather(seed: int | None, start: int, stream: Stream) -> Chaos | Calm:
    """Chaos where a seed asks for it."""
    return Calm() if seed is None else Chaos(seed, start, stream)


@dataclass(frozen=True)
class Moody:
    """A model whose provider is busy, whose line drops, and whose answers are cut."""

    chaos: Chaos
    inner: Model

    def complete(self, request: Request, line: Line = OPEN) -> Answer:
        luck = self.chaos.dice("model", request.task_id)
        (fault,) = luck.choices([*FAULTS, ""], [*FAULTS.values(), 1 - sum(FAULTS.values())])
        if fault:
            self.chaos.stream.emit("chaos.model", request.task_id, fault=fault)
        if fault == "busy":
            raise ModelTransient("chaos: 503, the provider is busy", retry_after=0.2)
        answer = self.inner.complete(request, line)
        if fault == "drop":
            raise ModelTransient("chaos: the connection was reset", in_doubt=True)
        if fault == "cut":
            half = answer.text[: len(answer.text) // 2]
            return answer.model_copy(update={"text": half, "finish_reason": "length"})
        return answer


@dataclass(frozen=True)
class Clumsy:
    """A cage in which a command fails now and then without a reason."""

    chaos: Chaos
    inner: Sandbox

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def can_move(self) -> bool:
        return bool(getattr(self.inner, "can_move", False))

    def run(self, spec: Spec, stop: threading.Event | None = None) -> CommandRecord:
        record = self.inner.run(spec, stop)
        if self.chaos.dice("command", *spec.argv).random() >= COMMAND_SHARE:
            return record
        self.chaos.stream.emit("chaos.command", argv=list(spec.argv))
        said = f"{record.output}\nchaos: the command was said to fail\n"
        return record.model_copy(update={"exit_code": 1, "output": said})

    def talk(self, spec: Spec, talk: Talk) -> CommandRecord:
        return self.inner.talk(spec, talk)
