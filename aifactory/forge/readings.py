"""What GitHub's JSON says, as values of ours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aifactory.forge.base import Check, Protection, PullRequest, Review, Standing

Data = Mapping[str, Any]
# https://docs.github.com/rest/checks/runs: conclusions; none of the others says "good" or "bad".
CONCLUSIONS: Mapping[str, Standing] = {
    "success": "green",
    "neutral": "green",
    "skipped": "green",
    "failure": "red",
    "timed_out": "red",
    "startup_failure": "red",
}
STATUSES: Mapping[str, Standing] = {
    "success": "green", "failure": "red", "error": "red", "pending": "pending",
}  # fmt: skip
WRITERS = ("OWNER", "MEMBER", "COLLABORATOR")


def pull_request(data: Data) -> PullRequest:
    standing = data.get("mergeable_state") or ""
    merged = bool(data.get("merged") or data.get("merged_at"))
    return PullRequest(
        number=int(data["number"]),
        url=str(data.get("html_url") or ""),
        branch=str(data["head"]["ref"]),
        head=str(data["head"]["sha"]),
        base=str(data["base"]["ref"]),
        title=str(data.get("title") or ""),
        body=str(data.get("body") or ""),
        open=data["state"] == "open",
        draft=bool(data.get("draft")),
        merged=merged,
        commit=str(data.get("merge_commit_sha") or "") if merged else "",
        conflicted=data.get("mergeable") is False or standing == "dirty",
        behind=standing == "behind",
        blocked=standing in ("blocked", "unknown"),
        author=login(data),
        node=str(data.get("node_id") or ""),
    )


def login(data: Data, field: str = "user") -> str:
    """Who did something; `""` where the account is gone."""
    return str((data.get(field) or {}).get("login") or "")


def check_run(data: Data) -> Check:
    done = data["status"] == "completed"
    output = data.get("output") or {}
    said = (output.get("title"), output.get("summary"), output.get("text"))
    return Check(
        name=str(data["name"]),
        standing=CONCLUSIONS.get(str(data["conclusion"]), "held") if done else "pending",
        id=int(data["id"]),
        summary="\n".join(str(part) for part in said if part),
        url=str(data.get("details_url") or data.get("html_url") or ""),
    )


def status(data: Data) -> Check:
    """A commit status, the older kind of check."""
    return Check(
        name=str(data["context"]),
        standing=STATUSES.get(str(data["state"]), "held"),
        summary=str(data.get("description") or ""),
        url=str(data.get("target_url") or ""),
    )


def review(data: Data, remarks: Iterable[Data], trusted: Iterable[str]) -> Review:
    verdicts = {"APPROVED": "approved", "CHANGES_REQUESTED": "changes", "DISMISSED": "dismissed"}
    author = login(data)
    lines = [str(data.get("body") or "").strip()]
    lines += [f"{one.get('path')}:{one.get('line') or ''} {one.get('body')}" for one in remarks]
    return Review(
        id=int(data["id"]),
        author=author,
        verdict=verdicts.get(str(data["state"]), "comment"),  # type: ignore[arg-type]  # of these
        text="\n".join(filter(None, lines)),
        commit=str(data.get("commit_id") or ""),
        trusted=data.get("author_association") in WRITERS or author in trusted,
    )


def annotation(data: Data) -> str:
    level = str(data.get("annotation_level") or "")
    place = f"{data.get('path')}:{data.get('start_line')}"
    said = (data.get("title"), data.get("message"), data.get("raw_details"))
    return f"{place}: {level}: " + "\n".join(str(part) for part in said if part)


def protection(branch: Data, whole: Data, rules: Iterable[Data]) -> Protection:
    """From the branch, its protection where the token may read that, and the rulesets."""
    checks: list[str] = []
    approvals, strict = 0, False
    for part in (branch.get("protection") or {}, whole):
        wanted = part.get("required_status_checks") or {}
        checks += wanted.get("contexts") or []
        checks += [str(one["context"]) for one in wanted.get("checks") or []]
        strict = strict or bool(wanted.get("strict"))
        asked = part.get("required_pull_request_reviews") or {}
        approvals = max(approvals, int(asked.get("required_approving_review_count") or 0))
    for rule in rules:
        terms = rule.get("parameters") or {}
        checks += [str(one["context"]) for one in terms.get("required_status_checks") or []]
        strict = strict or bool(terms.get("strict_required_status_checks_policy"))
        approvals = max(approvals, int(terms.get("required_approving_review_count") or 0))
    return Protection(tuple(dict.fromkeys(checks)), approvals, strict)
