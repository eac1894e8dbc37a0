"""Baseline characteristics by arm: n, mean (SD), median (Q1, Q3), min-max; counts and percentages; standardised differences.

Variables are the endpoint's ``covariates``; without any, age, sex, race and every covariate and baseline value that the
study's other endpoints use. Percentages are of the subjects with a value. Quantiles are SAS PCTLDEF=5.
"""

from __future__ import annotations

import numpy as np

from alsbench.analysis.ask import Ask, Block
from alsbench.analysis.model_data import factor
from alsbench.analysis.records import number_text
from alsbench.analysis.result import Row
from alsbench.analysis.source import BoolArray
from alsbench.stats.errors import StatsError
from alsbench.stats.summaries import count_levels, describe, smd_categorical, smd_numeric

USUAL = ("AGE", "SEX", "RACE")
STATS = ("n", "mean", "sd", "median", "q1", "q3", "min", "max")


def analyse(ask: Ask) -> Block:
    """One block of rows per variable and arm, and a standardised mean difference per variable and comparison."""
    masks = [ask.member.mask & (ask.source.planned_arm == i) for i in range(len(ask.arms))]
    rows: list[Row] = [ask.row("arm", "n", int(m.sum()), arm=arm) for arm, m in zip(ask.arms, masks, strict=True)]
    names = variables(ask)
    for name in names:
        ask.source.subject_column(name, f"study.toml endpoints.{ask.endpoint.name}.covariates")  # says which is not there
        as_factor = ask.source.subjects.kind(name) != "number" or name in ask.endpoint.factors
        rows += _factor_rows(ask, name, masks) if as_factor else _numeric_rows(ask, name, masks)
    return Block(
        rows,
        model=(
            ("Statistics", "numeric: mean (SD), median (Q1, Q3), range; classes: n (%) of subjects with a value"),
            ("Quantiles", "type 2 (SAS PCTLDEF=5)"),
            ("Standardised mean difference", "treatment minus reference over the pooled SD; classes: Mahalanobis distance"),
        ),
    )


def variables(ask: Ask) -> tuple[str, ...]:
    """The subject-level columns described, in order."""
    named = (*ask.endpoint.covariates, *ask.endpoint.factors)
    if named:
        return tuple(dict.fromkeys(named))
    used = [c for e in ask.source.study.endpoints.values() for c in (*e.covariates, *e.factors, *e.strata)]
    columns = ask.source.subjects.columns
    baseline = [c for c in columns if c.startswith("BL") and ask.source.subjects.kind(c) == "number"]
    return tuple(c for c in dict.fromkeys([*USUAL, *used, *baseline]) if c in columns)


def _numeric_rows(ask: Ask, name: str, masks: list[BoolArray]) -> list[Row]:
    values = np.asarray(ask.source.subject_column(name), dtype=np.float64)
    rows: list[Row] = []
    for arm, mask in zip(ask.arms, masks, strict=True):
        summary = describe(values[mask])
        for stat in STATS:
            value = getattr(summary, stat)
            error = None if value == value else f"{summary.n} value{'s' if summary.n != 1 else ''}"
            rows.append(ask.row("arm", stat, value if error is None else None, arm=arm, variable=name, error=error))
    for treatment, reference in ask.pairs:
        where = {"treatment": treatment, "reference": reference, "variable": name}
        a, b = (values[masks[ask.arms.index(arm)]] for arm in (treatment, reference))
        rows.append(_smd(ask, lambda a=a, b=b: smd_numeric(a, b), where))
    return rows


def _factor_rows(ask: Ask, name: str, masks: list[BoolArray]) -> list[Row]:
    texts = _texts(ask, name)
    present = np.array([t is not None for t in texts], dtype=bool) & ask.member.mask
    levels = factor(name, texts[present]).levels
    position = {level: i for i, level in enumerate(levels)}
    codes = np.array([-1 if t is None else position.get(t, -1) for t in texts], dtype=np.int64)
    rows: list[Row] = []
    for arm, mask in zip(ask.arms, masks, strict=True):
        counted = count_levels(codes[mask], levels)
        rows.append(ask.row("arm", "n", int((codes[mask] >= 0).sum()), arm=arm, variable=name))
        for level in counted:
            where = {"arm": arm, "variable": name, "level": level.level}
            rows.append(ask.row("arm", "count", level.count, **where))
            percent = level.percent if level.total else None
            rows.append(ask.row("arm", "percent", percent, error=None if level.total else "0 values", **where))
    for treatment, reference in ask.pairs:
        where = {"treatment": treatment, "reference": reference, "variable": name}
        a, b = (codes[masks[ask.arms.index(arm)]] for arm in (treatment, reference))
        rows.append(_smd(ask, lambda a=a, b=b: smd_categorical(a, b, len(levels)), where))
    return rows


def _texts(ask: Ask, name: str) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    column = ask.source.subject_column(name)
    if ask.source.subjects.kind(name) == "number":
        return np.array([number_text(v) if v == v else None for v in column.tolist()], dtype=object)
    return np.array([None if v is None else str(v) for v in column.tolist()], dtype=object)


def _smd(ask: Ask, compute, where: dict[str, str]) -> Row:  # type: ignore[no-untyped-def]
    try:
        return ask.row("contrast", "smd", compute(), **where)
    except StatsError as error:
        return ask.row("contrast", "smd", None, error=str(error), **where)
