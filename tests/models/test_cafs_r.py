"""``als.cafs`` and ``als.win_statistics`` through a frame against R 4.2.2 (WINS, BuyseTest, emmeans): both trials whole.

Ranks, scores, W, wins, losses and ties agree exactly; closed forms to 1e-9.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "stats"))
from r_answers import agree
from trial_data import arm_of, load_trial

import alsbench as als

REFERENCE = Path(__file__).parents[1] / "reference"
FILES = sorted(REFERENCE.glob("als-ref-*/expected/cafs_*.json"))
COVARIATES = ["BLALSFR", "LEADRATE", "ONSETSIT", "RILUFL"]
COLUMNS: dict[str, Any] = {"subject": "USUBJID", "arm": "TRT01P", "visit": "AVISITN", "value": "CHG", "reference": "Placebo"}
EVENTS: dict[str, Any] = {"event_time": "DAY", "event": "EVENT"}


@cache
def long_frame(name: str, part: str) -> pd.DataFrame:
    """Every record of the total score of every subject with what belongs to the subject; subjects without one have one row."""
    trial = load_trial(name)
    adsl = trial.adsl[trial.adsl.SLOW] if part == "slow" else trial.adsl
    events = trial.adtte.set_index("USUBJID")
    adsl = adsl[["USUBJID", "TRT01P", *COVARIATES]]
    adsl = adsl.assign(DAY=adsl.USUBJID.map(events.AVAL), EVENT=adsl.USUBJID.map(events.CNSR == 0))
    return adsl.merge(trial.adqs[["USUBJID", "AVISITN", "CHG"]], on="USUBJID", how="left")


def asked(path: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    trial = load_trial(path.parts[-3])
    part = "slow" if path.stem.endswith("slow") else "overall"
    options = {
        "horizon": float(path.name.split("_v")[1].split("_")[0]),
        "treatment": arm_of(path, trial),
        "days_per_visit": {"als-ref-1": 30.4375, "als-ref-2": 7.0}[trial.name],
    }
    return long_frame(trial.name, part), COLUMNS | EVENTS | options


def close(ours: Any, theirs: Any) -> None:
    np.testing.assert_allclose(np.asarray(ours, float), np.asarray(theirs, float), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parts[-3]}-{p.stem}")
def test_every_number_of_a_file(path: Path) -> None:
    frame, options = asked(path)
    c = als.cafs(frame, covariates=COVARIATES, **options)
    answer = json.loads(path.read_text())["C"]
    versus = answer["vs_ref"][options["treatment"]]
    ranks = c.ranks
    theirs = pd.DataFrame(answer["subjects"]).set_index("id")
    ours = ranks[ranks["rank"].notna()].loc[theirs.index]
    assert c.nobs == answer["n"] == ranks["rank"].notna().sum() and ours.event.sum() == answer["deaths"]
    for mine, name in (("TRT01P", "arm"), ("day", "time"), ("event", "event"), ("score", "score"), ("rank", "rank")):
        assert (ours[mine].to_numpy() == theirs[name].to_numpy()).all(), name
    test = versus["finkelstein_schoenfeld"]
    assert c.gehan["W"] == test["T"]
    assert (c.gehan["n_treated"], c.gehan["n_reference"]) == (versus["n_arm"], versus["n_ref"])
    close(c.gehan[["variance", "z", "p"]], [test["V"], test["z"], test["p"]])
    wins = versus["win_statistics"]
    assert c.counts[["pairs", "wins", "losses", "ties"]].tolist() == [wins[k] for k in ("pairs", "wins", "losses", "ties")]
    close(c.wins.loc["win_ratio"], [wins["win_ratio"], wins["log_wr_se"], *wins["wr_ci"], wins["wr_z"], wins["wr_p"]])
    columns = ["estimate", "se", "low", "high", "p"]
    close(c.wins.loc["win_odds", columns], [wins["win_odds"], wins["log_wo_se"], *wins["wo_ci"], wins["wo_p"]])
    close(c.wins.loc["net_benefit", columns], [wins["net_benefit"], wins["nb_se"], *wins["nb_ci"], wins["nb_p"]])
    rows = versus["joint_rank"]["ancova_on_ranks"]
    agree(c.ancova.ls_means("TRT01P").loc[[w["a"] for w in rows["lsmeans"]]], rows["lsmeans"])
    agree(c.ancova.contrasts("TRT01P").loc[[w["contrast"] for w in rows["vs_ref"]]], rows["vs_ref"], "difference")


def test_win_statistics_are_those_of_the_joint_rank() -> None:
    frame, options = asked(FILES[0])
    c, w = als.cafs(frame, **options), als.win_statistics(frame, **options)
    assert w.wins.equals(c.wins) and w.gehan.equals(c.gehan) and w.ranks.equals(c.ranks) and w.counts.equals(c.counts)
    assert "Win Statistics" in str(w) and "Joint Rank (CAFS) Results" in c._repr_html_()


def test_pairs_add_up_to_the_score_and_to_the_counts() -> None:
    frame, options = asked(FILES[0])
    c = als.cafs(frame, **options)
    treated = c.ranks.index[(options["treatment"] == c.ranks.TRT01P) & c.ranks["rank"].notna()]
    wins = 0
    for who in treated:
        pairs = c.pairs(who)
        assert pairs.result.sum() == c.ranks.loc[who, "score"] and len(pairs) == c.nobs - 1
        wins += int((pairs.result[pairs.TRT01P == "Placebo"] == 1).sum())
    assert wins == c.counts["wins"]


def test_all_arms_are_ranked_together_on_request() -> None:
    """Three arms: the mean rank is (N + 1) / 2, and the pairs of two arms are those of the two alone."""
    frame, options = asked(next(p for p in FILES if "als-ref-1" in str(p)))
    two, everyone = als.cafs(frame, **options), als.cafs(frame, arms="all", **options)
    assert everyone.ranks["rank"].mean() == (everyone.nobs + 1) / 2 and everyone.nobs > two.nobs
    assert everyone.wins.equals(two.wins) and everyone.gehan.W == two.gehan.W
    assert everyone.ancova.contrasts("TRT01P").shape == (2, 7)


def test_strata_are_for_the_gehan_wilcoxon_test() -> None:
    """W and its variance are sums over strata, each its own trial: by hand from the parts."""
    frame, options = asked(FILES[0])
    whole = als.cafs(frame, strata="ONSETSIT", **options)
    parts = [als.win_statistics(frame[site == frame.ONSETSIT], **options).gehan for site in ("BULBAR", "LIMB")]
    assert whole.gehan["W"] == sum(p["W"] for p in parts)
    assert whole.gehan["variance"] == pytest.approx(sum(p["variance"] for p in parts), rel=1e-12)
    assert whole.wins.equals(als.cafs(frame, **options).wins)


FORMS: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "rows in another order": lambda f: f.sample(frac=1, random_state=3),
    "events as 1 and 0": lambda f: f.assign(EVENT=f.EVENT.astype("Int64")),
    "categories": lambda f: f.astype({"TRT01P": "category", "USUBJID": "category", "ONSETSIT": "category"}),
    "nullable": lambda f: f.convert_dtypes(),
    "no values at baseline": lambda f: f.assign(CHG=f.CHG.where(f.AVISITN != 0)),
    "subject-level values on one row only": lambda f: f.assign(
        **{name: f[name].where(~f.duplicated("USUBJID")) for name in ("TRT01P", "DAY", "EVENT", *COVARIATES)}
    ),
    "subject and visit in the index": lambda f: f.set_index(["USUBJID", "AVISITN"]),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_same_values_in_another_form(form: str) -> None:
    frame, options = asked(FILES[0])
    before = als.cafs(frame, covariates=COVARIATES, **options)
    after = als.cafs(FORMS[form](frame), covariates=COVARIATES, **options)
    assert after.wins.equals(before.wins) and after.gehan.equals(before.gehan)
    assert (after.ranks["rank"].loc[before.ranks.index].fillna(-1) == before.ranks["rank"].fillna(-1)).all()
    table, wanted = (m.ancova.contrasts("TRT01P").to_numpy() for m in (after, before))
    assert np.allclose(table, wanted, rtol=1e-9)


def small(**changes: Any) -> pd.DataFrame:
    """METHODS' worked check: A and B died, C left at month 3, D and E have month 6."""
    frame = pd.DataFrame(
        {
            "ID": list("ABCDDEE"),
            "ARM": ["Placebo"] * 2 + ["Drug"] * 3 + ["Placebo"] * 2,
            "MONTH": [3, 3, 3, 3, 6, 3, 6],
            "CHG": [-2.0, -6, -4, -3, -9, -5, -6],
            "DAY": [100.0, 150, 90, 183, 183, 183, 183],
            "DEATH": [True, True] + [False] * 5,
        }
    )
    return frame.assign(**changes)


