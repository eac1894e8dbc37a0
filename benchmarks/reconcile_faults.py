"""Does `alsbench reconcile` find why numbers differ? Differences whose cause is known are put in, and the search is made.

    python benchmarks/reconcile_faults.py --into docs/reconcile.jsonl [--only TEXT] [--every N]     make the searches
    python benchmarks/reconcile_faults.py --show docs/reconcile.jsonl                               the table, as Markdown

The sample and both reference trials are first made as trials are: twelve baselines are delivered otherwise than they derive,
values are carried forward, six subjects took another arm than planned, severity and relatedness are unknown in some events, and
days are tied. That is "our" side. On "their" side one thing is done otherwise, and their numbers are what the program gives
there, printed with 2, 3, 4 or 6 decimals or in full, a line of a table or a single number:

- an option (a population, a model, a baseline, a horizon, a reading of the same table ...), or two;
- nothing: the numbers are moved by what is no analysis at all, and whatever "explains" them does so by chance;
- records: 1 to 19 dropped, altered, added, recoded, carried forward, swapped between arms, moved; in every second case among
  changes that the analysis does not read and noise in the last place of every value.

What a difference is put in by is written here and not taken from the search's own list of alternatives. A difference that moves
none of the numbers at their digits is none, and is not counted.

Of an option: ``right``, what is found gives the very numbers of what was put in (to 1e-9), alone or beside others that print
alike; ``by chance``, it prints alike and is another; ``not``. Of records: whether a set was found that gives the numbers, and
whether it is 1-minimal: each record of it is left out in turn, in a database made anew, and the numbers must be lost.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DIGITS = (3, 4, 2, None, 6)
SIZES = (1, 2, 3, 5, 8, 13, 19)
CLOSE = 1e-9
NO_CAUSE = "no cause in the list"


@dataclass(frozen=True)
class OptionFault:
    """An option done otherwise: of an endpoint, by a question's fields, by the study's arms, by statements made to a copy of
    the data, or by what is read of the rows. ``base`` is how our side asks. ``names`` are the statistics compared."""

    kind: str
    endpoint: str
    asked: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    base: Mapping[str, Any] = field(default_factory=dict)
    arms: Mapping[str, str] = field(default_factory=dict)
    function: Mapping[str, Any] = field(default_factory=dict)
    sql: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    read: Callable[[dict[str, float], str], float] | None = None
    visit: float | None = None
    names: tuple[str, ...] = ()
    context: str = "contrast"
    where: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RecordFault:
    """Records changed on their side: statements for a copy of our data."""

    kind: str
    endpoint: str
    changed: int
    sql: tuple[str, ...]


# ---- the trials, and other deliveries of them


def copied(snapshot: Any, path: Path, statements: Sequence[str], dropped: Sequence[str] = (), added: Sequence[str] = ()) -> Any:
    """A copy of a snapshot to which statements were made; its description knows of ``dropped`` and ``added`` columns, which are
    TABLE.COLUMN and texts."""
    import shutil

    import duckdb

    from alsbench.data.snapshot import open_snapshot

    shutil.copy(snapshot.path, path)
    with duckdb.connect(str(path)) as connection:
        for name in dropped:
            table, column = name.split(".")
            connection.execute(f'ALTER TABLE "{table}" DROP COLUMN "{column}"')
        for name in added:
            table, column = name.split(".")
            connection.execute(f'ALTER TABLE "{table}" ADD COLUMN "{column}" VARCHAR')
        for sql in statements:
            connection.execute(sql)
        meta = json.loads(connection.execute("SELECT content FROM alsbench_meta.snapshot").fetchall()[0][0])
        for table in meta["tables"]:
            name = table["name"]
            table["rows"] = connection.execute(f'SELECT count(*) FROM "{name}"').fetchall()[0][0]
            table["sha256"] = f"{path.name} {name}"
            table["columns"] = [c for c in table["columns"] if f"{name}.{c['name']}" not in dropped]
            new = [a.split(".")[1] for a in added if a.split(".")[0] == name]
            table["columns"] += [{"name": c, "label": "", "kind": "text", "format": "", "type": "", "length": 0} for c in new]
        connection.execute("UPDATE alsbench_meta.snapshot SET content = ?", [json.dumps(meta)])
    return open_snapshot(path)


def trials(folder: Path) -> Iterator[tuple[str, Any]]:
    """Each trial as our side has it, without kept answers."""
    import shutil

    from alsbench.analysis.source import open_source
    from alsbench.data.load import load
    from alsbench.data.workspace import Workspace

    places = {"sample": ROOT / "sample_data"} | {n: ROOT / "tests" / "reference" / n for n in ("als-ref-1", "als-ref-2")}
    for name, files in places.items():
        space = Workspace(folder / name)
        space.create()
        shutil.copy(files / "study.toml", space.study_path)
        data = sorted(p for p in files.iterdir() if p.suffix in (".xpt", ".csv", ".parquet"))
        load(data, space, study=space.read_study(), expect={})
        source = replace(open_source(space.path), results_dir=None)
        added = [] if "DTYPE" in source.snapshot.tables["ADQS"] else ["ADQS.DTYPE"]
        yield name, replace(source, snapshot=copied(source.snapshot, folder / f"{name}.duckdb", lived_in(source), added=added))


def lived_in(source: Any) -> list[str]:
    """What makes a trial out of files without a fault."""
    code = source.study.endpoints["alsfrs"].paramcd
    arms = source.study.arms.order
    mine = f"PARAMCD = '{code}'"
    some = "USUBJID IN (SELECT USUBJID FROM ADSL ORDER BY hash(USUBJID) LIMIT {} OFFSET {})"
    last = f"SELECT USUBJID, max(AVISITN) AS last FROM ADQS WHERE {mine} AND AVAL IS NOT NULL GROUP BY 1"
    grid = f"SELECT DISTINCT AVISITN, AVISIT FROM ADQS WHERE {mine} AND AVISITN > 0"
    base = f"(SELECT USUBJID AS u, AVAL AS b FROM ADQS WHERE {mine} AND AVISITN = 0)"
    return [
        f"UPDATE ADQS SET BASE = b, CHG = AVAL - b FROM {base} WHERE u = USUBJID AND {mine}",
        f"UPDATE ADQS SET BASE = BASE + 1, CHG = CHG - 1 WHERE {mine} AND AVISITN > 0 AND {some.format(12, 5)}",
        f"INSERT INTO ADQS BY NAME SELECT q.* REPLACE (g.AVISITN AS AVISITN, g.AVISIT AS AVISIT, 'LOCF' AS DTYPE, NULL AS ADY) "
        f"FROM ADQS q JOIN ({last}) l ON l.USUBJID = q.USUBJID AND l.last = q.AVISITN AND q.{mine} JOIN ({grid}) g ON "
        "g.AVISITN > l.last ORDER BY q.USUBJID, g.AVISITN",
        f"UPDATE ADSL SET TRT01A = CASE WHEN TRT01A = '{arms[0]}' THEN '{arms[1]}' ELSE '{arms[0]}' END "
        f"WHERE {some.format(6, 40)}",
        "UPDATE ADAE SET AEREL = NULL WHERE hash(USUBJID || AETERM) % 9 = 0",
        "UPDATE ADAE SET AESEV = 'UNKNOWN' WHERE hash(AETERM || USUBJID) % 11 = 0",
        "UPDATE ADAE SET TRTEMFL = 'N' WHERE hash(AETERM || USUBJID) % 7 = 0",
        "UPDATE ADTTE SET AVAL = 30 * ceil(AVAL / 30) WHERE CNSR = 0",
    ]


# ---- what is put in


LINE = ("difference", "se", "p_value", "conf_low", "conf_high")
COX_LINE = ("hazard_ratio", "hr_low", "hr_high", "p_value", "log_rank_p")
RANK_LINE = ("difference", "se", "p_value", "gehan_p", "win_ratio")
ARM_LINE = ("ls_mean", "se", "conf_low")


def half(line: dict[str, float], name: str) -> float:
    return line[name] / 2 if name.endswith("_p") or name == "p_value" else line[name]


def other_half(line: dict[str, float], name: str) -> float:
    return 1 - line[name] / 2 if name.endswith("_p") or name == "p_value" else line[name]


def turned(line: dict[str, float], name: str) -> float:
    """Reference against treatment."""
    other = {"conf_low": "conf_high", "conf_high": "conf_low", "hr_low": "hr_high", "hr_high": "hr_low"}.get(name, name)
    if name in ("difference", "conf_low", "conf_high"):
        return -line[other]
    return 1 / line[other] if name in ("hazard_ratio", "hr_low", "hr_high", "win_ratio") else line[name]


def logarithm(line: dict[str, float], name: str) -> float:
    return math.log(line[name]) if name in ("hazard_ratio", "hr_low", "hr_high") else line[name]


def ninety(line: dict[str, float], name: str) -> float:
    from scipy.stats import t

    side = {"conf_low": -1, "conf_high": 1}.get(name, 0)
    return line["difference"] + side * float(t.ppf(0.95, line["df"])) * line["se"] if side else line[name]


def normal(line: dict[str, float], name: str) -> float:
    side = {"conf_low": -1, "conf_high": 1}.get(name, 0)
    return line["difference"] + side * 1.959963984540054 * line["se"] if side else line[name]


def moved(line: dict[str, float], name: str) -> float:
    """A number of no cause, of the size of a difference between analyses."""
    step = 0.2 * line.get("se", 0.3)
    if name.endswith("_p") or name == "p_value":
        return 0.8 * line[name] + 0.07
    return line[name] * 1.07 if name in ("se", "hazard_ratio", "hr_low", "hr_high", "win_ratio") else line[name] + step


def option_faults(source: Any) -> Iterator[OptionFault]:
    """Every option put in otherwise for one trial."""
    for endpoint, line in (("alsfrs_ancova", LINE), ("cafs", RANK_LINE), ("survival", COX_LINE), ("alsfrs", LINE)):
        yield from _for_all(source, endpoint, line)
    yield from _ancova(source)
    yield from _ranks(source)
    yield from _times(source)
    yield from _mixed_models(source)
    yield from _events()


def without_cause(source: Any) -> Iterator[OptionFault]:
    """Numbers that no analysis gives, eight times a method."""
    if "Drug 10 mg" not in source.study.arms.order:
        for endpoint, line in (("alsfrs_ancova", LINE), ("cafs", RANK_LINE), ("survival", COX_LINE)):
            yield from (OptionFault(NO_CAUSE, endpoint, read=moved, names=line) for _ in range(8))


def _for_all(source: Any, endpoint: str, line: tuple[str, ...]) -> Iterator[OptionFault]:
    for population in source.study.populations.flags:
        yield OptionFault("population", endpoint, asked={"population": population}, names=line)
    yield OptionFault("actual arm", endpoint, arms={"planned": source.study.arms.actual}, names=line)
    yield OptionFault("one-sided p", endpoint, read=half, names=line)
    yield OptionFault("one-sided p", endpoint, read=other_half, names=line)
    yield OptionFault("sides exchanged", endpoint, read=turned, names=line)
    covariates = source.study.endpoints[endpoint].covariates
    for name in covariates:
        left = [c for c in covariates if c != name]
        yield OptionFault("covariates", endpoint, options={"covariates": json.dumps(left)}, names=line)
    if len(covariates) > 1:
        yield OptionFault("covariates", endpoint, options={"covariates": "[]"}, names=line)


def _ancova(source: Any) -> Iterator[OptionFault]:
    code = source.study.endpoints["alsfrs_ancova"].paramcd

    def one(kind: str, **more: Any) -> OptionFault:
        return OptionFault(kind, "alsfrs_ancova", **{"names": LINE, **more})

    yield one("arms", options={"arms": "all"})
    yield one("scale", options={"scale": "log"})
    yield one("LS-mean weights", options={"ls_means": "proportional"}, context="arm", names=ARM_LINE)
    yield one("baseline", dropped=("ADQS.BASE", "ADQS.CHG"))
    yield one("baseline", dropped=("ADQS.BASE", "ADQS.CHG", "ADQS.ABLFL"))
    yield one("baseline covariate", sql=(f"UPDATE ADQS SET BASE = 0 WHERE PARAMCD = '{code}' AND BASE IS NOT NULL",))
    yield one("carried forward", options={"where": '"missing(DTYPE)"'})
    yield one("interval", read=ninety)
    yield one("interval", read=normal)
    yield one("method", asked={"method": "mmrm"})
    yield one("visit", visit=-1.0)
    yield one("visit", visit=-2.0)
    yield one("covariates", options={"covariates": '["LEADRATE", "ONSETSIT", "RILUFL", "BLSVC"]'})
    yield one("two at once", asked={"population": "PP"}, options={"arms": "all"})
    yield one("two at once", asked={"population": "PP"}, options={"covariates": '["LEADRATE", "ONSETSIT"]'})
    yield one("two at once", options={"arms": "all", "where": '"missing(DTYPE)"'})
    yield one("two at once", options={"arms": "all"}, read=half)
    yield one("two at once", options={"arms": "all", "ls_means": "proportional"}, context="arm", names=ARM_LINE)
    yield one("two at once", options={"covariates": '["LEADRATE"]'})


def _ranks(source: Any) -> Iterator[OptionFault]:
    def one(kind: str, **more: Any) -> OptionFault:
        return OptionFault(kind, "cafs", **{"names": RANK_LINE, **more})

    yield one("arms", options={"arms": "all"})
    yield one("LS-mean weights", options={"ls_means": "proportional"}, context="arm", names=ARM_LINE)
    yield one("strata", options={"strata": "[]"})
    yield one("strata", options={"rank_within_strata": "true"})
    yield one("tie", options={"event_ties": "function"})
    yield one("death", options={"death_always_loses": "true"})
    yield one("missing values", options={"function_at": "horizon"})
    yield one("missing values", options={"function_at": "horizon", "missing": "locf"})
    yield one("missing values", options={"function_at": "horizon", "missing": "worst"})
    yield one("percent change", options={"change": "percent"})
    yield one("rank scale", options={"rank_scale": "unit"})
    yield one(
        "interval", options={"win_intervals": "transformed"}, names=("net_benefit", "net_benefit_low", "net_benefit_high")
    )
    yield one("visit", asked={"visits": -1.0})
    yield one("visit", asked={"visits": -2.0})
    yield one("baseline", dropped=("ADQS.BASE", "ADQS.CHG"))
    yield one("carried forward", function={"where": "missing(DTYPE)"})
    yield one("two at once", asked={"population": "PP"}, options={"death_always_loses": "true"})
    yield one("two at once", options={"arms": "all", "change": "percent"})
    yield one("two at once", options={"change": "percent"}, asked={"population": "PP"})


def _times(source: Any) -> Iterator[OptionFault]:
    def one(kind: str, **more: Any) -> OptionFault:
        return OptionFault(kind, "survival", **{"names": COX_LINE, **more})

    yield one("tie", options={"ties": "breslow"})
    yield one("strata", options={"strata": "[]"})
    yield one("strata", options={"strata": '["RILUFL"]'}, base={"options": (("strata", '["ONSETSIT", "RILUFL"]'),)})
    yield one("scale", read=logarithm)
    limits = ("survival", "survival_low", "survival_high")
    yield one("interval", options={"intervals": "plain"}, context="arm", names=limits)
    yield one("interval", options={"intervals": "log"}, context="arm", names=limits)
    yield one("two at once", options={"ties": "breslow"}, asked={"population": "PP"})
    yield one("two at once", options={"strata": "[]", "covariates": "[]"})
    yield one("two at once", options={"strata": "[]"}, asked={"population": "PP"})


def _mixed_models(source: Any) -> Iterator[OptionFault]:
    if "Drug 10 mg" in source.study.arms.order:
        return  # the larger trial is for the methods that take less time
    for endpoint in ("alsfrs", "svc"):

        def one(kind: str, *, endpoint: str = endpoint, **more: Any) -> OptionFault:
            return OptionFault(kind, endpoint, **{"names": LINE, **more})

        yield one("df", asked={"df": "satterthwaite"})
        for covariance in ("toeph", "cs", "ar1"):
            yield one("covariance", asked={"covariance": covariance})
        yield one("estimation", options={"estimation": "ml"}, base={"df": "satterthwaite"}, asked={"df": "satterthwaite"})
        yield one("LS-mean weights", options={"ls_means": "proportional"}, context="arm", names=ARM_LINE)
        yield one("two at once", asked={"df": "satterthwaite"}, options={"covariates": '["LEADRATE"]'})
    yield OptionFault("df", "alsfrs_slope", asked={"df": "satterthwaite"}, names=LINE)
    yield OptionFault("estimation", "alsfrs_slope", options={"estimation": "ml"}, names=("difference",))
    yield OptionFault(
        "imputation", "svc", options={"imputation": "jump-to-reference"}, names=LINE, where={"variable": "imputed"}
    )


def _events() -> Iterator[OptionFault]:
    def one(kind: str, level: str, **more: Any) -> OptionFault:
        return OptionFault(kind, "ae", **{"names": ("count", "percent"), "context": "arm", "where": {"level": level}, **more})

    known = "UPDATE ADAE SET {0} = '{2}' WHERE {0} IS NULL OR {0} = '{1}'"
    yield one("unknown severity", "severe", sql=(known.format("AESEV", "UNKNOWN", "MILD"),))
    yield one("unknown relatedness", "related", sql=(known.format("AEREL", "", "NOT RELATED"),))
    yield one("unknown relatedness", "related serious", sql=(known.format("AEREL", "", "NOT RELATED"),))
    yield one("treatment-emergent", "any", sql=("UPDATE ADAE SET TRTEMFL = 'Y'",))
    yield one("treatment-emergent", "related", sql=("UPDATE ADAE SET TRTEMFL = 'Y'",))
    for level in ("any", "related", "serious"):
        yield one("actual arm", level, arms={"actual": "TRT01P"})
        yield one("population", level, asked={"population": "FAS"})


def record_faults(source: Any) -> Iterator[RecordFault]:
    """Records changed on their side, for one trial."""
    code = source.study.endpoints["alsfrs_ancova"].paramcd
    compared = source.study.comparisons[-1]
    arms = source.study.arms.order
    horizon, reference = compared.horizon, compared.reference
    before = f"(SELECT max(AVISITN) FROM ADQS WHERE AVISITN < {horizon:g} AND PARAMCD = '{code}')"
    ours = f"SELECT USUBJID FROM ADSL WHERE FASFL = 'Y' AND TRT01P IN ('{compared.treatment}', '{reference}')"
    at = f"PARAMCD = '{code}' AND AVISITN = {horizon:g}"
    there = f"SELECT USUBJID FROM ADQS WHERE {at} AND CHG IS NOT NULL AND USUBJID IN ({ours})"

    def some(sql: str, n: int) -> str:
        return f"USUBJID IN (SELECT USUBJID FROM ({sql}) ORDER BY hash(USUBJID || '{n}') LIMIT {n})"

    def ancova(kind: str, n: int, *sql: str) -> RecordFault:
        return RecordFault(kind, "alsfrs_ancova", n, sql)

    for n in SIZES:
        yield ancova("dropped", n, f"DELETE FROM ADQS WHERE {at} AND {some(there, n)}")
        altered = (
            "UPDATE ADQS SET AVAL = AVAL + d, CHG = CHG + d FROM (SELECT 2 + hash(USUBJID) % 5 AS d, USUBJID AS u FROM ADSL)"
        )
        yield ancova("altered", n, f"{altered} WHERE u = USUBJID AND {at} AND {some(there, n)}")
        yield RecordFault("dropped", "cafs", n, (f"DELETE FROM ADQS WHERE {at} AND {some(there, n)}",))
        absent = f"DELETE FROM ADQS WHERE {at} AND {some(there, n)}"
        yield ancova("added", n, f"ours:{absent}")
    for n in SIZES[:5]:
        flipped = f"UPDATE ADSL SET RILUFL = CASE RILUFL WHEN 'Y' THEN 'N' ELSE 'Y' END WHERE {some(there, n)}"
        yield ancova("recoded", n, flipped)
        yield ancova("recoded", n, f"UPDATE ADSL SET FASFL = 'N' WHERE {some(there, n)}")
        event = f"SELECT USUBJID FROM ADTTE WHERE CNSR = 0 AND USUBJID IN ({ours})"
        yield RecordFault("event moved", "survival", n, (f"UPDATE ADTTE SET AVAL = AVAL + 45 WHERE {some(event, n)}",))
        yield RecordFault("event moved", "cafs", n, (f"UPDATE ADTTE SET CNSR = 1 WHERE {some(event, n)}",))
    for n in SIZES[:4]:
        swapped = f"UPDATE ADSL SET TRT01P = CASE TRT01P WHEN '{reference}' THEN '{compared.treatment}' ELSE '{reference}' END"
        yield ancova("arm swapped", n, f"{swapped} WHERE {some(there, n)}")
        yield RecordFault("arm swapped", "survival", n, (f"{swapped} WHERE {some(ours, n)}",))
        gone = f"DELETE FROM ADQS WHERE PARAMCD = '{code}' AND AVISITN = {before} AND {some(there, n)}"
        label = f"(SELECT any_value(AVISIT) FROM ADQS WHERE PARAMCD = '{code}' AND AVISITN = {before})"
        moved = f"UPDATE ADQS SET AVISIT = {label}, AVISITN = {before} WHERE {at} AND {some(there, n)}"
        chosen = f"CREATE TEMP TABLE picked AS SELECT USUBJID FROM ADSL WHERE {some(there, n)}"
        within = "USUBJID IN (SELECT USUBJID FROM picked)"
        window = (chosen, gone.replace(some(there, n), within), moved.replace(some(there, n), within))
        yield ancova("visit window", n, *window)
    carried = f"DELETE FROM ADQS WHERE DTYPE = 'LOCF' AND PARAMCD = '{code}'"
    yield ancova("carried forward", 0, carried)
    yield ancova("carried forward", 0, f"{carried} AND hash(USUBJID) % 2 = 0")
    if len(arms) == 3:  # the larger trial is for the methods that take less time
        yield RecordFault("carried forward", "cafs", 0, (carried,))
        yield RecordFault("dropped", "alsfrs", 3, (f"DELETE FROM ADQS WHERE {at} AND {some(there, 3)}",))
        yield RecordFault("altered", "alsfrs", 2, (f"UPDATE ADQS SET CHG = CHG + 4 WHERE {at} AND {some(there, 2)}",))


def beside(source: Any) -> tuple[str, ...]:
    """Changes that the analysis at the horizon does not read, and noise in the last place of every value."""
    code = source.study.endpoints["alsfrs_ancova"].paramcd
    return (
        f"UPDATE ADQS SET AVAL = AVAL * (1 + 2.3e-16) WHERE PARAMCD = '{code}' AND AVISITN > 0",
        f"UPDATE ADQS SET ADY = ADY + 1 WHERE PARAMCD = '{code}' AND AVISITN > 0 AND hash(USUBJID) % 3 = 0",
        "UPDATE ADSL SET AGE = AGE + 1 WHERE hash(USUBJID) % 4 = 0",
    )


# ---- the searches


def tried_option(trial: str, source: Any, fault: OptionFault, number: int, path: Path) -> dict[str, Any] | None:
    """What is found of an option; None where it moves nothing."""
    from alsbench.analysis.question import Question
    from alsbench.analysis.reconcile.options import explain_by_options
    from alsbench.analysis.reconcile.reproduced import TheirNumber, row_place
    from alsbench.analysis.run import answer

    compared = source.study.comparisons[number % len(source.study.comparisons)]
    base = Question(fault.endpoint, comparisons=(compared.name,), **dict(fault.base))
    visits = _earlier(source, compared.horizon)
    asked = dict(fault.asked)
    if "visits" in asked:
        asked["visits"] = (visits[int(asked["visits"])],)
    options = tuple(sorted({**dict(base.options), **fault.options}.items()))
    theirs = replace(base, **asked, options=options)
    other = source
    if fault.sql or fault.dropped:
        other = replace(source, snapshot=copied(source.snapshot, path, fault.sql, fault.dropped))
    study = source.study
    if fault.arms:
        study = study.model_copy(update={"arms": study.arms.model_copy(update=dict(fault.arms))})
    if fault.function:
        name = study.endpoints[fault.endpoint].function
        changed = study.endpoints[name].model_copy(update=dict(fault.function))
        study = study.model_copy(update={"endpoints": {**study.endpoints, name: changed}})
    rows = answer(base, source).rows
    theirs_rows = {row_place(r): r for r in answer(theirs, replace(other, study=study)).rows}
    numbers: list[TheirNumber] = []
    digits = DIGITS[number % len(DIGITS)]
    at = compared.horizon
    moved_to = visits[int(fault.visit)] if fault.visit is not None else theirs.visits[0] if theirs.visits else at
    for row in _line_rows(rows, fault, at):
        place = list(row_place(row))
        there = [*place[:5], moved_to if place[5] is not None else None, fault.where.get("variable", place[6]), *place[7:]]
        line = {r.stat_name: r.number() for p, r in theirs_rows.items() if list(p[:-1]) == there[:-1]}
        if not line and row.context == "arm":  # in a fit of all arms the LS means are of no comparison
            free = [*there[:3], *there[5:-1]]
            line = {r.stat_name: r.number() for p, r in theirs_rows.items() if [*p[:3], *p[5:-1]] == free}
        if row.stat_name in line and math.isfinite(line[row.stat_name]):
            value = fault.read(line, row.stat_name) if fault.read else line[row.stat_name]
            numbers.append(TheirNumber(row, float(value), digits if row.stat_name != "count" else 0))
    if number % 4 == 3:
        moving = [n for n in numbers if not n.given_by(n.row.number())]
        numbers = moving[:1] if not moving else [moving[number // 4 % len(moving)]]
    if not numbers or all(n.given_by(n.row.number()) for n in numbers):
        return None
    found = explain_by_options(source, base, numbers)
    exact = [all(_equal(v, n.value) for v, n in zip(h.values, numbers, strict=True)) for h in found.hits]
    verdict = "right" if any(exact) else "by chance" if exact else "not"
    if other is not source:
        other.snapshot.close()
    return {
        **_about("options", trial, fault.endpoint, fault.kind, numbers, digits),
        "verdict": verdict,
        "alone": bool(exact) and all(exact),
        "tried": found.tried,
        "analyses": found.analyses,
        "chance": round(found.chance, 3),
    }


def tried_records(trial: str, source: Any, fault: RecordFault, number: int, path: Path) -> dict[str, Any] | None:
    """What is found of changed records; None where they move nothing."""
    from alsbench.analysis.question import Question
    from alsbench.analysis.reconcile.records import explain_by_records
    from alsbench.analysis.reconcile.reproduced import TheirNumber, computed_rows, row_place, tables_read, without_plan
    from alsbench.analysis.run import answer
    from alsbench.data.altered import TwoDeliveries

    compared = source.study.comparisons[-1]
    names = {"cafs": RANK_LINE, "survival": COX_LINE}.get(fault.endpoint, LINE)[:3]
    visits = (compared.horizon,) if fault.endpoint == "alsfrs_ancova" else ()
    question = Question(fault.endpoint, comparisons=(compared.name,), visits=visits)
    only_ours = [s.removeprefix("ours:") for s in fault.sql if s.startswith("ours:")]
    ours = source
    if only_ours:  # what they have more is what we have less
        ours = replace(source, snapshot=copied(source.snapshot, path.with_suffix(".ours.duckdb"), only_ours))
    statements = [s for s in fault.sql if not s.startswith("ours:")] + list(beside(source) if number % 2 else ())
    theirs = replace(source, snapshot=copied(source.snapshot, path, statements))
    digits = DIGITS[number % len(DIGITS)]
    there = {row_place(r): r.number() for r in answer(question, theirs).rows}
    numbers = []
    for row in answer(question, ours).rows:
        line = row.context == "contrast" and row.stat_name in names and row.visit_number in (compared.horizon, None)
        if line and not row.level and math.isfinite(there.get(row_place(row), math.nan)):
            numbers.append(TheirNumber(row, there[row_place(row)], digits))
    if not numbers or all(n.given_by(n.row.number()) for n in numbers):
        return None
    found = explain_by_records(ours, theirs.snapshot, question, numbers)
    endpoint = source.study.endpoints[fault.endpoint]
    visits_of = (source.study.visits.label, source.study.visits.number)
    chosen = [c.number for c in found.changes]
    kept: list[bool] = []
    with TwoDeliveries(
        ours.snapshot, theirs.snapshot, tables_read(ours, endpoint), subject=source.study.info.subject, visits=visits_of
    ) as both:
        for left in [None, *chosen] if found.explained else []:
            trial_source = without_plan(ours, snapshot=both.mixed(n for n in chosen if n != left))
            kept.append(_gives(computed_rows, trial_source, question, numbers))
    for opened in (theirs, ours):
        if opened is not source:
            opened.snapshot.close()
    return {
        **_about("records", trial, fault.endpoint, fault.kind, numbers, digits),
        "changed": fault.changed,
        "differing": found.differing,
        "ending": found.ending,
        "found": len(found.changes),
        "gives": bool(kept) and kept[0],
        "minimal": bool(kept) and not any(kept[1:]),
        "analyses": found.analyses,
    }


def _gives(computed_rows: Callable[..., Any], source: Any, question: Any, numbers: Sequence[Any]) -> bool:
    from alsbench.analysis.reconcile.reproduced import row_place
    from alsbench.errors import AlsbenchError

    try:
        rows = computed_rows(source, question)
    except AlsbenchError:
        return False
    return all(n.given_by(rows.number(row_place(n.row)), rows.beside(row_place(n.row), "se") or 0.0) for n in numbers)


def _about(side: str, trial: str, endpoint: str, kind: str, numbers: Sequence[Any], digits: int | None) -> dict[str, Any]:
    shown = "full" if digits is None else digits
    return {"side": side, "trial": trial, "endpoint": endpoint, "kind": kind, "numbers": len(numbers), "digits": shown}


def _earlier(source: Any, horizon: float) -> list[float]:
    """The visits before a horizon."""
    sql = "SELECT DISTINCT AVISITN FROM ADQS WHERE AVISITN > 0 AND AVISITN < ? ORDER BY 1"
    return [float(v) for (v,) in source.snapshot.rows(sql, [horizon])]


def _line_rows(rows: Sequence[Any], fault: OptionFault, horizon: float) -> list[Any]:
    where = {k: v for k, v in fault.where.items() if k != "variable"}
    return [
        r
        for r in rows
        if r.context == fault.context
        and r.stat_name in fault.names
        and r.stat is not None
        and r.visit_number in (horizon, None)
        and (where or r.level is None or str(r.level).startswith("day "))
        and all(getattr(r, k) == v for k, v in where.items())
    ]


def _equal(value: float | None, other: float) -> bool:
    return value is not None and math.isclose(value, other, rel_tol=CLOSE, abs_tol=CLOSE)


def made(only: str, every: int, first: int = 0) -> Iterator[dict[str, Any]]:
    """Every search, one after the other."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sources = list(trials(folder))
        for trial, source in sources:
            cases = [*((tried_option, f) for f in option_faults(source)), *((tried_records, f) for f in record_faults(source))]
            yield from searched(trial, source, cases, folder, only, every, first)
        for trial, source in sources:
            yield from searched(trial, source, [(tried_option, f) for f in without_cause(source)], folder, only, every)


