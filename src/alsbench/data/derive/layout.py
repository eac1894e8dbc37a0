"""Which data have to be derived from, and the derivation: PRO-ACT files, SDTM domains, or analysis data taken as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Literal, get_args

import pyarrow.compute as pc

from alsbench.data.dataset import Dataset
from alsbench.data.derive.adam_like import derive_adam_like
from alsbench.data.derive.proact import derive_proact, proposed_study
from alsbench.data.derive.proact_tables import looks_like_proact
from alsbench.data.derive.report import DerivationReport
from alsbench.data.derive.sdtm import derive_sdtm
from alsbench.data.derive.sdtm_domains import looks_like_sdtm
from alsbench.data.derive.source import derive_source
from alsbench.data.receipt import RuleFinding
from alsbench.errors import DataError, UsageError
from alsbench.study.local_words import words_with
from alsbench.study.model import Derive, LocalWords, SourceMap, VisitUnit
from alsbench.study.names import nearest
from alsbench.study.propose import SUBJECT_COLUMNS, TableProfile, columns_to_read, profile_table, propose

Layout = Literal["adam", "proact", "sdtm", "source"]
LAYOUTS: tuple[Layout, ...] = tuple(x for x in get_args(Layout) if x != "source")
SUBJECTS = "ADSL"
MOST_ROWS = 200_000  # of a table that a proposal looks at


@dataclass(frozen=True)
class Derived:
    """Tables to store beside the source files. Their ``remarks`` list the derivations; ``propose`` writes a study file."""

    layout: Layout
    tables: tuple[Dataset, ...] = ()
    findings: tuple[RuleFinding, ...] = ()
    propose: Callable[[], str] = str

    @cached_property
    def study(self) -> str:
        """The study file proposed for these tables, made when it is asked for: most loads have one."""
        return self.propose()


def layout_of(datasets: Sequence[Dataset]) -> Layout:
    """What the names and columns of data sets say. Data with a subject-level analysis data set are taken as they are."""
    if any(d.name == SUBJECTS for d in datasets):
        return "adam"
    if looks_like_sdtm(datasets):
        return "sdtm"
    return "proact" if looks_like_proact(datasets) else "adam"


def derive(datasets: Sequence[Dataset], layout: str | None = None, rules: Derive | None = None) -> Derived:
    """Analysis data from data sets; none where they are analysis data. ``layout`` overrides what the data look like, ``rules``
    are those of the study file where it has any.

    Raises UsageError for an unknown layout, DataError where the data do not have the layout asked for.
    """
    if layout is not None and layout not in LAYOUTS:
        raise UsageError(f"there is no layout {layout}", where="--as", hint=nearest(layout, LAYOUTS))
    chosen = layout_of(datasets) if layout is None else layout
    if chosen == "adam":
        return Derived("adam")
    present = {d.name for d in datasets}
    if SUBJECTS in present:
        raise DataError(f"there is a data set {SUBJECTS} already", why=f"{chosen} data have none", hint="load it without --as")
    report, settings = DerivationReport(), rules or Derive()
    if chosen == "proact":
        made = derive_proact(datasets, report, settings)
        study = partial(proposed_study, made)
    else:
        made = derive_sdtm(datasets, report, settings)
        study = partial(_proposed, made)
    _name_absent_visits(settings, made, report)
    tables = (*made, *report.tables())
    taken = [d.name for d in tables if d.name in present]
    if taken:
        raise DataError(f"a data set is named {taken[0]} already", why="a derived one would have its name")
    return Derived("proact" if chosen == "proact" else "sdtm", tables, tuple(report.findings), study)


def derive_by_source(datasets: Sequence[Dataset], source: SourceMap, words: LocalWords | None, unit: VisitUnit) -> Derived:
    """Analysis data by the ``[source]`` table of a study file. Raises DataError for a column or data set that is not there."""
    report = DerivationReport()
    said = words or LocalWords()
    known = words_with(said.yes, said.no, said.sex, said.onset)
    how = derive_adam_like if source.layout == "adam-like" else derive_source
    made = how(datasets, source, known, unit, report)
    present = {d.name for d in datasets}
    tables = (*made, *report.tables())
    taken = [d.name for d in tables if d.name in present]
    if taken:
        raise DataError(f"a data set is named {taken[0]} already", why="a derived one would have its name")
    return Derived("source", tables, tuple(report.findings))


def _name_absent_visits(settings: Derive, made: Sequence[Dataset], report: DerivationReport) -> None:
    """A window for a visit that no record counts at is a slip of the pen, or of the data."""
    if not settings.windows:
        return
    seen: set[str] = set()
    for dataset in made:
        if any(c.name == "AVISITN" for c in dataset.columns):
            table = dataset.table()
            seen.update(f"{v:g}" for v in table.column("AVISITN").to_pylist() if v is not None)
            seen.update(v for v in table.column("AVISIT").to_pylist() if v is not None)
    for visit in settings.windows:
        if visit not in seen:
            what = f"derive.windows has {visit!r}, at which no record counts{_suggest(visit, seen)}"
            report.findings.append(RuleFinding("derive-window", "warning", "study.toml", what))


def _suggest(visit: str, seen: set[str]) -> str:
    hint = nearest(visit, sorted(seen))
    return f"; {hint}" if hint else ""


def table_profiles(datasets: Sequence[Dataset]) -> list[TableProfile]:
    """What names and values of data sets tell of the study; of a table with very many rows, those of some of its subjects."""
    found = []
    for dataset in datasets:
        table = dataset.table().select(columns_to_read(dataset.name, [c.name for c in dataset.columns]))
        every = 1
        subject = next((c for c in SUBJECT_COLUMNS if c in table.column_names), "")
        if dataset.name != SUBJECTS and subject and table.num_rows > MOST_ROWS:
            every = -(-table.num_rows // MOST_ROWS)
            table = table.filter(pc.is_in(table.column(subject), table.column(subject).unique()[::every]))
        profile = profile_table(dataset.name, {name: table.column(name).to_pylist() for name in table.column_names})
        found.append(replace(profile, every=every))
    return found


def _proposed(tables: Sequence[Dataset]) -> str:
    """A study file as it would be proposed for delivered analysis data; empty where there are not two arms."""
    profiles = table_profiles(tables)
    arms = next((p.levels.get("TRT01P", ()) for p in profiles if p.name == SUBJECTS), ())
    return propose(profiles).text if len(arms) > 1 else ""
