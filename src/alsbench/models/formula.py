"""Formulas: ``CHG ~ ARM * AVISIT + BASE * AVISIT + SEX``, in patsy's language (statsmodels' default).

patsy parses the text and codes the model matrix; what stands for a variable is read by ``models.factors``, so that no text of a
user's is evaluated as Python. The response is one column, or a function of columns such as ``log(AVAL)``.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import patsy
from patsy.parse_formula import parse_formula

from alsbench.errors import UsageError
from alsbench.models.factors import FormulaFactor

LONGEST = 10_000  # characters
MOST_TERMS = 500


@dataclass(frozen=True)
class Formula:
    """A formula that has been read: its response, and the terms of its mean as tuples of factors; () is the intercept."""

    text: str
    response: FormulaFactor
    terms: tuple[tuple[FormulaFactor, ...], ...]

    @property
    def factors(self) -> tuple[FormulaFactor, ...]:
        """The factors of the mean, each once, in order of appearance."""
        return tuple(dict.fromkeys(f for term in self.terms for f in term))

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column named: the response's first."""
        return tuple(dict.fromkeys(c for f in (self.response, *self.factors) for c in f.columns))

    @property
    def classified(self) -> frozenset[str]:
        """The columns that stand in ``C(...)``."""
        return frozenset(f.classified for f in self.factors if f.classified is not None)

    def right_side(self) -> list[Any]:
        """The terms as patsy takes them."""
        return [patsy.desc.Term(list(term)) for term in self.terms]


def read_formula(text: Any) -> Formula:
    """``text`` read and checked. UsageError where it is no formula, has not one response, or names what is not allowed."""
    if not isinstance(text, str):
        raise UsageError(f"a formula is a text, not {type(text).__name__}", hint="such as 'CHG ~ ARM * AVISIT + BASE'")
    if len(text) > LONGEST:
        raise UsageError(f"the formula has {len(text):,} characters; at most {LONGEST:,} are read")
    if "|" in re.sub(r"'[^']*'|\"[^\"]*\"", "", text):
        raise UsageError(
            "subjects and visits are no part of the formula",
            where=f"formula: {text}",
            hint='leave "(1 | ID)" or "us(VISIT | ID)" out and say subject=, visit= and covariance=',
        )
    try:
        tree = parse_formula(text)
        if _terms(tree) > MOST_TERMS:
            raise UsageError(f"the formula has more than {MOST_TERMS} terms", where=f"formula: {text}")
        parsed = patsy.ModelDesc.from_formula(tree)
    except patsy.PatsyError as error:
        raise UsageError(f"the formula cannot be read: {str(error).splitlines()[0]}", where=f"formula: {text}") from None
    except (RecursionError, MemoryError):
        raise UsageError("the formula is nested too deeply") from None
    if len(parsed.lhs_termlist) != 1 or len(parsed.lhs_termlist[0].factors) != 1:
        what = "names no response" if not parsed.lhs_termlist else "has more than one response"
        raise UsageError(f"the formula {what}", where=f"formula: {text}", hint="one column left of ~, such as CHG ~ ARM")
    response = FormulaFactor(parsed.lhs_termlist[0].factors[0].code)
    terms = tuple(tuple(FormulaFactor(f.code) for f in term.factors) for term in parsed.rhs_termlist)
    formula = Formula(text, response, terms)
    if response.classified is not None:
        raise UsageError("the response is a number, not C(...)", where=f"formula: {text}")
    _ = formula.columns  # reads, and so checks, every factor
    return formula


def _terms(node: Any) -> int:
    """No fewer terms than the formula has when it is multiplied out; found before it is."""
    sizes = [_terms(part) for part in node.args] if node.type in ("~", "+", "-", "*", "/", ":", "**") else []
    match node.type, sizes:
        case "*", [a, b]:
            return (a + 1) * (b + 1) - 1
        case ":", [a, b]:
            return a * b
        case "**", [a, _]:
            return sum(math.comb(a, k) for k in range(1, min(a, 64) + 1)) if a < 64 else MOST_TERMS + 1
        case _, []:
            return 1
    return min(sum(sizes), MOST_TERMS + 1)
