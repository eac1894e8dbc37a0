"""Why their numbers differ: options and records whose cause is known by construction, or by another program.

Their numbers are R's (tests/reference/als-ref-1/expected: mmrm 0.3.18, emmeans 1.8.4.1, survival 3.5.3, WINS) where R did it
the other way; differences by records are made by hand in a copy of the snapshot, and what is left out there is the cause.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.built import trial as built

from alsbench.analysis.question import Question
from alsbench.analysis.reconcile.options import explain_by_options
from alsbench.analysis.reconcile.records import explain_by_records, minimal_groups
from alsbench.analysis.reconcile.reproduced import TheirNumber, row_place, without_plan
from alsbench.analysis.run import answer
from alsbench.analysis.source import Source
from alsbench.data.altered import CopiedTables, TwoDeliveries
from alsbench.data.snapshot import Snapshot, open_snapshot
from alsbench.errors import UsageError
from alsbench.progress import listening

EXPECTED = Path(__file__).parent.parent / "reference" / "als-ref-1" / "expected"
Altered = Callable[..., Snapshot]


def by_r(name: str) -> Any:
    return json.loads((EXPECTED / f"{name}.json").read_text())


def their(
    source: Source, question: Question, values: dict[str, float], decimals: int | None, **where: Any
) -> list[TheirNumber]:
    """What they have by statistic, where we have rows."""
    rows = [r for r in answer(question, source).rows if all(getattr(r, k) == v for k, v in where.items())]
    return [TheirNumber(next(r for r in rows if r.stat_name == name), value, decimals) for name, value in values.items()]


def of_line(line: dict[str, Any]) -> dict[str, float]:
    return {"difference": line["estimate"], "se": line["se"], "df": line["df"], "p_value": line["p"]}


AT_12 = {"context": "contrast", "treatment": "Group 2", "visit_number": 12.0, "level": None}
ANCOVA = Question("alsfrs_ancova", comparisons=("G2-M12",), visits=(12.0,))
SURVIVAL = Question("survival", comparisons=("G2-M12",))


# ---- options


@pytest.mark.parametrize(
    ("file", "words", "decimals"),
    [
        ("us_satt", ("df = satterthwaite",), 4),
        ("us_satt", ("df = satterthwaite",), None),
        ("ar1h_satt", ("df = satterthwaite", "covariance = ar1h"), 6),
    ],
)
def test_r_made_the_mmrm_otherwise(trial: Source, file: str, words: tuple[str, ...], decimals: int | None) -> None:
    question = Question("alsfrs", comparisons=("G2-M12",))
    lines = by_r(f"mmrm_alsfrs_overall_{file}")["contrasts_vs_ref"]
    line = next(r for r in lines if r["contrast"] == "Group 2 - Placebo" and r["AVISIT"] == "Month 12")
    found = explain_by_options(trial, question, their(trial, question, of_line(line), decimals, **AT_12))
    assert [h.words for h in found.hits] == [words] and found.explained
    assert f"and 3 more numbers are ours with {' and '.join(words)}" in found.sentence


def test_r_weighted_the_ls_means_as_observed(trial: Source) -> None:
    """emmeans, weights = "proportional". Both arms in one answer: no other alternative gives both."""
    lines = by_r("ancova_alsfrs_v12_group2_overall")["raw"]["lsm_proportional"]["lsmeans"]
    numbers = [
        n
        for r in lines
        for n in their(trial, ANCOVA, {"ls_mean": r["estimate"], "se": r["se"]}, 3, context="arm", arm=r["TRT01P"])
    ]
    found = explain_by_options(trial, ANCOVA, numbers)
    assert [h.words for h in found.hits] == [("observed margins",)]
    assert found.sentence.startswith("their -12.582 and 3 more numbers are ours with observed margins")


@pytest.mark.parametrize(
    ("model", "words", "said"),
    [
        ("adjusted", ("without strata",), "ours without strata"),
        ("stratified", ("without the covariate LEADRATE",), "ours without the covariate LEADRATE"),
        (
            "unadjusted",
            ("without the covariate LEADRATE", "without strata"),
            "ours without the covariate LEADRATE and without strata",
        ),
    ],
)
def test_r_left_something_out_of_the_cox_model(trial: Source, model: str, words: tuple[str, ...], said: str) -> None:
    """survival, coxph with Efron ties."""
    (line,) = [r for r in by_r("surv_group2_overall")["cox"][model]["efron"]["coefficients"] if r["term"] == "armGroup 2"]
    values = {"hazard_ratio": line["hr"], "hr_low": line["hr_lower"], "p_value": line["p"]}
    found = explain_by_options(trial, SURVIVAL, their(trial, SURVIVAL, values, 5, context="contrast"))
    assert words in [h.words for h in found.hits]
    assert said in found.sentence


def test_r_made_plain_intervals(trial: Source) -> None:
    """survival, survfit(conf.type = "plain")."""
    line = by_r("surv_group2_overall")["km"]["plain"]["Group 2"]["at_times"][1]
    values = {"survival": line["survival"], "survival_low": line["lower"]}
    found = explain_by_options(
        trial, SURVIVAL, their(trial, SURVIVAL, values, 6, context="arm", arm="Group 2", level="day 365")
    )
    assert [h.words for h in found.hits] == [("intervals = plain",)]


def test_one_alternative_must_give_every_number(trial: Source) -> None:
    """R's SE of the difference beside a p that belongs to nothing: the alternative that gives one of them is no explanation."""
    rows = by_r("ancova_alsfrs_v12_group2_overall")["raw"]["lsm_proportional"]["lsmeans"]
    se = next(r["se"] for r in rows if r["TRT01P"] == "Group 2")
    numbers = their(trial, ANCOVA, {"se": se, "df": 1234.0}, 6, context="arm", arm="Group 2")
    found = explain_by_options(trial, ANCOVA, numbers)
    assert not found.explained and found.nearest is not None and found.nearest.given == 1
    assert "observed margins" in found.nearest.words
    assert found.sentence.startswith(
        f"none of {found.tried} alternatives gives them all; 1 of 2 are ours with observed margins"
    )


