"""What a model is shown, and what becomes of its answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing

import pytest

from aifactory import edits, git
from aifactory.agents import FakeWays, OneShot, Question, Turn
from aifactory.errors import AnswerUnusable, EditRefused
from aifactory.layout import Layout
from aifactory.model import Proposal, Task, sha256
from aifactory.prompts import Prompts
from aifactory.tree import GitTree
from tests.conftest import Checkout

FILES = {"a.py": "A = 1\n", "b.md": "```\nfenced\n```\n", "run.sh": "#!/bin/sh\n", "c/d.py": "D\n"}


@pytest.fixture
def propose(
    make_checkout: Callable[..., Checkout],
) -> Callable[..., tuple[Proposal, Question]]:
    """`propose(task, answer)` gives the proposal and the question that was asked."""
    checkout = make_checkout(files=FILES)
    (checkout.root / "run.sh").chmod(0o755)
    base = checkout.commit({}, "make it run")

    def run(task: Task, answer: str, *history: Turn) -> tuple[Proposal, Question]:
        repository = git.discover(checkout.root)
        ways = FakeWays([answer])
        agent = OneShot(Prompts(Layout(repository.root, repository.git_dir)).load("coder"))
        tree = GitTree(repository, base)
        try:
            return agent.propose(ways.job(task, tree, *history)), ways.questions[0]
        finally:
            repository.close()

    return run


def test_the_prompt_shows_the_task_the_files_and_their_hashes(
    propose: Callable[..., tuple[Proposal, Question]],
) -> None:
    task = Task(
        task_id="t1",
        description="Change a",
        files=("a.py", "new.py"),
        context_files=("c/**",),
        forbidden=("Keep it short",),
        acceptance_commands=("pytest -q",),
        inputs={"größe": [3]},
    )
    _, question = propose(task, "```python:a.py\nA = 2\n```")
    text = str(question.messages[-1]["content"])
    for line in ("TASK-ID: t1", "Change a", "- Keep it short", "- `pytest -q`", "A = 1", "D"):
        assert line in text.splitlines()
    assert '{\n  "größe": [\n    3\n  ]\n}\n' in text
    assert sha256(b"A = 1\n") in text
    assert f"(does not exist yet; sha256 {sha256(b'')})" in text
    assert "fenced" not in text and "b.md" in text.splitlines()


def test_an_answer_becomes_changes_with_their_base_and_mode(
    propose: Callable[..., tuple[Proposal, Question]],
) -> None:
    task = Task(task_id="t1", description="d")
    answer = "```sh:run.sh\n#!/bin/sh\ntrue\n```\n```text:new.txt\nn\n```"
    proposal, _ = propose(task, answer)
    by_path = {change.path: change for change in proposal.changes}
    assert by_path["run.sh"].mode == "100755"
    assert by_path["run.sh"].base_sha256 == sha256(b"#!/bin/sh\n")
    assert by_path["new.txt"].base_sha256 is None
    assert by_path["new.txt"].content == b"n\n"


def test_earlier_attempts_are_turns_of_the_talk(
    propose: Callable[..., tuple[Proposal, Question]],
) -> None:
    task = Task(task_id="t1", description="d")
    turns = (Turn(1, "first answer", "it was red"), Turn(2, "", "cut off"))
    _, question = propose(task, "```python:a.py\nA = 2\n```", *turns)
    roles = [message["role"] for message in question.messages]
    assert roles == ["system", "user", "assistant", "user", "assistant", "user"]
    assert question.messages[2]["content"] == "first answer"
    assert "it was red" in question.messages[3]["content"]
    assert question.messages[4]["content"] == "(no answer)"


def test_prose_is_no_answer(propose: Callable[..., tuple[Proposal, Question]]) -> None:
    with pytest.raises(AnswerUnusable):
        propose(Task(task_id="t1", description="d"), "I would change a.py.")


EXAMPLES = {
    "search_replace": 'print("as it is")\n',
    "udiff": 'import sys\nprint("as it is")\n',
    "v4a": 'def main():\n    import sys\n    print("as it is")\n',
    "json": 'print("as it is")\n',
    "whole": "",
    "auto": "",
}


@pytest.mark.parametrize("answer", EXAMPLES)
def test_the_prompt_shows_an_answer_in_the_format_that_the_agent_asks_for(
    make_checkout: Callable[..., Checkout], answer: str
) -> None:
    agent = f"---\nanswer: {answer}\n---\n{{% include '_answer.md' %}}\n"
    checkout = make_checkout(files={"prompts/own.md": agent, "src/example.py": EXAMPLES[answer]})
    ways = FakeWays(["nothing"])
    with closing(git.discover(checkout.root)) as repository:
        prompt = Prompts(Layout(repository.root, repository.git_dir)).load("own")
        job = ways.job(Task(task_id="t1", description="d"), GitTree(repository, "HEAD"))
        with pytest.raises(AnswerUnusable):
            OneShot(prompt).propose(job)
    told = str(ways.questions[0].messages[-1]["content"])
    files = {"src/example.py": EXAMPLES[answer].encode(), "src/old.py": b"", "src/a.py": b"a\n"}
    shown = edits.parse(told, format="whole" if answer == "auto" else answer)
    changed = edits.apply(shown, edits.MemoryTree(files))
    assert shown.format == ("whole" if answer == "auto" else answer)
    assert changed["src/example.py"] and changed["src/example.py"] != files["src/example.py"]
    assert ("are read as well" in told) is (answer == "auto")


SECRET = "HOST=here\nPASSWORD=hunter2-of-ours\n"


@pytest.mark.parametrize("path", [".env", "./.env", ".ENV", "a/.env"])
def test_a_refusal_tells_nothing_of_a_file_that_no_model_is_shown(
    make_checkout: Callable[..., Checkout], path: str
) -> None:
    checkout = make_checkout(files={".env": SECRET, "app.py": "A = 1\n"})
    block = "<<<<<<< SEARCH\nHOST=there\nPASSWORD=x\n=======\nHOST=b\n>>>>>>> REPLACE"
    renamed = [
        {"op": "rename", "path": path, "to": "app.txt"},
        {"op": "replace", "path": "app.txt", "old": "PASSWORD=x\n", "new": ""},
    ]
    for answer in (f"{path}\n```\n{block}\n```\n", json.dumps({"edits": renamed})):
        with closing(git.discover(checkout.root)) as repository:
            prompt = Prompts(Layout(repository.root, repository.git_dir)).load("coder")
            job = FakeWays([answer]).job(
                Task(task_id="t1", description="d"), GitTree(repository, "HEAD")
            )
            with pytest.raises(EditRefused) as refusal:
                OneShot(prompt).propose(job)
        told = refusal.value.message + refusal.value.evidence + refusal.value.next_step
        assert ".env" in told.casefold() and "hunter2" not in told
