"""One reference number, what this installation computes for it, and whether they agree.

The rules are the project's accuracy requirements: least-squares means and differences to 1e-6 of the larger of value and
standard error, standard errors to 1e-6 and degrees of freedom to 1e-4 relative, p-values and log-likelihoods to 1e-6, ranks
and counts exactly. What follows from these (t, F, limits, criteria) is held to what they imply; closed forms to rounding.

METHODS lists what is qualified: each method, how it is reached, and the tests that hold it to the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from alsbench.stats.contrasts import Contrasts

Rule = Literal[
    "estimate",
    "se",
    "df",
    "limit",
    "t",
    "f",
    "chi-square",
    "p",
    "log-likelihood",
    "criterion",
    "matrix",
    "variance",
    "closed",
    "exact",
    "printed",
]

RULES: Mapping[Rule, tuple[str, str]] = {
    "estimate": ("estimates", "1e-6 of the larger of |R| and SE"),
    "se": ("standard errors", "1e-6 relative"),
    "df": ("degrees of freedom", "1e-4 relative"),
    "limit": ("confidence limits", "1e-5 of the larger of |estimate| and SE"),
    "t": ("t and z", "2e-6, relative above 1"),
    "f": ("F", "2e-6 F + 4e-6 sqrt(F)"),
    "chi-square": ("chi-square", "1e-6, relative above 1"),
    "p": ("p-values", "1e-6"),
    "log-likelihood": ("log-likelihoods", "1e-6"),
    "criterion": ("deviance, AIC, BIC", "2e-6"),
    "matrix": ("covariance matrices", "1e-6 of the largest entry"),
    "variance": ("variance components", "2e-5 (lme4 stops where the deviance is flat to 1e-9)"),
    "closed": ("closed forms", "1e-8 relative"),
    "exact": ("counts, ranks, scores", "equal"),
    "printed": ("printed values", "half a unit of the last digit printed; SAS estimates 3e-4"),
}
_NOISE = 1e-12  # rounding in a closed form whose value is zero


def allowed(rule: Rule, expected: float, scale: float) -> float:
    """The absolute deviation a rule allows; ``scale`` is the SE, the largest entry or the unit printed, where it has one."""
    size = abs(expected)
    match rule:
        case "estimate":
            return 1e-6 * max(size, scale)
        case "se":
            return 1e-6 * size
        case "df":
            return 1e-4 * size
        case "limit":
            return 1e-5 * scale
        case "t":
            return 2e-6 * max(size, 1.0)
        case "f":
            return 2e-6 * size + 4e-6 * math.sqrt(size)
        case "chi-square":
            return 1e-6 * max(size, 1.0)
        case "p" | "log-likelihood":
            return 1e-6
        case "criterion":
            return 2e-6
        case "matrix":
            return 1e-6 * scale
        case "variance":
            return 2e-5 * scale
        case "closed":
            return max(1e-8 * size, _NOISE)
        case "printed":
            return scale
        case "exact":
            return 0.0


@dataclass(frozen=True, slots=True)
class ReferenceCheck:
    """One comparison. ``expected`` and ``got`` are NaN where there is no value, which must then be so on both sides;
    ``fault`` says what went wrong where nothing could be computed."""

    id: str
    method: str
    rule: Rule
    reference: str
    expected: float
    got: float
    tolerance: float
    fault: str = ""

    @property
    def deviation(self) -> float:
        """|got - expected|: 0 where neither has a value, infinite where only one has."""
        if self.fault or math.isnan(self.expected) != math.isnan(self.got):
            return math.inf
        if math.isnan(self.expected) or self.expected == self.got:
            return 0.0
        return abs(self.got - self.expected)

    @property
    def share(self) -> float:
        """The deviation in units of the tolerance."""
        deviation = self.deviation
        if deviation == 0.0:
            return 0.0
        return deviation / self.tolerance if self.tolerance > 0 else math.inf

    @property
    def passed(self) -> bool:
        return self.share <= 1.0


@dataclass
class Tally:
    """Collects the checks of one method against one reference file or table."""

    method: str
    case: str
    reference: str
    checks: list[ReferenceCheck] = field(default_factory=list)

    def add(self, rule: Rule, where: str, expected: Any, got: Any, *, scale: float = 1.0) -> None:
        """Compare one number; None means that there is none."""
        theirs = math.nan if expected is None else float(expected)
        ours = math.nan if got is None else float(got)
        limit = 0.0 if math.isnan(theirs) else allowed(rule, theirs, scale)
        self.checks.append(ReferenceCheck(f"{self.case} {where}", self.method, rule, self.reference, theirs, ours, limit))

    def matrix(self, rule: Rule, where: str, expected: Any, got: Any, *, symmetric: bool = False) -> None:
        """Compare two arrays entry by entry, scaled by the largest; of ``symmetric`` ones the lower triangle."""
        theirs, ours = np.asarray(expected, dtype=np.float64), np.asarray(got, dtype=np.float64)
        if theirs.shape != ours.shape:
            self.fail(where, f"shape {ours.shape}, not {theirs.shape}")
            return
        size = float(np.abs(theirs).max())
        for index in np.ndindex(theirs.shape):
            if symmetric and index[0] < index[1]:
                continue
            self.add(rule, f"{where}{list(index)}", theirs[index], ours[index], scale=size)

    def texts(self, where: str, expected: Iterable[str], got: Iterable[str]) -> None:
        """Names must be the same, in the same order: counted as one exact number (how many)."""
        theirs, ours = list(expected), list(got)
        self.add("exact", where, len(theirs), len(ours) if theirs == ours else math.nan)

    def contrasts(self, where: str, wanted: list[Mapping[str, Any]], found: Contrasts) -> None:
        """R's rows of estimates and their inference against ours, in the same order."""
        if len(wanted) != found.estimate.size:
            self.fail(where, f"{found.estimate.size} rows, not {len(wanted)}")
            return
        names = ("estimate", "se", "df", "t", "p", "low", "high")
        for i, row in enumerate(wanted):
            ours = {n: float(getattr(found, n)[i]) for n in names}
            self.inference(f"{where} {row_name(row)}", row, ours)

    def inference(self, where: str, wanted: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
        """One row: whatever R and we both give of estimate, se, df, t, p and limits."""
        scale = max(abs(wanted["estimate"]), wanted["se"])
        pairs: tuple[tuple[Rule, str, str, float], ...] = (
            ("estimate", "estimate", "estimate", wanted["se"]),
            ("se", "se", "se", 1.0),
            ("df", "df", "df", 1.0),
            ("t", "statistic", "t", 1.0),
            ("p", "p", "p", 1.0),
            ("limit", "lower", "low", scale),
            ("limit", "upper", "high", scale),
        )
        for rule, theirs, mine, size in pairs:
            if theirs in wanted and mine in ours:
                self.add(rule, f"{where} {theirs}", wanted[theirs], ours[mine], scale=size)

    def f_test(self, where: str, wanted: Mapping[str, Any], found: Any) -> None:
        """An F test with its degrees of freedom."""
        self.add("exact", f"{where} numerator df", wanted["num_df"], found.num_df)
        self.add("f", f"{where} F", wanted["f"], found.f)
        self.add("df", f"{where} denominator df", wanted["den_df"], found.den_df)
        self.add("p", f"{where} p", wanted["p"], found.p)

    def fail(self, where: str, why: str) -> None:
        """Nothing to compare: a failed check that says why."""
        lost = ReferenceCheck(f"{self.case} {where}", self.method, "exact", self.reference, math.nan, math.nan, 0.0, why)
        self.checks.append(lost)


def row_name(row: Mapping[str, Any]) -> str:
    """What identifies a row of R's tables: its labels, in order."""
    return " / ".join(str(v) for k, v in row.items() if isinstance(v, str) or k == "age")


_CORRIDOR = "tests/analysis/test_reference_trials.py"


@dataclass(frozen=True)
class Method:
    """``route``: whole = files loaded, then a question answered; engine = arrays given to the function itself."""

    id: str
    title: str
    route: str
    tests: tuple[str, ...]


_METHODS = (
    Method("subgroup", "Subgroup cuts and counts", "whole", (_CORRIDOR,)),
    Method(
        "mmrm-satterthwaite",
        "MMRM REML, Satterthwaite",
        "whole, engine",
        (_CORRIDOR, "tests/stats/test_mmrm_trials.py", "tests/stats/test_mmrm_fev.py"),
    ),
    Method(
        "mmrm-kenward-roger",
        "MMRM REML, Kenward-Roger (linear)",
        "whole, engine",
        (_CORRIDOR, "tests/stats/test_mmrm_trials.py", "tests/stats/test_mmrm_fev.py"),
    ),
    Method("mmrm-kenward-roger-full", "MMRM REML, Kenward-Roger (full)", "engine", ("tests/stats/test_mmrm_fev.py",)),
    Method("mmrm-ml", "MMRM ML, Satterthwaite", "engine", ("tests/stats/test_mmrm_fev.py",)),
    Method("mmrm-exact", "MMRM, fits to full precision", "engine", ("tests/stats/test_mmrm_fev.py",)),
    Method("mmrm-sas", "MMRM, SAS PROC MIXED", "engine", ("tests/stats/test_mmrm_fev.py",)),
    Method("ancova", "ANCOVA by visit", "whole, engine", (_CORRIDOR, "tests/stats/test_ancova.py")),
    Method(
        "joint-rank",
        "CAFS scores and ranks",
        "whole, engine",
        (_CORRIDOR, "tests/stats/test_joint_rank.py", "tests/stats/test_joint_rank_reference.py"),
    ),
    Method("joint-rank-ancova", "CAFS, ANCOVA on ranks", "whole", (_CORRIDOR, "tests/stats/test_joint_rank_reference.py")),
    Method(
        "gehan-wilcoxon",
        "CAFS, Finkelstein-Schoenfeld test",
        "whole, engine",
        (_CORRIDOR, "tests/stats/test_joint_rank_reference.py"),
    ),
    Method("wins", "Win ratio, win odds, net benefit", "whole, engine", (_CORRIDOR, "tests/stats/test_wins.py")),
    Method("slope-satterthwaite", "Random slopes, Satterthwaite", "whole, engine", (_CORRIDOR, "tests/stats/test_slopes.py")),
    Method("slope-kenward-roger", "Random slopes, Kenward-Roger", "whole, engine", (_CORRIDOR, "tests/stats/test_slopes.py")),
    Method("slope-likelihood", "Random slopes, REML and ML fits", "whole, engine", ("tests/stats/test_slopes.py",)),
    Method("kaplan-meier", "Kaplan-Meier curves and intervals", "whole, engine", ("tests/stats/test_survival.py",)),
    Method("log-rank", "Log-rank tests", "whole, engine", (_CORRIDOR, "tests/stats/test_survival.py")),
    Method("cox", "Cox models", "whole, engine", (_CORRIDOR, "tests/stats/test_cox.py")),
    Method("rmst", "Restricted mean survival", "whole, engine", (_CORRIDOR, "tests/stats/test_survival.py")),
    Method("proportions", "Intervals of proportions and rates", "engine", ("tests/stats/test_proportions.py",)),
    Method("multiplicity", "Multiplicity", "engine", ("tests/stats/test_multiplicity.py",)),
    Method("max-t", "Max-t critical values", "engine", ("tests/stats/test_max_t.py", "tests/stats/test_max_t_accuracy.py")),
    Method("repeatability", "Repeatability, bit for bit", "whole", ("tests/analysis/test_qualification.py",)),
)
METHODS: dict[str, Method] = {m.id: m for m in _METHODS}
