"""What the machine lacks stops no daemon: it is told, waited for, and what was lost is looked at.

A full disk or a Git command that was killed makes trouble, and nothing is taken up until it is
over. After a failed fsync nobody knows what the disk holds, so the process ends at once and the
next start reads it (study: durability, sections 1 and 4.4).
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from aifactory.errors import AifactoryError, DiskFull, EnvironmentUnusable
from aifactory.factory import Factory, Trouble
from aifactory.files import SyncFailed
from aifactory.states import BadTransition

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
MACHINE = (*FULL, errno.EIO, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN)


def of_machine(error: BaseException) -> EnvironmentUnusable | None:
    """The error as trouble of the machine's, or None where it is something else."""
    if isinstance(error, EnvironmentUnusable):
        return error
    if not isinstance(error, OSError) or error.errno not in MACHINE:
        return None
    kind = DiskFull if error.errno in FULL else EnvironmentUnusable
    return kind(f"{error.strerror}: {error.filename or 'no file is named'}")


@contextmanager
def naming_trouble() -> Iterator[None]:
    """Raise trouble of the machine's by its own class."""
    try:
        yield
    except OSError as error:
        if trouble := of_machine(error):
            raise trouble from error
        raise


@contextmanager
def enduring(factory: Factory, end: Callable[[SyncFailed], None] | None = None) -> Iterator[None]:
    """Trouble of the machine's in the block is told and kept; everything else goes its way."""
    try:
        yield
    except SyncFailed as error:
        (end or end_at_once)(error)
        raise
    except (EnvironmentUnusable, OSError) as error:
        trouble = of_machine(error)
        if trouble is None:
            raise
        pause(factory, trouble)


def pause(factory: Factory, error: AifactoryError) -> None:
    """Take no work for a while; told once for as long as the reason is the same."""
    before = factory.trouble
    factory.trouble = Trouble(error)
    if before is None or before.error.message != error.message:
        factory.stream.emit("daemon.paused", problems=error.message, next_step=error.next_step)


@contextmanager
def in_thread(factory: Factory, task_id: str) -> Iterator[None]:
    """The same around the work on one task; what came too late for a closed task is dropped."""
    try:
        with enduring(factory):
            yield
    except BadTransition:
        record = factory.queue.record(task_id)
        if record is None or not record.state.closed:
            raise
    except Exception as error:
        pause(factory, factory.defect(error))


def end_at_once(error: SyncFailed) -> None:
    """Leave without another word to the disk: no clean-up, no other thread goes on."""
    sys.stderr.write(f"error: {error.message}\nnext: {error.next_step}\n")
    sys.stderr.flush()
    os._exit(error.exit_code)
