"""What stands behind a statistic: the records of its endpoint, or the ranks of a joint rank and the pairs that made one
subject's.

Records are those of the endpoint's data set, parameter and condition, at the statistic's visit, for the members of its
subgroup in its arms; behind a line of adverse events those it counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from alsbench.analysis.endpoints.event_words import Reading, reading
from alsbench.analysis.endpoints.incidence import EXPOSURE, counted_records
from alsbench.analysis.question import Question
from alsbench.analysis.records import parameter_frame
from alsbench.analysis.result import Row
from alsbench.analysis.run import answer
from alsbench.analysis.subgroups import members
from alsbench.analysis.why import why_rank_of
from alsbench.data.frames import ColumnInfo
from alsbench.data.row_order import RowOrder, contains_text, row_order
from alsbench.data.snapshot import TableInfo
from alsbench.data.sql import fill, quote
from alsbench.errors import UsageError
from alsbench.stats.ties import TOLERANCE
from alsbench.study.expression import parse
from alsbench.study.model import Endpoint
from alsbench.study.sql import Where, compile_sql

if TYPE_CHECKING:
    from alsbench.analysis.source import Source
    from alsbench.analysis.why import Why

COLUMNS = ("BASE", "AVAL", "CHG", "CNSR", "AEBODSYS", "AEDECOD", "AESEV", "AESER", "AEREL", "ASTDT", "AESTDTC", "TRTEMFL")
TREATED = ("TRTSDT", "TRTEDT")


@dataclass(frozen=True)
class SourceRecords:
    """The records behind a row: which, and of how many subjects. ``info`` is how they are shown, arm included."""

    info: TableInfo
    rows: RowOrder
    arms: dict[str, str]
    subjects: int

    @property
    def count(self) -> int:
        return self.rows.count

    def read(self, source: Source, *, offset: int, limit: int) -> list[tuple[Any, ...]]:
        """Some rows: subject, arm, then the columns of the data set."""
        columns = [c.name for j, c in enumerate(self.info.columns) if j != 1]
        rows = self.rows.page(source.snapshot, columns, offset=offset, limit=limit)
        return [(r[0], self.arms.get(str(r[0]), ""), *r[1:]) for r in rows]

    def holding(self, source: Source, text: str) -> SourceRecords:
        """Those of the records that hold a text in a column that is shown."""
        shown = replace(self.info, columns=tuple(c for j, c in enumerate(self.info.columns) if j != 1))
        hits = source.snapshot.row_ids(self.info.name, where=Where(contains_text(shown, text), ()))
        ids = self.rows.ids if self.rows.ids is not None else np.arange(self.rows.count, dtype=np.uint64)
        kept = ids[np.isin(ids, hits)]
        return replace(self, rows=RowOrder(self.info.name, kept.size, kept))


@dataclass(frozen=True)
class Ranks:
    """(subject, arm, score, rank) of every subject ranked, best first, and the question that ranked them."""

    question: Question
    rows: tuple[tuple[str, str, float | None, float | None], ...]


def behind_row(source: Source, row: Row) -> SourceRecords | Ranks | None:
    """What stands behind a row; None where its data set is not there. Raises AlsbenchError as the analysis would."""
    endpoint = endpoint_of(source, row)
    return ranks(source, row) if row.method == "joint_rank" or endpoint.method == "joint_rank" else records(source, row)


def endpoint_of(source: Source, row: Row) -> Endpoint:
    """The endpoint of a row; the balance of a subgroup needs none of the study's. Raises UsageError for one that is gone."""
    found = source.study.endpoints.get(row.endpoint)
    if found is None and row.method != "baseline":
        raise UsageError(f"the study has no endpoint {row.endpoint}")
    return found or Endpoint(name=row.endpoint, method="baseline")


