"""An agent is a file: `prompts/<name>.md`, settings in front matter, then a Jinja template.

The file is read afresh for every attempt. An edit that does not load leaves the last good version
in use, after a restart the last good one that was committed, and says so. What several agents say
alike stands in files whose names begin with `_`; a template includes them, and they count for its
hash.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, ValidationError

from aifactory.errors import InvalidInput, UnknownAgent
from aifactory.git import Repository
from aifactory.layout import Layout, shipped
from aifactory.model import Budget, Value, sha256

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
LOOKED_BACK = 20  # commits of a file that are tried when it is broken
FRONT = re.compile(r"\A---\r?\n(.*?)^---\r?\n(.*)\Z", re.DOTALL | re.MULTILINE)

ServerGlob = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,23}(/[^/\s]+)?$")]


class BrokenPrompt(InvalidInput):
    remedy = "mend the prompt file; `aifactory agents` shows whether it loads"


class Settings(Value):
    """The front matter of a prompt file."""

    description: str = ""
    kind: str = "model"  # what does the work; a plugin may bring more
    options: Mapping[str, Any] = {}  # of a plugin
    model: str | None = None
    parameters: Mapping[str, Any] = {}
    scope: tuple[str, ...] = ()  # globs; empty: anything that the policy allows
    answer: Literal["auto", "whole", "search_replace", "udiff", "v4a", "json"] = "auto"
    system: str = ""
    budget: Budget = Budget()
    commands: tuple[str, ...] = ()  # of a recipe; of a wrapped program, one
    environment: Mapping[str, str] = {}  # of a wrapped program
    droppings: tuple[str, ...] = ()  # globs of new files of a wrapped program that are not taken
    steps: Annotated[int, Field(ge=1, le=1000)] = 50  # answers of one attempt with tools
    seconds: Annotated[float, Field(gt=0)] = 3600  # wall time of one attempt with tools
    servers: tuple[ServerGlob, ...] = ()  # MCP servers that tools come from


@dataclass(frozen=True)
class Prompt:
    """One version of an agent's file."""

    name: str
    path: Path
    sha256: str
    settings: Settings
    template: str
    partials: Mapping[str, str] = field(default_factory=dict)

    def render(self, **values: Any) -> str:
        """The text for the model; an unknown variable is an error, never an empty string."""
        import jinja2
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        environment = ImmutableSandboxedEnvironment(
            loader=jinja2.DictLoader(self.partials),
            undefined=jinja2.StrictUndefined,
            keep_trailing_newline=True,
            trim_blocks=True,
        )
        environment.filters |= {"fence": fence, "line": line}
        try:
            return environment.from_string(self.template).render(**values)
        except jinja2.TemplateError as error:
            raise BrokenPrompt(f"{self.path}: {error.message}") from error


def fence(text: str) -> str:
    """A run of backticks longer than any in the text, at least three."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    return "`" * max(3, longest + 1)


def line(text: str) -> str:
    """The text on one line, with what breaks lines or cannot be seen written as an escape."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def parse(name: str, path: Path, data: bytes, partials: Mapping[str, str] | None = None) -> Prompt:
    """Read one prompt file; BrokenPrompt says what is wrong and where.

    `partials` are the templates that it may include; those it does include are kept with it.
    """
    import yaml

    text = decoded(path, data)
    front, template = found.groups() if (found := FRONT.match(text)) else ("", text)
    try:
        settings = Settings.model_validate(yaml.safe_load(front) or {})
    except yaml.YAMLError as error:
        raise BrokenPrompt(f"{path}: front matter is not YAML: {error}") from error
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise BrokenPrompt(f"{path}: front matter: {'; '.join(problems)}") from error
    if not template.strip():
        raise BrokenPrompt(f"{path}: the template is empty")
    used = included(path, template, partials or {})
    digest = sha256(b"\0".join([data, *(used[one].encode() for one in sorted(used))]))
    return Prompt(name, path, digest, settings, template, used)


