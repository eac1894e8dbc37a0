"""Writes corners.in.json: small random data sets for the corners the reference trials do not reach; ``corners.R`` answers them.

Weights, ML, covariate by arm, one-arm-heavy strata, tied and censor-heavy survival times, singular and shared-baseline slopes.
"""

import json
from pathlib import Path

import numpy as np

rng = np.random.default_rng(77)


def repeated(covariance: str, method: str, weighted: bool, by_arm: bool) -> dict:
    n, T = 24, 3
    arm, base = rng.integers(0, 2, n), np.round(rng.normal(38, 4, n))
    A = rng.normal(size=(T, T)) * 0.4
    Y = rng.multivariate_normal(np.zeros(T), A @ A.T + np.eye(T) * 0.5 + 2.0, n) + 0.1 * base[:, None]
    seen = (rng.random((n, T)) < 0.85) & (np.arange(T) < rng.integers(1, T + 3, n)[:, None])
    seen[:8] = True
    i, v = np.nonzero(seen)
    w = np.round(rng.uniform(0.3, 3, i.size), 2) if weighted else np.ones(i.size)
    columns = {"y": np.round(Y[i, v], 2), "id": i, "v": v, "arm": arm[i], "base": base[i], "w": w}
    return {"covariance": covariance, "method": method, "by_arm": by_arm} | {k: x.tolist() for k, x in columns.items()}


def slopes(spread: float, shared: bool, reml: bool) -> dict:
    n, T = 18, 5
    arm, t = rng.integers(0, 3, n), np.array([0.0, 1, 3, 4, 7])
    Y = 40 + rng.normal(size=(n, 1)) * 2 + (-1 + rng.normal(size=(n, 1)) * spread) * t + rng.normal(size=(n, T)) * 1.2
    seen = rng.random((n, T)) < 0.85
    seen[:6], arm[:3] = True, (0, 1, 2)
    i, v = np.nonzero(seen)
    columns = {"y": np.round(Y[i, v], 1), "id": i, "t": t[v], "arm": arm[i]}
    return {"shared": shared, "reml": reml} | {k: x.tolist() for k, x in columns.items()}


def survival(scale: float, share: float, ties: str, interval: str, crossed: bool) -> dict:
    n = 50
    arm, stratum, x = rng.integers(0, 2, n), rng.integers(0, 3, n), np.round(rng.normal(size=n), 2)
    time = np.ceil(rng.exponential(scale, n) * np.exp(-0.3 * arm + 0.3 * x))
    columns = {"time": time, "event": (rng.random(n) < share).astype(int), "arm": arm, "stratum": stratum, "x": x}
    return {"ties": ties, "interval": interval, "crossed": crossed} | {k: c.tolist() for k, c in columns.items()}


def ranked() -> dict:
    n = 30
    columns = {"y": np.round(rng.normal(size=n) * 2), "x": np.round(rng.normal(size=n) * 2)}
    return {k: c.tolist() for k, c in columns.items()} | {
        "g": rng.integers(0, 3, n).tolist(),
        "s": rng.integers(0, 2, n).tolist(),
    }


def several() -> dict:
    m = int(rng.integers(2, 5))
    A = rng.normal(size=(m, m + 1))
    S = A @ A.T
    R = np.round(S / np.sqrt(np.outer(np.diag(S), np.diag(S))), 6)
    return {"t": np.round(rng.normal(size=m) * 2, 3).tolist(), "R": R.tolist(), "df": int(rng.integers(4, 60))}


def pooled(m: int, df: int) -> dict:
    values = {"estimate": rng.normal(size=m), "variance": rng.uniform(0.5, 2, m)}
    return {"df": df} | {k: np.round(v, 4).tolist() for k, v in values.items()}


made = {
    "mmrm": [
        repeated("us", "ml", True, False),
        repeated("us", "reml", True, True),
        repeated("csh", "reml", True, False),
        repeated("ar1h", "ml", False, True),
        repeated("ar1", "reml", True, False),
        repeated("cs", "ml", True, True),
    ],
    "slopes": [slopes(0.5, True, True), slopes(0.02, False, True), slopes(0.5, False, False), slopes(0.02, True, False)],
    "survival": [
        survival(3, 0.9, "efron", "log-log", True),
        survival(3, 0.5, "breslow", "log", False),
        survival(40, 0.4, "efron", "logit", True),
        survival(10, 0.7, "efron", "arcsin", False),
        survival(5, 0.8, "breslow", "plain", True),
    ],
    "ranked": [ranked() for _ in range(3)],
    "several": [several() for _ in range(4)],
    "pooled": [pooled(2, 8), pooled(20, 100), pooled(5, 12)],
}
Path(__file__).with_name("corners.in.json").write_text(json.dumps(made, separators=(",", ":")) + "\n")
