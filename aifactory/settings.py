"""What can be set, each with its meaning, unit and default. Where values come from: `config`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints
from pydantic.fields import FieldInfo

from aifactory.fields import (
    TOOLS,
    Amount,
    Count,
    Hosts,
    Percent,
    Positive,
    Section,
    ServerName,
    Text,
    Texts,
    Variable,
)
from aifactory.model import Budget, Value


class Price(Section):
    prompt: Amount = Field(description="US dollars for a million tokens of prompt.")
    completion: Amount = Field(description="US dollars for a million tokens of completion.")


class Model(Section):
    default: Text | None = Field(
        None, description="The model of agents that name none: a LiteLLM name, or scripted/<file>."
    )
    api_base: Text | None = Field(None, description="Address of an OpenAI-compatible server.")
    fallbacks: Texts = Field((), description="Models tried in turn when the first cannot answer.")
    window: Count | None = Field(
        None, description="Most tokens of a prompt; unset: what LiteLLM's list says of the model."
    )
    seconds: Positive = Field(600.0, description="Wall-clock limit of one call, in seconds.")
    stall_seconds: Positive = Field(120.0, description="Longest silence in an answer, in seconds.")
    parameters: dict[str, Any] = Field({}, description="More for every call, such as temperature.")
    prices: dict[str, Price] = Field(
        {}, description="Prices by model, where no list knows them; without one it is not called."
    )


class Gate(Section):
    commands: Texts = Field((), description="Run in the sandbox on exactly what would land.")
    timeout: Positive = Field(600.0, description="Limit of one command, in seconds.")
    reviewer: Text | None = Field(
        None, description="The agent that reads what is green, with a model of another family."
    )
    held_out: Text | None = Field(
        None,
        description="Checks that no agent sees: a directory outside the repository, or a ref.",
    )
    keep: Texts = Field(
        (), description="Globs of new files that may stay from one command to the next: build/**."
    )
    security: Literal["off", "low", "medium", "high"] = Field(
        "high", description="From which severity on a new finding of the security scan is red."
    )


Level = Literal["off", "warn", "refuse"]


class Strength(Section):
    """What the owner asks of the proof that a change is good."""

    tests: Level = Field(
        "refuse", description="A test deleted, skipped or weakened by a task that does not name it."
    )
    machinery: Level = Field(
        "refuse", description="A change to how tests are run, or code that knows it is tested."
    )
    acceptance: Level = Field(
        "warn", description="Acceptance commands that all pass without the change, too."
    )
    new_tests: Level = Field(
        "warn", description="New tests that pass without the change that they came with."
    )
    coverage: Percent | None = Field(
        None, description="Changed Python statements that the checks must run, in percent."
    )
    mutation: Percent | None = Field(
        None, description="Mutants of changed functions that the checks must notice, in percent."
    )
    mutation_seconds: Positive = Field(120.0, description="Time for all mutants, in seconds.")


class Flakes(Section):
    days: Positive = Field(
        7.0, description="How long a test that was found flaky does not count, in days."
    )


class Agents(Section):
    default: Text = Field("coder", description="The agent of tasks that name none.")
    plugins: Annotated[str, StringConstraints(pattern=r"^\w[\w-]*(/\w[\w-]*)*$")] | None = Field(
        None, description="The directory of the repository's own plugins, used where trusted."
    )
    programs: Texts = Field(
        (), description="Where programs that agents wrap stand; only in the user's own file."
    )
    trusted: Texts = Field(
        (), description="Repositories whose plugins may run, by path; only in the user's own file."
    )


class Server(Section):
    """A program of the owner's that speaks the Model Context Protocol on its standard streams."""

    command: Annotated[tuple[Text, ...], Field(min_length=1, max_length=100)] = Field(
        description="The program and its arguments, without a shell."
    )
    environment: Annotated[tuple[Variable, ...], Field(max_length=100)] = Field(
        (), description="Names of variables of the daemon's that it gets."
    )
    hosts: Hosts = Field((), description="Hosts that it may reach by HTTPS.")
    seconds: Positive = Field(60.0, description="Limit of one request to it, in seconds.")


class Mcp(Section):
    servers: dict[ServerName, Server] = Field(
        {},
        description="Servers of the Model Context Protocol, by name: `command`, `environment`, "
        "`hosts`, `seconds`. A prompt file says which of them its agent may use.",
    )


class Land(Section):
    mode: Literal["auto", "approve", "branch", "pr"] = Field(
        "auto", description="How verified work lands, where the task does not say."
    )
    branch: Text | None = Field(
        None, description="The target branch; unset: the one checked out when the daemon started."
    )
    watch: Texts = Field(
        (),
        description="Run on what has landed; when it turns red, the commit to blame is taken back.",
    )
    sign: Literal["ssh", "gpg", "off"] | None = Field(
        None,
        description="What signs commits; unset: the key that `aifactory agents keys` made, if any.",
    )
    gpg_key: Text | None = Field(None, description="The key that signs where sign is gpg.")
    co_author: Literal["off", "Co-authored-by", "Assisted-by"] = Field(
        "off",
        description="The trailer that names the model. Never Signed-off-by: that is a person's.",
    )


