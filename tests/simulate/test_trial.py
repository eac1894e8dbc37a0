"""The simulated trial: same seed, same bytes; coherent tables; the distributions and effects it was asked for."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pyreadstat
import pytest

from alsbench.errors import UsageError
from alsbench.simulate.parameters import Parameters, read_parameters
from alsbench.simulate.sample import sample_dir
from alsbench.simulate.trial import simulate_trial, write_trial
from alsbench.simulate.xport import XportTable
from alsbench.study.study_file import read_study

REPOSITORY = Path(__file__).parents[2]


def big(n: int, *more: str) -> Parameters:
    return read_parameters(None, [f"arms.{i}.n={n}" for i in range(3)] + list(more))


@pytest.fixture(scope="module")
def trial() -> dict[str, XportTable]:
    return simulate_trial(read_parameters(), 3)


@pytest.fixture(scope="module")
def large() -> dict[str, XportTable]:
    return simulate_trial(big(1500), 11)


def rows(table: XportTable, paramcd: str) -> dict[str, np.ndarray]:
    keep = table["PARAMCD"] == paramcd
    return {c.name: c.values[keep] for c in table.columns}


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    def digest(folder: str, seed: int) -> dict[str, str]:
        paths = write_trial(tmp_path / folder, read_parameters(), seed)
        return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in paths}

    first, again, other = digest("a", 5), digest("b", 5), digest("c", 6)
    assert first == again
    assert first["adqs.xpt"] != other["adqs.xpt"]
    assert set(first) == {*(f"{n}.xpt" for n in ("adsl", "adqs", "adre", "adlb", "adtte", "adae", "adex")), "study.toml"}


def test_the_shipped_sample_is_what_its_parameters_and_seed_make(tmp_path: Path) -> None:
    """The command is in sample_data/README.md: seed 255."""
    shipped = sample_dir()
    assert shipped == REPOSITORY / "sample_data"
    for path in write_trial(tmp_path, read_parameters(shipped / "parameters.toml"), 255):
        assert path.read_bytes() == (shipped / path.name).read_bytes(), path.name
    assert sum(p.stat().st_size for p in shipped.iterdir()) < 3_000_000
    study = read_study(shipped / "study.toml")
    assert study.info.synthetic
    assert [(c.name, c.treatment, c.horizon) for c in study.comparisons] == [("G1-M6", "Group 1", 6), ("G2-M12", "Group 2", 12)]
    assert len(study.subgroups) >= 4


def test_arms_are_46_23_46_and_balanced_over_onset(trial: dict[str, XportTable]) -> None:
    arm, onset = trial["ADSL"]["TRT01P"], trial["ADSL"]["ONSETSIT"]
    assert [int((arm == a).sum()) for a in ("Placebo", "Group 1", "Group 2")] == [46, 23, 46]
    for level in ("BULBAR", "LIMB"):  # blocks of five: at most two in a block of a stratum that is cut short
        inside = onset == level
        assert abs(int((inside & (arm == "Placebo")).sum()) - 0.4 * inside.sum()) <= 2


def test_items_sum_to_the_total(trial: dict[str, XportTable]) -> None:
    table = trial["ADQS"]
    sums: dict[tuple[str, float], float] = {}
    counts: dict[tuple[str, float], int] = {}
    totals = {}
    for subject, visit, code, value in zip(*(table[c] for c in ("USUBJID", "AVISITN", "PARAMCD", "AVAL")), strict=True):
        key = (subject, visit)
        if code == "ALSFRSR":
            totals[key] = value
        else:
            assert 0 <= value <= 4
            sums[key] = sums.get(key, 0) + value
            counts[key] = counts.get(key, 0) + 1
    assert sums == totals
    assert set(counts.values()) == {12}  # item 5 is asked as 5a or as 5b, never both


def test_gastrostomy_stays(large: dict[str, XportTable]) -> None:
    table = large["ADQS"]
    asked: dict[str, list[str]] = {}
    for subject, code in zip(table["USUBJID"], table["PARAMCD"], strict=True):
        if code in {"ALSFR05A", "ALSFR05B"}:
            asked.setdefault(subject, []).append(code)
    assert all(codes == sorted(codes) for codes in asked.values())
    assert all(codes[0] == "ALSFR05A" for codes in asked.values())
    assert any(codes[-1] == "ALSFR05B" for codes in asked.values())


def test_bulbar_onset_loses_bulbar_function_first(large: dict[str, XportTable]) -> None:
    adsl, table = large["ADSL"], large["ADQS"]
    onset = dict(zip(adsl["USUBJID"], adsl["ONSETSIT"], strict=True))
    late = table["AVISITN"] == 6
    means = {}
    for level in ("BULBAR", "LIMB"):
        mine = np.array([onset[u] == level for u in table["USUBJID"]]) & late
        means[level] = {c: table["AVAL"][mine & (table["PARAMCD"] == c)].mean() for c in ("ALSFR03", "ALSFR08", "ALSFR12")}
    assert means["BULBAR"]["ALSFR03"] < means["LIMB"]["ALSFR03"] - 0.5
    assert means["LIMB"]["ALSFR08"] < means["BULBAR"]["ALSFR08"] - 0.3
    assert all(m["ALSFR12"] > m["ALSFR08"] for m in means.values())


def test_base_and_change(trial: dict[str, XportTable]) -> None:
    for name, code in (("ADQS", "ALSFRSR"), ("ADRE", "SVCPP"), ("ADLB", "NFL")):
        r = rows(trial[name], code)
        post = r["AVISITN"] > 0
        np.testing.assert_allclose(r["CHG"][post], (r["AVAL"] - r["BASE"])[post], atol=1e-9)
        assert np.isnan(r["CHG"][~post]).all()
        assert ((r["ABLFL"] == "Y") == ~post).all()
        baseline = dict(zip(r["USUBJID"][~post], r["AVAL"][~post], strict=True))
        column = {"ADQS": "BLALSFR", "ADRE": "BLSVC", "ADLB": "BLNFL"}[name]
        expected = dict(zip(trial["ADSL"]["USUBJID"], trial["ADSL"][column], strict=True))
        assert baseline == expected
        keys = list(zip(r["USUBJID"], r["AVISITN"], strict=True))
        assert len(set(keys)) == len(keys)


def test_nothing_is_measured_or_happens_after_the_end(trial: dict[str, XportTable]) -> None:
    last = dict(zip(trial["ADTTE"]["USUBJID"], trial["ADTTE"]["AVAL"], strict=True))
    for name, day in (("ADQS", "ADY"), ("ADRE", "ADY"), ("ADLB", "ADY"), ("ADAE", "ASTDY"), ("ADEX", "ASTDY")):
        table = trial[name]
        assert all(d <= last[u] for u, d in zip(table["USUBJID"], table[day], strict=True)), name
        assert (table[day] >= 1).all()
    adsl = trial["ADSL"]
    dead = set(adsl["USUBJID"][adsl["DTHFL"] == "Y"])
    events = set(trial["ADTTE"]["USUBJID"][trial["ADTTE"]["CNSR"] == 0])
    assert dead <= events
    assert dead == set(trial["ADAE"]["USUBJID"][trial["ADAE"]["AEOUT"] == "FATAL"])


def test_no_related_serious_adverse_event(large: dict[str, XportTable]) -> None:
    table = large["ADAE"]
    assert not ((table["AESER"] == "Y") & (table["AEREL"] != "NOT RELATED")).any()
    keys = list(zip(table["USUBJID"], table["AESEQ"], strict=True))
    assert len(set(keys)) == len(keys)


def test_distributions(large: dict[str, XportTable]) -> None:
    """4,500 subjects: means within four standard errors of what truncation leaves of the parameters, rates within four SEs."""
    adsl = large["ADSL"]
    n = len(adsl)
    assert adsl["BLALSFR"].min() >= 31
    assert adsl["BLALSFR"].max() <= 46
    assert adsl["BLALSFR"].mean() == pytest.approx(38.85, abs=0.2)
    assert adsl["LEADRATE"].min() >= 0.515
    assert adsl["LEADRATE"].max() <= 1.545
    assert adsl["LEADRATE"].mean() == pytest.approx(1.007, abs=4 * 0.25 / n**0.5)
    assert np.median(adsl["BLNFL"]) == pytest.approx(60, rel=4 * 1.25 * 0.6 / n**0.5)
    assert np.log(adsl["BLNFL"]).std() == pytest.approx((0.57**2 + 0.18**2) ** 0.5, rel=0.05)
    assert adsl["BLSVC"].mean() == pytest.approx(87, abs=1.5)
    assert (adsl["ONSETSIT"] == "BULBAR").mean() == pytest.approx(0.27, abs=4 * (0.27 * 0.73 / n) ** 0.5)
    total = rows(large["ADQS"], "ALSFRSR")
    six = total["AVISITN"] == 6
    assert total["CHG"][six].mean() == pytest.approx(-6 * 1.05, abs=0.35)  # those who left early declined faster
    lead = dict(zip(adsl["USUBJID"], adsl["LEADRATE"], strict=True))
    leads = np.array([lead[u] for u in total["USUBJID"]])
    correlation = np.corrcoef(leads[six], -total["CHG"][six])[0, 1]
    assert 0.2 < correlation < 0.4
    months = large["ADTTE"]["AVAL"].sum() / 30.4375
    assert (large["ADTTE"]["CNSR"] == 0).sum() / months == pytest.approx(0.006 * np.exp(0.5 * (1.1 * 0.6) ** 2), rel=0.2)
    left = (adsl["EOSSTT"] == "DISCONTINUED").sum() - (large["ADTTE"]["CNSR"] == 0).sum()
    assert left / months == pytest.approx(-np.log(1 - 0.012), rel=0.2)


def slopes(table: XportTable, paramcd: str) -> dict[str, float]:
    """Points per month of each subject with at least six visits, by least squares."""
    r = rows(table, paramcd)
    found = {}
    for subject in np.unique(r["USUBJID"]):
        mine = r["USUBJID"] == subject
        if mine.sum() >= 6:
            found[subject] = float(np.polyfit(r["AVISITN"][mine], r["AVAL"][mine], 1)[0])
    return found


def test_effects_are_recovered() -> None:
    """500 an arm. SE of a mean slope is about 0.65/sqrt(250) = 0.04 in half an arm: ratios are held to 4 SEs, 0.2."""
    who = 'arm = "Group 2", where = "LEADRATE <= mean(LEADRATE)"'
    effects = f"effects=[{{{who}, slope_ratio = 0.5, nfl_ratio = 0.6, hazard_ratio = 0.2}}]"
    treated = simulate_trial(big(500, effects), 2)
    untreated = simulate_trial(big(500), 2)
    adsl = treated["ADSL"]
    slow = adsl["LEADRATE"] <= adsl["LEADRATE"].mean()
    arm = dict(zip(adsl["USUBJID"], adsl["TRT01P"], strict=True))
    is_slow = dict(zip(adsl["USUBJID"], slow, strict=True))
    found = slopes(treated["ADQS"], "ALSFRSR")

    def mean(group: str, part: bool) -> float:
        return float(np.mean([s for u, s in found.items() if arm[u] == group and is_slow[u] == part]))

    assert mean("Group 2", True) / mean("Placebo", True) == pytest.approx(0.5, abs=0.2)
    assert mean("Group 2", False) / mean("Placebo", False) == pytest.approx(1.0, abs=0.2)
    assert mean("Group 1", True) / mean("Placebo", True) == pytest.approx(1.0, abs=0.2)

    nfl = rows(treated["ADLB"], "NFL")
    change = np.log(nfl["AVAL"] / nfl["BASE"])
    late = nfl["AVISITN"] == 12
    in_arm = np.array([arm[u] == "Group 2" and is_slow[u] for u in nfl["USUBJID"]])
    control = np.array([arm[u] == "Placebo" for u in nfl["USUBJID"]])
    ratio = np.exp(change[late & in_arm].mean() - change[late & control].mean())
    assert ratio == pytest.approx(0.6, abs=0.06)  # SE of the log ratio about 0.25/sqrt(200) = 0.02

    def events(trial: dict[str, XportTable]) -> int:
        table = trial["ADTTE"]
        return sum(c == 0 and arm[u] == "Group 2" and is_slow[u] for u, c in zip(table["USUBJID"], table["CNSR"], strict=True))

    assert events(treated) < events(untreated)


def test_effects_leave_everybody_else_as_they_were() -> None:
    effects = 'effects=[{arm = "Group 2", slope_ratio = 0.5}]'
    treated, untreated = simulate_trial(read_parameters(None, [effects]), 4), simulate_trial(read_parameters(), 4)
    for column in ("USUBJID", "TRT01P", "AGE", "LEADRATE", "BLALSFR", "BLNFL"):
        np.testing.assert_array_equal(treated["ADSL"][column], untreated["ADSL"][column])
    a, b = rows(treated["ADQS"], "ALSFRSR"), rows(untreated["ADQS"], "ALSFRSR")
    np.testing.assert_array_equal(a["AVAL"][a["TRT01P"] == "Placebo"], b["AVAL"][b["TRT01P"] == "Placebo"])


def test_differences_are_the_same_for_everybody() -> None:
    """By hand: 0.5 points and 0.8 percentage points less lost a month; totals are whole and end at 0 and 48, SVC has one digit
    and ends at 5 and 160."""
    effects = 'effects=[{arm = "Group 2", slope_difference = 0.5, svc_difference = 0.8}]'
    treated, untreated = simulate_trial(read_parameters(None, [effects]), 4), simulate_trial(read_parameters(), 4)
    for table, name, each, off, ends in (("ADQS", "ALSFRSR", 0.5, 0.5, (0, 48)), ("ADRE", "SVCPP", 0.8, 0.11, (5, 160))):
        a, b = rows(treated[table], name), rows(untreated[table], name)
        np.testing.assert_array_equal(a["AVISITN"], b["AVISITN"])
        gap = a["AVAL"] - b["AVAL"]
        inside = (a["TRT01P"] == "Group 2") & ~np.isin(a["AVAL"], ends) & ~np.isin(b["AVAL"], ends)
        assert inside.sum() > 300
        assert set(gap[a["TRT01P"] != "Group 2"]) == {0.0}
        assert np.abs(gap - each * a["AVISITN"])[inside].max() <= off + 1e-9


def test_other_designs() -> None:
    arms = 'arms=[{name = "Sham", n = 10}, {name = "High", n = 20, dose_days = [1, 90]}]'
    params = read_parameters(None, [arms, "visits.months=[0, 3, 6]", "visits.biomarker_months=[0, 6]", "course.dropout=0"])
    trial = simulate_trial(params, 1)
    assert sorted(set(trial["ADQS"]["AVISITN"])) == [0, 3, 6]
    assert set(trial["ADSL"]["TRT01P"]) == {"Sham", "High"}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("course.slop_sd=1", "unknown parameter 'slop_sd'"),
        ("corse.slope_sd=1", "there is no parameter"),
        ("course.slope_sd=-1", "out of range for slope_sd\nmore than 0"),
        ("course.slope_sd", "sets nothing"),
        ("visits.months=[1, 2]", "begins with 0"),
        ('effects=[{arm = "Group 3"}]', "names the arm 'Group 3'"),
        ('effects=[{arm = "Group 1", slope_ration = 2}]', "unknown parameter 'slope_ration'"),
        ('effects=[{arm = "Group 1", where = "LEADRATE <"}]', "cannot be read"),
    ],
)
def test_bad_parameters(override: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_parameters(None, [override])


def test_a_bad_parameter_file_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_text("[course]\nslope_mean = 1\nslope_sd = 'x'\n")
    with pytest.raises(UsageError) as caught:
        read_parameters(path)
    assert caught.value.where == "p.toml:3 course.slope_sd"
    with pytest.raises(UsageError, match="no baseline column"):
        simulate_trial(read_parameters(None, ['effects=[{arm = "Group 1", where = "HEIGHT > 2"}]']), 1)


def test_files_read_back(tmp_path: Path, trial: dict[str, XportTable]) -> None:
    write_trial(tmp_path, read_parameters(), 3)
    for name, table in trial.items():
        frame, meta = pyreadstat.read_xport(str(tmp_path / f"{name.lower()}.xpt"), disable_datetime_conversion=True)
        assert meta.table_name == name
        assert meta.file_label == table.label
        assert list(frame.columns) == [c.name for c in table.columns]
        for column in table.columns:
            assert meta.column_names_to_labels[column.name] == column.label
            assert len(column.label) <= 40
            back = frame[column.name].to_numpy()
            expected = column.values + 3653 if column.kind == "date" else column.values
            np.testing.assert_array_equal(back, expected)
