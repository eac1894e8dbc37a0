"""`reconcile`: another program's numbers beside ours.

Expected numbers: R 4.2.2 with emmeans (`tests/reference/als-ref-1/expected`), what was done to a file here, and for documents
the table that this program printed, turned into another form by LibreOffice 7.4 (`documents/`: made from
`endpoint alsfrs --subgroup slow --visit 1 --visit 6 --visit 12` of the sample trial).
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.shared import workspace_copy
from tests.shell import run_here

Run = Callable[..., Any]
DOCUMENTS = Path(__file__).with_name("documents")
SAMPLE = Path(__file__).parents[2] / "sample_data"
R = Path(__file__).parents[1] / "reference" / "als-ref-1" / "expected"


def sheets(ran: Any) -> dict[str, list[dict[str, Any]]]:
    found = json.loads(ran.out)
    return {t["table"]: t["rows"] for t in (found, *found.get("more", ()))}


def counts(ran: Any) -> dict[str, int]:
    return {r["class"]: r["numbers"] for r in sheets(ran)["classes"]}


# ---- our own formats


@pytest.mark.parametrize("form", ["json", "csv", "tsv"])
def test_what_we_write_reads_back_and_is_identical(run: Run, workspace: Path, tmp_path: Path, form: str) -> None:
    words = ("endpoint", "alsfrs_ancova", "--subgroup", "slow", "-w", workspace)
    assert run(*words, "-o", tmp_path / f"theirs.{form}", "-q").code == 0
    rows = run(*words, "--format", "json").json["results"]
    before = len((workspace / "audit.jsonl").read_text().splitlines())
    ran = run("reconcile", workspace, tmp_path / f"theirs.{form}", "--format", "json")
    assert ran.code == 0, ran.out[:2000]
    assert counts(ran) == {"identical": len(rows)}
    entries = [json.loads(line) for line in (workspace / "audit.jsonl").read_text().splitlines()[before:]]
    assert [e["action"] for e in entries] == ["look"]
    assert "reconcile" in entries[0]["facts"]["asked"]


@pytest.fixture
def theirs(run: Run, workspace: Path, tmp_path: Path) -> Callable[..., Any]:
    """Our ANCOVA of the slow subgroup as JSON, changed, and reconciled."""
    path = tmp_path / "theirs.json"
    assert run("endpoint", "alsfrs_ancova", "--subgroup", "slow", "-w", workspace, "-o", path, "-q").code == 0

    def do(change: Callable[[list[dict[str, Any]]], None], *more: object) -> Any:
        content = json.loads(path.read_text())
        change(content["results"])
        path.write_text(json.dumps(content))
        return run("reconcile", workspace, path, "--format", "json", *more)

    return do


def at(rows: list[dict[str, Any]], **wanted: Any) -> dict[str, Any]:
    (found,) = [r for r in rows if all(r[k] == v for k, v in wanted.items())]
    return found


CONTRAST = {"context": "contrast", "treatment": "Group 2", "reference": "Placebo", "visit_number": 12}


def test_every_change_has_its_class(theirs: Callable[..., Any]) -> None:
    def change(rows: list[dict[str, Any]]) -> None:
        difference = at(rows, **CONTRAST, stat_name="difference")
        difference["stat"] *= 1 + 4e-13  # within 1e-12 of the column's largest
        at(rows, **CONTRAST, stat_name="se")["stat"] += 1e-6  # printed with three decimals
        at(rows, **CONTRAST, stat_name="p_value")["stat"] = (
            0.9 if at(rows, **CONTRAST, stat_name="p_value")["stat"] < 0.05 else 0.01
        )
        at(rows, **CONTRAST, stat_name="df")["stat"] += 1
        rows.remove(at(rows, **CONTRAST, stat_name="t"))
        rows.append({**difference, "visit": "Month 99", "visit_number": 99})

    ran = theirs(change)
    assert ran.code == 1
    found = {(r["statistic"], r["class"]) for r in sheets(ran)["pairs"] if r["class"] != "identical"}
    assert found == {
        ("difference", "noise"),
        ("se", "same as printed"),
        ("p_value", "changes a conclusion"),
        ("df", "different"),
        ("t", "only ours"),
        ("difference", "only theirs"),
    }
    assert [r["class"] for r in sheets(ran)["classes"]][:2] == ["changes a conclusion", "different"]


def test_noise_and_print_are_no_verdict(theirs: Callable[..., Any]) -> None:
    def change(rows: list[dict[str, Any]]) -> None:
        at(rows, **CONTRAST, stat_name="difference")["stat"] *= 1 + 4e-13
        at(rows, **CONTRAST, stat_name="se")["stat"] += 1e-6

    assert theirs(change).code == 0


def test_the_order_of_arms_is_a_conclusion(theirs: Callable[..., Any]) -> None:
    """LS means of the two arms of one fit exchanged: both turn the order; neither is a difference only."""

    def change(rows: list[dict[str, Any]]) -> None:
        one, other = (
            at(rows, context="arm", arm=arm, treatment="Group 2", reference="Placebo", visit_number=12, stat_name="ls_mean")
            for arm in ("Group 2", "Placebo")
        )
        one["stat"], other["stat"] = other["stat"], one["stat"]

    ran = theirs(change)
    assert counts(ran)["changes a conclusion"] == 2 and "different" not in counts(ran)


def test_who_only_stands_beside_a_changed_order_is_identical(theirs: Callable[..., Any]) -> None:
    """The LS mean of one arm passes the other's, which stays as it is."""

    def change(rows: list[dict[str, Any]]) -> None:
        one, other = (
            at(rows, context="arm", arm=arm, treatment="Group 2", reference="Placebo", visit_number=12, stat_name="ls_mean")
            for arm in ("Group 2", "Placebo")
        )
        one["stat"] = 2 * other["stat"] - one["stat"]

    ran = theirs(change)
    assert counts(ran)["changes a conclusion"] == 1 and set(counts(ran)) == {"changes a conclusion", "identical"}


