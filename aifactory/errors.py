"""Every expected failure, as one tree. The class decides the exit code and whether to try again.

    AifactoryError
      InvalidInput (2)         InvalidTask, InvalidConfig, UnknownAgent, PreconditionFailed,
                               PolicyDenied
      AttemptFailed (1)        AnswerUnusable, ScopeViolation, EditRefused, GateFailed,
                               PostconditionFailed, WeakVerification, StaleBase
      ModelFailed (1)          ModelTransient, ModelPermanent, ModelUnknown, CredentialsMissing (4)
      LimitReached (6)         BudgetExhausted, DeadlinePassed
      GateBroken (5)           GateFlaky
      EnvironmentUnusable (5)  SandboxUnusable, LockHeld, GitFailed, DiskFull, NotARepository,
                               JournalCorrupt
      ForgeFailed (5)          ForgeDown, ForgeDenied (4), ForgeRefused
      Stopped (130)            Cancelled, Interrupted
      Pending (8)              InputNeeded

Anything that is not an AifactoryError is a bug: exit 3, a report file, class `internal`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from aifactory.failures import FailureClass as FailureClass


class AifactoryError(Exception):
    """An expected failure: what happened, and `next_step`, what a person does about it.

    `commands` are the records of the commands that led to it, `verdicts` what the gate said.
    """

    exit_code: ClassVar[int] = 1
    failure_class: ClassVar[FailureClass] = FailureClass.INTERNAL
    remedy: ClassVar[str] = ""
    commands: tuple[Any, ...] = ()
    verdicts: tuple[Any, ...] = ()

    def __init__(self, message: str, *, next_step: str = "", evidence: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step or self.remedy
        self.evidence = evidence


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a document. `field` is a path such as `files[2]`; "" is all."""

    file: str
    field: str
    expected: str
    got: str

    def __str__(self) -> str:
        where = f"{self.file}: {self.field}" if self.field else self.file
        return f"{where}: expected {self.expected}, got {self.got}"


class InvalidInput(AifactoryError):
    """What was handed in cannot be used; `problems` lists everything that is wrong, where known."""

    exit_code = 2
    failure_class = FailureClass.INVALID_TASK

    def __init__(
        self,
        message: str,
        *,
        problems: Sequence[Problem] = (),
        next_step: str = "",
        evidence: str = "",
    ) -> None:
        super().__init__(message, next_step=next_step, evidence=evidence)
        self.problems = tuple(problems)

    @classmethod
    def of(cls, problems: Sequence[Problem]) -> Self:
        """The error that lists these problems, one a line."""
        return cls("\n".join(map(str, problems)), problems=problems)


class InvalidTask(InvalidInput):
    remedy = "mend the task file; it is taken up again when it is saved"


class InvalidConfig(InvalidInput):
    remedy = "mend the value where it stands; `aifactory config show` lists every key"


class UnknownAgent(InvalidInput):
    failure_class = FailureClass.UNKNOWN_AGENT
    remedy = "add prompts/<name>.md or name one that `aifactory agents` lists"


class PreconditionFailed(InvalidInput):
    failure_class = FailureClass.PRECONDITION_FAILED
    remedy = "make the precondition true, then `aifactory retry TASK`"


class PolicyDenied(InvalidInput):
    failure_class = FailureClass.POLICY_DENIED
    remedy = "allow it in [policy] of aifactory.toml or change the task"


class AttemptFailed(AifactoryError):
    """The agent's work was not good enough; the evidence goes into its next prompt."""


class AnswerUnusable(AttemptFailed):
    failure_class = FailureClass.ANSWER_UNUSABLE


class ScopeViolation(AttemptFailed):
    failure_class = FailureClass.SCOPE_VIOLATION


class EditRefused(AttemptFailed):
    failure_class = FailureClass.EDIT_REFUSED


class GateFailed(AttemptFailed):
    """A check is red."""

    failure_class = FailureClass.GATE_FAILED


class PostconditionFailed(GateFailed):
    """A file that the task promises is not there, or one that must go still is."""

    failure_class = FailureClass.POSTCONDITION_FAILED


class WeakVerification(AttemptFailed):
    failure_class = FailureClass.WEAK_VERIFICATION


class StaleBase(AttemptFailed):
    failure_class = FailureClass.STALE_BASE


class ModelFailed(AifactoryError):
    """A call to a model did not bring an answer."""


