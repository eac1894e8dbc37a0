"""A joint rank in print: for each comparison the ranks by arm, and the tests of the same pairs beside each other."""

from __future__ import annotations

from collections.abc import Sequence

from alsbench.render.lookup import NO_PAIR, Place, Rows, Stats, interval_cell, limits_cell, shown, spread_cell, value_cell
from alsbench.render.page import EMPTY, Block, Cell, Column, Line, label
from alsbench.render.standing import CI
from alsbench.render.visits import visit_name


def joint_rank_blocks(rows: Rows, subgroup: str) -> list[Block]:
    """A block for each comparison: ranks by arm, and the tests of the same pairs beside each other."""
    blocks = []
    for where in rows.places("contrast", subgroup):
        if where.pair == NO_PAIR or where.level:
            continue
        stats = rows.at[where]
        treatment, reference = where.pair
        at = visit_name(where.visit)
        blocks.append(_rank_block(rows, subgroup, where, f"{treatment} vs {reference}" + (f", {at}" if at else "")))
        by_level = {
            p.level: rows.at[p] for p in rows.places("contrast", subgroup) if (p.pair, p.visit) == (where.pair, where.visit)
        }
        blocks.append(_tests_block(stats, by_level))
    return blocks


def _rank_block(rows: Rows, subgroup: str, where: Place, title: str) -> Block:
    lines = []
    for arm in where.pair:
        stats = rows.get("arm", subgroup, arm=arm, pair=where.pair, visit=where.visit) or rows.get(
            "arm", subgroup, arm=arm, visit=where.visit
        )
        cells = (value_cell(stats, "n"), value_cell(stats, "mean"), spread_cell(stats, "ls_mean", "se"), limits_cell(stats))
        lines.append(Line((Cell(arm or ""), *cells)))
    columns = (label("Arm"), Column("n"), Column("Mean rank"), Column("LS mean rank (SE)"), Column("95% CI"))
    return Block(title, columns, tuple(lines))


def _tests_block(stats: Stats, by_level: dict[str | None, Stats]) -> Block:
    """Every test of the same pairs; ``by_level`` holds how pairs were decided."""
    lines = [
        _test("Difference in LS mean rank", interval_cell(stats, "difference", "conf_low", "conf_high"), stats, "p_value"),
        _test("Generalised Gehan-Wilcoxon z", value_cell(stats, "gehan_z"), stats, "gehan_p"),
        *_rerandomised(stats),
        *(
            _test(name, interval_cell(stats, key, f"{key}_low", f"{key}_high"), stats, "")
            for name, key in (
                ("Win probability", "win_probability"),
                ("Win odds", "win_odds"),
                ("Win ratio", "win_ratio"),
                ("Net benefit", "net_benefit"),
            )
        ),
        Line((Cell("Pairs won / lost / tied"), _counts(stats, ("wins", "losses", "ties")), EMPTY)),
        *(Line((Cell(f"  {level}"), value_cell(s, "pairs"), EMPTY)) for level, s in by_level.items() if level),
    ]
    kept = tuple(line for line in lines if line.cells[1].text)
    return Block("", (label("Test"), Column(f"Estimate {CI}"), Column("p")), kept, aligned=False)


def _rerandomised(stats: Stats) -> list[Line]:
    """Re-randomisation tests, where they were asked for; the estimate column says how many arrangements."""
    if "permutations" not in stats:
        return []
    count = value_cell(stats, "permutations")
    return [
        _test("Re-randomised ANCOVA t, arrangements", count, stats, "permutation_p"),
        _test("Re-randomised Gehan-Wilcoxon W", count, stats, "permutation_gehan_p"),
    ]


def _test(name: str, estimate: Cell, stats: Stats, p: str) -> Line:
    return Line((Cell(name), estimate, value_cell(stats, p)))


def _counts(stats: Stats, names: Sequence[str]) -> Cell:
    found = [stats[n] for n in names if n in stats]
    return Cell(" / ".join(shown(r) for r in found), tuple(found))
