"""Opens the factory: lock, recovery, parts. What fails here fails before any work is taken."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from aifactory import config, files, forge, gate, git, landing, report, reviewers, sandbox
from aifactory.agents import Kinds
from aifactory.annals import Annals
from aifactory.chaos import weather
from aifactory.enduring import naming_trouble
from aifactory.environments import Environments
from aifactory.errors import AifactoryError, Bug, LockHeld, SandboxUnusable
from aifactory.events import Reader, Stream
from aifactory.factory import Factory, Once
from aifactory.flakes import Flakes
from aifactory.git import Repository
from aifactory.journal import Journal
from aifactory.layout import Layout
from aifactory.ledger import Ledger
from aifactory.model import now
from aifactory.models import Gateway
from aifactory.prompts import Prompts, committed
from aifactory.pulse import holder, signature
from aifactory.purse import Paid, Purse
from aifactory.queue import Queue
from aifactory.rooms import tell_cut
from aifactory.workspace import Workspaces

PATIENCE_ONCE = 0  # more rounds of tries, each of minutes, when nobody waits for better times


@dataclass(frozen=True)
class Options:
    """How a run was asked for. `flags` are settings given on the command line."""

    once: bool = False
    unattended: bool = False  # goes on when nobody waits for its end
    readers: tuple[Reader, ...] = ()
    flags: Mapping[str, Any] = field(default_factory=dict)
    defect: Callable[[BaseException], AifactoryError] = lambda error: Bug(repr(error))
    chaos: int | None = None  # the seed of trouble made on purpose
    model: str | None = None  # answers in place of every other
    fork_of: Layout | None = None  # the repository whose day pays for what is spent


@contextmanager
def open_factory(root: Path, options: Options) -> Iterator[Factory]:
    """The parts of a run, under the daemon's lock, recovered from whatever the last run left."""
    with naming_trouble(), ExitStack() as stack:
        repository = git.discover(root)
        stack.callback(repository.close)
        layout = Layout(repository.root, repository.git_dir)
        settings = config.load(repository.root, flags=options.flags, environ=os.environ)
        lock(layout, stack)
        stream = Stream()
        for reader in options.readers:
            stream.subscribe(reader)
        stream.emit("daemon.started", pid=os.getpid(), root=str(repository.root))
        stack.callback(stream.emit, "daemon.stopped")
        factory = assemble(repository, layout, settings, stream, options, stack)
        yield factory


def lock(layout: Layout, stack: ExitStack) -> None:
    for folder in (layout.tasks, layout.state, layout.requests):
        files.make_dir(folder)
    held = files.Lock(layout.lock)
    try:
        held.acquire(signature(""))
    except LockHeld as error:
        raise refusal(layout, error) from None
    stack.callback(held.release)


def refusal(layout: Layout, error: LockHeld) -> LockHeld:
    """Why a second daemon does not start, by name."""
    pid, stopped = holder(layout.lock.read_text(errors="replace"))
    if not stopped:
        return error
    return LockHeld(
        f"{error.message}; that process is stopped",
        next_step=f"`kill -CONT {pid}` lets it go on, `kill -KILL {pid}` ends it without harm",
    )


def assemble(
    repository: Repository,
    layout: Layout,
    settings: config.Config,
    stream: Stream,
    options: Options,
    stack: ExitStack,
) -> Factory:
    earlier = partial(committed, repository)
    prompts = Prompts(layout, lambda name, why: told(stream, name, why), earlier)
    reviewers.check(settings, prompts)
    ledger = Ledger(repository)
    stream.subscribe(ledger.note)
    journal = stack.enter_context(Journal(layout.journal))
    around = weather(options.chaos, journal.epoch, stream)
    around.begin()
    tell_recovered(stream, landing.recover(repository, layout, journal))
    target = target_of(repository, settings)
    queue = Queue(
        ledger,
        stream,
        report.markdown,
        layout,
        base=lambda: repository.tip(target) or "",
        landed=Annals(repository, target, layout.annals).commit_of,
    )
    queue.load()
    tell_cut(queue, ledger, layout)
    paying = options.fork_of or layout
    kept = paying.forks / f"{stream.run}.json" if options.fork_of else layout.budgets
    purse = Purse(kept, lambda: paid(queue), lambda: paying.purses)
    purse.settle(ledger.artifact)
    purse.tidy(stream.run, queue.records)
    prices = settings.model.prices
    models = stack.enter_context(Gateway(repository.root, prices=prices, through=around.model))
    pick = partial(cage_of, settings, options)
    if options.unattended:
        pick()  # better no daemon than one that takes no work
    cage = Once(around.sandbox(pick))
    remote = forge.remote_of(repository, settings, os.environ)
    workspaces = Workspaces(repository, layout, sandbox.owner)
    stack.callback(workspaces.close)
    return Factory(
        repository=repository,
        layout=layout,
        config=settings,
        stream=stream,
        ledger=ledger,
        queue=queue,
        kinds=Kinds.of(settings.agents, repository.root),
        prompts=prompts,
        models=models,
        purse=purse,
        flakes=Flakes(repository),
        sandbox=cage,
        workspaces=workspaces,
        lander=landing.Lander(repository, layout, journal),
        target=target,
        environments=Environments(layout, cage),
        forge=Once(lambda: forge.connected(settings, remote.url, os.environ)),
        remote=remote,
        python=gate.interpreter(settings.environment.python, repository.root),
        defect=options.defect,
        model=options.model,
        patience=PATIENCE_ONCE if options.once else None,
    )


def paid(queue: Queue) -> Paid:
    """What every task of the ledger cost; what is known of an open one is newer."""
    opened = {task_id: record.payments for task_id, record in queue.records.items()}
    return {one.task_id: one.payments for one in queue.closed()} | opened


def cage_of(settings: config.Config, options: Options) -> sandbox.Sandbox:
    """The cage for the work; unattended, a weak one only where the owner accepts it."""
    if not options.unattended or settings.policy.accept_weak_limits:
        return sandbox.choose_strongest(settings.sandbox.backend)
    found = sandbox.choose_strong(settings.sandbox.backend)
    if watched := only_watched(settings):
        raise SandboxUnusable(watched, next_step=sandbox.STRENGTHEN)
    return found


def only_watched(settings: config.Config) -> str:
    """What the owner asks for that no kernel limits, whoever runs the daemon; "" for nothing."""
    asked = {
        "for what [gate] keep lets stay": settings.gate.keep,
        "while [environment] install runs": settings.environment.install,
    }
    found = " and ".join(when for when, wanted in asked.items() if wanted)
    return f"the disk is only watched, not limited by the kernel, {found}" if found else ""


def tell_recovered(stream: Stream, found: Iterable[landing.Recovery]) -> None:
    for one in found:
        stream.emit("daemon.recovered", one.task_id or None, what=one.what, detail=one.detail)


def told(stream: Stream, name: str, why: str) -> None:
    stream.emit("prompt.broken", agent=name, problems=why)


def target_of(repository: Repository, settings: config.Config) -> str:
    branch = settings.land.branch
    return f"refs/heads/{branch}" if branch else repository.target()


def beat(factory: Factory) -> None:
    """Leave a sign of life; lost in a crash without harm."""
    said = json.dumps({"pid": os.getpid(), "at": now(), "run": factory.stream.run})
    temporary = factory.layout.heartbeat.with_suffix(".tmp")
    with files.disk_errors(str(factory.layout.heartbeat)):
        temporary.write_text(said)
    files.rename(temporary, factory.layout.heartbeat)