def test_a_declared_tolerance_is_listed_and_accepted(
    run: Run, workspace: Path, theirs: Callable[..., Any], tmp_path: Path
) -> None:
    def change(rows: list[dict[str, Any]]) -> None:
        at(rows, **CONTRAST, stat_name="se")["stat"] *= 1.02
        at(rows, **CONTRAST, stat_name="conf_low")["stat"] *= 1.02

    ran = theirs(change)
    assert ran.code == 1 and counts(ran)["different"] == 2
    mapping = tmp_path / "m.toml"
    mapping.write_text('schema = "alsbench.mapping/1"\n[tolerance]\nse = { relative = 0.05 }\n')
    ran = theirs(lambda rows: None, "--mapping", mapping)
    assert (counts(ran)["within the declared tolerance"], counts(ran)["different"], ran.code) == (1, 1, 1)
    study = workspace / "study.toml"
    study.write_text(
        study.read_text().replace("[endpoints.alsfrs_ancova]\n", "[endpoints.alsfrs_ancova]\ntolerance = { relative = 0.05 }\n")
    )
    ran = theirs(lambda rows: None)
    assert (counts(ran)["within the declared tolerance"], "different" in counts(ran), ran.code) == (2, False, 0)


def test_two_files_of_results(run: Run, workspace: Path, tmp_path: Path) -> None:
    for form in ("json", "csv"):
        assert run("endpoint", "survival", "-w", workspace, "-o", tmp_path / f"x.{form}", "-q").code == 0
    ran = run("reconcile", tmp_path / "x.json", tmp_path / "x.csv", "--format", "json")
    assert ran.code == 0 and set(counts(ran)) == {"identical"}