def test_p_values_of_one_side(trial: Source) -> None:
    """Half the two-sided p, and one minus that: by definition."""
    ours = their(trial, ANCOVA, {"p_value": 0.5, "difference": 0.0}, 4, **AT_12)
    p, difference = (float(n.row.stat or 0) for n in ours)
    for value, words in ((p / 2, "a one-sided p (half of it)"), (1 - p / 2, "a one-sided p (1 minus half of it)")):
        numbers = [replace(ours[0], value=value), replace(ours[1], value=difference)]
        assert [h.words for h in explain_by_options(trial, ANCOVA, numbers).hits] == [(words,)]


def test_sides_exchanged_and_another_visit(trial: Source) -> None:
    """Placebo minus Group 2: every sign turned, limits exchanged; and the numbers of month 9 in the place of month 12's."""
    names = ("difference", "conf_low", "conf_high", "t", "p_value", "se")
    ours = {n.row.stat_name: n for n in their(trial, ANCOVA, dict.fromkeys(names, 0.0), None, **AT_12)}
    stat = {k: float(n.row.stat or 0) for k, n in ours.items()}
    turned = {
        "difference": -stat["difference"],
        "conf_low": -stat["conf_high"],
        "conf_high": -stat["conf_low"],
        "t": -stat["t"],
    }
    numbers = [replace(ours[k], value=v) for k, v in (turned | {"p_value": stat["p_value"], "se": stat["se"]}).items()]
    assert [h.words for h in explain_by_options(trial, ANCOVA, numbers).hits] == [("treatment and reference exchanged",)]
    nine = answer(replace(ANCOVA, visits=(9.0,)), trial)
    there = {k: nine.get(k, **(AT_12 | {"visit_number": 9.0})).number() for k in names}
    whole = replace(ANCOVA, visits=())
    numbers = [replace(ours[k], value=v, decimals=3) for k, v in there.items()]
    assert [h.words for h in explain_by_options(trial, whole, numbers).hits] == [("the visit Month 9",)]


