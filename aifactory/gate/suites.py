"""What a test file lost from one version to the next, in words."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from aifactory.gate.assertions import EXACT, LITTLE, MANY, Case, dead_tests, tests_of

HELPERS = ""
_COMMENT = re.compile(r"/\*.*?\*/|^\s*(?://|#(?!\[)).*?$", re.DOTALL | re.MULTILINE)
_TESTS = re.compile(
    r"\b(?:it|test)(?:\.each\b[^(]*(?:\([^)]*\))?)?\s*\(|^func Test\w+|#\[(?:\w+::)?test\b|@Test\b"
    r"|@ParameterizedTest\b|\[(?:Fact|Theory|Test|TestMethod)\b|\bit ['\"]|function test\w+"
    r"|^\s*test ['\"]|^@test ",
    re.MULTILINE,
)
_SKIPS = re.compile(
    r"\b(?:it|test|describe|context|suite)\.(?:skip|todo|only|fixme|failing)\b"
    r"|\b[xf](?:it|describe|test|context)\s*\(|\bt\.Skip(?:Now|f)?\(|#\[ignore|@(?:Ignore|Disabled)\b"
    r"|\b\w+\.(?:skip|todo)\(\s*[\"'`)]|\{\s*(?:skip|todo|only)\s*:"
    r"|\[Ignore\b|\bSkip\s*=\s*\"|\bmarkTest(?:Skipped|Incomplete)\b|^\s*(?:skip|pending)\b",
    re.MULTILINE,
)
_ASSERTIONS = re.compile(
    r"\bexpect\w*\s*[(!]|\bassert\w*\s*[(!.]|\bAssert\.|\brequire\.\w+\(|\.should\b"
    r"|\bt\.(?:Error|Fatal|Fail)\w*\("
)
_CONSTANT = re.compile(
    r"expect\(\s*(true|1|'[^']*'|\"[^\"]*\")\s*\)\.(?:to\w+)|assert(?:\.ok|True|_true)?!?\(\s*true\s*\)"
    r"|assert_eq!\(\s*(\w+)\s*,\s*\2\s*\)|assert(?:Equals|\.equal|\.strictEqual)\(\s*(\w+)\s*,\s*\3\s*\)",
    re.IGNORECASE,
)


def losses(path: str, before: bytes, after: bytes | None, elsewhere: Collection[str]) -> list[str]:
    """What the tests of a file prove less than before; `before` is empty for a new file.

    `elsewhere` has the names of tests that other files of the change hold: a test may move. HELPERS
    among them says that what asserts outside of tests has only moved.
    """
    if path.endswith(".py"):
        return list(_python_losses(before, after, elsewhere))
    return list(_text_losses(_plain(before), _plain(after or b"")))


def helpers(source: bytes) -> Case:
    """What a Python file asserts outside of its tests."""
    try:
        return tests_of(source)[""]
    except SyntaxError:
        return Case("", (), 0, 1)


def names(source: bytes) -> set[str]:
    """The names of the tests in a Python file, without their classes."""
    try:
        return {name.rpartition(".")[2] for name in tests_of(source)} - {""}
    except SyntaxError:
        return set()


def _python_losses(before: bytes, after: bytes | None, elsewhere: Collection[str]) -> Iterator[str]:
    try:
        old = tests_of(before)
    except SyntaxError:
        return
    try:
        new = tests_of(after or b"")
    except SyntaxError as error:
        yield f"is no Python any more: {error.msg}"
        return
    yield from _gone(old, new, elsewhere)
    dead = dead_tests(after or b"")
    for name, test in new.items():
        if before and name in old:
            if not name and HELPERS in elsewhere:
                continue
            yield from _weaker(old[name], test)
        else:
            yield from _idle(test, dead)


def _gone(
    old: Mapping[str, Case], new: Mapping[str, Case], moved: Collection[str]
) -> Iterator[str]:
    fresh = [test for name, test in new.items() if name not in old]
    for name in old.keys() - new.keys():
        heir = next((one for one in fresh if not list(_weaker(old[name], one))), None)
        if heir:
            fresh.remove(heir)  # renamed
        elif name.rpartition(".")[2] not in moved:
            yield f"{name} is gone"


def _idle(new: Case, dead: Collection[str]) -> Iterator[str]:
    """What is wrong with a test that was not there before."""
    if new.name in dead:
        yield f"{new.name} is skipped"
    if new.empty_ones:
        yield f"{new.name} asserts what is true whatever the code does"


def _weaker(old: Case, new: Case) -> Iterator[str]:
    name = new.name or "the module"
    if new.skips > old.skips:
        yield f"{name} is skipped"
    if new.empty_ones > old.empty_ones:
        yield f"{name} asserts what is true whatever the code does"
    if new.asserts_less(old):
        yield f"{name} asserts less: {_count(new)} instead of {_count(old)}"
    if new.cases < old.cases < MANY:
        yield f"{name} has {new.cases} cases instead of {old.cases}"


def _count(test: Case) -> str:
    cases = f" in {test.cases} cases" if 1 < test.cases < MANY else ""
    return f"{test.of(EXACT)} equalities of {test.of(LITTLE)} assertions{cases}"


def _plain(source: bytes) -> str:
    return _COMMENT.sub("", source.decode(errors="replace"))


def _text_losses(old: str, new: str) -> Iterator[str]:
    for what, pattern, sign in (
        ("tests", _TESTS, -1),
        ("assertions", _ASSERTIONS, -1),
        ("skipped or singled out tests", _SKIPS, 1),
        ("assertions of what is always true", _CONSTANT, 1),
    ):
        before, after = (len(pattern.findall(text)) for text in (old, new))
        if (after - before) * sign > 0:
            yield f"has {after} {what} instead of {before}"
