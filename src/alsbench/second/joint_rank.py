"""The joint rank of function and survival (METHODS 3), its pairs formed by a cross join of the subjects.

Berry et al. 2013 (doi 10.3109/21678421.2012.762930); Finkelstein and Schoenfeld 1999. Each ordered pair is scored +1, 0 or -1;
a subject's sum is ranked (mid-ranks) and the rank analysed by least squares. Win statistics come from the same pairs, with
standard errors from U-statistic projections divided by the sizes of the arms.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy import special

from alsbench.second.design import Stats, arm_design, difference_stats, least_squares, mean_stats
from alsbench.second.numbers import NotCovered, NumberRows
from alsbench.second.trial import ALIKE, TrialTables, covariate, one_where_alike, with_covariates
from alsbench.study.model import Comparison, Endpoint

WINS = {"wins", "losses", "ties"} | {
    name + end for name in ("win_ratio", "win_odds", "net_benefit", "win_probability") for end in ("", "_low", "_high")
}
GEHAN = {"gehan_w", "gehan_var", "gehan_z", "gehan_p"}
COVERED = {
    "arm": {"n", "mean", "sd", "median", "events", "ls_mean", "se", "df", "conf_low", "conf_high"},
    "contrast": {"difference", "se", "df", "conf_low", "conf_high", "t", "p_value", "pairs", *GEHAN, *WINS},
}
Z = float(special.ndtri(0.975))


def numbers(trial: TrialTables, endpoint: Endpoint, members: pd.DataFrame) -> NumberRows:
    """Every comparison at its horizon."""
    for option, usual in {
        "function_at": "last_common",
        "missing": "none",
        "rank_within_strata": False,
        "arms": "comparison",
    }.items():
        if getattr(endpoint, option) != usual:
            raise NotCovered(f"a joint rank with {option} = {getattr(endpoint, option)}")
    made = NumberRows()
    for comparison in trial.study.comparisons:
        _compared(made, trial, endpoint, members, comparison)
    return made


def _compared(made: NumberRows, trial: TrialTables, endpoint: Endpoint, members: pd.DataFrame, comparison: Comparison) -> None:
    arms = [a for a in trial.study.arms.order if a in (comparison.treatment, comparison.reference)]
    arm = trial.arm_of(members)
    ranked = members[arm.isin(arms)]
    subjects, values = histories(trial, endpoint, ranked, comparison)
    subjects = subjects.assign(arm=arm)
    for a in arms:
        if not (subjects["arm"] == a).any():
            raise NotCovered(f"a comparison without ranked subjects of {a}")
    pairs = scored(subjects, values, endpoint)
    score = pairs.groupby("i")["score"].sum().reindex(subjects.index, fill_value=0)
    rank = score.rank(method="average")
    if endpoint.rank_scale == "unit":
        rank = rank / (len(rank) + 1)
    place = {"treatment": comparison.treatment, "reference": comparison.reference, "visit": float(comparison.horizon or 0.0)}

    rows = subjects.assign(y=rank, subject=subjects.index)
    rows = with_covariates(rows, members, endpoint.covariates).dropna(subset=[covariate(c) for c in endpoint.covariates])
    fit = design = None
    if all((rows["arm"] == a).any() for a in arms):
        design = arm_design(endpoint, rows, arms)
        fit = least_squares(rows["y"].to_numpy(float), design.x)
    for name in arms:
        own = rank[subjects["arm"] == name]
        stats: Stats = {"n": len(own), "mean": float(own.mean()), "median": float(own.median())}
        stats |= {"sd": float(own.std()) if len(own) > 1 else None}
        stats |= {"events": int(subjects.loc[own.index, "event"].notna().sum())}
        said = fit.says(design.grid[name]) if fit and design else None
        made.add("arm", stats | mean_stats("ls_mean", said, fit.df if fit else 0.0), arm=name, **place)
    along = design.grid[comparison.treatment] - design.grid[comparison.reference] if design else None
    said = fit.says(along) if fit and along is not None else None
    made.add("contrast", difference_stats(said, fit.df if fit else 0.0), **place)
    made.add("contrast", gehan(subjects, pairs, members, endpoint, comparison), **place)
    across = pairs[(pairs["arm i"] == comparison.treatment) & (pairs["arm j"] == comparison.reference)]
    made.add("contrast", win_statistics(across, transformed=endpoint.win_intervals == "transformed"), **place)
    for level, chosen in {
        "decided by event": (across["by"] == "event"),
        "decided by function": (across["by"] == "function"),
        "tied": (across["score"] == 0),
    }.items():
        made.add("contrast", {"pairs": int(chosen.sum())}, level=level, **place)


def histories(
    trial: TrialTables, endpoint: Endpoint, ranked: pd.DataFrame, comparison: Comparison
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Of each subject that can be ranked the day of its ``event`` and its last ``contact`` up to the horizon; and its changes,
    one row a visit: ``subject``, ``visit``, ``change``, larger being better."""
    if endpoint.event is None:
        raise NotCovered("a joint rank without an event")
    function = trial.study.endpoints[endpoint.function]
    changes = trial.after_baseline(function, trial.records(function, ranked))
    changes = changes[changes["chg"].notna() & (changes["visit"] <= (comparison.horizon or 0.0) + ALIKE)]
    change = changes["chg"] / changes["base"] * 100 if endpoint.change == "percent" else changes["chg"]
    sign = -1.0 if endpoint.better == "lower" else 1.0
    values = pd.DataFrame({"subject": changes["subject"], "visit": changes["visit"], "change": sign * change}).dropna()

    day = trial.horizon_day(comparison)
    times = trial.tables[endpoint.event.dataset.upper()]
    times = times[times["PARAMCD"] == endpoint.event.paramcd].set_index(trial.study.info.subject)
    if times.index.duplicated().any():
        raise NotCovered("a subject has two times to the event")
    known = times.reindex(ranked.index)
    if (known["AVAL"].isna() | known["CNSR"].isna()).any():
        raise NotCovered("a subject without a time of event or last contact")
    within = (known["CNSR"] == 0) & ((known["AVAL"] <= day) | ((known["AVAL"] - day).abs() <= ALIKE * max(day, 1)))
    subjects = pd.DataFrame({"event": known["AVAL"].where(within), "contact": known["AVAL"].clip(upper=day)}).astype(float)

    can_be = subjects["event"].notna() | subjects.index.isin(values["subject"])
    subjects = subjects[can_be]
    alike = one_where_alike(pd.concat([subjects["event"], subjects["contact"]]))
    n = len(subjects)
    subjects = subjects.assign(event=alike.iloc[:n].to_numpy(), contact=alike.iloc[n:].to_numpy())
    values = values[values["subject"].isin(subjects.index)]
    return subjects, values.assign(change=one_where_alike(values["change"]))


