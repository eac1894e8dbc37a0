"""Coded values that say nothing (blank, U, UNKNOWN, NA, a foreign word) from the file to the printed table.

The trial is als-ref-2 with its words changed. Every expected count is a count of the changed records with pandas: a subject
counts once where any of its records says the worst or says nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

Run = Callable[..., Any]
TRIAL = Path(__file__).parent.parent / "reference" / "als-ref-2"
ARMS = ("Placebo", "Drug 10 mg", "Drug 20 mg", "Drug 40 mg")
STUDY = """schema = 1
[study]
id = "WORDS"
[arms]
reference = "Placebo"
order = ["Placebo", "Drug 10 mg", "Drug 20 mg", "Drug 40 mg"]
[populations]
FAS = "FASFL"
Safety = "SAFFL"
default = "FAS"
[[comparisons]]
treatment = "Drug 40 mg"
[endpoints.ae]
method = "incidence"
dataset = "ADAE"
population = "Safety"
[[subgroups]]
name = "slow"
where = "LEADRATE <= 1"
prespecified = true
"""
SILENT = ("", "U", "UNKNOWN", "NA")


def trial() -> tuple[pd.DataFrame, pd.DataFrame]:
    adsl, adae = (pd.read_csv(TRIAL / f"{n}.csv", keep_default_na=False, dtype=str) for n in ("adsl", "adae"))
    return adsl, adae


def load(run: Run, folder: Path, adsl: pd.DataFrame, adae: pd.DataFrame, study: str = STUDY) -> tuple[Path, str]:
    """A workspace with these data, and the receipt."""
    space, data = folder / "ws", folder / "data"
    for made in (space, data):
        made.mkdir(exist_ok=True)
    (space / "study.toml").write_text(study)
    adsl.to_csv(data / "adsl.csv", index=False)
    adae.to_csv(data / "adae.csv", index=False)
    ran = run("load", data, "-w", space)
    assert ran.code == 0, ran.err
    return space, ran.out


def safety(run: Run, space: Path, *words: str) -> dict[str, Any]:
    ran = run("safety", "-w", space, "--format", "json", *words)
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def stats(result: dict[str, Any], level: str, name: str) -> list[Any]:
    rows = [r for r in result["results"] if (r["variable"], r["level"], r["stat_name"]) == ("Overview", level, name)]
    return [next(r["stat"] for r in rows if r["arm"] == arm) for arm in ARMS]


def subjects(adsl: pd.DataFrame, adae: pd.DataFrame, which: pd.Series) -> list[int]:
    safe = set(adsl.USUBJID[adsl.SAFFL == "Y"])
    mine = adae[which & adae.USUBJID.isin(safe)]
    return [mine.USUBJID[mine.TRT01A.eq(arm)].nunique() for arm in ARMS]


LEAVING = "leading to discontinuation"
CASES = [
    ("AESER", "N", "serious", lambda d: d.AESER != "N", "serious"),
    ("AEREL", "NOT RELATED", "related", lambda d: d.AEREL != "NOT RELATED", "related"),
    ("AESEV", "MILD", "severe", lambda d: ~d.AESEV.isin(["MILD", "MODERATE"]), "severe"),
    ("AEACN", "DOSE NOT CHANGED", LEAVING, lambda d: d.AEACN != "DOSE NOT CHANGED", LEAVING),
    ("AEOUT", "RECOVERED/RESOLVED", "fatal", lambda d: d.AEOUT != "RECOVERED/RESOLVED", "fatal"),
]  # fmt: skip


@pytest.mark.parametrize(("column", "usual", "level", "worst", "words"), CASES, ids=[c[0] for c in CASES])
def test_a_record_that_says_nothing_counts_as_the_worst_and_is_named(
    run: Run, tmp_path: Path, column: str, usual: str, level: str, worst: Callable[[pd.DataFrame], pd.Series], words: str
) -> None:
    adsl, adae = trial()
    if column == "AEOUT":
        adae["AESER"] = "Y"  # what is not serious is not fatal, whatever the outcome says
        adae["AEOUT"] = usual
    silent = adae.index[adae[column] == usual][:200]
    adae.loc[silent, column] = [SILENT[i % 4] for i in range(len(silent))]
    blanks = int((adae[column] == "").sum())
    space, receipt = load(run, tmp_path, adsl, adae)
    found = safety(run, space)
    assert stats(found, level, "count") == subjects(adsl, adae, worst(adae))
    (said,) = [w for w in found["warnings"] if w.startswith(f"{column} not known in ")]
    assert said.endswith(f"(blank, 'NA', 'U', 'UNKNOWN'): counted as {words}")
    n = len(silent) + blanks - 50 if column == "AEREL" else len(silent)
    if column != "AEOUT":
        assert f"{column} says nothing known in {n} rows" in " ".join(receipt.split())
    printed = run("safety", "-w", space).out
    assert f"{column} not known in" in " ".join(printed.split())


@pytest.mark.parametrize("words", [("",), ("U", "UNKNOWN"), None])
@pytest.mark.parametrize(
    ("column", "lines"),
    [
        ("AESER", ("serious", "related serious")),
        ("AEACN", ("leading to discontinuation",)),
        ("AEOUT", ("fatal",)),
    ],
)
def test_a_column_that_says_nothing_at_all_is_unknown_and_not_zero(
    run: Run, tmp_path: Path, column: str, lines: tuple[str, ...], words: tuple[str, ...] | None
) -> None:
    """Blank, unknown throughout, or not there."""
    adsl, adae = trial()
    if words is None:
        adae = adae.drop(columns=column, errors="ignore")
    else:
        adae[column] = [words[i % len(words)] for i in range(len(adae))]
    space, _ = load(run, tmp_path, adsl, adae)
    for mask in ((), ("--mask", "5")):
        found = safety(run, space, *mask)
        for line in lines:
            assert stats(found, line, "count") == [None] * 4
            assert stats(found, line, "percent") == [None] * 4
            reasons = {r["error"] for r in found["results"] if r["level"] == line and r["stat_name"] == "risk_difference"}
            assert all("unknown" in r or "masked" in r for r in reasons)
        assert any(column in w and "is unknown, not zero" in w for w in found["warnings"])
    printed = run("safety", "-w", space).out
    (row,) = [line for line in printed.splitlines() if line.startswith(lines[0])][:1]
    assert "0.0" not in row and "NE" in row


@pytest.mark.parametrize("where", ["", "where = \"TRTEMFL == 'Y'\"\n"])
def test_an_unknown_emergence_counts_or_is_said_to_be_left_out(run: Run, tmp_path: Path, where: str) -> None:
    adsl, adae = trial()
    adae.loc[adae.index[:100], "TRTEMFL"] = "N"
    adae.loc[adae.index[100:160], "TRTEMFL"] = ["", "U", "UNKNOWN"] * 20
    space, _ = load(run, tmp_path, adsl, adae, STUDY.replace('population = "Safety"\n', f'population = "Safety"\n{where}'))
    found = safety(run, space)
    kept = adae.TRTEMFL == "Y" if where else adae.TRTEMFL != "N"
    assert stats(found, "any", "count") == subjects(adsl, adae, kept)
    said = " ".join(found["warnings"])
    assert "60 records with an unknown TRTEMFL left out by the endpoint's where" in said if where else (
        "TRTEMFL not known in 60 records (blank, 'U', 'UNKNOWN'): counted as treatment-emergent" in said
    )  # fmt: skip


def test_lower_case_and_other_codings_are_read(run: Run, tmp_path: Path) -> None:
    adsl, adae = trial()
    wanted = subjects(adsl, adae, adae.AESER == "Y")
    adae["AESER"] = adae.AESER.map({"Y": "yes", "N": "n"})
    space, _ = load(run, tmp_path, adsl, adae)
    found = safety(run, space)
    assert stats(found, "serious", "count") == wanted
    assert not [w for w in found["warnings"] if w.startswith("AESER")]


def test_a_subgroup_is_read_as_the_whole_data_set_is(run: Run, tmp_path: Path) -> None:
    """Records that say nothing in a part do not make the part's column blank throughout."""
    adsl, adae = trial()
    slow = set(adsl.USUBJID[adsl.LEADRATE.astype(float) <= 1])
    adae.loc[adae.USUBJID.isin(slow), "AESER"] = ""
    space, _ = load(run, tmp_path, adsl, adae)
    found = safety(run, space, "-s", "slow")
    assert stats(found, "serious", "count") == subjects(adsl, adae, adae.USUBJID.isin(slow))


