"""The command line. Each command is a file; this is the only place that turns errors into exits."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import NoReturn

from aifactory.errors import AifactoryError, InvalidInput

EXIT_INTERRUPTED = 130


def main() -> NoReturn:
    """The console script: run the command of this process and exit with its code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command and give its exit code. Whatever goes wrong is told on stderr."""
    given = list(arguments)
    try:
        return _call(given)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except AifactoryError as error:
        return _tell(error, given)
    except Exception as error:
        from aifactory.cli.crash import defect
        from aifactory.enduring import of_machine

        return _tell(of_machine(error) or defect(error, given), given)


def _call(given: list[str]) -> int:
    import typer

    from aifactory.cli.app import app

    # Typer has its own copy of Click since 0.20: the base of a public class is right in both.
    usage_error: type[Exception] = typer.BadParameter.__mro__[1]
    try:
        code = app(given, prog_name="aifactory", standalone_mode=False)
    except typer.Abort:
        return EXIT_INTERRUPTED
    except usage_error as error:
        return _explain(error)
    return code if isinstance(code, int) else 0


def _explain(error: Exception) -> int:
    """Wrong usage as an error of ours; without any command the help is the answer."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "aifactory"
    message = getattr(error, "format_message", error.__str__)()
    if type(error).__name__ == "NoArgsIsHelpError":
        sys.stderr.write(f"{message}\n")
        return InvalidInput.exit_code
    raise InvalidInput(message, next_step=f"`{command} --help` shows what it takes") from error


def _tell(error: AifactoryError, given: Sequence[str]) -> int:
    from aifactory.narration import printable  # a message may quote a model or a file
    from aifactory.redaction import redacted

    message, next_step = redacted(error.message), redacted(error.next_step)
    if "--json" in given[: given.index("--")] if "--" in given else "--json" in given:
        fields = {"class": error.failure_class.value, "message": message}
        rest = {"next_step": next_step, "exit_code": error.exit_code}
        sys.stderr.write(json.dumps({"error": fields | rest}) + "\n")
        return error.exit_code
    sys.stderr.write(f"error: {printable(message)}\n")
    if next_step:
        sys.stderr.write(f"next: {printable(next_step)}\n")
    return error.exit_code
