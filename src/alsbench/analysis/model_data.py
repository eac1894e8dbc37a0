"""From records to model variables: arms, visits and covariates of the analysed rows, coded as R codes them.

Covariates come from the subject-level table by subject; text columns are factors, numeric ones covariates unless the
study lists them under ``factors``. Rows with a missing covariate are left out and counted.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alsbench.analysis.context import AnalysisContext
from alsbench.analysis.records import Records, number_text
from alsbench.analysis.result import Context, Row
from alsbench.analysis.source import SUBJECT_TABLE, BoolArray, IntArray, Source
from alsbench.data.codelists import WORDS_FOR_MISSING
from alsbench.errors import DataError, UsageError
from alsbench.stats.contrasts import Contrasts
from alsbench.stats.design import Covariate, Design, Factor, Variable
from alsbench.study.names import nearest

ARM, VISIT, BASE, PART = "ARM", "VISIT", "BASE", "PART"
TAKEN = frozenset({ARM, VISIT, BASE, PART, "TIME"})  # what models (TIME: stats.slopes) call variables of their own
Floats = NDArray[np.float64]
SHOWN = 4  # unscheduled visits named in a warning
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True)
class Response:
    """The analysed value and its baseline per record: change, or natural log of the ratio to baseline. NaN where missing."""

    y: Floats
    base: Floats
    label: str


def response(analysis: AnalysisContext, records: Records) -> Response:
    """CHG with BASE; for ``scale = "log"`` ln(AVAL/BASE) with ln BASE (values at or below zero have no logarithm: missing)."""
    if analysis.endpoint.scale == "raw":
        return Response(records.chg, records.base, "CHG")
    usable = (records.aval > 0) & (records.base > 0)
    aval = np.where(usable, records.aval, np.nan)
    base = np.where(usable, records.base, np.nan)
    return Response(np.log(aval / base), np.log(base), "ln(AVAL/BASE)")


def underived(analysis: AnalysisContext, records: Records, *, percent: bool = False) -> str:
    """Why no value after baseline has a change, though there are values; empty where one has."""
    after = (records.visit > analysis.source.study.visits.baseline) & np.isfinite(records.aval)
    changes = percent_change(records) if percent else response(analysis, records).y
    if not after.any() or np.isfinite(changes[after]).any():
        return ""
    what = f"{analysis.endpoint.paramcd} in {analysis.endpoint.dataset}"
    if not np.isfinite(records.base[after]).any():
        return f"no change from baseline can be derived: {what} has neither BASE nor a baseline record"
    if percent:
        return f"no percent change can be derived: {what} has no baseline other than 0"
    if analysis.endpoint.scale == "log":
        return f"no ratio to baseline can be derived: {what} has no value and baseline above 0"
    return f"no change from baseline can be derived: no record of {what} has both a value and a baseline"


def percent_change(records: Records) -> Floats:
    """Change in percent of baseline, NaN where that is zero or missing."""
    base = np.where(records.base != 0, records.base, np.nan)
    return 100.0 * records.chg / base


@dataclass(frozen=True)
class CovariateColumns:
    """Covariates per subject of the source, in the study's order: numbers (NaN missing), or factors over all subjects (missing
    is a level of its own, whom ``complete`` leaves out)."""

    numeric: dict[str, Floats]
    factors: dict[str, Factor]
    complete: BoolArray
    order: tuple[str, ...]


def covariate_columns(analysis: AnalysisContext) -> CovariateColumns:
    """The endpoint's covariates of the subject-level table; the source keeps them. Raises UsageError for a column that is not
    there, DataError for a measure that stands as text."""
    asked = (analysis.endpoint.covariates, analysis.endpoint.factors)
    if asked not in analysis.source.covariates_read:
        analysis.source.covariates_read[asked] = _read_covariates(analysis)
    columns: CovariateColumns = analysis.source.covariates_read[asked]
    return columns


def _read_covariates(analysis: AnalysisContext) -> CovariateColumns:
    numeric: dict[str, Floats] = {}
    factors: dict[str, Factor] = {}
    complete = np.ones(len(analysis.source.subjects), dtype=bool)
    names = tuple(dict.fromkeys((*analysis.endpoint.covariates, *analysis.endpoint.factors)))
    for name in names:
        column = analysis.source.subject_column(name, f"study.toml endpoints.{analysis.endpoint.name}.covariates")
        if analysis.source.subjects.kind(name) == "number":
            values = np.asarray(column, dtype=np.float64)
            complete &= np.isfinite(values)
            if name in analysis.endpoint.factors:
                factors[name] = factor(
                    name, np.array([number_text(v) if np.isfinite(v) else None for v in values], dtype=object)
                )
            else:
                numeric[name] = values
        else:
            values_text = np.array([None if v is None else str(v) for v in column.tolist()], dtype=object)
            if name not in analysis.endpoint.factors:
                _refuse_measure_as_text(analysis, name, values_text)
            complete &= np.array([v is not None for v in values_text], dtype=bool)
            factors[name] = factor(name, values_text)
    return CovariateColumns(numeric, factors, complete, names)


def _refuse_measure_as_text(analysis: AnalysisContext, name: str, values: NDArray[np.object_]) -> None:
    """A measure that stands as text (one NA among numbers is enough) would be a factor of as many levels as values.

    Codes of digits, as sites have, are classes; numbers with a decimal point, or numbers beside a word for missing, are not.
    """
    distinct = {str(v).strip() for v in set(values.tolist()) if v is not None}
    others = sorted(v for v in distinct if not NUMBER.fullmatch(v))
    numbers = len(distinct) - len(others)
    missing = [v for v in others if v.upper() in WORDS_FOR_MISSING]
    if len(others) > len(missing) or numbers < 3 or not (missing or any("." in v for v in distinct)):
        return
    because = f" because of {', '.join(repr(v) for v in missing)}" if missing else ""
    raise DataError(
        f"{name} is text{because}, though its values are numbers: as a factor it would have {len(distinct)} levels",
        where=f"study.toml endpoints.{analysis.endpoint.name}.covariates",
        hint=f'leave missing values empty and load again; or, if these are classes: factors = ["{name}"]',
    )


def covariate_variables(columns: CovariateColumns, subject: IntArray) -> tuple[list[Variable], list[str]]:
    """Model variables for the rows of ``subject``, and warnings for those that do not vary among these rows (left out).

    A column that shares its name with a variable of the model's own (a study PART, say) is called ``ADSL.PART``.
    """
    variables: list[Variable] = []
    warnings: list[str] = []
    for name in columns.order:
        called = f"{SUBJECT_TABLE}.{name}" if name in TAKEN else name
        if name in columns.numeric:
            values = columns.numeric[name][subject]
            if values.size and np.ptp(values) > 0:
                variables.append(Covariate(called, values))
                continue
        else:
            whole = columns.factors[name]
            present, codes = np.unique(whole.codes[subject], return_inverse=True)
            if present.size > 1:
                variables.append(Factor(called, codes.astype(np.int64), tuple(whole.levels[i] for i in present)))
                continue
        if subject.size:  # without a row there is no model to leave it out of
            warnings.append(f"{name} does not vary among the analysed rows and was left out of the model")
    return variables, warnings


def factor(name: str, values: NDArray[np.object_]) -> Factor:
    """A factor whose levels are the sorted distinct values."""
    levels = tuple(sorted({str(v) for v in values}))
    position = {level: i for i, level in enumerate(levels)}
    return Factor(name, np.array([position[str(v)] for v in values], dtype=np.int64), levels)


def arm_factor(analysis: AnalysisContext, codes: IntArray) -> Factor:
    """The arms present among ``codes`` (indices into the study's order), reference arms of the comparisons first."""
    present = set(np.unique(codes).tolist())
    references = [analysis.arms.index(r) for _, r in analysis.pairs if r in analysis.arms]
    order = [i for i in dict.fromkeys([*references, *range(len(analysis.arms))]) if i in present]
    position = {code: i for i, code in enumerate(order)}
    return Factor(ARM, np.array([position[c] for c in codes.tolist()], dtype=np.int64), tuple(analysis.arms[i] for i in order))


def dropped_rows_warning(n: int, what: str) -> list[str]:
    """A warning that ``n`` rows were left out because of ``what``, or none."""
    return [f"{n} row{'s' if n != 1 else ''} left out: {what}"] if n else []


def aliased_warning(design: Design) -> list[str]:
    """A warning that names the coefficients the analysed rows do not determine beside the others, or none."""
    names = [name for name, out in zip(design.names, design.aliased, strict=True) if out]
    return [f"aliased coefficients left out: {', '.join(names)}"] if names else []


def unplaced_warning(records: Records) -> list[str]:
    """Warnings of the parameter's records that belong to no visit or to nobody in the subject-level table, and of those
    that count although their value was filled in by whoever delivered them, or they stand outside the visit schedule."""
    filled = [
        f"{n} record{'s' if n != 1 else ''} with DTYPE {kind} analysed as observed: leave them out with the endpoint's where"
        for kind, n in records.imputed
    ]
    return [*unplaced_words(records.n_unknown_subject), *filled, *_unscheduled_words(records)]


def _unscheduled_words(records: Records) -> list[str]:
    if not records.unscheduled:
        return []
    n = sum(count for _, count in records.unscheduled)
    visits = [v for v, _ in records.unscheduled]
    labels = ", ".join(records.labels[v] for v in visits[:SHOWN]) + (", ..." if len(visits) > SHOWN else "")
    numbers = ", ".join(number_text(v) for v in visits)
    where = f'where = "{records.visit_column} not in ({numbers})"' if len(visits) <= SHOWN else "where"
    return [
        f"{n} record{'s' if n != 1 else ''} at unscheduled visits ({labels}) analysed like planned ones: "
        f"leave them out with the endpoint's {where}"
    ]


def unplaced_words(n: int) -> list[str]:
    """A warning that ``n`` records belong to no visit or to nobody in the subject-level table, or none."""
    return [f"{n} record{'s' if n != 1 else ''} left out: no visit number, or a subject that is not in ADSL"] if n else []


def unusable_warnings(analysis: AnalysisContext, records: Records, inside: BoolArray) -> list[str]:
    """Warnings of the values among ``inside`` (rows,) that cannot be analysed: no baseline, no change, or no weight.

    A delivered CHG is missing wherever BASE is, so it is the values that are counted, not the changes.
    """
    found = response(analysis, records)
    value = inside & (np.isfinite(records.aval) | np.isfinite(found.y))
    based, changed = np.isfinite(found.base), np.isfinite(found.y)
    without = "no logarithm of the value" if analysis.endpoint.scale == "log" else "no change from baseline (CHG)"
    return [
        *dropped_rows_warning(int((value & ~based).sum()), "no baseline value"),
        *dropped_rows_warning(int((value & based & ~changed).sum()), without),
        *dropped_rows_warning(int((value & based & changed & ~np.isfinite(records.weight)).sum()), "no weight above zero"),
    ]


def ls_mean_row(analysis: AnalysisContext, design: Design, by: dict[str, str]) -> Floats:
    """The row of an LS mean with the endpoint's weights and chosen covariate values (``at``; BASE in the data's units).

    Raises UsageError for a chosen covariate that is not in the model, NotEstimable where the data do not determine the mean.
    """
    row = _mean_row(analysis, design, by)
    design.check_estimable(row, " ".join(f"{name}={level}" for name, level in by.items()))
    return row


def _mean_row(analysis: AnalysisContext, design: Design, by: dict[str, str]) -> Floats:
    numeric = {v.name for v in design.variables if isinstance(v, Covariate)}
    at: dict[str, float] = {}
    for name, value in analysis.endpoint.at.items():
        if name not in numeric:
            raise UsageError(
                f"{name} is no numeric covariate of this model",
                where=f"endpoints.{analysis.endpoint.name}.at",
                hint=nearest(name, sorted(numeric)),
            )
        at[name] = math.log(value) if name == BASE and analysis.endpoint.scale == "log" else value
    row: Floats = design.ls_mean_row(by, weights=analysis.endpoint.ls_means, at=at)
    return row


def difference_row(analysis: AnalysisContext, design: Design, pair: tuple[str, str], **by: str) -> Floats:
    """The row of treatment minus reference at the levels ``by`` (factor name = level).

    It may be estimable where the two LS means are not: nested factors (region and site) fall out of it.
    """
    return _mean_row(analysis, design, {ARM: pair[0], **by}) - _mean_row(analysis, design, {ARM: pair[1], **by})


def interaction_row(analysis: AnalysisContext, design: Design, pair: tuple[str, str], **by: str) -> Floats:
    """The row of the treatment difference among members minus that among the others."""
    return difference_row(analysis, design, pair, **{PART: "in"}, **by) - difference_row(
        analysis, design, pair, **{PART: "out"}, **by
    )


def ls_mean_words(analysis: AnalysisContext, rows: str) -> str:
    """How LS means are made, for the table's footer; ``rows`` names what covariates are averaged over."""
    weights = {
        "equal": "equal weights over factor levels",
        "proportional": "factor levels weighted as observed",
    }[analysis.endpoint.ls_means]
    chosen = ", ".join(f"{name} = {value:g}" for name, value in analysis.endpoint.at.items())
    return f"{weights}, covariates at their mean over the {rows}" + (f", but {chosen}" if chosen else "")


def lloq_words(analysis: AnalysisContext, per: str = "arm and visit") -> list[tuple[str, str]]:
    """What is done with values below the limit of quantification, for a log-scale endpoint's footer; counted ``per`` what."""
    if analysis.endpoint.scale != "log":
        return []
    limit = (
        f"values below {analysis.endpoint.lloq:g} count as half of it"
        if analysis.endpoint.lloq
        else "values are used as delivered"
    )
    return [("Below LLOQ", f"{limit}; DTYPE = HALFLLOQ is already halved; counted per {per}")]


def exponentiated(
    analysis: AnalysisContext, context: Context, name: str, found: Contrasts, index: int, **where: Any
) -> list[Row]:
    """The ratio ``name`` with its limits for a log-scale endpoint; no rows on the raw scale."""
    if analysis.endpoint.scale != "log":
        return []
    values = ((name, found.estimate), (f"{name}_low", found.low), (f"{name}_high", found.high))
    return [analysis.row(context, key, math.exp(float(v[index])), **where) for key, v in values]


def strata_codes(source: Source, columns: tuple[str, ...], subject: IntArray) -> IntArray:
    """Codes 0, 1, ... (n,) for subjects (indices into the source); a missing value is a level of its own."""
    texts = [[str(v) for v in source.subject_column(name)[subject]] for name in columns]
    cells = list(zip(*texts, strict=True)) if texts else [()] * subject.size
    position = {cell: i for i, cell in enumerate(sorted(set(cells)))}
    return np.array([position[c] for c in cells], dtype=np.int64)


def strata_warnings(source: Source, columns: tuple[str, ...], subject: IntArray) -> list[str]:
    """A warning for each stratification column that is missing for some of ``subject``."""
    found: list[str] = []
    for name in columns:
        n = sum(v is None or v != v for v in source.subject_column(name)[subject].tolist())
        if n:
            found.append(f"{n} subject{'s have' if n > 1 else ' has'} no {name}: taken as a stratum of their own")
    return found
