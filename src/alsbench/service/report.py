"""The tables of a trial in one document that stands alone: a front page, contents, numbered tables.

What the reader must know before the first table stands on the front page; no clock, no paths.
"""

from __future__ import annotations

import platform
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from alsbench.analysis.methods import METHODS
from alsbench.analysis.question import Question
from alsbench.analysis.reconcile.mapping import ResultMapping, read_mapping
from alsbench.analysis.result import Provenance
from alsbench.analysis.scrutiny import BOTTOM_LINE, verdict
from alsbench.analysis.subgroups import members
from alsbench.audit.chain import verify
from alsbench.audit.log import contrasts_seen, looks
from alsbench.data.workspace import Workspace
from alsbench.errors import AlsbenchError, UsageError
from alsbench.render.document import Document
from alsbench.render.evidence import evidence_page
from alsbench.render.forest import forest_page
from alsbench.render.mask_words import hide_counts
from alsbench.render.page import Page, PageBlock, label
from alsbench.render.scrutiny import scrutiny_page
from alsbench.render.sheet import Field, Sheet, sheets_page
from alsbench.render.tables import endpoint_page
from alsbench.render.titles_footnotes import log_mark, marked_title
from alsbench.service.access import Access
from alsbench.service.endpoint import answered, with_curves
from alsbench.service.evidence import made_evidence, made_forest
from alsbench.service.lock import departures_sheet
from alsbench.service.output import Facts, Output, document_text, some_columns, source_facts
from alsbench.service.reconciliation import Reconciliation, printed_sheets
from alsbench.service.scrutiny import made_scrutiny
from alsbench.service.snapshots import ComparedSnapshots, compared, snapshot_named
from alsbench.service.subjects import arms_sheet
from alsbench.service.tables import findings_of
from alsbench.service.trail import log_result
from alsbench.study.claims import read_claims
from alsbench.study.model import NO_PATIENT
from alsbench.version import __version__

if TYPE_CHECKING:
    from alsbench.analysis.result import Result
    from alsbench.service.verify import BothPrograms, SecondProgram
from alsbench.analysis.source import Source

LEDGER = "Multiplicity ledger: what has been looked at, this report included"
LIBRARIES = ("numpy", "scipy", "duckdb")


def report(
    access: Access,
    *,
    subgroups: Sequence[str] = (),
    endpoints: Sequence[str] = (),
    scrutinise: bool = False,
    claims: Path | None = None,
    verify: bool = False,
    reconcile: Path | None = None,
    mapping: Path | None = None,
    diff: str = "",
    mask: int = 0,
) -> Output:
    """All tables of the trial in one document: disposition, baseline, evidence, every endpoint (or those named) overall and in
    each subgroup asked for, forest plots, scrutiny and claims where asked for, safety, departures from the locked plan, the
    multiplicity ledger, the checks of the data. Evidence and forest plots hold every subgroup of the study. A table that cannot
    be made says why in its place. With ``verify`` the table of an endpoint says how many of its numbers a second program
    computes too; one that differs is a negative verdict, and so is a number of ``reconcile`` (another program's results, tables
    or data, with a ``mapping`` where that is needed) that differs by more than print shows, and so is a record or a contrast
    of the snapshot ``diff`` (a name, or ``previous``).

    Raises what a subgroup, an endpoint or a file of claims that is not there raises.
    """
    k = access.mask(mask)
    if claims is not None:
        read_claims(claims)  # a file that cannot be read is said at once
    theirs = _theirs(reconcile, mapping)
    before = snapshot_named(Workspace(access.path), diff) if diff else ""
    with access.opened() as source:
        phrases = tuple(dict.fromkeys(s for s in subgroups if s != "overall"))
        for phrase in phrases:  # names that do not exist are the asker's error, not a table's
            members(source, phrase)
        for name in endpoints:
            source.endpoint(name)
        asked = Contents(access, source, phrases, tuple(dict.fromkeys(endpoints)), k)
        if verify:
            from alsbench.service.verify import SecondProgram  # waits: statsmodels

            asked = replace(asked, second=SecondProgram(source))
        pages = [*_population(asked), *_efficacy(asked)]
        if scrutinise:
            pages += _scrutiny(asked)
        pages += _of_method(asked, "incidence", "safety")
        if claims is not None:
            pages += _claims(asked, claims)
        if theirs is not None:
            pages += _reconciled(asked, *theirs)
        if before:
            pages += _compared(asked, before)
        pages += [*_second_program(asked), *_departures(asked)]
        results = tuple(log_result(access, result, source.study) for result in asked.results)
        pages.append(asked.sheet_page(ledger_sheet(access), LEDGER))
        pages += _checks(asked)
        document = _document(asked, pages, _command(asked, claims, theirs, before, scrutinise=scrutinise, mask=k))
        failed = any(found.differing for found in asked.both) or not all(found.good for found in asked.beside)
        return Output(lambda form: [document_text(document, form)], results=results, study=source.study, failed=failed)


