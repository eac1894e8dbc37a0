"""Missing values imputed beside an MMRM, from the option to the rows.

No reference file holds such numbers: they are rebuilt here from the delivered files with the functions that
``tests/stats/test_imputation.py`` holds against R rbmi's rules and hand calculations, and held to their invariants.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pyreadstat
import pytest

from alsbench.analysis.endpoints import imputed
from alsbench.analysis.evidence import evidence
from alsbench.analysis.question import Question
from alsbench.analysis.result import Result
from alsbench.analysis.run import answer
from alsbench.analysis.source import Source
from alsbench.errors import UsageError
from alsbench.render.layout import page_text
from alsbench.render.tables import endpoint_page
from alsbench.stats.design import Covariate, Factor, build_design
from alsbench.stats.imputation import conditional_means, moments, outcomes
from alsbench.stats.mmrm import fit_mmrm
from alsbench.study.model import Subgroup

TRIAL = Path(__file__).parent.parent / "reference" / "als-ref-1"
STRATEGIES = ("mar", "jump-to-reference", "copy-reference", "copy-increments")


MODELS: dict[str, imputed.Refits] = {}  # of each endpoint of the whole trial, as the missingness check keeps them


def ask(
    source: Source, endpoint: str = "nfl", comparison: str = "G2-M12", visit: float | None = None, **options: str
) -> Result:
    """The imputed answer of the whole trial. Its models, those of the jackknife with them, are the same whatever the strategy,
    visit and shift: each is fitted once (``test_conditional_means_repeat_to_the_bit`` fits them anew)."""
    kept = partial(imputed.sensitivity, refits=MODELS.setdefault(endpoint, {}))
    with mock.patch.object(imputed, "sensitivity", kept):
        return ask_anew(source, endpoint, comparison, visit, **options)


def ask_anew(source: Source, endpoint: str, comparison: str, visit: float | None, **options: str) -> Result:
    visits = () if visit is None else (visit,)
    return answer(Question(endpoint, comparisons=(comparison,), visits=visits, options=tuple(sorted(options.items()))), source)


def stat(result: Result, name: str, **where: object) -> float:
    where = {"variable": "imputed"} | where
    return result.get(name, **where).number()


def with_subgroup(source: Source, where: str) -> Source:
    subgroups = (*source.study.subgroups, Subgroup(name="edge", where=where))
    return replace(source, study=source.study.model_copy(update={"subgroups": subgroups}))


def says_why(result: Result) -> bool:
    keys = [r.key() for r in result.rows]
    return len(keys) == len(set(keys)) and all(r.error for r in result.rows if r.stat is None)


@cache
def delivered() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Wide NfL (months across) and the subjects of the analysis set, straight from the files."""
    adsl, _ = pyreadstat.read_xport(str(TRIAL / "adsl.xpt"))
    adlb, _ = pyreadstat.read_xport(str(TRIAL / "adlb.xpt"))
    adsl = adsl[adsl.FASFL == "Y"].sort_values("USUBJID").set_index("USUBJID")
    nfl = adlb[(adlb.PARAMCD == "NFL") & adlb.USUBJID.isin(adsl.index)]
    wide = nfl.pivot(index="USUBJID", columns="AVISITN", values="AVAL")
    wide = wide[wide[0.0].notna()]
    return np.log(wide), adsl.loc[wide.index]


def rebuilt(strategy: str) -> float:
    """Difference Group 2 - Placebo of ln(AVAL/BASE) at month 12: MMRM, conditional means, least squares."""
    wide, adsl = delivered()
    base = wide[0.0].to_numpy()
    months = [m for m in wide.columns if m > 0]
    values = wide[months].to_numpy() - base[:, None]
    n, T = values.shape
    arms = ("Placebo", "Group 1", "Group 2")
    arm = np.array([arms.index(a) for a in adsl.TRT01P])
    onset = adsl.ONSETSIT.eq(sorted(adsl.ONSETSIT.unique())[1]).to_numpy().astype(float)

    def design(codes: np.ndarray) -> np.ndarray:
        variables = [
            Factor("A", np.repeat(codes, T), arms),
            Factor("V", np.tile(np.arange(T), n), tuple(map(str, months))),
            Covariate("B", np.repeat(base, T)),
            Covariate("L", np.repeat(adsl.LEADRATE.to_numpy(), T)),
            Covariate("O", np.repeat(onset, T)),
        ]
        terms = [("A",), ("V",), ("B",), ("L",), ("O",), ("A", "V"), ("V", "B")]
        return build_design(variables, terms).X.reshape(n, T, -1)

    X, X_reference = design(arm), design(np.zeros(n, dtype=np.int64))
    row, visit = np.nonzero(~np.isnan(values))
    fit = fit_mmrm(values[row, visit], X[row, visit], row, visit, n_visits=T, df="satterthwaite")
    data = outcomes(values, arm, 0)
    completed = conditional_means(data, moments(X, X_reference, fit.beta, fit.sigma), strategy=strategy)  # type: ignore[arg-type]
    ancova = np.column_stack([np.ones(n), arm == 1, arm == 2, base, adsl.LEADRATE, onset])
    return float(np.linalg.lstsq(ancova, completed[:, -1], rcond=None)[0][2])


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_difference_is_that_of_the_files(trial: Source, strategy: str) -> None:
    result = ask(trial, imputation=strategy)
    assert stat(result, "difference") == pytest.approx(rebuilt(strategy), abs=1e-7)
    assert says_why(result)
    se, low, high = (stat(result, n, context="contrast") for n in ("se", "conf_low", "conf_high"))
    assert high - low == pytest.approx(2 * 1.959963984540054 * se)
    assert stat(result, "ratio") == pytest.approx(math.exp(stat(result, "difference")))
    assert "infinite" in (result.get("df", variable="imputed", context="contrast").error or "")
    assert all((r.stat is None) == bool(r.error) for r in result.rows)
    # the model of the observed values stands beside it, unchanged
    observed = result.get("difference", visit_number=12.0, variable=None, level=None)
    assert observed == answer(Question("nfl", comparisons=("G2-M12",)), trial).get("difference", visit_number=12.0, level=None)
    means = [stat(result, "ls_mean", arm=a) for a in ("Group 2", "Placebo")]
    assert means[0] - means[1] == pytest.approx(stat(result, "difference"), abs=1e-12)


