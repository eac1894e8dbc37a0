"""``alsbench report``: the tables of a trial in one document that stands alone."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alsbench.cli.common import Common, MaskOption, command
from alsbench.cli.complete import endpoint_names
from alsbench.cli.endpoint import SubgroupsOption

if TYPE_CHECKING:
    from alsbench.analysis.result import Result
    from alsbench.analysis.source import Source
    from alsbench.render.page import Page
    from alsbench.render.sheet import Sheet

LEDGER = "Multiplicity ledger: what has been looked at, this report included"


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "report", short_help="All tables in one document: HTML, RTF, Markdown, text")(report)


def report(
    common: Common,
    subgroup: SubgroupsOption = None,
    endpoint: Annotated[
        list[str] | None,
        typer.Option(
            "--endpoint",
            "-e",
            metavar="NAME",
            autocompletion=endpoint_names,
            help="Tables and forests of this endpoint only; repeats. Default: all.",
        ),
    ] = None,
    scrutinise: Annotated[
        bool, typer.Option("--scrutinise", help="Add the 22 checks of each subgroup asked for (default: the study's first).")
    ] = False,
    claims: Annotated[
        Path | None, typer.Option("--claims", metavar="FILE", help="Add the published numbers of FILE beside the data's.")
    ] = None,
    mask: MaskOption = 0,
) -> None:
    """All tables of the trial in one document: front page, contents, numbered tables that each stand alone.

    Disposition, baseline, evidence, every endpoint overall and in each subgroup asked for, forest plots, scrutiny and claims
    where asked for, safety, departures from the locked plan, the multiplicity ledger, the checks of the data. Evidence and
    forest plots hold every subgroup of the study. Write it with -o FILE: .html, .rtf, .md, .txt. A table that cannot be made
    says why in its place.
    """
    from alsbench.analysis.subgroups import members
    from alsbench.cli.output import emit_document
    from alsbench.cli.report_front import front, ledger_sheet
    from alsbench.render.document import Document
    from alsbench.service.trail import looked
    from alsbench.study.claims import read_claims

    k = common.access.mask(mask)
    if claims is not None:
        read_claims(claims)  # a file that cannot be read is said at once
    with common.access.opened() as source:
        phrases = tuple(dict.fromkeys(s for s in subgroup or () if s != "overall"))
        for phrase in phrases:  # names that do not exist are the asker's error, not a table's
            members(source, phrase)
        for name in endpoint or ():
            source.endpoint(name)
        asked = Asked(common, source, phrases, tuple(dict.fromkeys(endpoint or ())), k)
        pages = [*_population(asked), *_efficacy(asked)]
        if scrutinise:
            pages += _scrutiny(asked)
        pages += _of_method(asked, "incidence", "safety")
        if claims is not None:
            pages += _claims(asked, claims)
        pages += _departures(asked)
        for result in asked.results:
            looked(common.access, result.with_command(common.repeat(result.provenance.command)), source)
        pages.append(asked.sheet_page(ledger_sheet(common), LEDGER))
        pages += _checks(asked)
        words = front(asked, _command(common, asked, claims, scrutinise=scrutinise, mask=mask))
        emit_document(common, Document(words.title, tuple(pages), words.facts, words.statements, words.running))


@dataclass(frozen=True)
class Asked:
    """What the report is made of; ``results`` collects what it shows, for the audit log, ``missing`` what it does not."""

    common: Common
    source: Source
    subgroups: tuple[str, ...]
    endpoints: tuple[str, ...]
    k: int
    results: list[Result] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    @property
    def phrases(self) -> tuple[str, ...]:
        return ("overall", *self.subgroups)

    def seen(self, *results: Result) -> None:
        self.results.extend(results)

    def attempt(self, title: str, make: Callable[[], Page]) -> Page:
        """A page, or in its place one that says why there is none."""
        from alsbench.errors import AlsbenchError
        from alsbench.render.page import Block, Page, label

        try:
            return make()
        except AlsbenchError as error:
            self.missing.append(title)
            self.common.note(f"not made: {title}: {error.message}")
            nothing = Block("", (label("This table could not be made"),), (), (error.message.replace("\n", "; "),))
            return Page(self.marked(title), (nothing,), self.about(), (self.version,))

    def marked(self, title: str, *, post_hoc: bool = False) -> str:
        from alsbench.analysis.result import Provenance
        from alsbench.render.standing import marked_title

        source = self.source
        synthetic = source.study.info.synthetic
        return marked_title(
            title, Provenance("", "", "", post_hoc, synthetic, blinded=source.blinded, audit_log=source.log.text)
        )

    def about(self) -> tuple[tuple[str, str], ...]:
        from alsbench.service.about import about

        return about(self.source)

    @property
    def version(self) -> str:
        from alsbench.version import __version__

        return f"alsbench {__version__}, study {self.source.study_digest[:12]}"

    def sheet_page(self, sheet: Sheet, title: str, *more: Sheet, notes: tuple[str, ...] = (), post_hoc: bool = False) -> Page:
        """Plain tables as a page with the marks, facts and version that results carry of themselves."""
        from alsbench.render.sheet import sheets_page

        return self.standing(sheets_page((sheet, *more)), title, notes=notes, post_hoc=post_hoc)

    def standing(self, page: Page, title: str, *, notes: tuple[str, ...] = (), post_hoc: bool = False) -> Page:
        """A page with the marks, facts and version that results carry of themselves."""
        known = {name for name, _ in page.facts}
        facts = (*page.facts, *(f for f in self.about() if f[0] not in known))
        return replace(page, title=self.marked(title, post_hoc=post_hoc), facts=facts, footnotes=(*notes, self.version))


def _population(asked: Asked) -> list[Page]:
    """Who was in the trial, and who they were."""
    from alsbench.analysis.subgroups import members
    from alsbench.render.mask_words import hide_counts
    from alsbench.service.arms import arms_sheet

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


def _of_method(asked: Asked, method: str, word: str) -> list[Page]:
    names = [n for n, e in asked.source.study.endpoints.items() if e.method == method]
    if not names:
        asked.missing.append(f"{word}: the study has no endpoint of method {method}")
    return _endpoints(asked, names, word)


def _endpoints(asked: Asked, names: Iterable[str], word: str) -> list[Page]:
    """A table for each endpoint and subgroup: as `alsbench endpoint NAME --subgroup S` prints it."""
    from alsbench.cli.progress import steps

    parts = [(name, phrase) for name in names for phrase in asked.phrases]
    pages = []
    for name, phrase in steps(asked.common, parts, len(parts), word):
        title = f"{asked.source.endpoint(name).title or name}, {phrase}"
        pages.append(asked.attempt(title, lambda n=name, p=phrase: _endpoint(asked, n, p)))  # type: ignore[misc]
    return pages


def _endpoint(asked: Asked, name: str, phrase: str) -> Page:
    from alsbench.analysis.kept import cached_answer
    from alsbench.analysis.question import Question
    from alsbench.cli.curve import with_curves
    from alsbench.render.tables import endpoint_page
    from alsbench.service.masks import mask_answer

    question = Question(name, subgroups=(phrase,))
    result = mask_answer(cached_answer(question, asked.source), question, asked.source, asked.k)
    asked.seen(result)
    titled = replace(result, facts=replace(result.facts, title=f"{result.facts.title}, {phrase}"))
    page = with_curves(asked.common, endpoint_page(titled), question, asked.source, asked.k)
    return _repeatable(asked, page, result)


def _efficacy(asked: Asked) -> list[Page]:
    """Evidence, then each endpoint's tables and its forest plot."""
    from alsbench.analysis.methods import METHODS
    from alsbench.render.evidence import evidence_page
    from alsbench.render.forest import forest_page
    from alsbench.service.evidence import made_evidence, made_forest

    study = asked.source.study
    columns = tuple(dict.fromkeys([*(s.name for s in study.subgroups), *asked.subgroups]))

    def evidence() -> Page:
        made = made_evidence(asked.common.access, asked.source, columns, k=asked.k)
        asked.seen(made.result)
        return _repeatable(asked, evidence_page(made), made.result)

    def forest(name: str) -> Page:
        made = made_forest(asked.common.access, asked.source, name, columns, k=asked.k)
        asked.seen(made.result)
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


