"""Small results with numbers chosen by hand, for what is shown rather than what is computed."""

from __future__ import annotations

import pytest

from alsbench.analysis.result import Facts, Provenance, Result, Row

SNAPSHOT = "a" * 64
STUDY = "b" * 64


def provenance(**changed: object) -> Provenance:
    values: dict[str, object] = {
        "snapshot": SNAPSHOT,
        "study": STUDY,
        "engine": "0.1.0",
        "post_hoc": True,
        "synthetic": True,
        "command": "alsbench endpoint alsfrs --subgroup slow",
        "sources": ("ADSL", "ADQS"),
        "study_id": "ALSREF01",
    }
    return Provenance(**(values | changed))  # type: ignore[arg-type]


def make_row(context: str, stat_name: str, stat: object, **more: object) -> Row:
    values: dict[str, object] = {"endpoint": "alsfrs", "method": "mmrm", "population": "FAS", "subgroup": "slow"}
    return Row(**(values | more), context=context, stat_name=stat_name, stat=stat)  # type: ignore[arg-type]


def result(rows: list[Row], *, title: str = "ALSFRS-R total score, change from baseline", **changed: object) -> Result:
    facts = Facts(
        title,
        lines=(("Population", "FAS"), ("Subgroup", "slow: LEADRATE <= mean(LEADRATE) = 1.0123")),
        footnotes=("Confidence intervals are two-sided 95% intervals.",),
    )
    question = {"endpoint": "alsfrs", "method": "mmrm", "population": "FAS", "subgroups": ["slow"]}
    return Result(question, provenance(**changed), tuple(rows), facts)


ARMS = ("Placebo", "Group 1", "Group 2")


@pytest.fixture
def mmrm() -> Result:
    """Two visits, three arms, two comparisons; Group 1 cannot be estimated at the second visit."""
    rows = [make_row("subgroup", "n", 58), make_row("subgroup", "cut", 1.01234, level="mean(LEADRATE)")]
    means = {6: (-4.123456789, -3.005, -0.0049), 12: (-10.5, None, -7.25)}
    for number, values in means.items():
        for arm, mean in zip(ARMS, values, strict=True):
            at = {"visit": f"Month {number}", "visit_number": float(number), "arm": arm}
            rows.append(make_row("arm", "n", 20, **at))
            error = None if mean is not None else "no rows of Group 1 at Month 12"
            rows.append(make_row("arm", "ls_mean", mean, error=error, **at))
            rows.append(make_row("arm", "se", None if mean is None else 0.5125, error=error, **at))
    for number, treatment, difference, p in (
        (6, "Group 1", 1.118456789, 0.0237),
        (6, "Group 2", 4.118556789, 0.00099999),
        (12, "Group 1", None, None),
        (12, "Group 2", 3.25, 0.99996),
    ):
        at = {"visit": f"Month {number}", "visit_number": float(number), "treatment": treatment, "reference": "Placebo"}
        error = None if difference is not None else "no rows of Group 1 at Month 12"
        low, high = (None, None) if difference is None else (difference - 2.345, difference + 2.345)
        for name, value in (("difference", difference), ("conf_low", low), ("conf_high", high), ("p_value", p)):
            rows.append(make_row("contrast", name, value, error=error, **at))
    return result(rows)


@pytest.fixture
def row():
    """Makes a row of ``alsfrs``, MMRM, FAS, ``slow`` unless told otherwise: ``row(context, stat_name, stat, **more)``."""
    return make_row


@pytest.fixture
def result_of():
    """Makes a result of rows: ``result_of(rows, title=..., **provenance)``."""
    return result
