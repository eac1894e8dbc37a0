"""A trial asked from Python: the same numbers, files, masks, errors and log entries as from the shell."""

from __future__ import annotations

import contextlib
import doctest
import json
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.shared import keep_answers, workspace_copy
from tests.shell import run_here

import alsbench as als
import alsbench.service.trial as face

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "sample_data"


def load_sample(path: Path) -> None:
    ran = run_here(["load", SAMPLE, "--study", SAMPLE / "study.toml", "-w", path, "-q"])
    assert ran.code == 0, ran.err


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return workspace_copy(tmp_path_factory, "demo", load_sample)


@pytest.fixture
def own(sample: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(sample, tmp_path / "trial", symlinks=True))


@pytest.fixture(scope="module")
def trial(sample: Path) -> als.Trial:
    return als.open(sample)


def shell(*words: object) -> Any:
    ran = run_here([*words, "--format", "json", "-q"])
    assert ran.code in (0, 1), ran.err
    return json.loads(ran.out)


CALLS: list[tuple[str, Any, str]] = [
    ("cafs", lambda t: t.endpoint("cafs", subgroup="slow"), "endpoint cafs --subgroup slow"),
    (
        "mmrm",
        lambda t: t.endpoint("alsfrs", comparison="G2-M12", df="satterthwaite", covariance="csh", visit=[6, "Month 12"]),
        "endpoint alsfrs --comparison G2-M12 --df satterthwaite --covariance csh --visit 6 --visit 12",
    ),
    (
        "options",
        lambda t: t.endpoint("alsfrs_ancova", covariates=["LEADRATE", "AGE"], ls_means="proportional", at={"AGE": 50}),
        'endpoint alsfrs_ancova --option \'covariates=["LEADRATE", "AGE"]\' --option ls_means=proportional '
        "--option 'at={ AGE = 50 }'",
    ),
    (
        "masked",
        lambda t: t.endpoint("survival", subgroup="bulbar", mask=10),
        "endpoint survival --subgroup bulbar --mask 10",
    ),
    ("safety", lambda t: t.safety(subgroup="slow"), "endpoint ae --subgroup slow"),
    ("evidence", lambda t: t.evidence(subgroups=["slow"]), "evidence --subgroup slow"),
    ("forest", lambda t: t.forest("nfl", mask=5), "forest nfl --mask 5"),
]


@pytest.mark.parametrize(("call", "words"), [c[1:] for c in CALLS], ids=[c[0] for c in CALLS])
def test_the_numbers_and_the_file_are_those_of_the_shell(
    trial: als.Trial, sample: Path, tmp_path: Path, call: Any, words: str
) -> None:
    answer, line = call(trial), shlex.split(words)
    printed = shell(*line, "-w", sample)
    frame = answer.frame()
    assert list(frame.columns) == list(printed["results"][0])
    assert len(frame) == len(printed["results"])
    for name in ("stat_name", "arm", "treatment", "visit", "stat"):
        mine = [None if v is None or v != v else v for v in frame[name].tolist()]
        assert mine == [row[name] for row in printed["results"]], name
    assert list(answer.warnings) == printed["warnings"]
    assert answer.post_hoc == printed["provenance"]["post_hoc"] and answer.synthetic
    written = answer.save(tmp_path / "a.json")
    ran = run_here([*line, "--format", "json", "-w", sample, "-q"])
    assert _without_place(written.read_text()) == _without_place(ran.out)
    assert written.stat().st_mode & 0o077 == 0


def _without_place(text: str) -> str:
    made: dict[str, Any] = json.loads(text)
    command = made["provenance"].pop("command")
    assert "--workspace" in command
    return json.dumps(made)


