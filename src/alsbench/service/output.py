"""What an operation of a workspace made, in whatever form it is asked for, and the one way into a file.

Every operation of this room that shows something is a function ``f(access, ..., mask=0) -> Output``: it opens the workspace,
makes what was asked with counts below the mask hidden, enters in the log that it is shown (``access.destination`` says how),
and returns it. ``Output.texts`` is the text of a form, :meth:`Output.write` puts it into a file. :func:`export` does all of it
for whoever has a view and wants a file, with the mask and the log entry of the operation::

    export(access, endpoint, Path("cafs.csv"), "csv", name="cafs", subgroups=["slow"], mask=5)
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alsbench.audit.chain import log_status
from alsbench.data.workspace import Workspace
from alsbench.errors import DataError, UsageError
from alsbench.files import write_file
from alsbench.render import document as documents
from alsbench.render.ard import to_json
from alsbench.render.delimited import Dialect, page_delimited, page_markdown, results_delimited
from alsbench.render.html import document_html
from alsbench.render.layout import PAGE_WIDTH, page_text
from alsbench.render.rtf import document_rtf
from alsbench.render.sheet import Field, Sheet, sheet_delimited, sheets_json, sheets_page
from alsbench.render.titles_footnotes import BLINDED, LOG_FACT
from alsbench.service.access import RECORDS, Access
from alsbench.service.trail import log_look

if TYPE_CHECKING:
    from alsbench.analysis.result import Result
    from alsbench.analysis.source import Source
    from alsbench.data.snapshot import Snapshot
    from alsbench.render.page import Page
    from alsbench.study.model import Study

Facts = tuple[tuple[str, str], ...]
READ = ("table", "txt", "md", "html", "rtf")  # forms that are read; RECORDS are those for machines


@dataclass(frozen=True)
class Output:
    """``texts`` makes the text of a form (``table``, ``txt``, ``md``, ``html``, ``rtf``, ``csv``, ``tsv``, ``json``) piece by
    piece: what is written need not fit in memory. ``txt`` is as wide as its tables are, ``table`` as wide as a page.

    ``page`` makes what is read, None where it is no page; ``results`` are the answers in it with the ``study`` they are of,
    ``sheets`` its plain tables as they are before a form marks them. ``remarks`` are said beside records, which cannot hold
    them; ``failed`` is a negative verdict."""

    texts: Callable[[str], Iterable[str]]
    page: Callable[[], Page] | None = None
    results: tuple[Result, ...] = ()
    study: Study | None = None
    sheets: tuple[Sheet, ...] = ()
    remarks: tuple[str, ...] = ()
    failed: bool = False

    def write(self, path: Path, form: str) -> None:
        """Write it to a file, replaced in one step and readable by its owner only.

        Raises UsageError for a directory or a link, UnavailableError where the system refuses.
        """
        write_file(path, self.texts(form))


Operation = Callable[..., Output]  # of an access, its arguments, and a mask


def export(access: Access, operation: Operation, path: Path, form: str, **arguments: object) -> Output:
    """Ask an operation with its arguments, ``mask`` among them, and write what it made to a file in a form; entered in the log
    as an export. What was written.

    Raises what the operation raises (UsageError where it cannot be masked), and as :meth:`Output.write` does.
    """
    if form not in (*READ, *RECORDS):
        raise UsageError(f"there is no {form} form", hint=f"one of {', '.join((*READ, *RECORDS))}")
    made = operation(replace(access, destination={"format": form, "file": path.name}), **arguments)
    made.write(path, form)
    return made


# ---- what is made of results, of plain tables, of documents


def paged(access: Access, page: Callable[[], Page], records: Callable[[str], str], **more: Any) -> Output:
    """A page that says what is to be said of the audit log, for who reads it, and ``records`` for machines."""

    def marked() -> Page:
        return log_marked(access, page())

    return Output(lambda form: [records(form) if form in RECORDS else page_in(marked(), form)], marked, **more)


def results_output(access: Access, results: Sequence[Result], page: Callable[[], Page], study: Study) -> Output:
    """Analysis results: their long rows, and the page that shows them."""
    remarks = tuple(f"warning: {w}" for r in results for w in r.warnings)
    return paged(access, page, lambda form: rows_in(results, form), results=tuple(results), study=study, remarks=remarks)


def sheets_output(access: Access, *sheets: Sheet, printed: Sequence[Sheet] = (), failed: bool = False) -> Output:
    """Plain tables. CSV and TSV hold the first one only: one file, one table. ``printed`` are those that are read, where they
    are others. Of a blinded workspace, and of one whose log does not verify, each form says so."""

    def records(form: str) -> str:
        marked = _marked(access, sheets, form)
        return sheets_json(marked) if form == "json" else sheet_delimited(marked[0], _dialect(form))

    return paged(
        access, lambda: sheets_page(_marked(access, printed or sheets, "table")), records, sheets=sheets, failed=failed
    )


def some_columns(sheet: Sheet, keys: Collection[str]) -> Sheet:
    """A table with those of its columns only, in their order."""
    at = [j for j, field in enumerate(sheet.fields) if field.key in keys]
    records = tuple(tuple(record[j] for j in at) for record in sheet.records)
    return replace(sheet, fields=tuple(sheet.fields[j] for j in at), records=records)


def document_text(document: documents.Document, form: str) -> str:
    """Numbered tables under a front page, in any form."""
    if form in ("csv", "tsv"):
        return documents.document_delimited(document, _dialect(form))
    if form in ("table", "txt"):
        return documents.document_text(document, width=PAGE_WIDTH if form == "table" else 0)
    writers = {"html": document_html, "rtf": document_rtf, "md": documents.document_markdown, "json": documents.document_json}
    return writers[form](document)


def page_in(page: Page, form: str) -> str:
    """A page in a form that is read."""
    if form == "md":
        return page_markdown(page)
    if form in ("html", "rtf"):
        return document_text(documents.page_document(page), form)
    return page_text(page, width=PAGE_WIDTH if form == "table" else 0)


def rows_in(results: Sequence[Result], form: str) -> str:
    """The rows of results in a form for machines; several results as one JSON array."""
    if form != "json":
        return results_delimited(results, _dialect(form))
    made = [to_json(r) for r in results]
    return made[0] if len(made) == 1 else "[\n" + ",\n".join(m.rstrip() for m in made) + "\n]\n"


def in_form(page: Page, form: str, results: Sequence[Result] = ()) -> str:
    """A page with the results behind it in a form: these are what csv, tsv and json hold. Without results the former hold the
    cells of the page, and there is no json.

    Raises UsageError where there is no such form.
    """
    if form in READ:
        return page_in(page, form)
    if results and form in RECORDS:
        return rows_in(results, form)
    if form in ("csv", "tsv"):
        return page_delimited(page, _dialect(form))
    raise UsageError(f"this has no {form} form", hint="txt, md, csv, tsv, html, rtf; json where results stand behind it")


def save_page(access: Access, page: Page, results: Sequence[Result], study: Study | None, path: Path, form: str) -> None:
    """What was shown already, written to a file in a form as :func:`in_form` makes it; its results are entered as exports."""
    text = in_form(page, form, results)
    to_file = replace(access, destination={"format": form, "file": path.name})
    if study is not None:  # there is one where there are results
        for result in results:
            log_look(to_file, result, study)
    write_file(path, (text,))


def _dialect(form: str) -> Dialect:
    return "tsv" if form == "tsv" else "csv"


# ---- what every output of a workspace must say


def log_marked(access: Access, page: Page) -> Page:
    """A page with what is to be said of the audit log, unless it says it already."""
    if any(name == LOG_FACT for name, _ in page.facts):
        return page
    words = log_words(access)
    return replace(page, facts=((LOG_FACT, words), *page.facts)) if words else page


def log_words(access: Access) -> str:
    """What every output about this workspace must say of its audit log; empty where the log verifies."""
    if not access.placed:
        return ""
    space = Workspace(access.path)
    try:
        snapshot = space.current_name() or ""
    except DataError:  # whoever needs the data says what is wrong with the pointer
        snapshot = ""
    return log_status(space.audit_path, snapshot).text


def _marked(access: Access, sheets: Sequence[Sheet], form: str) -> tuple[Sheet, ...]:
    """The tables with the word BLINDED where the workspace is, and what is to be said of its audit log: in the facts of the
    first, and in columns of a file that has no facts."""
    first, *rest = sheets
    columns = form in ("csv", "tsv")
    if Workspace(access.path).blinded():
        if columns:
            first = _with_column(first, "blinded", BLINDED)
        elif not any(BLINDED in text for _, text in first.facts):
            first = replace(first, facts=(*first.facts, ("Arms", f"{BLINDED}: dummy arms")))
    said = any(name == LOG_FACT for name, _ in first.facts)
    if said and not (columns and not first.titled):
        return (first, *rest)
    words = log_words(access)
    if not words:
        return (first, *rest)
    if columns and not first.records:
        access.note(words)  # a file without records has nowhere to say it
    if columns and not first.titled:
        return (_with_column(first, "audit_log", words), *rest)
    return (replace(first, facts=((LOG_FACT, words), *first.facts)), *rest)


def _with_column(sheet: Sheet, key: str, text: str) -> Sheet:
    return replace(sheet, fields=(*sheet.fields, Field(key)), records=tuple((*record, text) for record in sheet.records))


def source_facts(source: Source) -> Facts:
    """Study, snapshot and data cut, for the head of a table that is no analysis result."""
    info = source.study.info
    synthetic = "".join(f" · {mark}" for mark in info.marks)
    blinded = " · BLINDED" if source.blinded else ""
    lock = source.lock
    locked = () if lock is None else (("Plan", "; ".join(t for t in (lock.words(), lock.note, lock.doubt) if t)),)
    logged = ((LOG_FACT, source.log.text),) if source.log.words else ()
    return (*logged, ("Study", f"{info.id}{blinded}{synthetic}"), snapshot_fact(source.snapshot), *locked)


def study_fact(access: Access) -> Facts:
    """Study and whether its data are synthetic, for tables that need no source; nothing where there is no study file yet."""
    space = Workspace(access.path)
    if not space.study_path.exists():
        return ()
    info = space.read_study().info
    return (("Study", f"{info.id}{''.join(f' · {mark}' for mark in info.marks)}"),)


def snapshot_fact(snapshot: Snapshot) -> tuple[str, str]:
    """Which data: the beginning of the snapshot's digest, and the data cut where the data tell it."""
    cut = f"; data cut {snapshot.data_cut}" if snapshot.data_cut else ""
    return "Snapshot", f"{snapshot.digest[:12]}{cut}"
