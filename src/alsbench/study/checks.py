"""What a study file must say beyond the shape of its keys: names that refer to each other must exist.

Each check yields faults as (path, what, hint); the reader turns them into errors with file and line.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from alsbench.errors import ExpressionError
from alsbench.study.als import is_post_baseline
from alsbench.study.expression import parse
from alsbench.study.model import LATEST, RESERVED_NAMES, Derive, Endpoint, JudgementRule, Multiplicity, Study
from alsbench.study.names import nearest

REPEATED_MEASURES = ("mmrm", "ancova", "slope")
NEED_DATASET: dict[str, tuple[str, ...]] = {
    **dict.fromkeys((*REPEATED_MEASURES, "time_to_event", "responder"), ("dataset", "paramcd")),
    "staging": ("dataset",),
}

# keys that only some methods read: anywhere else they would change nothing, and nobody would see it
READ_BY: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("covariance", "covariance_by_arm", "adjust", "visit_contrasts"), ("mmrm",)),
    **dict.fromkeys(("imputation_method", "imputations", "delta", "tipping_deltas"), ("mmrm",)),
    **dict.fromkeys(("df", "estimation"), ("mmrm", "slope")),
    "shared_baseline": ("slope",),
    **dict.fromkeys(("ls_means", "at"), ("mmrm", "ancova", "joint_rank")),
    "weights": ("mmrm", "ancova"),
    "arms": ("ancova", "joint_rank"),
    "lloq": ("mmrm", "ancova", "slope"),
    "scale": ("mmrm", "ancova", "slope", "responder"),
    **dict.fromkeys(("function", "death_always_loses", "event_ties", "win_intervals", "function_at"), ("joint_rank",)),
    **dict.fromkeys(("missing", "rank_within_strata", "rank_scale", "permutations"), ("joint_rank",)),
    "change": ("joint_rank", "responder"),
    "event": ("joint_rank", "responder", "staging"),
    **dict.fromkeys(("threshold", "nonresponse"), ("responder",)),
    **dict.fromkeys(("worsening", "confirmed"), ("responder", "staging")),
    **dict.fromkeys(("items", "systems"), ("staging",)),
    **dict.fromkeys(("ties", "intervals"), ("time_to_event", "responder", "staging")),
}
# keys that are read only beside another
READ_BESIDE: dict[str, tuple[str, str]] = {
    "missing": ("function_at", 'function_at = "horizon"'),
    "rank_within_strata": ("strata", "strata"),
    **dict.fromkeys(("imputation_method", "delta", "tipping_deltas"), ("imputation", "imputation")),
    "imputations": ("imputation_method", 'imputation_method = "multiple"'),
}


@dataclass(frozen=True)
class Fault:
    path: tuple[str | int, ...]
    what: str
    hint: str = ""
    why: str = ""


def faults(study: Study) -> Iterator[Fault]:
    """Every contradiction in ``study``, in the order of the file's tables."""
    yield from _arms(study)
    yield from _populations(study)
    yield from _comparisons(study)
    for name, endpoint in study.endpoints.items():
        yield from _endpoint(study, name, endpoint)
    yield from _subgroups(study)
    if study.multiplicity is not None:
        yield from _plan(study, study.multiplicity)
    if study.derive is not None:
        yield from _derive(study.derive)
    if study.judgement is not None:
        yield from _judgement(study.judgement)


def _judgement(rule: JudgementRule) -> Iterator[Fault]:
    if rule.holds_up > rule.new_trial:
        what = f"what holds up ({rule.holds_up:g}) would not be worth a new trial ({rule.new_trial:g})"
        yield Fault(("judgement", "new_trial"), what, "new_trial is at least holds_up")


def _derive(rules: Derive) -> Iterator[Fault]:
    days = (("baseline_days", (rules.baseline_days,)), *((("windows", v), (w,)) for v, w in rules.windows.items()))
    for name, ((low, high),) in days:
        if not low <= high:
            path = ("derive", name) if isinstance(name, str) else ("derive", *name)
            yield Fault(path, f"the days end ({high:g}) before they begin ({low:g})", "first day, last day")
    inside = sorted((low, high, visit) for visit, (low, high) in rules.windows.items())
    for (_, end, one), (begin, _, other) in itertools.pairwise(inside):
        if begin <= end:
            yield Fault(("derive", "windows", other), f"the windows of {one} and {other} share day {begin:g}")


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, n in Counter(names).items() if n > 1]