def searched(
    trial: str, source: Any, cases: Sequence[tuple[Any, Any]], folder: Path, only: str = "", every: int = 1, first: int = 0
) -> Iterator[dict[str, Any]]:
    """The searches of some cases of one trial."""
    for number, (tried, fault) in enumerate(cases):
        title = f"{trial} {fault.endpoint} {fault.kind}"
        if number < first or number % every or only not in title:
            continue
        begun = time.process_time()
        found = tried(trial, source, fault, number, folder / f"theirs {number}.duckdb")
        for left in folder.glob("theirs *"):
            left.unlink()
        said = "moves nothing" if found is None else found.get("verdict") or found["ending"]
        print(f"{time.process_time() - begun:6.1f} s  {title}: {said}", file=sys.stderr, flush=True)
        if found is not None:
            yield found


# ---- the table


def table(lines: Sequence[Mapping[str, Any]]) -> str:
    """The measurement as Markdown."""
    without = [r for r in lines if r["kind"] == NO_CAUSE]
    options = [r for r in lines if r["side"] == "options" and r["kind"] != NO_CAUSE]
    records = [r for r in lines if r["side"] == "records"]
    right, chance = (sum(r["verdict"] == v for r in options) for v in ("right", "by chance"))
    explained = sum(r["gives"] for r in records)
    minimal = sum(r["minimal"] for r in records)
    out = [
        "## Why numbers differ: causes put in, and found",
        "",
        f"{len(options) + len(records)} differences were put into the sample and the reference trials "
        f"(`benchmarks/reconcile_faults.py`): {len(options)} by options, of which {right} ({_share(right, len(options))}) are "
        f"explained by what was put in or by what gives the very same numbers, {chance} by another that prints alike; "
        f"{len(records)} by records, of which {explained} ({_share(explained, len(records))}) are accounted for, {minimal} "
        f"({_share(minimal, len(records))}) by a set of which no record can be left out. Numbers with 2, 3, 4 or 6 decimals or "
        "in full; a line of a table, every fourth a single number.",
        "",
        "| Option | Differences | Explained | alone | by another | not | Analyses |",
        "| :--- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for kind in [*dict.fromkeys(r["kind"] for r in options), ""]:
        mine = [r for r in options if kind in (r["kind"], "")]
        counts = [sum(r["verdict"] == v for r in mine) for v in ("right", "by chance", "not")]
        alone = sum(r["alone"] for r in mine)
        cells = [kind or "all", len(mine), counts[0], alone, counts[1], counts[2], _middle(r["analyses"] for r in mine)]
        out.append(f"| {' | '.join(str(c) for c in cells)} |")
    out += ["", "| Shown with | Differences | Explained | by another | not |", "| :--- | ---: | ---: | ---: | ---: |"]
    for several in (False, True):
        for digits in (2, 3, 4, 6, "full"):
            mine = [r for r in options if r["digits"] == digits and (r["numbers"] > 1) == several]
            counts = [sum(r["verdict"] == v for r in mine) for v in ("right", "by chance", "not")]
            shown = "all digits" if digits == "full" else f"{digits} decimals"
            if mine:
                cells = [f"{'a line' if several else 'one number'}, {shown}", len(mine), *counts]
                out.append(f"| {' | '.join(str(c) for c in cells)} |")
    several, alone = ([r for r in without if (r["numbers"] > 1) == many] for many in (True, False))
    if without:
        given = [sum(r["verdict"] != "not" for r in part) for part in (several, alone)]
        out += [
            "",
            "Numbers that were moved by no analysis at all have no explanation to be found: "
            f"{given[0]} of {len(several)} lines and {given[1]} of {len(alone)} single ones were given by an alternative.",
        ]
    out += [
        "",
        "| Records | Differences | Accounted for | 1-minimal | Analyses |",
        "| :--- | ---: | ---: | ---: | ---: |",
    ]
    for kind in [*dict.fromkeys(r["kind"] for r in records), ""]:
        mine = [r for r in records if kind in (r["kind"], "")]
        counts = [sum(r[v] for r in mine) for v in ("gives", "minimal")]
        out.append(f"| {kind or 'all'} | {len(mine)} | {counts[0]} | {counts[1]} | {_middle(r['analyses'] for r in mine)} |")
    return "\n".join([*out, "", "Analyses: the median, and the most."])


def _share(n: int, of: int) -> str:
    return f"{100 * n / of:.1f} %" if of else "none"


def _middle(values: Iterator[int]) -> str:
    from statistics import median

    found = sorted(values)
    return f"{median(found):g}, {found[-1]}" if found else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, help="a line of JSON for each difference")
    parser.add_argument("--show", type=Path, help="the table of such a file")
    parser.add_argument("--only", default="", help="differences whose trial, endpoint or kind holds this")
    parser.add_argument("--every", type=int, default=1, help="every so many of them")
    parser.add_argument(
        "--first", type=int, default=0, help="the first difference of each trial: go on where it was broken off"
    )
    given = parser.parse_args()
    if given.show:
        print(table([json.loads(line) for line in given.show.read_text(encoding="utf-8").splitlines()]))
        return 0
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    sys.path[:0] = [str(ROOT / "src")]
    lines = []
    for found in made(given.only, given.every, given.first):
        lines.append(found)
        if given.into:
            given.into.write_text("".join(json.dumps(r) + "\n" for r in lines), encoding="utf-8")
    print(table(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
