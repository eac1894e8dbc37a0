"""Their numbers beside ours: which is which, and in which class they differ.

Our own formats are paired by the key of a row. What other programs call by other words (groups, levels, statistics) is paired
where every one of their words is one of ours and exactly one of our statistics has them all; a mapping says the rest. Nothing
is paired by a guess. LS means are judged together too: where two arms change places at a visit, that is a conclusion turned.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import get_args

from alsbench.analysis.reconcile.mapping import ResultMapping, Target
from alsbench.analysis.reconcile.stated import StatedNumber
from alsbench.analysis.reconcile.words import called, fold
from alsbench.analysis.result import Context, Row
from alsbench.errors import UsageError
from alsbench.stats.agreement import (
    COUNTS,
    FIRST_VISITS,
    WORST_FIRST,
    Agreement,
    SaidValue,
    ValueRule,
    classify,
    is_p,
    order_turned,
    origin_of,
)

VERSUS = re.compile(r"\s+(?:-|\u2212|\u2013|vs\.?|versus|minus|/)\s+", re.IGNORECASE)
ANY_VARIABLE = frozenset(
    {"contrast", "emmean", "chg", "aval", "pchg", "base"}
)  # names of a response or a result, not of a factor
Decimals = Callable[[str], int]
Printed = Callable[[str, float | int | str | None], SaidValue]
Tolerance = Callable[[Row], tuple[float, float]]


@dataclass(frozen=True)
class ReconciledPair:
    """A statistic of both sides, or of one: ``row`` and ``ours`` None where only theirs has it, ``theirs`` None where only ours
    has. ``how`` says by what they were paired, or why not; ``deviation`` is theirs minus ours."""

    agreement: Agreement
    row: Row | None
    ours: SaidValue | None
    theirs: StatedNumber | None
    how: str = ""

    @property
    def deviation(self) -> float | None:
        one, other = (s.value if s is not None else None for s in (self.ours, self.theirs.said if self.theirs else None))
        if isinstance(one, int | float) and isinstance(other, int | float) and not (self.theirs and self.theirs.said.bound):
            return float(other) - float(one)
        return None


@dataclass(frozen=True)
class OurWords:
    """What else our things are called: arms (``Group 2`` is ``five doses``), parameters of endpoints, variables of the
    study."""

    arms: Mapping[str, tuple[str, ...]]
    parameters: Mapping[str, tuple[str, ...]]
    subgroups: Mapping[str, tuple[str, ...]]


class OurStatistics:
    """Our rows, found by key and by words."""

    def __init__(self, rows: Sequence[Row], words: OurWords) -> None:
        self.rows, self.words = [r for r in rows if r.context != "subject"], words
        self.by_key = {_key(r): r for r in self.rows}
        self.by_phrase: dict[str, list[Row]] = {}
        for row in self.rows:
            for phrase in called(row.stat_name):
                self.by_phrase.setdefault(phrase, []).append(row)
        self.endpoints = dict.fromkeys(r.endpoint for r in self.rows)
        self.subgroups = dict.fromkeys(r.subgroup for r in self.rows)

    def of_target(self, target: Target) -> Row | str:
        """The row that a mapping names, or why there is not exactly one."""
        wanted = dict(target)
        found = [r for r in self.by_phrase.get(fold(wanted.get("statistic", "")), ()) if _meets(r, wanted)]
        exact = [r for r in found if r.stat_name == wanted.get("statistic")]
        found = exact or found
        unsaid = [k for k in ("arm", "treatment", "visit", "variable", "level") if k not in wanted]
        if len(found) > 1:  # what the mapping does not name is not there
            found = [r for r in found if all(getattr(r, k) is None for k in unsaid)] or found
        if len(found) == 1:
            return found[0]
        said = ", ".join(f"{k} {v}" for k, v in target)
        return f"{len(found)} of our statistics are meant by: {said}" if found else f"we have no such statistic: {said}"

    def of_words(self, number: StatedNumber, mapping: ResultMapping) -> Row | str:
        """The one row that has every word of theirs, or why there is none."""
        attributes = [(name, mapping.word(word)) for name, word in (*number.attributes, *mapping.default.items())]
        statistic = mapping.word(number.statistic)
        found = [r for r in self.by_phrase.get(fold(statistic), ()) if self._has_all(r, attributes)]
        if len({r.stat_name for r in found}) > 1:  # a name of our own stands before what it is called elsewhere
            found = [r for r in found if fold(r.stat_name) == fold(statistic)] or found
        if len(found) == 1:
            return found[0]
        return f"{len(found)} of our statistics have these words" if found else "none of our statistics has all of these words"

    def _has_all(self, row: Row, attributes: Sequence[tuple[str, str]]) -> bool:
        """Whether every word is one of the row's, and every part that tells the row from others is among the words."""
        needed = {k for k in ("arm", "treatment", "reference", "visit", "variable", "level") if getattr(row, k) is not None}
        if row.context == "arm":
            needed -= {"treatment", "reference"}
        if len(self.endpoints) > 1:
            needed.add("endpoint")
        if len(self.subgroups) > 1 and row.subgroup != "overall":
            needed.add("subgroup")
        for name, word in attributes:
            said = self._parts_said(row, name, word)
            if said is None:
                return False
            needed -= said
        return not needed

    def _parts_said(self, row: Row, name: str, word: str) -> set[str] | None:
        """Which parts of the row a word says; None where it says something else."""
        if name == "context" and word not in get_args(Context):
            return set()  # of their program
        if name in _FIELDS and name != "variable":  # a variable of theirs may be the name of a response
            return {name} if _field_is(row, name, word) or self._named(row, name, word) else None
        if name in ("dataset", "analysis", "analysisSet") or re.fullmatch(r"group\d+", name):
            return {p for p in ("endpoint", "subgroup") if self._named(row, p, word)}
        lone = [p for p in _FIELDS if p not in ("treatment", "reference")]  # an arm alone is no contrast
        said = {p for p in lone if _field_is(row, p, word) or self._named(row, p, word)}
        versus = VERSUS.split(word.replace("(", "").replace(")", ""))
        sides = zip(("treatment", "reference"), versus, strict=False)
        if len(versus) == 2 and row.context == "contrast" and all(self._named(row, part, each) for part, each in sides):
            said |= {"treatment", "reference"}
        if name == "variable" and fold(word) in ANY_VARIABLE:
            return said
        return said or None

    def _named(self, row: Row, part: str, word: str) -> bool:
        """Whether a word is another name of a part of the row."""
        if part not in ("arm", "treatment", "reference", "endpoint", "subgroup") or (value := getattr(row, part)) is None:
            return False
        others = {"endpoint": self.words.parameters, "subgroup": self.words.subgroups}.get(part, self.words.arms)
        return fold(word) in {fold(w) for w in (value, *others.get(value, ()))}