def test_the_actual_arm(built_trial: Source) -> None:
    """Subjects of the built trial who took another arm than planned, counted from its rows by their actual arm."""
    subjects = [r for r in built.adsl() if r["FASFL"] == "Y"]
    planned, actual = ({a: sum(r[c] == a for r in subjects) for a in built.ARMS} for c in ("TRT01P", "TRT01A"))
    assert planned != actual
    question = Question("survival")
    rows = [r for r in answer(question, built_trial).rows if r.context == "subgroup" and r.arm is not None]
    assert {r.arm: r.stat for r in rows} == planned
    found = explain_by_options(built_trial, question, [TheirNumber(r, actual[str(r.arm)], 0) for r in rows])
    assert [h.words for h in found.hits] == [("the actual arm (TRT01A)",)]


def test_what_is_not_known_of_events(built_trial: Source) -> None:
    """Related events of the built trial by arm, counted from its rows: those of which nothing is known left out."""
    who = {r["USUBJID"]: r["TRT01A"] for r in built.adsl() if r["SAFFL"] == "Y"}
    emergent = [r for r in built.adae() if r["TRTEMFL"] != "N" and r["USUBJID"] in who]
    known = {
        a: len({r["USUBJID"] for r in emergent if r["AEREL"] in RELATED_HERE and who[r["USUBJID"]] == a}) for a in built.ARMS
    }
    question = Question("ae")
    rows = [r for r in answer(question, built_trial).rows if r.stat_name == "count" and r.level == "related"]
    ours = {r.arm: r.stat for r in rows}
    assert ours != known and all(int(ours[a] or 0) >= known[a] for a in built.ARMS)
    found = explain_by_options(built_trial, question, [TheirNumber(r, known[str(r.arm)], 0) for r in rows])
    assert [h.words for h in found.hits] == [("unknown relatedness counted as not related (AEREL)",)]


RELATED_HERE = {"RELATED", "POSSIBLE", "PROBABLE", "Y"}


def test_several_explanations_of_few_digits_are_all_named(trial: Source) -> None:
    """A p printed with one decimal: more than one alternative prints it, each is named, and chance is said to do it."""
    ours = their(trial, ANCOVA, {"p_value": 0.0}, 1, **AT_12)
    p = float(ours[0].row.stat or 0)
    theirs = round(p / 2, 1) if round(p / 2, 1) != round(p, 1) else round(1 - p / 2, 1)
    found = explain_by_options(trial, ANCOVA, [replace(ours[0], value=theirs)])
    assert len(found.hits) > 1 and all(len(h.words) == 1 and round(h.values[0] or 9, 1) == theirs for h in found.hits)
    assert "; or with " in found.sentence or "; or without " in found.sentence
    assert found.chance > 0.05 and "would give it by chance" in found.sentence


def test_nothing_explains_and_nothing_to_explain(trial: Source) -> None:
    far = their(trial, ANCOVA, {"difference": 1e6}, 2, **AT_12)
    found = explain_by_options(trial, ANCOVA, far)
    assert not found.explained and found.nearest is None and found.left == 0
    assert found.sentence == f"none of {found.tried} alternatives gives it"
    same = [replace(far[0], value=float(far[0].row.stat or 0))]
    found = explain_by_options(trial, ANCOVA, same)
    assert found.sentence.endswith("is ours at the digits given: there is nothing to explain") and found.analyses == 0


def test_the_budget_is_one_of_analyses(trial: Source) -> None:
    """No more analyses than allowed; what was not tried is counted; the same arguments give the same answer."""
    far = their(trial, ANCOVA, {"difference": 1e6}, 2, **AT_12)
    told: list[tuple[str, int, int]] = []
    with listening(lambda *said: told.append(said)):
        found = explain_by_options(trial, ANCOVA, far, budget=4)
    assert found.analyses == 4 and found.left > 0
    assert f"{found.left} more were not tried (budget of 4 analyses)" in found.sentence
    assert told[0][0] == "alternatives" and found == explain_by_options(trial, ANCOVA, far, budget=4)
    with pytest.raises(UsageError, match="0 analyses"):
        explain_by_options(trial, ANCOVA, far, budget=0)
    with pytest.raises(UsageError, match="no number"):
        explain_by_options(trial, ANCOVA, [])


