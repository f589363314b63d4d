"""`aifactory demo`: the whole job on an embedded repository, without a key and without network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aifactory.cli.options import DryRun
from aifactory.errors import AttemptFailed, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aifactory.git import Repository
    from aifactory.model import Record

REMEDY = "name a directory that is new or empty"
REFUSED = 1  # what `run --once` ends with when a task failed, as one of the demo's does
AUTHOR = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "you"), ("EMAIL", "you@localhost"))
}
LOG_FORMAT = "--format=%h  %<(5)%an  %s"

Directory = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Where to make the repository; default: a new directory."),
]


def demo(dir: Directory = None, dry_run: DryRun = False) -> int:
    """Show the main job: five tasks, answers from a file, real gates in the sandbox, commits."""
    import sys

    from aifactory.cli.output import note
    from aifactory.cli.run import run

    if dry_run:
        return _foretell(dir)
    _forget_settings()
    root = _place(dir)
    repository = _repository(root)
    try:
        note(f"A small library with failing tests, and five tasks for it: {root}")
        note("The answers come from a file: no key, no network, no cost. All else is real.\n")
        code = run(root, once=True, log_format=None if sys.stderr.isatty() else "console")
        return _tell(repository) if code in (0, REFUSED) else code
    finally:
        repository.close()


def _foretell(dir: Path | None) -> int:
    """What would be made and run, and where."""
    import tempfile

    from aifactory.cli.output import say
    from aifactory.layout import shipped

    _check_place(dir)
    where = dir.resolve() if dir else Path(tempfile.gettempdir()) / "aifactory-demo-..."
    tasks = sorted((shipped("examples") / "demo" / "tasks").glob("*.json"))
    say(f"would make a repository in {where}, and work on {len(tasks)} tasks there:")
    for task in tasks:
        say(f"  {task.stem}")
    return 0


def _forget_settings() -> None:
    """The user's settings are not the demo's: a model that they name would have to be paid."""
    import os

    for name in [name for name in os.environ if name.startswith("AIFACTORY_")]:
        if name != "AIFACTORY_CACHE_DIR":
            del os.environ[name]
    os.environ["XDG_CONFIG_HOME"] = os.devnull


def _place(dir: Path | None) -> Path:
    """A directory that is empty. InvalidInput where there is something already."""
    import tempfile

    if dir is None:
        return Path(tempfile.mkdtemp(prefix="aifactory-demo-")).resolve()
    _check_place(dir)
    try:
        dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(f"{dir}: {error.strerror}", next_step=REMEDY) from error
    return dir.resolve()


def _check_place(dir: Path | None) -> None:
    if dir is None or not dir.exists():
        return
    try:
        empty = not any(dir.iterdir())
    except OSError as error:
        raise InvalidInput(f"{dir}: {error.strerror}", next_step=REMEDY) from error
    if not empty:
        raise InvalidInput(f"{dir} is not empty", next_step=REMEDY)


def _repository(root: Path) -> Repository:
    """The demo's files as a repository with one commit."""
    import shutil

    from aifactory.git import Repository
    from aifactory.layout import shipped

    unwanted = shutil.ignore_patterns("__pycache__", ".*_cache")
    shutil.copytree(shipped("examples") / "demo", root, ignore=unwanted, dirs_exist_ok=True)
    repository = Repository(root, root / ".git")
    repository.run("init", "--quiet")
    repository.run("add", "--all")
    message = "A library with failing tests, and work for a factory"
    repository.run("commit", "--quiet", "--message", message, env=AUTHOR)
    return repository


def _tell(repository: Repository) -> int:
    """What came of it, and what to type next. Fails where it is not what the demo should show."""
    from aifactory.ledger import Ledger
    from aifactory.model import State

    records = Ledger(repository).records()
    _print_log(repository)
    _print_spent(records)
    _print_refused(records)
    _print_next(repository.root)
    done = sum(record.state is State.DONE for record in records)
    if (done, len(records)) != (4, 5):
        raise AttemptFailed(
            f"{done} of {len(records)} tasks are done, and 4 of 5 should be",
            next_step=f"`aifactory status --repo {repository.root}` says why",
        )
    return 0


def _print_log(repository: Repository) -> None:
    from aifactory.cli.output import paint

    out = repository.run("log", LOG_FORMAT)
    print(f"\n{paint('$ git log', 'bold')}\n{out.decode()}")


def _print_spent(records: Sequence[Record]) -> None:
    from aifactory import report
    from aifactory.narration import money

    sums = report.totals(records)
    tokens = sums["tokens"]
    print(
        f"Cost: {money(sums['cost_usd'])} for {tokens['prompt']} tokens in and "
        f"{tokens['completion']} out, as a model would have counted them.\n"
    )


def _print_refused(records: Sequence[Record]) -> None:
    from aifactory.cli.output import paint

    for record in records:
        if record.failure and record.state != "done":
            heading = f"Not landed: {record.task_id} ({record.failure.failure_class})"
            print(f"{paint(heading, 'yellow')}\n{record.failure.message}\n")


def _print_next(root: Path) -> None:
    import shlex

    print(f"Next:\n  cd {shlex.quote(str(root))}")
    print(f"  {_program()} status\n  {_program()} show split-a-bill")


def _program() -> str:
    """How this program is called from a shell: by its name, where that means this one."""
    import shlex
    import shutil
    import sys

    own = Path(sys.executable).with_name("aifactory")
    found = shutil.which("aifactory")
    return "aifactory" if found and Path(found).resolve() == own else shlex.quote(str(own))