_FIELDS = ("endpoint", "subgroup", "context", "arm", "treatment", "reference", "visit", "variable", "level", "statistic")


def _field_is(row: Row, name: str, word: str) -> bool:
    if name == "visit":
        number = row.visit_number
        return number is not None and (fold(row.visit or "") == fold(word) or _number_is(word, number))
    value = row.stat_name if name == "statistic" else getattr(row, name)
    return value is not None and fold(str(value)) == fold(word)


def _number_is(word: str, number: float) -> bool:
    try:
        return float(word) == number
    except ValueError:
        return False


def _meets(row: Row, wanted: Mapping[str, str]) -> bool:
    return all(_field_is(row, k, v) for k, v in wanted.items() if k != "statistic")


def _key(row: Row) -> tuple[object, ...]:
    """What makes a row unique, without the words of its visit, which a study may call otherwise."""
    at = (row.context, row.subgroup, row.arm, row.treatment, row.reference, row.visit_number, row.variable, row.level)
    return (row.endpoint, *at, row.stat_name)


def paired(
    ours: OurStatistics,
    theirs: Iterable[StatedNumber],
    mapping: ResultMapping,
    *,
    printed: Printed,
    tolerance: Tolerance,
    whole: bool,
) -> tuple[ReconciledPair, ...]:
    """Every number of theirs with ours, worst first; with ``whole`` those that only ours has too. Raises UsageError where two
    of their numbers are said to be one of ours."""
    found: list[tuple[Row | str, StatedNumber, str]] = []
    for number in theirs:
        row, how = _row_of(ours, number, mapping)
        found.append((row, number, how))
    _refuse_twice(found)
    rules = _Rules(ours.rows, tolerance)
    pairs = []
    for row, number, how in found:
        if isinstance(row, str):
            pairs.append(ReconciledPair("only theirs", None, None, number, row))
            continue
        said = printed(row.stat_name, row.stat)
        pairs.append(ReconciledPair(classify(said, number.said, rules.of(row)), row, said, number, how))
    pairs = _with_orders(pairs)
    if whole:
        taken = {id(row) for row, _, _ in found}
        for row in ours.rows:
            if id(row) not in taken and row.stat is not None:
                pairs.append(ReconciledPair("only ours", row, printed(row.stat_name, row.stat), None))
    return tuple(sorted(pairs, key=lambda p: WORST_FIRST.index(p.agreement)))


