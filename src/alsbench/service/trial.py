"""A trial as Python asks it: ``als.open(path)``. The same answers as the shell's, with the same masks and log entries."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from alsbench.analysis.scrutiny import ALL, find_check
from alsbench.audit.lineup_key import write_key
from alsbench.audit.workspace_identity import identify
from alsbench.data.workspace import Workspace
from alsbench.errors import UnavailableError, UsageError
from alsbench.service.access import Access, compute_of
from alsbench.service.answer import Answer, Copies, Members, Panels, Scrutiny, Subgroups, Verified, form_of, sheet_frame
from alsbench.service.audit_log import log, looks_seen
from alsbench.service.endpoint import endpoint, life_table, rank_reasons, safety
from alsbench.service.evidence import evidence, forest
from alsbench.service.loading import load_files, load_sample
from alsbench.service.lock import departures, lock
from alsbench.service.output import export, source_facts
from alsbench.service.report import report
from alsbench.service.scrutiny import chance, scrutinise
from alsbench.service.snapshots import diff, snapshots
from alsbench.service.subjects import arms, subject
from alsbench.service.tables import check, condition_of, entered
from alsbench.service.unblinding import unblind
from alsbench.settings import read_settings

if TYPE_CHECKING:
    from alsbench.analysis.source import Source
    from alsbench.service.output import Output
    from alsbench.study.model import Study

Words = str | Sequence[str]


def open(path: str | Path, *, workers: int | None = None, cluster: Any = "", insecure: bool = False) -> Trial:
    """A workspace that was made by ``alsbench load`` or :func:`load`.

    What resamples does so in ``workers`` processes of this machine (default: that of your settings, else 0, in this one), or on
    a ``cluster``: the address of a Dask scheduler, or a ``distributed.Client`` of your own. An address of another machine is
    ``tls://``, or ``insecure``. The numbers are the same wherever they are computed.

    Raises UnavailableError where there is no workspace or no data have been loaded, StudyError for a study file that cannot be
    read, DataError for data that cannot, UsageError for workers or a cluster that cannot be meant.

    >>> import alsbench as als
    >>> trial = als.demo("trial")
    >>> als.open("trial").arms()[["arm", "label", "randomised"]]
            arm       label  randomised
    0   Placebo         NaN          46
    1   Group 1   two doses          23
    2   Group 2  five doses          46
    3  all arms         NaN         115
    """
    trial = Trial(path, workers=workers, cluster=cluster, insecure=insecure)
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
    load_sample(Trial(path)._access)
    return Trial(path)


def reconcile(
    ours: Trial | str | Path, theirs: Trial | str | Path, *, mapping: str | Path | None = None, **words: Any
) -> dict[str, pd.DataFrame]:
    """Two sides against each other, each a trial, or the path of a workspace, data, results or a document: see
    :meth:`Trial.reconcile`, whose ``words`` it takes.

    Raises UsageError for a side that is not there or needs a mapping, DataError for one that cannot be read.

    >>> import alsbench as als
    >>> found = als.reconcile("trial", "files")
    >>> list(found), set(found["tables"]["state"])
    (['tables', 'classes', 'records'], {'same'})
    """
    first, second = (side.path if isinstance(side, Trial) else Path(side) for side in (ours, theirs))
    return Trial(first).reconcile(second, mapping=mapping, **words)


class Trial:
    """A workspace: its study, its data, and what is asked of them.

    Every call that shows a result is entered in the workspace's audit log, as in the shell; the mask of the user's settings and
    of the study file holds. ``mask`` hides counts below it, what rests on them, and what would tell them.
    """

    def __init__(self, path: str | Path, *, workers: int | None = None, cluster: Any = "", insecure: bool = False) -> None:
        self.path = Path(path)
        own = read_settings()
        compute, local = compute_of(own, workers, cluster, insecure=insecure)
        shown = {"format": "python"}
        self._access = Access(self.path, own.mask, identify(self.path), shown, named=True, compute=compute, local=local)

    def __repr__(self) -> str:
        info = self.study.info
        return f"<alsbench trial {info.id}{''.join(f', {mark}' for mark in info.marks)}, in {self.path}>"

    def _opened(self) -> AbstractContextManager[Source]:
        return self._access.opened()

    # ---- what it is

    @property
    def study(self) -> Study:
        """The study file, read now. Raises StudyError."""
        return Workspace(self.path).read_study()

    @property
    def snapshot(self) -> str:
        """The name of the current snapshot."""
        return Workspace(self.path).current_name() or ""

    def arms(self, subgroup: str = "overall", *, mask: int = 0) -> pd.DataFrame:
        """Subjects by planned arm: ``arm``, ``label``, ``randomised``, one column a population, ``discontinued``, ``deaths``;
        the last row is all arms. Masked counts are texts such as ``<5``."""
        return _frame(arms(self._access, subgroup, mask=mask))

    def table(self, name: str, *, where: str = "", columns: Sequence[str] = ()) -> pd.DataFrame:
        """The rows of a data set in load order: numbers as float, dates as datetime64, codes as text, missing as NaN, NaT or
        None. ``where`` is an expression of the subgroup language: ``"PARAMCD == 'ALSFRSR' and AVISITN <= 6"``.

        Raises UsageError for a table or column that is not there, or where a mask holds; ExpressionError for the expression.
        """
        self._access.refuse_mask(0, "the rows of a table")
        with self._opened() as source:
            snapshot = source.snapshot
            info = snapshot.table(name)
            condition = condition_of(self._access, snapshot, info, where) if where else None
            entered(self._access, snapshot, info.name, where or None)
            frame = snapshot.frame(info.name, columns=tuple(columns) or None, where=condition)
            made = pd.DataFrame(
                {n: frame[n].astype("datetime64[s]") if frame.kind(n) == "date" else frame[n] for n in frame.names}
            )
            made.attrs = {"title": f"{info.name} {info.label}".strip(), "facts": dict(source_facts(source))}
            return made

    def subgroup(self, phrase: str) -> Members:
        """Who is in a subgroup of the study (``slow``, ``not slow``, ``slow and nfl_low``)."""
        return Members(self._access, phrase)

    @property
    def subgroups(self) -> Subgroups:
        """The named subgroups of the study file: ``add``, ``edit``, ``remove``, ``frame``."""
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
        made = endpoint(
            self._access,
            name,
            model=True,
            subgroups=_words(subgroup),
            comparisons=_words(comparison),
            visits=_words(visit),
            population=population,
            method=method,
            covariance=covariance,
            df=df,
            subjects=subjects,
            options={key: _toml(value) for key, value in options.items()},
            mask=mask,
        )
        return Answer(self._access, made)

    def safety(self, *, subgroup: Words = (), population: str = "", mask: int = 0) -> Answer:
        """Exposure, adverse event overview, classes and terms, by actual arm: the study's first incidence endpoint."""
        return Answer(self._access, safety(self._access, subgroups=_words(subgroup), population=population, mask=mask))

    def evidence(
        self,
        *,
        subgroups: Sequence[str] | None = None,
        comparison: Words = (),
        population: str = "",
        judge: bool = False,
        mask: int = 0,
    ) -> Answer:
        """Every endpoint with a single contrast, overall and in each subgroup (default: all of the study's). With ``judge``
        every p below 0.05 outside the plan has its bottom line: rows with ``variable`` ``bottom line``."""
        asked: dict[str, Any] = {"subgroups": subgroups, "comparisons": _words(comparison), "population": population}
        return Answer(self._access, evidence(self._access, **asked, judge=judge, mask=mask))

    def forest(
        self,
        name: str,
        *,
        subgroups: Sequence[str] | None = None,
        comparison: Words = (),
        population: str = "",
        judge: bool = False,
        mask: int = 0,
    ) -> Answer:
        """One endpoint overall, in each subgroup and in its complement, with interaction p; ``plot()`` draws it. ``judge`` is
        as in :meth:`evidence`."""
        asked: dict[str, Any] = {"subgroups": subgroups, "comparisons": _words(comparison), "population": population}
        return Answer(self._access, forest(self._access, name, **asked, judge=judge, mask=mask))

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
        """The bottom line of a finding and the 22 checks it rests on (or those named, by id or number).

        Defaults: the study's first subgroup and its first endpoint of the highest level.
        """
        compared, named = _words(comparison), tuple(dict.fromkeys(find_check(c) for c in checks)) or ALL
        ids = [c.id for c in named]
        made = scrutinise(
            self._access, endpoint, subgroup=subgroup, comparisons=compared, population=population, checks=ids, mask=mask
        )
        return Scrutiny(self._access, made, named)

    def chance(
        self,
        endpoint: str = "",
        *,
        subgroup: str = "",
        comparison: Words = (),
        visit: str | float = "",
        population: str = "",
        draws: int = 0,
        mask: int = 0,
    ) -> Copies:
        """A finding among copies of the trial without any effect, arms dealt again within strata and the whole search
        repeated in each: its rank (which is its p over the search), the smallest p of the copies, and the headlines of the
        first ten.

        Defaults: those of :meth:`scrutinise`, the horizon of each comparison, as many ``draws`` as a check makes.

        Raises UsageError for a finding without a test in permuted trials, and for fewer than ten draws.

        Westfall and Young 1993, ISBN 978-0471557616.

        >>> import alsbench as als
        >>> found = als.open("trial").chance("cafs", subgroup="slow", comparison="G2-M12", draws=256)
        >>> found.p_search.round(2).to_dict()
        {'Group 2': 1.0}
        >>> found.headlines()["of"].tolist()[:3]
        ['the finding', 'the best of the trial', 'copy 1']
        """
        made = chance(
            self._access,
            endpoint,
            subgroup=subgroup,
            comparisons=_words(comparison),
            visit="" if visit == "" else _words(visit)[0],
            population=population,
            draws=draws,
            mask=mask,
        )
        return Copies(self._access, made)

    def verify(self, endpoint: Words = (), *, subgroup: Words = (), mask: int = 0, **words: Any) -> Verified:
        """Endpoints (default: all) computed again by a second program, with pandas and statsmodels, which shares no derivation,
        design or formula with the first, and both held against each other, in each subgroup asked for (default: overall).
        ``words`` are ``population``, ``method``, ``covariance``, ``df`` and further options as of :meth:`endpoint`.

        Raises UsageError for a name or option that is not there.

        >>> import alsbench as als
        >>> both = als.open("trial").verify("cafs", subgroup=["slow", "not slow"])
        >>> both.agrees
        True
        """
        from alsbench.service.verify import verify  # waits: statsmodels

        asked = _asked({"subgroup": subgroup, **words})
        unknown = {"comparisons", "visits", "subjects"} & asked.keys()
        if unknown:
            raise UsageError(f"verify takes no {' or '.join(sorted(unknown))}", hint="it compares every one")
        return Verified(self._access, verify(self._access, _words(endpoint), **asked, mask=mask))

    def lineup(
        self,
        view: str = "months",
        endpoint: str = "",
        *,
        subgroup: str = "",
        comparison: str = "",
        population: str = "",
        panels: int = 20,
        seed: int | None = None,
        key: str | Path | None = None,
        mask: int = 0,
    ) -> Panels:
        """A view (``months``, ``km``, ``forest``, ``evidence``) of the trial hidden among copies without any effect; entered
        in the audit log as a look. ``key`` is a new file for which panel is the trial, beside what ``reveal`` of the answer
        knows; ``seed`` makes the same lineup again.

        Raises UsageError for a view that is not there, in a blinded workspace and under a mask.

        Buja and others 2009, doi 10.1098/rsta.2009.0120.

        >>> import alsbench as als
        >>> shown = als.open("trial").lineup("km", "survival", seed=1)
        >>> shown.reveal(3, 8)[["panels", "judges", "p"]].round(3).to_dict("records")
        [{'panels': 20, 'judges': 2, 'p': 0.098}]
        """
        from alsbench.service.lineup import entered, made_lineup  # waits: scipy

        words = {"subgroup": subgroup, "comparison": comparison, "population": population}
        with self._opened() as source:
            made = made_lineup(self._access, source, view, endpoint, **words, panels=panels, seed=seed, mask=mask)
            if key is not None:
                write_key(Path(key), made.key)
            return Panels(self._access, entered(self._access, source, made), made.key)

    def claims(
        self, file: str | Path | None = None, *, names: Sequence[str] = (), judge: bool = False, mask: int = 0
    ) -> pd.DataFrame:
        """Published numbers (a claims.toml; default: the workspace's) beside those of the data: one row a number, in the
        columns of ``alsbench claims --format csv``; ``judge`` gives each its bottom line."""
        from alsbench.service.claims import claims  # waits: scipy

        return _frame(claims(self._access, None if file is None else Path(file), names=names, judge=judge, mask=mask))

    def check(self, *, mask: int = 0) -> pd.DataFrame:
        """What the data rules find: ``rule``, ``severity``, ``table``, ``count``, ``what``, first rows and keys."""
        return _frame(check(self._access, mask=mask))

    # ---- single subjects

    def subject(self, subject_id: str) -> dict[str, pd.DataFrame]:
        """One subject's analysed parameters by visit (``course``), events and doses, each table by its name; the baseline facts
        are in the ``attrs["facts"]`` of the first.

        Raises UsageError for a subject that is not there, or where a mask holds.

        >>> import alsbench as als
        >>> found = als.open("trial").subject("ALSDEMO-01-1001")
        >>> list(found), found["course"].attrs["facts"]["ARM"]
        (['course', 'adtte', 'adae', 'adex'], 'Group 2')
        """
        return _frames(subject(self._access, subject_id))

    def rank_reasons(self, name: str, subject: str, **words: Any) -> dict[str, pd.DataFrame]:
        """Every pair of one subject of a joint rank and what decided it (``pairs``), and their sums (``ranks``). ``words`` are
        those of :meth:`endpoint`. Raises UsageError for another endpoint, or where a mask holds."""
        return _frames(rank_reasons(self._access, name, subject, **_asked(words)))

    def life_table(self, name: str, **words: Any) -> pd.DataFrame:
        """The life table of a time to event: ``subgroup``, ``arm``, ``day``, ``at_risk``, ``events``, ``censored``,
        ``event_free`` with ``conf_low`` and ``conf_high``. Raises UsageError for another endpoint, or where a mask holds."""
        return _frame(life_table(self._access, name, **_asked(words)))

    # ---- documents

    def report(
        self,
        path: str | Path,
        *,
        subgroups: Sequence[str] = (),
        endpoints: Sequence[str] = (),
        scrutinise: bool = False,
        claims: str | Path | None = None,
        verify: bool = False,
        reconcile: str | Path | None = None,
        mapping: str | Path | None = None,
        diff: str = "",
        mask: int = 0,
    ) -> Path:
        """Every table of the trial in one document, written to a file in the form of its ending; entered in the audit log as
        exports. ``endpoints`` leaves out others, ``subgroups`` are reported beside the whole trial, with their checks where
        ``scrutinise`` asks for them; with ``verify`` tables of endpoints say what a second program says to them; ``reconcile``
        puts another program's file beside these numbers, ``diff`` an earlier snapshot (a name, or ``previous``). The path.

        Raises UsageError for another ending and for a name that is not there, UnavailableError where it cannot be written.

        >>> import alsbench as als
        >>> als.open("trial").report("cafs.html", endpoints=["cafs"], subgroups=["slow"]).name
        'cafs.html'
        """
        target = Path(path)
        words = {"subgroups": subgroups, "endpoints": endpoints, "scrutinise": scrutinise, "verify": verify, "diff": diff}
        files = {"claims": claims, "reconcile": reconcile, "mapping": mapping}
        named = {name: None if file is None else Path(file) for name, file in files.items()}
        export(self._access, report, target, form_of(target), **words, **named, mask=mask)
        return target

    # ---- governance

    def snapshots(self, *, prune: int | None = None) -> pd.DataFrame:
        """Published snapshots, oldest first: ``name``, ``current``, ``digest``, ``tables``, ``rows``, ``data_cut``, ``error``.
        With ``prune`` all but the newest that many are removed before, never the current one; entered in the log.

        >>> import alsbench as als
        >>> found = als.open("trial").snapshots()
        >>> len(found), bool(found["current"].iloc[-1]), int(found["tables"].iloc[-1])
        (1, True, 7)
        """
        return _frame(snapshots(self._access, prune=prune))

    def diff(
        self, old: str, new: str = "current", *, results: bool = True, records: int = 20, why: bool = False, budget: int = 0
    ) -> dict[str, pd.DataFrame]:
        """What changed between two snapshots (a name, the beginning of one, ``current``, ``previous``): ``tables`` with rows
        added, removed and changed, how the data differ by class (``classes``, worst first, noise in one line), the first
        ``records`` of each kind that differ by more than noise, and the contrasts (``results``) that do, each with its class.
        With ``why`` the records that account for changed contrasts, one line an endpoint (``why``), at most ``budget`` analyses
        each (0: 400).

        Raises UsageError for a snapshot that is not there, or where a mask holds.

        >>> import alsbench as als
        >>> found = als.open("trial").diff("current", "current")
        >>> list(found), set(found["tables"]["state"])
        (['tables', 'classes', 'records', 'results'], {'same'})
        """
        return _frames(diff(self._access, old, new, results=results, records=records, why=why, budget=budget))

    def reconcile(
        self,
        theirs: str | Path,
        *,
        mapping: str | Path | None = None,
        endpoint: Words = (),
        subgroup: Words = (),
        records: int = 20,
        mask: int = 0,
        why: bool = False,
        budget: int = 0,
    ) -> dict[str, pd.DataFrame]:
        """Another program's numbers beside ours, each difference in its class, worst first. Of results (alsbench, R cards,
        CDISC ARS; a CSV or a document with a ``mapping``) ``pairs`` with ours, theirs, their difference and the class, and
        ``classes`` with counts; of data (a folder, a file, another workspace) ``tables``, ``classes`` and the first
        ``records``. What theirs is about, where it does not say, is ``endpoint`` and ``subgroup``.
        ``why`` adds what gives their numbers, options or records, at most ``budget`` analyses a search (0: 200, 400).

        Raises UsageError where a mapping is needed, and for data where a mask holds; DataError for files that cannot be read.

        >>> import alsbench as als
        >>> trial = als.open("trial")
        >>> trial.endpoint("cafs", comparison="G2-M12").save("theirs.json").name
        'theirs.json'
        >>> trial.reconcile("theirs.json")["classes"].to_dict("records")
        [{'class': 'identical', 'numbers': 53}]
        """
        from alsbench.service.reconcile import reconcile as ask  # waits: xml

        named = None if mapping is None else Path(mapping)
        made = ask(
            self._access,
            self.path,
            Path(theirs),
            mapping=named,
            endpoints=_words(endpoint),
            subgroups=_words(subgroup),
            records=records,
            mask=mask,
            why=why,
            budget=budget,
        )
        return _frames(made)

    def lock(self) -> pd.DataFrame:
        """Lock the analysis plan, once: ``part``, ``name``, ``content`` of what is locked. ``attrs["facts"]["Log head"]`` is a
        hash to note outside the workspace. Raises UsageError where a plan is locked already."""
        return _frame(lock(self._access))

    def departures(self) -> pd.DataFrame:
        """How study file, lock file and log depart from the locked plan: ``word``, ``part``, ``name``, ``what``; no row where
        they do not. Raises UnavailableError where none is locked."""
        return _frame(departures(self._access))

    def log(self) -> pd.DataFrame:
        """The audit log: ``number``, ``time``, ``who``, ``action``, ``hash``, ``what``, ``reason`` of every entry.

        Raises UnavailableError where there is none.

        >>> import alsbench as als
        >>> als.open("trial").log()["action"].head(2).tolist()
        ['load announced', 'load']
        """
        return _frames(log(self._access))["audit"]

    def looks(self) -> dict[str, pd.DataFrame]:
        """The multiplicity ledger: distinct questions asked (``looks``), and distinct contrasts whose p-value was shown
        (``contrasts``). Raises UnavailableError where there is no log."""
        return _frames(looks_seen(self._access))

    def unblind(self, key: str | Path, reason: str, *, accept: Mapping[str, str] | None = None) -> None:
        """Publish the current data under their real arms: logged with its reason, and not to be taken back. ``accept`` lets
        errors of checks stand, for reasons by rule. Raises UsageError for another key or no reason, UnavailableError where
        nothing is blinded."""
        unblind(self._access, Path(key), reason, accept)


