"""The daemon. Read from top to bottom, this page is what it does.

python -m aifactory.auto_agent [--repo DIR] [--once] [--jobs N] [--log-format console|json]
"""

from __future__ import annotations

from pathlib import Path

from aifactory import elbowroom, holds, lifecycle, pauses, preflight, wishes
from aifactory.car import Car
from aifactory.enduring import enduring
from aifactory.factory import Factory
from aifactory.inbox import Inbox
from aifactory.lookout import Lookout
from aifactory.model import State
from aifactory.opening import Options, beat, open_factory, tell_recovered
from aifactory.pulls import Pulls
from aifactory.train import Train
from aifactory.workers import Work, Workers


def run(root: Path, options: Options) -> int:
    """Work until a signal, or with `once` until nothing is runnable. Gives the exit code."""
    with open_factory(root, options) as factory:
        jobs = factory.config.run.jobs
        folders = [factory.layout.tasks, factory.layout.requests]
        probe = factory.layout.requests / ".probe"
        with (
            Train(factory, jobs) as train,
            Workers(factory, jobs) as workers,
            Inbox(folders, probe, workers.wake),
            preflight.looking(factory),
        ):
            lookout, pulls = Lookout(factory), Pulls(factory)
            lifecycle.resume(factory)
            factory.stream.emit("daemon.ready", target=factory.target, jobs=jobs)
            while not workers.stopping:
                with enduring(factory):
                    turn(factory, workers, train, lookout, pulls)
                if options.once and workers.idle and nothing_more(factory, pulls):
                    break
                workers.wait(soonest(factory.queue.next_due(), pulls.next_due()))
            workers.finish()
            factory.queue.archive()
            return 130 if workers.stopping else exit_code(factory)


def turn(factory: Factory, workers: Workers, train: Train, lookout: Lookout, pulls: Pulls) -> None:
    """Look at all that may have changed, and start what can be started."""
    beat(factory)
    factory.queue.take_in()
    wishes.grant(factory)
    holds.release(factory)
    pauses.release(factory)
    go_on_after_trouble(factory, workers)
    if factory.trouble is None:
        look_out(workers, lookout)
        start_landings(workers, train)
        start_pulls(workers, pulls)
        start_attempts(factory, workers, train)
    factory.queue.archive_when_due()
    factory.purse.tidy(factory.stream.run, factory.queue.records)


def go_on_after_trouble(factory: Factory, workers: Workers) -> None:
    """When it is over: what it cut off is brought to what Git says, and work is taken again."""
    if factory.trouble and factory.trouble.over and not workers.landing:
        if workers.idle:
            tell_recovered(factory.stream, factory.lander.recover())
        lifecycle.resume(factory, workers.busy)
        factory.trouble = None


def work_on(root: Path, task_id: str) -> None:
    """Do what was asked of a daemon that does not run, and work on this one task alone."""
    with open_factory(root, Options()) as factory, Train(factory, 1, only=[task_id]) as train:
        lifecycle.resume(factory)
        factory.queue.take_in()
        wishes.grant(factory)
        if task_id in factory.queue.runnable():
            lifecycle.attempt(factory, task_id)
        train.ride()
        bring_on(factory, Pulls(factory, only=[task_id]))
        factory.queue.archive()
        if factory.trouble:
            raise factory.trouble.error


def bring_on(factory: Factory, pulls: Pulls) -> None:
    """Take the steps that pull requests can take now."""
    while pulls.has_unseen():
        for task_id in pulls.due():
            pulls.step(factory, task_id)


def settle(root: Path) -> None:
    """Do what was asked of a daemon that does not run, then leave."""
    with open_factory(root, Options()) as factory:
        lifecycle.resume(factory)
        factory.queue.take_in()
        wishes.grant(factory)
        if leaving := [one.task_id for one in factory.queue.records.values() if one.is_leaving]:
            bring_on(factory, Pulls(factory, only=leaving))
        factory.queue.archive()


def start_landings(workers: Workers, train: Train) -> None:
    """Land what is verified on what the target holds now; gate what is to follow it."""
    if workers.landing:
        return
    if train.is_due():
        workers.land(train.advance)
        return
    for car in train.to_gate(workers.busy):
        if workers.free:
            car.begin()
            workers.start(car.task_id, gate_of(car), car.stop)


def start_pulls(workers: Workers, pulls: Pulls) -> None:
    """Bring pull requests on, as far as their forge lets us."""
    for task_id in pulls.due():
        if workers.free:
            workers.start(task_id, pulls.step)


def soonest(*waits: float | None) -> float | None:
    """The shortest of the waits that there are."""
    return min((wait for wait in waits if wait is not None), default=None)


def gate_of(car: Car) -> Work:
    return lambda factory, task_id: car.judge(factory)


def look_out(workers: Workers, lookout: Lookout) -> None:
    """Put what has landed to the owner's later checks."""
    if lookout.is_due and workers.free:
        workers.start("", lambda factory, task_id: lookout.look(), lookout.stop)


def start_attempts(factory: Factory, workers: Workers, train: Train) -> None:
    """Give the next tasks in order to free workers, unless enough waits to land."""
    runnable = [factory.queue.task(task_id) for task_id in factory.queue.runnable()]
    queued = factory.queue.in_state(State.QUEUED)
    paused = pauses.waiting(factory, queued)
    if not workers.free or train.is_full:
        return
    busy = factory.queue.in_state(State.RUNNING, State.READY)
    in_work = [factory.queue.task(record.task_id) for record in busy if not record.reason]
    late = {record.task_id for record in queued if record.is_late}
    free = [task for task in runnable if task.task_id not in paused]
    for task in elbowroom.spread(free, in_work, late):
        if workers.free:
            workers.start(task.task_id, lifecycle.attempt)


def nothing_more(factory: Factory, pulls: Pulls) -> bool:
    """Whether no task can go on without a person."""
    if factory.trouble is not None:
        return True
    if holds.due(factory):
        return False
    if pulls.has_unseen():
        return False
    if any(not record.reason for record in factory.queue.in_state(State.READY)):
        return False
    paused = pauses.waiting(factory, factory.queue.in_state(State.QUEUED))
    return not factory.queue.has_work(apart=paused)


def exit_code(factory: Factory) -> int:
    """What a script should know first: trouble, failures, limits, then what waits for a person."""
    if factory.trouble is not None:
        return factory.trouble.error.exit_code
    if factory.queue.ended_badly:
        codes = {factory.exit_codes.get(task_id, 1) for task_id in factory.queue.ended_badly}
        return 4 if codes == {4} else 1
    waits = factory.queue.in_state(
        State.AWAITING_APPROVAL,
        State.AWAITING_INPUT,
        State.READY,
        State.BLOCKED,
    )
    leaving = any(one.is_leaving for one in factory.queue.in_state(State.CANCELLED))
    limits = {factory.exit_codes.get(record.task_id) for record in waits}
    return 6 if 6 in limits else 8 if waits or leaving else 0


def main() -> int:
    """The command line of `aifactory run`."""
    import sys

    from aifactory import cli

    return cli.run(["run", *sys.argv[1:]])


if __name__ == "__main__":
    raise SystemExit(main())
