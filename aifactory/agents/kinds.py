"""Kinds of agents: those that ship and those of plugins, all through the same door."""

from __future__ import annotations

import difflib
import importlib.util
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Protocol

from aifactory.agents.base import Agent, Job
from aifactory.errors import AifactoryError, FailureClass, InvalidInput
from aifactory.model import Proposal, sha256
from aifactory.prompts import BrokenPrompt, Prompt, Prompts, Settings
from aifactory.settings import Agents

PROTOCOL = 1
GROUP = "aifactory.agents"
TOOLS = "tools"
SHIPPED = {
    "model": "one_shot:OneShot",
    TOOLS: "tool_loop:ToolLoop",
    "handoff": "handoff:Handoff",
    "recipe": "recipe:Recipe",
    "revert": "revert:Revert",
    "wrapped": "wrapped:Wrapped",
}


class BrokenPlugin(InvalidInput):
    failure_class = FailureClass.UNKNOWN_AGENT
    remedy = "mend or remove the plugin; `aifactory agents` shows what loads"


class Kind(Protocol):
    """What a plugin gives: called with an agent's file, it makes the agent."""

    protocol: int

    def __call__(self, prompt: Prompt) -> Agent: ...


@dataclass(frozen=True)
class Source:
    """Where a kind comes from. `refused`: why it is not loaded at all. `code` gives the files that
    a loaded one is made of, none for what ships."""

    name: str
    origin: str
    load: Callable[[], Any]
    refused: str = ""
    code: Callable[[Any], Iterable[Path]] = lambda kind: ()


@dataclass(frozen=True)
class Loaded:
    """A kind, and the hash of its code as it was then; "" for what ships."""

    kind: Kind
    sha256: str


