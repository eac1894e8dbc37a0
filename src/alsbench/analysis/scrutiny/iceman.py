"""How credible is it that the effect differs here? The ICEMAN questions, and the EMA's on subgroups, as far as data can answer.

ICEMAN for randomised trials (Schandelmaier et al. 2020, CMAJ 192:E901-E906, doi 10.1503/cmaj.200077): five questions, each
reducing or raising credibility, and a suggested ceiling for the overall rating. The EMA guideline on subgroups in confirmatory
trials (EMA/CHMP/539146/2013) asks besides for the whole trial, consistency, the complement and plausibility. What only a person
can judge says so, and counts as unclear.
"""

from __future__ import annotations

from dataclasses import dataclass

from alsbench.analysis.cells import piece_or_fault
from alsbench.analysis.contrast import at_horizon, p_text
from alsbench.analysis.methods import evidence_endpoints
from alsbench.analysis.question import OVERALL
from alsbench.analysis.result import Row
from alsbench.analysis.scrutiny.contexts import interaction
from alsbench.analysis.scrutiny.effect_size import effect_of
from alsbench.analysis.scrutiny.finding import CheckAnswer, Finding, per_comparison
from alsbench.analysis.scrutiny.sweep import cut_of
from alsbench.analysis.subgroups import complement
from alsbench.errors import ExpressionError, UsageError
from alsbench.stats.errors import StatsError
from alsbench.study.model import Comparison

REDUCED, RATHER_REDUCED, RATHER_RAISED, RAISED = (
    "definitely reduced",
    "probably reduced",
    "probably increased",
    "definitely increased",
)
PERSON = "for a person to judge"


@dataclass(frozen=True)
class Judged:
    """A question, its answer in ICEMAN's four grades (or free text), and why."""

    question: str
    answer: str
    reason: str


def iceman(finding: Finding) -> CheckAnswer:
    """Check 22: both forms, per comparison; the verdict is ICEMAN's suggested ceiling."""
    if finding.subgroup == OVERALL:
        return CheckAnswer([], "not applicable: everybody is in it")
    found = interaction(finding)
    rows: list[Row] = []
    words: dict[str, str] = {}
    for comparison in finding.comparisons:
        values = [r for r in at_horizon(found.rows, comparison) if r.stat_name == "interaction_p" and r.variable is None]
        p = values[0].number() if values and values[0].stat is not None else None
        form = [_direction(finding), _evidence(), _chance(p), _number(finding), _cut(finding)]
        words[comparison.name] = f"credibility {rating([j.answer for j in form])}: " + _counted(form)
        for variable, questions in (("ICEMAN", form), ("EMA", _ema(finding, comparison))):
            for judged in questions:
                where = {"variable": variable, "level": judged.question, "visit_number": comparison.horizon}
                rows.append(finding.row("answer", judged.answer, comparison, **where))  # type: ignore[arg-type]
                rows.append(finding.row("reason", judged.reason, comparison, **where))  # type: ignore[arg-type]
    lines = (
        ("Rating", "a ceiling suggested by the form's own rule; the rating itself is for two people, independently"),
        ("Unclear", "prior evidence and plausibility are not in the data and count as probably reduced"),
    )
    return CheckAnswer(rows, per_comparison(finding, words), lines)


def rating(answers: list[str]) -> str:
    """ICEMAN's suggestion: very low where nothing raises it, at most low with two definite reductions, at most moderate with
    one or with two probable ones, else up to high."""
    definite, probable = answers.count(REDUCED), answers.count(RATHER_REDUCED)
    applicable = [a for a in answers if a in (REDUCED, RATHER_REDUCED, RATHER_RAISED, RAISED)]
    if applicable and definite + probable == len(applicable):
        return "very low"
    if definite >= 2:
        return "at most low"
    if definite == 1 or probable >= 2:
        return "at most moderate"
    return "up to high"


def chance(p: float | None) -> str:
    """Question 3: an interaction p above 0.05, 0.01, 0.005, or below."""
    if p is None or p > 0.05:
        return REDUCED if p is not None else RATHER_REDUCED
    return RATHER_REDUCED if p > 0.01 else RATHER_RAISED if p > 0.005 else RAISED


