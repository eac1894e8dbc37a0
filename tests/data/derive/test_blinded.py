"""SDTM domains and PRO-ACT files loaded blinded: derived first, and no arm, code, treatment or dose is left anywhere."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from tests.data.derive import proact_files
from tests.data.derive.sdtm_files import Record, Tables, sdtm, write
from tests.data.small_trial import REFERENCE

from alsbench.__main__ import main

CODES = {
    "Placebo": ("PBO", "saline 10 mL", "0"),
    "Group 1": ("LOWDOSE", "verumab 2x", "2"),
    "Group 2": ("HIGHDOSE", "verumab 5x", "5"),
}


def telling(tables: Tables) -> None:
    """Arms in every way SDTM has: codes, treatments, doses, elements, trial design, concentrations, qualifiers, free text."""
    arm_of = {s["USUBJID"]: s["ARM"] for s in tables["dm"]}
    for s in tables["dm"]:
        code = CODES[s["ARM"]][0]
        s |= {"ARMCD": code, "ACTARMCD": code, "COHORT": f"wave {len(code)}", "ARMNRS": None}
    for r in tables["ex"]:
        code, treatment, dose = CODES[arm_of[r["USUBJID"]]]
        r |= {"EXTRT": treatment, "EXDOSE": dose, "EXDOSU": "mg", "EXDOSTXT": f"{dose} vials", "EXLOT": f"LOT-{code}"}
    kits: list[Record] = [
        {"RDOMAIN": "DM", "USUBJID": i, "QNAM": "KITTYPE", "QVAL": f"kit {len(CODES[arm][0])}"} for i, arm in arm_of.items()
    ]
    tables["suppdm"] += kits
    tables["suppdm"] += [{"RDOMAIN": "DM", "USUBJID": i, "QNAM": "ACTARMUD", "QVAL": CODES[a][1]} for i, a in arm_of.items()]
    tables["ta"] = [
        {"DOMAIN": "TA", "ARM": arm, "ARMCD": c, "ELEMENT": f"Treatment with {t}"} for arm, (c, t, _) in CODES.items()
    ]
    tables["se"] = [{"DOMAIN": "SE", "USUBJID": i, "ETCD": CODES[a][0], "ELEMENT": CODES[a][1]} for i, a in arm_of.items()]
    tables["ts"] = [{"DOMAIN": "TS", "TSPARMCD": "TRT", "TSVAL": "verumab 5x"}]
    tables["pc"] = [
        {"DOMAIN": "PC", "USUBJID": i, "PCTESTCD": "VERU", "PCORRES": "81.25"} for i, a in arm_of.items() if a != "Placebo"
    ]
    tables["co"] = [
        {"DOMAIN": "CO", "USUBJID": i, "COVAL": f"given {CODES[a][0]} by mistake"} for i, a in list(arm_of.items())[:2]
    ]
    tables["ae"][0]["AETERM"] = "Placebo reaction"


WORDS = (
    "placebo", "group 1", "group 2", "pbo", "lowdose", "highdose", "saline", "verumab", "10 ml", "vials", "lot-", "wave ",
    "kit ", "81.25", "two doses", "five doses",
)  # fmt: skip


def everything(*folders: Path) -> str:
    """Every file of these folders as text, its name, and every value, label and name of its snapshots."""
    from alsbench.data.snapshot import open_snapshot

    parts = []
    for path in sorted(p for folder in folders for p in folder.rglob("*")):
        parts.append(path.name)
        if path.is_file():
            parts.append(path.read_bytes().decode("latin-1"))
        if path.suffix == ".duckdb":
            with open_snapshot(path) as snapshot:
                parts.append(json.dumps(dict(snapshot.receipt)))
                for name, info in snapshot.tables.items():
                    parts += [repr(info), *(repr(row) for row in snapshot.page(name, None, offset=0, limit=info.rows))]
    return "\n".join(parts).lower()


@pytest.fixture
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Temporary files and state of the program, where they can be looked at."""
    watched(tmp_path, monkeypatch)
    return tmp_path


