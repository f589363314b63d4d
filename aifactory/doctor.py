"""Whether everything is there that the work needs; each finding that is not good has a remedy."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from aifactory import config as configuration
from aifactory import forge, journal
from aifactory.errors import AifactoryError
from aifactory.files import make_dir
from aifactory.git import Remote, Repository, discover, identity
from aifactory.layout import Layout, cache_home
from aifactory.models import keys
from aifactory.models.remote import reach
from aifactory.models.request import SCRIPTED
from aifactory.pulse import pulse

if TYPE_CHECKING:
    from aifactory.model import CommandRecord
    from aifactory.sandbox.confined import Confined

Level = Literal["ok", "warn", "fail"]
OK: Final = "ok"
WARN: Final = "warn"
FAIL: Final = "fail"
OLDEST_GIT = (2, 31)  # `rev-parse --path-format`
DURABLE_GIT = (2, 36)  # `core.fsync`
LEAST_BYTES, FEW_BYTES = 200 << 20, 2 << 30
MIB = 1 << 20
PROBE_SLOT = 62  # of the sandbox's users: the last but one, so that it is no worker's


@dataclass(frozen=True)
class Finding:
    """What one look found; `remedy` says what to do about it."""

    name: str
    level: Level
    message: str
    remedy: str = ""


@dataclass
class Ground:
    """What is examined: the directory it starts from and the environment of the process."""

    start: Path
    environ: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def repository(self) -> Repository:
        return discover(self.start)

    @cached_property
    def layout(self) -> Layout:
        return Layout(self.repository.root, self.repository.git_dir)

    @cached_property
    def config(self) -> configuration.Config:
        return configuration.load(self.repository.root, environ=self.environ)


def examine(ground: Ground) -> Iterator[Finding]:
    """Every finding, as it is made. What cannot be examined is a finding too."""
    for name, look in LOOKS.items():
        try:
            yield from look(ground)
        except AifactoryError as error:
            yield Finding(name, FAIL, error.message, error.next_step)
        except OSError as error:
            yield Finding(name, FAIL, str(error), "see that this can be read and run")


def _git(ground: Ground) -> Iterator[Finding]:
    said = Repository(Path("/"), Path("/")).run("--version").decode().strip()
    found = re.search(r"(\d+)\.(\d+)", said)
    version = (int(found[1]), int(found[2])) if found else (0, 0)
    if version < OLDEST_GIT:
        yield Finding("git", FAIL, said, f"install Git {OLDEST_GIT[0]}.{OLDEST_GIT[1]} or newer")
    elif version < DURABLE_GIT:
        remedy = "install Git 2.36 or newer: only then everything is synced to the disk"
        yield Finding("git", WARN, said, remedy)
    else:
        yield Finding("git", OK, said)


def _repository(ground: Ground) -> Iterator[Finding]:
    repository = ground.repository
    branch = ground.config.land.branch or repository.target().removeprefix("refs/heads/")
    yield Finding("repository", OK, f"{repository.root}, lands on {branch}")
    for name in ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply"):
        if (repository.git_dir / name).exists():
            remedy = "finish or abort it: work cannot reach the checkout until then"
            yield Finding("checkout", WARN, f"in the middle of something: {name}", remedy)


def _identity(ground: Ground) -> Iterator[Finding]:
    if who := identity(ground.repository, Path(ground.environ.get("HOME", "/"))):
        yield Finding("identity", OK, f"{who.name} <{who.email}>")
    else:
        remedy = "git config user.name NAME && git config user.email ADDRESS"
        yield Finding("identity", WARN, "Git does not know who you are", remedy)


def _config(ground: Ground) -> Iterator[Finding]:
    for warning in ground.config.warnings:
        yield Finding("config", WARN, warning, "unset it or mend its name")
    if not ground.layout.config.exists():
        yield Finding("config", WARN, "there is no aifactory.toml", "`aifactory init` writes one")
    elif not ground.config.gate.commands:
        remedy = 'set [gate] commands = ["python -m pytest -q"] or what your tests are'
        yield Finding("gate", WARN, "no command says whether work is good", remedy)
    else:
        yield Finding("gate", OK, "; ".join(ground.config.gate.commands))


def _sandbox(ground: Ground) -> Iterator[Finding]:
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
        yield from _interpreter(ground, cage)


def _interpreter(ground: Ground, cage: Confined) -> Iterator[Finding]:
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
        yield _limits(record, weak=bool(sandbox.weakness(cage)))
    else:
        said = record.output.strip() or record.denied or f"exit code {record.exit_code}"
        remedy = "set [environment] python to one that others may read"
        yield Finding("python", FAIL, f"{python} does not work in the sandbox: {said}", remedy)


def _limits(record: CommandRecord, *, weak: bool) -> Finding:
    """What holds the totals of a command, as its record says."""
    held = ", ".join(f"{name}: {how}" for name, how in record.details["limits"].items())
    if weak:
        return Finding("limits", WARN, f"{held}; accepted", "install bubblewrap: it can limit more")
    return Finding("limits", OK, held)


def _model(ground: Ground) -> Iterator[Finding]:
    model = ground.config.model.default
    if model is None:
        remedy = "set [model] default or AIFACTORY_MODEL"
        yield Finding("model", FAIL, "no model is configured", remedy)
        return
    if model.startswith(SCRIPTED):
        rest = model.removeprefix(SCRIPTED)
        there = (ground.layout.root / rest).is_file()
        if there:
            yield Finding("model", OK, f"answers come from the file {rest}")
        else:
            yield Finding("model", FAIL, f"{model}: there is no {rest}", "write that file")
        return
    yield from _remote(ground, model)


def _remote(ground: Ground, model: str) -> Iterator[Finding]:
    """Whether a model of a provider can be asked, as far as that shows without a call."""
    base = ground.config.model.api_base
    names = keys.missing(model, base, ground.environ)
    if names:
        level: Level = FAIL if keys.known(model) else WARN
        yield Finding(
            "model", level, f"{model}: no key in {' or '.join(names)}", f"export {names[0]}=..."
        )
        return
    if base is not None:
        reach(base)
    with_key = keys.found(model, ground.environ)
    how = f"key in {with_key}" if with_key else f"at {base or 'a local server'}, no key set"
    yield Finding("model", OK, f"{model}, {how} (not called)")


def _agents(ground: Ground) -> Iterator[Finding]:
    from aifactory.prompts import Prompts

    prompts = Prompts(ground.layout)
    names = prompts.names()
    for name in names:
        try:
            prompts.load(name)
        except AifactoryError as error:
            yield Finding("agents", FAIL, error.message, error.next_step)
    default = ground.config.agents.default
    prompts.load(default)
    yield Finding("agents", OK, f"{', '.join(names)}; {default} by default")


def _forge(ground: Ground) -> Iterator[Finding]:
    """Whether pull requests can be opened, where work lands by them."""
    settings = ground.config.forge
    if ground.config.land.mode != "pr":
        yield Finding("forge", OK, 'not asked: [land] mode is not "pr"')
        return
    token = ground.environ.get(settings.token, "").strip()
    remote = Remote(ground.repository, settings.remote, token)
    connected = forge.connected(settings, remote.url, ground.environ)
    who = connected.check()
    branch = ground.config.land.branch or ground.repository.target().removeprefix("refs/heads/")
    if remote.tip(branch):
        yield Finding("forge", OK, f"{connected.name} as {who}")
    else:
        remedy = f"git push {settings.remote} {branch}"
        yield Finding("forge", FAIL, f"{connected.name} has no branch {branch}", remedy)


def _disk(ground: Ground) -> Iterator[Finding]:
    for name, path in (("disk", ground.repository.git_dir), ("cache", ground.layout.cache)):
        path = next(parent for parent in (path, *path.parents) if parent.exists())
        free = shutil.disk_usage(path).free
        level: Level = FAIL if free < LEAST_BYTES else WARN if free < FEW_BYTES else OK
        remedy = "" if level == OK else "free some space"
        yield Finding(name, level, f"{free // MIB} MiB free at {path}", remedy)


def _clock(ground: Ground) -> Iterator[Finding]:
    said = ground.repository.run("log", "-1", "--format=%ct", "--all", ok=(0, 128)).decode().strip()
    ahead = int(said or 0) - time.time()
    if ahead > 60:
        yield Finding("clock", WARN, f"{ahead:.0f} s behind the newest commit", "set the clock")
    else:
        yield Finding("clock", OK, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))


def _daemon(ground: Ground) -> Iterator[Finding]:
    daemon = pulse(ground.layout)
    if daemon.running:
        yield Finding("daemon", OK, f"runs, process {daemon.pid}, last sign {daemon.heartbeat}")
        return
    held = journal.read(ground.layout.journal)
    if held.pending or held.torn:
        remedy = "`aifactory recover`, or start the daemon: it recovers by itself"
        yield Finding("daemon", WARN, "an earlier one was cut off while landing", remedy)
    else:
        yield Finding("daemon", OK, "none runs; `aifactory run` starts one")


LOOKS: Mapping[str, Callable[[Ground], Iterator[Finding]]] = {
    "git": _git,
    "repository": _repository,
    "identity": _identity,
    "config": _config,
    "sandbox": _sandbox,
    "model": _model,
    "agents": _agents,
    "forge": _forge,
    "disk": _disk,
    "clock": _clock,
    "daemon": _daemon,
}
