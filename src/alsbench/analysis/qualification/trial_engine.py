"""The engine on a reference trial: arrays taken from the snapshot, and the numbers of R that no question shows.

Coefficients, covariance matrices, type 3 tests, all pairs of arms, ranked and robust forms, whole curves and every Cox model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from alsbench.analysis.follow_up import times_by_subject
from alsbench.analysis.qualification.checks import ReferenceCheck, Tally
from alsbench.analysis.qualification.longitudinal import SLOPE_METHODS, Growth, compare_slopes
from alsbench.analysis.qualification.material import Archive, software
from alsbench.analysis.qualification.mmrm import Measurements, compare_ancova, compare_mmrm
from alsbench.analysis.qualification.survival_data import SurvivalData, compare_survival
from alsbench.analysis.qualification.trials import Answers, Case, arm_of, asked, mmrm_method, parts_of
from alsbench.analysis.records import endpoint_records
from alsbench.analysis.source import BoolArray, Source
from alsbench.analysis.subgroups import members
from alsbench.stats.design import Covariate, Factor, Variable

ARM = "TRT01P"
_DF = {"mmrm-kenward-roger": "kenward-roger", "mmrm-satterthwaite": "satterthwaite"}


def engine_cases(trial: str, archive: Archive, source: Callable[[], Source]) -> Iterator[Case]:
    """Every reference file of the trial whose arrays go straight to the functions."""
    for stem, wanted in archive.answers("mmrm_").items():
        name = f"{trial}/{stem}"
        yield Case((mmrm_method(stem),), name, partial(asked, _mmrm, source, name, wanted))
    for stem, wanted in archive.answers("ancova_").items():
        name = f"{trial}/{stem}"
        yield Case(("ancova",), name, partial(asked, _ancova, source, name, wanted))
    for stem, wanted in archive.answers("slope_").items():
        name = f"{trial}/{stem}"
        yield Case(SLOPE_METHODS, name, partial(asked, _slope, source, name, wanted))
    for stem, wanted in archive.answers("surv_").items():
        name = f"{trial}/{stem}"
        methods = ("kaplan-meier", "log-rank", "cox", "rmst")
        yield Case(methods, name, partial(asked, _survival, source, name, wanted))


def _slope(source: Source, name: str, wanted: Answers) -> list[ReferenceCheck]:
    endpoint = source.endpoint("alsfrs_slope")
    records = endpoint_records(source, endpoint)
    rows = records.take(members(source, parts_of(name)[2]).mask[records.subject] & np.isfinite(records.aval))
    month = rows.visit * (7 / 30.4375 if source.study.visits.unit == "week" else 1.0)
    growth = Growth(
        rows.aval,
        month,
        np.unique(rows.subject, return_inverse=True)[1],
        Factor("ARM", source.planned_arm[rows.subject], source.study.arms.order),
        {"MONTH": "TIME", ARM: "ARM"},
        (
            Covariate("LEADRATE", np.asarray(source.subject_column("LEADRATE")[rows.subject], dtype=np.float64)),
            _factor("ONSETSIT", source.subject_column("ONSETSIT")[rows.subject].tolist()),
        ),
    )
    return compare_slopes(growth, f"{name} engine:", wanted)


def _mmrm(source: Source, name: str, wanted: Answers) -> list[ReferenceCheck]:
    _, endpoint, part, _, _ = parts_of(name)
    method = mmrm_method(name)
    tally = Tally(method, f"{name} engine:", software(wanted))
    compare_mmrm(tally, _measurements(source, endpoint, part, wanted), ARM, _DF[method], wanted)
    return tally.checks


def _measurements(source: Source, endpoint: str, part: str, wanted: Answers) -> Measurements:
    """Post-baseline rows with a change; for a logarithmic endpoint ln(AVAL/BASE) and ln BASE."""
    found = source.endpoint(endpoint)
    records = endpoint_records(source, found)
    log = found.scale == "log"
    y = np.log(records.aval / records.base) if log else records.chg
    keep = members(source, part).mask[records.subject] & np.isfinite(y) & (records.visit > source.study.visits.baseline)
    rows = records.take(keep)
    columns = {c: source.subject_column(c)[rows.subject] for c in ("USUBJID", ARM, "LEADRATE", "ONSETSIT")}
    columns["AVISIT"] = np.array([rows.labels[v] for v in rows.visit])
    columns["LBASE" if log else "BASE"] = np.log(rows.base) if log else rows.base
    return Measurements(y[keep], columns, {k: tuple(v) for k, v in wanted["levels"].items()})


def _ancova(source: Source, name: str, wanted: Answers) -> list[ReferenceCheck]:
    _, endpoint, visit, arm, part = parts_of(name)
    records = endpoint_records(source, source.endpoint(f"{endpoint}_ancova"))
    two, treated = _two_arms(source, arm, part)
    rows = records.take(two[records.subject] & (records.visit == float(visit[1:])) & np.isfinite(records.chg))
    subject = rows.subject
    variables: list[Variable] = [
        Factor(ARM, treated[subject].astype(np.int64), (source.study.arms.reference, arm_of(source, arm))),
        Covariate("BASE", rows.base),
        Covariate("LEADRATE", np.asarray(source.subject_column("LEADRATE")[subject], dtype=np.float64)),
        *(_factor(column, source.subject_column(column)[subject].tolist()) for column in ("ONSETSIT", "RILUFL")),
    ]
    tally = Tally("ancova", f"{name} engine:", software(wanted))
    compare_ancova(tally, rows.chg, variables, wanted)
    return tally.checks


def _survival(source: Source, name: str, wanted: Answers) -> list[ReferenceCheck]:
    _, arm, part = parts_of(name)
    endpoint = source.endpoint("survival")
    day, censored = times_by_subject(source, endpoint.dataset, endpoint.paramcd, endpoint.where, label="survival")
    two, treated = _two_arms(source, arm, part)
    rows = np.flatnonzero(two & np.isfinite(day))
    data = SurvivalData(
        day[rows],
        censored[rows] == 0,
        Factor("arm", treated[rows].astype(np.int64), (source.study.arms.reference, arm_of(source, arm))),
        (Covariate("LEADRATE", np.asarray(source.subject_column("LEADRATE")[rows], dtype=np.float64)),),
        _factor("ONSETSIT", source.subject_column("ONSETSIT")[rows].tolist()).codes,
    )
    return compare_survival(data, f"{name} engine:", wanted)


def _two_arms(source: Source, arm: str, part: str) -> tuple[BoolArray, BoolArray]:
    """Who of the subgroup is in the two arms, and who is in the treatment arm."""
    order = source.study.arms.order
    treated = source.planned_arm == order.index(arm_of(source, arm))
    reference = source.planned_arm == order.index(source.study.arms.reference)
    return members(source, part).mask & (treated | reference), treated


def _factor(name: str, values: list[str]) -> Factor:
    levels = tuple(sorted(set(values)))
    return Factor(name, np.array([levels.index(v) for v in values], dtype=np.int64), levels)
