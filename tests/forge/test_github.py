"""GitHub's answers that the emulator does not give, over real HTTP."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from aifactory.errors import ForgeDenied, ForgeDown, ForgeRefused
from aifactory.forge import Check, Place, Protection, PullRequest, Remark
from aifactory.forge.github import GitHub

R = "/repos/ada/repo"
TOKEN = "ghx_1234567890_secret"
PULL = {
    "number": 3, "html_url": "http://forge/3", "state": "open", "draft": True, "body": "b",
    "title": "t", "head": {"ref": "aifactory/t1", "sha": "a" * 40}, "base": {"ref": "main"},
    "user": {"login": "bot"}, "mergeable": True, "mergeable_state": "clean", "node_id": "PR_3",
}  # fmt: skip


class Server(ThreadingHTTPServer):
    """Answers by `VERB path`: (status, body, headers), one after the other, the last one again."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, list[Any]] = {}
        self.asked: list[tuple[str, dict[str, str], Any]] = []

    def answer(self, what: str, body: Any, status: int = 200, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers.setdefault(what, []).append((status, body, named))

    def bodies(self, what: str) -> list[Any]:
        return [body for asked, _, body in self.asked if asked == what]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def reply(self) -> None:
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        what = f"{self.command} {self.path.partition('?')[0]}"
        page = "page=2" in self.path
        self.server.asked.append((what, dict(self.headers), json.loads(data) if data else None))
        listed = self.server.answers.get(what, [(404, {"message": "Not Found"}, {})])
        status, body, headers = listed[min(page, len(listed) - 1)] if page else listed[0]
        if len(listed) > 1 and "page=" not in self.path:
            listed.pop(0)
        if body is None:
            self.connection.close()
            return
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response_only(status)  # without a date of its own
        for name, value in {"Content-Length": str(len(text)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = do_PATCH = reply

    def log_message(self, *arguments: Any) -> None:
        """Nothing is said."""

    def handle(self) -> None:
        try:
            super().handle()
        except (OSError, ValueError):
            """The connection was cut on purpose."""


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    thread = threading.Thread(target=one.serve_forever, args=(0.02,))
    thread.start()
    yield one
    one.shutdown()
    thread.join()
    one.server_close()


@pytest.fixture
def github(server: Server) -> GitHub:
    return GitHub(Place("ada", "repo", server.url), TOKEN)


def pull(**fields: Any) -> PullRequest:
    known = {"number": 3, "url": "", "branch": "aifactory/t1", "head": "a" * 40, "base": "main"}
    return PullRequest(**known | fields)


def test_a_bad_token_is_denied_and_not_shown(server: Server, github: GitHub) -> None:
    server.answer(f"GET {R}", {"message": f"Bad credentials {TOKEN}"}, 401)
    with pytest.raises(ForgeDenied, match="does not take the token") as raised:
        github.check()
    assert "start it again" in raised.value.next_step


def test_a_token_that_may_not_write_is_refused(server: Server, github: GitHub) -> None:
    server.answer(f"GET {R}", {"permissions": {"push": False}})
    with pytest.raises(ForgeRefused, match="may not write"):
        github.check()


@pytest.mark.parametrize(
    ("status", "headers", "message", "seconds"),
    [
        (429, {"Retry_After": "7"}, "slow down", 7),
        (403, {"Retry_After": "7"}, "You have exceeded a secondary rate limit", 7),
        (403, {}, "You have exceeded a secondary rate limit", 60),
        (403, {"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": "1000090",
               "Date": formatdate(1_000_000, usegmt=True)}, "API rate limit exceeded", 90),
    ],
)  # fmt: skip
def test_limits_say_how_long_to_wait(
    server: Server, github: GitHub, status: int, headers: Any, message: str, seconds: int
) -> None:
    server.answer(f"GET {R}/pulls/3", {"message": message}, status, **headers)
    with pytest.raises(ForgeDown, match="rate limit") as raised:
        github.pull(3)
    assert raised.value.retry_after == pytest.approx(seconds)


def test_what_is_forbidden_is_no_limit(server: Server, github: GitHub) -> None:
    server.answer(f"GET {R}/pulls/3", {"message": "Resource not accessible by token"}, 403)
    with pytest.raises(ForgeRefused, match="Resource not accessible"):
        github.pull(3)


@pytest.mark.parametrize(
    ("status", "body"),
    [(502, b"<html>Bad Gateway</html>"), (500, {"message": "oops"}), (200, None), (200, b"[1, 2"),
     (200, {"no": "pull"}), (200, [])],
)  # fmt: skip
def test_trouble_of_the_forges_is_waited_for(
    server: Server, github: GitHub, status: int, body: Any
) -> None:
    server.answer(f"GET {R}/pulls/3", body, status)
    began = time.monotonic()
    with pytest.raises(ForgeDown):
        github.pull(3)
    assert time.monotonic() - began < 5  # nothing is tried again here


def test_nobody_there_is_waited_for() -> None:
    with pytest.raises(ForgeDown, match="cannot be reached"):
        GitHub(Place("ada", "repo", "http://127.0.0.1:9"), TOKEN).pull(3)


def test_a_second_pull_request_is_refused(server: Server, github: GitHub) -> None:
    error = {"message": "A pull request already exists"}
    said = {"message": "Validation Failed", "errors": [error]}
    server.answer(f"POST {R}/pulls", said, 422)
    with pytest.raises(ForgeRefused, match="already exists"):
        github.open("aifactory/t1", "main", "t", "b", draft=True)
    assert len(server.asked) == 1


def test_where_drafts_are_not_to_be_had_it_opens_without(server: Server, github: GitHub) -> None:
    said = {"message": "Draft pull requests are not supported in this repository."}
    server.answer(f"POST {R}/pulls", said, 422)
    server.answer(f"POST {R}/pulls", PULL | {"draft": False}, 201)
    assert not github.open("aifactory/t1", "main", "t", "b", draft=True).draft
    assert [body["draft"] for body in server.bodies(f"POST {R}/pulls")] == [True, False]


def test_a_comment_off_the_change_stands_below(server: Server, github: GitHub) -> None:
    server.answer(f"POST {R}/pulls/3/comments", {"message": "line must be part of the diff"}, 422)
    server.answer(f"POST {R}/issues/3/comments", {"id": 1}, 201)
    github.remark(pull(), Remark("text", "a.py", 7))
    assert server.bodies(f"POST {R}/pulls/3/comments")[0]["line"] == 7
    assert server.bodies(f"POST {R}/issues/3/comments") == [{"body": "text"}]


def test_a_draft_is_announced_by_graphql(server: Server, github: GitHub) -> None:
    server.answer("POST /graphql", {"data": {"markPullRequestReadyForReview": {}}})
    github.announce(pull(node="PR_3"))
    (asked,) = server.bodies("POST /graphql")
    assert asked["variables"] == {"input": {"pullRequestId": "PR_3"}}


def test_every_page_is_read(server: Server, github: GitHub) -> None:
    server.answer(f"GET {R}/issues/3/comments", [{"body": f"{n}"} for n in range(100)])
    server.answer(f"GET {R}/issues/3/comments", [{"body": "last"}])
    server.answer(f"GET {R}/pulls/3/comments", [{"body": "on a line"}])
    found = github.remarks(3)
    assert len(found) == 102 and list(found[-2:]) == ["last", "on a line"]


def test_protection_comes_from_all_that_may_be_read(server: Server, github: GitHub) -> None:
    asked = {"required_status_checks": {"contexts": ["build"]}}
    server.answer(f"GET {R}/branches/main", {"name": "main", "protection": asked})
    server.answer(f"GET {R}/branches/main/protection", {"message": "Not an admin"}, 403)
    server.answer(f"GET {R}/rules/branches/main", [
        {"type": "required_status_checks", "parameters": {
            "required_status_checks": [{"context": "lint"}],
            "strict_required_status_checks_policy": True}},
        {"type": "pull_request", "parameters": {"required_approving_review_count": 2}},
    ])  # fmt: skip
    assert github.protection("main") == Protection(("build", "lint"), 2, strict=True)
    github.protection("main")
    assert len(server.asked) == 3  # asked once a minute


def test_checks_and_statuses_are_both_checks(server: Server, github: GitHub) -> None:
    runs = [{"id": 1, "name": "build", "status": "completed", "conclusion": "timed_out"},
            {"id": 2, "name": "lint", "status": "in_progress", "conclusion": None},
            {"id": 3, "name": "deploy", "status": "completed", "conclusion": "action_required"},
            {"id": 4, "name": "docs", "status": "completed", "conclusion": "skipped"}]  # fmt: skip
    server.answer(f"GET {R}/commits/abc/check-runs", {"total_count": 4, "check_runs": runs})
    statuses = [{"context": "old", "state": "error", "description": "no"}]
    server.answer(f"GET {R}/commits/abc/status", {"state": "failure", "statuses": statuses})
    found = {one.name: one.standing for one in github.checks("abc")}
    assert found == {
        "build": "red", "lint": "pending", "deploy": "held", "docs": "green", "old": "red"
    }  # fmt: skip


def test_a_log_is_fetched_without_the_token(server: Server, github: GitHub) -> None:
    note = {"path": "a.py", "start_line": 2, "annotation_level": "failure", "message": "no"}
    server.answer(f"GET {R}/check-runs/5/annotations", [note])
    server.answer(f"GET {R}/actions/jobs/5/logs", {}, 302, Location=f"{server.url}/blob")
    server.answer("GET /blob", "\n".join(f"line {n}" for n in range(1000)).encode())
    said = github.evidence(Check("build", "red", 5, "it broke"))
    assert "it broke" in said and "a.py:2: failure: no" in said
    assert "line 999" in said and "line 700\n" not in said
    headers = {what: sent for what, sent, _ in server.asked}
    assert "Authorization" in headers[f"GET {R}/actions/jobs/5/logs"]
    assert "Authorization" not in headers["GET /blob"]


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_log_that_is_gone_is_no_trouble(server: Server, github: GitHub, status: int) -> None:
    server.answer(f"GET {R}/check-runs/5/annotations", [])
    server.answer(f"GET {R}/actions/jobs/5/logs", {}, 302, Location=f"{server.url}/blob")
    server.answer("GET /blob", b"<Error>BlobNotFound</Error>", status)
    assert github.evidence(Check("build", "red", 5, "it broke")) == "it broke"


def test_a_merge_names_the_commit_and_a_moved_branch_is_refused(
    server: Server, github: GitHub
) -> None:
    server.answer(f"PUT {R}/pulls/3/merge", {"message": "Head branch was modified"}, 409)
    server.answer(f"PUT {R}/pulls/3/merge", {"merged": True, "sha": "f00"})
    with pytest.raises(ForgeRefused, match="was modified"):
        github.merge(3, "a" * 40, "squash", "t", "m")
    assert github.merge(3, "a" * 40, "squash", "t", "m") == "f00"
    sent = server.bodies(f"PUT {R}/pulls/3/merge")[0]
    assert (sent["sha"], sent["merge_method"], sent["commit_title"]) == ("a" * 40, "squash", "t")


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        ({"mergeable": False, "mergeable_state": "dirty"}, {"conflicted": True}),
        ({"mergeable_state": "behind"}, {"behind": True}),
        ({"mergeable_state": "blocked"}, {"blocked": True}),
        ({"mergeable": None, "mergeable_state": "unknown"}, {"blocked": True}),
    ],
)
def test_how_the_forge_sees_it(server: Server, github: GitHub, said: Any, seen: Any) -> None:
    server.answer(f"GET {R}/pulls/3", PULL | said)
    found = github.pull(3)
    told = {name: getattr(found, name) for name in ("conflicted", "behind", "blocked")}
    assert told == {"conflicted": False, "behind": False, "blocked": False} | seen


def test_who_closed_it_is_told(server: Server, github: GitHub) -> None:
    server.answer(f"GET {R}/pulls/3", PULL | {"state": "closed", "merged": False})
    server.answer(f"GET {R}/issues/3", {"closed_by": {"login": "grace"}})
    assert github.pull(3).closed_by == "grace"


def test_a_strangers_review_is_not_trusted(server: Server, github: GitHub) -> None:
    told = {"id": 1, "user": {"login": "eve"}, "state": "CHANGES_REQUESTED", "body": "do this",
            "commit_id": "c", "author_association": "NONE"}  # fmt: skip
    server.answer(f"GET {R}/pulls/3/reviews", [told])
    server.answer(f"GET {R}/pulls/3/reviews/1/comments", [{"path": "a", "line": 2, "body": "x"}])
    (one,) = github.reviews(3)
    assert (one.author, one.verdict, one.trusted) == ("eve", "changes", False)
    assert one.text == "do this\na:2 x"
