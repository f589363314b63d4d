"""An agent is a file: what loads, what does not, and what stays in use meanwhile."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from aifactory import git
from aifactory.errors import UnknownAgent
from aifactory.layout import Layout, shipped
from aifactory.model import sha256
from aifactory.prompts import BrokenPrompt, Prompts, committed, fence, parse
from tests.conftest import Checkout

GOOD = "---\ndescription: greets\nmodel: scripted/a.json\nscope: [src/**]\n---\nHello {{ name }}\n"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    (tmp_path / "prompts").mkdir()
    return Layout(tmp_path, tmp_path / ".git")


def test_a_prompt_is_settings_and_a_template(layout: Layout) -> None:
    (layout.prompts / "greeter.md").write_text(GOOD)
    prompt = Prompts(layout).load("greeter")
    assert prompt.settings.model == "scripted/a.json"
    assert prompt.settings.scope == ("src/**",)
    assert prompt.sha256 == sha256(GOOD.encode())
    assert prompt.render(name="Ada") == "Hello Ada\n"


def test_what_a_template_does_not_know_is_an_error_not_an_empty_text(layout: Layout) -> None:
    prompt = parse("a", Path("a.md"), GOOD.encode())
    with pytest.raises(BrokenPrompt, match="name"):
        prompt.render()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("---\nmodell: x\n---\nhi\n", "modell"),
        ("---\n: [\n---\nhi\n", "YAML"),
        ("{% if %}", "line 1"),
        ("---\nmodel: x\n---\n  \n", "empty"),
        ("---\nscope: 5\n---\nhi\n", "scope"),
    ],
)
def test_a_broken_file_says_where(text: str, said: str) -> None:
    with pytest.raises(BrokenPrompt, match=said):
        parse("a", Path("a.md"), text.encode())


def test_after_a_restart_the_last_good_version_is_the_committed_one(checkout: Checkout) -> None:
    checkout.commit({"prompts/greeter.md": GOOD})
    checkout.commit({"prompts/greeter.md": "{% for %}"})
    checkout.write({"prompts/greeter.md": "{% if %}", "prompts/new.md": "{% if %}"})
    told = []
    with closing(git.discover(checkout.root)) as repository:
        place = Layout(repository.root, repository.git_dir)
        earlier = partial(committed, repository)
        prompts = Prompts(place, lambda name, why: told.append(why), earlier)
        assert prompts.load("greeter").render(name="Ada") == "Hello Ada\n"
        with pytest.raises(BrokenPrompt):
            prompts.load("new")
    assert "last good version" in told[0]


def test_a_broken_edit_leaves_the_last_good_version_in_use(layout: Layout) -> None:
    path, told = layout.prompts / "greeter.md", []
    path.write_text(GOOD)
    prompts = Prompts(layout, lambda name, why: told.append((name, why)))
    prompts.load("greeter")
    path.write_text("{% for %}")
    assert prompts.load("greeter").render(name="Ada") == "Hello Ada\n"
    assert told and told[0][0] == "greeter" and "last good version" in told[0][1]
    path.write_text(GOOD.replace("Hello", "Good day"))
    assert prompts.load("greeter").render(name="Ada") == "Good day Ada\n"


@pytest.mark.parametrize(
    "attack",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ name.__init__.__globals__ }}",
        "{{ cycler.__init__.__globals__.os }}",
    ],
)
def test_a_template_reaches_nothing_but_its_values(attack: str) -> None:
    with pytest.raises(BrokenPrompt):
        parse("a", Path("a.md"), attack.encode()).render(name="x")


def test_an_included_part_counts_for_the_hash(layout: Layout) -> None:
    (layout.prompts / "greeter.md").write_text('{% include "_name.md" %}!')
    (layout.prompts / "_name.md").write_text("Hello {{ name }}")
    before = Prompts(layout).load("greeter")
    assert before.render(name="Ada") == "Hello Ada!"
    (layout.prompts / "_name.md").write_text("Good day {{ name }}")
    after = Prompts(layout).load("greeter")
    assert after.render(name="Ada") == "Good day Ada!" and after.sha256 != before.sha256
    assert "_name" not in Prompts(layout).names()


def test_an_included_part_that_is_not_there_is_said_by_name(layout: Layout) -> None:
    (layout.prompts / "greeter.md").write_text('{% include "../secret.md" %}')
    with pytest.raises(BrokenPrompt, match=r"\.\./secret"):
        Prompts(layout).load("greeter")


def test_an_unknown_agent_names_the_nearest(layout: Layout) -> None:
    with pytest.raises(UnknownAgent, match="did you mean 'coder'"):
        Prompts(layout).load("codr")
    with pytest.raises(UnknownAgent):
        Prompts(layout).load("../etc/passwd")


def test_every_agent_that_ships_loads(layout: Layout) -> None:
    names = Prompts(layout).names()
    assert {"coder", "fixer", "tester", "reviewer", "planner"} <= set(names)
    assert all(Prompts(layout).load(name).settings.description for name in names)
    assert len(names) == len(list(shipped("prompts").glob("[!_]*.md"))) >= 12


def test_a_fence_is_longer_than_any_in_its_text() -> None:
    assert fence("no fence") == "```"
    assert fence("a ```` b") == "`````"
