"""`tidy`, `recover`, `agents`, `config`, `schema`."""

from __future__ import annotations

import os

import pytest

from aifactory import intake
from aifactory.files import Lock
from aifactory.journal import Journal
from aifactory.model import State
from tests.cli.conftest import Shop


def names(shop: Shop) -> set[str]:
    return {str(p.relative_to(shop.layout.tasks)) for p in shop.layout.tasks.rglob("*.json")}


def test_tidy_puts_away_what_is_closed_and_unchanged(shop: Shop) -> None:
    for task_id in ("closed", "open", "changed"):
        task = shop.write_task(task_id)
        state = State.QUEUED if task_id == "open" else State.DONE
        shop.put(task_id, state, digest=intake.identity(task))
    shop.write_task("changed", priority=1)
    (shop.layout.tasks / "broken.json").write_text("{")
    before = names(shop)
    dry = shop.run("tidy", "--dry-run")
    assert dry.out == "would move tasks/closed.json to tasks/.done/closed.json\n"
    moves = {"tasks/closed.json": "tasks/.done/closed.json"}
    shown = {"schema": "aifactory/tidy@1", "dry_run": True, "moved": moves, "removed": []}
    assert shop.run("tidy", "--dry-run", "--json").json == shown
    assert names(shop) == before
    assert shop.run("tidy").out == "moved tasks/closed.json to tasks/.done/closed.json\n"
    assert names(shop) == before - {"closed.json"} | {".done/closed.json"}
    shop.write_task("closed")
    assert "to tasks/.done/closed-2.json" in shop.run("tidy").out
    assert shop.run("tidy").out == ""


def test_tidy_puts_away_environments_that_nothing_uses(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIFACTORY_CACHE_DIR", str(shop.home / "cache"))
    shop.environ["AIFACTORY_CACHE_DIR"] = str(shop.home / "cache")
    text = '[environment]\ninstall = ["true"]\nlock = ["lock"]\n'
    shop.checkout.commit({"aifactory.toml": text, "lock": "1"})
    old = shop.layout.environments / ("0" * 20)
    old.mkdir(parents=True)
    note = old.with_suffix(".json")
    note.write_text('{"links": []}')
    assert shop.run("tidy").out == ""
    os.utime(note, (1, 1))
    assert shop.run("tidy", "--dry-run").out == f"would remove the environment {old}\n"
    assert shop.run("tidy").out == f"removed the environment {old}\n"
    assert not old.exists() and not note.exists()


def test_recover_says_what_it_did(shop: Shop) -> None:
    assert shop.run("recover", "--dry-run").out == "Nothing to recover.\n"
    assert shop.run("recover", "--json").json == []
    with Journal(shop.layout.journal) as journal:
        journal.note(what="test")
    with shop.layout.journal.open("ab") as file:
        file.write(b"0123456789abcdef {half a rec")
    before = shop.layout.journal.read_bytes()
    assert "would cut off a record" in shop.run("recover", "--dry-run").out
    assert shop.layout.journal.read_bytes() == before
    assert shop.run("recover").out.startswith("journal cut: ")
    assert shop.run("recover").out == "Nothing to recover.\n"


def test_recover_says_what_a_damaged_journal_still_holds(shop: Shop) -> None:
    head = shop.checkout.git("rev-parse", "HEAD")
    begun = {"target": "refs/heads/main", "tasks": [["t1", 1, head], ["t2", 1, "0" * 40]]}
    with Journal(shop.layout.journal) as journal:
        journal.note(what="test")
        journal.begin("op1", begun)
    path = shop.layout.journal
    path.write_bytes(path.read_bytes().replace(b'"what"', b'"whot"'))
    done = shop.run("recover")
    assert done.code == 5 and f"mv {path} {path}.damaged" in done.err
    assert f"under way: t1, whose commit {head} is on the target" in done.out
    assert f"under way: t2, whose commit {'0' * 40} is not on the target" in done.out
    path.rename(f"{path}.damaged")
    assert shop.run("recover").out == "Nothing to recover.\n"


def test_what_stands_where_a_directory_must_be_is_named(shop: Shop) -> None:
    shop.checkout.write({"tasks": "a file"})
    done = shop.run("run", "--once")
    assert done.code == 5 and "tasks is in the way" in done.err


def test_recover_leaves_a_running_daemon_alone(shop: Shop) -> None:
    lock = Lock(shop.layout.lock)
    lock.acquire(f"pid {os.getpid()}")
    done = shop.run("recover")
    lock.release()
    assert done.code == 5 and f"is held by pid {os.getpid()}" in done.err


def test_agents_are_listed_also_broken_ones(shop: Shop) -> None:
    shop.checkout.write(
        {
            "prompts/mine.md": "---\ndescription: Mine.\nmodel: a/b\nscope: [src/**]\n---\nGo.\n",
            "prompts/broken.md": "---\nscope: 7\n---\nDo it.\n",
        }
    )
    rows = {row["name"]: row for row in shop.run("agents", "--json").json}
    assert {name for name, row in rows.items() if "error" in row} == {"broken"}
    assert {"coder", "fixer", "tester", "mine"} <= set(rows)
    assert (rows["mine"]["model"], rows["mine"]["scope"]) == ("a/b", ["src/**"])
    assert "scope" in rows["broken"]["error"]
    assert "Mine." in shop.run("agents").out
    one = shop.run("agents", "mine")
    assert one.code == 0 and one.out.endswith("\nGo.\n")
    assert shop.run("agents", "broken").code == 2
    assert "did you mean 'coder'" in shop.run("agents", "codr").err


def test_config_says_where_each_value_came_from(shop: Shop) -> None:
    shop.checkout.write({"aifactory.toml": "[gate]\ntimeout = 5\n"})
    shop.environ["AIFACTORY_MODEL"] = "a/b"
    rows = {row["key"]: row for row in shop.run("config", "show", "--json").json}
    assert (rows["gate.timeout"]["value"], rows["gate.timeout"]["origin"]) == (5, "aifactory.toml")
    assert (rows["model.default"]["value"], rows["model.default"]["origin"]) == (
        "a/b",
        "AIFACTORY_MODEL",
    )
    assert rows["run.jobs"]["origin"] == "default"
    assert "gate.timeout" in shop.run("config", "show").out
    assert shop.run("config").out == shop.run("config", "show").out
    shop.checkout.write({"aifactory.toml": "[gate]\ntimeuot = 5\n"})
    done = shop.run("config", "show")
    assert done.code == 2 and "timeout" in done.err and "timeuot" in done.err


def test_schema_is_printed_as_it_ships(shop: Shop) -> None:
    assert "task" in shop.run("schema").out.split()
    assert "task" in shop.run("schema", "--json").json
    assert shop.run("schema", "task").json["$schema"].endswith("2020-12/schema")
    done = shop.run("schema", "taks")
    assert (done.code, done.out) == (2, "") and "did you mean 'task'" in done.err