class ModelTransient(ModelFailed):
    """Worth trying again; `retry_after` is the provider's wish in seconds, or None.

    `in_doubt`: the call broke off under way, and the provider may have charged for it.
    """

    failure_class = FailureClass.MODEL_TRANSIENT

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        in_doubt: bool = False,
        **more: str,
    ) -> None:
        super().__init__(message, **more)
        self.retry_after = retry_after
        self.in_doubt = in_doubt


class ModelPermanent(ModelFailed):
    failure_class = FailureClass.MODEL_PERMANENT
    remedy = "check the model's name, key and limits in aifactory.toml, then `aifactory retry TASK`"


class ModelUnknown(ModelPermanent):
    """No provider has a model of this name."""

    remedy = "correct the model's name in aifactory.toml or prompts/<agent>.md"


class CredentialsMissing(ModelPermanent):
    exit_code = 4
    remedy = "set the provider's key in the environment of the daemon and start it again"


class LimitReached(AifactoryError):
    exit_code = 6
    failure_class = FailureClass.BUDGET_EXHAUSTED


class BudgetExhausted(LimitReached):
    remedy = "raise the budget, then `aifactory retry TASK`"


class DeadlinePassed(LimitReached):
    failure_class = FailureClass.DEADLINE
    remedy = "raise budget.seconds, then `aifactory retry TASK`"


class GateBroken(AifactoryError):
    """The gate fails without the change, or cannot start: not the agent's fault."""

    exit_code = 5
    failure_class = FailureClass.GATE_BROKEN
    remedy = "make the gate green on the target branch; the task goes on by itself then"


class GateFlaky(GateBroken):
    failure_class = FailureClass.GATE_FLAKY
    remedy = "mend the test, or leave it: it does not count for a while, and the task goes on"


class EnvironmentUnusable(AifactoryError):
    exit_code = 5
    failure_class = FailureClass.ENVIRONMENT
    remedy = "run `aifactory doctor`"


class SandboxUnusable(EnvironmentUnusable):
    remedy = "install firejail or bubblewrap; `aifactory doctor` says what is missing"


class LockHeld(EnvironmentUnusable):
    remedy = "stop the other daemon, or wait until it ends"


class GitFailed(EnvironmentUnusable):
    pass


class GitKilled(GitFailed):
    """A signal ended Git in the middle of its work: it may have left a lock."""


class DiskFull(EnvironmentUnusable):
    remedy = "free some space; the daemon goes on by itself"


class NotARepository(EnvironmentUnusable):
    remedy = "change into a Git repository or pass --repo DIR; `git init` makes one"


class JournalCorrupt(EnvironmentUnusable):
    remedy = "run `aifactory recover`; it shows what the journal says and what Git says"


class ForgeFailed(AifactoryError):
    """The forge did not do what it was asked. Verified work waits for it, and never fails by it."""

    exit_code = 5
    failure_class = FailureClass.ENVIRONMENT


class ForgeDown(ForgeFailed):
    """Nobody answers, or not now; `retry_after` is the forge's wish in seconds, or None."""

    remedy = "see that its host can be reached; the daemon asks again by itself"

    def __init__(self, message: str, *, retry_after: float | None = None, **more: str) -> None:
        super().__init__(message, **more)
        self.retry_after = retry_after


class ForgeDenied(ForgeFailed):
    exit_code = 4
    remedy = "set the token's variable in the environment of the daemon and start it again"


class ForgeRefused(ForgeFailed):
    """The forge understood, and says no."""

    remedy = "see what the forge says; the task goes on by itself when it agrees"


class Stopped(AifactoryError):
    """Ended on purpose; `in_doubt` as for ModelTransient."""

    exit_code = 130
    failure_class = FailureClass.INTERRUPTED

    def __init__(self, message: str, *, in_doubt: bool = False, **more: str) -> None:
        super().__init__(message, **more)
        self.in_doubt = in_doubt


class Cancelled(Stopped):
    failure_class = FailureClass.CANCELLED
    remedy = "`aifactory retry TASK` takes it up again"


class Interrupted(Stopped):
    remedy = "start the daemon again; it goes on by itself"


class Pending(AifactoryError):
    """Something waits for a person, or did not finish in the time given."""

    exit_code = 8


class InputNeeded(Pending):
    """A person is asked for the answer of an attempt: `question` is what to tell them."""

    def __init__(self, message: str, *, question: Any, **more: str) -> None:
        super().__init__(message, **more)
        self.question = question


class Bug(AifactoryError):
    """Not expected: the report file says where it happened."""

    exit_code = 3
