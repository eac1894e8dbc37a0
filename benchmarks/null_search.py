"""How often a search over small definitions finds something in trials without any effect, by what a test that cannot be made
counts as.

A definition of a dozen subjects may have nobody of an arm: its test cannot be made, in the trial as it was as in its copies.
Check 7 counts such a test as p = 1 on both sides, so that every trial is compared with copies of itself by one and the same
rule (min-p: Westfall and Young 1993, ISBN 978-0471557616). The other way, which was ours before, looks only where the trial
as it was can be tested, in its copies too: the search then depends on how the arms fell, and the copies are none of it.

Each trial has three arms, a response, a covariate, and 36 definitions to which a subject belongs with probability 0.1,
about 12; 72 tests. Its arms are dealt once, and 999 times more. Printed: the shares of trials whose smallest p has an adjusted
p of at most 0.05 and 0.10 by either rule, with Monte Carlo errors; by exchangeability the first rule gives at most 0.05 and
0.10.

    python benchmarks/null_search.py [--trials 6000] [--arms 80 20 20] [--seed 20261201]      (about five minutes on one core)
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from alsbench.stats.permutation_search import LinearOutcome, PermutationSearch, SearchTest, permuted_arms
from alsbench.stats.threads import one_blas_thread

DEFINITIONS, MEMBER = 36, 0.1
DRAWS = 999
LEVELS = (0.05, 0.10)
SLACK = 1e-9


def null_p_values(arms: Sequence[int], rng: np.random.Generator, seed: int) -> NDArray[np.float64]:
    """p (copies, tests) of one trial without effect: as it was, then with its arms dealt again; NaN where not to be made."""
    n = sum(arms)
    arm = rng.permuted(np.repeat(np.arange(len(arms)), arms)).astype(np.int8)
    response, covariate = rng.normal(size=n), rng.normal(size=(n, 1))
    outcomes = []
    for _ in range(DEFINITIONS):
        members = np.flatnonzero(rng.random(n) < MEMBER)
        outcomes.append(LinearOutcome(members, covariate[members], response[members]))
    tests = [SearchTest(place, treated, 0) for place in range(DEFINITIONS) for treated in (1, 2)]
    tiles = range(math.ceil(DRAWS / 256))
    dealt = permuted_arms(arm, np.zeros(n, dtype=np.int64), tiles, seed=seed)[:DRAWS]
    t, df = PermutationSearch(outcomes, tests, n).run(np.concatenate([arm[None, :], dealt]))
    p: NDArray[np.float64] = 2.0 * stdtr(df, -np.abs(t))
    return p


def adjusted(p: NDArray[np.float64]) -> tuple[float, float]:
    """The adjusted p of the first row's smallest p: p = 1 for what cannot be made, and only what the first row can make."""
    there = np.isfinite(p[0])
    as_one = np.where(np.isnan(p), 1.0, p)
    return rank(as_one.min(axis=1)), rank(as_one[:, there].min(axis=1, initial=1.0))


def rank(smallest: NDArray[np.float64]) -> float:
    """(1 + copies as small) / (1 + copies)."""
    return float((smallest <= smallest[0] * (1.0 + SLACK)).sum()) / smallest.size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=6000)
    parser.add_argument("--arms", type=int, nargs=3, default=(80, 20, 20))
    parser.add_argument("--seed", type=int, default=20261201)
    asked = parser.parse_args()
    rng = np.random.default_rng(asked.seed)
    found, missing = [], []
    with one_blas_thread():
        for trial in range(asked.trials):
            p = null_p_values(asked.arms, rng, asked.seed + trial)
            found.append(adjusted(p))
            missing.append(np.isnan(p[0]).mean())
    print(f"{asked.trials} trials without effect, {100 * np.mean(missing):.1f} % of their tests cannot be made")
    for words, column in zip(
        ("p = 1 in the trial and in its copies", "only what the trial can make"), np.array(found).T, strict=True
    ):
        shares = [(level, float((column <= level + SLACK).mean())) for level in LEVELS]
        told = ", ".join(f"{s:.4f} (error {math.sqrt(s * (1 - s) / asked.trials):.4f}) at {level:.2f}" for level, s in shares)
        print(f"{words}: {told}")


if __name__ == "__main__":
    main()
