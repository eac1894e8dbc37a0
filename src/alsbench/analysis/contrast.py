"""One contrast: treatment against reference at one place, and the rules that everybody who reads one shares.

A result is rows of one statistic each; a contrast is read from them here and nowhere else: which statistics sum it up
(:func:`summary_names`), at which visit a comparison is read (:func:`horizon_visit`), and which side is the better one
(:func:`higher_is_better`). Evidence, forest plots, scrutiny, claims, imputation and the app take it from here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from alsbench.analysis.result import Row
from alsbench.errors import shorten

if TYPE_CHECKING:
    from alsbench.study.model import Comparison, Endpoint


Unit = Literal["difference", "ratio", "hazard_ratio"]
Names = tuple[str, str, str, str]  # of estimate, lower and upper limit, and p
STATISTICS: dict[Unit, Names] = {
    "difference": ("difference", "conf_low", "conf_high", "p_value"),
    "ratio": ("ratio", "ratio_low", "ratio_high", "p_value"),
    "hazard_ratio": ("hazard_ratio", "hr_low", "hr_high", "p_value"),
}
BY_VISIT = frozenset({"mmrm", "ancova", "joint_rank"})  # methods with a contrast at each visit
CONTRASTED: dict[str, Unit] = {  # methods with one contrast that sums them up
    **dict.fromkeys((*sorted(BY_VISIT), "slope"), "difference"),
    "time_to_event": "hazard_ratio",
}
Z95 = 1.959963984540054
NOMINAL = "nominal"  # a verdict: small, but outside the plan or behind a gate that stayed closed
NO_VISIT = "no analysed visit up to the horizon"
SMALL = 0.05  # what a reader takes for a result
NOT_JUDGED = "not judged yet"  # a bottom line: nobody has asked for it


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """Treatment against reference. ``estimate`` with its 95 % limits ``low`` and ``high`` is what ``unit`` says; ``se`` and
    ``df`` are of the scale it was estimated on: the logarithm for a ratio. ``p`` is two-sided. None is not estimable, and
    ``error`` says why. ``upward``: a larger estimate is the better one for the treatment.
    """

    treatment: str
    reference: str
    unit: Unit = "difference"
    upward: bool = True
    visit: str | None = None
    visit_number: float | None = None
    estimate: float | None = None
    se: float | None = None
    low: float | None = None
    high: float | None = None
    df: float | None = None
    p: float | None = None
    error: str | None = None

    @property
    def ratio(self) -> bool:
        """Whether the estimate is a ratio, which is no effect at 1, not at 0."""
        return self.unit != "difference"

    @property
    def null(self) -> float:
        """The estimate of a treatment without effect."""
        return 1.0 if self.ratio else 0.0

    @property
    def favourable(self) -> bool | None:
        """Whether the estimate lies on the better side; None on neither, or without an estimate."""
        if self.estimate is None or self.estimate == self.null:
            return None
        return (self.estimate > self.null) == self.upward

    @property
    def own_se(self) -> float | None:
        """The standard error in the unit of the estimate: of a ratio by the delta method, ratio x SE(log ratio)."""
        if self.estimate is None or self.se is None:
            return None
        return self.estimate * self.se if self.ratio else self.se


@dataclass(frozen=True, kw_only=True)
class EvidenceCell(Contrast):
    """One contrast of the evidence table.

    ``interaction_p`` stands on the subgroup's cell, not on its complement's. ``p_adjusted`` and ``verdict`` (rejected, not
    rejected, nominal) are those of the study's multiplicity plan. ``plan`` is ``post hoc`` or ``deviation`` where the endpoint
    or comparison is not as the locked plan has it. ``bottom_line`` is the level of a p below 0.05 outside the plan, or that
    nobody has asked for it; empty where there is nothing to explain, None before anybody has looked at the plan.
    """

    endpoint: str
    title: str
    method: str
    level: str
    comparison: str
    primary: bool
    subgroup: str
    post_hoc: bool
    n: int
    first_lasting_visit: float | None = None
    first_visit: float | None = None
    visits_tested: int | None = None
    interaction_p: float | None = None
    p_adjusted: float | None = None
    verdict: str | None = None
    warning: str | None = None
    plan: str = ""
    bottom_line: str | None = None

    @property
    def met(self) -> bool:
        """Whether a small p in favour of the treatment is what the plan asked for: the only one that may look like success."""
        return self.p is not None and self.p < SMALL and self.favourable is True and self.bottom_line == ""

    @property
    def nominal(self) -> bool:
        """Whether a small p is none of the multiplicity plan's rejections."""
        return self.verdict == NOMINAL


