"""Python with what it calls by other names put in their place, so that nothing hides behind one."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Mapping

_WORTH = (ast.List, ast.Tuple, ast.Call, ast.Attribute, ast.Constant)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def plain(module: ast.Module) -> ast.Module:
    """Texts that are put together become one; marks, cases and values stand where they are used."""
    module = _Joined().visit(module)
    given = _assigned(module.body)
    for node in ast.walk(module):
        if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            node.decorator_list = [_Placed(given).visit(one) for one in node.decorator_list]
        if isinstance(node, _FUNCTIONS):
            _put_in_place(node)
    return module


class _Joined(ast.NodeTransformer):
    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        match node:
            case ast.BinOp(ast.Constant(str(left)), ast.Add(), ast.Constant(str(right))):
                return ast.copy_location(ast.Constant(left + right), node)
        return node


class _Placed(ast.NodeTransformer):
    def __init__(self, given: Mapping[str, ast.expr]) -> None:
        self._given = given

    def visit_Name(self, node: ast.Name) -> ast.AST:
        found = self._given.get(node.id)
        return found if found is not None and isinstance(node.ctx, ast.Load) else node


def _assigned(body: Iterable[ast.stmt]) -> dict[str, ast.expr]:
    """Names that get a value once, with it."""
    pairs = [
        (target.id, node.value)
        for node in body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    ]
    times = Counter(name for name, _ in pairs)
    return {name: value for name, value in pairs if times[name] == 1 and isinstance(value, _WORTH)}


def _put_in_place(node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    """In the assertions of a function, the calls whose results its own names stand for."""
    names = (part for part in ast.walk(node) if isinstance(part, ast.Name))
    stores = Counter(part.id for part in names if isinstance(part.ctx, ast.Store))
    calls = {
        name: value
        for name, value in _assigned(
            [part for part in ast.walk(node) if isinstance(part, ast.stmt)]
        ).items()
        if stores[name] == 1 and isinstance(value, ast.Call)
    }
    for part in ast.walk(node):
        if isinstance(part, ast.Assert):
            part.test = _Placed(calls).visit(part.test)