def decoded(path: Path, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise BrokenPrompt(f"{path}: not UTF-8 at byte {error.start}") from error


def included(path: Path, template: str, partials: Mapping[str, str]) -> dict[str, str]:
    """The partials that a template includes, and those that they include."""
    import jinja2
    from jinja2 import meta

    syntax = jinja2.Environment(autoescape=False)  # reads only; rendering has its sandbox
    used: dict[str, str] = {}
    todo = [template]
    try:
        while todo:
            for name in meta.find_referenced_templates(syntax.parse(todo.pop())):
                if name is None or name not in partials:
                    known = ", ".join(sorted(partials)) or "none"
                    raise BrokenPrompt(f"{path}: includes {name!r}, which is not here ({known})")
                if name not in used:
                    used[name] = partials[name]
                    todo.append(partials[name])
    except jinja2.TemplateSyntaxError as error:
        raise BrokenPrompt(f"{path}: template line {error.lineno}: {error.message}") from error
    return used


def committed(repository: Repository, path: Path) -> Iterator[bytes]:
    """The versions of a file of the checkout that its branch holds, the newest first."""
    if not path.is_relative_to(repository.root):
        return
    name = path.relative_to(repository.root).as_posix()
    found = repository.run(
        "log", f"--max-count={LOOKED_BACK}", "--format=%H", "HEAD", "--", name, ok=(0, 128)
    )
    for commit in found.decode().split():
        if (data := repository.blob(f"{commit}:{name}")) is not None:
            yield data


class Prompts:
    """The agents of a repository: its own `prompts/`, then those that ship with aifactory."""

    def __init__(
        self,
        layout: Layout,
        warn: Callable[[str, str], None] | None = None,
        earlier: Callable[[Path], Iterable[bytes]] = lambda path: (),
    ) -> None:
        """`earlier` gives the versions of a file that were committed, the newest first."""
        self._folders = (layout.prompts, shipped("prompts"))
        self._earlier = earlier
        self._good: dict[str, Prompt] = {}
        self._warn = warn or (lambda name, message: None)

    def names(self) -> list[str]:
        found = {path.stem for folder in self._folders for path in folder.glob("*.md")}
        return sorted(name for name in found if NAME.fullmatch(name) and name != "README")

    def load(self, name: str) -> Prompt:
        """The agent's file as it is now, or its last good version."""
        path = self._find(name)
        try:
            prompt = parse(name, path, path.read_bytes(), self._partials())
        except (BrokenPrompt, OSError) as error:
            good = self._good.get(name) or self._committed(name, path)
            if good is None:
                raise
            self._warn(name, f"{error}; the last good version stays in use")
            prompt = good
        self._good[name] = prompt
        return prompt

    def _committed(self, name: str, path: Path) -> Prompt | None:
        for data in self._earlier(path):
            with suppress(BrokenPrompt):
                return parse(name, path, data, self._partials())
        return None

    def reviewing(self, name: str) -> Prompt:
        """The agent with the question that every reviewer is asked, `_review.md`."""
        agent = self.load(name)
        template = self._partials()["_review.md"]
        digest = sha256(f"{agent.sha256}\0{template}".encode())
        return replace(agent, template=template, partials={}, sha256=digest)

    def _partials(self) -> dict[str, str]:
        """Every `_name.md`; the repository's own goes before the one that ships."""
        paths = (path for folder in reversed(self._folders) for path in folder.glob("_*.md"))
        return {path.name: decoded(path, path.read_bytes()) for path in paths}

    def _find(self, name: str) -> Path:
        if NAME.fullmatch(name):
            for folder in self._folders:
                if (path := folder / f"{name}.md").is_file():
                    return path
        near = difflib.get_close_matches(name, self.names(), 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise UnknownAgent(f"there is no agent {name!r}{hint} (known: {', '.join(self.names())})")
