"""The merge queue: verified proposals one on top of the other, gated side by side, landed in order.

Every car is gated on exactly the tree that would land if all cars ahead of it land. Those that are
green up to the front land as one operation; the first red one is known, since all ahead of it are
green: it leaves, and the cars behind it are made anew. So each commit of the target is green by
itself, and a gate is waited for once, not once for each proposal.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import Self

from aifactory import car as cars
from aifactory import delivery
from aifactory.car import Car
from aifactory.enduring import of_machine
from aifactory.factory import Factory
from aifactory.landing import Landed, Waiting
from aifactory.model import Record, State
from aifactory.states import BadTransition

HELD_SECONDS = 1.0  # between two tries to land what waits for the user's files
CARS_PER_JOB = 2


class Train:
    """One thread at a time takes a step; gates run in threads of their own.

    `only` lets in no other task.
    """

    def __init__(self, factory: Factory, jobs: int, only: Collection[str] = ()) -> None:
        self._factory = factory
        self._longest = CARS_PER_JOB * jobs
        self._only = frozenset(only)
        self._cars: list[Car] = []
        self._held: dict[str, float] = {}  # task -> until when it waits
        self._seen: list[str] | None = None
        self._paused_until = 0.0  # nothing can land before
        environment = factory.config.environment
        self._locks = frozenset(environment.lock if environment.install else ())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.clear()

    # asked between two steps

    def is_due(self) -> bool:
        """Whether a step would change anything."""
        front = self._cars[0].ok if self._cars else None
        judged = front is not None and not self._is_paused
        return judged or self._seen != [record.task_id for record in self._ready()]

    @property
    def is_full(self) -> bool:
        """Whether more proposals would only grow old."""
        return len(self._cars) >= self._longest and not self._is_paused

    @property
    def _is_paused(self) -> bool:
        return time.monotonic() < self._paused_until

    def to_gate(self, busy: Collection[str]) -> Iterator[Car]:
        """Cars whose gate is to be started, the most telling first; stops those that tell nothing.

        `busy` are the tasks that something runs for.
        """
        verdicts = [car.ok for car in self._cars]
        if False in verdicts:
            for car in self._cars[verdicts.index(False) + 1 :]:
                car.stop.set()
        for at in cars.to_gate(verdicts, [car.begun for car in self._cars]):
            if self._cars[at].task_id not in busy:
                yield self._cars[at]

    # steps

    def advance(self) -> None:
        """Land what is green, let go of what is red, make the train anew behind it."""
        try:
            delivery.land_on_branches(self._factory, self._only)
            self._shed()
            self._land()
            self._let_go()
            self._couple()
        except BadTransition:
            self.clear()  # somebody cancelled a task under way: look again
        except BaseException:
            self.clear()
            raise

    def ride(self) -> None:
        """Land what can land now, with one gate after the other in this thread."""
        while self.is_due():
            self.advance()
            for car in self.to_gate(()):
                car.begin()
                car.judge(self._factory)

    def clear(self) -> None:
        """Forget the train; every proposal in it is still ready to land."""
        self._cars, gone = [], self._cars
        self._seen = None
        for car in gone:
            car.leave()

    def _ready(self) -> list[Record]:
        """What may be in the train, in the order of landing: by priority, then by age."""
        now = time.monotonic()
        self._held = {task_id: until for task_id, until in self._held.items() if until > now}
        found = self._factory.queue.in_state(State.READY)
        here = [r for r in found if not delivery.by_pull(self._factory, r.task_id)]
        free = [r for r in here if r.task_id not in self._held]
        wanted = [r for r in free if not self._only or r.task_id in self._only]
        return sorted(wanted, key=lambda r: (r.priority, r.created_at, r.task_id))

    def _shed(self) -> None:
        """Let go of cars whose task is not ready any more, or with another proposal."""
        ready = {record.task_id: record.attempts for record in self._ready()}
        for car in self._cars:
            if ready.get(car.task_id) != car.attempt:
                car.leave()
        self._cars = [car for car in self._cars if ready.get(car.task_id) == car.attempt]

    def _land(self) -> None:
        front = self._cars[: cars.green([car.ok for car in self._cars])]
        if not front or front[0].candidate.base != self._factory.tip():
            return
        for car in front:
            if not car.pending:
                delivery.verified(self._factory, car.task, car.candidate, car.result)
                car.pending = True
        outcomes = self._factory.lander.land_many([car.candidate for car in front])
        for car, outcome in zip(front, outcomes, strict=True):
            delivery.settle(self._factory, car.task, car.candidate, outcome)
            if isinstance(outcome, Landed):
                self._part(car)
            elif isinstance(outcome, Waiting) and outcome.paths:
                self._held[car.task_id] = time.monotonic() + HELD_SECONDS
                self._part(car)
                return  # those behind it are made anew without it
            elif isinstance(outcome, Waiting):
                self._pause(outcome.reason)
                return

    def _pause(self, reason: str) -> None:
        """Nothing at all can land for now."""
        self._paused_until = time.monotonic() + HELD_SECONDS
        for record in self._ready():
            delivery.wait(self._factory, record.task_id, reason)

    def _let_go(self) -> None:
        """The front car stands on what has landed: when it is red, it is the one to blame."""
        car = self._cars[0] if self._cars else None
        if car is None or car.ok is not False or car.candidate.base != self._factory.tip():
            return
        assert car.error
        delivery.refused(self._factory, car.task, car.error)
        self._part(car)

    def _part(self, car: Car) -> None:
        self._cars.remove(car)
        car.leave()

    def _couple(self) -> None:
        """Keep the cars that still stand on the one ahead, make the others anew."""
        old, self._cars = self._cars, []
        last = max((at for at, car in enumerate(old) if car.begun), default=-1)
        places = {car.task_id: at for at, car in enumerate(old[: last + 1])}
        ready = sorted(self._ready(), key=lambda r: places.get(r.task_id, len(places)))
        try:
            for car in islice(self._coupled(ready, old), self._longest):
                self._cars.append(car)
        finally:
            for car in old:
                if car not in self._cars:
                    car.leave()
        self._seen = [record.task_id for record in self._ready()]

    def _coupled(self, ready: Sequence[Record], old: Sequence[Car]) -> Iterator[Car]:
        known = {car.task_id: car for car in old}
        ahead, base = None, self._factory.tip()
        for record in ready:
            car = known.get(record.task_id)
            if car is None or car.candidate.base != base:
                car = self._made(record, ahead, base)
            if car:
                yield car
                ahead, base = car, car.candidate.commit
                if not self._locks.isdisjoint(car.candidate.changed):
                    return  # what those behind it need is installed when it has landed

    def _made(self, record: Record, ahead: Car | None, base: str) -> Car | None:
        """None where the proposal cannot follow the car ahead: it comes again when that is gone."""
        try:
            return cars.made(self._factory, record, ahead, base)
        except Exception as error:
            if trouble := of_machine(error):
                raise trouble from error
            blame = error if ahead is None else cars.is_stale(self._factory, record)
            if blame:
                delivery.refused(self._factory, self._factory.queue.task(record.task_id), blame)
        return None
