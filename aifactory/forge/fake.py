"""A forge for tests: in memory, with the rules of a real one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from aifactory.errors import AifactoryError, ForgeRefused
from aifactory.forge.base import Check, Method, Protection, PullRequest, Remark, Review


@dataclass
class FakeForge:
    """`tip_of` says which commit a branch of the remote holds, `merged` makes a merge real.

    `troubles` are raised one after the other by the next calls; `did` is every act, in order.
    """

    tip_of: Callable[[str], str]
    merged: Callable[[PullRequest, Method, str], str]
    name: str = "fake: ada/repo"
    pulls: dict[int, PullRequest] = field(default_factory=dict)
    said: dict[int, list[str]] = field(default_factory=dict)
    runs: dict[str, list[Check]] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    verdicts: dict[int, list[Review]] = field(default_factory=dict)
    rules: Protection = field(default_factory=Protection)
    labels: dict[int, list[str]] = field(default_factory=dict)
    asked: dict[int, list[str]] = field(default_factory=dict)
    troubles: list[AifactoryError] = field(default_factory=list)
    did: list[str] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def check(self) -> str:
        self._trouble()
        return "aifactory-bot"

    def find(self, branch: str) -> Sequence[PullRequest]:
        self._trouble()
        numbers = sorted(self.pulls, reverse=True)
        return [self._seen(n) for n in numbers if self.pulls[n].branch == branch]

    def pull(self, number: int) -> PullRequest:
        self._trouble()
        return self._seen(number)

    def open(self, branch: str, base: str, title: str, body: str, *, draft: bool) -> PullRequest:
        self._trouble()
        if not self.tip_of(branch):
            raise ForgeRefused(f"422: there is no branch {branch}")
        if any(pull.open and pull.branch == branch for pull in self.pulls.values()):
            raise ForgeRefused(f"422: a pull request for {branch} already exists")
        number = len(self.pulls) + 1
        url = f"http://forge.invalid/ada/repo/pull/{number}"
        self.pulls[number] = PullRequest(
            number, url, branch, "", base, title, body, draft=draft, author="aifactory-bot"
        )
        self.did.append(f"open {branch}")
        return self._seen(number)

    def describe(self, number: int, title: str, body: str) -> None:
        self._change(number, "describe", title=title, body=body)

    def announce(self, pull: PullRequest) -> None:
        self._change(pull.number, "announce", draft=False)

    def close(self, number: int) -> None:
        self._change(number, "close", open=False, closed_by="aifactory-bot")

    def remarks(self, number: int) -> Sequence[str]:
        self._trouble()
        return list(self.said.get(number, ()))

    def remark(self, pull: PullRequest, remark: Remark) -> None:
        self._trouble()
        self.said.setdefault(pull.number, []).append(remark.text)
        self.did.append(f"remark {pull.number}")

    def label(self, number: int, labels: Sequence[str]) -> None:
        self._trouble()
        self.labels[number] = list(labels)

    def ask(self, number: int, reviewers: Sequence[str]) -> None:
        self._trouble()
        self.asked.setdefault(number, []).extend(reviewers)

    def checks(self, commit: str) -> Sequence[Check]:
        self._trouble()
        return list(self.runs.get(commit, ()))

    def evidence(self, check: Check) -> str:
        self._trouble()
        return self.logs.get(check.name, check.summary)

    def protection(self, branch: str) -> Protection:
        self._trouble()
        return self.rules

    def reviews(self, number: int) -> Sequence[Review]:
        self._trouble()
        return list(self.verdicts.get(number, ()))

    def merge(self, number: int, head: str, method: Method, title: str, message: str) -> str:
        self._trouble()
        pull = self._seen(number)
        if not pull.open or pull.draft or pull.conflicted:
            raise ForgeRefused("405: it cannot be merged")
        if pull.head != head:
            raise ForgeRefused("409: the head was modified")
        green = {one.name for one in self.runs.get(head, ()) if one.standing == "green"}
        if not green.issuperset(self.rules.checks):
            raise ForgeRefused("405: required checks are not green")
        commit = self.merged(pull, method, f"{title}\n\n{message}".rstrip() + "\n")
        self.did.append(f"merge {number}")
        self.pulls[number] = replace(pull, open=False, merged=True, commit=commit)
        return commit

    # what people do

    def shut(self, number: int, by: str = "grace") -> None:
        """Somebody else closes it."""
        self.pulls[number] = replace(self.pulls[number], open=False, closed_by=by)

    def report(self, commit: str, name: str, standing: str, log: str = "") -> None:
        """A check says something of a commit."""
        kept = [one for one in self.runs.get(commit, ()) if one.name != name]
        check = Check(name, standing, id=1)  # type: ignore[arg-type]  # one of the four words
        self.runs[commit] = [*kept, check]
        if log:
            self.logs[name] = log

    def _trouble(self) -> None:
        with self._lock:
            if self.troubles:
                raise self.troubles.pop(0)

    def _seen(self, number: int) -> PullRequest:
        if number not in self.pulls:
            raise ForgeRefused(f"404: there is no pull request {number}")
        pull = self.pulls[number]
        return replace(pull, head=self.tip_of(pull.branch) or pull.head) if pull.open else pull

    def _change(self, number: int, what: str, **fields: object) -> None:
        self._trouble()
        self.pulls[number] = replace(self._seen(number), **fields)  # type: ignore[arg-type]  # its own
        self.did.append(f"{what} {number}")
