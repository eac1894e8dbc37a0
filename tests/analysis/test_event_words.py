"""What the words of an adverse event data set say, by hand from CDISC's terminology (NY, ACN, OUT) and codings beside it."""

from __future__ import annotations

import numpy as np
import pytest

from alsbench.analysis.endpoints.event_words import flags_of, reading, word_warnings
from alsbench.data import codelists as coded
from alsbench.data.frames import Frame

Words = list[str | float | None]


def frame(**columns: Words) -> Frame:
    numeric = {name for name, values in columns.items() if any(isinstance(v, float) for v in values)}
    return Frame({n: np.array(v, dtype=np.float64 if n in numeric else object) for n, v in columns.items()})


def counted(flag: str, **columns: Words) -> list[int]:
    return flags_of(frame(**columns))[flag].astype(int).tolist()


WAYS: tuple[Words, ...] = (["Y", "N"], ["Yes", "No"], ["y", "n"], [1.0, 0.0], ["TRUE", "false"], [" Y ", "N "])
SILENT = (None, "", "U", "u", "UNKNOWN", "Unknown", "NA", "N/A", "perhaps")
LEFT = (
    "DRUG WITHDRAWN",
    "Study drug withdrawn",
    "PERMANENTLY DISCONTINUED",
    "Discontinued after dose 2",
    "WITHDRAWN, NOT RESTARTED",
)
STAYED = (
    "DOSE NOT CHANGED",
    "DOSE REDUCED",
    "DOSE RATE REDUCED",
    "DOSE INCREASED",
    "DRUG INTERRUPTED",
    "TEMPORARILY DISCONTINUED",
    "NOT WITHDRAWN",
    "Not permanently discontinued",
    "NOT APPLICABLE",
)


@pytest.mark.parametrize("words", WAYS)
@pytest.mark.parametrize(("column", "flag"), [("TRTEMFL", "emergent"), ("AESER", "serious"), ("AESDTH", "fatal")])
def test_a_flag_is_yes_or_no_however_it_is_written(words: Words, column: str, flag: str) -> None:
    data = frame(**{column: words})
    assert counted(flag, **{column: words}) == [1, 0]
    assert not [w for w in word_warnings(data) if w.startswith(column)]


@pytest.mark.parametrize("word", SILENT)
@pytest.mark.parametrize(
    ("column", "flag", "known", "worst"),
    [
        ("AESER", "serious", ["Y", "N"], "serious"),
        ("AESDTH", "fatal", ["Y", "N"], "fatal"),
        ("AEREL", "related", ["POSSIBLE", "NONE"], "related"),
        ("AREL", "related", ["RELATED", "NOT RELATED"], "related"),
        ("AESEV", "severe", ["SEVERE", "MILD"], "severe"),
        ("AETOXGR", "severe", ["3", "Grade 2"], "severe"),
        ("AEACN", "discontinued", ["DRUG WITHDRAWN", "DOSE NOT CHANGED"], "leading to discontinuation"),
        ("AEOUT", "fatal", ["FATAL", "RECOVERED/RESOLVED"], "fatal"),
        ("TRTEMFL", "emergent", ["Y", "N"], "treatment-emergent"),
    ],
)
def test_what_is_not_known_counts_as_the_worst_and_is_named(
    column: str, flag: str, known: Words, worst: str, word: str | None
) -> None:
    data = frame(**{column: [*known, word]})
    assert flags_of(data)[flag].tolist() == [1, 0, 1]
    said = "blank" if not word else f"'{word.upper()}'"
    assert f"{column} not known in 1 record ({said}): counted as {worst}" in word_warnings(data)


def test_what_is_not_counted_need_not_be_known() -> None:
    """An unknown seriousness of an event before the first dose changes no count: nothing is said of it."""
    data = frame(TRTEMFL=["Y", "N"], AESER=["N", None])
    assert not [w for w in word_warnings(data) if w.startswith("AESER")]