def scored(subjects: pd.DataFrame, values: pd.DataFrame, endpoint: Endpoint) -> pd.DataFrame:
    """Every ordered pair i, j with its ``score`` for i, and whether an event or function decided it."""
    table = subjects.rename_axis("subject").reset_index()
    pairs = table.merge(table, how="cross", suffixes=(" i", " j")).rename(columns={"subject i": "i", "subject j": "j"})
    pairs = pairs[pairs["i"] != pairs["j"]]
    common = values.merge(values, on="visit", suffixes=(" i", " j"))
    last = common.sort_values("visit", kind="stable").groupby(["subject i", "subject j"]).last().reset_index()
    last = last.rename(columns={"subject i": "i", "subject j": "j"})[["i", "j", "change i", "change j"]]
    pairs = pairs.merge(last, on=["i", "j"], how="left")
    function = np.sign(pairs["change i"] - pairs["change j"]).fillna(0.0)

    has_i, has_j = pairs["event i"].notna(), pairs["event j"].notna()
    follows_i = endpoint.death_always_loses | (pairs["contact i"] >= pairs["event j"])
    follows_j = endpoint.death_always_loses | (pairs["contact j"] >= pairs["event i"])
    both = np.sign(pairs["event i"] - pairs["event j"])
    event = np.select([has_i & has_j, ~has_i & has_j & follows_i, has_i & ~has_j & follows_j], [both, 1.0, -1.0], 0.0)
    one_day = has_i & has_j & (both == 0) & (endpoint.event_ties == "tie")
    score = np.where((event != 0) | one_day, event, function)
    by = np.where(event != 0, "event", np.where(score != 0, "function", "tie"))
    return pairs.assign(score=score.astype(int), by=by)