@dataclass(frozen=True)
class Piece:
    """The cells of one endpoint in one subgroup, a cell per comparison, with the rows they were taken from."""

    cells: tuple[EvidenceCell, ...]
    rows: tuple[Row, ...]
    warnings: tuple[str, ...]


def visits_to_horizon(visits: Iterable[float | None], horizon: float | None) -> list[float]:
    """The visits up to a horizon; all of them without one."""
    return [v for v in visits if v is not None and (horizon is None or v <= horizon)]


def horizon_visit(visits: Iterable[float | None], horizon: float | None) -> float | None:
    """Where a comparison is read: the last analysed visit up to its horizon, the last of all without one; None for none."""
    return max(visits_to_horizon(visits, horizon), default=None)


def higher_is_better(endpoint: Endpoint) -> bool:
    """Whether a larger estimate, or statistic, is the better one for the treated: below one is better for a hazard of bad
    events, and a joint rank has turned a function that is better low round, whatever the endpoint says."""
    if endpoint.method in ("time_to_event", "joint_rank"):
        return endpoint.method == "joint_rank"
    return endpoint.better == "higher"


def summary_names(endpoint: Endpoint) -> Names:
    """The names of estimate, limits and p of an endpoint's method."""
    return STATISTICS["ratio" if endpoint.scale == "log" else CONTRASTED.get(endpoint.method, "difference")]


def rows_of(rows: Iterable[Row], comparison: Comparison) -> list[Row]:
    """The rows of a comparison's two arms against each other: contrasts, and what a fit of the two says of each."""
    return [r for r in rows if (r.treatment, r.reference) == (comparison.treatment, comparison.reference)]


def at_horizon(rows: Iterable[Row], comparison: Comparison) -> list[Row]:
    """The rows of a comparison where it is read; those without a visit where it is read nowhere."""
    mine = rows_of(rows, comparison)
    number = horizon_visit((r.visit_number for r in mine), comparison.horizon)
    return [r for r in mine if r.visit_number == number]


def contrast_of(rows: Iterable[Row], endpoint: Endpoint, comparison: Comparison, *, logs: bool = False) -> Contrast:
    """A comparison's contrast in the rows of an endpoint in one subgroup: at its horizon where the method goes by visit.

    With ``logs`` the ratio of an endpoint analysed by its logarithms is left as their difference."""
    mine = [r for r in rows_of(rows, comparison) if r.context == "contrast"]
    number = None
    if endpoint.method in BY_VISIT:
        number = horizon_visit((r.visit_number for r in mine if r.stat_name == "p_value"), comparison.horizon)
        if number is None:
            reason = next((r.error for r in mine if r.error and r.stat_name == "p_value"), NO_VISIT)
            unit, upward = CONTRASTED[endpoint.method], higher_is_better(endpoint)
            return Contrast(
                treatment=comparison.treatment, reference=comparison.reference, unit=unit, upward=upward, error=reason
            )
    stats = {r.stat_name: r for r in mine if r.visit_number == number and r.level is None}
    return contrast_in({n: r for n, r in stats.items() if n != "ratio"} if logs else stats, endpoint, comparison)