def test_every_form_is_written_and_says_what_it_is(trial: als.Trial, tmp_path: Path) -> None:
    answer = trial.endpoint("cafs", subgroup="slow", comparison="G2-M12")
    for ending in (".txt", ".csv", ".tsv", ".md", ".json", ".html", ".rtf"):
        text = answer.save(tmp_path / f"a{ending}").read_text()
        assert "SYNTHETIC" in text.upper() and re.search(r"post.hoc", text, re.IGNORECASE), ending
    assert repr(answer).startswith(answer.title.split(":")[0]) and "SYNTHETIC DATA" in repr(answer)
    shown = answer._repr_html_()
    assert shown.startswith('<iframe sandbox=""') and shown.count("<") == 2 and "SYNTHETIC DATA" in shown
    with pytest.raises(als.UsageError, match=r"nothing is written as \.docx"):
        answer.save(tmp_path / "a.docx")


def test_a_frame_that_is_handed_on_says_what_it_is(trial: als.Trial) -> None:
    """What stands above and below a table stands in the attributes of its frame."""
    answer = trial.endpoint("cafs", subgroup="slow", comparison="G2-M12")
    for frame in (answer.frame(), answer.table("p_value")):
        assert "Post hoc" in frame.attrs["title"] and "SYNTHETIC" in frame.attrs["facts"]["Data"] and frame.attrs["notes"]
    for frame in (trial.arms(), trial.table("ADSL")):
        assert "SYNTHETIC DATA" in frame.attrs["facts"]["Study"] and "88fed4eb9329" in frame.attrs["facts"]["Snapshot"]
    assert "SYNTHETIC DATA" in repr(trial) and "POST HOC" in repr(trial.subgroup("slow"))


def test_figures(trial: als.Trial, tmp_path: Path) -> None:
    answer = trial.endpoint("alsfrs", subgroup=["slow", "not slow"])
    assert len(answer.plots()) == 2 and answer.plot()._repr_svg_().startswith("<svg")
    assert answer.plot().save(tmp_path / "a.svg").read_text() == answer.plot().svg
    assert trial.forest("cafs").plot().svg.startswith("<svg")
    with pytest.raises(als.UsageError, match="no figure"):
        trial.safety().plot()


def test_one_number_or_what_there_is(trial: als.Trial, sample: Path) -> None:
    answer = trial.endpoint("alsfrs", subgroup=["slow", "not slow"], comparison="G2-M12")
    printed = shell("endpoint", "alsfrs", "--subgroup", "slow", "--comparison", "G2-M12", "-w", sample)["results"]
    (p,) = [
        r["stat"] for r in printed if r["stat_name"] == "p_value" and r["visit_number"] == 12 and r["context"] == "contrast"
    ]
    assert answer.get("p_value", subgroup="slow", visit=12) == p == answer.get("p_value", subgroup="slow", visit="Month 12")
    assert answer.table("p_value").loc[("slow", "Month 12", ""), ("Group 2 vs Placebo", "p_value")] == p
    for words, where, said in (
        ("p_valu", {}, "did you mean p_value"),
        ("p_value", {"visit": 99}, "there is: Month 1, "),
        ("p_value", {"subgrup": "slow"}, "did you mean subgroup"),
        ("p_value", {"visit": 12}, "subgroup: slow, not slow"),
    ):
        with pytest.raises(als.UsageError, match=re.escape(said)):
            answer.get(words, **where)


def test_what_could_not_be_computed_says_why(own: Path) -> None:
    trial = als.open(own)
    trial.subgroups.add("nobody", where="AGE > 200")
    answer = trial.endpoint("alsfrs_ancova", subgroup="nobody", comparison="G2-M12")
    with pytest.raises(als.UsageError, match="could not be computed") as said:
        answer.get("difference", visit=6)
    assert said.value.why and answer.frame().query("stat_name == 'difference'")["error"].notna().all()


