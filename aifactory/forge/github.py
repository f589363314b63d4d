"""GitHub, and GitHub Enterprise Server."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

from aifactory.errors import ForgeRefused
from aifactory.forge import readings
from aifactory.forge.base import Check, Method, Protection, PullRequest, Remark, Review
from aifactory.forge.places import Place
from aifactory.forge.wire import Refusal, Wire

T = TypeVar("T")
PROTECTION_SECONDS = 60.0  # how long what is asked of a branch is believed
LOG_LINES = 200


class GitHub:
    """`trusted` are people whose reviews count whatever GitHub says of them."""

    def __init__(self, place: Place, token: str, trusted: Collection[str] = ()) -> None:
        self.name = f"GitHub: {place.full_name}"
        self._wire = Wire(place.api_url, token)
        self._owner = place.owner
        self._repo = f"/repos/{place.full_name}"
        self._trusted = trusted
        self._protections: dict[str, tuple[float, Protection]] = {}

    def check(self) -> str:
        found = self._get("", dict)
        if not (found.get("permissions") or {"push": True}).get("push"):
            raise ForgeRefused(
                f"the token may not write to {self._repo.removeprefix('/repos/')}",
                next_step="give the token write access to contents and pull requests",
            )
        try:
            return self._wire.call("GET", "/user", lambda data: str(data["login"]))
        except ForgeRefused:
            return "an app"  # its tokens have no user

    def find(self, branch: str) -> Sequence[PullRequest]:
        asked = {"head": f"{self._owner}:{branch}", "state": "all", "sort": "created"}
        path = f"{self._repo}/pulls"
        found = self._wire.pages(path, readings.pull_request, direction="desc", **asked)
        return [pull for pull in found if pull.branch == branch]

    def pull(self, number: int) -> PullRequest:
        pull = self._get(f"/pulls/{number}", readings.pull_request)
        if pull.open or pull.merged:
            return pull
        issue = f"/issues/{number}"
        by = _where_known(
            lambda: self._get(issue, lambda data: readings.login(data, "closed_by")), ""
        )
        return PullRequest(**{**vars(pull), "closed_by": by})

    def open(self, branch: str, base: str, title: str, body: str, *, draft: bool) -> PullRequest:
        asked = {"head": branch, "base": base, "title": title, "body": body, "draft": draft}
        try:
            return self._put("POST", "/pulls", readings.pull_request, asked)
        except Refusal as error:
            if not draft or "draft" not in error.message.lower():
                raise
        return self._put("POST", "/pulls", readings.pull_request, {**asked, "draft": False})

    def describe(self, number: int, title: str, body: str) -> None:
        self._do("PATCH", f"/pulls/{number}", title=title, body=body)

    def announce(self, pull: PullRequest) -> None:
        try:
            self._wire.mutate("markPullRequestReadyForReview", {"pullRequestId": pull.node})
        except ForgeRefused:  # an API without GraphQL
            self._do("PATCH", f"/pulls/{pull.number}", draft=False)

    def close(self, number: int) -> None:
        self._do("PATCH", f"/pulls/{number}", state="closed")

    def remarks(self, number: int) -> Sequence[str]:
        paths = (f"{self._repo}/{kind}/{number}/comments" for kind in ("issues", "pulls"))
        return [text for path in paths for text in self._wire.pages(path, _body)]

    def remark(self, pull: PullRequest, remark: Remark) -> None:
        if remark.file and remark.line:
            place: dict[str, Any] = {"path": remark.file, "line": remark.line, "side": "RIGHT"}
            try:
                self._do("POST", f"/pulls/{pull.number}/comments", body=remark.text,
                         commit_id=pull.head, **place)  # fmt: skip
                return
            except Refusal as error:
                if error.status != 422:  # the line is not part of the change
                    raise
        self._do("POST", f"/issues/{pull.number}/comments", body=remark.text)

    def label(self, number: int, labels: Sequence[str]) -> None:
        self._do("POST", f"/issues/{number}/labels", labels=list(labels))

    def ask(self, number: int, reviewers: Sequence[str]) -> None:
        self._do("POST", f"/pulls/{number}/requested_reviewers", reviewers=list(reviewers))

    def checks(self, commit: str) -> Sequence[Check]:
        runs = f"{self._repo}/commits/{commit}/check-runs"
        nothing: list[Check] = []
        found = _where_known(
            lambda: self._wire.pages(runs, readings.check_run, "check_runs", filter="latest"),
            nothing,
        )
        older = f"/commits/{commit}/status"
        return [*found, *_where_known(lambda: self._get(older, _statuses), nothing)]

    def evidence(self, check: Check) -> str:
        parts = [check.summary]
        if check.id:
            found = self._get(f"/check-runs/{check.id}/annotations", _annotations)
            parts += ["\n".join(found)]
            log = _where_known(lambda: self._wire.log(f"{self._repo}/actions/jobs/{check.id}/logs"),
                               "")  # fmt: skip
            parts += ["\n".join(log.splitlines()[-LOG_LINES:])]
        return "\n\n".join(filter(None, parts))

    def protection(self, branch: str) -> Protection:
        read_at, known = self._protections.get(branch, (0.0, Protection()))
        if not read_at or time.monotonic() - read_at > PROTECTION_SECONDS:
            known = self._protection(quote(branch))
            self._protections[branch] = time.monotonic(), known
        return known

    def _protection(self, branch: str) -> Protection:
        """Not every token may read all of it; what is not read, the merge itself brings up."""
        nothing: dict[str, Any] = {}
        none: list[dict[str, Any]] = []
        told = self._get(f"/branches/{branch}", dict)
        whole = _where_known(lambda: self._get(f"/branches/{branch}/protection", dict), nothing)
        rules = _where_known(lambda: self._get(f"/rules/branches/{branch}", list), none)
        return readings.protection(told, whole, rules)

    def reviews(self, number: int) -> Sequence[Review]:
        told = self._wire.pages(f"{self._repo}/pulls/{number}/reviews", dict)
        return [self._review(number, one) for one in told if one["state"] != "PENDING"]

    def _review(self, number: int, told: dict[str, Any]) -> Review:
        remarks: list[dict[str, Any]] = []
        if told["state"] == "CHANGES_REQUESTED":
            path = f"{self._repo}/pulls/{number}/reviews/{told['id']}/comments"
            remarks = self._wire.pages(path, dict)
        return readings.review(told, remarks, self._trusted)

    def merge(self, number: int, head: str, method: Method, title: str, message: str) -> str:
        said = {"commit_title": title, "commit_message": message} if method != "rebase" else {}
        asked = {"sha": head, "merge_method": method, **said}
        return self._put("PUT", f"/pulls/{number}/merge", _merged, asked)

    def _get(self, path: str, read: Callable[[Any], T]) -> T:
        return self._wire.call("GET", self._repo + path, read)

    def _put(self, verb: str, path: str, read: Callable[[Any], T], input: Mapping[str, Any]) -> T:
        return self._wire.call(verb, self._repo + path, read, input=input)

    def _do(self, verb: str, path: str, /, **input: Any) -> None:
        self._put(verb, path, bool, input)


def _where_known(ask: Callable[[], T], otherwise: T) -> T:
    """The answer, or another where GitHub has none for us."""
    try:
        return ask()
    except Refusal as error:
        if error.status not in (403, 404, 410):
            raise
    return otherwise


def _body(data: Any) -> str:
    return str(data.get("body") or "")


def _statuses(data: Any) -> list[Check]:
    return [readings.status(one) for one in data["statuses"]]


def _annotations(data: Any) -> list[str]:
    listed = data if isinstance(data, list) else data["check_annotations"]
    return [readings.annotation(one) for one in listed]


def _merged(data: Any) -> str:
    if not data["merged"]:
        raise ForgeRefused(f"the forge did not merge: {data.get('message')}")
    return str(data["sha"])
