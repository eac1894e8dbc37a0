"""What an analysis could do otherwise: every alternative that a study file can declare, for an endpoint as it stands.

One choice each: who is analysed, the model and its inference, the arms in a fit, covariates and strata, how ranks, times and
events are counted, which records count and what their baseline is. Nothing is computed here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from alsbench.analysis.question import Question
from alsbench.analysis.records import FILLED_IN, endpoint_records, post_baseline_visits, visit_label
from alsbench.analysis.source import Source
from alsbench.data import codelists
from alsbench.data.sql import constant, quote
from alsbench.study.model import Covariance, DfMethod, Endpoint, Imputation

MODELS = ("mmrm", "ancova", "slope")
COVARIATE_MODELS = (*MODELS, "joint_rank", "time_to_event")
UNKNOWN_AS_NO: Mapping[str, tuple[str, Callable[[str], float], str]] = {
    "AEREL": ("unknown relatedness counted as not related", codelists.related, "NOT RELATED"),
    "AREL": ("unknown relatedness counted as not related", codelists.related, "NOT RELATED"),
    "AESEV": ("unknown severity counted as not severe", codelists.severe, "MILD"),
    "ASEV": ("unknown severity counted as not severe", codelists.severe, "MILD"),
    "AETOXGR": ("unknown grade counted as below 3", codelists.severe, "1"),
    "AESER": ("unknown seriousness counted as not serious", codelists.yes, "N"),
}


@dataclass(frozen=True)
class Alternative:
    """One thing done otherwise, in ``words``; two of one ``kind`` are never combined. What is changed: keys of the ``endpoint``
    (and of the endpoint whose change a joint rank compares, ``function``), the ``population``, the ``visit`` a joint rank or a
    restricted mean is read at, a covariate ``left_out`` or ``put_in``, the ``other_arm`` (actual for planned), the numbers of
    the ``imputed`` values for those of the observed, columns of a ``table`` (``rewritten``: by this program's own SQL;
    ``without``: left out)."""

    kind: str
    words: str
    endpoint: Mapping[str, Any] = field(default_factory=dict)
    function: Mapping[str, Any] = field(default_factory=dict)
    population: str = ""
    visit: float | None = None
    left_out: str = ""
    put_in: str = ""
    other_arm: bool = False
    imputed: bool = False
    table: str = ""
    rewritten: Mapping[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()


def alternatives(source: Source, question: Question, endpoint: Endpoint, population: str) -> Iterator[Alternative]:
    """Every single alternative of an endpoint as it stands, in the order they are tried."""
    for name in source.study.populations.flags:
        if name != population:
            yield Alternative("population", f"population = {name}", population=name)
    yield from _of_the_model(endpoint)
    yield from _of_the_arms(source, endpoint)
    yield from _of_covariates(source, endpoint)
    yield from _of_ranks(source, question, endpoint)
    yield from _of_times(source, question, endpoint)
    yield from _of_records(source, endpoint)
    if endpoint.method == "incidence":
        yield from _of_events(source, endpoint)


def _keys(kind: str, words: str, **changed: Any) -> Alternative:
    return Alternative(kind, words, endpoint=changed)


def _of_the_model(endpoint: Endpoint) -> Iterator[Alternative]:
    if endpoint.method in ("mmrm", "slope"):
        for df in get_args(DfMethod):
            if df != endpoint.df:
                yield _keys("df", f"df = {df}", df=df)
    if endpoint.method in ("mmrm", "ancova", "joint_rank"):
        other = "proportional" if endpoint.ls_means == "equal" else "equal"
        yield _keys("ls_means", {"proportional": "observed margins", "equal": "equal weights"}[other], ls_means=other)
        if endpoint.at:
            yield _keys("at", "covariates at their mean", at={})
    if endpoint.method in ("mmrm", "slope"):
        other = "ml" if endpoint.estimation == "reml" else "reml"
        yield _keys("estimation", f"estimation = {other}", estimation=other)
    if endpoint.method == "slope":
        words = f"{'without ' if endpoint.shared_baseline else ''}shared_baseline"
        yield _keys("shared_baseline", words, shared_baseline=not endpoint.shared_baseline)
    if endpoint.method in ("mmrm", "ancova") and endpoint.weights:
        yield _keys("weights", "without weights", weights="")
    if endpoint.method in ("mmrm", "ancova"):
        other = "raw" if endpoint.scale == "log" else "log"
        yield _keys("scale", f"scale = {other}", scale=other)
    for method in MODELS:
        if endpoint.method in MODELS and method != endpoint.method:
            yield _keys("method", f"method = {method}", method=method, imputation="none")
    if endpoint.method == "mmrm":
        for covariance in get_args(Covariance):
            if covariance != endpoint.covariance:
                yield _keys("covariance", f"covariance = {covariance}", covariance=covariance)
        words = "one covariance for all arms" if endpoint.covariance_by_arm else "a covariance per arm"
        yield _keys("covariance_by_arm", words, covariance_by_arm=not endpoint.covariance_by_arm)
        for imputation in get_args(Imputation):
            if imputation not in ("none", endpoint.imputation):
                changed = {"imputation": imputation}
                yield Alternative("imputation", f"imputation = {imputation}", endpoint=changed, imputed=True)


def _of_the_arms(source: Source, endpoint: Endpoint) -> Iterator[Alternative]:
    arms = source.study.arms
    if endpoint.method in ("ancova", "joint_rank"):
        other = "all" if endpoint.arms == "comparison" else "comparison"
        words = "all arms in one fit" if other == "all" else "the two arms of the comparison only"
        yield _keys("arms", f"arms = {other} ({words})", arms=other)
    if arms.planned != arms.actual and {arms.planned, arms.actual} <= set(source.subjects.columns):
        words = f"the planned arm ({arms.planned})" if endpoint.method == "incidence" else f"the actual arm ({arms.actual})"
        yield Alternative("arm", words, other_arm=True)


def _of_covariates(source: Source, endpoint: Endpoint) -> Iterator[Alternative]:
    if endpoint.method in COVARIATE_MODELS:
        for name in endpoint.covariates:
            yield Alternative(f"covariate {name}", f"without the covariate {name}", left_out=name)
        if len(endpoint.covariates) > 2:  # two are left out by a pair
            yield _keys("covariates", "without covariates", covariates=(), factors=())
        others = dict.fromkeys(c for e in source.study.endpoints.values() if e.method in COVARIATE_MODELS for c in e.covariates)
        for name in others:
            if name not in endpoint.covariates:
                yield Alternative(f"covariate {name}", f"the covariate {name}", put_in=name)
    if endpoint.method in ("joint_rank", "time_to_event"):
        for name in endpoint.strata:
            if len(endpoint.strata) > 1:
                yield _keys("strata", f"without the stratum {name}", strata=tuple(s for s in endpoint.strata if s != name))
        if endpoint.strata:
            yield _keys("strata", "without strata", strata=(), rank_within_strata=False)
        for strata in dict.fromkeys(e.strata for e in source.study.endpoints.values() if e.strata):
            if strata != endpoint.strata:
                yield _keys("strata", f"strata = {', '.join(strata)}", strata=strata)


def _of_ranks(source: Source, question: Question, endpoint: Endpoint) -> Iterator[Alternative]:
    if endpoint.method != "joint_rank":
        return
    choices: dict[str, tuple[str, ...]] = {
        "missing": ("none", "locf", "worst"),
        "function_at": ("last_common", "horizon"),
        "event_ties": ("tie", "function"),
        "change": ("absolute", "percent"),
        "rank_scale": ("rank", "unit"),
        "win_intervals": ("untransformed", "transformed"),
    }
    for key, values in choices.items():
        for value in values:
            if value != getattr(endpoint, key):
                yield _keys(key, f"{key} = {value}", **{key: value})
    for value in ("locf", "worst"):
        if endpoint.function_at != "horizon":
            words = f"function_at = horizon with missing = {value}"
            yield _keys("missing", words, function_at="horizon", missing=value)
    loses = not endpoint.death_always_loses
    yield _keys("death", f"death_always_loses = {str(loses).lower()}", death_always_loses=loses)
    if endpoint.strata:
        within = not endpoint.rank_within_strata
        yield _keys("rank_within_strata", f"rank_within_strata = {str(within).lower()}", rank_within_strata=within)
    yield from _horizons(source, question, source.endpoint(endpoint.function))


def _horizons(source: Source, question: Question, measured: Endpoint) -> Iterator[Alternative]:
    """The other visits at which a comparison could be read."""
    records = endpoint_records(source, measured)
    own = set(question.visits) or {c.horizon or 0.0 for c in source.comparisons(question.comparisons)}
    for visit in post_baseline_visits(source, records):
        if own != {visit}:
            yield Alternative("visit", f"the horizon at {visit_label(source, records, visit)}", visit=visit)


def _of_times(source: Source, question: Question, endpoint: Endpoint) -> Iterator[Alternative]:
    if endpoint.method in ("time_to_event", "responder", "staging"):
        other = "breslow" if endpoint.ties == "efron" else "efron"
        yield _keys("ties", f"ties = {other}", ties=other)
        for intervals in ("log-log", "log", "plain"):
            if intervals != endpoint.intervals:
                yield _keys("intervals", f"intervals = {intervals}", intervals=intervals)
    if endpoint.method == "time_to_event":
        own = {c.horizon for c in source.comparisons(question.comparisons)}
        for horizon in sorted({c.horizon for c in source.study.comparisons if c.horizon is not None}):
            if own != {horizon} and not question.visits:
                words = f"the horizon at {source.study.visits.unit} {horizon:g}"
                yield Alternative("visit", words, visit=horizon)
    if endpoint.method == "responder":
        other = "left-out" if endpoint.nonresponse == "non-responder" else "non-responder"
        yield _keys("nonresponse", f"nonresponse = {other}", nonresponse=other)
        yield _keys("confirmed", f"confirmed = {str(not endpoint.confirmed).lower()}", confirmed=not endpoint.confirmed)
        change = "percent" if endpoint.change == "absolute" else "absolute"
        yield _keys("change", f"change = {change}", change=change)


def _of_records(source: Source, endpoint: Endpoint) -> Iterator[Alternative]:
    """Which records count, and what their baseline is."""
    measured = source.study.endpoints.get(endpoint.function, endpoint)
    table = source.snapshot.tables.get(measured.dataset.upper())
    if table is None or endpoint.method in ("baseline", "incidence"):
        return
    key = "function" if measured is not endpoint else "endpoint"

    def counting(words: str, where: str) -> Alternative:
        return Alternative("records", words, **{key: {"where": where}})  # type: ignore[arg-type]

    also = f" and ({measured.where})" if measured.where else ""
    if measured.where:
        yield counting(f"without where = {measured.where}", "")
    if "DTYPE" in table and table.kinds["DTYPE"] == "text":
        for kind in _filled_in(source, measured):
            yield counting(f"records with DTYPE {kind} left out", f"(missing(DTYPE) or DTYPE != '{kind}'){also}")
    for flag in ("ANL01FL", "ANL02FL"):
        if flag in table and table.kinds[flag] == "text" and flag not in measured.where:
            yield counting(f"records with {flag} = Y only", f"{flag} == 'Y'{also}")
    if endpoint.method == "time_to_event" or "BASE" not in table:
        return
    derived = "the baseline derived"
    own = {"table": table.name}
    if "ABLFL" in table:
        yield Alternative("baseline", f"{derived} from the records flagged ABLFL", without=("BASE", "CHG"), **own)  # type: ignore[arg-type]
    words = f"{derived} from the baseline visit"
    yield Alternative("baseline", words, without=("BASE", "CHG", "ABLFL"), **own)  # type: ignore[arg-type]
    if "CHG" in table:
        yield Alternative("baseline", "the change derived from BASE", without=("CHG",), **own)  # type: ignore[arg-type]
        if endpoint.method in ("mmrm", "ancova") and endpoint.scale == "raw":
            level = {"BASE": f"CASE WHEN {quote('BASE')} IS NULL THEN NULL ELSE 0.0 END"}
            yield Alternative("baseline covariate", "without the baseline covariate", rewritten=level, **own)  # type: ignore[arg-type]


def _filled_in(source: Source, measured: Endpoint) -> list[str]:
    """The words of DTYPE in the endpoint's records for values that were never observed."""
    column = source.snapshot.frame(measured.dataset, columns=("DTYPE",))["DTYPE"].tolist()
    return sorted({str(v) for v in column if v and str(v).strip().upper() in FILLED_IN and "'" not in str(v)})


def _of_events(source: Source, endpoint: Endpoint) -> Iterator[Alternative]:
    """What is not known of an adverse event counted the other way, and all records instead of the treatment-emergent."""
    table = source.snapshot.tables.get((endpoint.dataset or "ADAE").upper())
    if table is None:
        return
    for column, (words, read, no) in UNKNOWN_AS_NO.items():
        if column in table and table.kinds[column] == "text":
            said: set[Any] = set(source.snapshot.frame(table.name, columns=(column,))[column].tolist())
            silent = [v for v in said if math.isnan(read(codelists.word(v)))]
            if silent:
                name = quote(column)
                known = " OR ".join(
                    [f"{name} IS NULL", *(f"{name} = {constant(v)}" for v in sorted(v for v in silent if v is not None))]
                )
                rewritten = {column: f"CASE WHEN {known} THEN {constant(no)} ELSE {name} END"}
                yield Alternative("unknown", f"{words} ({column})", table=table.name, rewritten=rewritten)
    if "TRTEMFL" in table:
        yield Alternative("emergent", "every record, not only the treatment-emergent", table=table.name, without=("TRTEMFL",))