@dataclass(frozen=True)
class Contents:
    """What the report is made of; ``results`` collects what it shows, for the audit log, ``missing`` what it does not,
    ``bottom_lines`` what may be taken away of the findings that were put to scrutiny, ``both`` what the ``second`` program,
    where it is asked, says to each table of an endpoint, ``reconciled`` another's numbers beside these, ``compared`` an earlier
    snapshot's."""

    access: Access
    source: Source
    subgroups: tuple[str, ...]
    endpoints: tuple[str, ...]
    k: int
    results: list[Result] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    bottom_lines: list[str] = field(default_factory=list)
    second: SecondProgram | None = None
    both: list[BothPrograms] = field(default_factory=list)
    reconciled: list[Reconciliation] = field(default_factory=list)
    compared: list[ComparedSnapshots] = field(default_factory=list)

    @property
    def beside(self) -> tuple[Reconciliation | ComparedSnapshots, ...]:
        """What was put beside these numbers."""
        return (*self.reconciled, *self.compared)

    @property
    def phrases(self) -> tuple[str, ...]:
        return ("overall", *self.subgroups)

    def attempt(self, title: str, make: Callable[[], Page]) -> Page:
        """A page, or in its place one that says why there is none."""
        try:
            return make()
        except AlsbenchError as error:
            self.missing.append(title)
            self.access.note(f"not made: {title}: {error.message}")
            nothing = PageBlock("", (label("This table could not be made"),), (), (error.message.replace("\n", "; "),))
            return Page(self.marked(title), (nothing,), self.facts(), (self.version,))

    def marked(self, title: str, *, post_hoc: bool = False) -> str:
        source = self.source
        synthetic = source.study.info.synthetic
        return marked_title(
            title, Provenance("", "", "", post_hoc, synthetic, blinded=source.blinded, audit_log=source.log.text)
        )

    def facts(self) -> tuple[tuple[str, str], ...]:
        return source_facts(self.source)

    @property
    def version(self) -> str:
        return f"alsbench {__version__}, study {self.source.study_digest[:12]}"

    def sheet_page(self, sheet: Sheet, title: str, *more: Sheet, notes: tuple[str, ...] = (), post_hoc: bool = False) -> Page:
        """Plain tables as a page with the marks, facts and version that results carry of themselves."""
        return self.standing(sheets_page((sheet, *more)), title, notes=notes, post_hoc=post_hoc)

    def standing(self, page: Page, title: str, *, notes: tuple[str, ...] = (), post_hoc: bool = False) -> Page:
        """A page with the marks, facts and version that results carry of themselves."""
        known = {name for name, _ in page.facts}
        facts = (*page.facts, *(f for f in self.facts() if f[0] not in known))
        return replace(page, title=self.marked(title, post_hoc=post_hoc), facts=facts, footnotes=(*notes, self.version))


