"""Least squares with a reference grid of its own: a column for every level of every factor, and the generalised inverse.

With all levels in the design nothing depends on which one is left out. A combination of the coefficients is estimable where it
lies in the row space of the design (Searle 1971, section 5.4); what is not has no number. Covariates are centred at the point
where the LS means are read, and divided by their SD, so that a grid point has zero there.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special
from statsmodels.regression.linear_model import WLS

from alsbench.second.numbers import NotCovered
from alsbench.second.trial import covariate
from alsbench.study.model import Endpoint

Array = NDArray[np.float64]
Stats = dict[str, "float | int | str | None"]
NOT_IN_ROW_SPACE = 1e-8
NO_RESIDUAL = 1e-10  # of the largest response


@dataclass(frozen=True)
class GridDesign:
    """``x`` (rows, columns), and for each arm the row of the reference grid that is its LS mean."""

    x: Array
    grid: dict[str, Array]


def split_covariates(endpoint: Endpoint, rows: pd.DataFrame, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """The columns of covariates and of factors that vary in these rows: text is a factor, and a number listed as one."""
    columns = [covariate(name) for name in names if rows[covariate(name)].nunique() > 1]
    factors = {covariate(name) for name in endpoint.factors}
    is_factor = {c: c in factors or not pd.api.types.is_numeric_dtype(rows[c]) for c in columns}
    return [c for c in columns if not is_factor[c]], [c for c in columns if is_factor[c]]


def held_at(endpoint: Endpoint, column: str) -> float | None:
    """Where an LS mean reads a covariate, None for its mean. A baseline is given in the units of the data."""
    if column != "base":
        return endpoint.at.get(column.removeprefix("covariate "))
    at = endpoint.at.get("BASE")
    if at is None or endpoint.scale != "log":
        return at
    if at <= 0:
        raise NotCovered(f"the logarithm of a baseline of {at:g}")
    return math.log(at)


def arm_design(endpoint: Endpoint, rows: pd.DataFrame, arms: Sequence[str], more: Sequence[str] = ()) -> GridDesign:
    """Arms, covariates and factors of an endpoint; ``more`` names numeric columns of the rows that are covariates too."""
    numbers, factors = split_covariates(endpoint, rows, endpoint.covariates)
    numbers = [*(c for c in more if rows[c].nunique() > 1), *numbers]
    arm_columns = np.column_stack([np.ones(len(rows)), *((rows["arm"] == arm).to_numpy(float) for arm in arms)])
    parts, points = [arm_columns], [np.zeros(arm_columns.shape[1])]
    for column in numbers:
        values = rows[column].to_numpy(float)
        at = held_at(endpoint, column)
        parts.append(((values - (values.mean() if at is None else at)) / values.std())[:, None])
        points.append(np.zeros(1))
    for column in factors:
        levels = sorted(rows[column].unique())
        parts.append(np.column_stack([(rows[column] == level).to_numpy(float) for level in levels]))
        shares = np.array([(rows[column] == level).mean() for level in levels])
        points.append(shares if endpoint.ls_means == "proportional" else np.full(len(levels), 1 / len(levels)))
    point = np.concatenate(points)
    grid = {}
    for k, arm in enumerate(arms):
        grid[arm] = point.copy()
        grid[arm][[0, k + 1]] = 1.0
    return GridDesign(np.hstack(parts), grid)


def in_part(arm: str, inside: float) -> str:
    """What an arm inside (1) or outside (0) of a part is called."""
    return f"{inside:.0f} {arm}"


def arms_or_parts(rows: pd.DataFrame, arms: Sequence[str], part: Array | None = None) -> dict[str, Array]:
    """By name 1 for its rows and 0 for others: of the arms, or, with a ``part`` (1 for rows inside of it, 0 outside), of every
    arm in either, by :func:`in_part`."""
    found = {arm: (rows["arm"] == arm).to_numpy(float) for arm in arms}
    if part is None:
        return found
    return {in_part(arm, side): within * (part == side) for arm, within in found.items() for side in (0.0, 1.0)}


@dataclass(frozen=True)
class LeastSquares:
    """A least-squares fit and what it says of linear combinations of its coefficients."""

    x: Array
    beta: Array
    covariance: Array
    df: float

    def says(self, combination: Array) -> tuple[float, float] | None:
        """Estimate and standard error, None where the combination is not estimable."""
        within = np.linalg.pinv(self.x) @ self.x
        if np.abs(combination @ within - combination).max() > NOT_IN_ROW_SPACE:
            return None
        return float(combination @ self.beta), math.sqrt(float(combination @ self.covariance @ combination))


def least_squares(y: Array, x: Array, weights: Array | None = None) -> LeastSquares | None:
    """Ordinary (or weighted) least squares by statsmodels; None without residual degrees of freedom, or without a residual."""
    rank = int(np.linalg.matrix_rank(x))
    if len(y) <= rank:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the design has more columns than rank is meant: see above
        made = WLS(y, x, weights=np.ones(len(y)) if weights is None else weights).fit()
    if made.df_resid != len(y) - rank:
        raise NotCovered("the rank of the design is not clear")
    if np.abs(np.asarray(made.resid)).max() <= NO_RESIDUAL * max(float(np.abs(y).max()), 1e-300):
        return None  # every value is fitted exactly: what is left is rounding
    return LeastSquares(x, np.asarray(made.params), np.asarray(made.cov_params()), float(made.df_resid))


def t_quantile(df: float) -> float:
    """The 97.5 % point of Student's t; of the normal distribution for infinite df."""
    return float(special.stdtrit(df, 0.975)) if math.isfinite(df) else float(special.ndtri(0.975))


def t_two_sided(t: float, df: float) -> float:
    """The two-sided p of t."""
    return float(2 * special.stdtr(df, -abs(t)) if math.isfinite(df) else 2 * special.ndtr(-abs(t)))


def mean_stats(name: str, said: tuple[float, float] | None, df: float) -> Stats:
    """Estimate, standard error, df and limits, all None where there is no estimate."""
    if said is None:
        return dict.fromkeys([name, "se", "df", "conf_low", "conf_high"])
    estimate, se = said
    half = t_quantile(df) * se
    return {name: estimate, "se": se, "df": df, "conf_low": estimate - half, "conf_high": estimate + half}


def difference_stats(said: tuple[float, float] | None, df: float) -> Stats:
    """Those of a difference, with t and its p."""
    made = mean_stats("difference", said, df)
    if said is None or said[1] == 0:
        return made | dict.fromkeys(["t", "p_value"])
    t = said[0] / said[1]
    return made | {"t": t, "p_value": t_two_sided(t, df)}


def exponentiated(stats: Stats, names: tuple[str, str, str]) -> Stats:
    """Ratio and its limits beside an estimate of logarithms."""
    of = (next(iter(stats)), "conf_low", "conf_high")
    return {new: None if stats[old] is None else math.exp(float(stats[old] or 0.0)) for new, old in zip(names, of, strict=True)}
