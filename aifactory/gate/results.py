"""What test runners tell at their end, in one form: how many tests came to what."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from aifactory.gate.execution import PYTHONS, split

_PYTEST = re.compile(
    r"^(?:=+ )?((?:\d+ \w+(?:, )?)+).* in [\d.]+s\b|^(?:=+ )?no tests ran", re.MULTILINE
)
_COUNT = re.compile(r"(\d+) (\w+)")
_UNITTEST = re.compile(r"^Ran (\d+) tests? in .*\n\n(?:OK|FAILED|NO TESTS RAN)(.*)$", re.MULTILINE)
_NODE = re.compile(r"^(?:#|\u2139) (tests|fail|cancelled|skipped|todo) (\d+)$", re.MULTILINE)
_SHOWING = frozenset(
    ["--collect-only", "--co", "--fixtures", "--markers", "--version", "-h", "--help"]
)


@dataclass(frozen=True)
class Result:
    """How many tests a run had, how many of them were red, and how many were left out."""

    tests: int
    red: int = 0
    idle: int = 0


@dataclass(frozen=True)
class Runner:
    """`runs` says whether a command is this runner by itself, with its ordinary output."""

    name: str
    runs: Callable[[Sequence[str]], bool]
    read: Callable[[str], Result | None]


def runner_of(command: str) -> Runner | None:
    """The runner that a command is, and not one inside a script."""
    words = split(command)
    return next((one for one in RUNNERS if one.runs(words)), None)


def _is_module(words: Sequence[str], name: str) -> bool:
    return words[0] in PYTHONS and tuple(words[1:3]) == ("-m", name)


def _is_pytest(words: Sequence[str]) -> bool:
    quiet = sum(word.count("q") for word in words if re.fullmatch(r"-q+", word)) > 1
    named = _is_module(words, "pytest") or words[0] in ("pytest", "py.test")
    return named and not quiet and _SHOWING.isdisjoint(words)


def _is_node(words: Sequence[str]) -> bool:
    told = not any(word.startswith("--test-reporter") for word in words)
    return words[0] == "node" and "--test" in words and told


def _of_pytest(output: str) -> Result | None:
    found = list(_PYTEST.finditer(output))
    if not found:
        return None
    told = {word.rstrip("s"): int(number) for number, word in _COUNT.findall(found[-1][1] or "")}
    idle = _sum(told, "skipped", "xfailed", "xpassed")
    red = _sum(told, "failed", "error")
    return Result(_sum(told, "passed") + red + idle, red, idle + _sum(told, "deselected"))


def _of_unittest(output: str) -> Result | None:
    found = list(_UNITTEST.finditer(output))
    if not found:
        return None
    told = {
        name.strip(): int(number) for name, number in re.findall(r"([\w ]+)=(\d+)", found[-1][2])
    }
    idle = _sum(told, "skipped", "expected failures")
    red = _sum(told, "failures", "errors", "unexpected successes")
    return Result(int(found[-1][1]), red, idle)


def _of_node(output: str) -> Result | None:
    told = {name: int(number) for name, number in _NODE.findall(output)}
    if "tests" not in told:
        return None
    return Result(told["tests"], _sum(told, "fail", "cancelled"), _sum(told, "skipped", "todo"))


def _sum(told: Mapping[str, int], *names: str) -> int:
    return sum(told.get(name, 0) for name in names)


RUNNERS = (
    Runner("pytest", _is_pytest, _of_pytest),
    Runner("unittest", lambda words: _is_module(words, "unittest"), _of_unittest),
    Runner("node", _is_node, _of_node),
)
