"""How much a Python test asserts: each assertion with its strength, what skips it, its cases."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from aifactory.gate.substitution import plain

NOTHING, LITTLE, SOME, EXACT = range(4)  # strengths: always true, truth, order, equality
MANY = 10**6  # cases of a parametrization that does not list them
_SKIPS = frozenset({"skip", "skipif", "skipIf", "skipUnless", "xfail", "expectedFailure"})
_CONDITIONAL = frozenset({"skipif", "skipIf", "skipUnless"})
_HIDES = frozenset({"SkipTest", "__test__"})
_LEAVES = frozenset({"skip", "xfail", "skipTest", "SkipTest"})
_EQUAL = frozenset(
    {
        *("assertEqual", "assertEquals", "assertListEqual", "assertDictEqual", "assertTupleEqual"),
        *("assertAlmostEqual", "assertSequenceEqual", "assertCountEqual", "assertSetEqual"),
        *("assert_called_once_with", "assert_called_with", "assert_has_calls"),
    }
)
_OF_MOCKS = ("assert_called", "assert_any_", "assert_has_", "assert_not_", "assert_awaited")
_BROAD = frozenset({"Exception", "BaseException", "AssertionError"})


@dataclass(frozen=True)
class Case:
    """One test function, or what a module asserts outside of any (name "")."""

    name: str
    strengths: tuple[int, ...]
    skips: int
    cases: int

    def of(self, strength: int) -> int:
        """How many assertions are at least so strong."""
        return sum(one >= strength for one in self.strengths)

    def asserts_less(self, old: Case) -> bool:
        """Whether there is less of some strength; a case more may stand for an assertion."""
        now, then = (1, 1) if MANY in (self.cases, old.cases) else (self.cases, old.cases)
        return any(self.of(one) * now < old.of(one) * then for one in (LITTLE, SOME, EXACT))

    @property
    def empty_ones(self) -> int:
        return sum(one == NOTHING for one in self.strengths)


def tests_of(source: bytes) -> dict[str, Case]:
    """The tests of a module by qualified name. Raises SyntaxError for what is no Python."""
    try:
        module = plain(ast.parse(source))
    except (ValueError, RecursionError, MemoryError) as error:
        raise SyntaxError(str(error)) from error
    around = _marks(module.body)
    found = {test.name: test for test in _tests(module.body, "", around)}
    helpers = [node for node in module.body if not _is_test(node)]
    return found | {"": Case("", tuple(_strengths(helpers)), around, 1)}


def dead_tests(source: bytes) -> set[str]:
    """The tests that are never run, whatever the machine is; those that depend on it are not."""
    module = plain(ast.parse(source))
    return set(_dead(module.body, "", any(map(_leaves, module.body))))


def _dead(body: Iterable[ast.stmt], prefix: str, around: bool) -> Iterator[str]:
    for node in body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        skipped = around or any(map(_skips, node.decorator_list)) or any(map(_leaves, node.body))
        if isinstance(node, ast.ClassDef):
            yield from _dead(node.body, f"{prefix}{node.name}.", skipped)
        elif skipped or _cases(node) == 0:
            yield f"{prefix}{node.name}"


def _leaves(node: ast.stmt) -> bool:
    """Whether a statement by itself ends or hides a module, a class or a test."""
    return (
        isinstance(node, ast.Assign | ast.Raise | ast.Expr) and _marks([node]) > 0 and _skips(node)
    )


def _skips(node: ast.AST) -> bool:
    """Whether what skips asks for no condition that could be otherwise."""
    asked = (call for call in _calls(node) if _word(call.func) in _CONDITIONAL)
    depends = any(not _literal(call.args[0]) for call in asked if call.args)
    return _mentions(node, _SKIPS | _LEAVES | _HIDES) and not depends


def _is_test(node: ast.stmt) -> bool:
    if isinstance(node, ast.ClassDef):
        return any(map(_is_test, node.body))
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test")


def _tests(body: Iterable[ast.stmt], prefix: str, around: int) -> Iterator[Case]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            inside = around + _decorated(node) + _marks(node.body)
            yield from _tests(node.body, f"{prefix}{node.name}.", inside)
        elif _is_test(node) and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            leaves = sum(_word(call.func) in _LEAVES for call in _calls(node))
            leaves += sum(_word(one.exc) == "SkipTest" for one in _raises(node) if one.exc)
            skips = around + _decorated(node) + leaves
            cases = _cases(node)
            strengths = tuple(_strengths(node.body))
            yield Case(f"{prefix}{node.name}", strengths, skips + (cases == 0), cases)


def _marks(body: Iterable[ast.stmt]) -> int:
    """What skips a whole module or class: `pytestmark`, `pytest.skip(...)`, `__test__ = False`."""
    found = 0
    for node in body:
        if isinstance(node, ast.Assign):
            names = {_word(target) for target in node.targets}
            found += "pytestmark" in names and _mentions(node.value, _SKIPS)
            found += bool(names & {"__test__", "collect_ignore", "collect_ignore_glob"})
        if isinstance(node, ast.Raise | ast.Expr):
            found += _mentions(node, _LEAVES | {"SkipTest"})
    return found


def _decorated(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return sum(_mentions(decorator, _SKIPS) for decorator in node.decorator_list)


def _cases(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """How many times parametrization runs a test, as far as it stands there in so many words."""
    cases = 1
    for call in node.decorator_list:
        if isinstance(call, ast.Call) and _word(call.func) == "parametrize" and len(call.args) > 1:
            values = call.args[1]
            cases *= len(values.elts) if isinstance(values, ast.List | ast.Tuple) else MANY
    return cases


def _strengths(body: Iterable[ast.stmt]) -> Iterator[int]:
    """The strength of every assertion that can be reached, in order."""
    for node in body:
        if isinstance(node, ast.Assert):
            yield _strength(node.test)
        elif isinstance(node, ast.If) and isinstance(node.test, ast.Constant):
            taken = node.body if node.test.value else node.orelse
            yield from _strengths(taken)
            if any(isinstance(one, ast.Return | ast.Raise) for one in taken):
                return
        elif isinstance(node, ast.With | ast.AsyncWith) and _forgives(node):
            yield from [NOTHING for _ in _strengths(node.body)]
        elif isinstance(node, ast.Try | ast.TryStar):
            inside = list(_strengths(node.body))
            yield from [NOTHING] * len(inside) if _swallows(node) else inside
            for handler in node.handlers:
                yield from _strengths(handler.body)
            yield from _strengths([*node.orelse, *node.finalbody])
        else:
            yield from _in_expressions(node)
            for block in ("body", "orelse"):
                yield from _strengths(getattr(node, block, ()))
            for case in getattr(node, "cases", ()):
                yield from _strengths(case.body)
        if isinstance(node, ast.Return | ast.Raise):
            return


def _in_expressions(node: ast.stmt) -> Iterator[int]:
    """Calls that assert: methods of unittest and mocks, `raises`, `warns`."""
    for part in ast.iter_child_nodes(node):
        if isinstance(part, ast.stmt):
            continue
        for call in _calls(part):
            word = _word(call.func)
            if word in ("raises", "warns", "deprecated_call", "assertRaises", "assertRaisesRegex"):
                yield SOME if call.args or call.keywords else LITTLE
            elif word.startswith("assert"):
                yield _call_strength(word, call)


def _call_strength(word: str, call: ast.Call) -> int:
    arguments = [ast.dump(one) for one in call.args[:2]]
    asks_object = isinstance(call.func, ast.Attribute) and word.startswith("assert_")
    if asks_object and (word.startswith(_OF_MOCKS) or len(call.args) < 2):
        return EXACT if word in _EQUAL else SOME if call.args else LITTLE
    if call.args and all(map(_literal, call.args)):
        return NOTHING
    if len(set(arguments)) < len(arguments):
        return LITTLE if any(map(_has_call, call.args)) else NOTHING
    return EXACT if word in _EQUAL else LITTLE if word in ("assertTrue", "assertFalse") else SOME


def _has_call(node: ast.AST) -> bool:
    return any(True for _ in _calls(node))


def _strength(test: ast.expr) -> int:
    if isinstance(test, ast.BoolOp):
        each = [_strength(value) for value in test.values]
        return min(each) if isinstance(test.op, ast.Or) else max(each)
    if _literal(test) or isinstance(test, ast.Tuple):
        return NOTHING
    if isinstance(test, ast.UnaryOp):
        return _strength(test.operand)
    if isinstance(test, ast.Compare):
        return _comparison(test)
    return LITTLE


def _comparison(test: ast.Compare) -> int:
    sides = [ast.dump(side) for side in (test.left, *test.comparators)]
    if len(set(sides)) < len(sides):
        return LITTLE if _has_call(test) else NOTHING  # twice the same call: does it repeat?
    if any(isinstance(op, ast.Eq) for op in test.ops):
        return EXACT
    if all(isinstance(op, ast.NotEq | ast.Is | ast.IsNot) for op in test.ops):
        return LITTLE
    return SOME


def _literal(node: ast.expr) -> bool:
    """Whether an expression has the same value whatever the code does."""
    free = (ast.Name, ast.Call, ast.Attribute, ast.Await, ast.NamedExpr)
    return not any(isinstance(part, free) for part in ast.walk(node))


def _forgives(node: ast.With | ast.AsyncWith) -> bool:
    """Whether a failed assertion in the block would be suppressed, or is even asked for."""
    asks = any(isinstance(one, ast.Assert) for one in node.body)
    ways = {"suppress", *(("raises", "assertRaises") if asks else ())}
    return any(
        _word(call.func) in ways and any(_word(one) in _BROAD for one in call.args)
        for item in node.items
        for call in _calls(item.context_expr)
    )


def _swallows(node: ast.Try | ast.TryStar) -> bool:
    """Whether a failed assertion in the block would be caught and forgotten."""
    for handler in node.handlers:
        names = {_word(part) for part in ast.walk(handler.type)} if handler.type else _BROAD
        told = any(
            isinstance(part, ast.Raise | ast.Assert)
            or (isinstance(part, ast.Call) and _word(part.func) == "fail")
            for statement in handler.body
            for part in ast.walk(statement)
        )
        if names & _BROAD and not told:
            return True
    return False


def _raises(node: ast.AST) -> Iterator[ast.Raise]:
    return (part for part in ast.walk(node) if isinstance(part, ast.Raise))


def _calls(node: ast.AST) -> Iterator[ast.Call]:
    return (part for part in ast.walk(node) if isinstance(part, ast.Call))


def _mentions(node: ast.AST, words: frozenset[str]) -> bool:
    return any(_word(part) in words for part in ast.walk(node))


def _word(node: ast.AST) -> str:
    """The last name of a dotted one: `skip` of `pytest.mark.skip`."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
