"""Baseline characteristics by arm: n, mean (SD), median (Q1, Q3), min-max; counts and percentages; standardised differences.

Variables are the endpoint's ``covariates``; without any, age, sex, race and every covariate and baseline value that the
study's other endpoints use. Percentages are of the subjects with a value. Quantiles are SAS PCTLDEF=5.

The balance of a subgroup and its complement is of the variables of the study's own baseline endpoint, whose command prints the
same numbers; without one of the usual. Nothing is tested: randomisation makes any difference chance, and its size matters.
"""

from __future__ import annotations

import numpy as np

from alsbench.analysis.context import AnalysisContext, MethodResult
from alsbench.analysis.model_data import factor
from alsbench.analysis.plan import provenance
from alsbench.analysis.question import Question, endpoint_command
from alsbench.analysis.records import number_text
from alsbench.analysis.result import Facts, Result, Row
from alsbench.analysis.source import BoolArray, Source
from alsbench.analysis.subgroups import members, subgroup_line, subgroup_rows
from alsbench.stats.errors import StatsError
from alsbench.stats.summaries import count_levels, describe, smd_categorical, smd_numeric
from alsbench.study.model import Endpoint

USUAL = ("AGE", "SEX", "RACE")
STATS = ("n", "mean", "sd", "median", "q1", "q3", "min", "max")


def analyse(analysis: AnalysisContext) -> MethodResult:
    """One block of rows per variable and arm, and a standardised mean difference per variable and comparison."""
    masks = [analysis.member.mask & (analysis.source.planned_arm == i) for i in range(len(analysis.arms))]
    rows: list[Row] = [analysis.row("arm", "n", int(m.sum()), arm=arm) for arm, m in zip(analysis.arms, masks, strict=True)]
    names = variables(analysis)
    for name in names:
        analysis.source.subject_column(
            name, f"study.toml endpoints.{analysis.endpoint.name}.covariates"
        )  # says which is not there
        as_factor = analysis.source.subjects.kind(name) != "number" or name in analysis.endpoint.factors
        rows += _factor_rows(analysis, name, masks) if as_factor else _numeric_rows(analysis, name, masks)
    return MethodResult(
        rows,
        model=(
            ("Statistics", "numeric: mean (SD), median (Q1, Q3), range; classes: n (%) of subjects with a value"),
            ("Quantiles", "type 2 (SAS PCTLDEF=5)"),
            ("Standardised mean difference", "treatment minus reference over the pooled SD; classes: Mahalanobis distance"),
        ),
    )


def variables(analysis: AnalysisContext) -> tuple[str, ...]:
    """The subject-level columns described, in order."""
    named = (*analysis.endpoint.covariates, *analysis.endpoint.factors)
    if named:
        return tuple(dict.fromkeys(named))
    used = [c for e in analysis.source.study.endpoints.values() for c in (*e.covariates, *e.factors, *e.strata)]
    columns = analysis.source.subjects.columns
    baseline = [c for c in columns if c.startswith("BL") and analysis.source.subjects.kind(c) == "number"]
    return tuple(c for c in dict.fromkeys([*USUAL, *used, *baseline]) if c in columns)


def _numeric_rows(analysis: AnalysisContext, name: str, masks: list[BoolArray]) -> list[Row]:
    values = np.asarray(analysis.source.subject_column(name), dtype=np.float64)
    rows: list[Row] = []
    for arm, mask in zip(analysis.arms, masks, strict=True):
        summary = describe(values[mask])
        for stat in STATS:
            value = getattr(summary, stat)
            error = None if value == value else f"{summary.n} value{'s' if summary.n != 1 else ''}"
            rows.append(analysis.row("arm", stat, value if error is None else None, arm=arm, variable=name, error=error))
    for treatment, reference in analysis.pairs:
        where = {"treatment": treatment, "reference": reference, "variable": name}
        a, b = (values[masks[analysis.arms.index(arm)]] for arm in (treatment, reference))
        rows.append(_smd(analysis, lambda a=a, b=b: smd_numeric(a, b), where))
    return rows


def _factor_rows(analysis: AnalysisContext, name: str, masks: list[BoolArray]) -> list[Row]:
    texts = _texts(analysis, name)
    present = np.array([t is not None for t in texts], dtype=bool) & analysis.member.mask
    levels = factor(name, texts[present]).levels
    position = {level: i for i, level in enumerate(levels)}
    codes = np.array([-1 if t is None else position.get(t, -1) for t in texts], dtype=np.int64)
    rows: list[Row] = []
    for arm, mask in zip(analysis.arms, masks, strict=True):
        counted = count_levels(codes[mask], levels)
        rows.append(analysis.row("arm", "n", int((codes[mask] >= 0).sum()), arm=arm, variable=name))
        for level in counted:
            where = {"arm": arm, "variable": name, "level": level.level}
            rows.append(analysis.row("arm", "count", level.count, **where))
            percent = level.percent if level.total else None
            rows.append(analysis.row("arm", "percent", percent, error=None if level.total else "0 values", **where))
    for treatment, reference in analysis.pairs:
        where = {"treatment": treatment, "reference": reference, "variable": name}
        a, b = (codes[masks[analysis.arms.index(arm)]] for arm in (treatment, reference))
        rows.append(_smd(analysis, lambda a=a, b=b: smd_categorical(a, b, len(levels)), where))
    return rows


def _texts(analysis: AnalysisContext, name: str) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    column = analysis.source.subject_column(name)
    if analysis.source.subjects.kind(name) == "number":
        return np.array([number_text(v) if v == v else None for v in column.tolist()], dtype=object)
    return np.array([None if v is None else str(v) for v in column.tolist()], dtype=object)


def _smd(analysis: AnalysisContext, compute, where: dict[str, str]) -> Row:  # type: ignore[no-untyped-def]
    try:
        return analysis.row("contrast", "smd", compute(), **where)
    except StatsError as error:
        return analysis.row("contrast", "smd", None, error=str(error), **where)


SPARE = Endpoint(name="balance", method="baseline")


def balance(source: Source, name: str) -> Result:
    """Counts per arm and baseline balance of a subgroup and its complement. Raises AlsbenchError where it cannot be
    evaluated."""
    own = next((e for e in source.study.endpoints.values() if e.method == "baseline"), None)
    endpoint = own or SPARE
    population = endpoint.population or source.study.populations.default
    phrases = (name, f"not {name}")
    question = Question(endpoint.name, phrases)
    parts = [members(source, phrase, population) for phrase in phrases]
    rows: list[Row] = []
    for part in parts:
        analysis = AnalysisContext(source, endpoint, question, population, part, source.comparisons())
        rows += [*subgroup_rows(analysis), *analyse(analysis).rows]
    command = endpoint_command(question) if own else f"alsbench subgroup show {name}"
    lines = [("Population", f"{population} ({source.population_words(population)})")]
    lines += [("Subgroup", subgroup_line(source, part)) for part in parts]
    return Result(
        question=question.as_dict() | {"method": endpoint.method, "population": population},
        provenance=provenance(source, parts, command, endpoint),
        rows=tuple(rows),
        facts=Facts(title=f"Baseline balance in {name} and its complement", lines=tuple(lines)),
    )