def gehan(
    subjects: pd.DataFrame, pairs: pd.DataFrame, members: pd.DataFrame, endpoint: Endpoint, comparison: Comparison
) -> Stats:
    """The generalised Gehan-Wilcoxon test: W and its variance summed over strata, pairs within a stratum only."""
    strata = members.loc[subjects.index, list(endpoint.strata)].astype("string").fillna("missing").agg(" | ".join, axis=1)
    if not endpoint.strata:
        strata = pd.Series("all", index=subjects.index)
    within = pairs[pairs["i"].map(strata) == pairs["j"].map(strata)]
    u = within.groupby("i")["score"].sum().reindex(subjects.index, fill_value=0)
    w, variance = 0, 0.0
    for names in strata.groupby(strata).groups.values():
        own = u[names]
        treated = subjects.loc[names, "arm"] == comparison.treatment
        n, n1 = len(own), int(treated.sum())
        w += int(own[treated].sum())
        if n > 1:
            variance += n1 * (n - n1) / (n * (n - 1)) * int((own**2).sum())
    if variance <= 0:
        return {"gehan_w": w, "gehan_var": variance, "gehan_z": None, "gehan_p": None}
    z = w / math.sqrt(variance)
    return {"gehan_w": w, "gehan_var": variance, "gehan_z": z, "gehan_p": float(2 * special.ndtr(-abs(z)))}


def win_statistics(across: pd.DataFrame, *, transformed: bool) -> Stats:
    """Of the pairs of a treated with a reference subject: wins, losses, ties, and what follows from them with 95 % limits."""
    win, loss = (across["score"] == 1).astype(float), (across["score"] == -1).astype(float)
    wins, losses, total = int(win.sum()), int(loss.sum()), len(across)
    stats: Stats = {"wins": wins, "losses": losses, "ties": total - wins - losses}

    def se(score: pd.Series) -> float:
        parts = [score.groupby(across[side]).mean() for side in ("i", "j")]
        return math.sqrt(sum(float(((p - p.mean()) ** 2).sum()) / len(p) ** 2 for p in parts))

    benefit = (wins - losses) / total
    error = se(win - loss)
    low, high = max(benefit - Z * error, -1.0), min(benefit + Z * error, 1.0)
    one_sided = abs(benefit) == 1
    if transformed and not one_sided:
        half = Z * error / (1 - benefit**2)
        low, high = math.tanh(math.atanh(benefit) - half), math.tanh(math.atanh(benefit) + half)
    stats |= _limits("net_benefit", benefit, low, high)
    stats |= _limits("win_probability", (1 + benefit) / 2, (1 + low) / 2, (1 + high) / 2)
    if one_sided:
        stats |= _limits("win_odds", None, None, None)
    else:
        half = Z * 2 * error / (1 - benefit**2)
        odds = (1 + benefit) / (1 - benefit)
        stats |= _limits("win_odds", odds, odds * math.exp(-half), odds * math.exp(half))
    if wins and losses:
        half = Z * se(win * (total / wins) - loss * (total / losses))
        stats |= _limits("win_ratio", wins / losses, wins / losses * math.exp(-half), wins / losses * math.exp(half))
    else:
        stats |= _limits("win_ratio", None, None, None)
    return stats


def _limits(name: str, value: float | None, low: float | None, high: float | None) -> Stats:
    return {name: value, f"{name}_low": low, f"{name}_high": high}