def test_what_a_mask_hides_is_not_compared(run: Run, workspace: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    assert run("endpoint", "alsfrs_ancova", "--subgroup", "slow", "-w", workspace, "-o", path, "-q").code == 0
    ran = run("reconcile", workspace, path, "--mask", "12", "--format", "json")
    assert ran.code == 0
    shown = [r for r in sheets(ran)["pairs"] if r["statistic"] == "n"]
    assert all(float(r["ours"]) >= 12 for r in shown)
    assert any("mask" in note for note in json.loads(ran.out)["notes"])


# ---- R cards and CDISC ARS, with R's numbers


def r_numbers(arm: str, visit: int) -> tuple[list[tuple[str, str, dict[str, float]]], dict[str, Any]]:
    """LS means and the difference of R's ANCOVA of the slow subgroup: (what, label, statistics) in the names of emmeans."""
    found = json.loads((R / f"ancova_alsfrs_v{visit}_{arm.lower().replace(' ', '')}_slow.json").read_text())
    raw = found["raw"]
    means = [("mean", m["TRT01P"], m) for m in raw["lsm_equal"]["lsmeans"]]
    term = next(c for c in raw["coefficients"] if c["term"] == f"TRT01P{arm}")
    names = {"estimate": "estimate", "se": "std.error", "df": "df", "lower": "conf.low", "upper": "conf.high", "p": "p.value"}
    rows = [
        (kind, label, {names[k]: m[k] for k in names if k in m and (kind == "contrast" or k not in ("p",))})
        for kind, label, m in means
    ]
    rows.append(("contrast", f"{arm} - Placebo", {names[k]: term[k] for k in names}))
    return rows, raw


def cards(digits: int | None) -> dict[str, Any]:
    """The nested list as `cards::as_nested_list` and `jsonlite` write it: arrays of one, `{}` for NULL, `digits` decimals."""
    tree: dict[str, Any] = {}
    rows, _ = r_numbers("Group 2", 12)
    for _, label, stats in rows:
        for name, value in stats.items():
            stat = value if digits is None else round(value, digits)
            leaf = {"stat": [stat], "stat_fmt": [f"{value:.3f}"], "warning": {}, "error": {}, "context": ["emmeans"]}
            at_level = tree.setdefault("variable", {}).setdefault("contrast", {}).setdefault("variable_level", {})
            group = at_level.setdefault(label, {}).setdefault("group1", {}).setdefault("AVISIT", {})
            group.setdefault("group1_level", {}).setdefault("Month 12", {}).setdefault("stat_name", {})[name] = leaf
    return tree


MAP_ANCOVA = """schema = "alsbench.mapping/1"
[default]
endpoint = "alsfrs_ancova"
subgroup = "slow"
{more}
"""


@pytest.fixture
def mapping(tmp_path: Path) -> Path:
    path = tmp_path / "mapping.toml"
    path.write_text(MAP_ANCOVA.format(more='treatment = "Group 2"\nreference = "Placebo"'))
    return path


@pytest.mark.parametrize("digits", [None, 4])
def test_cards_nested_list(run: Run, workspace: Path, tmp_path: Path, mapping: Path, digits: int | None) -> None:
    path = tmp_path / "cards.json"
    path.write_text(json.dumps(cards(digits)))
    ran = run("reconcile", workspace, path, "--mapping", mapping, "--format", "json")
    found = sheets(ran)["pairs"]
    assert ran.code == 0, [r for r in found if r["class"] not in ("noise", "same as printed")]
    assert len(found) == 2 * 5 + 6
    assert {(r["statistic"], r["how"]) for r in found} >= {
        ("difference", "by words"),
        ("ls_mean", "by words"),
        ("p_value", "by words"),
    }
    if digits == 4:
        assert set(counts(ran)) <= {"same as printed", "identical"}


def test_cards_data_frame_as_csv(run: Run, workspace: Path, tmp_path: Path, mapping: Path) -> None:
    """As R's `write.csv(cards::unlist_ard_columns(ard))` has it: row names, NA, 15 significant digits."""
    path = tmp_path / "cards.csv"
    rows, _ = r_numbers("Group 2", 12)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC)
        writer.writerow(
            [
                "",
                "group1",
                "group1_level",
                "variable",
                "variable_level",
                "context",
                "stat_name",
                "stat_label",
                "stat",
                "fmt_fun",
                "warning",
                "error",
            ]
        )
        number = 0
        for _, label, stats in rows:
            for name, value in stats.items():
                number += 1
                writer.writerow(
                    [
                        str(number),
                        "AVISIT",
                        "Month 12",
                        "contrast",
                        label,
                        "emmeans",
                        name,
                        name,
                        float(f"{value:.15g}"),
                        "NA",
                        "NA",
                        "NA",
                    ]
                )
            writer.writerow(
                [
                    str(number),
                    "AVISIT",
                    "Month 12",
                    "contrast",
                    label,
                    "emmeans",
                    "method",
                    "method",
                    "Least-squares means",
                    "NA",
                    "NA",
                    "NA",
                ]
            )
    ran = run("reconcile", workspace, path, "--mapping", mapping, "--format", "json")
    assert ran.code == 0, ran.out[:3000]
    assert sum(counts(ran).values()) == 16