def _arms(study: Study) -> Iterator[Fault]:
    arms = study.arms
    if not arms.order:
        yield Fault(("arms", "order"), "no arm is listed", "list every arm analysed, the reference included")
    for arm in _repeated(arms.order):
        yield Fault(("arms", "order"), f"{arm!r} is listed twice")
    if arms.reference not in arms.order:
        yield Fault(("arms", "reference"), f"{arms.reference!r} is not in arms.order", nearest(arms.reference, arms.order))
    for table, keys in (("labels", arms.labels), ("doses", arms.doses)):
        for arm in keys:
            if arm not in arms.order:
                yield Fault(("arms", table, arm), f"{arm!r} is not in arms.order", nearest(arm, arms.order))


def _populations(study: Study) -> Iterator[Fault]:
    flags, default = study.populations.flags, study.populations.default
    if not flags:
        yield Fault(("populations",), "no population is defined", 'for instance: FAS = "FASFL"')
    elif default not in flags:
        yield Fault(("populations", "default"), f"{default!r} is not a population", nearest(default, flags))


def _comparisons(study: Study) -> Iterator[Fault]:
    arms = study.arms.order
    if not study.comparisons:
        yield Fault(("comparisons",), "no comparison is defined", "add a [[comparisons]] table with a treatment and a horizon")
    for i, comparison in enumerate(study.comparisons):
        for key, arm in (("treatment", comparison.treatment), ("reference", comparison.reference)):
            if arm not in arms:
                yield Fault(("comparisons", i, key), f"{arm!r} is not in arms.order", nearest(arm, arms))
        if comparison.treatment == comparison.reference:
            yield Fault(("comparisons", i, "treatment"), f"{comparison.treatment!r} is compared with itself")
        if comparison.horizon is not None and comparison.horizon <= study.visits.baseline:
            yield Fault(("comparisons", i, "horizon"), f"horizon {comparison.horizon:g} does not lie after baseline")
    seen: set[str] = set()
    for i, comparison in enumerate(study.comparisons):
        if comparison.name in seen:
            what = f"two comparisons are named {comparison.name!r}"
            yield Fault(("comparisons", i, "name"), what, 'an arm compared twice needs names: name = "G1-M6"')
        seen.add(comparison.name)
    for i, comparison in enumerate(study.comparisons):
        if comparison.name in arms and comparison.name != comparison.treatment:
            what = f"the comparison of {comparison.treatment!r} bears the name of another arm, {comparison.name!r}"
            yield Fault(("comparisons", i, "name"), what)


def _endpoint(study: Study, name: str, endpoint: Endpoint) -> Iterator[Fault]:
    path = ("endpoints", name)
    for key in NEED_DATASET.get(endpoint.method, ()):
        if not getattr(endpoint, key):
            yield Fault((*path, key), f"{endpoint.method} needs {key}", _EXAMPLES[key])
    if endpoint.method == "joint_rank":
        yield from _joint_rank(study, path, endpoint)
    yield from option_faults(path, endpoint)
    yield from unread_faults(path, endpoint, READ_BY)
    if endpoint.population and endpoint.population not in study.populations.flags:
        hint = nearest(endpoint.population, study.populations.flags)
        yield Fault((*path, "population"), f"{endpoint.population!r} is not a population", hint)
    for visit in endpoint.visits:
        if visit == study.visits.baseline:
            yield Fault((*path, "visits"), f"{visit:g} is the baseline visit", "list post-baseline visits")
    if endpoint.where:
        yield from _expression((*path, "where"), endpoint.where, aggregates=False)


