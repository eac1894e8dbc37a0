"""How long an MMRM takes: fit with its degrees of freedom and every least-squares mean and difference, one BLAS thread.

Process time, best of several runs, design matrix given. Beside it the time R's mmrm 0.3 took for fit and inference on a
machine of this kind: a stored figure, or, where R with mmrm and emmeans is installed, measured now on the same rows.

    python benchmarks/bench_mmrm.py [--quick] [--r]
"""

from __future__ import annotations

import argparse
import csv
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from alsbench.stats.design import Covariate, Design, Factor, build_design
from alsbench.stats.lsmeans import ls_differences, ls_means
from alsbench.stats.mmrm import MMRMFit, fit_mmrm

STORED_R = {  # seconds, Satterthwaite and Kenward-Roger
    "115 x 12": (16.8, 45.6),
    "2000 x 12": (285.0, 620.0),
    "fev_data 197 x 4": (0.057, 0.086),
}
FEV = Path(__file__).parents[1] / "tests/reference/public/fev_data.csv"
R_SCRIPT = """
suppressMessages({library(mmrm); library(emmeans)})
a <- commandArgs(TRUE); d <- read.csv(a[1], stringsAsFactors = TRUE); d$V <- factor(d$V)
f <- as.formula(a[3]); t <- proc.time()[["elapsed"]]
m <- mmrm(f, d, method = a[2], vcov = if (a[2] == "Kenward-Roger") "Kenward-Roger-Linear" else "Asymptotic")
e <- summary(pairs(emmeans(m, ~ ARM | V))); cat(proc.time()[["elapsed"]] - t)
"""


@dataclass(frozen=True)
class Rows:
    """One trial: response, model, subjects and visits."""

    name: str
    y: np.ndarray
    design: Design
    subject: np.ndarray
    visit: np.ndarray
    columns: dict[str, np.ndarray]
    formula: str


def simulate(n: int, T: int, *, gaps: float = 0.01, seed: int = 1) -> Rows:
    """Three arms, T visits, monotone dropout of about a fifth and some visits missed; 49 or so columns for T = 12."""
    rng = np.random.default_rng(seed)
    arm, base = rng.integers(0, 3, n), np.round(rng.normal(38, 5, n))
    lead, onset = rng.normal(1, 0.3, n), rng.integers(0, 2, n)
    t = np.arange(1, T + 1)
    slope = rng.normal(-0.8, 0.5, n) + 0.15 * (arm == 2)
    Y = rng.normal(0, 1, n)[:, None] + slope[:, None] * t + rng.normal(0, 1.2, (n, T))
    seen = (t[None, :] <= rng.geometric(0.02, n)[:, None]) & (rng.random((n, T)) > gaps)
    seen[:, 0] |= ~seen.any(axis=1)
    i, v = np.nonzero(seen)
    visits = tuple(f"{k:02d}" for k in t)
    design = build_design(
        [Factor("ARM", arm[i], ("P", "A", "B")), Factor("V", v, visits), Covariate("BASE", base[i]),
         Covariate("LEAD", lead[i]), Factor("ONSET", onset[i], ("b", "l"))],
        [("ARM",), ("V",), ("BASE",), ("LEAD",), ("ONSET",), ("ARM", "V"), ("V", "BASE")],
    )  # fmt: skip
    columns = {"Y": Y[i, v], "ARM": np.array(["P", "A", "B"])[arm[i]], "V": np.array(visits)[v], "BASE": base[i]}
    columns |= {"LEAD": lead[i], "ONSET": np.array(["b", "l"])[onset[i]], "ID": np.array([f"S{k:05d}" for k in i])}
    formula = "Y ~ ARM * V + BASE * V + LEAD + ONSET + us(V | ID)"
    return Rows(f"{n} x {T}", Y[i, v], design, columns["ID"], v, columns, formula)