def _direction(finding: Finding) -> Judged:
    question = "1. Was the direction hypothesised beforehand, and right?"
    if finding.member().post_hoc:
        return Judged(question, REDUCED, "the subgroup is post hoc")
    return Judged(question, RATHER_REDUCED, f"pre-specified, but the study file has no direction: {PERSON}")


def _evidence() -> Judged:
    return Judged("2. Is it supported by earlier evidence?", RATHER_REDUCED, f"not in the data: {PERSON}")


def _chance(p: float | None) -> Judged:
    return Judged(
        "3. Does a test of interaction make chance unlikely?",
        chance(p),
        f"interaction p {p_text(p) if p is not None else 'NE'}",
    )


def _number(finding: Finding) -> Judged:
    question = "4. Were few effect modifiers tested, or their number considered?"
    n = len(finding.source.study.subgroups)
    answer = REDUCED if n > 10 else RATHER_REDUCED if n > 3 else RATHER_RAISED
    if n <= 3 and finding.source.lock is not None and not finding.member().post_hoc:
        answer = RAISED
    return Judged(question, answer, f"{n} definitions in the study file; what it costs: check 7")


def _cut(finding: Finding) -> Judged:
    question = "5. If it is continuous, were arbitrary cut points avoided?"
    try:
        cut = cut_of(finding)
    except UsageError:
        return Judged(question, "not applicable", "the subgroup is not one cut of one number")
    where = f"{cut.column} {cut.op} {cut.value:.6g}"
    if finding.member().post_hoc:
        return Judged(question, RATHER_REDUCED, f"a cut chosen after the fact: {where}; other cuts: check 5")
    return Judged(question, RATHER_RAISED, f"a pre-specified cut: {where}; uncut: check 3")


def _ema(finding: Finding, comparison: Comparison) -> list[Judged]:
    favourable = _favourable(finding, comparison)
    others = [c for c in finding.source.study.comparisons if c.name != comparison.name]
    same = "; ".join(f"{c.name}: {_effect_words(finding, finding.subgroup, c)}" for c in others)
    try:
        rest = _effect_words(finding, complement(finding.source, finding.subgroup), comparison)
    except ExpressionError as error:
        rest = error.what
    return [
        Judged("Is the whole trial persuasive?", _effect_words(finding, OVERALL, comparison), "check 1"),
        Judged("Is the effect among the others harmful?", rest, "check 2"),
        Judged("Do the endpoints agree?", favourable, "estimates on the better side in the subgroup; by subject: check 19"),
        Judged("Do the other comparisons agree?", same or "there is no other", "same subgroup"),
        Judged("Is it plausible?", PERSON, "pharmacology, dose, disease course; dose trend: check 11"),
        Judged("Is it replicated?", PERSON, "another trial; probability that an equal one repeats it: check 21"),
    ]


def _favourable(finding: Finding, comparison: Comparison) -> str:
    sides: list[bool] = []
    for endpoint in evidence_endpoints(finding.source):
        piece = piece_or_fault(finding.source, endpoint.name, finding.subgroup, finding.source.study.comparisons, "")
        sides += [c.favourable for c in piece.cells if c.comparison == comparison.name and c.favourable is not None]
    return f"{sum(sides)} of {len(sides)}"


def _effect_words(finding: Finding, phrase: str, comparison: Comparison) -> str:
    """``better, z 1.2``: direction and size in standard errors."""
    try:
        found = effect_of(finding, finding.member(phrase), comparison)
    except StatsError as error:
        return f"not estimable: {error}"
    z = found.z * found.upward
    return f"{'better' if z > 0 else 'worse'}, {abs(z):.1f} standard errors"


def _counted(form: list[Judged]) -> str:
    grades = [j.answer for j in form]
    said = [f"{grades.count(g)} {g}" for g in (REDUCED, RATHER_REDUCED, RATHER_RAISED, RAISED) if g in grades]
    return ", ".join(said)