def contrasts_by_visit(rows: Iterable[Row], endpoint: Endpoint, comparison: Comparison) -> list[Contrast]:
    """The contrasts of a comparison at every place where the rows have one, in order of visit."""
    places: dict[tuple[str | None, float | None], dict[str, Row]] = {}
    for row in rows_of(rows, comparison):
        if row.context == "contrast" and row.variable is None and row.level is None:
            places.setdefault((row.visit, row.visit_number), {})[row.stat_name] = row
    found = [contrast_in(stats, endpoint, comparison) for stats in places.values() if any(u in stats for u in STATISTICS)]
    return sorted(found, key=lambda c: c.visit_number or 0.0)


def contrast_in(stats: dict[str, Row], endpoint: Endpoint, comparison: Comparison) -> Contrast:
    """The contrast that the statistics of one place, by name, describe."""
    unit: Unit = "ratio" if "ratio" in stats else CONTRASTED.get(endpoint.method, "difference")
    found = [stats.get(name) for name in STATISTICS[unit]]
    told = [r for r in found if r is not None]
    estimate, low, high, p = (_number(r) for r in found)
    se, df = _number(stats.get("se")), _number(stats.get("df"))
    if se is None and unit != "difference":
        se = _log_se(low, high)
    return Contrast(
        treatment=comparison.treatment,
        reference=comparison.reference,
        unit=unit,
        upward=higher_is_better(endpoint),
        visit=next((r.visit for r in told), None),
        visit_number=next((r.visit_number for r in told), None),
        estimate=estimate,
        se=se,
        low=low,
        high=high,
        df=df,
        p=p,
        error=next((r.error for r in told if r.error), None),
    )


def rows_behind(rows: Iterable[Row], contrast: Contrast) -> tuple[Row, ...]:
    """The rows that a contrast was read from: its estimate, standard error, limits and p."""
    stats: dict[str, Row] = {}
    for row in rows:
        at = (row.treatment, row.reference, row.visit_number, row.level)
        if row.context == "contrast" and at == (contrast.treatment, contrast.reference, contrast.visit_number, None):
            stats[row.stat_name] = row
    estimate, low, high, p = STATISTICS[contrast.unit]
    return tuple(stats[name] for name in (estimate, "se", low, high, p) if name in stats)


def _log_se(low: float | None, high: float | None) -> float | None:
    """The standard error of a logarithm from the 95 % limits of the ratio."""
    return (math.log(high) - math.log(low)) / (2 * Z95) if low is not None and high is not None and 0 < low <= high else None


def _number(row: Row | None) -> float | None:
    return row.number() if row is not None and row.stat is not None else None


ALPHAS = (0.01, 0.025, 0.05)


def p_text(value: float) -> str:
    """``0.215`` or ``<0.001``; more decimals where three would show a usual alpha that it is not (``0.04996``)."""
    if value < 0.001:
        return "<0.001"
    others = [a for a in ALPHAS if a != value]
    places = next((d for d in range(3, 16) if round(value, d) not in others), 16)
    return f"{value:.{places}f}"


def frequency(p: float, tests: int) -> str:
    """A p over a search of so many tests in natural frequencies."""
    times = round(1000 * p)
    offer = f"{times:,} offer" if times > 1 else "1 offers" if times else "fewer than 1 offers"
    return (
        f"Of 1,000 trials like this without any effect, {offer} something at least this small "
        f"somewhere among the {tests:,} tests of the search."
    )


ARM = 14  # characters of an arm or a visit in a heading


def place_words(treatment: str | None, reference: str | None, visit: str | None) -> str:
    """``Group 2 vs Placebo, Month 12``: where a finding lies, for somebody who does not know the study file; long names
    shortened."""
    arms = f"{shorten(treatment or '', ARM)} vs {shorten(reference or '', ARM)}"
    return arms + (f", {shorten(visit, ARM)}" if visit else "")
