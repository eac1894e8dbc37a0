"""How our own numbers could be read otherwise: another visit, a one-sided p, sides exchanged, a logarithm, another interval.

Tables differ in these without any difference in the analysis. A reading concerns all statistics of a table at once: those of
which it says nothing stay as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from scipy.special import ndtri, stdtrit

from alsbench.analysis.reconcile.reproduced import ComputedRows, RowPlace, TheirNumber
from alsbench.analysis.records import endpoint_records, post_baseline_visits, visit_label
from alsbench.analysis.source import Source
from alsbench.study.model import Endpoint

BY_VISIT = ("mmrm", "ancova", "responder")


@dataclass(frozen=True)
class Restatement:
    """Our own rows read otherwise, in ``words``: ``number`` gives the statistic of a place from the rows, None where that says
    nothing of it."""

    words: str
    number: Callable[[ComputedRows, RowPlace], float | None]


def restatements(source: Source, endpoint: Endpoint, numbers: Sequence[TheirNumber]) -> tuple[Restatement, ...]:
    """The ways in which rows as they are could be read, as far as they say anything of the ``numbers``."""
    found = [
        Restatement("a one-sided p (half of it)", lambda rows, place: _of_p(rows, place, lambda p: p / 2)),
        Restatement("a one-sided p (1 minus half of it)", lambda rows, place: _of_p(rows, place, lambda p: 1 - p / 2)),
        Restatement("treatment and reference exchanged", _exchanged),
        Restatement("the logarithm of it", lambda rows, place: _of_ratio(rows, place, math.log)),
        Restatement("its exponential", lambda rows, place: _of_difference(rows, place, math.exp)),
        Restatement("a share instead of a percentage", lambda rows, place: _percent(rows, place, 0.01)),
        Restatement("90% intervals", lambda rows, place: _interval(rows, place, 0.90, normal=False)),
        Restatement("intervals of the normal distribution", lambda rows, place: _interval(rows, place, 0.95, normal=True)),
        Restatement("90% intervals of the normal distribution", lambda rows, place: _interval(rows, place, 0.90, normal=True)),
    ]
    if endpoint.method in BY_VISIT:
        records = endpoint_records(source, endpoint)
        given = {n.row.visit_number for n in numbers}
        for visit in post_baseline_visits(source, records):
            if given != {visit}:
                words = f"the visit {visit_label(source, records, visit)}"
                found.append(Restatement(words, lambda rows, place, v=visit: _at_visit(rows, place, v)))  # type: ignore[misc]
    return tuple(found)


def _at_visit(rows: ComputedRows, place: RowPlace, visit: float) -> float | None:
    return None if place[5] is None else rows.number((*place[:5], visit, *place[6:]))


def _of_p(rows: ComputedRows, place: RowPlace, changed: Callable[[float], float]) -> float | None:
    """A p as changed; what is no p stays."""
    value = rows.number(place)
    return changed(value) if value is not None and str(place[-1]).endswith(("_p", "p_value")) else value


EXCHANGED: Mapping[str, str] = {
    **{low: high for a in ("conf", "hr", "ratio", "risk_difference", "rmst_difference") for low, high in
       ((f"{a}_low", f"{a}_high"), (f"{a}_high", f"{a}_low"))},
    "wins": "losses",
    "losses": "wins",
}  # fmt: skip
NEGATED = frozenset(
    {"difference", "t", "z", "conf_low", "conf_high", "risk_difference", "risk_difference_low", "risk_difference_high"}
    | {"rmst_difference", "rmst_difference_low", "rmst_difference_high", "gehan_w", "gehan_z", "log_rank_z", "net_benefit"}
)
INVERTED = frozenset({"hazard_ratio", "hr_low", "hr_high", "ratio", "ratio_low", "ratio_high", "win_ratio", "win_odds"})
RATIOS = INVERTED | {"gmr", "gmr_low", "gmr_high"}
ON_LOGS = frozenset({"difference", "ls_mean", "conf_low", "conf_high", "mean"})
SHARES = frozenset({"percent", "risk_difference", "risk_difference_low", "risk_difference_high", "percent_slowing"})


def _exchanged(rows: ComputedRows, place: RowPlace) -> float | None:
    """The contrast of reference against treatment."""
    if place[1] != "contrast":
        return rows.number(place)
    name = str(place[-1])
    value = rows.beside(place, EXCHANGED.get(name, name))
    if value is None:
        return None
    if name == "win_probability":
        return 1.0 - value
    if name in INVERTED:
        return 1.0 / value if value else None
    return -value if name in NEGATED else value


def _of_ratio(rows: ComputedRows, place: RowPlace, changed: Callable[[float], float]) -> float | None:
    value = rows.number(place)
    if value is None or place[-1] not in RATIOS:
        return value
    return changed(value) if value > 0 else None


def _of_difference(rows: ComputedRows, place: RowPlace, changed: Callable[[float], float]) -> float | None:
    value = rows.number(place)
    if value is None or place[-1] not in ON_LOGS:
        return value
    return changed(value) if abs(value) < 100 else None


def _percent(rows: ComputedRows, place: RowPlace, factor: float) -> float | None:
    value = rows.number(place)
    return value * factor if value is not None and place[-1] in SHARES else value


def _interval(rows: ComputedRows, place: RowPlace, level: float, *, normal: bool) -> float | None:
    """A limit from the estimate and standard error beside it; everything else stays."""
    name = str(place[-1])
    if name not in ("conf_low", "conf_high"):
        return rows.number(place)
    estimate = next((v for s in ("difference", "ls_mean", "slope") if (v := rows.beside(place, s)) is not None), None)
    se, df = rows.beside(place, "se"), rows.beside(place, "df")
    if estimate is None or se is None or (df is None and not normal):
        return None
    upper = 0.5 + level / 2
    quantile = float(ndtri(upper) if normal or df is None else stdtrit(df, upper))
    return estimate + (quantile if name == "conf_high" else -quantile) * se
