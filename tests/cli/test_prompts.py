"""`aifactory prompts`, `rehearse` and `replay --fork` from a shell."""

from __future__ import annotations

import json

from tests.cli.conftest import Shop

PROMPT = "---\ndescription: mine\n---\nTASK-ID: {{ task.task_id }}\n"
ANSWERS = {"tasks": {"t1": [{"text": "```text:a.txt\na\n```"}]}}
SETTINGS = '[model]\ndefault = "scripted/answers.json"\n'


def work(shop: Shop) -> None:
    """One task, done by the daemon."""
    files = {"answers.json": json.dumps(ANSWERS), "aifactory.toml": SETTINGS}
    shop.checkout.commit({**files, "prompts/coder.md": PROMPT})
    shop.write_task("t1", files=["a.txt"])
    assert shop.run("run", "--once").code == 0


def test_an_edit_of_a_prompt_is_shown(shop: Shop) -> None:
    shop.checkout.commit({"prompts/coder.md": PROMPT})
    assert shop.run("prompts", "diff", "coder").out == ""
    shop.checkout.write({"prompts/coder.md": PROMPT + "Be brief.\n"})
    done = shop.run("prompts", "diff", "coder", "HEAD")
    assert done.code == 0 and "+Be brief." in done.out
    assert shop.run("prompts", "diff", "coder", "HEAD", "HEAD").out == ""


def test_tasks_are_run_again_under_two_versions(shop: Shop) -> None:
    work(shop)
    shop.checkout.write({"prompts/coder.md": PROMPT.replace("mine", "mine\nanswer: udiff")})
    (task,) = shop.run("prompts", "compare", "coder", "HEAD", "--json").json["tasks"]
    outcomes = {one["prompts"]: one["outcome"] for one in task["versions"]}
    assert task["then"] == "done"
    assert outcomes == {"HEAD": "done", "now": "failed (answer_unusable)"}
    worse = shop.run("prompts", "test", "coder")
    assert worse.code == 1 and "failed (answer_unusable)" in worse.out


def test_a_fork_is_shown_beside_what_was(shop: Shop) -> None:
    work(shop)
    other = {"tasks": {"t1": [{"text": "```text:a.txt\nother\n```"}]}}
    shop.checkout.write({"other.json": json.dumps(other)})
    would = shop.run("replay", "t1", "--fork", "1", "--dry-run")
    assert would.code == 0 and "would make attempt 1 of t1 again" in would.out
    assert shop.run("replay", "t1", "--fork", "9", "--dry-run").code == 2
    assert shop.run("replay", "t1", "--dry-run").code == 2
    done = shop.run("replay", "t1", "--fork", "1", "--model", "scripted/other.json")
    assert done.code == 0 and "+other" in done.out and "Nothing of it landed" in done.err
    assert (shop.checkout.root / "a.txt").read_text() == "a\n"
    assert shop.run("replay", "t1", "--model", "x").code == 2


def test_a_queue_is_rehearsed(shop: Shop) -> None:
    files = {"answers.json": json.dumps(ANSWERS), "aifactory.toml": SETTINGS}
    shop.checkout.commit(files)
    shop.write_task("t1", files=["a.txt"])
    done = shop.run("rehearse", "--json")
    assert (done.code, done.json["totals"]["done"]) == (0, 1)
    assert shop.run("status", "--json").json["tasks"][0]["state"] == "queued"