def watched(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have temporary files, state and settings in a folder."""
    for name in ("tmp", "state", "config"):
        (folder / name).mkdir(exist_ok=True)
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "tmp"))
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "config"))


def blinded(folder: Path, *words: object) -> int:
    return main(["load", *map(str, words), "--blinded", "--key", str(folder / "key.json"), "-w", str(folder / "ws"), "-q"])


@pytest.fixture(scope="module")
def sdtm_blinded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SDTM files loaded blinded, with everything the program left: copied, never changed."""
    folder = tmp_path_factory.mktemp("blinded")
    files = write(folder / "files", sdtm(), telling)
    with pytest.MonkeyPatch.context() as patched:
        watched(folder, patched)
        assert blinded(folder, files, "--study", REFERENCE / "als-ref-1" / "study.toml") == 0
    return folder


def test_sdtm_is_derived_and_blinded(
    sdtm_blinded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    private = Path(shutil.copytree(sdtm_blinded, tmp_path / "own"))
    watched(private, monkeypatch)
    ws = private / "ws"
    for command in ("arms", "evidence", "check", "snapshots", "data", "safety"):
        assert main([command, "-w", str(ws), "-q", "-o", str(ws / f"{command}.json")]) in (0, 1), command
    assert main(["endpoint", "alsfrs_slope", "-s", "slow", "-w", str(ws), "-o", str(ws / "slope.csv"), "-q"]) == 0
    text = everything(ws, private / "tmp", private / "state", private / "config")
    assert [w for w in WORDS if w in text] == []
    assert "arm a" in text and "arm c" in text
    receipt = capsys.readouterr()
    tables = {t["table"]: t for t in json.loads((ws / "data.json").read_text())["rows"]}
    assert {"DM", "EX", "ADSL", "ADQS", "ADTTE"} <= set(tables) and not {"TA", "SE", "TS", "PC"} & set(tables)
    # what is derived says how, as it does in an open load
    assert main(["snapshots", "-w", str(ws)]) == 0, receipt.err
    from alsbench.data.workspace import Workspace

    with Workspace(ws).open_current() as snapshot:
        told = {f["dataset"]: f["messages"] for f in snapshot.receipt["files"]}
        assert told["ADSL"] and told["ADQS"]
        rows = snapshot.frame("SUPPDM")
        left = {q for q, v in zip(rows["QNAM"], rows["QVAL"], strict=True) if v is not None}
        assert left == {"ONSETSIT", "RILUFL", "LEADRATE", "DURDIS", "PPROT"}


def slopes(ws: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    capsys.readouterr()
    assert main(["endpoint", "alsfrs_slope", "-w", str(ws), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)["results"]
    return {r["arm"]: r["stat"] for r in found if r["context"] == "arm" and r["stat_name"] == "slope"}


def test_sdtm_unblinds_to_what_an_open_load_gives(
    sdtm_blinded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    private = Path(shutil.copytree(sdtm_blinded, tmp_path / "own"))
    watched(private, monkeypatch)
    files = sdtm_blinded / "files"
    study = ("--study", str(REFERENCE / "als-ref-1" / "study.toml"))
    blind = slopes(private / "ws", capsys)
    key = json.loads((private / "key.json").read_text())["arms"]
    assert main(["unblind", "--key", str(private / "key.json"), "--reason", "end", "-w", str(private / "ws"), "-q"]) == 0
    assert main(["load", str(files), *study, "-w", str(private / "open"), "-q"]) == 0
    open_ = slopes(private / "open", capsys)
    assert slopes(private / "ws", capsys) == pytest.approx(open_, rel=1e-9)
    assert {key[arm]: s for arm, s in open_.items()} == pytest.approx(blind, rel=1e-6)


def test_proact_is_derived_and_blinded_with_the_study_it_proposes(private: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = proact_files.write(private / "files", proact_files.whole_trial())
    ws = private / "ws"
    assert blinded(private, files) == 0, capsys.readouterr().err
    assert main(["evidence", "-w", str(ws), "-o", str(ws / "evidence.json"), "-q"]) == 0
    text = everything(ws, private / "tmp", private / "state", private / "config")
    assert [w for w in ("placebo", '"active"', "'active'") if w in text] == []
    found = json.loads((ws / "evidence.json").read_text())
    assert found["provenance"]["blinded"] and {r["arm"] for r in found["results"] if r["arm"]} == {"Arm A", "Arm B"}