def _population(asked: Contents) -> list[Page]:
    """Who was in the trial, and who they were."""

    def disposition(phrase: str) -> Page:
        sheet = arms_sheet(asked.source, phrase, asked.k)
        study = asked.source.study
        flags = "; ".join(f"{name}: {asked.source.population_words(name)}" for name in study.populations.flags)
        flags = hide_counts(flags) if asked.k else flags
        counted = (("Counted", f"subjects of ADSL by planned arm ({study.arms.planned})"), ("Populations", flags))
        everybody = (("Subgroup", "overall: all subjects"),) if phrase == "overall" else ()
        sheet = replace(sheet, facts=(*counted, *everybody, *sheet.facts))
        post_hoc = members(asked.source, phrase).post_hoc
        return asked.sheet_page(sheet, f"Disposition of subjects, {phrase}", post_hoc=post_hoc)

    made = [asked.attempt(f"Disposition of subjects, {p}", lambda p=p: disposition(p)) for p in asked.phrases]  # type: ignore[misc]
    return made + _of_method(asked, "baseline", "baseline")


def _of_method(asked: Contents, method: str, word: str) -> list[Page]:
    names = [n for n, e in asked.source.study.endpoints.items() if e.method == method]
    if not names:
        asked.missing.append(f"{word}: the study has no endpoint of method {method}")
    return _endpoints(asked, names, word)


def _endpoints(asked: Contents, names: Iterable[str], word: str) -> list[Page]:
    """A table for each endpoint and subgroup: as `alsbench endpoint NAME --subgroup S` prints it."""
    parts = [(name, phrase) for name in names for phrase in asked.phrases]
    pages = []
    for name, phrase in asked.access.steps(parts, len(parts), word):
        title = f"{asked.source.endpoint(name).title or name}, {phrase}"
        pages.append(asked.attempt(title, lambda n=name, p=phrase: _endpoint(asked, n, p)))  # type: ignore[misc]
    return pages


def _endpoint(asked: Contents, name: str, phrase: str) -> Page:
    question = Question(name, subgroups=(phrase,))
    result = answered(question, asked.source, asked.k)
    asked.results.append(result)
    titled = replace(result, facts=replace(result.facts, title=f"{result.facts.title}, {phrase}"))
    page = with_curves(asked.access, endpoint_page(titled), question, asked.source, asked.k)
    if asked.second is not None:
        asked.both.append(asked.second.beside(result, asked.source.endpoint(name), phrase))
        page = replace(page, footnotes=(*page.footnotes, f"Second program: {asked.both[-1].summary}"))
    return _repeatable(asked, page, result)


def _efficacy(asked: Contents) -> list[Page]:
    """Evidence, then each endpoint's tables and its forest plot."""
    study = asked.source.study
    columns = tuple(dict.fromkeys([*(s.name for s in study.subgroups), *asked.subgroups]))

    def evidence() -> Page:
        made = made_evidence(asked.access, asked.source, columns, k=asked.k)
        asked.results.append(made.result)
        page = evidence_page(made)
        if asked.second is not None and not asked.k:
            from alsbench.service.verify import of_evidence  # waits: statsmodels

            asked.both.append(of_evidence(asked.second, asked.source, list(study.endpoints), ["overall", *columns]))
            said = f"Second program, interactions and multiplicity plan: {asked.both[-1].summary}"
            page = replace(page, footnotes=(*page.footnotes, said))
        return _repeatable(asked, page, made.result)

    def forest(name: str) -> Page:
        made = made_forest(asked.access, asked.source, name, columns, k=asked.k)
        asked.results.append(made.result)
        return _repeatable(asked, forest_page(made), made.result)

    pages = [asked.attempt("Evidence", evidence)]
    order = {"primary": 0, "secondary": 1, "exploratory": 2}
    found = sorted(study.endpoints.items(), key=lambda item: order[item[1].level])
    for name, each in found:
        if each.method in ("baseline", "incidence") or (asked.endpoints and name not in asked.endpoints):
            continue
        pages += _endpoints(asked, [name], name)
        if each.method in METHODS and METHODS[each.method].summary is not None:
            pages.append(asked.attempt(f"{each.title or name}: forest plot", lambda n=name: forest(n)))  # type: ignore[misc]
    return pages