class Kinds:
    """The kinds that can be had here. A plugin is loaded when it is first needed, then kept."""

    def __init__(self, folder: Path | None = None, *, trusted: bool = False) -> None:
        """`folder` holds a repository's own plugins, which are loaded where it is `trusted`."""
        own = list(_in_folder(folder, trusted)) if folder else []
        self._shipped = {source.name: source for source in _shipped()}
        self._plugins = [*_installed(), *own]
        self._load = cache(_load)

    @classmethod
    def of(cls, settings: Agents, root: Path) -> Kinds:
        """The kinds of a repository. Its own plugins are trusted by their user, never by itself."""
        if settings.plugins is None:
            return cls()
        return cls(root / settings.plugins, trusted=str(root) in settings.trusted)

    def names(self) -> list[str]:
        """The names of plugins, broken ones too."""
        return sorted({source.name for source in self._plugins})

    def problems(self) -> list[tuple[str, str]]:
        """Every plugin that cannot be used, by name, with the reason."""
        found = []
        for source in self._plugins:
            try:
                self._check(source)
            except BrokenPlugin as error:
                found.append((source.name, error.message))
        return found

    def kind(self, name: str) -> Loaded:
        """The kind of that name; BrokenPlugin where there is none that can be used."""
        if source := self._shipped.get(name):
            return self._load(source)
        for source in self._plugins:
            if source.name == name:
                return self._check(source)
        near = difflib.get_close_matches(name, [*self._shipped, *self.names()], 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise BrokenPlugin(f"there is no kind of agent {name!r}{hint}")

    def _check(self, source: Source) -> Loaded:
        same = [self._shipped.get(source.name), *self._plugins]
        origins = [one.origin for one in same if one and one.name == source.name]
        if len(origins) > 1:
            raise BrokenPlugin(f"the kind {source.name!r} is given by {' and by '.join(origins)}")
        return self._load(source)


def _shipped() -> Iterator[Source]:
    for name, place in SHIPPED.items():
        entry = EntryPoint(name, f"aifactory.agents.{place}", GROUP)
        yield Source(name, "aifactory", entry.load)


def _installed() -> Iterator[Source]:
    for entry in entry_points(group=GROUP):
        origin = f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value
        yield Source(entry.name, origin, entry.load, code=_package)


def _package(kind: Any) -> Iterable[Path]:
    """The Python files of the package that a kind is of."""
    top = sys.modules.get(str(getattr(kind, "__module__", "")).partition(".")[0])
    if top is None:
        return []
    if folders := getattr(top, "__path__", ()):
        return [file for folder in folders for file in Path(folder).rglob("*.py")]
    return [Path(top.__file__)] if top.__file__ else []


def _in_folder(folder: Path, trusted: bool) -> Iterator[Source]:
    why = f"{folder} is not trusted: add the repository to [agents] trusted of your own file"
    for path in sorted(folder.glob("[!_]*.py")):
        load, refused = partial(_run, path), "" if trusted else why
        yield Source(path.stem, str(path), load, refused, lambda kind: folder.rglob("*.py"))


def _run(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"aifactory_plugin_{path.stem}", path)
    assert spec and spec.loader, path
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Agent


def _load(source: Source) -> Loaded:
    told = f"plugin {source.name!r} of {source.origin}"
    if source.refused:
        raise BrokenPlugin(f"{told}: {source.refused}")
    try:
        kind: Kind = source.load()
    except (Exception, SystemExit) as error:  # whatever a plugin does when it is imported
        said = f"{type(error).__name__}: {error}"
        raise BrokenPlugin(f"{told} does not load: {said}") from error
    if (version := getattr(kind, "protocol", None)) != PROTOCOL:
        raise BrokenPlugin(f"{told} speaks protocol {version}, this aifactory {PROTOCOL}")
    if not callable(kind) or not callable(getattr(kind, "propose", None)):
        raise BrokenPlugin(f"{told} is no class with a method `propose`")
    hashes = [sha256(path.read_bytes()) for path in sorted(source.code(kind))]
    return Loaded(kind, sha256("".join(hashes).encode()) if hashes else "")


def find(name: str, prompts: Prompts, kinds: Kinds | None = None) -> Agent:
    """The agent of that name: its file, or a plugin of that name as it is.

    UnknownAgent names the nearest known one, BrokenPlugin says what is wrong with its kind.
    """
    kinds = kinds or Kinds()
    alone = name in kinds.names() and name not in prompts.names()
    file = bare(name) if alone else prompts.load(name)
    if file.settings.servers and file.settings.kind in SHIPPED.keys() - {TOOLS}:
        raise BrokenPrompt(f"{file.path}: front matter: only kind {TOOLS} has `servers`")
    loaded = kinds.kind(file.settings.kind)
    prompt = pinned(file, loaded.sha256)
    try:
        agent = loaded.kind(prompt)
    except AifactoryError:
        raise
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        raise BrokenPlugin(f"agent {name!r} cannot be made: {said}") from error
    if not isinstance(getattr(agent, "scope", None), tuple) or agent.name != name:
        raise BrokenPlugin(f"agent {name!r} has no tuple `scope`, or another name")
    return agent


def pinned(prompt: Prompt, code: str) -> Prompt:
    """The prompt with a hash that is also that of a plugin's code: both make the agent."""
    digest = sha256(f"{prompt.sha256}\0{code}".encode())
    return replace(prompt, sha256=digest) if code else prompt


def bare(name: str) -> Prompt:
    """The file that a plugin has when there is none."""
    settings = Settings(description="a plugin without a file", kind=name)
    return Prompt(name, Path(f"{name}.md"), sha256(b""), settings, "")


def proposed(agent: Agent, job: Job) -> Proposal:
    """What the agent proposes. BrokenPlugin for what is none, or one of another attempt."""
    proposal = agent.propose(job)
    if not isinstance(proposal, Proposal):
        raise BrokenPlugin(f"{agent.name}: propose() gave {type(proposal).__name__}, no Proposal")
    wanted = {
        "task_id": job.task.task_id,
        "attempt": job.attempt,
        "agent": agent.name,
        "base": job.base,
    }
    wrong = [key for key, value in wanted.items() if getattr(proposal, key) != value]
    if wrong:
        raise BrokenPlugin(f"{agent.name}: the proposal has another {', '.join(wrong)}")
    return proposal
