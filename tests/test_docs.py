"""The docs say what the code does: written pages are current, links and commands exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from aifactory import intake
from aifactory.cli.app import app

ROOT = Path(__file__).resolve().parent.parent
TRACKED = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True).split("\0")
PAGES = [name for name in TRACKED if name.endswith(".md") and not name.startswith("prompts/")]
TASKS = [name for name in TRACKED if re.fullmatch(r"examples/.*\.json", name)]


def text_of(page: str) -> str:
    return (ROOT / page).read_text()


def commands() -> set[str]:
    """The first words that `aifactory` takes, as its help lists them."""
    return set(typer.main.get_command(app).commands)


def test_written_pages_are_current() -> None:
    done = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", text_of(page))
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not ((ROOT / page).parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_commands_exist(page: str) -> None:
    text = text_of(page)
    named = re.findall(r"(?:`|^ {4}|\$ )aifactory ([a-z-]+)\b(?!\s+v?\d)", text, re.MULTILINE)
    assert set(named) - commands() == set()
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"(?:`|^ {4}|\$ )make ([a-z]+)", text, re.MULTILINE)) <= set(targets)


@pytest.mark.parametrize("name", [name for name in TASKS if "answers" not in name])
def test_examples_are_valid_tasks(name: str) -> None:
    task = intake.read(ROOT / name)
    assert task.description


def test_index_lists_every_page() -> None:
    folder = ROOT / "docs"
    pages = {str(page.relative_to(folder)) for page in folder.rglob("*.md")}
    assert pages - {"index.md"} <= set(re.findall(r"\]\(([^)]+)\)", text_of("docs/index.md")))
