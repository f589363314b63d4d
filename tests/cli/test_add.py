"""`aifactory add` and `aifactory init`: what they write, and that they never overwrite."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aifactory import intake
from aifactory.model import Condition, Task
from tests.cli.conftest import Shop


def files_of(root: Path) -> dict[str, bytes]:
    """Everything below a directory but what Git keeps."""
    paths = (path for path in root.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {str(path.relative_to(root)): path.read_bytes() for path in paths}


def test_words_and_options_make_a_task(shop: Shop) -> None:
    done = shop.run(
        *("add", "Fix the parser's\nerror ☃", "--file", "src/**", "--file", "a.py"),
        *("--context", "README.md", "--agent", "nobody", "--depends-on", "other"),
        *("--accept", "pytest -q 'a b'", "--priority", "3", "--usd", "0.5", "--land", "approve"),
    )
    assert (done.code, done.out) == (0, "fix-the-parser-s-error\n")
    assert "wrote tasks/fix-the-parser-s-error.json" in done.err
    assert "there is no agent 'nobody' yet (known: " in done.err
    assert "depends on 'other', which does not exist yet" in done.err
    task = intake.read(shop.layout.tasks / "fix-the-parser-s-error.json")
    assert task == Task.model_validate(
        {
            "task_id": "fix-the-parser-s-error",
            "description": "Fix the parser's\nerror ☃",
            "files": ("src/**", "a.py"),
            "context_files": ("README.md",),
            "assignee": "nobody",
            "depends_on": ("other",),
            "acceptance_commands": ("pytest -q 'a b'",),
            "priority": 3,
            "budget": {"usd": 0.5},
            "land": "approve",
        }
    )


def test_the_same_words_twice_are_two_tasks(shop: Shop) -> None:
    assert shop.run("add", "Fix it").out == "fix-it\n"
    assert shop.run("add", "Fix it").out == "fix-it-2\n"
    assert shop.run("add", "☃").out == "task\n"
    assert shop.run("add", "Mend package.json").out == "mend-package-json\n"


def test_a_task_file_is_taken_as_it_is(shop: Shop) -> None:
    text = '{"id": "w1", "title": "W", "intent": "Do.", "allowed_files": ["a"],\n "postconditions":'
    text += ' [{"kind": "file_exists", "path": "a"}]}'
    (shop.home / "order.json").write_text(text)
    done = shop.run("add", str(shop.home / "order.json"))
    assert (done.code, done.out) == (0, "w1\n")
    written = shop.layout.tasks / "w1.json"
    assert written.read_text() == text
    assert intake.read(written).postconditions == (Condition(kind="file_exists", path="a"),)
    again = shop.run("add", "-", stdin=text)
    assert (again.code, again.out) == (0, "w1\n") and "w1 is there already" in again.err


def test_the_same_id_with_other_content_is_refused(shop: Shop) -> None:
    shop.put("t1")
    done = shop.run("add", "Something else", "--id", "t1")
    assert (done.code, done.out) == (2, "")
    assert "already, with other content" in done.err and "next: give it another id" in done.err
    assert not shop.layout.tasks.exists()


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("{", "tasks/the new task"),
        ('{"task_id": "x", "description": "y", "priority": []}', "priority"),
        ('{"task_id": "x", "description": "y", "files": ["../z"]}', "files[0]"),
    ],
)
def test_a_bad_task_is_explained_and_not_written(shop: Shop, document: str, said: str) -> None:
    done = shop.run("add", "-", "--json", stdin=document)
    assert (done.code, done.out) == (2, "")
    assert said in json.loads(done.err)["error"]["message"]
    assert not shop.layout.tasks.exists()


def test_dry_run_and_unreadable_files_write_nothing(shop: Shop) -> None:
    before = files_of(shop.checkout.root)
    done = shop.run("add", "Fix it", "--dry-run", "--json")
    assert done.json["task_id"] == "fix-it" and done.json["dry_run"] is True
    assert shop.run("add", "nothing.json").code == 2
    assert shop.run("add", "-", "--id", "x", stdin="{}").code == 2
    assert files_of(shop.checkout.root) == before


def test_init_writes_once_and_says_what(shop: Shop) -> None:
    (shop.checkout.root / "pyproject.toml").touch()
    dry = shop.run("init", "--dry-run")
    assert dry.out.splitlines() == [
        "would write  aifactory.toml",
        "would write  tasks/example.json.sample",
    ]
    assert not shop.layout.config.exists()
    done = shop.run("init")
    assert done.code == 0 and "aifactory doctor" in done.err
    text = shop.layout.config.read_text()
    assert '\ncommands = ["python -m pytest -q"]\n' in text
    assert intake.read(shop.layout.tasks / "example.json.sample").task_id == "example"
    shop.layout.config.write_text("# mine\n")
    assert shop.run("init").out.splitlines() == [
        "kept   aifactory.toml",
        "kept   tasks/example.json.sample",
    ]
    assert shop.layout.config.read_text() == "# mine\n"


def test_init_works_where_nothing_was_committed_yet(shop: Shop) -> None:
    fresh = shop.home / "fresh"
    shop.checkout.git("init", "--quiet", str(fresh))
    assert shop.run("init", cwd=fresh).code == 0
    assert shop.run("config", "show", cwd=fresh).code == 0
    assert shop.run("status", cwd=fresh).code == 0
    assert shop.run("init", cwd=shop.home).code == 5


def test_of_two_who_add_at_once_one_is_refused_and_nothing_is_overwritten(shop: Shop) -> None:
    first, second = (
        shop.start("add", words, "--id", "same") for words in ("One thing", "Another thing")
    )
    with first, second:
        heard = [process.communicate(timeout=60) for process in (first, second)]
    assert sorted(process.returncode for process in (first, second)) == [0, 2], heard
    refused = next(err for out, err in heard if not out)
    assert "same" in refused and "next:" in refused
    kept = "One thing" if first.returncode == 0 else "Another thing"
    assert json.loads((shop.layout.tasks / "same.json").read_text())["description"] == kept