def test_printed_digits_bounds_and_full_doubles(trial: Source) -> None:
    """Rounded once, half away from zero; ``<0.001`` is any smaller p; a full double has the tolerance of its kind."""
    (number,) = their(trial, ANCOVA, {"p_value": 0.0312}, 4, **AT_12)
    assert number.text() == "0.0312" and number.given_by(0.03115) and number.given_by(0.031249)
    assert not number.given_by(0.03125) and not number.given_by(0.031149) and not number.given_by(None)
    small = replace(number, value=0.001, decimals=3, bound="<")
    assert small.text() == "<0.001" and small.given_by(0.0009999) and not small.given_by(0.001)
    whole = replace(number, decimals=None)
    assert whole.given_by(0.0312 + 0.9e-6) and not whole.given_by(0.0312 + 1.1e-6)  # p: 1e-6 absolutely
    assert not any(number.given_by(far) for far in (1e300, -1e40, float("inf"), float("nan")))
    assert replace(number, value=1e300).text() == "1e+300" and replace(number, value=1e300).given_by(1e300)
    with pytest.raises(UsageError, match="decimals"):
        replace(number, decimals=99)


# ---- records


@pytest.fixture
def altered(trial: Source, tmp_path: Path) -> Altered:
    """The trial's snapshot with statements made to a copy of it: another delivery."""

    def alter(*statements: str, tables: Sequence[str] = ("ADQS",), renamed: tuple[str, str] = ("", "")) -> Snapshot:
        path = tmp_path / "theirs.duckdb"
        shutil.copy(trial.snapshot.path, path)
        with duckdb.connect(str(path)) as connection:
            for sql in statements:
                connection.execute(sql)
            (text,) = connection.execute("SELECT content FROM alsbench_meta.snapshot").fetchall()[0]
            meta = json.loads(text)
            for table in meta["tables"]:
                if table["name"] in tables:
                    table["sha256"] = f"altered {table['name']}"
                    for column in table["columns"]:
                        column["name"] = renamed[1] if column["name"] == renamed[0] else column["name"]
            connection.execute("UPDATE alsbench_meta.snapshot SET content = ?", [json.dumps(meta)])
        return open_snapshot(path)

    return alter


def have_values(source: Source, arm: str, visit: int) -> list[str]:
    """Subjects of an arm with a change at a visit, by SQL."""
    sql = (
        "SELECT q.USUBJID FROM ADQS q JOIN ADSL s ON s.USUBJID = q.USUBJID WHERE s.TRT01P = ? AND s.FASFL = 'Y' "
        "AND q.PARAMCD = 'ALSFRSR' AND q.AVISITN = ? AND q.CHG IS NOT NULL ORDER BY 1"
    )
    return [str(s) for (s,) in source.snapshot.rows(sql, [arm, visit])]


def n_at_12(source: Source, less: int = 0, arm: str = "Group 2") -> list[TheirNumber]:
    (number,) = their(source, ANCOVA, {"n": 0.0}, 0, context="arm", arm=arm, visit_number=12.0)
    return [replace(number, value=float(number.row.stat or 0) - less)]


def without(subject: str, visit: int = 12) -> str:
    return f"DELETE FROM ADQS WHERE USUBJID = '{subject}' AND AVISITN = {visit} AND PARAMCD = 'ALSFRSR'"


NOISE = "UPDATE ADQS SET AVAL = AVAL * (1 + 2e-16) WHERE PARAMCD = 'ALSFRSR' AND AVISITN > 0"
ELSEWHERE = "UPDATE ADQS SET CHG = CHG + 1 WHERE PARAMCD = 'ALSFRSR' AND AVISITN = 3"


