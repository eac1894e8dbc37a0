"""What a sceptical reviewer asks of a finding in a subgroup (METHODS 7): the list of checks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from alsbench.errors import UsageError
from alsbench.study.names import nearest

if TYPE_CHECKING:
    from alsbench.analysis.result import Result


@dataclass(frozen=True)
class Check:
    """``module`` answers it, by its function named as the id; ``brief`` is the title where that has no room."""

    number: int
    id: str
    title: str
    module: str
    brief: str = ""

    @property
    def short(self) -> str:
        """The title in a narrow list."""
        return self.brief or self.title

    @property
    def available(self) -> bool:
        """Whether there is something that answers it."""
        return bool(self.module)


CHECKS: tuple[Check, ...] = (
    Check(1, "overall", "Overall result beside the subgroup", "contexts", "Overall beside the subgroup"),
    Check(2, "complement", "Complement result", "contexts"),
    Check(3, "interaction", "Arm-by-subgroup interaction", "contexts"),
    Check(4, "balance", "Baseline balance within the subgroup", "contexts", "Balance within the subgroup"),
    Check(5, "sweep", "Cut-off sweep with a sup-test", "sweep"),
    Check(6, "stepp", "STEPP with a permutation sup-test", "sweep", "STEPP with a sup-test"),
    Check(7, "selection", "Selection-adjusted p over the declared search", "selection", "Selection-adjusted p"),
    Check(8, "shrinkage", "Selection-adjusted estimate and shrinkage", "effect_size", "Selection-adjusted estimate"),
    Check(9, "multiplicity", "Multiplicity ledger", "ledger"),
    Check(10, "visits", "Every visit and the horizon", "variants"),
    Check(11, "dose", "Three-arm ranks and a dose trend", "arms", "Three-arm ranks, dose trend"),
    Check(12, "components", "CAFS components", "variants"),
    Check(13, "specification", "Specification curve over the CAFS options", "variants", "Specification curve over CAFS"),
    Check(
        14,
        "alternatives",
        "Gehan-Wilcoxon beside ANCOVA, adjusted beside unadjusted",
        "variants",
        "Gehan, ANCOVA, unadjusted",
    ),
    Check(
        15,
        "missingness",
        "Missingness by arm; reference-based imputation, tipping point",
        "missingness",
        "Missing data, tipping point",
    ),
    Check(16, "rerandomisation", "Re-randomisation test", "arms"),
    Check(17, "controls", "Shared-control influence: one control left out", "arms", "One shared control left out"),
    Check(18, "regression", "Regression to the mean", "by_subject"),
    Check(19, "concordance", "Concordance of ALSFRS-R, SVC and NfL by subject", "by_subject", "Concordance by subject"),
    Check(20, "surrogate", "NfL as mediator or surrogate", "surrogate"),
    Check(21, "errors", "Type M and S error, replication probability", "effect_size", "Type M and S, replication"),
    Check(22, "iceman", "ICEMAN form and the EMA subgroup checklist", "iceman", "ICEMAN and the EMA checklist"),
)
BOTTOM_LINE = Check(0, "bottom_line", "The bottom line", "bottom_line")
ALL = (BOTTOM_LINE, *CHECKS)  # in the order of print: what to take away, then the checks it rests on
SEARCHING = frozenset({"bottom_line", "selection"})  # checks that rest on where anybody has looked
DRAWS = 9_999  # re-randomised or permuted trials of a check
# Rows of `alsbench chance`: the levels of those that are of the trial itself, the variables of the others
REAL, BEST = "the finding", "the best of the trial"
COPY, SMALLEST = "copy", "smallest p of a copy"
VERDICT = "Verdict"  # the name of the line of facts that sums a check up


def find_check(name: str) -> Check:
    """A check by its id or number. Raises UsageError for one that is not there."""
    for check in ALL:
        if name in {check.id, str(check.number)}:
            return check
    raise UsageError(f"no check is named {name}", hint=nearest(name, [c.id for c in ALL]))


def verdict(result: Result) -> str:
    """The sentence that sums a check up."""
    return next((text for name, text in result.facts.lines if name == VERDICT), "")
