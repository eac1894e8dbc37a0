"""Time and memory of the joint rank: scoring by trial size, and re-randomisations of the ANCOVA on ranks.

Run with one BLAS thread: ``OMP_NUM_THREADS=1 python benchmarks/bench_joint_rank.py``. Times are processor time, best of three.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable

import numpy as np

from alsbench.stats.joint_rank import FollowUp, JointRank, score_pairs
from alsbench.stats.permutation import permute_ancova, permute_scores
from alsbench.stats.why_rank import why_rank
from alsbench.stats.wins import finkelstein_schoenfeld, win_statistics

VISITS = 12
BUDGET = {2000: 1.0, 5000: 2.0}  # seconds
MEMORY_BUDGET_MB = 1000
DRAWS = 10_000
DRAWS_BUDGET = 1.0


def trial(n: int, seed: int = 20) -> FollowUp:
    """n subjects over 12 visits: steady decline, 15 % events, dropout, 5 % of visits missed."""
    rng = np.random.default_rng(seed)
    changes = np.round(rng.normal(-1, 1, (n, VISITS)).cumsum(axis=1))
    leaves = rng.integers(3, 3 * VISITS, n)
    changes[np.arange(VISITS)[None, :] >= leaves[:, None]] = np.nan
    changes[rng.random((n, VISITS)) < 0.05] = np.nan
    contact = np.minimum(leaves, VISITS) * 30.0
    return FollowUp(np.where(rng.random(n) < 0.15, contact, np.nan), contact, changes, np.arange(1.0, VISITS + 1))


def best(work: Callable[[], object], repeats: int = 3) -> float:
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    failed = False
    print(f"{'subjects':>9} {'score s':>9} {'test+wins ms':>13} {'why ms':>8} {'peak MB':>8}")
    for n in (115, 500, 2000, 5000):
        data, arm = trial(n), np.arange(n) % 2
        rank = score_pairs(data, groups=arm)
        seconds = best(lambda data=data, arm=arm: score_pairs(data, groups=arm))
        after = best(lambda rank=rank, arm=arm: summarise(rank, arm))
        why = best(lambda data=data: why_rank(0, data))
        failed |= seconds > BUDGET.get(n, np.inf) or peak_mb() > MEMORY_BUDGET_MB
        print(f"{n:>9,} {seconds:>9.4f} {after * 1e3:>13.2f} {why * 1e3:>8.2f} {peak_mb():>8.0f}")

    data, arm = trial(115), np.arange(115) % 2
    rng = np.random.default_rng(1)
    rank, Z, strata = score_pairs(data), rng.normal(size=(115, 4)), rng.integers(0, 4, 115)
    t = best(lambda: permute_ancova(rank.ranks, arm, Z, strata=strata, seed=1, draws=DRAWS))
    w = best(lambda: permute_scores(rank.scores, arm, strata=strata, seed=1, draws=DRAWS))
    failed |= t > DRAWS_BUDGET
    print(f"\n{DRAWS:,} re-randomisations within 4 strata, 115 subjects: ANCOVA t {t:.3f} s, Gehan-Wilcoxon W {w:.3f} s")
    print("over budget" if failed else "within budget: 2,000 <= 1 s, 5,000 <= 2 s and 1 GB, re-randomisation <= 1 s")
    return int(failed)


def summarise(rank: JointRank, arm: np.ndarray) -> None:
    finkelstein_schoenfeld(rank.scores, arm == 1)
    win_statistics(rank, 1, 0)


if __name__ == "__main__":
    sys.exit(main())
