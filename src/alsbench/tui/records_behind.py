"""What stands behind a statistic, read in a worker: the records of its endpoint page by page, or the ranks of a joint rank and
the pairs that made one subject's.

Records are those of the endpoint's data set, parameter and condition, at the statistic's visit, for the members of its
subgroup in its arms.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from alsbench.analysis.question import Question
from alsbench.analysis.result import Row
from alsbench.data.frames import ColumnInfo
from alsbench.data.order import RowOrder, row_order
from alsbench.data.snapshot import TableInfo
from alsbench.tui.paged import PAGE_ROWS

if TYPE_CHECKING:
    from alsbench.analysis.source import Source
    from alsbench.analysis.why import Why

COLUMNS = ("BASE", "AVAL", "CHG", "CNSR", "AEBODSYS", "AEDECOD", "AESEV")


@dataclass(frozen=True)
class Records:
    """The records behind a row: which, how many, and the first page of them. ``info`` is how they are shown, arm included."""

    info: TableInfo
    rows: RowOrder
    first: list[tuple[Any, ...]]
    arms: dict[str, str]

    @property
    def count(self) -> int:
        return self.rows.count

    def page(self, source: Source, number: int) -> list[tuple[Any, ...]]:
        """One page of rows: subject, arm, then the columns of the data set."""
        columns = [c.name for j, c in enumerate(self.info.columns) if j != 1]
        rows = self.rows.page(source.snapshot, columns, offset=number * PAGE_ROWS, limit=PAGE_ROWS)
        return [(r[0], self.arms.get(str(r[0]), ""), *r[1:]) for r in rows]


@dataclass(frozen=True)
class Ranks:
    """(subject, arm, score, rank) of every subject ranked, best first, and the question that ranked them."""

    question: Question
    rows: tuple[tuple[str, str, float | None, float | None], ...]


def behind_row(source: Source, row: Row) -> Records | Ranks | None:
    """What stands behind a row; None where its data set is not there. Raises AlsbenchError as the analysis would."""
    endpoint = source.study.endpoints[row.endpoint]
    return ranks(source, row) if row.method == "joint_rank" or endpoint.method == "joint_rank" else records(source, row)


def records(source: Source, row: Row) -> Records | None:
    """The records of the endpoint at the row's visit, for the members of its subgroup and arms."""
    from alsbench.analysis.subgroups import members
    from alsbench.data.sql import quote
    from alsbench.study.expression import Where, compile_sql, parse

    study = source.study
    endpoint = study.endpoints[row.endpoint]
    info = source.snapshot.tables.get(endpoint.dataset.upper())
    subject, number = study.info.subject, study.visits.number
    if info is None or subject not in info:
        return None
    mask = members(source, row.subgroup, row.population).mask
    wanted = {row.arm} if row.arm else {row.treatment, row.reference} - {None} or set(study.arms.order)
    order = study.arms.order
    arms = {
        name: order[code]
        for name, code, inside in zip(source.subject_ids, source.planned_arm, mask, strict=True)
        if inside and code >= 0 and order[code] in wanted
    }
    holders = ", ".join("?" for _ in arms)
    clauses, params = [f"{quote(subject)} IN ({holders or 'NULL'})"], list[object](arms)
    if endpoint.paramcd and "PARAMCD" in info:
        clauses.append('"PARAMCD" = ?')
        params.append(endpoint.paramcd)
    if row.visit_number is not None and number in info:
        clauses.append(f"{quote(number)} = ?")
        params.append(row.visit_number)
    if endpoint.where:
        own = compile_sql(parse(endpoint.where), {**info.kinds}, {})
        clauses.append(f"({own.sql})")
        params += own.params
    where = Where(" AND ".join(clauses), tuple(params))
    known = {c.name: c for c in info.columns}
    shown = [known[c] for c in (subject, number, *COLUMNS) if c in known]
    shown.insert(1, ColumnInfo("arm", "planned arm", "text", ""))
    by = tuple(c for c in (subject, number) if c in known)
    rows = row_order(source.snapshot, info.name, where=where, order_by=by)
    found = Records(replace(info, columns=tuple(shown)), rows, [], arms)
    return replace(found, first=found.page(source, 0))


def ranks(source: Source, row: Row) -> Ranks:
    """Score and rank of every subject of a joint rank, from the same question asked with subjects."""
    from alsbench.analysis.run import answer

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
    from alsbench.analysis.why import why_rank_of

    return why_rank_of(source, question, subject)