def fev_data() -> Rows:
    """mmrm's own example: 197 subjects with a value, 4 visits, FEV1 ~ RACE + SEX + ARMCD * AVISIT."""
    with FEV.open() as file:
        rows = [r for r in csv.DictReader(file) if r["FEV1"]]

    def factor(name: str, column: str) -> Factor:
        levels = sorted({r[column] for r in rows})
        return Factor(name, np.array([levels.index(r[column]) for r in rows]), tuple(levels))

    factors = [factor("RACE", "RACE"), factor("SEX", "SEX"), factor("ARM", "ARMCD"), factor("V", "AVISIT")]
    design = build_design(factors, [("RACE",), ("SEX",), ("ARM",), ("V",), ("ARM", "V")])
    y = np.array([float(r["FEV1"]) for r in rows])
    columns = {f.name: np.array(f.levels)[f.codes] for f in factors} | {"Y": y, "ID": np.array([r["USUBJID"] for r in rows])}
    formula = "Y ~ RACE + SEX + ARM * V + us(V | ID)"
    return Rows("fev_data 197 x 4", y, design, columns["ID"], factors[3].codes, columns, formula)


def analyse(rows: Rows, df: str) -> MMRMFit:
    """The fit with all that a table of the endpoint needs."""
    fit = fit_mmrm(rows.y, rows.design, rows.subject, rows.visit, n_visits=int(rows.visit.max()) + 1, df=df)
    ls_means(fit, rows.design, ("ARM", "V"))
    ls_differences(fit, rows.design, "ARM", by=("V",))
    return fit


def best_of(times: int, work: Callable[[], MMRMFit]) -> tuple[float, MMRMFit]:
    best, fit = np.inf, None
    for _ in range(times):
        start = time.process_time()
        fit = work()
        best = min(best, time.process_time() - start)
    assert fit is not None
    return best, fit


def time_in_r(rows: Rows, df: str) -> float | None:
    """Seconds R's mmrm and emmeans take now, or None where they are not installed."""
    program = shutil.which("Rscript")
    if program is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        data, script = Path(folder) / "rows.csv", Path(folder) / "fit.R"
        script.write_text(R_SCRIPT)
        with data.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(rows.columns)
            writer.writerows(zip(*(column.tolist() for column in rows.columns.values()), strict=True))
        method = {"satterthwaite": "Satterthwaite", "kenward-roger": "Kenward-Roger"}[df]
        done = subprocess.run(
            [program, str(script), str(data), method, rows.formula], capture_output=True, text=True, check=False
        )
    return float(done.stdout) if done.returncode == 0 and done.stdout else None


def report(rows: Rows, times: int, *, run_r: bool) -> float:
    """Prints one line per df method; returns the Satterthwaite time."""
    first = np.inf
    for place, df in enumerate(("satterthwaite", "kenward-roger")):
        seconds, fit = best_of(times, lambda df=df: analyse(rows, df))
        first = min(first, seconds)
        measured = time_in_r(rows, df) if run_r else None
        stored = STORED_R.get(rows.name)
        reference = measured if measured is not None else stored[place] if stored else None
        kind = "measured" if measured is not None else "stored"
        ratio = "" if reference is None else f"  R mmrm ({kind}) {reference:9.3f} s  {reference / seconds:7.0f}x"
        size = f"{fit.n_observations} rows, {fit.n_patterns} patterns, {fit.iterations} steps"
        print(f"{rows.name:18s} {df:14s} {seconds * 1e3:8.1f} ms  {size:42s}{ratio}")
    return first


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="leave out 10,000 subjects; fewer repeats")
    options.add_argument("--r", action="store_true", help="run R as well, if it is installed (minutes)")
    chosen = options.parse_args()
    times = 3 if chosen.quick else 7
    report(fev_data(), times * 3, run_r=chosen.r)
    small = report(simulate(115, 12), times, run_r=chosen.r)
    large = report(simulate(2000, 12), times, run_r=False)
    print(f"2,000 subjects take {large / small:.2f}x the time of 115")
    if not chosen.quick:
        report(simulate(10_000, 12), 3, run_r=False)
        report(simulate(10_000, 12, gaps=0.08), 3, run_r=False)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
