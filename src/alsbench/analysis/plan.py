"""What a result must say about itself: BLINDED, the locked plan, and everything by which it departs from that plan.

A locked item that was edited in the study file, or overridden for one question, is a deviation; an endpoint, comparison or
subgroup that the plan did not have, or that was redefined, is post hoc. The words follow from the lock and the snapshot; no
option of a question takes them away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from alsbench.analysis.question import Question
from alsbench.analysis.result import Provenance, Result
from alsbench.analysis.source import Source
from alsbench.audit.lock import Change, Lock, changes, endpoint_change
from alsbench.study.model import NO_PATIENT, Comparison, Endpoint, Study
from alsbench.version import __version__

if TYPE_CHECKING:
    from alsbench.analysis.subgroups import Membership

BLINDED = "BLINDED: dummy arms; who is which is known to the holder of the key"
EVERYWHERE = ("arms", "populations", "visits", "subject", "derive")


def provenance(source: Source, parts: list[Membership], command: str, *endpoints: Endpoint) -> Provenance:
    """Hashes, versions and labels of honesty for a result over these subgroups and endpoints."""
    names = {
        "ADSL",
        *("ADEX" for e in endpoints if e.method == "incidence"),
        *(e.dataset.upper() for e in endpoints if e.dataset),
    }
    for endpoint in endpoints:
        if endpoint.event is not None:
            names.add(endpoint.event.dataset.upper())
        if endpoint.function:
            names.add(source.endpoint(endpoint.function).dataset.upper())
    return Provenance(
        snapshot=source.snapshot.digest,
        study=source.study_digest,
        engine=__version__,
        post_hoc=any(p.post_hoc for p in parts),
        synthetic=source.study.info.synthetic,
        command=command,
        sources=tuple(sorted(n for n in names if n in source.snapshot.tables)),
        data_cut=source.snapshot.data_cut,
        study_id=source.study.info.id,
    )


def synthetic_line(study: Study) -> list[tuple[str, str]]:
    """The line of facts of a study whose data are synthetic; none for a real one."""
    return [("Data", f"{mark.split()[0]}: {NO_PATIENT}") for mark in study.info.marks]


def marked(
    result: Result,
    source: Source,
    *,
    endpoints: Sequence[Endpoint],
    comparisons: Sequence[Comparison],
    parts: Sequence[Membership],
    question: Question | None = None,
    planned_population: str = "",
    population: str = "",
) -> Result:
    """The result with its marks: lines of facts, and the flags of its provenance.

    ``endpoints`` are as analysed, overrides applied. Without ``question`` the result is of the whole plan (evidence);
    ``population`` is then the one it was asked in, where that is another than planned.
    """
    lines: list[tuple[str, str]] = []
    if source.log.words:
        lines.append(("Audit log", source.log.text))
    if source.blinded:
        lines.append(("Arms", BLINDED))
    if source.lock is not None:
        lines.append(("Plan", "; ".join(t for t in (source.lock.words(), source.lock.note) if t)))
    post_hoc, deviations = departures(
        source,
        endpoints=endpoints,
        comparisons=comparisons,
        parts=parts,
        question=question,
        planned_population=planned_population,
        population=population,
    )
    lines += departure_lines(post_hoc, deviations)
    origin = replace(
        result.provenance,
        post_hoc=result.provenance.post_hoc or bool(post_hoc),
        deviations=deviations,
        blinded=source.blinded,
        audit_log=source.log.text,
    )
    return replace(result, provenance=origin, facts=replace(result.facts, lines=(*lines, *result.facts.lines)))


def departures(
    source: Source,
    *,
    endpoints: Sequence[Endpoint],
    comparisons: Sequence[Comparison],
    parts: Sequence[Membership],
    question: Question | None = None,
    planned_population: str = "",
    population: str = "",
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What of an answer the locked plan did not have, and by what it deviates from it, in words; see :func:`marked`."""
    post_hoc: list[str] = []
    deviations: list[str] = [source.doubt] if source.doubt else []
    if source.lock is not None:
        lock = source.lock
        if lock.doubt:
            deviations.append(lock.doubt)
        if lock.sealed and not source.blinded:
            deviations.append("arms, comparisons and multiplicity: locked under blinding, never opened with the key")
        for change in _concerned(lock, source, endpoints, comparisons, parts, whole=question is None):
            (post_hoc if change.word == "post hoc" else deviations).append(change.words())
        if population:
            deviations.append(f"population {population} instead of that of the plan")
        if question is not None:
            deviations += _overrides(lock, source, endpoints[0], question, planned_population)
        post_hoc += [f"subgroup {p.phrase}: not in the plan, though its parts are" for p in parts if _combined(p, lock)]
    return tuple(dict.fromkeys(post_hoc)), tuple(dict.fromkeys(deviations))


def departure_lines(post_hoc: Sequence[str], deviations: Sequence[str]) -> list[tuple[str, str]]:
    """Departures as lines of facts."""
    return [*(("POST HOC", text) for text in post_hoc), *(("DEVIATION", text) for text in deviations)]


def plan_word(source: Source, endpoint: Endpoint, comparison: Comparison) -> str:
    """``post hoc``, ``deviation`` or nothing: how one contrast of the study stands to the locked plan."""
    if source.lock is None:
        return ""
    found = [c.word for c in _concerned(source.lock, source, [endpoint], [comparison], ())]
    return "post hoc" if "post hoc" in found else "deviation" if found else ""


def _concerned(
    lock: Lock,
    source: Source,
    endpoints: Sequence[Endpoint],
    comparisons: Sequence[Comparison],
    parts: Sequence[Membership],
    *,
    whole: bool = False,
) -> list[Change]:
    """The changes of the study file that touch a result. Removed items concern the whole plan only."""
    used = {
        "endpoint": {e.name for e in endpoints} | {e.function for e in endpoints if e.function},
        "comparison": {c.name for c in comparisons},
        "subgroup": {word for p in parts for word in p.phrase.split()},
    }
    return [
        c
        for c in changes(lock, source.study)
        if c.part in EVERYWHERE
        or (whole and (c.part in ("multiplicity", "judgement") or c.kind == "removed"))
        or c.name in used.get(c.part, ())
    ]


def _overrides(lock: Lock, source: Source, endpoint: Endpoint, question: Question, planned_population: str) -> list[str]:
    """What the question itself asks otherwise than the plan says."""
    found: list[str] = []
    locked = lock.endpoints.get(endpoint.name)
    if locked is not None and endpoint != source.study.endpoints.get(endpoint.name):
        detail = endpoint_change(locked, endpoint)
        if detail:
            found.append(f"endpoint {endpoint.name}: {detail}")
    if question.population and planned_population and question.population != planned_population:
        found.append(f"population {question.population} instead of {planned_population}")
    if question.visits and endpoint.method == "joint_rank":
        horizons = ", ".join(f"{v:g}" for v in question.visits)
        found.append(f"horizon {horizons} instead of that of the comparison")
    return found


def _combined(part: Membership, lock: Lock) -> bool:
    names = [p.removeprefix("not ") for p in part.phrase.split(" and ")]
    return len(names) > 1 and all(name in lock.subgroups for name in names)