def test_one_record_accounts_for_it(trial: Source, altered: Altered) -> None:
    """They lack one value of Group 2 at month 12, so that their n is one less; a hundred other records differ too."""
    subject = have_values(trial, "Group 2", 12)[3]
    found = explain_by_records(trial, altered(NOISE, ELSEWHERE, without(subject)), ANCOVA, n_at_12(trial, 1))
    assert found.ending == "minimal" and found.differing > 100
    assert [(c.table, c.kind, c.subject, c.visit) for c in found.changes] == [("ADQS", "removed", subject, "Month 12")]
    assert found.sentence == (
        f"1 record of ADQS that they do not have (subject {subject}; Month 12) accounts for it; it cannot be left out; "
        "another such set may exist"
    )
    assert found == explain_by_records(trial, altered(NOISE, ELSEWHERE, without(subject)), ANCOVA, n_at_12(trial, 1))


def test_three_records_only_together(trial: Source, altered: Altered) -> None:
    """They lack three values, of n three less: no one and no two of them give it."""
    gone = have_values(trial, "Group 2", 12)[2:11:4]
    theirs = altered(ELSEWHERE, *(without(s) for s in gone))
    found = explain_by_records(trial, theirs, ANCOVA, n_at_12(trial, 3))
    assert found.ending == "minimal" and {c.subject for c in found.changes} == set(gone)
    named = ", ".join(c.subject for c in found.changes)
    assert f"3 records of ADQS that they do not have (subjects {named}; Month 12) account for it" in found.sentence
    assert "none of them can be left out" in found.sentence


def test_subjects_are_counted_where_a_mask_holds(trial: Source, altered: Altered) -> None:
    gone = have_values(trial, "Group 2", 12)[2:11:4]
    theirs = altered(*(without(s) for s in gone))
    found = explain_by_records(trial, theirs, ANCOVA, n_at_12(trial, 3), mask=5)
    assert not any(s in found.sentence for s in gone)
    assert found.sentence.startswith("fewer than 5 records of ADQS that they do not have (fewer than 5 subjects; Month 12)")
    assert replace(found, mask=3).sentence.startswith("3 records of ADQS that they do not have (3 subjects; Month 12)")


def test_a_subject_in_the_other_arm(trial: Source, altered: Altered) -> None:
    """One record of ADSL: n is one less in Group 2 and one more in the control arm."""
    subject = have_values(trial, "Group 2", 12)[0]
    swap = f"UPDATE ADSL SET TRT01P = 'Placebo' WHERE USUBJID = '{subject}'"
    theirs = altered(NOISE, "UPDATE ADSL SET AGE = AGE + 1", swap, tables=("ADQS", "ADSL"))
    numbers = [*n_at_12(trial, 1), *n_at_12(trial, -1, "Placebo")]
    found = explain_by_records(trial, theirs, ANCOVA, numbers)
    assert [(c.table, c.kind, c.subject) for c in found.changes] == [("ADSL", "changed", subject)]
    assert found.sentence.startswith(f"1 record of ADSL changed in TRT01P, AGE (subject {subject}) accounts for them")


def test_a_value_moved_to_another_visit_is_gone_and_new(trial: Source, altered: Altered) -> None:
    """Month 12's value stands at month 11 in their data, where the subject has none: n is one less and one more."""
    at_11 = set(have_values(trial, "Group 2", 11))
    subject = next(s for s in have_values(trial, "Group 2", 12) if s in at_11)
    move = f"UPDATE ADQS SET AVISITN = 11, AVISIT = 'Month 11' WHERE USUBJID = '{subject}' AND AVISITN = 12"
    first = f"DELETE FROM ADQS WHERE USUBJID = '{subject}' AND AVISITN = 11"
    theirs = altered(first, move)
    whole = replace(ANCOVA, visits=(11.0, 12.0))
    (at_eleven,) = their(trial, whole, {"n": 0.0}, 0, context="arm", arm="Group 2", visit_number=11.0)
    numbers = [*n_at_12(trial, 1), replace(at_eleven, value=float(at_eleven.row.stat or 0))]
    found = explain_by_records(trial, theirs, whole, numbers)
    assert found.ending == "minimal" and {c.subject for c in found.changes} == {subject}
    assert [c.kind for c in found.changes if c.visit == "Month 12"] == ["removed"]


