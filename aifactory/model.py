"""The values that travel from stage to stage. Frozen, no I/O; JSON in and out by pydantic."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from aifactory.errors import AifactoryError, FailureClass


def now() -> str:
    """The time as UTC, ISO 8601, with microseconds and a `Z`."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class State(StrEnum):
    """Where a task stands."""

    QUEUED = "queued"  # taken in, waiting for its turn
    BLOCKED = "blocked"  # a dependency is not done
    RUNNING = "running"  # an attempt is under way
    AWAITING_APPROVAL = "awaiting_approval"  # verified, a person decides
    AWAITING_INPUT = "awaiting_input"  # a person has the next word
    READY = "ready"  # verified, waiting to land
    DONE = "done"  # landed, or nothing was to be done
    FAILED = "failed"  # gave up; the failure says why
    REJECTED = "rejected"  # the task itself is invalid, or a person said no
    CANCELLED = "cancelled"  # a person took it back

    @property
    def closed(self) -> bool:
        return self in (State.DONE, State.FAILED, State.REJECTED, State.CANCELLED)


class Budget(Value):
    """A hard stop: US dollars, tokens (prompt and completion together), wall seconds."""

    usd: float | None = None
    tokens: int | None = None
    seconds: float | None = None


class Condition(Value):
    kind: Literal["file_exists", "file_absent"]
    path: str


class ForbiddenPath(Value):
    path: str


class Task(Value):
    """One piece of work, normalised from any of the three kinds of task file."""

    task_id: str
    description: str
    title: str = ""
    assignee: str | None = None
    files: tuple[str, ...] = ()
    context_files: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    priority: int = 10
    acceptance_commands: tuple[str, ...] = ()
    command_timeout: float | None = None
    preconditions: tuple[Condition, ...] = ()
    postconditions: tuple[Condition, ...] = ()
    forbidden: tuple[str | ForbiddenPath, ...] = ()
    max_attempts: int = 5
    budget: Budget = Budget()
    land: Literal["auto", "approve", "branch", "pr"] | None = None
    schedule: str | None = None
    inputs: Any = None
    notes: str = ""
    verify_exempt: bool = False
    created_at: str | None = None
    closed_before: bool = False  # the file says that the work was done elsewhere


class Usage(Value):
    """Tokens of one or more calls, as the provider counted them."""

    prompt: int = 0
    completion: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            prompt=self.prompt + other.prompt, completion=self.completion + other.completion
        )


class Answer(Value):
    """What a model said, as recorded before it is used."""

    text: str
    finish_reason: str = "stop"  # "stop", "length", "tool_calls" ...
    usage: Usage = Usage()
    cost_usd: float = 0.0
    cost_known: bool = True  # False: nobody knows the model's price, `cost_usd` says nothing
    usage_known: bool = True  # False: the provider sent no count, `usage` is an estimate
    model: str = ""
    seconds: float = 0.0
    tool_calls: tuple[dict[str, Any], ...] = ()


class Payment(Value):
    """What the calls of one agent to one model took on one day, for one task."""

    day: str  # UTC, 2026-11-20
    agent: str
    model: str
    calls: int = 0
    usd: float = 0.0
    tokens: Usage = Usage()
    seconds: float = 0.0  # of the calls alone

    @property
    def of(self) -> tuple[str, str, str]:
        return self.day, self.agent, self.model

    def __add__(self, other: Payment) -> Payment:
        return self.model_copy(
            update={
                "calls": self.calls + other.calls,
                "usd": self.usd + other.usd,
                "tokens": self.tokens + other.tokens,
                "seconds": self.seconds + other.seconds,
            }
        )


