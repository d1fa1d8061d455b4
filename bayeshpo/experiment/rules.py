"""Stopping rules as experiment files have them: ``seconds(600) | unchanged(20)``."""

from __future__ import annotations

import ast
import inspect

from bayeshpo import registry
from bayeshpo.errors import SpecificationError
from bayeshpo.stopping import StoppingRule

_OPERATORS = {ast.BitOr: StoppingRule.__or__, ast.BitAnd: StoppingRule.__and__}


def parse(text: str) -> StoppingRule:
    """The rule that a text stands for: the inverse of ``str``.

    Registered names with numbers as arguments, joined by ``|`` and ``&`` (which binds more closely) and parentheses.

    Raises
    ------
    SpecificationError
        If the text is anything else, a name is unknown, or a rule refuses its arguments.
    """
    try:
        return _rule(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ValueError):
        raise _unreadable(text) from None


def _rule(node: ast.expr) -> StoppingRule:
    match node:
        case ast.BinOp(left, ast.BitOr() | ast.BitAnd() as operator, right):
            return _OPERATORS[type(operator)](_rule(left), _rule(right))
        case ast.Call(ast.Name(name), arguments, keywords):
            registry.check_name("rule", name)
            given = [_number(name, a) for a in arguments]
            named = {str(k.arg): _number(name, k.value) for k in keywords}
            try:
                bound = inspect.signature(registry.load("rule", name)).bind(*given, **named)
            except TypeError as error:
                raise SpecificationError(f"{name}: {error}") from None
            return registry.create("rule", name, bound.arguments)
        case ast.Name(name):
            registry.check_name("rule", name)
            raise SpecificationError(f"{name}: expected its arguments in parentheses, got none")
    raise _unreadable(ast.unparse(node))


def _number(name: str, node: ast.expr) -> float:
    try:
        value = ast.literal_eval(node)
    except ValueError:
        value = None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise SpecificationError(f"{name}: expected numbers as arguments, got {ast.unparse(node)}")
    return value


def _unreadable(text: str) -> SpecificationError:
    example = '"seconds(600) | unchanged(20)"'
    return SpecificationError(f"expected rules joined by '|' and '&', as in {example}, got {text!r}")