def test_a_wrong_number_in_cards_is_found(run: Run, workspace: Path, tmp_path: Path, mapping: Path) -> None:
    content = cards(None)
    leaf = content["variable"]["contrast"]["variable_level"]["Group 2 - Placebo"]["group1"]["AVISIT"]["group1_level"][
        "Month 12"
    ]
    leaf["stat_name"]["std.error"]["stat"] = [leaf["stat_name"]["std.error"]["stat"][0] * 1.01]
    path = tmp_path / "cards.json"
    path.write_text(json.dumps(content))
    ran = run("reconcile", workspace, path, "--mapping", mapping, "--format", "json")
    assert ran.code == 1
    worst = sheets(ran)["pairs"][0]
    assert (worst["statistic"], worst["class"]) == ("se", "different")


def test_words_that_are_none_of_ours_are_not_paired(run: Run, workspace: Path, tmp_path: Path, mapping: Path) -> None:
    """Another arm, visit, variable or statistic than we have: no guess, and a reason."""
    rows = [
        ("contrast", "Group 9 - Placebo", "Month 12", "estimate"),
        ("contrast", "Group 2 - Placebo", "Month 13", "estimate"),
        ("HEIGHT", "Group 2 - Placebo", "Month 12", "estimate"),
        ("contrast", "Group 2 - Placebo", "Month 12", "kurtosis"),
    ]
    names = ("variable", "variable_level", "group1_level", "stat_name")
    path = tmp_path / "cards.json"
    path.write_text(json.dumps([{**dict(zip(names, r, strict=True)), "group1": "AVISIT", "stat": [1.25]} for r in rows]))
    ran = run("reconcile", workspace, path, "--mapping", mapping, "--format", "json")
    assert ran.code == 1 and counts(ran) == {"only theirs": 4}
    assert {r["how"] for r in sheets(ran)["pairs"]} == {"none of our statistics has all of these words"}


def test_a_number_that_does_not_say_its_visit_is_not_paired(run: Run, workspace: Path, tmp_path: Path, mapping: Path) -> None:
    """Although ours has one visit only: it may be of another."""
    ours = tmp_path / "ours.json"
    words = ("endpoint", "alsfrs_ancova", "--subgroup", "slow", "--visit", "12", "-w", workspace, "-o", ours, "-q")
    assert run(*words).code == 0
    content = {
        "variable": "contrast",
        "variable_level": "Group 2 - Placebo",
        "stat_name": "std.error",
        "stat": [2.169534968606978],
    }
    path = tmp_path / "cards.json"
    path.write_text(json.dumps([content]))
    assert counts(run("reconcile", ours, path, "--mapping", mapping, "--format", "json")) == {"only theirs": 1}
    path.write_text(json.dumps([{**content, "group1": "AVISIT", "group1_level": "Month 12"}]))
    assert set(counts(run("reconcile", ours, path, "--mapping", mapping, "--format", "json"))) <= {"identical", "noise"}


def test_ars(run: Run, workspace: Path, tmp_path: Path, mapping: Path) -> None:
    """A reporting event of one analysis with R's numbers (CDISC ARS model: operations, groupings, groups, results)."""
    rows, _ = r_numbers("Group 2", 12)
    operations = ["estimate", "std.error", "df", "conf.low", "conf.high", "p.value"]
    results = []
    for kind, label, stats in rows:
        group = (
            {"groupingId": "G_TRT", "groupId": f"T_{label}"} if kind == "mean" else {"groupingId": "G_CMP", "groupValue": label}
        )
        for name, value in stats.items():
            visit = {"groupingId": "G_VIS", "groupId": "V_12"}
            shown = f"{value:.3f}"
            results.append(
                {"operationId": f"O_{name}", "rawValue": repr(value), "formattedValue": shown, "resultGroups": [group, visit]}
            )
    event = {
        "id": "RE", "name": "Reporting event", "mainListOfContents": {"name": "LOC"},
        "analysisGroupings": [
            {"id": "G_TRT", "name": "Treatment", "groupingVariable": "TRT01P", "dataDriven": False,
             "groups": [{"id": f"T_{a}", "name": a, "label": a, "level": 1, "order": 1} for a in ("Placebo", "Group 2")]},
            {"id": "G_CMP", "name": "Comparison", "dataDriven": True},
            {"id": "G_VIS", "name": "Visit", "groupingVariable": "AVISIT", "dataDriven": False,
             "groups": [{"id": "V_12", "name": "Month 12", "label": "Month 12", "level": 1, "order": 1}]},
        ],
        "methods": [
            {"id": "M", "name": "ANCOVA", "operations": [{"id": f"O_{n}", "name": n, "order": 1} for n in operations]}
        ],
        "analyses": [
            {"id": "A1", "name": "A1", "methodId": "M", "dataset": "ADQS", "variable": "CHG", "reason": {}, "purpose": {},
             "results": results}
        ],
    }  # fmt: skip
    path = tmp_path / "ars.json"
    path.write_text(json.dumps(event))
    ran = run("reconcile", workspace, path, "--mapping", mapping, "--format", "json")
    assert ran.code == 0, [r for r in sheets(ran)["pairs"] if r["class"] not in ("noise", "same as printed")]
    assert sum(counts(ran).values()) == 16