def test_a_blank_emergence_is_no_where_the_flag_is_y_or_blank() -> None:
    """ADaM Implementation Guide: a flag is Y or null. Where it says N too, a blank is nothing that is known."""
    assert counted("emergent", TRTEMFL=["Y", None, "U"]) == [1, 0, 1]
    assert counted("emergent", TRTEMFL=["Y", None, "N"]) == [1, 1, 0]
    part = frame(TRTEMFL=["Y", None])
    assert flags_of(part, reading(frame(TRTEMFL=["Y", None, "N"])))["emergent"].tolist() == [1, 1]


@pytest.mark.parametrize("words", [[None, ""], ["U", "NA"], ["oui", "non"]])
@pytest.mark.parametrize(("column", "flag"), [("AESER", "serious"), ("AEACN", "discontinued"), ("AESDTH", "fatal")])
def test_a_column_that_tells_nothing_makes_no_zero(words: Words, column: str, flag: str) -> None:
    data = frame(**{column: words})
    assert flag in reading(data).untold
    assert any(w.startswith(f"{column} is ") and w.endswith("is unknown, not zero") for w in word_warnings(data))


def test_who_left_the_drug() -> None:
    assert counted("discontinued", AEACN=[*LEFT, *STAYED]) == [1] * len(LEFT) + [0] * len(STAYED)
    assert not [w for w in word_warnings(frame(AEACN=[*LEFT, *STAYED])) if w.startswith("AEACN")]
    assert [coded.withdrawn(w) for w in ("NOT EVALUABLE", "STOPPED")] == pytest.approx([np.nan] * 2, nan_ok=True)


def test_a_death_is_said_by_flag_outcome_or_grade() -> None:
    columns: dict[str, Words] = {
        "AESDTH": ["Y", "", "N", "N"],
        "AEOUT": ["FATAL", "Fatal", "RECOVERED", "RECOVERED"],
        "AETOXGR": ["5", "3", "5", "2"],
    }
    assert counted("fatal", **columns) == [1, 1, 1, 0]


def test_a_death_that_another_column_excludes_is_none() -> None:
    """A blank AESDTH beside an event that was not serious, or from which the subject recovered (ICH E2A: death is serious)."""
    columns: dict[str, Words] = {
        "AESDTH": [None, None, "U", None],
        "AESER": ["N", "Y", "Y", "Y"],
        "AEOUT": [None, "RECOVERED/RESOLVED", "NOT RECOVERED/NOT RESOLVED", "UNKNOWN"],
    }
    assert counted("fatal", **columns) == [0, 0, 0, 1]
    assert [w for w in word_warnings(frame(**columns)) if "fatal" in w] == [
        "AESDTH and AEOUT not known in 1 record (blank, 'UNKNOWN'): counted as fatal"
    ]


def test_the_first_column_that_says_something_counts() -> None:
    assert counted("severe", AESEV=[None, "U", "MILD"], AETOXGR=["2", "4", "4"]) == [0, 1, 0]
    assert counted("related", AEREL=["", "NONE"], AREL=["NOT RELATED", "RELATED"]) == [0, 0]


def test_columns_that_are_not_there() -> None:
    """Relatedness and severity count as the worst; an absent TRTEMFL counts every record; the rest is unknown."""
    how = reading(frame(AEDECOD=["Nausea"]))
    assert set(how.untold) == {"related", "severe", "serious", "discontinued", "fatal"}
    found = flags_of(frame(AEDECOD=["Nausea"]), how)
    assert [found[k].tolist() for k in ("emergent", "related", "severe")] == [[1.0]] * 3
    assert word_warnings(frame(AEDECOD=["Nausea"])) == [
        "AEREL is not in the data: every event counts as related",
        "AESEV is not in the data: every event counts as severe",
        "AESER is not in the data: how many events were serious is unknown, not zero",
        "AEACN is not in the data: how many events were leading to discontinuation is unknown, not zero",
        "AESDTH or AEOUT is not in the data: how many events were fatal is unknown, not zero",
    ]
