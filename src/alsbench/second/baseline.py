"""Baseline characteristics (METHODS 5): numbers by moments and type 2 quantiles, classes by counts, and how far arms are apart.

A standardised difference is that of the means over the root of the mean of both variances; of classes the Mahalanobis distance
of the shares (Yang and Dalton 2012, "A unified approach to measuring the effect size between two groups", SAS Global Forum).
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from alsbench.second.design import Stats
from alsbench.second.numbers import NotCovered, NumberRows
from alsbench.second.proportions import pairs_of, share
from alsbench.second.trial import TrialTables, quantile
from alsbench.study.model import Endpoint

COVERED = {
    "arm": {"n", "mean", "sd", "median", "q1", "q3", "min", "max", "count", "percent"},
    "contrast": {"smd"},
}
APART = 1e-9  # shares that differ where neither arm varies have no finite distance


def numbers(trial: TrialTables, endpoint: Endpoint, members: pd.DataFrame) -> NumberRows:
    """Every characteristic by arm, and its difference in every comparison."""
    if not endpoint.covariates:
        raise NotCovered("baseline characteristics that the study file does not name")
    made = NumberRows()
    arm = trial.arm_of(members)
    order = trial.study.arms.order
    for name in order:
        made.add("arm", {"n": int((arm == name).sum())}, arm=name)
    for column in endpoint.covariates:
        if column not in members:
            raise NotCovered(f"the column {column} is not in ADSL")
        values = members[column]
        if pd.api.types.is_datetime64_any_dtype(values) or pd.api.types.is_bool_dtype(values):
            raise NotCovered(f"baseline values of {column} that are neither numbers nor texts")
        if pd.api.types.is_numeric_dtype(values) and column not in endpoint.factors:
            _numeric(made, trial, column, values.astype(float), arm)
        else:
            _classes(made, trial, column, values, arm)
    return made


def moments(values: pd.Series) -> Stats:
    """What is said of numbers: none of none, no SD of one."""
    known = values.dropna()
    if known.empty:
        return {"n": 0} | dict.fromkeys(["mean", "sd", "median", "q1", "q3", "min", "max"])
    return {
        "n": len(known),
        "mean": float(known.mean()),
        "sd": float(known.std(ddof=1)) if len(known) > 1 else None,
        "median": quantile(known, 0.5),
        "q1": quantile(known, 0.25),
        "q3": quantile(known, 0.75),
        "min": float(known.min()),
        "max": float(known.max()),
    }


def _numeric(made: NumberRows, trial: TrialTables, column: str, values: pd.Series, arm: pd.Series) -> None:
    for name in trial.study.arms.order:
        made.add("arm", moments(values[arm == name]), arm=name, variable=column)
    for treatment, reference in pairs_of(trial.study):
        one, other = values[arm == treatment].dropna(), values[arm == reference].dropna()
        spread = math.sqrt((one.var(ddof=1) + other.var(ddof=1)) / 2) if min(len(one), len(other)) > 1 else 0.0
        smd = float(one.mean() - other.mean()) / spread if spread > 0 else None
        made.add("contrast", {"smd": smd}, treatment=treatment, reference=reference, variable=column)


def _classes(made: NumberRows, trial: TrialTables, column: str, values: pd.Series, arm: pd.Series) -> None:
    known = values.dropna()
    words = known.map(lambda v: f"{v:g}" if isinstance(v, int | float) else str(v))
    levels = list(dict.fromkeys(words[known.sort_values(kind="stable").index]))
    counts = pd.crosstab(words, arm[words.index]).reindex(index=levels, columns=list(trial.study.arms.order), fill_value=0)
    for name in trial.study.arms.order:
        n = int(counts[name].sum())
        made.add("arm", {"n": n}, arm=name, variable=column)
        for level in levels:
            made.add("arm", share(int(counts.loc[level, name]), n), arm=name, variable=column, level=level)
    for treatment, reference in pairs_of(trial.study):
        smd = mahalanobis(counts[treatment], counts[reference])
        made.add("contrast", {"smd": smd}, treatment=treatment, reference=reference, variable=column)


def mahalanobis(one: pd.Series, other: pd.Series) -> float | None:
    """The distance of two multinomial shares in units of their mean covariance; None where that is not finite."""
    if not one.sum() or not other.sum():
        return None
    p, q = (one / one.sum()).to_numpy(float), (other / other.sum()).to_numpy(float)
    spread = sum(np.diag(shares) - np.outer(shares, shares) for shares in (p, q)) / 2
    inverse = np.linalg.pinv(spread, hermitian=True)
    gap = p - q
    if np.abs(spread @ inverse @ gap - gap).max() > APART:
        return None
    return math.sqrt(max(float(gap @ inverse @ gap), 0.0))
