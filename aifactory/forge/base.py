"""What a forge is to us: pull requests, checks, reviews. Every kind of forge speaks this."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Standing = Literal["pending", "green", "red", "held"]
Method = Literal["merge", "squash", "rebase"]


@dataclass(frozen=True)
class PullRequest:
    """A pull request as the forge shows it now; `head` is the commit that its branch holds."""

    number: int
    url: str
    branch: str
    head: str
    base: str  # the branch that it is to land on
    title: str = ""
    body: str = ""
    open: bool = True
    draft: bool = False
    merged: bool = False
    commit: str = ""  # on the base, once it is merged
    conflicted: bool = False  # the forge cannot merge it into the base
    behind: bool = False  # it has to stand on the base's newest commit first
    blocked: bool = False  # branch protection does not agree, or the forge does not know yet
    author: str = ""
    closed_by: str = ""
    node: str = ""  # its id for GitHub's GraphQL


@dataclass(frozen=True)
class Check:
    """One check on a commit. `held`: it ended without saying whether the commit is good."""

    name: str
    standing: Standing
    id: int = 0  # 0: the forge keeps no more of it than this
    summary: str = ""
    url: str = ""


@dataclass(frozen=True)
class Protection:
    """What the forge asks of a pull request before it may be merged into a branch."""

    checks: tuple[str, ...] = ()
    approvals: int = 0
    strict: bool = False  # it has to stand on the branch's newest commit


@dataclass(frozen=True)
class Review:
    """What a person said of a commit. `trusted`: they may write to the repository."""

    id: int
    author: str
    verdict: Literal["approved", "changes", "comment", "dismissed"]
    text: str = ""
    commit: str = ""
    trusted: bool = True


@dataclass(frozen=True)
class Remark:
    """A comment to be posted; on a line of the change where the forge takes it there."""

    text: str
    file: str = ""
    line: int | None = None


class Forge(Protocol):
    """Each call raises ForgeDown (try later), ForgeDenied (the token) or ForgeRefused.

    After any error an act may have happened: look before it is repeated.
    """

    name: str  # for people: the forge and the repository

    def check(self) -> str:
        """Whether the repository can be worked on; gives who we are there."""
        ...

    def find(self, branch: str) -> Sequence[PullRequest]:
        """Every pull request from a branch of the repository, open or closed, newest first."""
        ...

    def pull(self, number: int) -> PullRequest: ...

    def open(
        self, branch: str, base: str, title: str, body: str, *, draft: bool
    ) -> PullRequest: ...

    def describe(self, number: int, title: str, body: str) -> None:
        """Replace title and description."""
        ...

    def announce(self, pull: PullRequest) -> None:
        """Make a draft ready for review."""
        ...

    def close(self, number: int) -> None:
        """Close it without a merge."""
        ...

    def remarks(self, number: int) -> Sequence[str]:
        """The texts of all comments, on lines or not."""
        ...

    def remark(self, pull: PullRequest, remark: Remark) -> None: ...

    def label(self, number: int, labels: Sequence[str]) -> None: ...

    def ask(self, number: int, reviewers: Sequence[str]) -> None:
        """Ask people for a review; asking again is no harm."""
        ...

    def checks(self, commit: str) -> Sequence[Check]:
        """The newest run of every check on a commit."""
        ...

    def evidence(self, check: Check) -> str:
        """What a red check left: annotations, the end of its log. Written by strangers."""
        ...

    def protection(self, branch: str) -> Protection: ...

    def reviews(self, number: int) -> Sequence[Review]:
        """The last verdict of everybody, and every word, oldest first."""
        ...

    def merge(self, number: int, head: str, method: Method, title: str, message: str) -> str:
        """Merge just this commit; gives the one on the base. ForgeRefused if the branch moved."""
        ...
