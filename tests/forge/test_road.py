"""The whole road with the real daemon, against GitHub's emulator and a bare repository."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Checkout
from tests.forge.emulator import BOT, INSTALLED, Emulator, running
from tests.house import drop, whole

pytestmark = pytest.mark.skipif(
    not INSTALLED.is_dir() and "CI" not in os.environ,
    reason="no emulator: `npm ci --prefix tests/forge` fetches it",
)
FINDING = {"severity": "minor", "file": "a.py", "line": 1, "problem": "why this number?"}
CONFIG = """
[model]
default = "scripted/answers.json"
[gate]
commands = ["grep -q = a.py"]
security = "off"
reviewer = "critic"
[land]
mode = "pr"
[forge]
repository = "bot/repo"
api_url = "{url}"
merge = "auto"
labels = ["bot"]
reviewers = ["grace"]
poll_seconds = 0.3
"""


@dataclass
class Road:
    checkout: Checkout
    emulator: Emulator

    def run(self, point: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        """The daemon until only the forge can bring the task on; killed at a point."""
        env = os.environ | {"GITHUB_TOKEN": BOT} | more
        if point:
            env["AIFACTORY_FAILPOINTS"] = f"{point}=kill"
        return subprocess.run(
            [sys.executable, "-m", "aifactory.auto_agent", "--once", "--log-format", "json"],
            cwd=self.checkout.root, env=env, capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip

    def task(self) -> Any:
        return self.tasks()[0]

    def tasks(self) -> list[Any]:
        done = subprocess.run(
            [sys.executable, "-m", "aifactory", "status", "--json"],
            cwd=self.checkout.root, capture_output=True, text=True, check=True,
        )  # fmt: skip
        found: list[Any] = json.loads(done.stdout)["tasks"]
        return found


@pytest.fixture
def road(checkout: Checkout, scratch: Path) -> Iterator[Road]:
    bare = scratch / "repo.git"
    checkout.git("init", "--quiet", "--bare", "--initial-branch=main", str(bare))
    checkout.git("remote", "add", "origin", str(bare))
    folder = scratch / "emulator"
    folder.mkdir()
    review = {"text": json.dumps({"summary": "", "findings": [FINDING]})}
    drop(checkout, "t1", files=["a.py"], description="Make a two")
    with running(folder, bare) as (emulator, url):
        one, two = {"text": whole(a_py="a = 1\n")}, {"text": whole(a_py="a = 2\n")}
        checkout.commit(
            {
                "aifactory.toml": CONFIG.format(url=url),
                "answers.json": json.dumps({"tasks": {"t1": [one, two]}}),
                "reviews.json": json.dumps({"tasks": {"t1": [review]}}),
                "prompts/critic.md": "---\nmodel: scripted/reviews.json\n---\nReview.\n",
            }
        )
        checkout.git("push", "--quiet", "origin", "main")
        emulator.show()
        emulator.protect("build", approvals=1)
        yield Road(checkout, emulator)


def test_red_check_remediation_green_review_merge(road: Road) -> None:
    hub = road.emulator
    first = road.run()
    assert first.returncode == 8, first.stderr
    (pull,) = hub.pulls()
    head = hub.tip("aifactory/t1")
    assert (pull["head"]["sha"], pull["draft"]) == (head, False)
    assert [label["name"] for label in pull["labels"]] == ["bot"]
    assert road.task()["state"] == "ready"
    assert road.task()["pull"]["url"] == pull["html_url"]

    note = {"path": "a.py", "start_line": 1, "end_line": 1, "annotation_level": "failure",
            "message": "a must be two"}  # fmt: skip
    hub.check(head, "build", "failure", annotations=[note])
    assert road.run().returncode == 8
    assert "a.py:1: failure: a must be two" in prompt(road, 2)
    mended = hub.tip("aifactory/t1")
    assert mended != head and hub.git("show", f"{mended}:a.py") == b"a = 2\n"

    hub.check(mended, "build", "success")
    assert road.run().returncode == 8
    assert road.task()["state"] == "ready"  # one approval is asked for
    hub.review(1, "APPROVE")
    assert road.run().returncode == 0
    (pull,) = hub.pulls()
    assert pull["merged"] and pull["merge_commit_sha"] == hub.tip("main") == road.task()["commit"]
    assert (road.checkout.root / "a.py").read_text() == "a = 2\n"
    assert "Aifactory-Task: t1" in road.checkout.git("log", "-1", "--format=%B", "main")
    findings = [text for text in hub.comments(1) if "why this number?" in text]
    assert len(findings) == 1


def prompt(road: Road, attempt: int) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "aifactory", "artifacts", "t1", f"prompt-{attempt}.json"],
        cwd=road.checkout.root, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


POINTS = ("pushing", "pushed", "opening", "opened", "remarked", "merging", "merged", "followed")


def test_killed_at_each_step_there_is_one_of_each(road: Road) -> None:
    hub = road.emulator
    for point in POINTS[:5]:
        assert road.run(f"pull.{point}").returncode == -signal.SIGKILL, point
    assert road.run().returncode == 8
    hub.check(hub.tip("aifactory/t1"), "build", "success")
    hub.review(1, "APPROVE")
    for point in POINTS[5:]:
        assert road.run(f"pull.{point}").returncode == -signal.SIGKILL, point
    done = road.run()
    assert done.returncode == 0, done.stderr
    (pull,) = hub.pulls()
    assert pull["merged"] and road.task()["state"] == "done"
    assert len(hub.comments(1)) == 1
    assert hub.requests.count("POST /repos/bot/repo/pulls") == 1
    assert hub.requests.count("PUT /repos/bot/repo/pulls/1/merge") == 1
    assert hub.git("rev-list", "--count", "main").strip() == b"3"
    assert road.task()["attempts"] == 1


def test_acts_whose_answer_is_lost_are_found_and_not_repeated(road: Road) -> None:
    hub = road.emulator
    pulls, comments = "POST /repos/bot/repo/pulls", "POST /repos/bot/repo/pulls/1/comments"
    merge = "PUT /repos/bot/repo/pulls/1/merge"
    hub.cuts = [pulls, comments, merge]
    for act in (pulls, comments):
        assert road.run().returncode == 8
        assert act not in hub.cuts
        assert "cannot be reached" in shown(road)
    assert road.run().returncode == 8
    hub.check(hub.tip("aifactory/t1"), "build", "success")
    hub.review(1, "APPROVE")
    assert road.run().returncode == 8
    assert hub.cuts == []
    assert road.run().returncode == 0
    assert [hub.requests.count(act) for act in (pulls, comments, merge)] == [1, 1, 1]
    assert hub.git("rev-list", "--count", "main").strip() == b"3"


def shown(road: Road) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "aifactory", "show", "t1"],
        cwd=road.checkout.root, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


def test_the_token_is_in_no_file_and_in_no_argument(road: Road) -> None:
    done = road.run()
    assert BOT not in done.stderr
    root = road.checkout.root
    for path in (one for one in root.rglob("*") if one.is_file()):
        assert BOT.encode() not in path.read_bytes(), path


def aifactory(road: Road, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "aifactory", *arguments],
        cwd=road.checkout.root, env=os.environ | more,
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip


def test_a_cancelled_task_is_closed_once_wherever_the_daemon_is_killed(road: Road) -> None:
    hub = road.emulator
    assert road.run().returncode == 8
    changes = hub.requests.count("PATCH /repos/bot/repo/pulls/1")
    would = aifactory(road, "cancel", "t1", "--dry-run").stderr
    (pull,) = hub.pulls()
    expected = f"close its pull request {pull['html_url']} and delete its branch aifactory/t1"
    assert expected in would and pull["state"] == "open"

    said = aifactory(road, "cancel", "t1", "--reason", "no more", GITHUB_TOKEN="")
    assert "Its pull request is still to be closed: GITHUB_TOKEN is not set" in said.stderr
    for point in ("closing", "explained", "closed", "deleted"):
        assert road.run(f"pull.{point}").returncode == -signal.SIGKILL, point
    hub.cuts = ["GET /repos/bot/repo/pulls/1"]
    assert road.run().returncode == 8
    assert road.run().returncode == 0
    (pull,) = hub.pulls()
    assert (pull["state"], pull["merged"]) == ("closed", False)
    assert road.task()["state"] == "cancelled"
    assert "aifactory/t1" not in hub.git("branch", "--list").decode()
    (told,) = [text for text in hub.comments(1) if "The task t1 was cancelled by" in text]
    assert told.count("no more") == 1
    assert hub.requests.count("PATCH /repos/bot/repo/pulls/1") == changes + 1


def test_cancel_closes_at_once_where_no_daemon_runs(road: Road) -> None:
    assert road.run().returncode == 8
    said = aifactory(road, "cancel", "t1", GITHUB_TOKEN=BOT)
    assert said.stdout == "t1 cancelled\n" and "still" not in said.stderr
    assert [pull["state"] for pull in road.emulator.pulls()] == ["closed"]


def test_what_depends_on_a_merge_waits_for_it_in_the_local_branch(road: Road) -> None:
    root, hub = road.checkout.root, road.emulator
    second = {
        "answers.json": whole(b_py="b = 1\n"),
        "reviews.json": '{"summary": "", "findings": []}',
    }
    for name, text in second.items():
        known = json.loads((root / name).read_text())
        known["tasks"]["t2"] = [{"text": text}]
        (root / name).write_text(json.dumps(known))
    drop(road.checkout, "t2", files=["b.py"], depends_on=["t1"])
    assert road.run().returncode == 8
    hub.check(hub.tip("aifactory/t1"), "build", "success")
    hub.review(1, "APPROVE")
    road.checkout.git("commit", "--quiet", "--all", "--message", "mine")

    assert road.run().returncode == 8
    states = {one["task_id"]: one["state"] for one in road.tasks()}
    assert states == {"t1": "done", "t2": "blocked"}
    assert "waits until the local branch holds `t1`" in aifactory(road, "show", "t2").stdout
    road.checkout.git("pull", "--quiet", "--rebase", "origin", "main")
    assert road.run().returncode == 8
    assert hub.git("show", "aifactory/t2:a.py") == b"a = 1\n"
    assert [one["state"] for one in road.tasks()] == ["done", "ready"]