def _repeatable(asked: Contents, page: Page, result: Result) -> Page:
    """The page of a result with the study's name above and the command that repeats it below."""
    notes = (*page.footnotes, f"Repeated by: {result.provenance.command}")
    return replace(page, facts=(*asked.facts()[:1], *page.facts), footnotes=notes)


def _scrutiny(asked: Contents) -> list[Page]:
    def checks(phrase: str) -> Page:
        found = made_scrutiny(asked.access, asked.source, phrase, k=asked.k)
        asked.results.extend(result for _, result in found)
        asked.bottom_lines.extend(
            f"The bottom line of {result.question['endpoint']} in {', '.join(result.question['subgroups'])}: {verdict(result)}."
            for check, result in found
            if check == BOTTOM_LINE
        )
        words = ["alsbench", "scrutinise", *(["--subgroup", phrase] if phrase else [])]
        words += ["--mask", str(asked.k)] if asked.k else []
        return _repeatable(asked, scrutiny_page(found), found[0][1].with_command(shlex.join(words)))

    return [asked.attempt(f"Scrutiny of {p or 'the first subgroup'}", lambda p=p: checks(p)) for p in asked.subgroups or ("",)]  # type: ignore[misc]


def _claims(asked: Contents, path: Path) -> list[Page]:
    """The verdicts, then the numbers and what was made of them."""
    from alsbench.render.claims import claims_page  # waits: scipy
    from alsbench.service.claims import checked_claims  # waits: scipy

    checked, facts, notes = checked_claims(asked.access, asked.source, path, (), asked.k, scrutinise=False)
    page, post_hoc = claims_page(checked, facts, notes), any(c.post_hoc for c in checked)
    return [asked.standing(page, f"Claims of {path.name} beside the data", notes=notes, post_hoc=post_hoc)]


def _theirs(theirs: Path | None, mapping: Path | None) -> tuple[Path, Path | None, ResultMapping] | None:
    """Another program's file or folder with its mapping. Raises UsageError for what is not there, or for a mapping alone."""
    if theirs is None:
        if mapping is not None:
            raise UsageError("a mapping is of another program's file", where="--mapping", hint="--reconcile FILE names it")
        return None
    if not theirs.exists():
        raise UsageError("there is no such file or folder", where=str(theirs))
    return theirs, mapping, read_mapping(mapping) if mapping is not None else ResultMapping()


def _reconciled(asked: Contents, theirs: Path, named: Path | None, mapping: ResultMapping) -> list[Page]:
    """Another program's numbers beside these, by class, and what differs."""
    from alsbench.service.reconcile import reconciled  # waits: xml

    def made() -> Page:
        found = reconciled(asked.access, asked.access.path, theirs, mapping, mask=asked.k, named=named)
        asked.reconciled.append(found)
        first, *more = printed_sheets(found)
        post_hoc = any(r.provenance.post_hoc for r in found.results)
        return asked.sheet_page(first, f"{theirs.name} beside these numbers", *more, post_hoc=post_hoc)

    return [asked.attempt(f"{theirs.name} beside these numbers", made)]


def _compared(asked: Contents, before: str) -> list[Page]:
    """What a new load changed: data by class, contrasts, records."""
    title = f"Changed since snapshot {before}"

    def made() -> Page:
        found = compared(asked.access, before, asked.source.snapshot.name, mask=asked.k)
        asked.compared.append(found)
        kept = [s for s in (found.results, found.records) if s is not None and s.records]
        post_hoc = any(not s.prespecified for s in asked.source.study.subgroups)
        first = replace(found.tables, facts=(*found.tables.facts, ("Command", found.command)))
        return asked.sheet_page(first, title, found.classes, *kept, post_hoc=post_hoc and bool(kept))

    return [asked.attempt(title, made)]