def test_changed_values_give_what_least_squares_gives_of_them(trial: Source, altered: Altered) -> None:
    """Two changes at month 12 raised by 5 and 7 points: the difference by numpy's least squares of their rows is the number
    that is to be explained, to all digits; both records are found among others."""
    first, second = have_values(trial, "Group 2", 12)[1], have_values(trial, "Placebo", 12)[1]
    raise_ = "UPDATE ADQS SET CHG = CHG + {} WHERE USUBJID = '{}' AND AVISITN = 12 AND PARAMCD = 'ALSFRSR'"
    theirs = altered(ELSEWHERE, raise_.format(5, first), raise_.format(7, second))
    sql = (
        "SELECT q.CHG, s.TRT01P = 'Group 2', q.BASE, s.LEADRATE, s.ONSETSIT = 'LIMB', s.RILUFL = 'Y' FROM ADQS q JOIN ADSL s "
        "ON s.USUBJID = q.USUBJID WHERE q.PARAMCD = 'ALSFRSR' AND q.AVISITN = 12 AND s.FASFL = 'Y' AND q.CHG IS NOT NULL "
        "AND s.TRT01P IN ('Placebo', 'Group 2')"
    )
    rows = np.array(theirs.rows(sql), dtype=float)
    design = np.column_stack([np.ones(len(rows)), rows[:, 1:]])
    difference = float(np.linalg.lstsq(design, rows[:, 0], rcond=None)[0][1])
    found = explain_by_records(trial, theirs, ANCOVA, their(trial, ANCOVA, {"difference": difference}, None, **AT_12))
    assert found.ending == "minimal" and {c.subject for c in found.changes} == {first, second}
    assert {c.columns for c in found.changes} == {("CHG",)}


def test_where_records_do_not_account_for_it(trial: Source, altered: Altered) -> None:
    """Their number is of no records; the tables are equal; ours is theirs already."""
    subject = have_values(trial, "Group 2", 12)[0]
    theirs = altered(without(subject), ELSEWHERE)
    n = float(n_at_12(trial)[0].value)
    found = explain_by_records(trial, theirs, ANCOVA, n_at_12(trial, 7))
    assert not found.explained and found.analyses == 1 and found.values == (n - 1,)
    assert found.sentence == f"even all {found.differing} changed records do not give it (with them ours is {n - 1:g})"
    assert explain_by_records(trial, theirs, ANCOVA, n_at_12(trial, 0)).ending == "same number"
    equal = explain_by_records(trial, trial.snapshot, ANCOVA, n_at_12(trial, 1))
    assert equal.ending == "same records" and "the same records on both sides" in equal.sentence


def test_the_budget_ends_with_the_smallest_set_so_far(trial: Source, altered: Altered) -> None:
    gone = have_values(trial, "Group 2", 12)[:9]
    theirs = altered(*(without(s) for s in gone))
    found = explain_by_records(trial, theirs, ANCOVA, n_at_12(trial, 9), budget=5)
    assert found.ending == "budget ended" and found.analyses == 5 and len(found.changes) == 9
    assert "the budget of 5 analyses ended before it was known whether some of them can be left out" in found.sentence


def test_columns_of_one_side_are_named(trial: Source, altered: Altered) -> None:
    statements = ("ALTER TABLE ADQS RENAME CHG TO CHANGE", without(have_values(trial, "Group 2", 12)[0]))
    renamed = altered(*statements, renamed=("CHG", "CHANGE"))
    found = explain_by_records(trial, renamed, ANCOVA, n_at_12(trial, 7))
    assert "only one side has ADQS.CHANGE, ADQS.CHG" in found.sentence
    assert explain_by_records(trial, renamed, ANCOVA, n_at_12(trial, 1)).ending == "minimal"


# ---- the data sets in between, and delta debugging itself


