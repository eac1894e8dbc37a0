"""Subjects: one row each in ADSL, arms and analysis sets that can be read, the same treatment everywhere."""

from __future__ import annotations

from collections.abc import Iterator

from alsbench.data.receipt import Severity
from alsbench.data.rules.core import DUPLICATED, SUBJECT_TABLE, RuleData, Violation, broken, rule
from alsbench.data.sql import constant, quote
from alsbench.study.names import nearest


@rule("subject-table", "error", "there is a subject-level table ADSL", needs_study=True)
def subject_table(trial: RuleData) -> Iterator[Violation]:
    if SUBJECT_TABLE not in trial.snapshot.tables:
        yield Violation(
            SUBJECT_TABLE, f"no data set is named {SUBJECT_TABLE}", hint="load the subject-level data set, one row per subject"
        )


@rule("subject-column", "error", "every data set the study uses has the subject column", needs_study=True)
def subject_column(trial: RuleData) -> Iterator[Violation]:
    used = {SUBJECT_TABLE} | {e.dataset.upper() for e in trial.study.endpoints.values() if e.dataset}
    for table in trial.snapshot.tables.values():
        if table.name in used and trial.subject not in table:
            yield Violation(table.name, f"there is no column {trial.subject}", hint=nearest(trial.subject, table.kinds))


@rule("subject-unique", "error", "ADSL has one row per subject")
def subject_unique(trial: RuleData) -> Iterator[Violation]:
    if trial.adsl is not None:
        hits = trial.among(trial.adsl, [trial.subject], DUPLICATED)
        yield from broken(trial.adsl, f"{{n}} rows share their {trial.subject} with another row", hits)


@rule("subject-missing", "error", "every row names its subject")
def subject_missing(trial: RuleData) -> Iterator[Violation]:
    for table in trial.snapshot.tables.values():
        if trial.subject in table:
            hits = trial.where(table, f"{quote(trial.subject)} IS NULL")
            severity: Severity | None = None if table.name == SUBJECT_TABLE else "warning"
            yield from broken(table, f"{{n}} rows have no {trial.subject}", hits, severity=severity)


@rule("subject-unknown", "warning", "every subject with records is in ADSL")
def subject_unknown(trial: RuleData) -> Iterator[Violation]:
    if trial.adsl is None:
        return
    subject = quote(trial.subject)
    for table in trial.snapshot.tables.values():
        if (
            table.name != SUBJECT_TABLE
            and trial.subject in table
            and table.kinds[trial.subject] == trial.adsl.kinds[trial.subject]
        ):
            known = f"SELECT {subject} FROM {quote(SUBJECT_TABLE)} WHERE {subject} IS NOT NULL"
            hits = trial.where(table, f"{subject} NOT IN ({known})")
            yield from broken(table, "{n} rows are of subjects who are not in ADSL", hits)


@rule("subject-kind", "error", "the subject column has the same kind everywhere")
def subject_kind(trial: RuleData) -> Iterator[Violation]:
    if trial.adsl is None:
        return
    wanted = trial.adsl.kinds[trial.subject]
    for table in trial.snapshot.tables.values():
        if trial.subject in table and table.kinds[trial.subject] != wanted:
            yield Violation(
                table.name, f"{trial.subject} is a {table.kinds[trial.subject]} here and a {wanted} in {SUBJECT_TABLE}"
            )


@rule("one-study", "warning", "all rows are of one study")
def one_study(trial: RuleData) -> Iterator[Violation]:
    for table in trial.snapshot.tables.values():
        if "STUDYID" in table:
            (count,) = trial.snapshot.rows(f'SELECT count(DISTINCT "STUDYID") FROM {quote(table.name)}')[0]
            if count > 1:
                yield Violation(table.name, f"STUDYID has {count} values", count)


@rule("arm-column", "error", "the arm columns of the study are in ADSL", needs_study=True)
def arm_column(trial: RuleData) -> Iterator[Violation]:
    if trial.adsl is None:
        return
    wanted: tuple[tuple[str, Severity], ...] = ((trial.study.arms.planned, "error"), (trial.study.arms.actual, "warning"))
    for column, severity in wanted:
        if column not in trial.adsl:
            yield Violation(
                SUBJECT_TABLE, f"there is no arm column {column}", severity=severity, hint=nearest(column, trial.adsl.kinds)
            )


@rule("arm-absent", "error", "every arm of the study is in the data", needs_study=True)
def arm_absent(trial: RuleData) -> Iterator[Violation]:
    planned = trial.study.arms.planned
    if trial.adsl is None or planned not in trial.adsl:
        return
    present = [
        str(r[0])
        for r in trial.snapshot.rows(f"SELECT DISTINCT {quote(planned)} AS a FROM {quote(SUBJECT_TABLE)} ORDER BY a")
        if r[0] is not None
    ]
    arms = trial.study.arms
    named = [
        *arms.order,
        arms.reference,
        *(c.treatment for c in trial.study.comparisons),
        *(c.reference for c in trial.study.comparisons),
    ]
    for arm in dict.fromkeys(a for a in named if a):
        if arm not in present:
            yield Violation(
                SUBJECT_TABLE, f"no subject has {planned} = {arm!r}, an arm of the study", hint=nearest(arm, present)
            )


