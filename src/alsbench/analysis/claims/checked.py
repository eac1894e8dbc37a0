"""Claims checked whole: each claim beside its answer, with what its numbers say of each other and of the subgroup's size.

How an answer comes about (kept or computed, masked or not) and what is entered in the log is the caller's.

Does a claim survive scrutiny? Every check that computes a p-value of the claimed contrast again is asked whether it stays
below the level throughout.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from alsbench.analysis.claims.coherent import NoneOf, Relation, SizeRange, across, coherence, implied_sizes, none_of
from alsbench.analysis.claims.judged import NOTHING, ClaimLevel, claim_level
from alsbench.analysis.claims.reproduced import Answer, Recomputed, reproduce
from alsbench.analysis.contrast import horizon_visit
from alsbench.analysis.kept import cached_check
from alsbench.analysis.result import Result, Row
from alsbench.analysis.scrutiny import ALL, BOTTOM_LINE, Check
from alsbench.analysis.source import Source
from alsbench.analysis.subgroups import counts_by_arm
from alsbench.errors import AlsbenchError
from alsbench.study.claims import Claim
from alsbench.study.model import Comparison, Study

RANK_NAMES = frozenset({"cafs", "joint_rank"})  # of an endpoint, where no study says its method


@dataclass(frozen=True)
class Checked:
    """A claim with all that was found about it. ``result`` is None where there are no data, or they do not have the
    analysis; ``survived`` and ``scrutiny`` are None where robustness was not asked for; ``bottom_line`` is that of the claimed
    contrast at the claim's visit."""

    claim: Claim
    about: str
    numbers: Sequence[Recomputed]
    relations: Sequence[Relation]
    sizes: Sequence[SizeRange] = ()
    nobody: Sequence[NoneOf] = ()
    result: Result | None = None
    survived: Sequence[Survival] | None = None
    scrutiny: Sequence[tuple[Check, Result]] | None = None
    bottom_line: ClaimLevel = NOTHING

    @property
    def level(self) -> str:
        """The level of the bottom line in words; empty where there is nothing to judge."""
        return self.bottom_line.level

    @property
    def post_hoc(self) -> bool:
        return self.result is not None and self.result.provenance.post_hoc

    @property
    def marks(self) -> tuple[str, ...]:
        """``post hoc`` and ``deviation``, as far as they hold of the claim's analysis."""
        deviates = self.result is not None and bool(self.result.provenance.deviations)
        return (*(("post hoc",) if self.post_hoc else ()), *(("deviation",) if deviates else ()))

    @property
    def coherent(self) -> bool | None:
        """None where there is nothing that could be checked."""
        found = [r.coherent for r in self.relations] + [s.coherent for s in self.sizes]
        return all(found) if found else None

    @property
    def reproduced(self) -> bool | None:
        """None where nothing could be checked: there are no data here, or those of other subjects."""
        checkable = [n.outcome == "reproduced" for n in self.numbers if n.outcome != "not checkable"]
        return all(checkable) if checkable else None

    @property
    def refuted(self) -> bool:
        """Whether the claim contradicts itself or the data."""
        return self.coherent is False or self.reproduced is False

    @property
    def results(self) -> tuple[Result, ...]:
        """Every answer that what was found rests on."""
        return tuple(r for r in (self.result, *(found for _, found in self.scrutiny or ())) if r is not None)


@dataclass(frozen=True)
class Together:
    """What the claims of one file say of each other, by the name of the claim."""

    sizes: dict[str, list[SizeRange]]
    relations: dict[str, list[Relation]]


def together(claims: Sequence[Claim], source: Source | None, study: Study | None = None) -> Together:
    """All claims of a file beside each other; ``source`` None without data, ``study`` (of the source if there is one)
    without a study file too."""
    of = source.study if source is not None else study
    return Together(sizes_by_claim(claims, of, source), across(claims))


def check_claim(
    claim: Claim,
    source: Source | None,
    beside: Together,
    answer: Answer,
    study: Study | None = None,
    *,
    judge: bool = False,
) -> Checked:
    """A claim's numbers beside those of the data, beside each other, and beside the other claims (``beside``), under the bottom
    line of the claimed contrast, as far as its own p-values decide it or (``judge``) whatever it takes."""
    of = source.study if source is not None else study
    numbers, result = reproduce(claim, source, answer)
    rank = of_ranks(claim, of)
    relations = [*coherence(claim, rank=rank), *beside.relations.get(claim.name, ())]
    sizes = beside.sizes.get(claim.name, ()) if rank else ()
    found = Checked(claim, _about(claim, of), numbers, relations, sizes, none_of(claim), result)
    if source is None or result is None or not claim.comparison or hidden(result):
        return found
    return replace(found, bottom_line=claim_level(claim, source, search=judge))


def hidden(result: Result) -> bool:
    """Whether a mask hides a contrast of the answer: then what it comes to is hidden too."""
    return any(r.context == "contrast" and r.stat is None and (r.error or "").startswith("masked") for r in result.rows)


def scrutinised(checked: Checked, source: Source, checks: Iterable[tuple[Check, Result]]) -> Checked:
    """The claim put to ``checks`` (of :func:`checks_of`); unchanged, and none run, where the data do not have its analysis."""
    if checked.result is None or not checked.claim.comparison:
        return checked
    found = tuple(checks)
    return replace(checked, survived=tuple(survival(checked.claim, source, found)), scrutiny=found)


