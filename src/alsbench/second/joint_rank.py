"""The joint rank of function and survival (METHODS 3), its pairs formed by a cross join of the subjects.

Berry et al. 2013 (doi 10.3109/21678421.2012.762930); Finkelstein and Schoenfeld 1999. Each ordered pair is scored +1, 0 or -1;
a subject's sum is ranked (mid-ranks) and the rank analysed by least squares. Win statistics come from the same pairs, with
standard errors from U-statistic projections divided by the sizes of the arms.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import special

from alsbench.second.design import Array, Stats, arm_design, difference_stats, least_squares, mean_stats
from alsbench.second.numbers import NotCovered, NumberRows
from alsbench.second.trial import ALIKE, TrialTables, covariate, one_where_alike, with_covariates
from alsbench.study.model import Comparison, Endpoint

WINS = {"wins", "losses", "ties"} | {
    name + end for name in ("win_ratio", "win_odds", "net_benefit", "win_probability") for end in ("", "_low", "_high")
}
GEHAN = {"gehan_w", "gehan_var", "gehan_z", "gehan_p"}
PERMUTED = {"permutation_p", "permutation_gehan_p", "permutations"}
COVERED = {
    "arm": {"n", "mean", "sd", "median", "events", "ls_mean", "se", "df", "conf_low", "conf_high"},
    "contrast": {"difference", "se", "df", "conf_low", "conf_high", "t", "p_value", "pairs", *GEHAN, *WINS, *PERMUTED},
}
Z = float(special.ndtri(0.975))
DRAWS, DRAW_SEED = 20_000, 14  # of the permutations: METHODS 14 asks for draws of its own
LISTED = 100_000  # arrangements that are all looked at rather than drawn (docs/methods.md)
SLACK = 1e-9


def numbers(trial: TrialTables, endpoint: Endpoint, members: pd.DataFrame) -> NumberRows:
    """Every comparison at its horizon; with ``arms = "all"`` all arms ranked together at each horizon."""
    made = NumberRows()
    if endpoint.arms == "all":
        for horizon in dict.fromkeys(c.horizon for c in trial.study.comparisons):
            together = [c for c in trial.study.comparisons if c.horizon == horizon]
            _compared(made, trial, endpoint, members, list(trial.study.arms.order), together)
        return made
    for comparison in trial.study.comparisons:
        arms = [a for a in trial.study.arms.order if a in (comparison.treatment, comparison.reference)]
        _compared(made, trial, endpoint, members, arms, [comparison])
    return made


def _compared(
    made: NumberRows,
    trial: TrialTables,
    endpoint: Endpoint,
    members: pd.DataFrame,
    arms: Sequence[str],
    comparisons: Sequence[Comparison],
) -> None:
    """One ranking of some arms at one horizon, and the comparisons within it."""
    arm = trial.arm_of(members)
    subjects, values = histories(trial, endpoint, members[arm.isin(arms)], comparisons[0])
    subjects = subjects.assign(arm=arm, stratum=strata_words(endpoint, members))
    if subjects.empty:
        raise NotCovered("a subgroup without ranked subjects")
    there = [a for a in arms if (subjects["arm"] == a).any()]
    pairs = scored(subjects, values, endpoint)
    rank = ranks(subjects, pairs, endpoint)
    visit = float(comparisons[0].horizon or 0.0)
    sides = {"treatment": comparisons[0].treatment, "reference": comparisons[0].reference} if endpoint.arms != "all" else {}

    rows = _with_covariates(endpoint, subjects, rank, members)
    fit = design = None
    modelled = there if endpoint.arms == "all" else arms
    if all((rows["arm"] == a).any() for a in modelled):
        design = arm_design(endpoint, rows, modelled)
        fit = least_squares(rows["y"].to_numpy(float), design.x)
    for name in arms:
        own = rank[subjects["arm"] == name]
        if own.empty:
            made.add("arm", {"n": 0, "events": 0}, arm=name, visit=visit, **sides)
            continue
        stats: Stats = {"n": len(own), "mean": float(own.mean()), "median": float(own.median())}
        stats |= {"sd": float(own.std()) if len(own) > 1 else None}
        stats |= {"events": int(subjects.loc[own.index, "event"].notna().sum())}
        said = fit.says(design.grid[name]) if fit and design else None
        made.add("arm", stats | mean_stats("ls_mean", said, fit.df if fit else 0.0), arm=name, visit=visit, **sides)
    for comparison in comparisons:
        if comparison.treatment not in there or comparison.reference not in there:
            continue
        place = {"treatment": comparison.treatment, "reference": comparison.reference, "visit": visit}
        along = design.grid[comparison.treatment] - design.grid[comparison.reference] if design else None
        said = fit.says(along) if fit and along is not None else None
        made.add("contrast", difference_stats(said, fit.df if fit else 0.0), **place)
        _pairs_of(made, endpoint, subjects, pairs, comparison, place)
        if endpoint.permutations:
            permuted(made, endpoint, subjects, pairs, rows, comparison, place)


def _with_covariates(endpoint: Endpoint, subjects: pd.DataFrame, rank: pd.Series, members: pd.DataFrame) -> pd.DataFrame:
    rows = subjects.assign(y=rank, subject=subjects.index)
    return with_covariates(rows, members, endpoint.covariates).dropna(subset=[covariate(c) for c in endpoint.covariates])


def ranked_rows(
    trial: TrialTables, endpoint: Endpoint, members: pd.DataFrame, arms: Sequence[str], comparison: Comparison
) -> pd.DataFrame:
    """The ranks ``y`` of these arms at the comparison's horizon, of those whose covariates are known."""
    arm = trial.arm_of(members)
    subjects, values = histories(trial, endpoint, members[arm.isin(arms)], comparison)
    subjects = subjects.assign(arm=arm, stratum=strata_words(endpoint, members))
    return _with_covariates(endpoint, subjects, ranks(subjects, scored(subjects, values, endpoint), endpoint), members)