def _repeatable(asked: Asked, page: Page, result: Result) -> Page:
    """The page of a result with the study's name above and the command that repeats it below."""
    notes = (*page.footnotes, f"Repeated by: {result.provenance.command}")
    return replace(page, facts=(*asked.about()[:1], *page.facts), footnotes=notes)


def _scrutiny(asked: Asked) -> list[Page]:
    from alsbench.render.scrutiny import scrutiny_page
    from alsbench.service.scrutiny import made_scrutiny

    def checks(phrase: str) -> Page:
        found = made_scrutiny(asked.common.access, asked.source, phrase, k=asked.k)
        asked.seen(*(result for _, result in found))
        words = ["alsbench", "scrutinise", *(["--subgroup", phrase] if phrase else [])]
        words += ["--mask", str(asked.k)] if asked.k else []
        return _repeatable(asked, scrutiny_page(found), found[0][1].with_command(shlex.join(words)))

    return [asked.attempt(f"Scrutiny of {p or 'the first subgroup'}", lambda p=p: checks(p)) for p in asked.subgroups or ("",)]  # type: ignore[misc]


def _claims(asked: Asked, path: Path) -> list[Page]:
    """The verdicts, then the numbers and what was made of them."""
    from alsbench.render.claims_page import claims_page
    from alsbench.service.claims import checked_claims

    checked, facts, notes = checked_claims(asked.common.access, asked.source, path, (), asked.k, scrutinise=False)
    page, post_hoc = claims_page(checked, facts, notes), any(c.post_hoc for c in checked)
    return [asked.standing(page, f"Claims of {path.name} beside the data", notes=notes, post_hoc=post_hoc)]


def _departures(asked: Asked) -> list[Page]:
    """What departs from the locked plan; nothing where none is locked."""
    from alsbench.cli.lock import departures_sheet
    from alsbench.data.workspace import Workspace

    if asked.source.lock is None:
        return []
    sheet = departures_sheet(Workspace(asked.common.workspace), asked.source.lock)
    return [asked.sheet_page(sheet, "Departures from the locked plan")]


def _checks(asked: Asked) -> list[Page]:
    """Findings of the data rules: how often, never in whom."""
    from alsbench.service.checks import findings_of

    sheet, _ = findings_of(asked.common.access, asked.source.snapshot, asked.k)
    kept = [j for j, f in enumerate(sheet.fields) if f.key not in ("rows", "keys")]
    records = tuple(tuple(record[j] for j in kept) for record in sheet.records)
    return [
        asked.sheet_page(replace(sheet, fields=tuple(sheet.fields[j] for j in kept), records=records), "Checks of the data")
    ]


def _command(common: Common, asked: Asked, claims: Path | None, *, scrutinise: bool, mask: int) -> str:
    """What repeats the report, in the workspace it was made in."""
    words = ["alsbench", "report", *(w for s in asked.subgroups for w in ("--subgroup", s))]
    words += [w for name in asked.endpoints for w in ("--endpoint", name)]
    words += ["--scrutinise"] if scrutinise else []
    words += ["--claims", claims.name] if claims is not None else []
    words += ["--mask", str(mask)] if mask else []
    return shlex.join([*words, "--format", common.format.value])