def test_tables_of_the_data(trial: als.Trial) -> None:
    """Counts by pandas of the files themselves."""
    import pyreadstat

    raw, _ = pyreadstat.read_xport(SAMPLE / "adlb.xpt")
    found = trial.table("adlb", where="PARAMCD == 'NFL' and AVISITN >= 4", columns=["USUBJID", "AVISITN", "AVAL", "ADT"])
    wanted = raw[(raw.PARAMCD == "NFL") & (raw.AVISITN >= 4)]
    assert found.USUBJID.tolist() == wanted.USUBJID.tolist()
    assert pd.testing.assert_series_equal(found.AVAL, wanted.AVAL.reset_index(drop=True), check_names=False) is None
    assert str(found.ADT.dtype).startswith("datetime64") and list(found.columns) == ["USUBJID", "AVISITN", "AVAL", "ADT"]
    for call, said in (
        (lambda: trial.table("ADXX"), "no table ADXX"),
        (lambda: trial.table("ADSL", where="AGE >"), "AGE >"),
        (lambda: trial.table("ADSL", where="AGEE > 3"), "AGEE"),
        (lambda: trial.table("ADSL", columns=["AGEE"]), "AGEE"),
    ):
        with pytest.raises(als.AlsbenchError) as error:
            call()
        assert said in error.value.message


def test_doses_are_counted(trial: als.Trial) -> None:
    """Records of ADEX by actual arm, by pandas of the file itself."""
    import pyreadstat

    doses, _ = pyreadstat.read_xport(SAMPLE / "adex.xpt")
    people, _ = pyreadstat.read_xport(SAMPLE / "adsl.xpt")
    given = doses.groupby("USUBJID").size().reindex(people.USUBJID).fillna(0)
    treated = people[people.SAFFL == "Y"].set_index("USUBJID").TRT01A
    answer = trial.safety()
    for arm in ("Placebo", "Group 1", "Group 2"):
        mine = given[treated[treated == arm].index]
        assert answer.get("mean", variable="Exposure", level="doses", arm=arm) == pytest.approx(mine.mean(), rel=1e-12)
        assert answer.get("max", variable="Exposure", level="doses", arm=arm) == mine.max() > 1


def test_members_are_true_false_or_unknown(trial: als.Trial) -> None:
    slow = trial.subgroup("slow")
    found = slow.members()
    assert str(found.dtype) == "boolean" and int(found.sum()) == slow.n and int(found.isna().sum()) == slow.n_undecided
    assert (trial.subgroup("not slow").members() == ~found).all() and slow.post_hoc and "LEADRATE" in slow.definition
    assert trial.subgroups.frame()["name"].tolist()[:2] == ["slow", "nfl_low"]