# ---- a CSV of somebody's, by its columns


def test_a_csv_with_a_mapping(run: Run, workspace: Path, tmp_path: Path) -> None:
    rows, _ = r_numbers("Group 2", 12)
    stats = next(s for kind, _, s in rows if kind == "contrast")
    path = tmp_path / "sas.csv"
    path.write_text(
        f"TRT;VIS;Diff;SE;Prob\nFive doses;Month 12;{stats['estimate']:.2f};{stats['std.error']:.3f};{stats['p.value']:.4f}\n"
    )
    more = '[words]\n"Five doses" = "Group 2"\n[columns]\ntreatment = "TRT"\nvisit = "VIS"\n'
    more += '[values]\nDiff = "difference"\nSE = "se"\nProb = "p_value"\n'
    mapping = tmp_path / "m.toml"
    mapping.write_text(MAP_ANCOVA.format(more='reference = "Placebo"\n' + more))
    ran = run("reconcile", workspace, path, "--mapping", mapping, "--format", "json")
    assert (ran.code, counts(ran)) == (0, {"same as printed": 3})
    path.write_text(path.read_text().replace("Diff", "Delta"))
    ran = run("reconcile", workspace, path, "--mapping", mapping)
    assert ran.code == 2 and "there is no column Diff" in ran.err


# ---- printed tables


def load_sample(path: Path) -> None:
    ran = run_here(["load", SAMPLE, "--study", SAMPLE / "study.toml", "-w", path, "-q"])
    assert ran.code == 0, ran.err


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return workspace_copy(tmp_path_factory, "demo", load_sample)


@pytest.fixture
def trial(sample: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sample, tmp_path / "trial", symlinks=True))


PRINTED = ("endpoint", "alsfrs", "--subgroup", "slow", "--visit", "1", "--visit", "6", "--visit", "12")


