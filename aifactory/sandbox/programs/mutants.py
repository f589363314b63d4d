"""Changes one thing at a time in some functions, and prints which changes no command notices."""

from __future__ import annotations

import ast
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE,
    ast.GtE: ast.Gt, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.FloorDiv: ast.Div,
    ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr,
    ast.LShift: ast.RShift, ast.RShift: ast.LShift,
}  # fmt: skip
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def functions(module: ast.Module, changed: list[int]) -> Iterator[tuple[str, Any]]:
    """The outermost functions that a changed line belongs to."""
    todo: list[tuple[str, ast.AST]] = [("", module)]
    while todo:
        prefix, node = todo.pop(0)
        for child in ast.iter_child_nodes(node):
            if isinstance(child, FUNCTIONS):
                if any(child.lineno <= line <= (child.end_lineno or 0) for line in changed):
                    yield prefix + child.name, child
            elif isinstance(child, ast.ClassDef):
                todo.append((f"{prefix}{child.name}.", child))


def parts(node: ast.AST) -> Iterator[Any]:
    """What a function does, without annotations, decorators and docstrings."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "type_params", "type_comment"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from parts(child)


def variants(node: ast.AST) -> Iterator[ast.AST]:
    """Other versions of one node."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in COMPARISONS:
        yield ast.Compare(node.left, [COMPARISONS[type(node.ops[0])]()], node.comparators)
    elif isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        yield ast.BinOp(node.left, ARITHMETIC[type(node.op)](), node.right)
    elif isinstance(node, ast.AugAssign) and type(node.op) in ARITHMETIC:
        yield ast.AugAssign(node.target, ARITHMETIC[type(node.op)](), node.value)
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node.operand
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        yield ast.Constant(node.value + 1)
    elif isinstance(node, ast.Return) and node.value is not None and not empty(node.value):
        yield ast.Return(ast.Constant(None))
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield ast.Pass()


def empty(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def mutants(path: str, source: bytes, changed: list[int]) -> Iterator[list[tuple[str, bytes]]]:
    """Every change as (function, text for people, new source), function by function."""
    lines = source.splitlines(keepends=True)
    starts = list(itertools.accumulate((len(line) for line in lines), initial=0))
    for name, function in functions(ast.parse(source), changed):
        found = []
        for node in (part for statement in function.body for part in parts(statement)):
            for new in variants(node):
                start = starts[node.lineno - 1] + node.col_offset
                end = starts[node.end_lineno - 1] + node.end_col_offset
                text = ast.unparse(ast.fix_missing_locations(new))
                if isinstance(new, ast.expr):
                    text = f"({text})"
                told = f"{path}:{node.lineno} in {name}: `{ast.unparse(node)}` as `{text}`"
                found.append((told, source[:start] + text.encode() + source[end:]))
        yield found


def taking_turns(groups: Iterable[list[Any]]) -> list[Any]:
    """One of each group, then the next of each."""
    rows = itertools.zip_longest(*groups)
    return [one for row in rows for one in row if one is not None]


def notices(commands: list[list[str]], seconds: float) -> bool:
    """Whether one of the commands fails; one that takes too long has noticed."""
    for words in commands:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            if process.wait(timeout=seconds):
                return True
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return True
    return False


def main(request: dict[str, Any]) -> dict[str, Any]:
    end = time.monotonic() + request["seconds"]
    if notices(request["commands"], request["seconds"]):
        return {"error": "the commands fail or take too long without any change"}
    patience = 2 + 3 * (request["seconds"] - (end - time.monotonic()))
    groups: list[list[tuple[str, str, bytes]]] = []
    for path, changed in request["files"].items():
        source = Path(path).read_bytes()
        groups += [[(path, *one) for one in found] for found in mutants(path, source, changed)]
    todo = taking_turns(groups)
    killed, survived = 0, list[str]()
    for path, told, source in todo:
        left = end - time.monotonic()
        if left <= 0:
            break
        if tried(path, source, request["commands"], min(patience, left)):
            killed += 1
        elif time.monotonic() < end:
            survived.append(told)
    untried = len(todo) - killed - len(survived)
    return {"killed": killed, "survived": survived, "untried": untried}


def tried(path: str, source: bytes, commands: list[list[str]], seconds: float) -> bool:
    """Whether the commands notice a file's other text."""
    before = Path(path).read_bytes()
    try:
        Path(path).write_bytes(source)
        return notices(commands, seconds)
    finally:
        Path(path).write_bytes(before)


given = json.loads(sys.argv[1])
sys.stdout.write(f"\n{given['mark']}{json.dumps(main(given))}\n")
