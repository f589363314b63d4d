"""Events as sentences for people. Unknown names and data stay readable."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from aifactory.model import Event, State

WORDS = {
    "daemon.started": "the daemon starts",
    "daemon.ready": "the daemon is ready",
    "daemon.stopped": "the daemon stopped",
    "daemon.recovered": "put right after a crash",
    "daemon.paused": "no work is taken for now",
    "chaos.on": "trouble is made on purpose",
    "chaos.model": "chaos: a call is made to fail",
    "chaos.command": "chaos: a command is made to fail",
    "agent.paused": "an agent pauses",
    "agent.resumed": "an agent goes on",
    "prompt.cut": "the prompt is cut to fit the model",
    "model.checked": "the model can be asked",
    "model.unusable": "the model cannot be asked",
    "budget.warning": "a budget is nearly used up",
    "budget.freed": "money in doubt was freed",
    "request.refused": "what was asked cannot be done",
    "prompt.broken": "an agent's file does not load",
    "task.accepted": "taken in",
    "task.refused": "refused",
    "task.blocked": "blocked",
    "task.unblocked": "may start",
    "task.failed": "failed",
    "task.landed": "landed",
    "task.cancelled": "cancelled",
    "task.retried": "is tried again",
    "task.reverted": "was taken back",
    "task.scheduled": "is due again",
    "task.withdrawn": "its file is gone",
    "attempt.started": "the attempt starts",
    "attempt.failed": "the attempt failed",
    "attempt.ended": "the attempt ends",
    "attempt.interrupted": "the attempt was interrupted",
    "model.called": "asks the model",
    "model.warming": "waits until LiteLLM is imported, once in a run",
    "model.waits": "waits before it asks the model again",
    "model.failed": "the model did not answer",
    "model.answered": "the model answered",
    "work.done": "worked in the workspace",
    "proposal.written": "the proposal is written",
    "proposal.verified": "the proposal is verified",
    "proposal.approved": "approved",
    "proposal.rejected": "rejected",
    "proposal.stale": "the target moved: the proposal is out of date",
    "approval.requested": "waits for approval",
    "input.requested": "waits for an answer",
    "input.given": "got its answer",
    "command.started": "runs",
    "command.finished": "ran",
    "command.cut": "was cut off by the end of the daemon",
    "gate.finished": "the gate is through",
    "gate.retried": "the gate is tried again",
    "review.written": "the review is written",
    "test.quarantined": "a test fails now and then: it does not count for a while",
    "landing.waits": "waits to land",
    "landing.moved": "the target branch moved",
    "pull.pushing": "pushes the branch",
    "pull.pushed": "the branch is pushed",
    "pull.opening": "opens the pull request",
    "pull.opened": "the pull request is open",
    "pull.found": "this is its pull request",
    "pull.returned": "the pull request needs more work",
    "pull.unasked": "nobody could be asked for a review",
    "pull.differs": "what was merged is not what was verified",
    "pull.merging": "merges the pull request",
    "pull.stale": "the base moved: the pull request is made anew",
    "pull.closed": "the pull request was closed",
    "pull.closing": "closes the pull request",
    "pull.withdrawn": "nothing of it is left open on the forge",
    "forge.checked": "the forge can be worked with",
    "forge.unusable": "the forge cannot be worked with",
    "target.unfollowed": "the target branch does not follow the forge",
    "target.followed": "the target branch follows the forge",
    "watch.green": "the later checks are green",
    "watch.red": "the later checks are red",
    "watch.blamed": "the later checks are red since this commit",
    "watch.broken": "the later checks say nothing",
    "file.refused": "a task file cannot be used",
    "inbox.full": "too many tasks are open: new ones have to wait",
}
ATTENTION = (
    ".failed", ".refused", ".rejected", ".interrupted", ".requested", ".stale", ".waits", ".broken",
    ".red", ".blamed", ".closed", ".returned", ".unasked", ".differs", ".unfollowed",
    ".warning", ".full", ".paused", ".unusable", ".cut",
)  # fmt: skip
STATE_WORDS = {
    State.FAILED: "failed",
    State.REJECTED: "rejected",
    State.AWAITING_APPROVAL: "waiting for your approval",
    State.AWAITING_INPUT: "waiting for your answer",
    State.RUNNING: "running",
    State.READY: "waiting to land",
    State.QUEUED: "queued",
    State.BLOCKED: "blocked",
    State.CANCELLED: "cancelled",
    State.DONE: "done",
}
# For programs, not for people.
PLUMBING = ("state", "call", "digest", "tree", "base", "finish_reason")
LONGEST = 300
# Controls, marks of direction, breaks that are none to a terminal, halves of characters.
_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def describe(event: Event) -> str:
    """One line: what happened, and the details that came with it."""
    hidden = PLUMBING if event.name in WORDS else ()
    data = {key: value for key, value in event.data.items() if key not in hidden}
    details = "; ".join(_details(data))
    said = WORDS.get(event.name) or event.name.replace(".", " ").replace("_", " ")
    return one_line(f"{said}: {details}" if details else said)


def needs_attention(event: Event) -> bool:
    """Whether an event tells of something that went wrong or waits for somebody."""
    return event.name.endswith(ATTENTION)


def printable(text: str) -> str:
    """Text from tasks, models and commands with nothing left that could steer a terminal."""
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text.replace("\r\n", "\n"))


def printable_json(text: str) -> str:
    """The same for JSON, which stays JSON: its own escapes stand for what could steer."""
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def one_line(text: str, longest: int = LONGEST) -> str:
    """The text with its white space folded, printable, cut where it is too long."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= longest else line[: longest - 1] + "…"


def duration(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3:07`, `1:02:03`."""
    if seconds < 59.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def money(usd: float) -> str:
    """US dollars: cents from a dollar on, below it four places."""
    return f"${usd:.2f}" if usd >= 1 or usd == 0 else f"${usd:.4f}"


def _details(data: Mapping[str, Any]) -> Iterator[str]:
    for key, value in data.items():
        if key == "ok" or (value is not False and value not in (None, "", [], {})):
            show = _SHOWN.get(key)
            told = f"{key} {_plain(value)}" if value is not True else key
            yield show(value) if show and _fits(key, value) else told


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_plain, value))
    return str(value)


def _fits(key: str, value: Any) -> bool:
    """Whether the value is of the kind that the wording for `key` was made for."""
    if key in ("seconds", "cost_usd"):
        return isinstance(value, int | float)
    if key == "tokens":
        return isinstance(value, Mapping)
    return isinstance(value, list | tuple) if key == "argv" else True


def _tokens(value: Any) -> str:
    return f"{value.get('prompt', 0)} tokens in, {value.get('completion', 0)} out"


def _failure(value: Any) -> str:
    if not isinstance(value, Mapping):
        return _plain(value)
    return f"{value.get('class', '')}: {value.get('message', '')}"


_SHOWN: Mapping[str, Callable[[Any], str]] = {
    "command": lambda value: f"`{value}`",
    "argv": lambda value: "`" + shlex.join(map(str, value)) + "`",
    "commit": lambda value: str(value)[:10],
    "cost_usd": money,
    "exit_code": lambda value: f"exit code {value}",
    "failure": _failure,
    "message": _plain,
    "ok": lambda value: "green" if value else "red",
    "problems": _plain,
    "reason": _plain,
    "seconds": duration,
    "tokens": _tokens,
}