@pytest.fixture(scope="module")
def printed_pages(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same table as this program writes it: RTF, HTML, and CSV of the printed cells."""
    folder = tmp_path_factory.mktemp("pages")
    own = Path(shutil.copytree(sample, folder / "trial", symlinks=True))
    for form in ("rtf", "html"):
        assert run_here([*PRINTED, "-w", own, "-o", folder / f"ours.{form}", "-q"]).code == 0
    return folder


@pytest.mark.parametrize("name", ["ours.rtf", "ours.html", "from_rtf.docx", "from_rtf.html", "from_html.docx", "from_docx.rtf"])
def test_printed_tables(run: Run, trial: Path, printed_pages: Path, tmp_path: Path, name: str) -> None:
    """Proposed by words alone, the same cells in every form; every number is as printed; one of them changed is found.

    3 visits x (3 n, 3 LS means, 3 SEs, 2 differences, 4 limits, 2 p), and the average over visits of both contrasts."""
    path = (printed_pages if name.startswith("ours") else DOCUMENTS) / name
    mapping = tmp_path / "mapping.toml"
    about = ("--endpoint", "alsfrs", "--subgroup", "slow")
    ran = run("reconcile", trial, path, *about, "--propose", "-o", mapping, "-q")
    assert ran.code == 0, ran.err
    ran = run("reconcile", trial, path, "--mapping", mapping, "--format", "json")
    assert ran.code == 0, sheets(ran)["pairs"][:3]
    found = Counter(r["statistic"] for r in sheets(ran)["pairs"])
    assert {k: found[k] for k in ("n", "ls_mean", "se", "difference", "conf_low", "conf_high", "p_value")} == {
        "n": 9, "ls_mean": 9, "se": 9, "difference": 8, "conf_low": 8, "conf_high": 8, "p_value": 8,
    }  # fmt: skip
    if path.suffix != ".docx":
        text = path.read_text("utf-8")
        cell = next(
            r["theirs"] for r in sheets(ran)["pairs"] if r["statistic"] == "ls_mean" and r["place"] == "Group 2, Month 12"
        )
        changed = tmp_path / f"changed{path.suffix}"
        assert text.count(cell) == 1
        changed.write_text(text.replace(cell, f"{float(cell) - 0.01:.2f}"), "utf-8")
        ran = run("reconcile", trial, changed, "--mapping", mapping, "--format", "json")
        worst = sheets(ran)["pairs"][0]
        assert (ran.code, worst["class"], worst["place"]) == (1, "different", "Group 2, Month 12")
        assert worst["deviation"] == pytest.approx(float(cell) - 0.01 - worst["ours"])


def test_a_document_needs_a_mapping(run: Run, trial: Path) -> None:
    ran = run("reconcile", trial, DOCUMENTS / "from_rtf.docx")
    assert ran.code == 2 and "--propose" in ran.err


def test_a_cell_that_is_not_there(run: Run, trial: Path, tmp_path: Path) -> None:
    mapping = tmp_path / "m.toml"
    cell = '\n[[cell]]\ntable = 1\nrow = 99\ncolumn = 2\nis = {{ endpoint = "alsfrs", statistic = "{}" }}\n'
    mapping.write_text('schema = "alsbench.mapping/1"\n' + cell.format("n"))
    ran = run("reconcile", trial, DOCUMENTS / "from_rtf.docx", "--mapping", mapping)
    assert ran.code == 2 and "there is no such cell" in ran.err
    mapping.write_text('schema = "alsbench.mapping/1"\n[default]\nendpiont = "alsfrs"\n')
    ran = run("reconcile", trial, DOCUMENTS / "from_rtf.docx", "--mapping", mapping)
    assert ran.code == 2 and "endpoint" in ran.err


# ---- data


def test_a_folder_a_file_and_a_workspace_of_data(
    run: Run, trial: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    for theirs in (SAMPLE, SAMPLE / "adqs.xpt", trial):
        ran = run("reconcile", trial, theirs, "--format", "json")
        assert ran.code == 0, ran.out[:1000]
        assert {t["state"] for t in sheets(ran)["tables"]} == {"same"}
    assert run("data", "ADSL", "-w", trial, "--format", "csv", "-o", tmp_path / "adsl.csv", "-q").code == 0
    text = (tmp_path / "adsl.csv").read_text().splitlines()
    text[0] = text[0].lower()  # columns in another case are the same
    (tmp_path / "adsl.csv").write_text("\n".join(text) + "\n")
    assert run("reconcile", trial, tmp_path / "adsl.csv", "--format", "json").code == 0
    (tmp_path / "adsl.csv").write_text("\n".join([*text[:-1], text[-1].replace("ALSDEMO-", "ALSDEMO-X", 1)]) + "\n")
    ran = run("reconcile", trial, tmp_path / "adsl.csv", "--format", "json")
    assert ran.code == 1
    assert {r["class"] for r in sheets(ran)["classes"]} == {"only ours", "only theirs"}
    assert list(scratch.iterdir()) == []  # nothing of theirs is left


def test_data_under_a_mask_are_refused(run: Run, trial: Path) -> None:
    ran = run("reconcile", trial, SAMPLE, "--mask", "5")
    assert ran.code == 2 and "masked" in ran.err


def test_a_mask_of_either_side_holds(run: Run, small: Any, tmp_path: Path) -> None:
    """Records of a workspace whose study masks them are not shown because another side has no mask."""
    other = tmp_path / "masked"
    shutil.copytree(small.workspace, other, symlinks=True)
    study = other / "study.toml"
    study.write_text(study.read_text().replace('id = "SMALL"', 'id = "SMALL"\nmask = 5'))
    for sides in ((small.workspace, other), (other, small.workspace)):
        ran = run("reconcile", *sides)
        assert ran.code == 2 and "cannot be masked: counts below 5 are hidden" in ran.err, ran.err
    assert run("reconcile", small.workspace, small.workspace).code == 0


def test_dummy_arms_do_not_stand_beside_the_arms(run: Run, small: Any, tmp_path: Path) -> None:
    """A delivery with the arms, put beside a blinded workspace, would say who is in which; one blinded alike is compared."""
    blind, key = tmp_path / "blind", tmp_path / "key.json"
    data = small.data()
    ran = run("load", data, "--study", small.study, "-w", blind, "--blinded", "--key", key, "-q")
    assert ran.code == 0, ran.err
    for sides in ((blind, data), (data, blind), (blind, small.workspace)):
        ran = run("reconcile", *sides, "--why")
        assert ran.code == 2 and "every subject's arm would show" in ran.err, ran.err
        assert "S01" not in ran.out and not ran.out
    assert run("reconcile", blind, blind).code == 0


def test_a_tolerance_of_a_column(run: Run, trial: Path, tmp_path: Path) -> None:
    import pandas as pd

    import alsbench as als

    frame = als.open(trial).table("ADSL")
    frame.loc[3, "LEADRATE"] += 0.01
    frame.to_parquet(tmp_path / "adsl.parquet", index=False)
    assert pd.read_parquet(tmp_path / "adsl.parquet").shape == frame.shape
    assert run("reconcile", trial, tmp_path / "adsl.parquet").code == 1
    mapping = tmp_path / "m.toml"
    mapping.write_text('schema = "alsbench.mapping/1"\n[tolerance]\n"ADSL.LEADRATE" = { absolute = 0.011 }\n')
    ran = run("reconcile", trial, tmp_path / "adsl.parquet", "--mapping", mapping, "--format", "json")
    assert ran.code == 0
    assert [r["class"] for r in sheets(ran)["classes"]] == ["within the declared tolerance"]


def test_sides_that_cannot_meet(run: Run, trial: Path, tmp_path: Path) -> None:
    assert run("endpoint", "survival", "-w", trial, "-o", tmp_path / "x.json", "-q").code == 0
    for ours, theirs in ((tmp_path / "x.json", SAMPLE), (SAMPLE, tmp_path / "x.json"), (trial, tmp_path / "nothing.rtf")):
        ran = run("reconcile", ours, theirs)
        assert ran.code == 2 and ran.err


def test_a_pipe_for_a_mapping_is_refused_not_waited_for(run: Run, workspace: Path, tmp_path: Path) -> None:
    """A named pipe that nobody writes to held the command for ever; the alarm ends it here."""
    pipe = tmp_path / "mapping.toml"
    os.mkfifo(pipe)
    signal.alarm(30)
    try:
        ran = run("reconcile", workspace, SAMPLE / "adsl.xpt", "--mapping", pipe)
    finally:
        signal.alarm(0)
    assert ran.code == 2
    assert "a pipe, not a file" in ran.err


def test_parts_of_a_mapping_that_are_not_read_are_refused(run: Run, workspace: Path, tmp_path: Path) -> None:
    """Beside our own results a mapping says tolerances only; whoever wrote cells or words would believe that they count."""
    own, said = tmp_path / "own.json", tmp_path / "said.toml"
    assert run("endpoint", "alsfrs_ancova", "-w", workspace, "--format", "json", "-o", own, "-q").code == 0
    said.write_text(
        'schema = "alsbench.mapping/1"\n[default]\nendpoint = "nope"\n'
        '[[cell]]\ntable = 99\nrow = 1\ncolumn = 1\nis = { statistic = "n" }\n'
    )
    ran = run("reconcile", workspace, own, "--mapping", said)
    assert ran.code == 2 and "nothing of [default], [cell] is read" in ran.err
    said.write_text('schema = "alsbench.mapping/1"\n[tolerance]\nse = { absolute = 0.01 }\n')
    assert run("reconcile", workspace, own, "--mapping", said).code == 0


def test_data_without_a_table_in_common_are_not_compared(run: Run, small: Any, tmp_path: Path) -> None:
    """A file is the table of its name: under another name nothing is compared, and that is no list of differences."""
    other = tmp_path / "delivery_final.csv"
    other.write_text("USUBJID,AVAL\nS01,3\n")
    ran = run("reconcile", small.workspace, other)
    assert ran.code == 2 and "no table is on both sides" in ran.err and "theirs DELIVERY_FINAL" in ran.err