class Change(Value):
    """One path of a proposal. `content` None: the path is gone; `base_sha256` None: it is new."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    path: str
    content: bytes | None
    mode: Literal["100644", "100755"] = "100644"
    base_sha256: str | None = None


class Proposal(Value):
    """The change that an attempt puts forward: files with their base, and why."""

    task_id: str
    attempt: int
    agent: str
    model: str = ""
    prompt_sha256: str = ""
    summary: str = ""
    base: str = ""  # commit id the changes were made on; "" on an unborn branch
    changes: tuple[Change, ...] = ()

    @property
    def digest(self) -> str:
        return sha256(self.model_dump_json(include={"task_id", "base", "changes"}).encode())


class CommandRecord(Value):
    """One command as it ran in the sandbox; one line of `commands.jsonl`."""

    argv: tuple[str, ...]
    cwd: str = "."
    backend: str = ""
    started_at: str = ""
    seconds: float = 0.0
    exit_code: int | None = None
    signal: int | None = None
    timed_out: bool = False
    killed_by: Literal["none", "deadline", "output", "memory", "disk", "shutdown", "daemon"] = (
        "none"
    )
    output: str = ""  # stdout and stderr as they came, head and tail kept
    output_bytes: int = 0
    output_sha256: str = ""
    denied: str = ""  # why the command was not run
    details: dict[str, Any] = Field(default_factory=dict)  # limits, environment names, sandbox line

    @property
    def ok(self) -> bool:
        return self.exit_code == 0 and not self.timed_out and not self.denied


class Work(Value):
    """What a step in a workspace came to, recorded before it is used. `told`: for a model."""

    commands: tuple[CommandRecord, ...] = ()
    changes: tuple[Change, ...] = ()
    told: tuple[str, ...] = ()


class Verdict(Value):
    """What one check of the gate says of a tree."""

    check: str
    ok: bool
    message: str = ""
    evidence: str = ""  # for the agent and the owner: the last lines that matter
    command: str = ""  # the one that made it red
    failure: FailureClass = FailureClass.GATE_FAILED  # what a red one is
    seconds: float = 0.0


class Failure(Value):
    model_config = ConfigDict(populate_by_name=True)

    failure_class: FailureClass = Field(alias="class")
    stage: str
    message: str
    retryable: bool
    next_step: str = ""

    @classmethod
    def of(cls, error: AifactoryError, stage: str) -> Failure:
        kind = error.failure_class
        return cls(
            failure_class=kind,
            stage=stage,
            message=error.message,
            retryable=kind.retryable,
            next_step=error.next_step,
        )


class Pull(Value):
    """How far the pull request of a task is. What is begun stands here before it is done."""

    number: int | None = None
    url: str = ""
    branch: str = ""
    pushing: str = ""  # commit that the branch is being set to
    head: str = ""  # commit that we set the branch to last
    pushed_at: str = ""
    merging: str = ""  # commit that the forge is being asked to merge
    in_review: str = ""  # commit that it is open for
    returned: tuple[str, ...] = ()  # commits of ours that went back to the agent
    heard: tuple[str, ...] = ()  # `review:commit`: reviews that made a commit go back
    closing: str = ""  # why it is being closed
    withdrawn: bool = False  # it is closed, and its branch is deleted


class Event(Value):
    """Something that happened. The one envelope that every reader of the stream gets."""

    id: str
    at: str
    run: str
    task: str | None = None
    attempt: int | None = None
    name: str
    data: dict[str, Any] = Field(default_factory=dict)


class Record(Value):
    """All that is known of a task after its last event; `report.json` in its ref."""

    schema_name: Literal["aifactory/report@1"] = Field("aifactory/report@1", alias="schema")
    task_id: str
    state: State
    digest: str = ""  # identity of the task file's content
    file: str = ""  # name of the task file in `tasks/`
    file_sha256: str = ""  # of its bytes when it was taken in; of a file that is no task: ""
    title: str = ""
    agent: str = ""
    priority: int = 10
    depends_on: tuple[str, ...] = ()
    schedule: str = ""  # its cron line
    due_at: str | None = None  # when the schedule runs it next
    reason: str = ""  # why it waits, in one sentence
    attempts: int = 0  # attempts begun; the last one's number
    charged: int = 0  # of these, those that count against max_attempts
    uncharged: int = 0  # failures in a row that were not the agent's fault
    calls: int = 0  # answers taken from a model
    signatures: tuple[str, ...] = ()  # of the last failures, newest last
    base: str = ""  # tip of the target when the task was taken in
    commit: str | None = None
    pending: str | None = None  # commit that was verified and is to land
    pull: Pull | None = None  # where it lands by a pull request
    failure: Failure | None = None
    cost_usd: float = 0.0
    tokens: Usage = Usage()
    payments: tuple[Payment, ...] = ()  # what its calls took, by day, agent and model
    seconds: float = 0.0  # wall time of its attempts
    created_at: str = ""
    started_at: str | None = None
    finished_at: str | None = None

    model_config = ConfigDict(populate_by_name=True)

    @property
    def is_over(self) -> bool:
        """Whether nothing will happen to the task by itself any more."""
        return self.state.closed and not self.due_at and not self.is_leaving

    @property
    def is_leaving(self) -> bool:
        """Whether it was cancelled, and what it left on the forge is still to be taken back."""
        cancelled = self.state is State.CANCELLED
        return cancelled and self.pull is not None and not self.pull.withdrawn

    @property
    def is_late(self) -> bool:
        """Whether its last proposal was good, and could not follow the target."""
        failed = self.failure and self.failure.failure_class
        return self.uncharged > 0 and failed in (None, FailureClass.STALE_BASE)

    @property
    def in_review(self) -> bool:
        """Whether its pull request is open for just the commit that is to land."""
        return bool(self.pull and self.pending and self.pull.in_review == self.pending)

    def to_json(self) -> bytes:
        return (self.model_dump_json(indent=1, by_alias=True) + "\n").encode()