def option_faults(path: tuple[str, str], endpoint: Endpoint) -> Iterator[Fault]:
    """Keys of imputation, responders and stages that contradict each other."""
    if endpoint.method == "responder" and endpoint.threshold is None:
        hint = "the change that makes a responder, for instance: threshold = -3"
        yield Fault((*path, "threshold"), "responder needs threshold", hint)
    for name, weights in endpoint.visit_contrasts.items():
        for visit in weights:
            if not _is_number(visit):
                hint = 'for instance: visit_contrasts = { "late" = { "9" = 0.5, "12" = 0.5 } }'
                yield Fault((*path, "visit_contrasts"), f"{visit!r} in {name!r} is no visit number", hint)
    if endpoint.imputation != "none" and endpoint.method != "mmrm":
        hint = 'give it an endpoint with method = "mmrm", or imputation = "none"'
        yield Fault((*path, "imputation"), f"imputation stands beside an mmrm, not {endpoint.method}", hint)
    if endpoint.imputation != "none" and endpoint.weights:
        yield Fault((*path, "imputation"), "records that are imputed have no weights", "leave out weights or imputation")
    grid = endpoint.tipping_deltas
    if grid and (grid[0] != 0 or len(grid) < 2 or not (_rising(grid) or _rising(tuple(-d for d in grid)))):
        yield Fault((*path, "tipping_deltas"), "the deltas must go from 0 outward", "for instance: [0, -1, -2, -3, -4]")
    if endpoint.items and (len(endpoint.items) not in (12, 13) or len(set(endpoint.items)) != len(endpoint.items)):
        hint = "twelve codes in the order of the ALSFRS-R, or thirteen with item 5 as 5a and 5b"
        yield Fault((*path, "items"), f"{len(endpoint.items)} codes are not the items of the ALSFRS-R", hint)
    if not endpoint.systems or _repeated(endpoint.systems):
        yield Fault((*path, "systems"), "name each staging system once", 'for instance: systems = ["kings", "mitos"]')


def unread_faults(path: tuple[str, str], endpoint: Endpoint, keys: Iterable[str]) -> Iterator[Fault]:
    """Those of ``keys`` that say something the endpoint's method never reads: who wrote them would believe otherwise."""
    for key in keys:
        if not _said(endpoint, key):
            continue
        methods = READ_BY.get(key, (endpoint.method,))
        if endpoint.method not in methods:
            what = f"{endpoint.method} does not read {key}, which belongs to {' and '.join(methods)}"
            yield Fault((*path, key), what, "leave it out: it would change nothing")
        elif key in READ_BESIDE and not _said(endpoint, READ_BESIDE[key][0]):
            yield Fault((*path, key), f"{key} is read only beside {READ_BESIDE[key][1]}", "say that too, or leave it out")


def _said(endpoint: Endpoint, key: str) -> bool:
    """Whether a key says something else than its default."""
    field = Endpoint.model_fields[key]
    return bool(getattr(endpoint, key) != field.get_default(call_default_factory=True))


def _is_number(text: str) -> bool:
    try:
        return abs(float(text)) <= LATEST  # false for nan and inf too
    except ValueError:
        return False


def _rising(values: tuple[float, ...]) -> bool:
    return all(a < b for a, b in itertools.pairwise(values))


_EXAMPLES = {"dataset": 'for instance: dataset = "ADQS"', "paramcd": 'for instance: paramcd = "ALSFRSR"'}


def _joint_rank(study: Study, path: tuple[str, str], endpoint: Endpoint) -> Iterator[Fault]:
    fitting = [n for n, e in study.endpoints.items() if e.method in REPEATED_MEASURES]
    if not endpoint.function:
        hint = f"name the endpoint whose change is compared: {', '.join(fitting) or 'define an mmrm or ancova endpoint first'}"
        yield Fault((*path, "function"), "joint_rank needs function", hint)
    elif endpoint.function not in study.endpoints:
        yield Fault((*path, "function"), f"there is no endpoint {endpoint.function!r}", nearest(endpoint.function, fitting))
    elif endpoint.function not in fitting:
        method = study.endpoints[endpoint.function].method
        what = f"{endpoint.function!r} is a {method} endpoint and has no change to compare"
        yield Fault((*path, "function"), what, f"endpoints with a change: {', '.join(fitting) or 'none yet'}")
    if endpoint.event is None:
        hint = 'for instance: event = { dataset = "ADTTE", paramcd = "DTHPAV" }'
        yield Fault((*path, "event"), "joint_rank needs event", hint)
    for i, comparison in enumerate(study.comparisons):
        if comparison.horizon is None:
            what = f"the joint rank {path[1]!r} needs the horizon of this comparison"
            yield Fault(("comparisons", i, "horizon"), what, f"in {study.visits.unit}s, for instance: horizon = 12")


