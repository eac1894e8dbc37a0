"""Who is in a subgroup: named expressions over the subject-level table, their realised cuts, and their complements.

Cut-offs such as ``mean(LEADRATE)`` are taken over the whole default population, never arm by arm, in NumPy in a fixed order
(METHODS 6). A subject whose expression cannot be decided (a missing value) is in neither the subgroup nor its complement.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alsbench.analysis.context import AnalysisContext
from alsbench.analysis.result import Row
from alsbench.analysis.source import SUBJECT_TABLE, BoolArray, Source
from alsbench.errors import DataError, ExpressionError
from alsbench.stats.summaries import mean, quantile
from alsbench.study.expression import parse
from alsbench.study.model import Subgroup
from alsbench.study.names import nearest
from alsbench.study.phrase import Phrase, is_post_hoc, parse_phrase, subgroup_names
from alsbench.study.sql import Kind, compile_sql
from alsbench.study.syntax_tree import Aggregate


@dataclass(frozen=True)
class Membership:
    """The answer for one subgroup phrase within one population.

    ``mask`` (subjects,) marks members, ``decided`` members and complement, in the order of ``Source.subjects``;
    ``definition`` is the expression in words, ``cuts`` each data-driven cut
    with its realised value, ``n_undecided`` the subjects of the population in neither part.
    """

    phrase: str
    mask: BoolArray
    decided: BoolArray
    label: str
    definition: str
    cuts: tuple[tuple[str, float], ...]
    n: int
    n_undecided: int
    post_hoc: bool
    post_randomisation: bool

    def cut_text(self) -> str:
        """``mean(LEADRATE) = 0.9877`` for every realised cut; empty when there is none."""
        return ", ".join(f"{name} = {value:.6g}" for name, value in self.cuts)

    def words(self, counts: str = "") -> str:
        """Name, definition, realised cut, ``counts`` where given, and standing, in one line."""
        cut = f" [{self.cut_text()}]" if self.cuts else ""
        standing = "POST HOC" if self.post_hoc else "pre-specified" if self.definition != "all subjects" else ""
        late = "POST-RANDOMISATION" if self.post_randomisation else ""
        return "; ".join(t for t in (f"{self.phrase}: {self.definition}{cut}", counts, standing, late) if t)


def members(source: Source, phrase: str, population: str = "") -> Membership:
    """Members of a subgroup phrase (``overall``, ``slow``, ``not slow``, ``slow and nfl_low``) within a population.

    Raises UsageError for an unknown name, ExpressionError for a column that is not there, DataError where a cut cannot be
    computed.
    """
    inside = source.population(population)
    parsed = _phrase(source, phrase)
    truth = np.ones(inside.size)
    cuts: dict[str, float] = {}
    parts: list[str] = []
    labels: list[str] = []
    post_randomisation = False
    for name, negated in parsed.parts:
        subgroup = next(s for s in source.study.subgroups if s.name == name)
        part, found = _truth(source, subgroup)
        part = 1.0 - part if negated else part
        no = (truth == 0.0) | (part == 0.0)  # three-valued logic: no wins over unknown, unknown over yes
        truth = np.where(no, 0.0, np.minimum(truth, part))
        cuts |= found
        parts.append(f"not ({subgroup.where})" if negated else subgroup.where)
        title = subgroup.label or subgroup.name
        labels.append(f"not: {title}" if negated else title)
        post_randomisation |= subgroup.post_randomisation
    mask: BoolArray = inside & (truth == 1.0)
    return Membership(
        phrase=parsed.text,
        mask=mask,
        decided=inside & ~np.isnan(truth),
        label=" and ".join(labels) or "Overall",
        definition=" and ".join(f"({p})" for p in parts) if len(parts) > 1 else "".join(parts) or "all subjects",
        cuts=tuple(cuts.items()),
        n=int(mask.sum()),
        n_undecided=int((inside & np.isnan(truth)).sum()),
        post_hoc=is_post_hoc(source.study, parsed.text, locked=source.lock is not None),
        post_randomisation=post_randomisation,
    )


def complement(source: Source, phrase: str) -> str:
    """The phrase for everybody else in a single named subgroup: ``not slow`` for ``slow`` and the other way about."""
    parsed = _phrase(source, phrase)
    if len(parsed.parts) != 1:
        raise ExpressionError(f"{phrase!r} has no single complement", hint="take the complement of one named subgroup")
    name, negated = parsed.parts[0]
    return name if negated else f"not {name}"


def describe(source: Source, text: str) -> Membership:
    """What an expression that is not (yet) in the study would select from the default population.

    Raises ExpressionError (with ``position``) for text that cannot be read or names no column.
    """
    subgroup = Subgroup(name="new", where=text)
    inside = source.population()
    truth, cuts = _truth(source, subgroup)
    mask: BoolArray = inside & (truth == 1.0)
    return Membership(
        phrase="new",
        mask=mask,
        decided=inside & ~np.isnan(truth),
        label="new",
        definition=text,
        cuts=tuple(cuts.items()),
        n=int(mask.sum()),
        n_undecided=int((inside & np.isnan(truth)).sum()),
        post_hoc=True,
        post_randomisation=False,
    )


def counts_by_arm(source: Source, mask: BoolArray, *, actual: bool = False) -> dict[str, int]:
    """Members per planned (or actual) arm, in the order of the study."""
    codes = source.actual_arm if actual else source.planned_arm
    return {arm: int((mask & (codes == i)).sum()) for i, arm in enumerate(source.study.arms.order)}


def subgroup_line(source: Source, member: Membership, *, actual: bool = False) -> str:
    """Name, definition, realised cut, n per planned (or actual) arm and status of a subgroup, in one line.

    Members whose arm is none of the study's are in no analysis: they are counted after the arms.
    """
    sizes = counts_by_arm(source, member.mask, actual=actual)
    elsewhere = member.n - sum(sizes.values())
    counts = ", ".join(f"{arm} {n}" for arm, n in sizes.items())
    counts += f", in no arm of the study {elsewhere}" if elsewhere else ""
    undecided = f"; {member.n_undecided} undecided (value missing)" if member.n_undecided else ""
    return member.words(f"n = {member.n} ({counts}){undecided}")


def subgroup_rows(analysis: AnalysisContext) -> list[Row]:
    """How many members, per arm and in all, and every realised cut."""
    member = analysis.member
    undecided = f"{member.n_undecided} subjects undecided: a value is missing" if member.n_undecided else None
    rows = [analysis.row("subgroup", "n", member.n, warning=undecided)]
    rows += [
        analysis.row("subgroup", "n", n, arm=arm)
        for arm, n in counts_by_arm(analysis.source, member.mask, actual=analysis.endpoint.method == "incidence").items()
    ]
    rows += [analysis.row("subgroup", "cut", value, variable=name) for name, value in member.cuts]
    return rows


def realise(source: Source, aggregates: tuple[Aggregate, ...]) -> dict[Aggregate, float]:
    """Values of data-driven cut-offs over the whole default population (METHODS 6)."""
    inside = source.population()
    return {a: _realise_one(a, source, inside) for a in aggregates}


def _realise_one(aggregate: Aggregate, source: Source, inside: BoolArray) -> float:
    if aggregate.column not in source.subjects.columns:
        raise ExpressionError(
            f"{SUBJECT_TABLE} has no column {aggregate.column}", hint=nearest(aggregate.column, source.subjects.columns)
        )
    if source.subjects.kind(aggregate.column) != "number":
        raise ExpressionError(f"{aggregate} needs a numeric column; {aggregate.column} is not one")
    values = np.asarray(source.subjects[aggregate.column], dtype=np.float64)[inside]
    values = values[np.isfinite(values)]
    if values.size == 0:
        raise DataError(f"{aggregate} has no value: {aggregate.column} is missing for the whole population")
    if aggregate.function == "mean":
        return mean(values)
    return quantile(values, 0.5 if aggregate.q is None else aggregate.q)


def _truth(source: Source, subgroup: Subgroup) -> tuple[NDArray[np.float64], dict[str, float]]:
    """1, 0 or NaN (undecided) per subject, and the realised cuts by name. The source remembers them by their expression."""
    if subgroup.where not in source.truth_read:
        source.truth_read[subgroup.where] = _read_truth(source, subgroup)
    truth, cuts = source.truth_read[subgroup.where]
    return truth, cuts


def _read_truth(source: Source, subgroup: Subgroup) -> tuple[NDArray[np.float64], dict[str, float]]:
    expression = parse(subgroup.where)
    try:
        cuts = realise(source, expression.aggregates)
        where = compile_sql(expression, kinds(source), cuts)
    except ExpressionError as error:
        if error.where or source.study.subgroup(subgroup.name) is None:
            raise
        place = f"study.toml subgroups.{subgroup.name}"
        raise ExpressionError(
            error.what, text=error.text, position=error.position, where=place, why=error.why, hint=error.hint
        ) from error
    truth = source.snapshot.truth(SUBJECT_TABLE, where, (source.study.info.subject,))
    return truth, {str(a): v for a, v in cuts.items()}


def kinds(source: Source) -> Mapping[str, Kind]:
    """Column name -> kind for the subject-level table."""
    return {c.name: c.kind for c in source.snapshot.tables[SUBJECT_TABLE].columns}


def _phrase(source: Source, phrase: str) -> Phrase:
    return parse_phrase(phrase, subgroup_names(source.study))