def test_deaths_and_analysis_sets_of_words_that_say_nothing(run: Run, tmp_path: Path) -> None:
    adsl, adae = trial()
    dead = adsl.index[adsl.DTHFL == "Y"]
    alive = adsl.index[(adsl.DTHFL != "Y") & (adsl.TRT01P == "Placebo")]
    adsl.loc[alive[:3], "DTHFL"] = ["U", "UNKNOWN", "U"]
    adsl.loc[alive[3:5], "FASFL"] = ""
    adsl.loc[adsl.index[adsl.FASFL == "Y"][-1], "FASFL"] = "N"
    space, _ = load(run, tmp_path, adsl, adae)
    found = run("arms", "-w", space, "--format", "json").json
    placebo = next(r for r in found["rows"] if r["arm"] == "Placebo")
    assert placebo["deaths"] == 3 + int((adsl.loc[dead].TRT01P == "Placebo").sum())
    assert any("DTHFL not known for 3 subjects ('U', 'UNKNOWN'): counted as deaths" in n for n in found["notes"])
    told = run("endpoint", "ae", "-w", space, "--population", "FAS").out
    assert "FASFL = 'Y'; not known for 2 subjects (blank), not in the set" in " ".join(told.split())


def test_deaths_of_a_blank_column_are_unknown(run: Run, tmp_path: Path) -> None:
    adsl, adae = trial()
    adsl["DTHFL"] = ""
    space, _ = load(run, tmp_path, adsl, adae)
    found = run("arms", "-w", space, "--format", "json").json
    assert [r["deaths"] for r in found["rows"]] == [None] * 5
    assert any("DTHFL is blank throughout" in n for n in found["notes"])