def test_scrutiny_and_claims(trial: als.Trial, sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from alsbench.analysis.scrutiny import catalogue

    found = trial.scrutinise("cafs", subgroup="slow", comparison="G2-M12", checks=["dose", "1"])
    words = [
        *["scrutinise", "--endpoint", "cafs", "--subgroup", "slow", "--comparison", "G2-M12"],
        "--check",
        "dose",
        "--check",
        "1",
    ]
    printed = shell(*words, "-w", sample)
    asked = [c for c in printed["checks"] if c.get("results")]
    assert found.verdicts()["id"].tolist() == ["dose", "overall"] and found["overall"].rows and found[11] is found["dose"]
    assert sorted(len(found[c["id"]].rows) for c in asked) == sorted(len(c["results"]) for c in asked)
    with pytest.raises(als.UsageError, match="was not asked for"):
        found["selection"]
    with pytest.raises(als.UsageError, match="bottom_line was not asked for"):
        _ = found.verdict
    monkeypatch.setattr(catalogue, "DRAWS", 255)
    line = trial.scrutinise("cafs", subgroup="slow", comparison="G2-M12", checks=["bottom_line"])
    assert line.verdict == "G2-M12: WHAT CHANCE OFFERS"
    inputs = {row.stat_name: row.stat for row in line["bottom_line"].rows}
    assert inputs["level"] == "what chance offers" and inputs["search_tests"] >= 1232 and inputs["search_p"] > 0.9
    numbers = trial.claims(SAMPLE / "claims.toml")
    ran = run_here(["claims", "-w", sample, SAMPLE / "claims.toml", "--format", "csv", "-q"])
    assert len(numbers) == len(ran.out.splitlines()) - 1 and set(numbers["outcome"]) >= {"reproduced"}
    assert list(trial.check().columns)[:4] == ["rule", "severity", "table", "count"]


def test_every_call_is_entered_as_the_shell_enters_it(own: Path, tmp_path: Path) -> None:
    def entries() -> list[dict[str, Any]]:
        return [json.loads(line) for line in (own / "audit.jsonl").read_text().splitlines()]

    trial = als.open(own)
    before = len(entries())
    answer = trial.endpoint("nfl", subgroup="slow")
    run_here(["endpoint", "nfl", "--subgroup", "slow", "-w", own, "-q"])
    mine, theirs = entries()[before:]
    assert mine["action"] == theirs["action"] == "look"
    assert {k: v for k, v in mine["facts"].items() if k != "format"} == {
        k: v for k, v in theirs["facts"].items() if k != "format"
    }
    assert mine["facts"]["format"] == "python"
    answer.save(tmp_path / "nfl.csv")
    assert entries()[-1]["action"] == "export" and entries()[-1]["facts"]["file"] == "nfl.csv"
    trial.table("ADSL", where="AGE > 60")
    assert entries()[-1]["action"] == "data" and entries()[-1]["facts"]["where"] == "AGE > 60"
    trial.subgroups.add("old", where="AGE >= 70", complement="young")
    trial.subgroups.edit("old", label="Seventy and older")
    trial.subgroups.remove("old")
    assert [e["action"] for e in entries()[-3:]] == ["subgroup added", "subgroup edited", "subgroup removed"]
    assert run_here(["audit", "verify", "-w", own, "-q"]).code == 0


def test_a_mask_of_the_study_holds_from_python_too(own: Path) -> None:
    text = (own / "study.toml").read_text()
    (own / "study.toml").write_text(text.replace("[study]\n", "[study]\nmask = 10\n", 1))
    trial = als.open(own)
    counts = trial.safety().frame().query("stat_name == 'count'")["stat"].dropna()
    assert counts.empty or (counts.map(lambda v: v == 0 or v >= 10)).all()
    assert "<10" in trial.arms().to_string()
    trial.subgroups.add("few", where="AGE >= 76")
    whole = als.Trial(own).endpoint("cafs", subgroup="few").frame()
    small = trial.subgroup("few")
    assert small.n == "<10" and "<10 members" in repr(small) and "AGE >= 76" in small.definition
    assert whole[(whole.context == "subgroup") & (whole.stat_name == "n") & whole.arm.isna()]["stat"].isna().all()
    for call in (lambda: trial.table("ADSL"), lambda: trial.subgroup("slow").members()):
        with pytest.raises(als.UsageError, match="cannot be masked"):
            call()
    with pytest.raises(als.UsageError, match="would mask nothing"):
        trial.arms(mask=1)


def test_there_must_be_a_workspace_with_data(tmp_path: Path, own: Path) -> None:
    with pytest.raises(als.AlsbenchError, match="no workspace here"):
        als.open(tmp_path / "nowhere")
    empty = tmp_path / "empty"
    empty.mkdir()
    shutil.copy(SAMPLE / "study.toml", empty)
    with pytest.raises(als.AlsbenchError, match="no data have been loaded"):
        als.open(empty)
    with pytest.raises(als.UsageError, match="load takes no colour"):
        als.load(SAMPLE, into=tmp_path / "x", colour="red")
    trial = als.open(own)
    shutil.rmtree(own)
    with pytest.raises(als.AlsbenchError):
        trial.endpoint("cafs")


@pytest.fixture
def beside_files(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Iterator[Path]:
    """An empty directory to be in, with the sample's files, and answers kept for the workspace that will be made."""
    (tmp_path / "files").symlink_to(SAMPLE, target_is_directory=True)
    keep_answers(tmp_path_factory, "demo", tmp_path / "trial")
    with contextlib.chdir(tmp_path):
        yield tmp_path


def test_examples_of_the_docstrings_run(beside_files: Path) -> None:
    als.demo("trial")
    found = doctest.testmod(face, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert found.attempted >= 8 and not found.failed


def test_the_notebook_page_runs(beside_files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/notebook.md").read_text(), re.DOTALL)
    assert len(blocks) >= 8
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "docs/notebook.md", "exec"), names)
    assert (beside_files / "alsfrs.html").exists() and "reproduced" in capsys.readouterr().out
