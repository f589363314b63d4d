"""Whether a tool takes the arguments of a call, by its schema, which is a stranger's: nothing is
fetched for it, and neither time nor memory is spent without bounds.

What cannot be decided here is left to the server, which checks its arguments in any case.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from aifactory.mcp.messages import plain

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

MOST_SECONDS, MOST_RULES = 1.0, 20_000  # of computing for one call; rules that are applied
DEEPEST = 150  # rules within each other; Python's own end of that is a panic of a library in Rust
MOST_SAID = 500  # characters
# A hostile pattern tries for ever, unique items are compared each with each, and what others have
# evaluated is looked for without any bound.
LEFT = frozenset(
    ("pattern", "patternProperties", "unevaluatedItems", "unevaluatedProperties", "uniqueItems")
)
Rule = Callable[[Any, Any, Any, Any], Iterator[Any] | None]


class Undecided(Exception):
    """It would take too much."""


def refusal(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> str:
    """What is wrong with the arguments of a call, "" where nothing is, or it cannot be told.

    A schema is read by draft 2020-12, as MCP says of one that names none. One that is not valid
    itself is its server's to read, and so are LEFT and what other documents say.
    """
    from jsonschema.exceptions import UnknownType
    from referencing.exceptions import Unresolvable

    try:
        found = _fault(schema, arguments)
    except (Undecided, UnknownType, Unresolvable):
        return ""
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
        return ""  # what a valid schema may still hold that no rule expects
    return _said(found) if found else ""


def _fault(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> ValidationError | None:
    import attrs
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend
    from referencing import Registry

    purse = _Purse()
    known = Draft202012Validator.VALIDATORS.items()
    rules = {name: _left if name in LEFT else _bounded(name, rule, purse) for name, rule in known}
    by: Any = extend(Draft202012Validator, rules)  # type: ignore[no-untyped-call]  # it has none
    by.evolve = attrs.evolve  # its own takes whatever class the `$schema` of a part names
    if next(by(by.META_SCHEMA).iter_errors(schema), None):
        return None
    here = Registry()  # without one, other documents would be fetched
    return next(by(schema, registry=here).iter_errors(arguments), None)


class _Purse:
    """What one check may take."""

    def __init__(self) -> None:
        self._until = time.thread_time() + MOST_SECONDS
        self._rules, self._depth = 0, 0

    @contextmanager
    def spend(self) -> Iterator[None]:
        """For every rule. Raises Undecided where that is too much."""
        self._rules, self._depth = self._rules + 1, self._depth + 1
        try:
            over = self._rules > MOST_RULES or self._depth > DEEPEST
            if over or time.thread_time() > self._until:
                raise Undecided
            yield
        finally:
            self._depth -= 1


def _bounded(name: str, rule: Rule, purse: _Purse) -> Rule:
    def bounded(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
        if name == "additionalProperties" and "patternProperties" in schema:
            return  # the patterns say which those are
        with purse.spend():
            for error in rule(validator, value, instance, schema) or ():
                error.message = plain(error.message)[:MOST_SAID]
                yield error

    return bounded


def _left(validator: Any, value: Any, instance: Any, schema: Any) -> None:
    """Taken for granted."""


def _said(error: ValidationError) -> str:
    """The error in words; of alternatives, what is wrong with the first ones."""
    where = error.json_path.removeprefix("$").removeprefix(".")
    reasons = [error.message, *(one.message for one in (error.context or ())[:3])]
    return f"{where}{': ' if where else ''}{'; '.join(reasons)}"[: 2 * MOST_SAID]
