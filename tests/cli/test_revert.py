"""`aifactory revert`, as its user runs it."""

from __future__ import annotations

import json

from tests.cli.conftest import Shop
from tests.house import drop, whole


def landed(shop: Shop, **land: str) -> None:
    """One task, done by the daemon itself."""
    answers = {"tasks": {"t1": [{"text": whole(a_py="a = 1\n")}]}}
    lines = [f'{key} = "{value}"' for key, value in land.items()]
    settings = ['[model]\ndefault = "scripted/answers.json"', "[land]", *lines]
    files = {"answers.json": json.dumps(answers), "aifactory.toml": "\n".join(settings) + "\n"}
    shop.checkout.commit(files, "settings")
    drop(shop.checkout, "t1", files=["a.py"])
    assert shop.run("run", "--once").code == 0


def test_revert_without_a_daemon_is_done_when_it_ends(shop: Shop) -> None:
    landed(shop)
    plan = shop.run("revert", "t1", "--dry-run")
    assert (plan.code, plan.out) == (0, "a.py\n") and "would take back" in plan.err
    assert (shop.checkout.root / "a.py").exists()
    done = shop.run("revert", "t1", "--json")
    assert done.code == 0, done.err
    assert (done.json["task_id"], done.json["state"]) == ("revert-t1", "done")
    assert done.json["commit"] == shop.checkout.git("rev-parse", "HEAD")
    assert not (shop.checkout.root / "a.py").exists()
    again = shop.run("revert", "t1", "--json")
    assert (again.code, again.json) == (0, done.json)
    assert "taken back by" in shop.run("show", "t1").out


def test_a_conflict_is_refused_by_name_and_leaves_nothing(shop: Shop) -> None:
    landed(shop)
    shop.checkout.commit({"a.py": "a = 2\n"}, "by a person")
    done = shop.run("revert", "t1")
    assert (done.code, done.out) == (2, "")
    assert "cannot be taken back: a.py: was to go, and has changed on the target" in done.err
    assert [row["task_id"] for row in shop.run("status", "--json").json["tasks"]] == ["t1"]


def test_what_has_not_landed_is_refused(shop: Shop) -> None:
    shop.put("t1")
    done = shop.run("revert", "t1")
    assert done.code == 2 and "only what has landed" in done.err
