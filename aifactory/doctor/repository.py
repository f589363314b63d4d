"""The repository, its owner, its settings, and the daemon that works on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from aifactory import forge as forges
from aifactory import journal
from aifactory.doctor.ground import FAIL, OK, WARN, Finding, Ground
from aifactory.git import identity as known
from aifactory.pulse import pulse


def repository(ground: Ground) -> Iterator[Finding]:
    repository = ground.repository
    branch = ground.config.land.branch or repository.target().removeprefix("refs/heads/")
    yield Finding("repository", OK, f"{repository.root}, lands on {branch}")
    for name in ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply"):
        if (repository.git_dir / name).exists():
            remedy = "finish or abort it: work cannot reach the checkout until then"
            yield Finding("checkout", WARN, f"in the middle of something: {name}", remedy)


def identity(ground: Ground) -> Iterator[Finding]:
    if who := known(ground.repository, Path(ground.environ.get("HOME", "/"))):
        yield Finding("identity", OK, f"{who.name} <{who.email}>")
    else:
        remedy = "git config user.name NAME && git config user.email ADDRESS"
        yield Finding("identity", WARN, "Git does not know who you are", remedy)


def config(ground: Ground) -> Iterator[Finding]:
    for warning in ground.config.warnings:
        yield Finding("config", WARN, warning, "unset it or mend its name")
    if not ground.layout.config.exists():
        yield Finding("config", WARN, "there is no aifactory.toml", "`aifactory init` writes one")
    elif not ground.config.gate.commands:
        remedy = 'set [gate] commands = ["python -m pytest -q"] or what your tests are'
        yield Finding("gate", WARN, "no command says whether work is good", remedy)
    else:
        yield Finding("gate", OK, "; ".join(ground.config.gate.commands))


def daemon(ground: Ground) -> Iterator[Finding]:
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


def forge(ground: Ground) -> Iterator[Finding]:
    """Whether pull requests can be opened, where work lands by them."""
    settings = ground.config.forge
    if ground.config.land.mode != "pr":
        yield Finding("forge", OK, 'not asked: [land] mode is not "pr"')
        return
    remote = forges.remote_of(ground.repository, ground.config, ground.environ)
    connected = forges.connected(ground.config, remote.url, ground.environ)
    who = connected.check()
    branch = ground.config.land.branch or ground.repository.target().removeprefix("refs/heads/")
    if remote.tip(branch):
        yield Finding("forge", OK, f"{connected.name} as {who}")
    else:
        remedy = f"git push {settings.remote} {branch}"
        yield Finding("forge", FAIL, f"{connected.name} has no branch {branch}", remedy)
