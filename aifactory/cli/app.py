"""The list of commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from aifactory import __version__
from aifactory.cli import budget, config, prompts, sandbox
from aifactory.cli.add import add
from aifactory.cli.agents import agents
from aifactory.cli.artifacts import artifacts
from aifactory.cli.decide import answer, approve, cancel, reject, retry
from aifactory.cli.demo import demo
from aifactory.cli.diff import diff
from aifactory.cli.doctor import doctor
from aifactory.cli.init import init
from aifactory.cli.keys import keys
from aifactory.cli.logs import logs
from aifactory.cli.recover import recover
from aifactory.cli.rehearse import rehearse
from aifactory.cli.replay import replay
from aifactory.cli.report import report
from aifactory.cli.revert import revert
from aifactory.cli.run import run
from aifactory.cli.schema import schema
from aifactory.cli.security_scan import security_scan
from aifactory.cli.show import show
from aifactory.cli.status import status
from aifactory.cli.tidy import tidy
from aifactory.cli.wait import wait
from aifactory.cli.watch import watch

EXAMPLES = """Examples:

\b
  aifactory init                     prepare the repository you are in
  aifactory doctor                   is everything there that is needed?
  aifactory add "Fix the parser" --file src/parser.py --accept "pytest -q"
  aifactory run                      start the daemon
  aifactory status                   what every task is doing
  aifactory show TASK                why it is where it is

Exit codes: 0 ok, 1 work failed, 2 usage, 3 a bug, 4 credentials, 5 environment, 6 limit, 8 pending,
130 interrupted."""

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXAMPLES,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"aifactory {__version__}")
        raise typer.Exit


@app.callback(epilog=EXAMPLES)
def aifactory(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Software that writes software, unattended: task files in, verified commits out."""


READS = ("list", "show")


class WithDefault(TyperGroup):
    """A family in which the member that reads is meant where no other one is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        named = args and (args[0] in self.commands or args[0] in ctx.help_option_names)
        meant = next(name for name in READS if name in self.commands)
        return super().parse_args(ctx, args if named else [meant, *args])


PLAIN: tuple[Callable[..., object], ...] = (
    init, doctor, demo, add, run, status, watch, wait, show, logs, diff, artifacts, report,
    approve, reject, answer, cancel, retry, revert, replay, rehearse, tidy, recover, schema,
    security_scan,
)  # fmt: skip
FAMILIES: dict[str, tuple[str, dict[str, Callable[..., object]]]] = {
    "agents": (
        "Who can do work here. `aifactory agents NAME` shows one.",
        {
            "list": agents,
            "keys": keys,
        },
    ),
    "budget": ("What may be spent, and what is.", {"list": budget.budgets, "free": budget.free}),
    "prompts": (
        "What an edit of an agent's file changes.",
        {"diff": prompts.diff, "test": prompts.test, "compare": prompts.compare},
    ),
    "config": ("The settings.", {"show": config.show}),
    "sandbox": ("The cage that commands run in.", {"exec": sandbox.execute}),
}
for command in PLAIN:
    app.command()(command)
for family, (help_text, members) in FAMILIES.items():
    kind = WithDefault if members.keys() & set(READS) else TyperGroup
    group = typer.Typer(cls=kind, no_args_is_help=True, rich_markup_mode=None, help=help_text)
    for name, member in members.items():
        group.command(name)(member)
    app.add_typer(group, name=family)
