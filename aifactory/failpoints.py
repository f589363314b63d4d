"""Places where a crash, an error or a delay can be ordered by name, for tests and chaos runs.

`AIFACTORY_FAILPOINTS="landing.begun=kill,landing.file=error@2,publish.packed=delay:0.5"`: each
name is one of `POINTS`, each action one of

    kill            SIGKILL to this process
    exit            leave at once with exit code 75
    error           raise EIO
    full            raise ENOSPC
    delay:SECONDS   sleep

and `@N` waits for the N-th time that the point is reached. Without the variable nothing happens.
"""

from __future__ import annotations

import errno
import os
import signal
import time
from collections import Counter
from functools import cache

from aifactory.errors import InvalidConfig

VARIABLE = "AIFACTORY_FAILPOINTS"
POINTS = {
    "queue.told": "an event was told, its task is not saved",
    "queue.saved": "a task is saved with its event",
    "answer.given": "a model has answered, the answer is not recorded",
    "answer.recorded": "the answer lasts, nothing was made of it",
    "wish.granted": "what somebody asked for is done, the wish still lies there",
    "ledger.written": "closed tasks stand in the ledger, their own refs are still there",
    "publish.begun": "objects lie in the quarantine, the pack is not begun",
    "publish.packed": "the pack has its name, its directory is not synced",
    "publish.done": "the objects last",
    "landing.staged": "the new contents lie synced in the stage, no intent is recorded",
    "journal.written": "a record is written, not synced",
    "journal.synced": "a record lasts",
    "landing.locked": "the user's index is locked by a link of ours",
    "landing.checked": "every path was found as expected, under the lock",
    "landing.begun": "the intent lasts, nothing visible has changed but the lock",
    "landing.file": "one more path of the checkout is exchanged",
    "landing.files": "every path is exchanged and synced",
    "landing.indexed": "the new index lies in the stage",
    "landing.moved": "the target ref has moved: the commit point is passed",
    "landing.synced": "the moved ref lasts",
    "landing.index": "the new index is in place",
    "landing.ended": "the end of the operation is recorded",
    "landing.unlocked": "the user's index is free again",
    "landing.freed": "the stage is removed",
    "pull.pushing": "the push is intended, nothing is pushed",
    "pull.pushed": "the branch is pushed, nothing of that is recorded",
    "pull.opening": "the pull request is intended, it is not open",
    "pull.opened": "the pull request is open, nothing of that is recorded",
    "pull.remarked": "one more comment is posted",
    "pull.merging": "the merge is intended, nothing is merged",
    "pull.merged": "the forge has merged, nothing of that is recorded",
    "pull.closing": "closing it is intended, nothing is closed",
    "pull.explained": "why it is closed is posted, it is open",
    "pull.closed": "the pull request is closed, its branch is there",
    "pull.deleted": "the branch is deleted, nothing of that is recorded",
    "pull.followed": "the local target holds the merge, the task is not done",
    "recovery.begun": "an operation without an end was found",
    "recovery.fenced": "no process and no lock of the dead daemon is left",
    "recovery.swept": "leftovers without a record are removed",
    "rotation.written": "the new journal is written beside the old one",
    "rotation.kept": "the old journal has a second name",
    "rotation.done": "the new journal is in place",
}
ACTIONS = ("kill", "exit", "error", "full", "delay")
_reached: Counter[str] = Counter()


def hit(name: str) -> None:
    """Do what was ordered for this point, if anything was."""
    order = ordered(os.environ.get(VARIABLE, "")).get(name)
    if order:
        _reached[name] += 1
        if order[1] in (0, _reached[name]):
            act(name, order[0])


def reset() -> None:
    """Count the times that points are reached from the beginning again."""
    _reached.clear()


@cache
def ordered(text: str) -> dict[str, tuple[str, int]]:
    """Point -> (action, which time; 0 = every time). InvalidConfig for what is not known."""
    orders = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, _, action = item.partition("=")
        action, _, turn = action.partition("@")
        if name not in POINTS or action.partition(":")[0] not in ACTIONS:
            raise InvalidConfig(
                f"{VARIABLE}: {item!r} is not <point>=<action>",
                next_step=f"points: {', '.join(POINTS)}; actions: {', '.join(ACTIONS)}",
            )
        orders[name] = (action, int(turn or 0))
    return orders


def act(name: str, action: str) -> None:
    verb, _, amount = action.partition(":")
    if verb == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if verb == "exit":
        os._exit(75)
    if verb == "delay":
        time.sleep(float(amount or 1))
    if verb in ("error", "full"):
        code = errno.EIO if verb == "error" else errno.ENOSPC
        raise OSError(code, os.strerror(code), name)