def _subgroups(study: Study) -> Iterator[Fault]:
    owners: dict[str, int] = {}
    for i, subgroup in enumerate(study.subgroups):
        for key, name in (("name", subgroup.name), ("complement", subgroup.complement)):
            if not name:
                continue
            if name in RESERVED_NAMES:
                yield Fault(
                    ("subgroups", i, key), f"{name!r} is a reserved word", f"reserved: {', '.join(sorted(RESERVED_NAMES))}"
                )
            if name in owners:
                yield Fault(("subgroups", i, key), f"{name!r} is already a subgroup or a complement")
            owners[name] = i
        if subgroup.complement and len(subgroup.complement.split()) != 1:
            yield Fault(("subgroups", i, "complement"), f"{subgroup.complement!r} is not one word")
        yield from _expression(("subgroups", i, "where"), subgroup.where, aggregates=True)
        if not subgroup.post_randomisation:
            yield from _post_baseline(("subgroups", i, "where"), subgroup.where)


def _expression(path: tuple[str | int, ...], text: str, *, aggregates: bool) -> Iterator[Fault]:
    try:
        expression = parse(text)
    except ExpressionError as error:
        yield Fault(path, error.what, error.hint, error.why)
        return
    if expression.aggregates and not aggregates:
        what = f"{expression.aggregates[0]} cannot choose records"
        yield Fault(path, what, "data-driven cuts belong to subgroups")


def _post_baseline(path: tuple[str | int, ...], text: str) -> Iterator[Fault]:
    try:
        columns = parse(text).columns
    except ExpressionError:  # reported by _expression
        return
    late = [c for c in columns if is_post_baseline(c)]
    if late:
        what = f"{late[0]} is known only after randomisation: a subgroup made of it is chosen by its outcome"
        yield Fault(path, what, "use baseline columns, or say post_randomisation = true to have it labelled so everywhere")


WITH_CONTRAST = ("mmrm", "ancova", "joint_rank", "slope", "time_to_event")


def _plan(study: Study, plan: Multiplicity) -> Iterator[Fault]:
    comparisons = [c.name for c in study.comparisons]
    testable = [n for n, e in study.endpoints.items() if e.method in WITH_CONTRAST]
    names = [h.name for h in plan.hypotheses]
    path = ("multiplicity", "hypotheses")
    if not plan.hypotheses:
        yield Fault(path, "the plan declares no hypothesis", "add a [[multiplicity.hypotheses]] table")
    for name in _repeated(names):
        yield Fault(path, f"two hypotheses are named {name!r}", "give them different names")
    for i, h in enumerate(plan.hypotheses):
        if h.endpoint not in testable:
            yield Fault((*path, i, "endpoint"), f"there is no testable endpoint {h.endpoint!r}", nearest(h.endpoint, testable))
        if h.comparison not in comparisons:
            yield Fault(
                (*path, i, "comparison"), f"no comparison is named {h.comparison!r}", nearest(h.comparison, comparisons)
            )
        if plan.method != "graphical" and (h.weight is not None or h.next):
            key = "next" if h.next else "weight"
            yield Fault((*path, i, key), f"{key} belongs to the graphical method", f"this plan's method is {plan.method}")
        for to in h.next:
            if to not in names or to == h.name:
                others = [n for n in names if n != h.name]
                yield Fault((*path, i, "next", to), f"{to!r} is no other hypothesis of the plan", nearest(to, others))
        if sum(h.next.values()) > 1 + 1e-9:
            yield Fault((*path, i, "next"), "a hypothesis passes on more than its level", "shares add up to at most 1")
    if sum(h.weight or 0.0 for h in plan.hypotheses) > 1 + 1e-9:
        yield Fault(path, "the weights add up to more than 1", "weights are shares of alpha")
