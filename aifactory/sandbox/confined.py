"""A backend as a Sandbox: one command in one cage, and the record of it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from aifactory.errors import SandboxUnusable
from aifactory.model import CommandRecord, now
from aifactory.sandbox import bubblewrap, firejail
from aifactory.sandbox.cage import Cage, cage_for
from aifactory.sandbox.cgroups import Group, group
from aifactory.sandbox.guarded import (
    GUARD,
    LAUNCHER,
    bootstrap,
    environment,
    guard_plan,
    inner_interpreter,
    launcher_plan,
    outer_interpreter,
    parcel,
)
from aifactory.sandbox.output import Output
from aifactory.sandbox.spec import Sink, Spec
from aifactory.sandbox.supervision import Ending, Supervision, started
from aifactory.sandbox.talk import Talk


@dataclass(frozen=True)
class Confined:
    """The cage by one backend. `line(cage, kept)` is what stands before the guard: it must leave
    the descriptors `kept` open."""

    name: str
    line: Callable[[Cage, tuple[int, ...]], list[str]]
    surroundings: Callable[[], dict[str, str]]
    objection: Callable[[], str]
    brings_filter: bool
    moves: bool

    @property
    def can_move(self) -> bool:
        """Whether a workspace can be shown at another path; root's launcher always can."""
        return self.moves or os.geteuid() == 0

    def run(self, spec: Spec, stop: threading.Event | None = None) -> CommandRecord:
        """Run the command; raises SandboxUnusable when the cage did not come about."""
        return self.stream(spec, stop, None)

    def stream(self, spec: Spec, stop: threading.Event | None, sink: Sink | None) -> CommandRecord:
        """As `run`; a sink gets both streams apart while the command runs."""
        return self._caged(spec, stop, sink, None)

    def talk(self, spec: Spec, talk: Talk) -> CommandRecord:
        """As `run`, for a program that is talked with, until it ends or `talk` is closing."""
        try:
            return self._caged(spec, talk.closing, talk.hear, talk)
        finally:
            talk.ended()

    def _caged(
        self, spec: Spec, stop: threading.Event | None, sink: Sink | None, talk: Talk | None
    ) -> CommandRecord:
        if objection := self.objection():
            raise SandboxUnusable(f"{self.name}: {objection}", next_step="install bubblewrap")
        output, started_at = Output(spec.limits.output_bytes), now()
        with group(spec.limits) as made:
            cage = cage_for(spec, grouped=made is not None)
            process = self._start(spec, cage, made, talk, separate=sink is not None)
            ending = process.follow(output, spec.limits, stop, sink)
            usage = _usage(made, ending)
        self._check(ending, output)
        return _record(
            self.name, spec, output, ending, started_at, self._details(spec, cage) | usage
        )

    def _start(
        self, spec: Spec, cage: Cage, made: Group | None, talk: Talk | None, *, separate: bool
    ) -> Supervision:
        status, inner = os.pipe()
        interpreter = inner_interpreter(cage)
        source = talk.source if talk else 0
        kept = (inner, source) if talk else (inner,)
        line = [*self.line(cage, kept), *bootstrap(interpreter)]
        plan = guard_plan(spec, cage, inner, self.brings_filter) | {"source": source}
        parcels, surroundings = parcel(GUARD, interpreter, plan), self.surroundings()
        if cage.staged:
            groups = made.directories if made else []
            outer = launcher_plan(cage, line, surroundings, groups)
            parcels = parcel(LAUNCHER, outer_interpreter(), outer) + parcels
            line, surroundings = bootstrap(outer_interpreter()), {}
        try:
            process = started(line, surroundings, kept, separate=separate)
        except OSError as error:
            os.close(status)
            raise SandboxUnusable(f"{self.name} does not start: {error}") from error
        finally:
            os.close(inner)
        if cage.staged:  # so that the command may open /dev/stdout and /dev/stderr by name
            for stream in filter(None, (process.stdout, process.stderr)):
                os.fchown(stream.fileno(), cage.uid, cage.gid)
        supervision = Supervision(process, status, parcels, talk)
        if talk:
            talk.taken(supervision.order)
        return supervision

    def _details(self, spec: Spec, cage: Cage) -> dict[str, Any]:
        """For the record: who, where, with what, and how far each total holds."""
        kernel = {"memory": "cgroup", "processes": "cgroup", "disk": "filesystem"}
        other = {"memory": "watched (weak)", "processes": "rlimit", "disk": "watched (weak)"}
        limits = {k: (kernel if k in cage.enforced else other)[k] for k in kernel}
        sized = "filesystem" if self.can_move else "watched (weak)"
        return {
            "uid": cage.uid,
            "user": "own" if cage.staged else "the daemon's (weak)",
            "workspace": str(cage.source),
            "environment": sorted(environment(spec)),
            "readable": [str(path) for path in cage.trees],
            "network": "proxy" if spec.network else "none",
            "limits": limits | {"temporary": sized},
            "line": self.line(cage, (0,)),
        }

    def _check(self, ending: Ending, output: Output) -> None:
        """A cage that was not proven gives no result."""
        if "refused" in ending.status:
            raise SandboxUnusable(f"{self.name}: the guard refused: {ending.status['refused']}")
        if "ready" not in ending.status and ending.killed_by != "shutdown":
            said = " ".join(output.text.split())[-500:]
            raise SandboxUnusable(
                f"{self.name} ended with {ending.returncode} before the guard was ready: {said}"
            )


def _record(
    name: str,
    spec: Spec,
    output: Output,
    ending: Ending,
    started_at: str,
    details: dict[str, Any],
) -> CommandRecord:
    return CommandRecord(
        argv=spec.argv,
        backend=name,
        started_at=started_at,
        seconds=round(ending.seconds, 4),
        exit_code=_number(ending.status.get("exit")),
        signal=_number(ending.status.get("signal", None if "exit" in ending.status else "9")),
        timed_out=ending.killed_by == "deadline",
        killed_by=ending.killed_by,
        output=output.text,
        output_bytes=output.bytes_seen,
        output_sha256=output.sha256,
        details=details,
    )


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)


def _usage(made: Group | None, ending: Ending) -> dict[str, Any]:
    """What the groups saw; also settles whether memory was the end of it."""
    guard = {"guard": ending.status.get("ready", "")}
    if made is None:
        return guard
    if made.out_of_memory() and ending.status.get("exit") != "0":
        ending.killed_by = "memory" if ending.killed_by == "none" else ending.killed_by
    return {**guard, "peak_memory": made.peak_memory(), "survivors": made.settle()}


def _backend(name: str, module: ModuleType, *, brings_filter: bool) -> Confined:
    """A backend is a module with a line, the surroundings of its program, and an objection."""
    known = (module.line, module.surroundings, module.objection)
    return Confined(name, *known, brings_filter, module.MOVES)


FIREJAIL = _backend("firejail", firejail, brings_filter=True)
BUBBLEWRAP = _backend("bubblewrap", bubblewrap, brings_filter=False)
BACKENDS = (FIREJAIL, BUBBLEWRAP)
