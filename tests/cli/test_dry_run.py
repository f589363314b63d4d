"""`aifactory run --dry-run`: order and forecast, and nothing happens."""

from __future__ import annotations

from aifactory.model import State
from tests.cli.conftest import Shop


def test_the_order_and_the_cost_are_told_and_nothing_runs(shop: Shop) -> None:
    shop.put("old", State.DONE, cost_usd=0.25, seconds=8.0, calls=1)
    shop.write_task("second", depends_on=["first"])
    shop.write_task("first")
    shop.checkout.write({"aifactory.toml": '[model]\ndefault = "scripted/a.json"\n'})
    before = shop.checkout.git("for-each-ref")
    done = shop.run("run", "--dry-run")
    assert done.code == 0
    assert [line.split()[:5] for line in done.out.splitlines()[1:3]] == [
        ["first", "coder", "scripted/a.json", "+0.0", "s"],
        ["second", "coder", "scripted/a.json", "+8.0", "s"],
    ]
    assert "2 tasks would run, 0 would not; about $0.5000 and 16 s with 4 at once" in done.out
    assert shop.checkout.git("for-each-ref") == before


def test_a_file_that_is_no_task_has_no_agent(shop: Shop) -> None:
    shop.checkout.write({"tasks/bad.json": "{"})
    done = shop.run("run", "--dry-run")
    assert done.out.splitlines()[1].split()[:3] == ["bad", "-", "-"]


def test_the_forecast_as_json(shop: Shop) -> None:
    shop.write_task("only", assignee="nobody")
    said = shop.run("run", "--dry-run", "--jobs", "2", "--json").json
    assert (said["schema"], said["jobs"], said["usd"]) == ("aifactory/forecast@1", 2, None)
    (task,) = said["tasks"]
    assert task["task_id"] == "only" and "no agent 'nobody'" in task["model"]
