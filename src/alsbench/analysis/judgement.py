"""The bottom line of a finding: what a committee may take away, by one rule, printed with everything that goes into it.

Many checks without a sum let everybody read out the one they like. The rule is METHODS' "The bottom line": the first level
that applies. It is a function of the inputs alone, so that it can itself be put to trials whose truth is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from alsbench.analysis.contrast import frequency, p_text
from alsbench.analysis.search import Share

if TYPE_CHECKING:
    from alsbench.study.model import Study

Level = Literal[
    "not judged",
    "confirmed as planned",
    "as declared, no lock proves it",
    "against the treatment",
    "the whole trial's; more for this subgroup is not shown",
    "no finding",
    "holds up, post hoc",
    "worth a new trial",
    "what chance offers",
]
Standing = Literal["locked", "declared", "post hoc"]

TAKE_AWAY: Mapping[str, str] = {
    "not judged": "there is no contrast between arms to judge",
    "confirmed as planned": "the locked plan asked this question, and its own rule is met",
    "as declared, no lock proves it": "declared in the study file, its rule met; that this came before the data is not shown",
    "against the treatment": "the treated did worse",
    "the whole trial's; more for this subgroup is not shown": "nothing shows that these gain more",
    "no finding": "p is above {nominal:g}: there is nothing to explain",
    "holds up, post hoc": "chance does not explain it; a new trial must confirm it",
    "worth a new trial": "a hypothesis for a new trial, and no more",
    "what chance offers": "a search this wide offers such results without any effect",
}


SIGN_WORDS = {  # in the bottom line, where room is dear
    "analyses without one control": "controls left out",
    "assumptions about the missing": "imputations",
}
UNSEARCHED = ("not judged", "no finding", "confirmed as planned", "as declared, no lock proves it", "against the treatment")


@dataclass(frozen=True)
class Thresholds:
    """The constants of the rule; those of METHODS unless the study file sets others (:func:`limits_of`)."""

    nominal: float = 0.05
    holds_up: float = 0.05
    new_trial: float = 0.15
    new_trial_definitions: float = 0.10
    in_this_subgroup: float = 0.15


METHODS = Thresholds()
NAMES = {  # as they are printed
    "nominal": "nominal p",
    "holds_up": "holds up",
    "new_trial": "new trial",
    "new_trial_definitions": "new trial, of definitions",
    "in_this_subgroup": "in this subgroup",
}


def limits_of(study: Study) -> Thresholds:
    """The constants that hold in a study."""
    return METHODS if study.judgement is None else Thresholds(**study.judgement.model_dump())


def rule_words(limits: Thresholds) -> str:
    """The constants in words: ``nominal p 0.05, holds up 0.05, new trial 0.15 ...``."""
    return ", ".join(f"{NAMES[name]} {value:g}" for name, value in vars(limits).items())


def changed_words(limits: Thresholds) -> str:
    """Those of the study file that are not METHODS', with METHODS' behind them: ``new trial 0.2 (0.15)``; empty for none."""
    found = {name: value for name, value in vars(limits).items() if value != getattr(METHODS, name)}
    return ", ".join(f"{NAMES[name]} {value:g} ({getattr(METHODS, name):g})" for name, value in found.items())


@dataclass(frozen=True)
class SignCount:
    """Of ``of`` analyses made otherwise, how many keep the sign (``held``), and how many could not be made."""

    held: int
    of: int
    failed: int = 0

    @property
    def hold(self) -> bool:
        """Every one of them was made, and none turns the sign."""
        return self.of > 0 and self.held == self.of and self.failed == 0


@dataclass(frozen=True)
class Inputs:
    """What the rule looks at. ``p`` and ``favourable`` are the endpoint's own in the subgroup, ``overall_*`` in everybody.

    ``standing`` is where the finding stands in the plan, ``rejected`` whether the plan's rule is met; None for a resampled
    p says that it cannot be computed, and counts against. ``larger`` is whether the effect is larger than in the
    complement.
    """

    subgroup: bool
    p: float | None
    favourable: bool | None
    overall_p: float | None
    overall_favourable: bool | None
    standing: Standing = "post hoc"
    rejected: bool = False
    p_search: Share | None = None
    tests: int = 0
    p_int_definitions: Share | None = None
    p_int_search: Share | None = None
    p_rerandomised: float | None = None
    larger: bool | None = None
    signs: Mapping[str, SignCount] = field(default_factory=dict)

    @property
    def sign_holds(self) -> bool:
        """Whether no other analysis turns the sign."""
        return all(signs.hold for signs in self.signs.values())


@dataclass(frozen=True)
class Judgement:
    """The level, whether a new trial should be "in this subgroup", which inputs lie near their threshold, and the reasons."""

    level: Level
    inputs: Inputs
    where: str = ""
    borderline: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """The level as it is printed."""
        return self.level + (f": {self.where}" if self.where else "") + (" (borderline)" if self.borderline else "")

    @property
    def sentence(self) -> str:
        """The search in natural frequencies; empty where there was none."""
        chance = self.inputs.p_search
        if chance is None or self.level in UNSEARCHED:
            return ""
        return frequency(chance.p, self.inputs.tests)


def judge(inputs: Inputs, limits: Thresholds = METHODS) -> Judgement:
    """The level of a finding: the first of METHODS 12's table that applies."""
    level, where, used = _level(inputs, limits)
    near = tuple(name for name, value, limit in used if value is not None and value.near(limit))
    return Judgement(level, inputs, where, near)