@pytest.fixture(scope="module")
def jumped(trial: Source) -> Result:
    """Jump to reference at month 4, which several tests compare with."""
    return ask(trial, visit=4.0, imputation="jump-to-reference")


def test_reference_based_imputation_shrinks_the_difference(trial: Source, jumped: Result) -> None:
    found = {s: abs(stat(ask(trial, visit=4.0, imputation=s), "difference")) for s in ("mar", "copy-reference")}
    found["jump-to-reference"] = abs(stat(jumped, "difference"))
    assert found["jump-to-reference"] < found["mar"]
    assert found["copy-reference"] < found["mar"]


def test_conditional_means_repeat_to_the_bit(trial: Source, jumped: Result) -> None:
    assert ask_anew(trial, "nfl", "G2-M12", 4.0, imputation="jump-to-reference") == jumped


def test_multiple_imputation_is_seeded_and_near_the_conditional_means(trial: Source, jumped: Result) -> None:
    mean = jumped
    options = {"imputation": "jump-to-reference", "imputation_method": "multiple", "imputations": "60"}
    one, two, other = (ask(trial, visit=4.0, seed=seed, **options) for seed in ("3", "3", "4"))
    assert one == two
    assert stat(one, "difference") != stat(other, "difference")
    se = stat(one, "se", context="contrast")
    assert stat(one, "difference") == pytest.approx(stat(mean, "difference"), abs=0.3 * se)
    assert 10 < stat(one, "df", context="contrast") < 115
    assert any("60 imputations (seed 3)" in text for _, text in one.facts.lines)


def test_delta_and_the_tipping_point(trial: Source, jumped: Result) -> None:
    """At the tipping delta p is 0.05; in SDs it is delta over the SD of the observed values, per month over the months since
    each shifted subject's last value."""
    base = jumped
    tip = stat(base, "tipping_delta", variable="tipping point")
    assert tip > 0  # NfL: higher is worse
    moved = ask(trial, visit=4.0, imputation="jump-to-reference", delta=repr(tip))
    assert stat(moved, "p_value") == pytest.approx(0.05, abs=1e-6)
    assert stat(moved, "difference") > stat(base, "difference")
    wide, adsl = delivered()
    observed = (wide[4.0] - wide[0.0]).dropna()
    assert stat(base, "tipping_sd", variable="tipping point") == pytest.approx(tip / observed.std(ddof=1), rel=1e-9)
    gone = wide[wide[4.0].isna() & (adsl.TRT01P == "Group 2")]
    later = [m for m in wide.columns if m > 4]
    shifted = gone[gone[later].isna().all(axis=1)]
    since = [4.0 - max([m for m in (1.0, 2.0) if not math.isnan(row[m])], default=0.0) for _, row in shifted.iterrows()]
    assert stat(base, "tipping_per_month", variable="tipping point") == pytest.approx(tip / np.mean(since), rel=1e-9)
    grid = ask(trial, visit=4.0, imputation="jump-to-reference", tipping_deltas=f"[0, {tip!r}]")
    steps = [r for r in grid.rows if (r.level or "").startswith("delta") and r.stat_name == "p_value"]
    assert [r.number() for r in steps] == [stat(base, "p_value"), stat(moved, "p_value")]


def test_a_tipping_point_that_does_not_exist_says_why(trial: Source) -> None:
    weak = ask(trial, "svc", visit=6.0, imputation="mar")
    assert 0.05 < stat(weak, "p_value") < 0.5
    assert "nothing to tip" in weak.get("tipping_delta").error
    near = ask(trial, visit=4.0, imputation="jump-to-reference", tipping_deltas="[0, 0.01]")
    assert "does not tip" in near.get("tipping_delta").error
    # the grid that does not reach it is shown; of a log-scale endpoint the shift is one of logarithms
    page = page_text(endpoint_page(near), width=120)
    assert "by delta" in page
    assert "log points per month" in page
    assert "Log difference" in page


