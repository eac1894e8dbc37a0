"""What the words of an adverse event data set say, by hand from CDISC's terminology (NY, ACN, OUT) and codings beside it."""

from __future__ import annotations

import numpy as np
import pytest

from alsbench.analysis.endpoints.event_words import flags_of, word_warnings
from alsbench.data.frames import Frame


def frame(**columns: list[str | float | None]) -> Frame:
    numeric = {name for name, values in columns.items() if any(isinstance(v, float) for v in values)}
    return Frame({n: np.array(v, dtype=np.float64 if n in numeric else object) for n, v in columns.items()})


def counted(flag: str, **columns: list[str | float | None]) -> list[int]:
    return flags_of(frame(**columns))[flag].astype(int).tolist()


WAYS: tuple[list[str | float | None], ...] = (
    ["Y", "N", None],
    ["Yes", "No", ""],
    ["y", "n", "U"],
    [1.0, 0.0, None],
    ["TRUE", "false", "NA"],
)
LEFT = (
    "DRUG WITHDRAWN",
    "Study drug withdrawn",
    "PERMANENTLY DISCONTINUED",
    "Discontinued after dose 2",
    "WITHDRAWN, NOT RESTARTED",
)
STAYED = (
    "DOSE NOT CHANGED",
    "DRUG INTERRUPTED",
    "TEMPORARILY DISCONTINUED",
    "NOT WITHDRAWN",
    "Not permanently discontinued",
    None,
)


@pytest.mark.parametrize("words", WAYS)
@pytest.mark.parametrize(("column", "flag"), [("TRTEMFL", "emergent"), ("AESER", "serious"), ("AESDTH", "fatal")])
def test_a_flag_is_yes_or_no_however_it_is_written(words: list[str | float | None], column: str, flag: str) -> None:
    """Missing and unknown are no: a serious event is one that was called so."""
    assert counted(flag, **{column: words}) == [1, 0, 0]
    assert word_warnings(frame(**{column: words})) == []


def test_a_word_that_is_not_known_counts_as_the_worst_and_is_said() -> None:
    data = frame(
        AESER=["perhaps", "N"], AEREL=["Unlikely", "NOT RELATED"], AESEV=["Grade 1 (mild)", "MILD"], AEACN=["STOPPED", "NONE"]
    )
    found = flags_of(data)
    assert [found[k].tolist() for k in ("serious", "related", "severe", "discontinued")] == [[1, 0], [1, 0], [1, 0], [0, 0]]
    assert word_warnings(data) == [
        "AESER holds words that are not known, counted as yes: 'PERHAPS'",
        "AEREL holds words that are not known, counted as related: 'UNLIKELY'",
        "AESEV holds words that are not known, counted as severe: 'GRADE 1 (MILD)'",
        "AEACN holds words that are not known, counted as not leading to discontinuation: 'STOPPED'",
    ]


def test_who_left_the_drug() -> None:
    assert counted("discontinued", AEACN=[*LEFT, *STAYED]) == [1] * len(LEFT) + [0] * len(STAYED)
    assert word_warnings(frame(AEACN=[*LEFT, *STAYED])) == []


def test_a_death_is_said_by_flag_outcome_or_grade() -> None:
    columns = {
        "AESDTH": ["Y", "", "N", "N"],
        "AEOUT": ["FATAL", "Fatal", "RECOVERED", "RECOVERED"],
        "AETOXGR": ["5", "3", "5", "2"],
    }
    assert counted("fatal", **columns) == [1, 1, 1, 0]
    assert counted("fatal", AEOUT=["FATAL", None]) == [1, 0]


def test_columns_that_are_not_there() -> None:
    found = flags_of(frame(AEDECOD=["Nausea"]))
    assert {k: v.tolist() for k, v in found.items()} == {
        "emergent": [1.0], "related": [1.0], "severe": [1.0], "serious": [0.0], "discontinued": [0.0], "fatal": [0.0]
    }  # fmt: skip
    assert word_warnings(frame(AEDECOD=["Nausea"])) == []
