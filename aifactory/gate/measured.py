"""How much of the change its checks run, and how much of it they would notice."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from aifactory.errors import FailureClass
from aifactory.gate import verify_script
from aifactory.gate.base import Room
from aifactory.gate.program import argv, ask
from aifactory.gate.testfiles import is_code
from aifactory.model import Verdict

MOST_SHOWN = 10
WEAK = FailureClass.WEAK_VERIFICATION


class Coverage:
    """So many percent of the changed statements are run by the commands of owner and task."""

    name = "changed-line coverage"

    def run(self, room: Room) -> Verdict | None:
        wanted, files = room.strength.coverage, changed_lines(room)
        if wanted is None or not room.base:
            return None
        if not files:
            return Verdict(check=self.name, ok=True, message="no Python statement changed")
        commands = _commands(room)
        request = {"files": list(files), "commands": commands}
        seconds = room.seconds * max(1, len(commands)) * 2
        found = ask(room, "coverage_lines", request, seconds, self.name)["files"]
        changed = {(path, line) for path, lines in files.items()
                   for line in lines & set(found[path]["statements"])}  # fmt: skip
        missed = sorted(one for one in changed if one[1] in found[one[0]]["missing"])
        percent = 100 * (1 - len(missed) / len(changed)) if changed else 100.0
        run, of = len(changed) - len(missed), len(changed)
        message = f"{run} of {of} changed statements are run, {percent:.0f} of {wanted:g} percent"
        shown = [f"{path}:{line} is not run by any check" for path, line in missed]
        return Verdict(
            check=self.name,
            ok=percent >= wanted,
            message=message,
            evidence="\n".join(shown[:MOST_SHOWN]),
            failure=WEAK,
        )


class Mutation:
    """So many percent of small changes to the changed functions are noticed, in a time box."""

    name = "mutation"

    def run(self, room: Room) -> Verdict | None:
        wanted, files = room.strength.mutation, changed_lines(room)
        if wanted is None or not room.base:
            return None
        commands = [_hasty(words) for words in _commands(room)]
        if not files or not commands:
            return Verdict(check=self.name, ok=True, message="nothing to change, or nothing to run")
        box = room.strength.mutation_seconds
        lines = {path: sorted(numbers) for path, numbers in files.items()}
        request = {"files": lines, "commands": commands, "seconds": box}
        found = ask(room, "mutants", request, box * 2 + 30, self.name)
        killed, survived = found["killed"], found["survived"]
        tried = killed + len(survived)
        percent = 100 * killed / tried if tried else 100.0
        left = f", {found['untried']} not tried in {box:g} s" if found["untried"] else ""
        noticed = f"{killed} of {tried} mutants were noticed"
        message = f"{noticed}, {percent:.0f} of {wanted:g} percent{left}"
        shown = [f"no check notices {told}" for told in survived[:MOST_SHOWN]]
        return Verdict(
            check=self.name,
            ok=percent >= wanted,
            message=message,
            evidence="\n".join(shown),
            failure=WEAK,
        )


def changed_lines(room: Room) -> Mapping[str, set[int]]:
    """The numbers of the lines that the change added or altered, by Python file that is no test."""
    found: dict[str, set[int]] = {}
    for path, (before, after) in room.changed.items():
        if path.endswith(".py") and is_code(path) and after:
            read = room.repository.blob
            old, new = (read(one.oid) or b"" if one else b"" for one in (before, after))
            blocks = difflib.SequenceMatcher(None, old.splitlines(), new.splitlines(), False)
            numbers = {line + 1 for tag, _, _, start, end in blocks.get_opcodes()
                       if tag != "equal" for line in range(start, end)}  # fmt: skip
            found |= {path: numbers} if numbers else {}
    return found


def _commands(room: Room) -> list[list[str]]:
    there = verify_script.SCRIPT in room.repository.tree(room.tree)
    return [*argv(room), *([["bash", verify_script.SCRIPT]] if there else [])]


def _hasty(words: list[str]) -> list[str]:
    """The same command, ending at the first failure where it is known how to say so."""
    return [*words, "-x"] if "pytest" in words[:3] else words
