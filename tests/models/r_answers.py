"""R's answers in tests/reference beside a frame's model: names brought together, deviations held to the tolerances.

Tolerances: estimates and limits 1e-6 of the larger of R's value and its standard error (limits 1e-5), standard errors 1e-6 and
df 1e-4 relative, p and log-likelihood 1e-6 absolute, F 1e-6 relative.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pandas as pd

TOLERANCE = {"estimate": 1e-6, "se": 1e-6, "df": 1e-4, "p": 1e-6, "limit": 1e-5, "F": 1e-6, "llf": 1e-6, "covariance": 1e-6}
LARGEST: dict[str, float] = defaultdict(float)  # the largest deviation met, by kind


def r_name(name: str) -> str:
    """patsy's name of a coefficient as R spells it: ``ARM[T.Drug]`` is ``ARMDrug``."""
    return name.replace("[T.", "").replace("]", "").replace("Intercept", "(Intercept)")


def met(kind: str, deviation: Any) -> None:
    """Keep the largest deviation of a kind, and hold it to its tolerance."""
    worst = float(np.max(np.abs(deviation)))
    LARGEST[kind] = max(LARGEST[kind], worst)
    assert worst <= TOLERANCE[kind], f"{kind}: {worst:.3g}"


def agree(found: pd.DataFrame, wanted: list[dict[str, Any]], estimate: str = "estimate") -> None:
    """Rows of a table against R's, both in the same order."""
    R = {k: np.array([w[k] for w in wanted], float) for k in ("estimate", "se", "df", "p", "lower", "upper") if k in wanted[0]}
    size = np.maximum(np.abs(R["estimate"]), R["se"])
    met("estimate", (found[estimate].to_numpy() - R["estimate"]) / size)
    met("se", found["se"].to_numpy() / R["se"] - 1)
    met("df", found["df"].to_numpy() / R["df"] - 1)
    if "p" in found:
        met("p", found["p"].to_numpy() - R["p"])
    if "lower" in R and "low" in found:
        met("limit", (found["low"].to_numpy() - R["lower"]) / size)
        met("limit", (found["high"].to_numpy() - R["upper"]) / size)


def coefficients(m: Any, wanted: list[dict[str, Any]]) -> pd.DataFrame:
    """The coefficient table in R's order."""
    limits = m.conf_int()
    columns = {"estimate": m.params, "se": m.bse, "df": m.df, "p": m.pvalues, "low": limits[0], "high": limits[1]}
    table = pd.DataFrame(columns)
    table.index = [r_name(name) for name in table.index]
    assert set(table.index) == {w["term"] for w in wanted}
    return table.loc[[w["term"] for w in wanted]]


def agree_on_model(m: Any, wanted: dict[str, Any]) -> None:
    assert (m.nobs, m.nsubjects, m.covariance, m.converged) == (
        wanted["n_obs"],
        wanted["n_subjects"],
        wanted["covariance"],
        True,
    )
    for ours, theirs in ((m.llf, "loglik"), (m.aic, "aic"), (m.bic, "bic")):
        met("llf", ours - wanted[theirs])
    names = wanted["vcov_used"]["rows"]
    found = m.cov_params().rename(index=r_name, columns=r_name).loc[names, names].to_numpy()
    vcov = np.array(wanted["vcov_used"]["data"])
    met("covariance", (found - vcov) / np.abs(vcov).max())
    blocks = wanted["cov_matrix"]
    sigma = np.vstack([b["data"] for b in blocks.values()]) if "data" not in blocks else np.array(blocks["data"])
    met("covariance", (m.visit_covariance.to_numpy() - sigma) / np.abs(sigma).max())
    agree(coefficients(m, wanted["coefficients"]), wanted["coefficients"])


def agree_on_means(m: Any, wanted: dict[str, Any], arm: str, visit: str) -> None:
    weights = wanted["lsm_weights"]

    def rows(table: pd.DataFrame, answers: list[dict[str, Any]], *names: str) -> pd.DataFrame:
        assert len(table) == len(answers)
        return table.loc[[tuple(w[n] for n in names) if len(names) > 1 else w[names[0]] for w in answers]]

    for key, by in (("", visit), ("_over_visits", None)):
        place = (visit,) if by else ()
        answers = wanted[f"lsmeans{key}"]
        agree(rows(m.ls_means(arm, by=by, weights=weights), answers, arm, *place), answers)
        for against, name in (("reference", "vs_ref"), ("pairwise", "pairwise")):
            if key and against == "pairwise":
                continue
            answers = wanted[f"contrasts{key}"] if key else wanted[f"contrasts_{name}"]
            agree(
                rows(m.contrasts(arm, by=by, against=against, weights=weights), answers, "contrast", *place),
                answers,
                "difference",
            )


def agree_on_tests(m: Any, wanted: dict[str, Any]) -> None:
    table = m.anova(type=3)
    assert set(table.index) == {w["term"] for w in wanted["type3"]}
    for w in wanted["type3"]:
        row, one = table.loc[w["term"]], m.test(w["term"])
        assert (row["F"], row["p"], row["num_df"]) == (one.f, one.p, w["num_df"])
        met("F", one.f / w["f"] - 1)
        met("df", one.den_df / w["den_df"] - 1)
        met("p", one.p - w["p"])