def ask(frame: Any, **options: Any) -> als.CAFSResults:
    given = {"subject": "ID", "arm": "ARM", "visit": "MONTH", "value": "CHG", "event_time": "DAY", "event": "DEATH"}
    return als.cafs(frame, **{**given, "horizon": 6, "reference": "Placebo", **options})


def test_options_by_hand() -> None:
    """Death always loses: U = -4, -2, 2, 2, 2 (METHODS). The lower value wins: A loses to B by day, to C by -2, to D and E;
    B beats A and C and loses to D and E; C beats A and D, and loses to B and E; D beats A, B, E; E beats A, B, C."""
    assert ask(small(), death_always_loses=True).ranks.score.tolist() == [-4, -2, 2, 2, 2]
    assert ask(small()).ranks.score.tolist() == [-2, -2, 0, 2, 2]
    assert ask(small(), better="lower").ranks.score.tolist() == [-4, 0, 0, 2, 2]
    # last contact of C given apart, after both deaths: C beats A and B
    later = small(LAST=[None, None, 160.0, 183, 183, 183, 183])
    assert ask(later, last_contact="LAST").ranks.score.tolist() == [-4, -2, 2, 2, 2]
    # by day 120 only A has died
    assert ask(small(), horizon_day=120.0).ranks.event.tolist() == [True, False, False, False, False]


