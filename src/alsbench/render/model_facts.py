"""The model behind a result, fact by fact, and its subjects: their scores and ranks, or their influence on the fit."""

from __future__ import annotations

from collections.abc import Sequence

from alsbench.analysis.result import Result, Row
from alsbench.render.lookup import Rows, shown, value_cell
from alsbench.render.page import Block, Cell, Column, Line, label
from alsbench.render.visits import visit_name

SUBJECT_STATS = {
    "score": "Score",
    "rank": "Rank",
    "leverage": "Leverage",
    "cook": "Cook's distance",
    "residual": "Largest residual",
}


def model_block(result: Result, subgroup: str) -> Block:
    """Every model fact of a subgroup as name and value: likelihood, iterations, covariance used."""
    found: list[Row] = [r for r in result.rows if r.context == "model" and r.subgroup == subgroup]
    lines = []
    for row in found:
        if row.stat_name in {"num_df", "den_df", "p_value"}:
            continue
        if row.stat_name == "f":
            lines.append(_term_line(row, found))
            continue
        about = " · ".join(
            part
            for part in (row.arm, f"{row.treatment} vs {row.reference}" if row.treatment else None, row.visit, row.variable)
            if part
        )
        value = row.level if row.stat_name == "covariance" and row.level else shown(row)
        lines.append(Line((Cell(row.stat_name.replace("_", " ")), Cell(about), Cell(str(value), (row,)))))
    return Block("Model", (label("Fact"), label("About"), Column("Value")), tuple(lines))


def _term_line(f: Row, facts: Sequence[Row]) -> Line:
    """``F(2, 104.2) = 1.36, p = 0.262``: the type 3 test of one term."""
    mine = {r.stat_name: r for r in facts if r.level == f.level}
    test = tuple(mine[name] for name in ("num_df", "den_df", "f", "p_value") if name in mine)
    num, den, value, p = (shown(r) for r in test)
    equals = "" if p.startswith(("<", ">")) else "= "
    text = f"F({num}, {den}) = {value}, p {equals}{p}" if f.stat is not None else shown(f)
    return Line((Cell("type 3 test"), Cell(f.level or ""), Cell(text, test)))


def subject_blocks(rows: Rows, subgroup: str) -> list[Block]:
    """Score and rank of each subject, by comparison, or its influence on an MMRM, where they were asked for."""
    places = rows.places("subject", subgroup)
    blocks = []
    for pair in dict.fromkeys((p.pair, p.visit) for p in places):
        mine = [p for p in places if (p.pair, p.visit) == pair]
        names = [name for name in SUBJECT_STATS if any(name in rows.at[p] for p in mine)]
        columns = (label("Subject"), label("Arm"), *(Column(SUBJECT_STATS[name]) for name in names))
        lines = tuple(
            Line((Cell(p.level or ""), Cell(p.arm or ""), *(value_cell(rows.at[p], name) for name in names))) for p in mine
        )
        (treatment, reference), visit = pair
        named = f"{treatment} vs {reference}" if treatment else ""
        blocks.append(Block(", ".join(t for t in ("Subjects", named, visit_name(visit)) if t), columns, lines))
    return blocks