def _pairs_of(
    made: NumberRows,
    endpoint: Endpoint,
    subjects: pd.DataFrame,
    pairs: pd.DataFrame,
    comparison: Comparison,
    place: dict[str, object],
) -> None:
    """What the pairs of two arms say."""
    two = subjects[subjects["arm"].isin([comparison.treatment, comparison.reference])]
    pairs = pairs[pairs["i"].isin(two.index) & pairs["j"].isin(two.index)]
    made.add("contrast", gehan(two, pairs, comparison), **place)
    across = pairs[(pairs["arm i"] == comparison.treatment) & (pairs["arm j"] == comparison.reference)]
    made.add("contrast", win_statistics(across, transformed=endpoint.win_intervals == "transformed"), **place)
    for level, chosen in {
        "decided by event": (across["by"] == "event"),
        "decided by function": (across["by"] == "function"),
        "tied": (across["score"] == 0),
    }.items():
        made.add("contrast", {"pairs": int(chosen.sum())}, level=level, **place)


def strata_words(endpoint: Endpoint, members: pd.DataFrame) -> pd.Series:
    """The stratum of every member; a missing factor is one of its own."""
    if not endpoint.strata:
        return pd.Series("all", index=members.index)
    return members[list(endpoint.strata)].astype("string").fillna("missing").agg(" | ".join, axis=1)


def ranks(subjects: pd.DataFrame, pairs: pd.DataFrame, endpoint: Endpoint) -> pd.Series:
    """Mid-ranks of the sums of scores, within strata if asked; on the unit scale over one more than are ranked."""
    if endpoint.rank_within_strata:
        pairs = pairs[pairs["stratum i"] == pairs["stratum j"]]
    score = pairs.groupby("i")["score"].sum().reindex(subjects.index, fill_value=0)
    within = subjects["stratum"] if endpoint.rank_within_strata else pd.Series("all", index=subjects.index)
    rank = score.groupby(within).rank(method="average")
    return rank / (within.map(within.value_counts()) + 1) if endpoint.rank_scale == "unit" else rank


