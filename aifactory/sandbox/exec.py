"""One command in any directory that a user names, as a gate would run it.

The directory is copied into a workspace of the sandbox user's, which the command sees at the
directory's own path; what it changed is copied back afterwards. So the directory keeps its
owner even if this process is killed, and may lie where the sandbox user cannot go; and it is held
open meanwhile, so that nothing is written elsewhere if its path leads elsewhere. What does not
pass in either direction is said in `mirror.py`. What the spec makes readable inside it (an
environment, say) is shown and not carried. Only for an ordinary user under firejail, which then
cannot mount, the command runs in the directory itself: what would not be carried is masked, or
removed when it is new.
"""

from __future__ import annotations

import errno
import os
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from aifactory import beneath
from aifactory.errors import DiskFull, EnvironmentUnusable, InvalidInput, SandboxUnusable
from aifactory.layout import cache_home
from aifactory.model import CommandRecord
from aifactory.sandbox.cage import check_place
from aifactory.sandbox.confined import Confined
from aifactory.sandbox.maker import is_left, maker
from aifactory.sandbox.mirror import copy_back, copy_in, marks, measure, other_names, tidy, unseen
from aifactory.sandbox.owner import free_owner
from aifactory.sandbox.scratch import bounded
from aifactory.sandbox.spec import Sink, Spec


def run_in(
    sandbox: Confined, spec: Spec, sink: Sink | None = None, stop: threading.Event | None = None
) -> CommandRecord:
    """Run a spec whose workspace is any directory of the user's, and bring its changes back.

    Raises InvalidInput when there is nothing to run or no such directory, SandboxUnusable when
    the directory is too much to open, or the cage does not hold. `details["left_behind"]` names
    what was not brought back, and why.
    """
    if not spec.argv or not spec.argv[0]:
        raise InvalidInput("no command was given", next_step="put it behind `--`")
    if not spec.workspace.is_dir():
        raise InvalidInput(f"{spec.workspace} is not a directory")
    spec, stop = replace(spec, workspace=spec.workspace.resolve()), stop or threading.Event()
    check_place(spec.workspace)  # before all of it is copied
    # A thread of its own: mounts that it makes for itself are gone when it is.
    with ThreadPoolExecutor(1) as alone:
        way = _mirrored if sandbox.can_move else _in_place
        job = alone.submit(way, sandbox, spec, sink, stop)
        try:
            return job.result()
        except OSError as error:
            kind = DiskFull if error.errno == errno.ENOSPC else EnvironmentUnusable
            raise kind(f"the directory cannot be carried: {error}") from error
        except BaseException:
            stop.set()
            raise


def _mirrored(
    sandbox: Confined, spec: Spec, sink: Sink | None, stop: threading.Event
) -> CommandRecord:
    leave = _shown(spec)
    _sweep()
    with beneath.opened(spec.workspace) as fd, _place() as parent:
        directory, workspace = beneath.pinned(fd), parent / "workspace"
        workspace.mkdir(mode=0o755)
        user = free_owner()
        with bounded(workspace, spec.limits, *measure(directory, leave)) as limits:
            if user:
                os.chown(workspace, *user)
            copy_in(directory, workspace, user, leave)
            before = marks(workspace, leave)
            here = replace(spec, workspace=workspace, mounted_at=spec.workspace, limits=limits)
            record = sandbox.stream(here, stop, sink)
            left = copy_back(workspace, directory, before, leave)
    return _with_left(record, left)


@contextmanager
def _place() -> Iterator[Path]:
    """A directory for one workspace."""
    place = Path(tempfile.mkdtemp(prefix=f"exec-{maker()}-", dir=cache_home()))
    place.chmod(0o755)
    try:
        yield place
    finally:
        _cleared(place)


def _cleared(place: Path) -> None:
    """Remove it, however deep a command has dug in it."""
    with suppress(OSError):
        with beneath.opened(place) as fd:
            beneath.empty(fd)
        place.rmdir()


def _in_place(
    sandbox: Confined, spec: Spec, sink: Sink | None, stop: threading.Event
) -> CommandRecord:
    """For an ordinary user where nothing can be mounted: in the directory itself, tidied after."""
    directory, leave = spec.workspace, _shown(spec)
    if outside := other_names(directory, leave):
        raise SandboxUnusable(
            f"{outside[0]} has another name outside of {directory}, and would be written there too",
            next_step="install bubblewrap, which works on a copy, or make it a file of its own",
        )
    with beneath.opened(directory) as fd:
        held = beneath.pinned(fd)
        before, unseen_before = marks(held, leave), unseen(held)
        masked = tuple(directory / path.relative_to(held) for path in unseen_before)
        try:
            record = sandbox.stream(replace(spec, masked=masked), stop, sink)
        finally:
            left = tidy(held, before, set(unseen_before), leave)
    return _with_left(record, left)


def _with_left(record: CommandRecord, left: list[str]) -> CommandRecord:
    return record.model_copy(update={"details": {**record.details, "left_behind": left}})


def _shown(spec: Spec) -> frozenset[str]:
    """The readable trees inside the directory, by their names from its top."""
    inside = (path for path in spec.readable if path.is_relative_to(spec.workspace))
    return frozenset(str(path.relative_to(spec.workspace)) for path in inside)


def _sweep() -> None:
    """Remove what killed processes left; their mounts went with them."""
    cache_home().mkdir(parents=True, exist_ok=True)
    for left in cache_home().glob("exec-*-*"):
        if is_left(left.name.removeprefix("exec-")):
            _cleared(left)