Used = tuple[tuple[str, Share | None, float], ...]


def _level(i: Inputs, limits: Thresholds) -> tuple[Level, str, Used]:
    if i.p is None or i.favourable is None:
        return "not judged", "", ()
    if i.rejected and i.favourable and i.standing == "locked":
        return "confirmed as planned", "", ()
    if i.rejected and i.favourable and i.standing == "declared":
        return "as declared, no lock proves it", "", ()
    if i.p <= limits.nominal and not i.favourable:
        return "against the treatment", "", ()
    beyond = "p int of the search", i.p_int_search, limits.holds_up
    overall = i.overall_p is not None and i.overall_p <= limits.nominal and i.overall_favourable is True
    if i.subgroup and overall and not _at_most(i.p_int_search, limits.holds_up):
        return "the whole trial's; more for this subgroup is not shown", "", (beyond,)
    if i.p > limits.nominal:
        return "no finding", "", ()
    chance = "p of the search", i.p_search, limits.holds_up
    used: Used = (chance, beyond) if i.subgroup else (chance,)
    own = not i.subgroup or (i.larger is True and _at_most(i.p_int_search, limits.holds_up))
    again = i.p_rerandomised is not None and i.p_rerandomised <= limits.holds_up
    if _at_most(i.p_search, limits.holds_up) and again and i.sign_holds and own:
        return "holds up, post hoc", "", used
    among = "p int of the definitions", i.p_int_definitions, limits.new_trial_definitions
    own = not i.subgroup or (i.larger is True and _at_most(i.p_int_definitions, limits.new_trial_definitions))
    wider = "p of the search", i.p_search, limits.new_trial
    if _at_most(i.p_search, limits.new_trial) and i.sign_holds and own:
        where = ""
        if i.subgroup:
            where = "in this subgroup" if _at_most(i.p_int_search, limits.in_this_subgroup) else "in whom is open"
        return "worth a new trial", where, (*used, wider, *((among,) if i.subgroup else ()))
    return "what chance offers", "", (wider, *((among,) if i.subgroup else ()))


def _at_most(share: Share | None, limit: float) -> bool:
    return share is not None and share.p <= limit


def reasons(found: Judgement, limits: Thresholds = METHODS) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What speaks for the finding and what against, in words, each with its number."""
    i = found.inputs
    good: list[str] = []
    bad: list[str] = []

    def weigh(ok: bool, text: str) -> None:
        (good if ok else bad).append(text)

    if found.level == "not judged":
        return (), ()
    if i.overall_p is not None:
        other = "" if i.overall_favourable else " for the reference"
        weigh(i.overall_p <= limits.nominal and i.overall_favourable is True, f"overall p {p_text(i.overall_p)}{other}")
    if found.level in UNSEARCHED:
        return tuple(good), tuple(bad)
    weigh(_at_most(i.p_search, limits.holds_up), f"whole search p {_share(i.p_search)}")
    if i.subgroup:
        if i.larger is not None:
            weigh(i.larger, "larger than in its complement" if i.larger else "no larger than in its complement")
        text = f"gains more than the rest: p {_share(i.p_int_search)}, of definitions {_share(i.p_int_definitions)}"
        weigh(_at_most(i.p_int_search, limits.holds_up), text)
    again = i.p_rerandomised
    words = "not computable" if again is None else f"p {p_text(again)}"
    weigh(again is not None and again <= limits.holds_up, f"re-randomised {words}")
    kept = [name for name, signs in i.signs.items() if signs.hold]
    turned = [name for name, signs in i.signs.items() if signs.held < signs.of]
    lost = [name for name, signs in i.signs.items() if not signs.hold and name not in turned]
    good += _of_signs("the sign holds", kept)
    bad += [*_of_signs("the sign turns", turned), *_of_signs("not all computable", lost)]
    return tuple(good), tuple(bad)


def _of_signs(what: str, names: list[str]) -> list[str]:
    """``the sign turns: specifications, imputations``, without numbers: how many controls can be left out would count them."""
    return [f"{what}: {', '.join(SIGN_WORDS.get(name, name) for name in names)}"] if names else []


def _share(share: Share | None) -> str:
    return "not computable" if share is None else f"{p_text(share.p)} ± {share.error:.4f}"