def content(snapshot: Snapshot, table: str) -> list[tuple[Any, ...]]:
    return sorted(snapshot.rows(f'SELECT * FROM "{table}"'), key=repr)


def test_no_change_gives_our_data_and_all_changes_theirs(trial: Source, altered: Altered) -> None:
    """Rows that are twice in a table, a blank that is filled, a record that is new: as in their table, row by row."""
    subject = have_values(trial, "Group 2", 12)[0]
    theirs = altered(
        NOISE,
        without(subject),
        "INSERT INTO ADQS SELECT * FROM ADQS WHERE AVISITN = 0 AND PARAMCD = 'ALSFRSR' LIMIT 2",
        "INSERT INTO ADQS SELECT * REPLACE (13 AS AVISITN, 'Month 13' AS AVISIT) FROM ADQS WHERE AVISITN = 12 LIMIT 3",
        "UPDATE ADQS SET AVAL = NULL WHERE AVISITN = 9 AND PARAMCD = 'ALSFRSR'",
    )
    read = {"ADQS": None, "ADSL": None}
    with TwoDeliveries(trial.snapshot, theirs, read, subject="USUBJID", visits=("AVISIT",)) as both:
        assert [c.number for c in both.changes] == list(range(len(both.changes)))
        assert content(both.mixed(()), "ADQS") == content(trial.snapshot, "ADQS")
        kinds = {k: sum(c.kind == k for c in both.changes) for k in ("added", "removed", "changed")}
        assert kinds["added"] == 5 and kinds["removed"] == 1
        assert content(both.mixed(range(len(both.changes))), "ADQS") == content(theirs, "ADQS")
        noise = [c for c in both.changes if c.noise]
        assert noise and {c.visit for c in noise}.isdisjoint({"Month 9"}) and all(c.columns == ("AVAL",) for c in noise)
        assert content(both.mixed(()), "ADSL") == content(trial.snapshot, "ADSL")


def test_neither_snapshot_is_touched(trial: Source, altered: Altered) -> None:
    theirs = altered(ELSEWHERE)
    before = [p.read_bytes() for p in (trial.snapshot.path, theirs.path)]
    explain_by_records(trial, theirs, ANCOVA, n_at_12(trial, 1))
    explain_by_options(trial, ANCOVA, n_at_12(trial, 40))
    assert [p.read_bytes() for p in (trial.snapshot.path, theirs.path)] == before


@settings(deadline=None)
@given(st.integers(2, 24), st.sets(st.integers(0, 23), min_size=1, max_size=5), st.integers(0, 2**24 - 1), st.booleans())
def test_what_is_left_is_one_minimal(size: int, wanted: set[int], noise: int, odd: bool) -> None:
    """Whatever is looked for, monotone or not: the set found gives it, and without any one of it, not."""
    need = frozenset(w % size for w in wanted)

    def gives(groups: Sequence[tuple[int, ...]]) -> bool:
        chosen = frozenset(n for g in groups for n in g)
        if odd and len(chosen) < size and len(chosen) % 3 == noise % 3 and not chosen <= need:
            return False  # a data set that cannot be analysed
        return need <= chosen

    found = minimal_groups([(i,) for i in range(size)], gives)
    assert gives(found)
    assert len(found) == 1 or not any(gives([g for g in found if g != left]) for left in found)
    if not odd:
        assert {n for g in found for n in g} == need


def test_copies_are_not_copied_again(trial: Source) -> None:
    """The file of a snapshot in memory holds the tables as they were: what was altered would be lost without a word."""
    with CopiedTables(trial.snapshot, ["ADSL"]) as copies, pytest.raises(TypeError, match="on disk"):
        CopiedTables(copies.rewrite("ADSL", {"AGE": "1.0"}), ["ADSL"])


def test_a_plan_of_several_endpoints_stands_beside_no_trial_of_the_search(trial: Source) -> None:
    assert without_plan(trial).study.multiplicity is None and without_plan(trial).results_dir is None
    assert row_place(n_at_12(trial)[0].row)[-1] == "n"