@rule("arm-unlisted", "note", "every arm in the data is in the study", needs_study=True)
def arm_unlisted(trial: RuleData) -> Iterator[Violation]:
    planned = trial.study.arms.planned
    if trial.adsl is not None and trial.adsl.kinds.get(planned) == "text":
        arms = ", ".join(constant(a) for a in trial.study.arms.order)
        hits = trial.where(trial.adsl, f"{quote(planned)} NOT IN ({arms})")
        yield from broken(trial.adsl, f"{{n}} subjects have a {planned} that is not in arms.order; they are not analysed", hits)


@rule("arm-missing", "error", "everybody in the default population has a planned arm", needs_study=True)
def arm_missing(trial: RuleData) -> Iterator[Violation]:
    populations, planned = trial.study.populations, trial.study.arms.planned
    flag = populations.flags.get(populations.default, "")
    if trial.adsl is not None and planned in trial.adsl and trial.adsl.kinds.get(flag) == "text":
        hits = trial.where(trial.adsl, f"{quote(flag)} = 'Y' AND {quote(planned)} IS NULL")
        yield from broken(trial.adsl, f"{{n}} subjects with {flag} = 'Y' have no {planned}", hits)


@rule("population-flag", "error", "the flag columns of the study's populations are in ADSL", needs_study=True)
def population_flag(trial: RuleData) -> Iterator[Violation]:
    if trial.adsl is None:
        return
    for name, flag in trial.study.populations.flags.items():
        if flag not in trial.adsl:
            yield Violation(
                SUBJECT_TABLE, f"there is no column {flag}, the flag of population {name}", hint=nearest(flag, trial.adsl.kinds)
            )


@rule("population-values", "error", "population flags are Y, N or blank", needs_study=True)
def population_values(trial: RuleData) -> Iterator[Violation]:
    if trial.adsl is None:
        return
    for flag in dict.fromkeys(trial.study.populations.flags.values()):
        if flag not in trial.adsl:
            continue
        if trial.adsl.kinds[flag] != "text":
            yield Violation(SUBJECT_TABLE, f"{flag} is a {trial.adsl.kinds[flag]}; population flags are 'Y', 'N' or blank")
            continue
        hits = trial.where(trial.adsl, f"{quote(flag)} NOT IN ('Y', 'N')")
        yield from broken(trial.adsl, f"{flag} is neither Y, N nor blank in {{n}} rows", hits)


@rule("population-empty", "error", "every population of the study has subjects", needs_study=True)
def population_empty(trial: RuleData) -> Iterator[Violation]:
    if trial.adsl is None:
        return
    for name, flag in trial.study.populations.flags.items():
        if trial.adsl.kinds.get(flag) == "text" and not trial.holds(trial.adsl, f"{quote(flag)} = 'Y'"):
            severity: Severity | None = None if name == trial.study.populations.default else "warning"
            yield Violation(SUBJECT_TABLE, f"nobody has {flag} = 'Y': population {name} is empty", severity=severity)


@rule("flag-values", "warning", "flags of ADSL and of analysis records are Y, N or blank")
def flag_values(trial: RuleData) -> Iterator[Violation]:
    judged = set(trial.study_or_none.populations.flags.values()) if trial.study_or_none else set()
    for table in (*((trial.adsl,) if trial.adsl is not None else ()), *trial.records):
        for column in table.columns:
            population = table is trial.adsl and column.name in judged  # rule population-values
            if column.name.endswith("FL") and column.kind == "text" and not population:
                hits = trial.where(table, f"{quote(column.name)} NOT IN ('Y', 'N')")
                yield from broken(table, f"{column.name} is neither Y, N nor blank in {{n}} rows", hits)


@rule("treatment-mismatch", "error", "arms carried in other data sets are those of ADSL")
def treatment_mismatch(trial: RuleData) -> Iterator[Violation]:
    if trial.adsl is None:
        return
    arms = trial.study_or_none.arms if trial.study_or_none else None
    carried = list(dict.fromkeys([arms.planned, arms.actual] if arms else ["TRT01P", "TRT01A"]))
    for table in trial.snapshot.tables.values():
        if table.name == SUBJECT_TABLE or trial.subject not in table:
            continue
        for column in carried:
            if column in table and column in trial.adsl and table.kinds[column] == trial.adsl.kinds[column]:
                name = quote(column)
                hits = trial.joined(table, f"r.{name} IS DISTINCT FROM s.{name} AND r.{name} IS NOT NULL")
                yield from broken(table, f"{column} differs from ADSL in {{n}} rows", hits)
        for column in (f"{name}N" for name in carried):  # nothing is computed from the numbers of arms
            if column in table and column in trial.adsl and table.kinds[column] == trial.adsl.kinds[column]:
                name = quote(column)
                hits = trial.joined(table, f"r.{name} <> s.{name}")
                yield from broken(table, f"{column} differs from ADSL in {{n}} rows", hits, severity="warning")


@rule("age-range", "warning", "ages are those of adults")
def age_range(trial: RuleData) -> Iterator[Violation]:
    if trial.adsl is not None and trial.adsl.kinds.get("AGE") == "number":
        yield from broken(
            trial.adsl, "AGE is below 18 or above 100 in {n} rows", trial.where(trial.adsl, '"AGE" < 18 OR "AGE" > 100')
        )
