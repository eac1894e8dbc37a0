"""The classes of :mod:`alsbench.stats.agreement` as SQL, for columns of a million values: the same rules, in the database.

A class is a small number, the place of its name in :data:`CODES`. Data conclude nothing, so no class of theirs turns a
conclusion; a value is printed where all values of its column on that side have at most so many decimals, and those of the other
side more. ``tests/data/test_value_classes.py`` holds both to the same classes.
"""

from __future__ import annotations

from dataclasses import dataclass

from alsbench.stats.agreement import RELATIVE, UNITS, WHOLE, Agreement
from alsbench.study.sql import Kind

CODES: tuple[Agreement, ...] = (
    "identical",
    "noise",
    "same as printed",
    "within the declared tolerance",
    "different",
    "only ours",
    "only theirs",
)
NOISE, DIFFERENT = CODES.index("noise"), CODES.index("different")
MOST_DECIMALS = 8  # a column with more is of raw numbers


@dataclass(frozen=True)
class ColumnRule:
    """What two values of a column are judged by: as :class:`alsbench.stats.agreement.ValueRule`, and the ``decimals`` that all
    its values have at most, ours and theirs (None: more than :data:`MOST_DECIMALS`, or nobody looked)."""

    kind: Kind
    largest: float = 0.0
    absolute: float = 0.0
    relative: float = 0.0
    decimals: tuple[int | None, int | None] = (None, None)

    @property
    def coarser(self) -> tuple[int, bool] | None:
        """The decimals of the side that was rounded, and whether it is ours; None where neither was, or both alike. A column of
        whole numbers is taken for what it is."""
        mine, other = (MOST_DECIMALS + 1 if d is None else d for d in self.decimals)
        places = min(mine, other)
        return (places, mine < other) if mine != other and 0 < places <= MOST_DECIMALS else None


def class_sql(ours: str, theirs: str, rule: ColumnRule) -> str:
    """An expression for the class of two values, given as quoted columns."""
    o, t = ours, theirs
    cases = [
        f"{o} IS NOT DISTINCT FROM {t} THEN 0",
        f"{t} IS NULL THEN {CODES.index('only ours')}",
        f"{o} IS NULL THEN {CODES.index('only theirs')}",
    ]
    if rule.kind == "number":
        cases.append(f"NOT (isfinite({o}) AND isfinite({t})) THEN {DIFFERENT}")
        cases.append(f"{_noise(o, t, rule)} THEN {NOISE}")
        if rule.coarser is not None:
            cases.append(f"{_printed(o, t, rule)} THEN {CODES.index('same as printed')}")
        if rule.absolute or rule.relative:
            allowed = f"greatest({rule.absolute!r}, {rule.relative!r} * greatest(abs({o}), abs({t})))"
            cases.append(f"abs({o} - {t}) <= {allowed} THEN {CODES.index('within the declared tolerance')}")
    return f"CAST(CASE {' '.join(f'WHEN {c}' for c in cases)} ELSE {DIFFERENT} END AS UTINYINT)"


def _noise(o: str, t: str, rule: ColumnRule) -> str:
    whole = f"({o} = trunc({o}) AND {t} = trunc({t}) AND abs({o}) < {WHOLE!r} AND abs({t}) < {WHOLE!r})"
    steps = o
    for _ in range(UNITS):
        steps = f"nextafter({steps}, {t})"
    relative = f"abs({o} - {t}) <= {RELATIVE!r} * greatest({rule.largest!r}, abs({o}), abs({t}))"
    return f"NOT {whole} AND ({relative} OR {steps} = {t})"


def _printed(o: str, t: str, rule: ColumnRule) -> str:
    """Rounded half away from zero the finer number is the coarser one; noise decides a tie both ways, but not a tie itself."""
    places, ours_coarser = rule.coarser or (0, False)
    coarse, fine = (o, t) if ours_coarser else (t, o)
    half = 0.5 * 10.0**-places
    slack = f"{RELATIVE!r} * greatest({rule.largest!r}, abs({fine}))"
    away = f"abs(abs({coarse} - {fine}) - {half!r})"  # how far from a tie
    tie = f"{fine} = round({fine}, {places + 1}) AND {away} <= 1e-15 * greatest(1.0, abs({fine}))"
    return f"abs({coarse} - {fine}) <= {half!r} + {slack} AND NOT ({tie} AND abs({coarse}) < abs({fine}))"


def decimals_sql(column: str) -> str:
    """An aggregate: the most decimals that a number of a column has; more than :data:`MOST_DECIMALS` where they are raw."""
    cases = " ".join(f"WHEN {column} = round({column}, {d}) THEN {d}" for d in range(MOST_DECIMALS + 1))
    return f"max(CASE {cases} ELSE {MOST_DECIMALS + 1} END) FILTER (isfinite({column}))"


def largest_sql(column: str) -> str:
    """An aggregate: the largest absolute value of a column of numbers."""
    return f"max(abs({column})) FILTER (isfinite({column}))"
