"""Random slopes with Kenward-Roger: time by number of subjects, one BLAS thread, best of several runs of process time.

R on a machine of the same kind (stored figures, not run here), 115 subjects x 12 visits: lme4 fit 70 ms, lmerTest 167 ms, with
pbkrtest's Kenward-Roger 845 ms. Run: python benchmarks/bench_slopes.py
"""

from __future__ import annotations

import time

import numpy as np

from alsbench.stats.design import Covariate, Factor
from alsbench.stats.slopes import arm_slopes, percent_slowing, random_slopes, slope_differences

R_KENWARD_ROGER_MS = 845.0


def simulate(subjects: int, visits: int = 13, seed: int = 1) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    arm = np.arange(subjects) % 3
    subject = np.repeat(np.arange(subjects), visits)
    month = np.tile(np.arange(visits, dtype=np.float64), subjects)
    start, slope = rng.normal(39, 3.5, subjects), rng.normal(-1.0, 0.5, subjects)
    y = start[subject] + slope[subject] * month + rng.normal(0, 1.5, subject.size)
    keep = rng.random(subject.size) > 0.08
    rate, site = rng.normal(1, 0.25, subjects), rng.integers(0, 2, subjects)
    return tuple(a[keep] for a in (y, month, subject, arm[subject], rate[subject], site[subject]))


def answer(data: tuple[np.ndarray, ...]) -> int:
    y, month, subject, arm, rate, site = data
    covariates = (Covariate("LEADRATE", rate), Factor("ONSETSIT", site, ("BULBAR", "LIMB")))
    fit = random_slopes(y, month, Factor("ARM", arm, ("Placebo", "Low", "High")), subject, covariates=covariates)
    arm_slopes(fit)
    slope_differences(fit)
    percent_slowing(fit, "High", "Placebo")
    return fit.steps


def best_of(runs: int, data: tuple[np.ndarray, ...]) -> float:
    times = []
    for _ in range(runs):
        start = time.process_time()
        answer(data)
        times.append(time.process_time() - start)
    return 1000 * min(times)


def main() -> None:
    for subjects in (115, 424, 2_000, 10_000):
        data = simulate(subjects)
        steps = answer(data)
        ms = best_of(9 if subjects < 5_000 else 3, data)
        ratio = f"  {R_KENWARD_ROGER_MS / ms:6.0f} x faster than R's stored figure" if subjects == 115 else ""
        print(f"{subjects:>6} subjects x 12 visits: fit, KR slopes, differences, slowing {ms:8.1f} ms, {steps} steps{ratio}")


if __name__ == "__main__":
    main()