def sizes_by_claim(claims: Sequence[Claim], study: Study | None, source: Source | None) -> dict[str, list[SizeRange]]:
    """What the mean ranks of each subgroup imply, by the names of the claims that were used for it.

    The study says which comparisons share a control; without one each claim stands alone. The arms of the data narrow it."""
    groups: dict[tuple[str, ...], list[tuple[Claim, str, str]]] = {}
    for claim in claims:
        if not of_ranks(claim, study):
            continue
        every = () if study is None else study.comparisons
        known = [c for c in every if c.name == claim.comparison] or [c for c in every if c.treatment == claim.comparison]
        if known:
            pair, apart = (known[0].treatment, known[0].reference), ""
        else:
            pair, apart = (f"the treated arm of {claim.comparison}", f"the control of {claim.comparison}"), claim.name
        groups.setdefault((claim.endpoint, claim.subgroup, claim.population, apart), []).append((claim, *pair))
    found: dict[str, list[SizeRange]] = {}
    for (_, _, population, _), members in groups.items():
        sizes = implied_sizes(members, _arms_of(source, population))
        for name in sizes.claims if sizes is not None else ():
            found.setdefault(name, []).append(sizes)  # type: ignore[arg-type]
    return found


def _arms_of(source: Source | None, population: str) -> dict[str, int]:
    """Subjects by arm; none without data, or where these have no such population: that is said beside the claim's numbers."""
    if source is None:
        return {}
    try:
        return counts_by_arm(source, source.population(population))
    except AlsbenchError:
        return {}


def of_ranks(claim: Claim, study: Study | None) -> bool:
    """Whether a claim's LS means are mean ranks: by its method, that of the study's endpoint, or without both its name."""
    endpoint = study.endpoints.get(claim.endpoint) if study is not None else None
    if claim.method or endpoint is not None:
        return (claim.method or (endpoint.method if endpoint is not None else "")) == "joint_rank"
    return claim.endpoint.casefold() in RANK_NAMES


def _about(claim: Claim, study: Study | None) -> str:
    endpoint = study.endpoints.get(claim.endpoint) if study is not None else None
    parts = [endpoint.title if endpoint else claim.endpoint, claim.subgroup, claim.comparison, *claim.arms, claim.line]
    parts += [f"visit {claim.visit}"] if claim.visit is not None else []
    return ", ".join(part for part in parts if part)


ALPHA = 0.05
# other subjects, other arms, other endpoints: shown, not counted
NOT_OF_THE_CLAIM = frozenset({BOTTOM_LINE.id, "overall", "complement", "dose", "multiplicity", "surrogate"})
SUP_TESTS = {
    "sweep": "sup_p",
    "stepp": "sup_interaction_p",
}  # the largest p over cuts or windows fails every true effect in a part
NOT_OF_AN_EFFECT = frozenset({"ph_p", "missing_p", "smallest_p"})  # tests of the model, of who is missing, of others


@dataclass(frozen=True)
class Survival:
    """One check of a claim: ``largest`` p of the claimed contrast among ``count``; None where the check recomputes none."""

    claim: str
    check: Check
    largest: float | None
    count: int

    @property
    def survived(self) -> bool | None:
        return None if self.largest is None else self.largest < ALPHA


def survival(claim: Claim, source: Source, results: Iterable[tuple[Check, Result]]) -> Iterator[Survival]:
    """What each check says of a claim."""
    comparison = source.comparisons((claim.comparison,))[0]
    for check, result in results:
        found = [] if check.id in NOT_OF_THE_CLAIM else [r.number() for r in _claimed(check, result, claim, comparison)]
        yield Survival(claim.name, check, max(found, default=None), len(found))


def checks_of(claim: Claim, source: Source) -> Iterator[tuple[Check, Result]]:
    """Every check of this version, run on what a claim is about. Raises what ``run_check`` raises."""
    for check in ALL:
        if check.available:
            asked = {"endpoint": claim.endpoint, "comparisons": (claim.comparison,), "population": claim.population}
            yield check, cached_check(check.id, source, claim.subgroup, **asked)  # type: ignore[arg-type]


def _claimed(check: Check, result: Result, claim: Claim, comparison: Comparison) -> list[Row]:
    """The p-values of the claimed contrast in the claimed subgroup: of its own endpoint, by the sup-test where a check
    looks at many cuts or windows, at the claimed visit where it looks at many visits."""
    pair = (comparison.treatment, comparison.reference)
    subgroup = result.question["subgroups"][0]
    rows = [r for r in result.rows if r.stat is not None and (r.treatment, r.reference) == pair and r.subgroup == subgroup]
    rows = [r for r in rows if r.endpoint == claim.endpoint]
    if check.id in SUP_TESTS:
        return [r for r in rows if r.stat_name == SUP_TESTS[check.id]]
    if check.id == "visits":
        at = horizon_visit((r.visit_number for r in rows), comparison.horizon) if claim.visit is None else claim.visit
        rows = [r for r in rows if r.visit_number == at]
    return [r for r in rows if (r.stat_name == "p_value" or r.stat_name.endswith("_p")) and r.stat_name not in NOT_OF_AN_EFFECT]