def _frame(made: Output) -> pd.DataFrame:
    """The first table as a frame."""
    return next(iter(_frames(made).values()))


def _frames(made: Output) -> dict[str, pd.DataFrame]:
    """The tables as frames by name; ``attrs`` holds what each says above and below itself (study, marks, the log)."""
    return {sheet.name: sheet_frame(sheet) for sheet in made.sheets}


def _asked(words: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords of :meth:`Trial.endpoint` as ``endpoint_question`` takes them."""
    lists = {"subgroup": "subgroups", "comparison": "comparisons", "visit": "visits"}
    plain = {"population", "method", "covariance", "df", "subjects"}
    made: dict[str, Any] = {key: words[key] for key in plain if key in words}
    made |= {name: _words(words[key]) for key, name in lists.items() if key in words}
    return made | {"options": {k: _toml(v) for k, v in words.items() if k not in plain and k not in lists}}


def _words(given: Any) -> tuple[str, ...]:
    if isinstance(given, str | int | float):
        given = (given,)
    return tuple(f"{v:g}" if isinstance(v, int | float) else str(v) for v in given)


def _toml(value: Any) -> str:
    """A Python value as ``--option`` takes it: a TOML value, a single word bare."""
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
    return json.dumps(value) if isinstance(value, str) else _toml(value)