def histories(
    trial: TrialTables, endpoint: Endpoint, ranked: pd.DataFrame, comparison: Comparison
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Of each subject that can be ranked the day of its ``event`` and its last ``contact`` up to the horizon; and its changes,
    one row a visit: ``subject``, ``visit``, ``change``, larger being better. Who has no
    time to the event was followed to nobody's."""
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
    known = known.where(known["AVAL"].notna() & known["CNSR"].notna())  # else followed to nobody's event
    within = (known["CNSR"] == 0) & ((known["AVAL"] <= day) | ((known["AVAL"] - day).abs() <= ALIKE * max(day, 1)))
    subjects = pd.DataFrame({"event": known["AVAL"].where(within), "contact": known["AVAL"].clip(upper=day)}).astype(float)

    can_be = subjects["event"].notna() | subjects.index.isin(values["subject"])
    subjects = subjects[can_be]
    if endpoint.function_at == "horizon":
        values = at_horizon(values, subjects, endpoint.missing, comparison.horizon or 0.0)
    alike = one_where_alike(pd.concat([subjects["event"], subjects["contact"]]))
    n = len(subjects)
    subjects = subjects.assign(event=alike.iloc[:n].to_numpy(), contact=alike.iloc[n:].to_numpy())
    values = values[values["subject"].isin(subjects.index)]
    return subjects, values.assign(change=one_where_alike(values["change"]))


def at_horizon(values: pd.DataFrame, subjects: pd.DataFrame, missing: str, horizon: float) -> pd.DataFrame:
    """The changes at the horizon alone; one that is missing stays so, is the last one before, or is worse than all others."""
    latest = values.sort_values("visit", kind="stable").groupby("subject").last()
    if missing != "locf":
        latest = latest[(latest["visit"] - horizon).abs() <= ALIKE]
    change = latest["change"]
    if missing == "worst":
        change = change.reindex(subjects.index, fill_value=(change.min() if len(change) else 0.0) - 1.0)
    return pd.DataFrame({"subject": change.index, "visit": horizon, "change": change.to_numpy()})


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


def gehan(subjects: pd.DataFrame, pairs: pd.DataFrame, comparison: Comparison) -> Stats:
    """The generalised Gehan-Wilcoxon test: W and its variance summed over strata, pairs within a stratum only."""
    strata = subjects["stratum"]
    within = pairs[pairs["stratum i"] == pairs["stratum j"]]
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
    if error == 0:  # no interval without a variance
        stats |= _limits("net_benefit", benefit, None, None) | _limits("win_probability", (1 + benefit) / 2, None, None)
    else:
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
        stats |= _limits("win_ratio", 0.0 if losses else None, None, None)
    return stats


def permuted(
    made: NumberRows,
    endpoint: Endpoint,
    subjects: pd.DataFrame,
    pairs: pd.DataFrame,
    rows: pd.DataFrame,
    comparison: Comparison,
    place: dict[str, object],
) -> None:
    """Both tests with the arms of two dealt again within strata: of all arrangements, where they are few, p is the share of
    those as extreme; else p = (1 + how many are as extreme) / (draws + 1), by draws of its own, each p with its standard error
    and that of as many draws as the study asks of the first program. And of how many arrangements the ANCOVA's p is."""
    sides = [comparison.treatment, comparison.reference]
    two = subjects[subjects["arm"].isin(sides)]
    within = pairs[pairs["i"].isin(two.index) & pairs["j"].isin(two.index) & (pairs["stratum i"] == pairs["stratum j"])]
    u = within.groupby("i")["score"].sum().reindex(two.index, fill_value=0).to_numpy(float)
    rng = np.random.default_rng([DRAW_SEED, endpoint.seed])
    treated = (two["arm"] == comparison.treatment).to_numpy(float)
    dealt, all_of_w = dealt_again(treated, two["stratum"], rng)
    of_w = np.abs(dealt @ u) >= abs(treated @ u) - SLACK
    modelled = rows[rows["arm"].isin(sides)]
    own = (modelled["arm"] == comparison.treatment).to_numpy(float)
    others = arm_design(endpoint, modelled, []).x
    dealt, all_of_t = dealt_again(own, modelled["stratum"], rng)
    y = modelled["y"].to_numpy(float)
    observed = float(t_of_arm(y, own[None, :], others)[0])
    if not math.isfinite(observed):
        made.add("contrast", dict.fromkeys(PERMUTED), **place)
        return
    of_t = np.abs(t_of_arm(y, dealt, others)) >= abs(observed) - SLACK
    for name, extreme, every in (("permutation_gehan_p", of_w, all_of_w), ("permutation_p", of_t, all_of_t)):
        p = extreme.mean() if every else (1 + int(extreme.sum())) / (len(extreme) + 1)
        error = 0.0 if every else math.sqrt(max(p * (1 - p), 1 / DRAWS) * (1 / DRAWS + 1 / endpoint.permutations))
        made.add("contrast", {name: float(p)}, error=error, **place)
    made.add("contrast", {"permutations": len(of_t) if all_of_t else endpoint.permutations}, **place)


def dealt_again(treated: Array, stratum: pd.Series, rng: np.random.Generator) -> tuple[Array, bool]:
    """(draws, n) treatment indicators, each a permutation of ``treated`` within strata, and whether they are all there are: so
    where these are at most ``LISTED``."""
    strata = list(stratum.groupby(stratum).indices.values())
    sizes = [(len(inside), int(treated[inside].sum())) for inside in strata]
    if math.prod(math.comb(n, k) for n, k in sizes) <= LISTED:
        dealt = np.zeros((1, len(treated)))
        for inside, (_, k) in zip(strata, sizes, strict=True):
            picks = list(itertools.combinations(inside, k))
            chosen = np.array(picks, dtype=np.int64).reshape(len(picks), k)
            block = np.zeros((len(chosen), len(treated)))
            block[np.arange(len(chosen))[:, None], chosen] = 1.0
            dealt = (dealt[:, None] + block).reshape(-1, len(treated))
        return dealt, True
    dealt = np.tile(treated, (DRAWS, 1))
    for inside in strata:
        dealt[:, inside] = rng.permuted(dealt[:, inside], axis=1)
    return dealt, False


def t_of_arm(y: Array, treated: Array, others: Array) -> Array:
    """The t of the treatment indicators, one a row of ``treated``, beside the columns ``others``: of both residuals.
    Infinite where the columns determine the arm, so that it counts as extreme."""
    residual = np.eye(len(y)) - others @ np.linalg.pinv(others)
    left, arm = residual @ y, treated @ residual
    spread = (arm**2).sum(axis=1)
    df = len(y) - np.linalg.matrix_rank(others) - 1
    if df < 1:
        return np.full(len(treated), math.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = arm @ left / spread
        t = slope / np.sqrt((left @ left - slope**2 * spread) / df / spread)
    return np.where(spread > SLACK, t, math.inf)


def _limits(name: str, value: float | None, low: float | None, high: float | None) -> Stats:
    return {name: value, f"{name}_low": low, f"{name}_high": high}