def _second_program(asked: Contents) -> list[Page]:
    """What a second program says to the tables of endpoints: where it differs, and what it does not compute."""
    if asked.second is None:
        return []
    from alsbench.service.verify import PRINTED, BothPrograms, verification_sheets  # waits: statsmodels

    sheets = verification_sheets(sum(asked.both, BothPrograms()))
    first, *more = [sheets[name] for name in PRINTED if sheets[name].records or name == "tables"]
    notes = ("The second program shares no derivation, design or formula with the first (pandas and statsmodels).",)
    return [asked.sheet_page(first, "What a second program says to the tables of endpoints", *more, notes=notes)]


def _departures(asked: Contents) -> list[Page]:
    """What departs from the locked plan; nothing where none is locked."""
    if asked.source.lock is None:
        return []
    sheet = departures_sheet(Workspace(asked.access.path), asked.source.lock)
    return [asked.sheet_page(sheet, "Departures from the locked plan")]


def _checks(asked: Contents) -> list[Page]:
    """Findings of the data rules: how often, never in whom."""
    sheet, _ = findings_of(asked.access, asked.source.snapshot, asked.k)
    kept = {f.key for f in sheet.fields} - {"rows", "keys"}
    return [asked.sheet_page(some_columns(sheet, kept), "Checks of the data")]


# ---- the front page and the ledger


def _command(
    asked: Contents,
    claims: Path | None,
    theirs: tuple[Path, Path | None, ResultMapping] | None,
    before: str,
    *,
    scrutinise: bool,
    mask: int,
) -> str:
    """What repeats the report, in the workspace it was made in."""
    words = ["alsbench", "report", *(w for s in asked.subgroups for w in ("--subgroup", s))]
    words += [w for name in asked.endpoints for w in ("--endpoint", name)]
    words += ["--scrutinise"] if scrutinise else []
    words += ["--claims", str(claims)] if claims is not None else []
    words += ["--verify"] if asked.second is not None else []
    if theirs is not None:
        words += ["--reconcile", str(theirs[0]), *(["--mapping", str(theirs[1])] if theirs[1] is not None else [])]
    words += ["--diff", before] if before else []
    words += ["--mask", str(mask)] if mask else []
    return shlex.join([*words, "--format", asked.access.form])


def _document(asked: Contents, pages: Sequence[Page], command: str) -> Document:
    """What is reported, of which data, under which plan, by which program."""
    source = asked.source
    info = source.study.info
    marks = [
        *([log_mark(source.log.text)] if source.log.words else []),
        *(["BLINDED"] if source.blinded else []),
        *info.marks,
    ]
    facts: Facts = (
        ("Study", info.id),
        ("Data cut", source.snapshot.data_cut or "not given"),
        ("Snapshot", source.snapshot.name),
        ("Data SHA-256", source.snapshot.digest),
        ("Study SHA-256", source.study_digest),
        ("Plan", _plan(source)),
        *((("Audit log", source.log.text),) if source.log.words else ()),
        *(("Populations", text) for text in _populations(asked)),
        *(("Comparisons", text) for text in _comparisons(source)),
        *(("Subgroups", text) for text in _subgroups(asked)),
        *(("Not reported", text) for text in asked.missing),
        ("Made by", _versions()),
        ("Repeated by", command),
    )
    running = " · ".join([info.id, *marks, f"snapshot {source.snapshot.digest[:12]}", f"study {source.study_digest[:12]}"])
    title = asked.marked(f"{info.title or info.id}: report")
    return Document(title, tuple(pages), facts, tuple(_statements(asked)), running)