def test_the_jackknife_says_what_it_could_not_do(trial: Source) -> None:
    """One covariance per arm of few subjects: the whole can be fitted, not so without every one of them."""
    options = (("covariance_by_arm", "true"), ("imputation", "mar"))
    result = answer(Question("svc", subgroups=("slow",), comparisons=("G2-M12",), options=options), trial)
    assert result.get("difference", variable=None, visit_number=12.0).stat is not None
    reason = result.get("difference", variable="imputed").error
    assert "no jackknife error (choose a covariance of fewer parameters): without one subject" in reason
    assert says_why(result)


def test_the_default_grid_is_easily_read_and_reaches_three_sd(trial: Source) -> None:
    result = ask(trial, "svc", imputation="mar")
    deltas = [
        float(r.level.split()[1]) for r in result.rows if (r.level or "").startswith("delta") and r.stat_name == "p_value"
    ]
    assert deltas[0] == 0 and math.copysign(1, deltas[0]) == 1
    step = -deltas[1]
    assert round(step / 10 ** math.floor(math.log10(step)), 9) in (1, 2, 5)
    assert deltas == pytest.approx([-step * k for k in range(len(deltas))])
    wide = pyreadstat.read_xport(str(TRIAL / "adre.xpt"))[0].query("PARAMCD == 'SVCPP' and AVISITN == 12")
    assert -deltas[-1] >= 3 * wide.CHG.std() * 0.99


def test_nothing_missing_is_the_plain_ancova(trial: Source) -> None:
    """Subjects with every visit: the imputed difference is the least squares one, and there is nothing to shift."""
    wide, _ = delivered()
    whole = wide.index[wide.notna().all(axis=1)]
    source = with_subgroup(trial, "USUBJID in (" + ", ".join(f"'{s}'" for s in whole) + ")")
    options = (("imputation", "copy-reference"),)
    result = answer(Question("nfl", subgroups=("edge",), comparisons=("G2-M12",), options=options), source)
    plain = answer(
        Question(
            "nfl", subgroups=("edge",), method="ancova", visits=(12.0,), comparisons=("G2-M12",), options=(("arms", "all"),)
        ),
        source,
    )
    assert stat(result, "difference") == pytest.approx(plain.get("difference", context="contrast").number(), abs=1e-12)
    assert stat(result, "n_imputed", arm="Group 2") == 0
    assert "imputed at this visit" in result.get("tipping_delta").error
    assert says_why(result)


@pytest.mark.parametrize("where", ["AGE > 200", "USUBJID == 'ALSREF01-02-1001'", "AGE >= 74", "TRT01PN != 2"])
@pytest.mark.parametrize("method", ["conditional-mean", "multiple"])
def test_edges(trial: Source, where: str, method: str) -> None:
    """Nobody, one subject, too few, an arm without data: rows that say why, and a table all the same."""
    source = with_subgroup(trial, where)
    few = (("imputations", "5"),) if method == "multiple" else ()
    options = (("imputation", "jump-to-reference"), ("imputation_method", method), *few)
    result = answer(Question("nfl", subgroups=("edge",), options=options), source)
    assert says_why(result)
    row = result.get("difference", variable="imputed", treatment="Group 2")
    assert row is not None and row.stat is None and row.error
    other = result.get("difference", variable="imputed", treatment="Group 1")
    assert (other.stat is not None) == (where == "TRT01PN != 2")
    assert endpoint_page(result).blocks


def test_covariance_by_arm_is_not_drawn(trial: Source) -> None:
    options = {"imputation": "mar", "imputation_method": "multiple", "covariance_by_arm": "true"}
    question = Question(
        "nfl", comparisons=("G2-M12",), covariance="cs", df="satterthwaite", options=tuple(sorted(options.items()))
    )
    assert "one covariance" in answer(question, trial).get("difference", variable="imputed").error


def test_evidence_stays_with_the_main_analysis(trial: Source) -> None:
    endpoint = trial.endpoint("nfl").model_copy(update={"imputation": "jump-to-reference"})
    study = trial.study.model_copy(update={"endpoints": {"nfl": endpoint}})
    found = evidence(replace(trial, study=study), subgroups=("slow",), comparisons=("G2-M12",))
    assert not [r for r in found.result.rows if r.variable == "imputed"]


def test_options_that_cannot_be_meant(trial: Source) -> None:
    with pytest.raises(UsageError, match="0 outward"):
        ask(trial, imputation="mar", tipping_deltas="[1, 2]")
    with pytest.raises(UsageError, match="imputation"):
        ask(trial, imputation="jump")
    with pytest.raises(UsageError, match="beside an mmrm"):
        ask(trial, "alsfrs_ancova", imputation="mar")
    with pytest.raises(UsageError, match="no weights"):
        ask(trial, imputation="mar", weights="BLNFL")
