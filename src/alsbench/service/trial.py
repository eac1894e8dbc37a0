"""A trial as Python asks it: ``als.open(path)``. The same answers as the shell's, with the same masks and log entries."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alsbench.errors import UnavailableError, UsageError
from alsbench.service.access import Access

if TYPE_CHECKING:
    import pandas as pd

    from alsbench.analysis.result import Result
    from alsbench.analysis.source import Source
    from alsbench.render.page import Page
    from alsbench.render.sheet import Sheet
    from alsbench.service.answer import Answer
    from alsbench.service.scrutinised import Scrutiny
    from alsbench.service.subgroups import Members, Subgroups
    from alsbench.study.model import Study

Words = str | Sequence[str]


def open(path: str | Path) -> Trial:
    """A workspace that was made by ``alsbench load`` or :func:`load`.

    Raises UnavailableError where there is no workspace or no data have been loaded, StudyError for a study file that cannot be
    read, DataError for data that cannot.

    >>> import alsbench as als
    >>> trial = als.demo("trial")
    >>> als.open("trial").arms()[["arm", "label", "randomised"]]
            arm       label  randomised
    0   Placebo         NaN          46
    1   Group 1   two doses          23
    2   Group 2  five doses          46
    3  all arms         NaN         115
    """
    trial = Trial(path)
    if not (trial.path / "study.toml").exists():
        raise UnavailableError("there is no workspace here", where=str(path), hint="als.load(data, into=path), als.demo(path)")
    with trial._opened():
        return trial


def load(paths: str | Path | Sequence[str | Path], *, into: str | Path, study: str | Path | None = None, **how: Any) -> Trial:
    """Load files and folders (XPT, SAS7BDAT, CSV, Parquet, Dataset-JSON ...) into a workspace as a new snapshot.

    ``study`` is the study file to put there. ``how`` takes ``expect`` (rows by file), ``accept`` (reasons by rule), ``layout``
    (adam, proact, sdtm) and ``missing`` (words). The old snapshot stays current until the new one is whole.

    Raises DataError for files that cannot be read or do not fit the study, StudyError for the study file.

    >>> import alsbench as als
    >>> trial = als.load("files", into="again", study="files/study.toml")
    >>> nfl = trial.table("ADLB", where="PARAMCD == 'NFL' and AVISITN == 10")
    >>> len(trial.table("ADSL")), round(float(nfl["AVAL"].median()), 2)
    (115, 59.76)
    """
    from alsbench.service.loading import load_files

    given = [paths] if isinstance(paths, str | Path) else list(paths)
    for name in how:
        if name not in ("expect", "accept", "layout", "missing"):
            raise UsageError(f"load takes no {name}", hint="one of expect, accept, layout, missing")
    trial = Trial(into)
    load_files(trial._access, [Path(p) for p in given], study=None if study is None else Path(study), **how)
    return Trial(into)


def demo(path: str | Path) -> Trial:
    """The synthetic sample trial in a workspace, loaded unless it is there already.

    Raises UsageError where the workspace holds another study.

    >>> import alsbench as als
    >>> als.demo("trial")
    <alsbench trial ALSDEMO, SYNTHETIC DATA, in trial>
    """
    from alsbench.service.loading import load_sample

    load_sample(Trial(path)._access)
    return Trial(path)


class Trial:
    """A workspace: its study, its data, and what is asked of them.

    Every call that shows a result is entered in the workspace's audit log, as in the shell; the mask of the user's settings and
    of the study file holds. ``mask`` hides counts below it, what rests on them, and what would tell them.
    """

    def __init__(self, path: str | Path) -> None:
        from alsbench.audit.held import hold
        from alsbench.settings import read_settings

        self.path = Path(path)
        self._access = Access(self.path, read_settings().mask, hold(self.path), {"format": "python"})

    def __repr__(self) -> str:
        info = self.study.info
        return f"<alsbench trial {info.id}{', SYNTHETIC DATA' if info.synthetic else ''}, in {self.path}>"

    def _opened(self) -> AbstractContextManager[Source]:
        return self._access.opened()

    # ---- what it is

    @property
    def study(self) -> Study:
        """The study file, read now. Raises StudyError."""
        from alsbench.data.workspace import Workspace

        return Workspace(self.path).read_study()

    @property
    def snapshot(self) -> str:
        """The name of the current snapshot."""
        from alsbench.data.workspace import Workspace

        return Workspace(self.path).current_name() or ""

    def arms(self, subgroup: str = "overall", *, mask: int = 0) -> pd.DataFrame:
        """Subjects by planned arm: ``arm``, ``label``, ``randomised``, one column a population, ``discontinued``, ``deaths``;
        the last row is all arms. Masked counts are texts such as ``<5``."""
        from alsbench.service.arms import arms_sheet

        with self._opened() as source:
            return _frame(arms_sheet(source, subgroup, self._access.mask(mask)))

    def table(self, name: str, *, where: str = "", columns: Sequence[str] = ()) -> pd.DataFrame:
        """The rows of a data set in load order: numbers as float, dates as datetime64, codes as text, missing as NaN, NaT or
        None. ``where`` is an expression of the subgroup language: ``"PARAMCD == 'ALSFRSR' and AVISITN <= 6"``.

        Raises UsageError for a table or column that is not there, or where a mask holds; ExpressionError for the expression.
        """
        import pandas as pd

        from alsbench.analysis.subgroups import realise
        from alsbench.service.about import about
        from alsbench.service.trail import shown
        from alsbench.study.expression import compile_sql, parse

        self._access.refuse_mask(0, "the rows of a table")
        with self._opened() as source:
            snapshot = source.snapshot
            info = snapshot.table(name)
            condition = None
            if where:
                expression = parse(where)
                cuts = realise(source, expression.aggregates) if expression.aggregates else {}
                condition = compile_sql(expression, info.kinds, cuts)
            asked = shlex.join(["alsbench", "data", info.name, *(["--where", where] if where else [])])
            facts = {"asked": self._repeat(asked), "table": info.name, "where": where, "snapshot": snapshot.digest}
            shown(self._access, "data", facts)
            frame = snapshot.frame(info.name, columns=tuple(columns) or None, where=condition)
            made = pd.DataFrame(
                {n: frame[n].astype("datetime64[s]") if frame.kind(n) == "date" else frame[n] for n in frame.names}
            )
            made.attrs = {"title": f"{info.name} {info.label}".strip(), "facts": dict(about(source))}
            return made

    def subgroup(self, phrase: str) -> Members:
        """Who is in a subgroup of the study (``slow``, ``not slow``, ``slow and nfl_low``)."""
        from alsbench.service.subgroups import Members

        return Members(self._access, phrase)

    @property
    def subgroups(self) -> Subgroups:
        """The named subgroups of the study file: ``add``, ``edit``, ``remove``, ``frame``."""
        from alsbench.service.subgroups import Subgroups

        return Subgroups(self._access)

    # ---- what is asked of it

    def endpoint(
        self,
        name: str,
        *,
        subgroup: Words = (),
        comparison: Words = (),
        visit: Words | float | Sequence[float] = (),
        population: str = "",
        method: str = "",
        covariance: str = "",
        df: str = "",
        subjects: bool = False,
        mask: int = 0,
        **options: Any,
    ) -> Answer:
        """Analyse an endpoint as study.toml says, in each subgroup asked for (default: overall).

        ``comparison`` is a treatment label or a comparison's name, ``visit`` a number or label (a joint rank takes it as its
        horizon). ``options`` are further keys of the endpoint in study.toml: ``covariates=["AGE"]``, ``adjust="max-t"``.

        Raises UsageError for a name or option that is not there; what cannot be estimated is missing, and says why.

        >>> import alsbench as als
        >>> trial = als.open("trial")
        >>> answer = trial.endpoint("cafs", subgroup=["slow", "not slow"], comparison="G2-M12")
        >>> answer.table("difference", "p_value").round(3)
        of        Group 2 vs Placebo
        statistic         difference p_value
        subgroup
        slow                   8.946   0.024
        not slow              -2.213   0.616
        >>> round(answer.get("p_value", subgroup="slow"), 3), answer.post_hoc
        (0.024, True)
        """
        from alsbench.render.tables import endpoint_page
        from alsbench.service.endpoint import answered, endpoint_question

        with self._opened() as source:
            question = endpoint_question(
                source,
                name,
                subgroups=_words(subgroup),
                comparisons=_words(comparison),
                visits=_words(visit),
                population=population,
                method=method,
                covariance=covariance,
                df=df,
                subjects=subjects,
                options={key: _toml(value) for key, value in options.items()},
            )
            result = answered(question, source, self._access.mask(mask))
            return self._answer(source, (result,), lambda r: endpoint_page(r[0], model=True))

    def safety(self, *, subgroup: Words = (), population: str = "", mask: int = 0) -> Answer:
        """Exposure, adverse event overview, classes and terms, by actual arm: the study's first incidence endpoint."""
        with self._opened() as source:
            from alsbench.service.endpoint import safety_endpoint

            name = safety_endpoint(source)
        return self.endpoint(name, subgroup=subgroup, population=population, mask=mask)

    def evidence(
        self, *, subgroups: Sequence[str] | None = None, comparison: Words = (), population: str = "", mask: int = 0
    ) -> Answer:
        """Every endpoint with a single contrast, overall and in each subgroup (default: all of the study's)."""
        from dataclasses import replace

        from alsbench.render.evidence import evidence_page
        from alsbench.service.evidence import made_evidence

        with self._opened() as source:
            made = made_evidence(
                self._access, source, subgroups, tuple(_words(comparison)), population, self._access.mask(mask)
            )
            return self._answer(source, (made.result,), lambda r: evidence_page(replace(made, result=r[0])))

    def forest(
        self, name: str, *, subgroups: Sequence[str] | None = None, comparison: Words = (), population: str = "", mask: int = 0
    ) -> Answer:
        """One endpoint overall, in each subgroup and in its complement, with interaction p; ``plot()`` draws it."""
        from dataclasses import replace

        from alsbench.render.forest import forest_page
        from alsbench.service.evidence import made_forest

        with self._opened() as source:
            k = self._access.mask(mask)
            made = made_forest(self._access, source, name, subgroups, tuple(_words(comparison)), population, k)
            return self._answer(source, (made.result,), lambda r: forest_page(replace(made, result=r[0])))

    def scrutinise(
        self,
        endpoint: str = "",
        *,
        subgroup: str = "",
        comparison: Words = (),
        population: str = "",
        checks: Sequence[str] = (),
        mask: int = 0,
    ) -> Scrutiny:
        """Put a finding through what a sceptical reviewer asks: 22 checks (or those named, by id or number).

        Defaults: the study's first subgroup and its first endpoint of the highest level.
        """
        from alsbench.analysis.scrutiny import find_check
        from alsbench.render.scrutiny import scrutiny_page
        from alsbench.service.scrutinised import Scrutiny
        from alsbench.service.scrutiny import made_scrutiny

        chosen = [find_check(c) for c in checks]
        with self._opened() as source:
            k = self._access.mask(mask)
            made = made_scrutiny(self._access, source, subgroup, chosen, endpoint, tuple(_words(comparison)), population, k)
            results = [r for _, r in made]
            found = self._answer(
                source, results, lambda rs: scrutiny_page([(c, r) for (c, _), r in zip(made, rs, strict=True)])
            )
            return Scrutiny.of(found, [c for c, _ in made])

    def claims(self, file: str | Path | None = None, *, names: Sequence[str] = (), mask: int = 0) -> pd.DataFrame:
        """Published numbers (a claims.toml; default: the workspace's) beside those of the data: one row a number, in the
        columns of ``alsbench claims --format csv``."""
        from alsbench.render.claims import numbers_sheet
        from alsbench.service.claims import checked_claims

        path = Path(file) if file is not None else self.path / "claims.toml"
        with self._opened() as source:
            made = checked_claims(
                self._access, source, path, tuple(names), self._access.mask(mask), scrutinise=False, study=source.study
            )
            return _frame(numbers_sheet(*made))

    def check(self, *, mask: int = 0) -> pd.DataFrame:
        """What the data rules find: ``rule``, ``severity``, ``table``, ``count``, ``what``, first rows and keys."""
        from alsbench.service.checks import findings_of

        with self._opened() as source:
            return _frame(findings_of(self._access, source.snapshot, self._access.mask(mask))[0])

    # ---- inside

    def _answer(self, source: Source, results: Sequence[Result], page: Callable[[Sequence[Result]], Page]) -> Answer:
        """The answer with the commands that repeat it, entered in the log."""
        from alsbench.service.answer import Answer
        from alsbench.service.trail import looked

        told = [r.with_command(self._repeat(r.provenance.command)) for r in results]
        for result in told:
            looked(self._access, result, source)
        kept: list[Page] = []

        def once() -> Page:
            if not kept:
                kept.append(page(told))
            return kept[0]

        return Answer(self._access, told, once, source.study)

    def _repeat(self, command: str) -> str:
        return f"{command} --workspace {shlex.quote(str(self.path.resolve()))}"


def _frame(sheet: Sheet) -> pd.DataFrame:
    """A table as a frame; ``attrs`` holds what it says above and below itself (study, SYNTHETIC, BLINDED, the audit log)."""
    import pandas as pd

    made = pd.DataFrame([dict(zip((f.key for f in sheet.fields), record, strict=True)) for record in sheet.records])
    made.attrs = {"title": sheet.title, "facts": dict(sheet.facts), "notes": list(sheet.notes)}
    return made


def _words(given: Any) -> tuple[str, ...]:
    if isinstance(given, str | int | float):
        given = (given,)
    return tuple(f"{v:g}" if isinstance(v, int | float) else str(v) for v in given)


def _toml(value: Any) -> str:
    """A Python value as ``--option`` takes it: a TOML value, a single word bare."""
    import json

    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value if re.fullmatch(r"[A-Za-z][\w-]*", value) else json.dumps(value)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{k} = {_toml_inside(v)}" for k, v in value.items()) + " }"
    if isinstance(value, Sequence):
        return "[" + ", ".join(_toml_inside(v) for v in value) + "]"
    return repr(value)


def _toml_inside(value: Any) -> str:
    import json

    return json.dumps(value) if isinstance(value, str) else _toml(value)