def _statements(asked: Contents) -> list[str]:
    source = asked.source
    said = list(asked.bottom_lines)
    if asked.second is not None:
        from alsbench.service.verify import BothPrograms  # waits: statsmodels

        said.append(sum(asked.both, BothPrograms()).summary)
    said += [found.sentence for found in asked.beside]
    if source.log.words:
        said.append(f"{source.log.text[:1].upper()}{source.log.text[1:]}.")
    said += [f"{mark}: {NO_PATIENT}." for mark in source.study.info.marks]
    if source.blinded:
        said.append("BLINDED: the arms are dummies, and so is every comparison of them.")
    deviations = max((len(r.provenance.deviations) for r in asked.results), default=0)
    if deviations:
        said.append("Deviation from the locked plan: the tables that depart from it say so, and one lists every departure.")
    if any(r.provenance.post_hoc for r in asked.results):
        said.append("Post hoc: tables marked so show subgroups that were not pre-specified. They suggest; they do not confirm.")
    if source.lock is None:
        said.append("No plan is locked: what is called pre-specified rests on the study file alone.")
    if asked.k:
        said.append(f"Masked: counts below {asked.k}, what rests on them, and what would tell them.")
    return said


def _plan(source: Source) -> str:
    lock = source.lock
    return "not locked" if lock is None else "; ".join(t for t in (lock.words(), lock.note, lock.doubt) if t)


def _populations(asked: Contents) -> list[str]:
    """Subjects of all arms in each analysis set, masked as in the disposition table."""
    sheet = arms_sheet(asked.source, "overall", asked.k)
    total = dict(zip((f.key for f in sheet.fields), sheet.records[-1], strict=True))
    flags = asked.source.study.populations.flags
    return [f"randomised: {total['randomised']}", *(f"{name} ({flag} = 'Y'): {total[name]}" for name, flag in flags.items())]


def _comparisons(source: Source) -> list[str]:
    unit = source.study.visits.unit
    return [
        f"{c.treatment} vs {c.reference}"
        + (f", {unit} {c.horizon:g}" if c.horizon is not None else "")
        + (", primary" if c.primary else "")
        for c in source.study.comparisons
    ]


def _subgroups(asked: Contents) -> list[str]:
    """Definition, realised cuts and standing of every subgroup in the report; how many they are stands in the tables."""
    names = dict.fromkeys([*(s.name for s in asked.source.study.subgroups), *asked.subgroups])
    return [members(asked.source, phrase).words() for phrase in names]


def _versions() -> str:
    return ", ".join(
        [f"alsbench {__version__}", f"Python {platform.python_version()}", *(f"{n} {version(n)}" for n in LIBRARIES)]
    )


def ledger_sheet(access: Access) -> Sheet:
    """Distinct questions and contrasts that anybody has seen, by endpoint, method and subgroup. Counts of looks, names and
    times stay in `alsbench audit looks`: they change with every reading, what was tested does not."""
    path = Workspace(access.path).audit_path
    questions, tests, verdict = looks(path), contrasts_seen(path), verify(path)
    families: dict[str, list[bool]] = {}
    for test in tests:
        families.setdefault(test.contrast.split(": ", 1)[0], []).append(test.post_hoc)
    fields = (
        Field("family", "Endpoint [method] subgroup"),
        Field("contrasts", "Contrasts with a p-value", number=True),
        Field("post_hoc", "Post hoc"),
    )
    facts = (
        ("Distinct questions", f"{len(questions)}, of them post hoc {sum(q.post_hoc for q in questions)}"),
        ("Distinct contrasts", f"{len(tests)} with a p-value, at every visit, comparison and interaction"),
        ("By chance alone", f"about {0.05 * len(tests):.1f} of them below 0.05 if nothing were there"),
        ("Audit log", "; ".join(verdict.words()) or "chain intact"),
    )
    records = tuple((family, len(found), any(found)) for family, found in families.items())
    return Sheet("ledger", "Multiplicity ledger", fields, records, facts)
