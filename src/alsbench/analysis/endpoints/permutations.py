"""Re-randomisation tests of a joint rank: the Gehan-Wilcoxon W and the ANCOVA t, arms dealt again within strata."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from alsbench.analysis.ask import Ask
from alsbench.analysis.model_data import covariate_columns, covariate_variables
from alsbench.analysis.result import Row
from alsbench.analysis.source import BoolArray
from alsbench.analysis.strata import strata_codes
from alsbench.stats.design import build_design
from alsbench.stats.errors import StatsError
from alsbench.stats.permutation import permute_ancova, permute_scores

if TYPE_CHECKING:
    from alsbench.analysis.endpoints.joint_rank import Ranked

NAMES = ("permutation_gehan_p", "permutation_p", "permutations")


def permutation_rows(ask: Ask, ranked: Ranked, arms: tuple[int, int], at: dict[str, Any]) -> list[Row]:
    """Permutation p of W and of the ANCOVA t for two arms (codes in ``ranked``), and how many arrangements were looked at.

    W is that of everybody ranked; the ANCOVA is of those among them whose covariates are known.
    """
    scored = ranked.stratified or ranked.rank
    both = scored.included & np.isin(ranked.arm, arms)
    modelled = both & covariate_columns(ask).complete[ranked.subject]
    strata = strata_codes(ask.source, ask.endpoint.strata, ranked.subject) if ask.endpoint.strata else None

    def drawing(members: BoolArray) -> dict[str, Any]:
        own = None if strata is None else strata[members]
        return {"strata": own, "draws": ask.endpoint.permutations, "seed": ask.endpoint.seed}

    try:
        gehan = permute_scores(scored.scores_between(*arms)[both], ranked.arm[both] == arms[0], **drawing(both))
        treated = ranked.arm[modelled] == arms[0]
        variables, _ = covariate_variables(covariate_columns(ask), ranked.subject[modelled])
        design = build_design(variables, [(v.name,) for v in variables]) if variables else None
        columns = design.X if design is not None else np.ones((treated.size, 1))
        ancova = permute_ancova(ranked.ranks[modelled], treated, columns, **drawing(modelled))
    except StatsError as error:
        return ask.failed("contrast", NAMES, str(error), **at)
    kind = "every arrangement" if gehan.exact else f"Monte Carlo, seed {ask.endpoint.seed}"
    values = (gehan.p, ancova.p, ancova.draws)
    return [ask.row("contrast", n, v, warning=kind, **at) for n, v in zip(NAMES, values, strict=True)]
