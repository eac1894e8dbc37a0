"""Do the same people do well on every measure? A drug that slows the disease should move function, breathing and NfL together.

Within arm, each pair of endpoints: Spearman's correlation of the changes (better is up) and how often both lie on the same side
of the control's median. Per arm: on how many endpoints a subject is better than the control's median; by chance alone half of
one, and, of unrelated endpoints, an eighth of all three.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from alsbench.analysis.contrast import higher_is_better
from alsbench.analysis.result import Row
from alsbench.analysis.scrutiny.finding import CheckAnswer, Finding, each_comparison
from alsbench.analysis.scrutiny.modifier import Floats
from alsbench.analysis.scrutiny.outcomes import change_at, data_fault, own_visit
from alsbench.analysis.source import IntArray
from alsbench.stats.correlation import correlation
from alsbench.stats.errors import StatsError
from alsbench.stats.proportions import percent
from alsbench.stats.rounding import percent_text
from alsbench.stats.ties import above
from alsbench.study.model import Comparison, Endpoint

STATS = ("n", "spearman", "spearman_low", "spearman_high", "same_side_percent")


def concordance(finding: Finding) -> CheckAnswer:
    """Check 19: pairs of endpoints by correlation and agreement, and per arm how many endpoints a subject is better on."""
    measures = measures_of(finding)
    if len(measures) < 2:
        return CheckAnswer([], "not applicable: fewer than two endpoints have values by visit")
    rows, said = each_comparison(finding, lambda c: _one(finding, c, measures))
    lines = (
        ("Measures", ", ".join(e.title or e.name for e in measures)),
        ("Visit", "the horizon, or each endpoint's last analysed visit before it"),
        ("Within arm", "ranks over both arms, centred within arm: what treatment itself does to both is taken out"),
        ("Better", "than the median of the comparison's reference arm in the subgroup; subjects with every value only"),
    )
    return CheckAnswer(rows, said, lines)


def measures_of(finding: Finding) -> tuple[Endpoint, ...]:
    """One endpoint by visit for each parameter of the study whose data can be analysed, the first in the study's order."""
    found: dict[tuple[str, str], Endpoint] = {}
    for endpoint in finding.source.study.endpoints.values():
        if endpoint.method in ("mmrm", "ancova") and data_fault(finding.source, endpoint) is None:
            found.setdefault((endpoint.dataset.upper(), endpoint.paramcd), endpoint)
    return tuple(found.values())


def _one(finding: Finding, comparison: Comparison, measures: tuple[Endpoint, ...]) -> tuple[list[Row], str]:
    source, order = finding.source, finding.source.study.arms.order
    member = finding.member()
    pair = [order.index(a) for a in (comparison.reference, comparison.treatment)]
    subject = np.flatnonzero(member.mask & np.isin(source.planned_arm, pair)).astype(np.int64)
    arm = source.planned_arm[subject]
    better: dict[str, Floats] = {}
    for endpoint in measures:
        visit = own_visit(source, endpoint, comparison)
        change = np.full(subject.size, np.nan) if visit is None else change_at(source, endpoint, visit, subject, member)
        better[endpoint.name] = change if higher_is_better(endpoint) else -change
    control = arm == pair[0]
    middle = {n: float(np.nanmedian(v[control])) if np.isfinite(v[control]).any() else np.nan for n, v in better.items()}
    rows: list[Row] = []
    said: list[str] = []
    for a, b in itertools.combinations(better, 2):
        mine, text = _pair(finding, comparison, (a, b), better, middle, arm)
        rows += mine
        said.append(f"{a} and {b} {text}")
    rows += _all_better(finding, comparison, better, middle, arm)
    return rows, ", ".join(said)


def _pair(
    finding: Finding,
    comparison: Comparison,
    names: tuple[str, str],
    better: dict[str, Floats],
    middle: dict[str, float],
    arm: IntArray,
) -> tuple[list[Row], str]:
    where = {"variable": "concordance", "level": " and ".join(names), "visit_number": comparison.horizon}
    x, y = (better[n] for n in names)
    both = np.isfinite(x) & np.isfinite(y)
    try:
        found = correlation(x, y, arm, ranks=True)
    except StatsError as error:
        return [finding.row(n, None, comparison, error=str(error), **where) for n in STATS], "not estimable"  # type: ignore[arg-type]
    same, n = int((above(x, middle[names[0]]) == above(y, middle[names[1]]))[both].sum()), int(both.sum())
    values = (n, found.r, found.low, found.high, percent(same, n))
    rows = [finding.row(n, v, comparison, **where) for n, v in zip(STATS, values, strict=True)]  # type: ignore[arg-type]
    return rows, f"rho {found.r:.2f} ({percent_text(same, n)} % on the same side)"


def _all_better(
    finding: Finding, comparison: Comparison, better: dict[str, Floats], middle: dict[str, float], arm: IntArray
) -> list[Row]:
    """Per arm, the share of subjects better than the control's median on 0, 1, ... of the endpoints."""
    values = np.array(list(better.values()))
    complete = np.isfinite(values).all(axis=0)
    count = np.array([above(v, middle[n]) for n, v in better.items()]).sum(axis=0)
    rows: list[Row] = []
    for name in (comparison.treatment, comparison.reference):
        mine = complete & (arm == finding.source.study.arms.order.index(name))
        for k in range(len(better) + 1):
            where = {
                "arm": name,
                "context": "arm",
                "level": f"better on {k} of {len(better)}",
                "visit_number": comparison.horizon,
            }
            hits, n = int((mine & (count == k)).sum()), int(mine.sum())
            rows.append(finding.row("count", hits, comparison, **where))  # type: ignore[arg-type]
            rows.append(finding.row("percent", percent(hits, n) if n else np.nan, comparison, **where))  # type: ignore[arg-type]
    return [replace(r, variable="better") for r in rows]
