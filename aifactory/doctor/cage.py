"""The sandbox, and what runs in it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from aifactory.doctor.ground import FAIL, OK, WARN, Finding, Ground
from aifactory.files import make_dir
from aifactory.layout import cache_home

if TYPE_CHECKING:
    from aifactory.model import CommandRecord
    from aifactory.sandbox import Spec
    from aifactory.sandbox.confined import Confined

PROBE_SLOT = 62  # of the sandbox's users: the last but one, so that it is no worker's


def sandbox(ground: Ground) -> Iterator[Finding]:
    from aifactory import sandbox

    cage = sandbox.choose_strongest(ground.config.sandbox.backend)
    findings = sandbox.self_test(cage)
    for found in findings:
        if not found.ok:
            yield Finding("sandbox", FAIL, f"{found.name}: {found.detail}", found.remedy)
    if all(found.ok for found in findings):
        yield Finding("sandbox", OK, f"{cage.name} works, {len(findings)} probes passed")
        yield from interpreter(ground, cage)


def interpreter(ground: Ground, cage: Confined) -> Iterator[Finding]:
    from aifactory import gate, opening, sandbox

    python = gate.interpreter(ground.config.environment.python, ground.layout.root)
    tools = sandbox.toolchain(python)
    make_dir(cache_home())
    with tempfile.TemporaryDirectory(prefix="doctor-", dir=cache_home()) as folder:
        Path(folder).chmod(0o755)
        if user := sandbox.owner(PROBE_SLOT):
            os.chown(folder, *user)
        spec = sandbox.Spec(
            argv=(str(python), "-c", "import sys; print(sys.version.split()[0])"),
            workspace=Path(folder),
            environment=tools.environment,
            readable=tools.readable,
        )
        record = as_a_gate_would(cage, spec)
    if record.ok:
        yield Finding("python", OK, f"{python} ({record.output.strip()}) works in the sandbox")
        weak = filter(None, (sandbox.weakness(cage), opening.only_watched(ground.config)))
        accepted = ground.config.policy.accept_weak_limits
        yield limits(record, "; ".join(weak), accepted=accepted)
    else:
        said = record.output.strip() or record.denied or f"exit code {record.exit_code}"
        remedy = "set [environment] python to one that others may read"
        yield Finding("python", FAIL, f"{python} does not work in the sandbox: {said}", remedy)


def as_a_gate_would(cage: Confined, spec: Spec) -> CommandRecord:
    """Run a command on a layer of fixed size, where one can be had."""
    from aifactory.sandbox import layered

    def laid() -> CommandRecord:
        with layered(spec.workspace, spec.limits) as bounds:
            return cage.run(replace(spec, limits=bounds or spec.limits))

    with ThreadPoolExecutor(1) as alone:  # a layer is for the thread that lays it
        return alone.submit(laid).result()


def limits(record: CommandRecord, weak: str, *, accepted: bool) -> Finding:
    """What holds the totals of a command, as its record says, and whether that will do."""
    held = ", ".join(f"{name}: {how}" for name, how in record.details["limits"].items())
    if not weak:
        return Finding("limits", OK, held)
    if accepted:
        return Finding("limits", WARN, f"{held}; {weak}; accepted", "nothing, if that will do")
    remedy = "[policy] accept_weak_limits = true accepts it; until then only `run --once` works"
    return Finding("limits", WARN, f"{held}; {weak}: no unattended daemon starts", remedy)
