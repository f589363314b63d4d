"""One environment, built in the cage by the owner's commands: what they may read and reach.

They find the lock files of the target branch, nothing else of the repository, and leave what they
install beside them: a `.venv`, a `node_modules`. The change under test has no part in it.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from aifactory import beneath, policy
from aifactory.errors import (
    AifactoryError,
    EnvironmentUnusable,
    GateBroken,
    Interrupted,
    InvalidConfig,
)
from aifactory.model import CommandRecord
from aifactory.sandbox import (
    Internet,
    Limits,
    Network,
    Request,
    Sandbox,
    Spec,
    Toolchain,
    free_owner,
    serve,
    toolchain,
)

SCRATCH = ".tmp"  # home and temporary files meanwhile: wheels may be larger than memory
VENV, MODULES = ".venv", "node_modules"
_FORM = 1


@dataclass(frozen=True)
class Recipe:
    """What an environment is made of: the owner's commands, the lock files by path, and whose
    `python` the commands begin with. `limits` and `hosts` bound the building only."""

    commands: tuple[str, ...]
    locks: Mapping[str, bytes]
    python: Path
    hosts: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)

    @property
    def key(self) -> str:
        """The same for the same result: 20 hex digits."""
        program = self.python.resolve()
        found = program.stat()
        locks = {path: hashlib.sha256(data).hexdigest() for path, data in self.locks.items()}
        stamp = [str(self.python), str(program), found.st_size, found.st_mtime_ns]
        text = json.dumps([_FORM, self.commands, locks, stamp, os.uname().machine], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:20]


@dataclass(frozen=True)
class Watcher:
    """Whom the building is told, and what stops it."""

    on_start: Callable[[str], None] = lambda command: None
    on_command: Callable[[CommandRecord], None] = lambda record: None
    stop: threading.Event | None = None


def tools_of(place: Path, base: Path) -> Toolchain:
    """How commands use an environment, or what there is of it, on top of the base interpreter.

    Nothing that was installed is asked where it leads: a link in it opens no other tree.
    """
    below = toolchain(base)
    entries = (place / VENV / "bin", place / MODULES / ".bin")
    return Toolchain((place, *below.readable), (*map(str, entries), *below.path))


def python_of(place: Path, base: Path) -> Path:
    """The interpreter that `python` means there."""
    own = place / VENV / "bin" / "python"
    return own if os.path.lexists(own) else base


def prepare(recipe: Recipe, place: Path) -> None:
    """Make the directory with the lock files, all of it the sandbox user's."""
    place.mkdir(mode=0o755)
    place.chmod(0o755)
    (place / SCRATCH).mkdir()
    for path, data in recipe.locks.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_bytes(data)
    if user := free_owner():
        for made in (place, *place.rglob("*")):
            os.chown(made, *user)


def install(
    recipe: Recipe,
    place: Path,
    door: Path,
    sandbox: Sandbox,
    watcher: Watcher,
    network: Network | None = None,
) -> None:
    """Run the commands one after the other; `door` is an empty directory for the proxy's socket.

    Raises GateBroken when one fails, EnvironmentUnusable when a host could not be reached,
    Interrupted, SandboxUnusable.
    """
    for command in recipe.commands:
        watcher.on_start(command)
        log: list[Request] = []
        with serve(recipe.hosts, door / "proxy", log.append, network or Internet(), free_owner()):
            record = sandbox.run(spec_of(recipe, place, command, door / "proxy"), watcher.stop)
        requests = [asdict(request) for request in log]
        told = {"command": command, "stage": "install", "requests": requests}
        record = record.model_copy(update={"details": record.details | told})
        watcher.on_command(record)
        if record.killed_by == "shutdown":
            raise Interrupted(f"`{command}` was stopped")
        if not record.ok:
            error = _failure(command, record, log)
            error.commands = (record,)
            raise error


def spec_of(recipe: Recipe, place: Path, command: str, proxy: Path) -> Spec:
    """One install command in its cage. Raises InvalidConfig for one that cannot be split."""
    try:
        words = policy.split(command)
    except ValueError as error:
        raise InvalidConfig(f"[environment] install: `{command}`: {error}") from error
    if words[0] in ("python", "python3"):
        words = (str(python_of(place, recipe.python)), *words[1:])
    tools = replace(
        tools_of(place, recipe.python), readable=toolchain(recipe.python).readable
    )  # the place itself is the workspace
    scratch = str(place / SCRATCH)
    return Spec(
        argv=words,
        workspace=place,
        environment={**tools.environment, "HOME": scratch, "TMPDIR": scratch},
        readable=tools.readable,
        limits=recipe.limits,
        network=proxy,
    )


def _failure(command: str, record: CommandRecord, log: list[Request]) -> AifactoryError:
    """Whose fault it is: of a host that did not answer, or of what the owner wrote."""
    how = "took too long" if record.timed_out else f"ended with {_end(record)}"
    refused = sorted({f"{one.host}:{one.port} {one.refused}" for one in log if one.refused})
    failed = sorted({f"{one.host}:{one.port} {one.failed}" for one in log if one.failed})
    lines = [f"$ {command}", record.output[-4000:], *refused, *failed]
    told = {"evidence": "\n".join(lines)}
    message = f"the environment cannot be built: `{command}` {how}"
    if failed and not refused:
        return EnvironmentUnusable(f"{message}; {failed[0]}", **told)
    if refused:
        remedy = "name the host in [environment] hosts if it may be reached"
        return GateBroken(f"{message}; {refused[0]}", next_step=remedy, **told)
    remedy = "mend [environment] install or its lock files on the target branch"
    return GateBroken(message, next_step=remedy, **told)


def _end(record: CommandRecord) -> str:
    if record.killed_by != "none":
        return f"too much {record.killed_by}"
    if record.signal is not None:
        return f"signal {record.signal}"
    return f"exit code {record.exit_code}"


def links(place: Path, locks: Mapping[str, bytes]) -> list[str]:
    """What was installed, by the paths at which the commands of the gate shall find it."""
    folders = {"", *(folder for path in locks for folder in _above(path))}
    found = []
    with beneath.opened(place) as root:
        for folder in sorted(folders):
            with beneath.folder(root, folder) as fd:
                names = sorted(os.listdir(fd))
            paths = (f"{folder}/{name}" if folder else name for name in names)
            found += [p for p in paths if p not in locks and p not in folders and p != SCRATCH]
    return found


def _above(path: str) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        yield path