def test_who_is_not_ranked_is_said() -> None:
    more = pd.DataFrame({"ID": ["F", "G"], "ARM": ["Drug", None], "MONTH": [0, 3], "CHG": [0.0, -1]})
    more = more.assign(DAY=183.0, DEATH=False)
    c = ask(pd.concat([small(), more]))
    assert c.ranks.loc["F"].isna().tolist() == [False, False, False, True, True] and "G" not in c.ranks.index
    assert c.notes == ("1 subject without ARM left out", "1 subject not ranked: neither event nor value after baseline")
    untold = ask(small(DAY=[100.0, 150, 90, np.nan, np.nan, 183, 183]))
    assert untold.notes == ("1 subject without event or last contact: taken as not followed to anybody's event",)
    with pytest.raises(als.DataError, match="this subject was not ranked"):
        c.pairs("F")


@pytest.mark.parametrize(
    ("frame", "options", "says"),
    [
        (small(), {"value": "CHGE"}, "there is no column CHGE\ndid you mean CHG"),
        (small(), {"reference": "placebo"}, "ARM has no arm placebo\ndid you mean Placebo"),
        (small(), {"treatment": "Placebo"}, "treatment and reference are both Placebo"),
        (small(ARM=list("PPQRRPP")), {"reference": "P"}, "ARM has more than two arms\ntreatment= names one of: Q, R"),
        (small(DEATH=[2] * 7), {}, r"DEATH says whether there was an event: True and False, or 1 and 0\n.*CNSR"),
        (small(DEATH=["Y"] * 7), {}, "DEATH says whether there was an event"),
        (small(MONTH=["M3"] * 7), {}, "MONTH holds text, where numbers are needed"),
        (small(), {"horizon": 0}, "horizon is a positive number, not 0"),
        (small(), {"function": "last"}, "unknown function='last'\nknown: last_common, horizon"),
        (small(), {"level": 95}, "a confidence level lies between 0 and 1"),
        (small(), {"covariates": "SEX"}, "there is no column SEX"),
    ],
)
def test_what_cannot_be_meant(frame: pd.DataFrame, options: dict[str, Any], says: str) -> None:
    with pytest.raises(als.UsageError, match=says):
        ask(frame, **options)


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (small(ARM=["Placebo"] * 7), "ARM has no arm but Placebo"),
        (small(ARM=["Placebo"] * 2 + ["Drug"] * 2 + ["Placebo"] * 3), r"ARM differs between the rows of subject D \(ID\)"),
        (small(DAY=[100.0, 150, 90, 183, 184, 183, 183]), "DAY differs between the rows of subject D"),
        (small(MONTH=[3, 3, 3, 3, 3, 3, 6]), r"subject D \(ID\) has 2 values at visit 3 \(MONTH\)"),
        (small(DAY=[np.nan, 150, 90, 183, 183, 183, 183]), "subject A has an event and no DAY"),
        (small(CHG=[np.inf] * 7), "CHG is infinite in 7 rows"),
    ],
)
def test_data_that_do_not_allow_it(frame: pd.DataFrame, says: str) -> None:
    with pytest.raises(als.DataError, match=says):
        ask(frame)


def test_an_arm_without_a_ranked_subject_has_ranks_but_no_comparison() -> None:
    c = ask(small(CHG=[-2.0, -6, None, None, None, -5, -6]))
    assert c.ranks["rank"].notna().sum() == 3
    with pytest.raises(als.DataError, match="no ranked subjects of Drug"):
        _ = c.ancova
    with pytest.raises(als.DataError, match="an arm is empty"):
        _ = c.wins
    with pytest.raises(als.UsageError, match="there is no subject Z"):
        c.pairs("Z")


def test_columns_with_odd_names() -> None:
    frame = small().rename(columns={"ARM": "TRT 01P", "CHG": "rank"})
    frame = frame.assign(**{"class": [1.0, 2, 3, 4, 4, 7, 7]})
    c = ask(frame, arm="TRT 01P", value="rank", covariates=["class"])
    assert list(c.ancova.params.index) == ["Intercept", "Q('TRT 01P')[T.Drug]", "Q('class')"]
    plain = ask(small(X=frame["class"]), covariates="X")
    assert np.allclose(c.ancova.contrasts("TRT 01P"), plain.ancova.contrasts("ARM"))
