"""What is qualified: each method, how it is reached, and the tests that hold it to the same numbers."""

from __future__ import annotations

from dataclasses import dataclass

_CORRIDOR = "tests/analysis/test_reference_trials.py"


@dataclass(frozen=True)
class Method:
    """``route``: whole = files loaded, then a question answered; engine = arrays given to the function itself."""

    id: str
    title: str
    route: str
    tests: tuple[str, ...]


_METHODS = (
    Method("subgroup", "Subgroup cuts and counts", "whole", (_CORRIDOR,)),
    Method(
        "mmrm-satterthwaite",
        "MMRM REML, Satterthwaite",
        "whole, engine",
        (_CORRIDOR, "tests/stats/test_mmrm_trials.py", "tests/stats/test_mmrm_fev.py"),
    ),
    Method(
        "mmrm-kenward-roger",
        "MMRM REML, Kenward-Roger (linear)",
        "whole, engine",
        (_CORRIDOR, "tests/stats/test_mmrm_trials.py", "tests/stats/test_mmrm_fev.py"),
    ),
    Method("mmrm-kenward-roger-full", "MMRM REML, Kenward-Roger (full)", "engine", ("tests/stats/test_mmrm_fev.py",)),
    Method("mmrm-ml", "MMRM ML, Satterthwaite", "engine", ("tests/stats/test_mmrm_fev.py",)),
    Method("mmrm-exact", "MMRM, fits to full precision", "engine", ("tests/stats/test_mmrm_fev.py",)),
    Method("mmrm-sas", "MMRM, SAS PROC MIXED", "engine", ("tests/stats/test_mmrm_fev.py",)),
    Method("ancova", "ANCOVA by visit", "whole, engine", (_CORRIDOR, "tests/stats/test_ancova.py")),
    Method(
        "joint-rank",
        "CAFS scores and ranks",
        "whole, engine",
        (_CORRIDOR, "tests/stats/test_joint_rank.py", "tests/stats/test_joint_rank_reference.py"),
    ),
    Method("joint-rank-ancova", "CAFS, ANCOVA on ranks", "whole", (_CORRIDOR, "tests/stats/test_joint_rank_reference.py")),
    Method(
        "gehan-wilcoxon",
        "CAFS, Finkelstein-Schoenfeld test",
        "whole, engine",
        (_CORRIDOR, "tests/stats/test_joint_rank_reference.py"),
    ),
    Method("wins", "Win ratio, win odds, net benefit", "whole, engine", (_CORRIDOR, "tests/stats/test_wins.py")),
    Method("slope-satterthwaite", "Random slopes, Satterthwaite", "whole, engine", (_CORRIDOR, "tests/stats/test_slopes.py")),
    Method("slope-kenward-roger", "Random slopes, Kenward-Roger", "whole, engine", (_CORRIDOR, "tests/stats/test_slopes.py")),
    Method("slope-likelihood", "Random slopes, REML and ML fits", "whole, engine", ("tests/stats/test_slopes.py",)),
    Method("kaplan-meier", "Kaplan-Meier curves and intervals", "whole, engine", ("tests/stats/test_survival.py",)),
    Method("log-rank", "Log-rank tests", "whole, engine", (_CORRIDOR, "tests/stats/test_survival.py")),
    Method("cox", "Cox models", "whole, engine", (_CORRIDOR, "tests/stats/test_cox.py")),
    Method("rmst", "Restricted mean survival", "whole, engine", (_CORRIDOR, "tests/stats/test_survival.py")),
    Method("proportions", "Intervals of proportions and rates", "engine", ("tests/stats/test_proportions.py",)),
    Method("multiplicity", "Multiplicity", "engine", ("tests/stats/test_multiplicity.py",)),
    Method("max-t", "Max-t critical values", "engine", ("tests/stats/test_max_t.py", "tests/stats/test_max_t_accuracy.py")),
    Method("repeatability", "Repeatability, bit for bit", "whole", ("tests/analysis/test_qualification.py",)),
)
METHODS: dict[str, Method] = {m.id: m for m in _METHODS}