def records(source: Source, row: Row) -> SourceRecords | None:
    """The records that a statistic was made of: of its endpoint, visit, arms and members of its subgroup; of adverse events
    those of its line of the table; of baseline and exposure the lines of ADSL."""
    study = source.study
    endpoint = endpoint_of(source, row)
    of_subject = endpoint.method == "baseline" or row.variable == EXPOSURE
    info = source.snapshot.tables.get("ADSL" if of_subject else endpoint.dataset.upper())
    subject, number = study.info.subject, study.visits.number
    if info is None or subject not in info:
        return None
    actual = endpoint.method == "incidence"
    arms = arms_of(source, row, actual=actual)
    where = condition(source, row, info, arms, of_subject=of_subject)
    by = tuple(c for c in (subject, number) if c in info)
    if actual and not of_subject:
        frame = source.snapshot.frame(info.name, where=where, order_by=by)
        counted = counted_records(frame, row.variable, row.level, _reading(source, endpoint))
        ids = source.snapshot.row_ids(info.name, where=where, order_by=by)[counted]
        rows = RowOrder(info.name, ids.size, ids.astype(np.uint64))
        count = len(set(frame[subject][counted].tolist()))
    else:
        rows = row_order(source.snapshot, info.name, where=where, order_by=by)
        query = f"SELECT count(DISTINCT {quote(subject)}) FROM {quote(info.name)} WHERE {fill(where.sql, where.params)}"
        count = int(source.snapshot.rows(query)[0][0])
    known = {c.name: c for c in info.columns}
    wanted = (row.variable or "", *TREATED) if of_subject else (number, *COLUMNS)
    shown = [known[c] for c in (subject, *wanted) if c in known]
    shown.insert(1, ColumnInfo("arm", "actual arm" if actual else "planned arm", "text", ""))
    return SourceRecords(replace(info, columns=tuple(shown)), rows, arms, count)


def _reading(source: Source, endpoint: Endpoint) -> Reading:
    """How the analysis read the endpoint's whole data set."""
    return reading(
        parameter_frame(source, endpoint.dataset, endpoint.paramcd, endpoint.where, label=f"endpoints.{endpoint.name}")
    )


def arms_of(source: Source, row: Row, *, actual: bool) -> dict[str, str]:
    """The members of a row's subgroup in its arms, each with its arm."""
    order = source.study.arms.order
    wanted = {row.arm} if row.arm else {row.treatment, row.reference} - {None} or set(order)
    codes = source.actual_arm if actual else source.planned_arm
    return {
        name: order[code]
        for name, code, inside in zip(
            source.subject_ids, codes, members(source, row.subgroup, row.population).mask, strict=True
        )
        if inside and code >= 0 and order[code] in wanted
    }


def condition(source: Source, row: Row, info: TableInfo, subjects: Iterable[str], *, of_subject: bool) -> Where:
    """The condition on a data set: subjects, and the endpoint's parameter, visit and own condition."""
    study, params = source.study, list[object](subjects)
    endpoint, number = endpoint_of(source, row), study.visits.number
    clauses = [f"{quote(study.info.subject)} IN ({', '.join('?' for _ in params) or 'NULL'})"]
    if of_subject:
        return Where(clauses[0], tuple(params))
    if endpoint.paramcd and "PARAMCD" in info:
        clauses.append('"PARAMCD" = ?')
        params.append(endpoint.paramcd)
    if row.visit_number is not None and number in info:
        clauses.append(f"{quote(number)} BETWEEN ? AND ?")  # as the analysis reads visit numbers
        params += [row.visit_number - TOLERANCE, row.visit_number + TOLERANCE]
    if endpoint.where:
        own = compile_sql(parse(endpoint.where), {**info.kinds}, {})
        clauses.append(f"({own.sql})")
        params += own.params
    return Where(" AND ".join(clauses), tuple(params))


def ranks(source: Source, row: Row) -> Ranks:
    """Score and rank of every subject of a joint rank, from the same question asked with subjects."""
    pair = (row.treatment, row.reference)
    names = tuple(
        c.name
        for c in source.study.comparisons
        if (pair == (c.treatment, c.reference) if row.treatment else row.arm in (None, c.treatment, c.reference))
    )[:1]
    visits = () if row.visit_number is None else (row.visit_number,)
    question = Question(row.endpoint, (row.subgroup,), comparisons=names, visits=visits, population=row.population)
    result = answer(replace(question, subjects=True), source)
    found: dict[str, dict[str, Row]] = {}
    for each in result.select(context="subject"):
        found.setdefault(each.level or "", {})[each.stat_name] = each
    made = []
    for name, stats in found.items():
        score, rank = (stats[k].number() if k in stats else None for k in ("score", "rank"))
        made.append((name, next(iter(stats.values())).arm or "", score, rank))
    return Ranks(question, tuple(sorted(made, key=lambda r: (-(r[3] if r[3] is not None else 0.0), r[0]))))


def pairs(source: Source, question: Question, subject: str) -> Why:
    """Every pair of one subject and what decided it. Raises UsageError as ``alsbench endpoint NAME --why`` would."""
    return why_rank_of(source, question, subject)
