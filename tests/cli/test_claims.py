"""Claims on the command line: numbers as the data give them are reproduced, altered ones are not; what is missing is said."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from alsbench.audit.log import entries

Run = Callable[..., Any]


def claims_file(tmp_path: Path, **numbers: str) -> Path:
    """One claim about CAFS in the slow subgroup, with these numbers of its contrast."""
    values = ", ".join(f'{k} = "{v}"' for k, v in numbers.items())
    path = tmp_path / "claims.toml"
    path.write_text(
        "schema = 1\n[[claims]]\n"
        'name = "slow"\nsource = "a press release"\nendpoint = "cafs"\nsubgroup = "slow"\ncomparison = "G1-M6"\n'
        f"contrast = {{ {values} }}\n",
        "utf-8",
    )
    return path


def shown(run: Run, workspace: Path) -> dict[str, float]:
    """The contrast as `alsbench endpoint` has it."""
    ran = run("endpoint", "cafs", "-s", "slow", "--comparison", "G1-M6", "-w", workspace, "--format", "json")
    rows = json.loads(ran.out)["results"]
    return {r["stat_name"]: r["stat"] for r in rows if r["context"] == "contrast" and r["level"] is None}


def test_numbers_of_the_data_are_reproduced_and_coherent(run: Run, workspace: Path, tmp_path: Path) -> None:
    stats = shown(run, workspace)
    names = ("difference", "se", "df", "conf_low", "conf_high", "win_probability", "gehan_p")
    file = claims_file(tmp_path, p_value=f"{stats['p_value']:.3f}", **{n: f"{stats[n]:.3f}" for n in names})
    ran = run("claims", file, "-w", workspace, "--format", "json")
    assert ran.code == 0, ran.out + ran.err
    body = json.loads(ran.out)
    assert [(r["coherent"], r["reproduced"], r["robust"]) for r in body["rows"]] == [("yes", "yes", "not asked")]
    assert {r["outcome"] for r in body["more"][0]["rows"]} == {"reproduced"}
    assert any("post hoc" in note.casefold() for note in body["notes"])
    assert "SYNTHETIC" in json.dumps(body["facts"])
    actions = [e.action for e in entries(workspace / "audit.jsonl")]
    assert actions[-2:] == ["look", "claims"]


@pytest.mark.parametrize("part", ["p_value", "difference", "conf_high"])
def test_an_altered_number_is_found(run: Run, workspace: Path, tmp_path: Path, part: str) -> None:
    stats = {n: shown(run, workspace)[n] for n in ("difference", "conf_low", "conf_high", "p_value")}
    stats[part] = stats[part] + (0.4 if part == "p_value" and stats[part] < 0.5 else -0.4 if part == "p_value" else 3.0)
    ran = run("claims", claims_file(tmp_path, **{k: f"{v:.3f}" for k, v in stats.items()}), "-w", workspace, "--format", "json")
    assert ran.code == 1
    body = json.loads(ran.out)
    assert [r["statistic"] for r in body["more"][0]["rows"] if r["outcome"] == "not reproduced"] == [part]
    assert body["rows"][0]["coherent"] == "NO"


def test_what_the_study_does_not_have_is_said_beside_the_rest(run: Run, workspace: Path, tmp_path: Path) -> None:
    stats = shown(run, workspace)
    file = claims_file(tmp_path, p_value=f"{stats['p_value']:.4f}", hazard_ratio="0.5")
    text = file.read_text("utf-8")
    more = text.removeprefix("schema = 1\n")
    file.write_text(text + more.replace('"slow"', '"other"', 1).replace('"cafs"', '"caps"'), "utf-8")
    ran = run("claims", file, "-w", workspace)
    assert ran.code == 1
    assert "no hazard_ratio" in ran.out
    assert "caps" in ran.out
    assert "not available" in ran.out
    assert "NO: 1 of 2" in ran.out
    assert "NO: 0 of 2" in ran.out


def test_csv_holds_every_number(run: Run, workspace: Path, tmp_path: Path) -> None:
    file = claims_file(tmp_path, p_value="0.5", difference="1.00")
    rows = list(csv.DictReader(io.StringIO(run("claims", file, "-w", workspace, "--format", "csv").out)))
    assert [(r["statistic"], r["published"]) for r in rows] == [("p_value", "0.5"), ("difference", "1.00")]


def test_one_claim_by_name_and_a_name_that_is_not_there(run: Run, workspace: Path, tmp_path: Path) -> None:
    file = claims_file(tmp_path, p_value="0.5")
    assert run("claims", file, "--claim", "slow", "-w", workspace).code == 1
    ran = run("claims", file, "--claim", "slew", "-w", workspace)
    assert ran.code == 2
    assert "slow" in ran.err


def test_without_a_file_the_workspace_is_looked_into(run: Run, workspace: Path) -> None:
    ran = run("claims", "-w", workspace)
    assert ran.code == 2
    assert str(workspace / "claims.toml") in ran.err


def test_scrutiny_counts_the_checks_that_a_claim_survives(run: Run, workspace: Path, tmp_path: Path, monkeypatch: Any) -> None:
    import alsbench.analysis.claims.checked as robust

    few = tuple(c for c in robust.ALL if c.id in {"overall", "alternatives", "balance"})
    monkeypatch.setattr(robust, "ALL", few)
    file = claims_file(tmp_path, p_value="0.5")
    body = json.loads(run("claims", file, "--scrutinise", "-w", workspace, "--format", "json").out)
    about = ("-s", "slow", "-e", "cafs", "--comparison", "G1-M6", "-w", workspace, "--format", "json")
    rows = json.loads(run("scrutinise", *about, "--check", "alternatives").out)["results"]
    ps = [r["stat"] for r in rows if r["stat_name"] in {"p_value", "gehan_p"} and r["stat"] is not None]
    survived = "1 of 1" if max(ps) < 0.05 else "0 of 1"
    assert body["rows"][0]["robust"] == f"in {survived} checks"
    scrutiny = next(s for s in body["more"] if s["table"] == "scrutiny")
    assert [r["survived"] for r in scrutiny["rows"]] == [None, None, max(ps) < 0.05]


def test_a_bound_near_zero_is_printed_as_less_than_its_last_decimal() -> None:
    from alsbench.render.claims import span

    assert span((1.1567e-06, 0.0006)) == "<0.0001 to 0.0006"
    assert span((0.0, 0.0004)) == "0 to 0.0004"


PRESS_RELEASE = Path(__file__).parent / "press_release_claims.toml"
FALSE = """
[[claims]]
name = "slopes"
endpoint = "alsfrs_slope"
comparison = "G2-M12"
treatment = { slope = "-1.24" }
reference = { slope = "-1.06" }
contrast = { difference = "0.42" }
"""
NOBODY = """
[[claims]]
name = "nobody"
endpoint = "ae"
line = "serious related"
group = { count = "0", n = "590", percent = "0.0" }
"""


def test_without_a_workspace_claims_are_still_held_against_each_other(run: Run, tmp_path: Path) -> None:
    """Mean ranks 20.95 and 13.66 imply about 12 and 20 subjects; nothing is written where there is no workspace."""
    directory = tmp_path / "nowhere"
    directory.mkdir()
    ran = run("claims", PRESS_RELEASE, "-w", directory, "--format", "json")
    assert ran.code == 0, ran.err
    assert "no data are loaded" in ran.err
    assert {r["reproduced"] for r in ran.json["rows"]} == {"no data"}
    assert [r["coherent"] for r in ran.json["rows"]] == ["yes", "yes", *["nothing to check"] * 5]
    sizes = next(s for s in ran.json["more"] if s["table"] == "sizes")["rows"]
    assert len(sizes) == 6
    assert list(directory.iterdir()) == []


def test_without_a_workspace_a_contradiction_exits_with_1(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text("schema = 1\n" + FALSE)
    ran = run("claims", file, "-w", tmp_path)
    assert ran.code == 1
    assert "difference of the slopes" in ran.out
    assert [line.split()[-3:] for line in ran.out.splitlines() if line.startswith("slopes ")] == [["NO", "no", "data"]]


def test_a_study_without_data_says_which_comparisons_share_their_control(run: Run, workspace: Path, tmp_path: Path) -> None:
    directory = tmp_path / "study only"
    directory.mkdir()
    (directory / "study.toml").write_bytes((workspace / "study.toml").read_bytes())
    ran = run("claims", PRESS_RELEASE, "-w", directory, "--format", "json")
    assert ran.code == 0, ran.err
    sizes = next(s for s in ran.json["more"] if s["table"] == "sizes")["rows"]
    assert {r["claims"] for r in sizes} == {"seed-g1-m6, seed-g2-m6"}
    (directory / "study.toml").write_text("schema = ")
    assert run("claims", PRESS_RELEASE, "-w", directory).code == 2


@pytest.mark.parametrize("format_", ["table", "json", "csv", "tsv", "md", "html", "rtf"])
def test_counts_without_a_comparison_in_every_format(run: Run, tmp_path: Path, format_: str) -> None:
    """1 - 0.05 ** (1 / 590) = 0.51 %."""
    file = tmp_path / "c.toml"
    file.write_text("schema = 1\n" + NOBODY)
    ran = run("claims", file, "-w", tmp_path, "--format", format_)
    assert ran.code == 0, ran.err
    out = ran.out.replace("\\~", " ")  # RTF's space without a break
    assert "all count" in out
    assert "not checkable" in out
    if format_ not in ("csv", "tsv"):
        assert "0.51" in ran.out


def test_a_press_release_beside_other_data(run: Run, workspace: Path, tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text(PRESS_RELEASE.read_text() + NOBODY)
    ran = run("claims", file, "-w", workspace, "--format", "json")
    assert ran.code == 1
    told = {r["claim"]: (r["coherent"], r["reproduced"]) for r in ran.json["rows"]}
    assert told["nobody"] == ("yes", "not checkable")
    assert told["seed-sae"] == ("nothing to check", "NO: 0 of 1")
    assert any("count of which line?" in note and "related serious" in note for note in ran.json["more"][0]["notes"])


def test_a_claim_of_two_arms_needs_its_comparison(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text("schema = 1\n" + FALSE.replace('comparison = "G2-M12"\n', ""))
    ran = run("claims", file, "-w", tmp_path)
    assert ran.code == 2
    assert "'comparison' is missing" in ran.err


def month(tmp_path: Path, *visits: int, subgroup: str = "overall") -> Path:
    """Claims about NfL of Group 2 at visits, as far as the bottom line goes with a p that is wrong on purpose."""
    path = tmp_path / "visits.toml"
    claims = (
        f'[[claims]]\nname = "month-{v}"\nendpoint = "nfl"\nsubgroup = "{subgroup}"\ncomparison = "G2-M12"\nvisit = {v}\n'
        'contrast = { p_value = "0.5" }\n'
        for v in visits
    )
    path.write_text("schema = 1\n" + "".join(claims), "utf-8")
    return path


def test_each_claim_has_the_bottom_line_of_its_own_visit(
    run: Run, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First what the contrast's own p decides, then, asked for, the rest: as scrutiny judges it where the comparison is read,
    by the rule with the interaction over the visits elsewhere."""
    from alsbench.analysis.scrutiny import catalogue

    monkeypatch.setattr(catalogue, "DRAWS", 255)
    file = month(tmp_path, 4, 12)
    before = run("claims", file, "-w", workspace)
    assert before.out.index("The bottom line") < before.out.index("Coherent")
    asked = ("-w", workspace, "--format", "json")
    found = json.loads(run("claims", file, "--judge", *asked).out)
    levels = {r["claim"]: r["bottom_line"] for r in found["rows"]}
    words = ("-e", "nfl", "-s", "overall", "--comparison", "G2-M12", "--check", "bottom_line")
    scrutiny = json.loads(run("scrutinise", *words, *asked).out)["results"]
    assert levels["month-12"] == next(r["stat"] for r in scrutiny if r["stat_name"] == "level")
    inputs = next(sheet for sheet in found["more"] if sheet["title"] == "The bottom line")["rows"]
    p = {r["claim"]: float(r["value"]) for r in inputs if r["statistic"] == "p_value"}
    visits = json.loads(run("endpoint", "nfl", "--comparison", "G2-M12", *asked).out)["results"]
    contrasts = {
        r["visit_number"]: r["stat"]
        for r in visits
        if r["context"] == "contrast" and r["stat_name"] == "p_value" and not r["level"]
    }
    assert p == {f"month-{v}": pytest.approx(contrasts[float(v)], rel=1e-9) for v in (4, 12)}
    assert {r["claim"] for r in inputs if r["statistic"] == "rule"} == {"month-4", "month-12"}
    assert not any("not judged" in level for level in levels.values())
    assert run("claims", file, "-w", workspace).out == before.out  # whatever was asked in between
    csv_levels = {
        r["claim"]: r["bottom_line"]
        for r in csv.DictReader(io.StringIO(run("claims", file, "--judge", *asked[:2], "--format", "csv").out))
    }
    assert csv_levels == levels


