"""The text of an expression, read by Python's own parser and an allow-list. Pure.

What Python calls an expression is only the first sieve: of its tree, names of quantities, numbers,
comparisons, `and`, `or`, `not`, `+ - * /`, and the calls of abs, min and max are taken over into kit's own
records, and anything else is refused. Nothing is ever compiled or evaluated by Python.

Characters, length and depth are limited before and while the tree is read: Python's parser would turn letters
of other alphabets into ours, and a few thousand parentheses take its stack.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Mapping, Sequence
from math import isfinite

from kit.core.errors import UsageError
from kit.eeg.watching.expressions import (
    Arithmetic,
    Call,
    Comparison,
    Constant,
    Expression,
    Logical,
    Measured,
    Not,
    Numeric,
    Percentile,
    Several,
)
from kit.eeg.watching.quantities import FLAGS, FUNCTIONS, Vocabulary

LENGTH_LIMIT = 500
DEPTH_LIMIT = 20
_ALPHABET = re.compile(r"[A-Za-z0-9_.+\-*/()<>=!, ]*")
_PERCENTILE = re.compile(r"p([1-9][0-9]?)")
_ARITHMETIC: Mapping[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_COMPARISONS: Mapping[type[ast.cmpop], str] = {
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}


def read_condition(text: str, vocabulary: Vocabulary) -> Logical:
    """What is true or false; raises UsageError."""
    reader = _Reader(text, vocabulary)
    return reader.logical(reader.tree, 0)


def read_value(text: str, vocabulary: Vocabulary) -> Numeric:
    """What is a number; raises UsageError."""
    reader = _Reader(text, vocabulary)
    return reader.numeric(reader.tree, 0)


class _Reader:
    def __init__(self, text: str, vocabulary: Vocabulary) -> None:
        self._text = text
        self._vocabulary = vocabulary
        self.tree = self._parse()

    def _parse(self) -> ast.expr:
        text = self._text.strip(" ")
        if len(text) > LENGTH_LIMIT:
            raise UsageError(f"an expression of {len(text)} characters, where {LENGTH_LIMIT} are allowed")
        if not _ALPHABET.fullmatch(text):
            strange = next(letter for letter in text if not _ALPHABET.fullmatch(letter))
            raise self._refusal(f"no {strange!r} can stand")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # "1if" and the like, which do not pass below
                return ast.parse(text, mode="eval").body
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            raise self._refusal("something is wrong") from None

    def _refusal(self, what: str) -> UsageError:
        return UsageError(
            f"{what} in the expression {self._text[:LENGTH_LIMIT]!r}",
            hint="there are names, numbers, comparisons, and, or, not, + - * /, abs, min and max",
        )

    def _piece(self, node: ast.expr) -> str:
        return ast.get_source_segment(self._text.strip(" "), node) or self._text

    def _deeper(self, depth: int) -> int:
        if depth >= DEPTH_LIMIT:
            raise UsageError(f"an expression nested deeper than {DEPTH_LIMIT}: {self._text!r}")
        return depth + 1

    def logical(self, node: ast.expr, depth: int) -> Logical:
        depth = self._deeper(depth)
        if isinstance(node, ast.BoolOp):
            parts = tuple(self.logical(part, depth) for part in node.values)
            return Several(parts, isinstance(node.op, ast.And))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return Not(self.logical(node.operand, depth))
        if isinstance(node, ast.Compare):
            return self._comparison(node, depth)
        if isinstance(node, ast.Name):
            quantity = self._vocabulary.quantity(node.id)
            if quantity.kind in FLAGS:
                return Measured(quantity)
        raise self._refusal(f"{self._piece(node)!r} is no condition")

    def numeric(self, node: ast.expr, depth: int) -> Numeric:
        depth = self._deeper(depth)
        if isinstance(node, ast.Constant):
            return Constant(self._number(node))
        if isinstance(node, ast.Name):
            return Measured(self._vocabulary.quantity(node.id))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return Arithmetic("-", Constant(0.0), self.numeric(node.operand, depth))
        if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            left, right = self.numeric(node.left, depth), self.numeric(node.right, depth)
            return Arithmetic(_ARITHMETIC[type(node.op)], left, right)
        if isinstance(node, ast.Call):
            return self._call(node, depth)
        raise self._refusal(f"{self._piece(node)!r} is no number")

    def _number(self, node: ast.Constant) -> float:
        value = node.value
        if type(value) in (int, float):
            try:
                number = float(value)  # type: ignore[arg-type] # one of those two
            except OverflowError:
                number = float("inf")
            if isfinite(number):
                return number
        raise self._refusal(f"{self._piece(node)!r} is no number")

    def _call(self, node: ast.Call, depth: int) -> Call:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in FUNCTIONS or node.keywords or not node.args:
            raise self._refusal(f"no {self._piece(node)!r} can be called")
        if (len(node.args) == 1) != (name == "abs"):
            raise self._refusal(f"{name} takes {'one number' if name == 'abs' else 'two numbers or more'}")
        return Call(name, tuple(self.numeric(argument, depth) for argument in node.args))

    def _comparison(self, node: ast.Compare, depth: int) -> Logical:
        """Also a < b < c, which is a < b and b < c."""
        operands = [node.left, *node.comparators]
        pairs = []
        for sign, left, right in zip(node.ops, operands, operands[1:], strict=False):
            if type(sign) not in _COMPARISONS:
                raise self._refusal("something that compares no numbers")
            sides = self._sides((left, right), depth)
            pairs.append(Comparison(_COMPARISONS[type(sign)], *sides))
        return pairs[0] if len(pairs) == 1 else Several(tuple(pairs), True)

    def _sides(self, nodes: Sequence[ast.expr], depth: int) -> tuple[Numeric, Numeric]:
        """Of which one may be a percentile of the other."""
        percents = [_percent(node) for node in nodes]
        left, right = nodes
        if percents[0] and percents[1]:
            raise self._refusal("two percentiles with nothing to compare")
        if percents[1]:
            measured = self.numeric(left, depth)
            return measured, Percentile(percents[1], measured)
        if percents[0]:
            measured = self.numeric(right, depth)
            return Percentile(percents[0], measured), measured
        return self.numeric(left, depth), self.numeric(right, depth)


def _percent(node: ast.expr) -> int:
    """80 for the name p80; 0 for anything else."""
    found = _PERCENTILE.fullmatch(node.id) if isinstance(node, ast.Name) else None
    return int(found[1]) if found else 0


def percentiles(nodes: Sequence[Expression]) -> tuple[Percentile, ...]:
    """Those among the parts of an expression, each once."""
    return tuple(dict.fromkeys(node for node in nodes if isinstance(node, Percentile)))