class Forge(Section):
    """Where pull requests are opened, and when they are merged."""

    remote: Text = Field("origin", description="The Git remote that branches are pushed to.")
    repository: Annotated[str, StringConstraints(pattern=r"^[\w.-]+/[\w.-]+$")] | None = Field(
        None, description="owner/name on the forge; unset: as the remote's address says."
    )
    api_url: Text | None = Field(
        None, description="Address of the forge's API; unset: GitHub's for the remote's host."
    )
    token_variable: (
        Annotated[
            str, StringConstraints(pattern=r"^(?:[A-Za-z]\w*_)?(?:TOKEN|KEY|SECRET|PASSWORD)$")
        ]
        | None
    ) = Field(
        None,
        description="Where the token stands in the environment; unset: GITHUB_TOKEN for github.com,"
        " GH_ENTERPRISE_TOKEN for others. Only in the user's own file.",
    )
    prefix: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][\w.-]*/$")] = Field(
        "aifactory/", description="What the names of our branches begin with."
    )
    draft: bool = Field(True, description="Open as a draft, until all that belongs to it is there.")
    labels: Texts = Field((), description="Labels of every pull request.")
    reviewers: Texts = Field((), description="Who is asked for a review, by login.")
    checks: Texts = Field((), description="Checks that must be green besides the protected ones.")
    merge: Literal["manual", "auto"] = Field(
        "manual", description="Who merges what is green: a person, or the daemon."
    )
    method: Literal["merge", "squash", "rebase"] = Field(
        "squash", description="How the daemon merges."
    )
    remediations: Annotated[int, Field(ge=0, le=100)] = Field(
        3, description="How often red checks or a person's review go back to the agent."
    )
    poll_seconds: Positive = Field(30.0, description="Between two looks at a pull request.")
    grace_seconds: Amount = Field(
        60.0, description="How long a check may take to appear where none is required, in seconds."
    )
    follow: bool = Field(
        True, description="Move the local target branch along with the forge's, where it can."
    )


class Environment(Section):
    python: Text | None = Field(
        None, description="Interpreter of `python` commands; unset: .venv, else the daemon's."
    )
    install: Texts = Field(
        (), description="Commands that make .venv, node_modules or the like beside the lock files."
    )
    lock: Texts = Field(
        (), description="Files that say what is installed: built once for each state of them."
    )
    hosts: Hosts = Field((), description="Hosts that installing may reach by HTTPS: pypi.org.")
    timeout: Positive = Field(1800.0, description="Limit of one install command, in seconds.")
    disk_bytes: Count = Field(8 << 30, description="Most bytes that may be installed.")
    disk_files: Count = Field(400_000, description="Most files that may be installed.")


class Policy(Section):
    commands: Texts = Field(TOOLS, description="Programs that may run in the sandbox, by name.")
    protected: Texts = Field(
        (), description="More globs that only a task that names the file changes."
    )
    max_files: Count = Field(500, description="Most files that one proposal may change.")
    max_bytes: Count = Field(16 << 20, description="Most bytes that one proposal may write.")
    accept_weak_limits: bool = Field(
        False, description="Run unattended even where the kernel does not limit memory and disk."
    )


class Ceiling(Budget):
    """A hard stop, as the configuration gives it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    usd: Amount | None = Field(None, description="Most US dollars.")
    tokens: Annotated[int, Field(ge=0, le=10**15)] | None = Field(None, description="Most tokens.")
    seconds: Positive | None = Field(None, description="Most wall-clock seconds.")


class Budgets(Section):
    call: Ceiling = Ceiling()
    task: Ceiling = Ceiling()
    agent: Ceiling = Ceiling()
    day: Ceiling = Ceiling()
    run: Ceiling = Ceiling()


class Run(Section):
    jobs: Annotated[int, Field(ge=1, le=1000)] = Field(4, description="Tasks worked on at once.")
    log_format: Literal["console", "json"] | None = Field(
        None, description="Unset: console on a terminal, JSON lines otherwise."
    )


class Limits(Section):
    """The bounds of one command and all its processes, beside its time."""

    memory_bytes: Count = Field(2 << 30, description="Memory of all processes together.")
    processes: Count = Field(256, description="Processes at once.")
    file_bytes: Count = Field(256 << 20, description="Size of one file.")
    disk_bytes: Count = Field(512 << 20, description="What may be added to the workspace, bytes.")
    disk_files: Count = Field(12_000, description="What may be added to the workspace, files.")
    temporary_bytes: Count = Field(256 << 20, description="Size of /tmp, /dev/shm and the home.")
    open_files: Count = Field(1024, description="Open files of one process.")
    output_bytes: Count = Field(200_000, description="How much of the output is kept, in bytes.")
    output_cap: Count = Field(50_000_000, description="More output than this ends the command.")


class Sandbox(Section):
    backend: Literal["firejail", "bubblewrap"] | None = Field(
        None, description="Unset: firejail if it works here, else bubblewrap, else nothing runs."
    )
    limits: Limits = Limits()


class Settings(Value):
    """All the sections."""

    model: Model = Model()
    gate: Gate = Gate()
    strength: Strength = Strength()
    flakes: Flakes = Flakes()
    agents: Agents = Agents()
    mcp: Mcp = Mcp()
    land: Land = Land()
    forge: Forge = Forge()
    environment: Environment = Environment()
    policy: Policy = Policy()
    budget: Budgets = Budgets()
    run: Run = Run()
    sandbox: Sandbox = Sandbox()


@cache
def keys() -> Mapping[str, FieldInfo]:
    """Every key that can be set, in the order of the sections."""
    return {
        key: field for name in Settings.model_fields for key, field in _leaves(Settings, name, "")
    }


def _leaves(owner: type[Value], name: str, prefix: str) -> Iterator[tuple[str, FieldInfo]]:
    field = owner.model_fields[name]
    kind = field.annotation
    if isinstance(kind, type) and issubclass(kind, Value):
        for inner in kind.model_fields:
            yield from _leaves(kind, inner, f"{prefix}{name}.")
    elif prefix:  # what stands outside every section is no setting
        yield prefix + name, field
