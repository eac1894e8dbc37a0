"""The reference trial als-ref-1 turned back into SDTM-shaped files: items without totals, dates without visits' numbers."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.data.small_trial import REFERENCE

from alsbench.data.readers.files import read

STUDY = "ALSREF01"
ITEM_WORDS = {
    "01": "Speech", "02": "Salivation", "03": "Swallowing", "04": "Handwriting", "05A": "Cutting: Without Gastrostomy",
    "05B": "Cutting: With Gastrostomy", "06": "Dressing and Hygiene", "07": "Turning in Bed", "08": "Walking",
    "09": "Climbing Stairs", "10": "Dyspnea", "11": "Orthopnea", "12": "Respiratory Insufficiency",
}  # fmt: skip
Record = dict[str, Any]
Tables = dict[str, list[Record]]


def adam(name: str) -> list[Record]:
    """A data set of the reference trial, one dict per row."""
    (dataset,) = read(REFERENCE / "als-ref-1" / f"{name}.xpt")
    return dataset.table().to_pylist()


def visit(record: Record) -> Record:
    """VISIT, VISITNUM and VISITDY are left to the label, as many trials do."""
    number = record["AVISITN"]
    return {"VISIT": "Baseline" if number == 0 else f"Month {number:g}", "VISITNUM": number + 1}


def sdtm(adsl: Sequence[Record] | None = None) -> Tables:
    """DM, EX, QS, RE, LB, DS, CE, AE and SUPPDM of als-ref-1."""
    subjects = adam("adsl") if adsl is None else adsl
    event = {r["USUBJID"]: r for r in adam("adtte")}
    tables: Tables = {name: [] for name in ("dm", "ex", "qs", "re", "lb", "ds", "ce", "ae", "suppdm")}
    for s in subjects:
        i = s["USUBJID"]
        died = s["DTHFL"] == "Y"
        end = event[i]
        tables["dm"].append(
            {"STUDYID": STUDY, "DOMAIN": "DM", "USUBJID": i, "SUBJID": s["SUBJID"], "RFSTDTC": s["TRTSDT"],
             "SITEID": s["SITEID"],
             "AGE": s["AGE"], "AGEU": "YEARS", "SEX": s["SEX"], "RACE": s["RACE"], "ARM": s["TRT01P"], "ACTARM": s["TRT01A"],
             "DTHDTC": end["ADT"] if died else None, "DTHFL": "Y" if died else None}
        )  # fmt: skip
        for n, d in enumerate((s["TRTSDT"], s["TRTEDT"]), start=1):
            tables["ex"].append(
                {"DOMAIN": "EX", "USUBJID": i, "EXSEQ": n, "EXTRT": "STUDY DRUG", "EXSTDTC": f"{d}T10:00", "EXENDTC": d}
            )
        tables["ds"].append(
            {"DOMAIN": "DS", "USUBJID": i, "DSDECOD": "RANDOMIZED", "DSCAT": "PROTOCOL MILESTONE", "DSSTDTC": s["RANDDT"]}
        )
        why = s["DCSREAS"] or "COMPLETED"
        tables["ds"].append({"DOMAIN": "DS", "USUBJID": i, "DSDECOD": why, "DSCAT": "DISPOSITION EVENT", "DSSTDTC": s["EOSDT"]})
        if end["CNSR"] == 0 and not died:
            tables["ce"].append({"DOMAIN": "CE", "USUBJID": i, "CETERM": "Tracheostomy", "CESTDTC": end["ADT"]})
        for name in ("ONSETSIT", "RILUFL", "LEADRATE", "DURDIS"):
            tables["suppdm"].append({"RDOMAIN": "DM", "USUBJID": i, "QNAM": name, "QVAL": s[name]})
        tables["suppdm"].append({"RDOMAIN": "DM", "USUBJID": i, "QNAM": "PPROT", "QVAL": s["PPROTFL"]})
    for r in adam("adqs"):
        if r["PARAMCD"] != "ALSFRSR":
            item = r["PARAMCD"].removeprefix("ALSFR")
            tables["qs"].append(
                {"DOMAIN": "QS", "USUBJID": r["USUBJID"], "QSTESTCD": f"ALSFR1{item[:2]}",
                 "QSTEST": f"ALSFR1-{ITEM_WORDS[item]}",
                 "QSCAT": "ALSFRS-R", "QSORRES": f"{r['AVAL']:g}", "QSSTRESN": r["AVAL"], "QSDTC": r["ADT"], **visit(r)}
            )  # fmt: skip
    for r in adam("adre"):
        tables["re"].append(
            {"DOMAIN": "RE", "USUBJID": r["USUBJID"], "RETESTCD": "SVCPP", "RETEST": "Percent Predicted Slow Vital Capacity",
             "REORRES": f"{r['AVAL']:g}", "RESTRESN": r["AVAL"], "RESTRESU": "%", "REDTC": r["ADT"], **visit(r)}
        )  # fmt: skip
    for r in adam("adlb"):
        low = r["DTYPE"] == "HALFLLOQ"
        tables["lb"].append(
            {"DOMAIN": "LB", "USUBJID": r["USUBJID"], "LBTESTCD": "NFL", "LBTEST": "Neurofilament Light Chain",
             "LBORRES": r["AVALC"] if low else r["AVAL"], "LBSTRESC": r["AVALC"] if low else r["AVAL"],
             "LBSTRESN": None if low else r["AVAL"], "LBSTRESU": "pg/mL", "LBSPEC": "SERUM", "LBLLOQ": 12,
             "LBDTC": r["ADT"], **visit(r)}
        )  # fmt: skip
    kept = ("USUBJID", "AESEQ", "AETERM", "AEDECOD", "AEBODSYS", "AESER", "AESEV", "AEREL", "AEACN")
    for r in adam("adae"):
        tables["ae"].append({"DOMAIN": "AE", **{k: r[k] for k in kept}, "AESTDTC": r["ASTDT"], "AEENDTC": None})
    return tables


def write(folder: Path, tables: Tables, change: Callable[[Tables], None] | None = None) -> Path:
    """One CSV per domain."""
    if change is not None:
        change(tables)
    folder.mkdir(parents=True)
    for name, records in tables.items():
        if not records:
            continue
        columns: Mapping[str, None] = {k: None for r in records for k in r}
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as out:
            writer = csv.DictWriter(out, list(columns))
            writer.writeheader()
            writer.writerows([{k: "" if v is None else v for k, v in r.items()} for r in records])
    return folder
