"""The sandbox, and what runs in it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from aifactory.doctor.ground import FAIL, OK, WARN, Finding, Ground
from aifactory.files import make_dir
from aifactory.layout import cache_home

if TYPE_CHECKING:
    from aifactory.model import CommandRecord
    from aifactory.sandbox.confined import Confined

PROBE_SLOT = 62  # of the sandbox's users: the last but one, so that it is no worker's


def sandbox(ground: Ground) -> Iterator[Finding]:
    from aifactory import sandbox

    weak = ground.config.policy.accept_weak_limits
    choose = sandbox.choose if weak else sandbox.choose_strong
    cage = choose(ground.config.sandbox.backend)
    findings = sandbox.self_test(cage)
    for found in findings:
        if not found.ok:
            yield Finding("sandbox", FAIL, f"{found.name}: {found.detail}", found.remedy)
    if all(found.ok for found in findings):
        yield Finding("sandbox", OK, f"{cage.name} works, {len(findings)} probes passed")
        yield from interpreter(ground, cage)


def interpreter(ground: Ground, cage: Confined) -> Iterator[Finding]:
    from aifactory import gate, sandbox

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
        record = cage.run(spec)
    if record.ok:
        yield Finding("python", OK, f"{python} ({record.output.strip()}) works in the sandbox")
        yield limits(record, weak=bool(sandbox.weakness(cage)))
    else:
        said = record.output.strip() or record.denied or f"exit code {record.exit_code}"
        remedy = "set [environment] python to one that others may read"
        yield Finding("python", FAIL, f"{python} does not work in the sandbox: {said}", remedy)


def limits(record: CommandRecord, *, weak: bool) -> Finding:
    """What holds the totals of a command, as its record says."""
    held = ", ".join(f"{name}: {how}" for name, how in record.details["limits"].items())
    if weak:
        return Finding("limits", WARN, f"{held}; accepted", "install bubblewrap: it can limit more")
    return Finding("limits", OK, held)