def test_what_takes_a_search_is_not_judged_before_it_is_asked_for(run: Run, workspace: Path, tmp_path: Path) -> None:
    """NfL of Group 2 at month 7 has p 0.0017 (as the claim's own table prints it): it takes the search to judge it."""
    out = run("claims", month(tmp_path, 7), "-w", workspace).out
    assert "0.0017" in out and "month-7: not judged yet" in out and "1 not judged: `--judge` added to the command" in out
    rows = json.loads(run("claims", month(tmp_path, 7), "-w", workspace, "--format", "json").out)["rows"]
    assert [r["bottom_line"] for r in rows] == ["not judged yet"]


def test_a_visit_without_an_analysis_is_not_judged(run: Run, workspace: Path, tmp_path: Path) -> None:
    out = run("claims", month(tmp_path, 99), "-w", workspace).out
    assert "month-99" in out and "The bottom line" not in out  # the data have no such number


def test_a_large_p_in_a_part_is_decided_at_once_only_without_an_effect_in_everybody(
    run: Run, workspace: Path, tmp_path: Path
) -> None:
    """NfL of Group 2 in fast progressors has p 0.096 at month 4 and 0.67 at month 12; in everybody 0.002 and 0.051. At month 4
    it may be the whole trial's, which takes the interaction over the search; at month 12 there is nothing to explain."""
    file = month(tmp_path, 4, 12, subgroup="not slow")
    rows = json.loads(run("claims", file, "-w", workspace, "--format", "json").out)["rows"]
    assert [(r["claim"], r["bottom_line"]) for r in rows] == [("month-4", "not judged yet"), ("month-12", "no finding")]
