"""Adverse events coded in other ways, by both programs: grades, flags and words in place of the built trial's own, columns that
are not there, and doses. What both are to say stands in docs/methods.md, "Adverse events"."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.built import trial as built
from tests.built.results import load_built
from tests.second.verifying import Both, disagreements, left_out

from alsbench.analysis.question import Question
from alsbench.analysis.run import answer

Row = dict[str, object]
GRADE = {"MILD": 1, "MODERATE": 2, "SEVERE": 3, "TERRIBLE": "X"}


def graded(row: Row) -> Row:
    """Grades for severity, a flag of death, relatedness under its other name, and a flag of emergence that never says N."""
    severity, outcome, related = (row.pop(name) for name in ("AESEV", "AEOUT", "AEREL"))
    died = {"FATAL": "Y", "": "", "UNKNOWN": "U"}.get(str(outcome), "N")
    grade = GRADE.get(str(severity), "")
    return row | {"AETOXGR": grade, "AESDTH": died, "AREL": related, "TRTEMFL": "Y" if row["TRTEMFL"] == "Y" else ""}


def telling_nothing(row: Row) -> Row:
    """Columns that are not there or blank throughout: related and severe throughout, the others unknown."""
    return {k: v for k, v in row.items() if k not in ("AEACN", "AEREL", "AESEV")} | {"AESER": "", "AEOUT": ""}


def renamed(row: Row) -> Row:
    """Every record counts, classes and severity under their other names, grades where there is no severity."""
    grade = f"GRADE {1 + len(str(row['AEDECOD'])) % 5}" if row["AESEV"] == "" else ""
    kept = {k: v for k, v in row.items() if k not in ("TRTEMFL", "AESEV", "AEBODSYS")}
    return kept | {"ASEV": row["AESEV"], "AESOC": row["AEBODSYS"], "ATOXGR": grade}


def twice(row: Row) -> Row:
    """What one column leaves open another one tells."""
    return row | {"AREL": "RELATED" if row["AEREL"] == "" else "", "AETOXGR": "" if row["AESEV"] else "1", "AESDTH": ""}


def doubtful(row: Row) -> Row:
    """Doubts in place of denials, numbers for flags, grades for outcomes."""
    related = {"RELATED": "Possible", "NOT RELATED": "unlikely", "UNRELATED": "none"}.get(str(row["AEREL"]), row["AEREL"])
    serious = {"Y": "1", "N": "0"}.get(str(row["AESER"]), row["AESER"])
    grade = {"FATAL": "5", "UNKNOWN": "2"}.get(str(row["AEOUT"]), "")
    return row | {"AEREL": related, "AESER": serious, "AETOXGR": grade, "AEOUT": "UNKNOWN"}


def worded(row: Row) -> Row:
    """The same in other words and letters."""
    words = {"DOSE NOT CHANGED": "Drug interrupted", "SEVERE": "Life threatening", "MODERATE": "moderate", "FATAL": "Fatal",
             "RECOVERED/RESOLVED": "Resolved"}  # fmt: skip
    return {k: words.get(str(v), v) for k, v in row.items()} | {"TRTEMFL": {"Y": "yes", "N": "no"}.get(str(row["TRTEMFL"]), "")}


def doses() -> list[Row]:
    """One, two or three doses of thirty subjects; none of the others."""
    given = [(s, 1 + i % 3) for i, s in enumerate(built.SUBJECTS[:30])]
    return [{"USUBJID": s, "EXTRT": "X", "EXDOSE": 1, "ASTDT": "2021-03-01"} for s, n in given for _ in range(n)]


@pytest.mark.parametrize("coding", [graded, telling_nothing, renamed, twice, doubtful, worded])
def test_both_programs_agree_on_other_codings(tmp_path: Path, coding: Callable[[Row], Row]) -> None:
    both = Both(load_built(tmp_path / "trial", adae=[coding(dict(row)) for row in built.adae()], adex=doses()))
    for phrase in ("overall", "slow"):
        found = both.asked("ae", phrase)
        assert disagreements(found) == [] and left_out(found) == []
        assert len(found.compared) > 400


def test_both_programs_agree_where_the_endpoint_asks_for_emergence(both: Callable[[str], Both]) -> None:
    found = both("built").asked("ae", where="TRTEMFL == 'Y'")
    assert disagreements(found) == [] and left_out(found) == []


def test_classes_under_their_other_name_are_the_same_classes(tmp_path: Path) -> None:
    """AESOC where there is no AEBODSYS."""
    under = []
    for name in ("AEBODSYS", "AESOC"):
        rows = [{k if k != "AEBODSYS" else name: v for k, v in row.items()} for row in built.adae()]
        under.append(answer(Question("ae"), load_built(tmp_path / name, adae=rows)).rows)
    assert under[0] == under[1] and {"Nervous", "Infections", "Uncoded"} <= {r.variable for r in under[0]}