def _row_of(ours: OurStatistics, number: StatedNumber, mapping: ResultMapping) -> tuple[Row | str, str]:
    if number.row is not None:
        row = ours.by_key.get(_key(number.row))
        return (row, "by key") if row is not None else ("we have no row with this key", "")
    target = dict(number.attributes).get("is")
    if target is not None:
        return ours.of_target((*mapping.default.items(), *_parsed(target))), "by the mapping"
    return ours.of_words(number, mapping), "by words"


def _parsed(target: str) -> Target:
    return tuple((k, v) for k, _, v in (part.partition("\x1f") for part in target.split("\x1e")))


def target_attribute(target: Target) -> tuple[str, str]:
    """A target of the mapping among the attributes of a number."""
    return "is", "\x1e".join(f"{k}\x1f{v}" for k, v in target)


def _refuse_twice(found: Sequence[tuple[Row | str, StatedNumber, str]]) -> None:
    seen: dict[int, StatedNumber] = {}
    for row, number, how in found:
        if isinstance(row, str):
            continue
        other = seen.setdefault(id(row), number)
        if other is not number and how == "by the mapping":
            what = "two of their numbers are said to be one of ours"
            raise UsageError(what, where=f"{other.where} and {number.where}", hint="a mapping names each once")


class _Rules:
    """What a pair is judged by: the standard error beside it, the largest of its column, a declared tolerance."""

    def __init__(self, rows: Sequence[Row], tolerance: Tolerance) -> None:
        self.tolerance = tolerance
        self.errors: dict[tuple[object, ...], float] = {}
        self.largest: dict[tuple[object, ...], float] = {}
        for row in rows:
            size = abs(row.number())
            if not math.isfinite(size):
                continue
            if row.stat_name == "se":
                self.errors[_key(row)[:-1]] = size
            column = _column(row)
            self.largest[column] = max(size, self.largest.get(column, 0.0))

    def of(self, row: Row) -> ValueRule:
        apart = row.stat_name in COUNTS | FIRST_VISITS or is_p(row.stat_name)
        absolute, relative = (0.0, 0.0) if apart else self.tolerance(row)
        return ValueRule(
            origin_of(row.method, row.stat_name),
            row.stat_name,
            row.context,
            self.errors.get(_key(row)[:-1], 0.0),
            self.largest.get(_column(row), 0.0),
            absolute,
            relative,
        )


def _column(row: Row) -> tuple[object, ...]:
    return (row.endpoint, row.context, row.variable, row.stat_name)


def _with_orders(pairs: Sequence[ReconciledPair]) -> list[ReconciledPair]:
    """Where LS means of two arms change places, those of them that differ by more than noise turn a conclusion."""
    places: dict[tuple[object, ...], dict[str, ReconciledPair]] = {}
    for pair in pairs:
        row = pair.row
        if row is not None and row.context == "arm" and row.stat_name in ("ls_mean", "slope") and row.arm and pair.theirs:
            at = (row.endpoint, row.subgroup, row.treatment, row.reference, row.visit_number, row.stat_name)
            places.setdefault(at, {})[row.arm] = pair
    turned: set[int] = set()
    for arms in places.values():
        ours = {a: p.ours for a, p in arms.items() if p.ours is not None}
        theirs = {a: p.theirs.said for a, p in arms.items() if p.theirs is not None}
        turned |= {id(arms[a]) for a in order_turned(ours, theirs) if arms[a].agreement not in ("identical", "noise")}
    return [replace(p, agreement="changes a conclusion") if id(p) in turned else p for p in pairs]
