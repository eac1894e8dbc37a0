"""Where answers go: standard output or a file, in the format asked for. Nothing here computes or looks anything up."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from alsbench.cli.common import Common, Format
from alsbench.errors import ReaderGone, unwritable
from alsbench.files import write_file

BLINDED = "BLINDED"

if TYPE_CHECKING:
    from alsbench.analysis.result import Result
    from alsbench.render.document import Document
    from alsbench.render.page import Page
    from alsbench.render.sheet import Sheet


def emit_result(common: Common, result: Result) -> None:
    """An analysis result: long rows as JSON, CSV or TSV, the printed table otherwise."""
    from alsbench.render.ard import to_json
    from alsbench.render.delimited import result_delimited
    from alsbench.render.tables import endpoint_page

    if common.format is Format.JSON:
        write_text(common, to_json(result))
    elif common.format in (Format.CSV, Format.TSV):
        write_text(common, result_delimited(result, common.format.value))
    else:
        emit_page(common, endpoint_page(result))
        return
    for warning in result.warnings:
        common.note(f"warning: {warning}")


def emit_sheets(common: Common, *sheets: Sheet) -> None:
    """Plain tables. CSV and TSV hold the first one only: one file, one table. Of a blinded workspace each says so."""
    from alsbench.render.sheet import sheet_delimited, sheets_json, sheets_page

    sheets = _logged(common, _blinded(common, sheets))
    if common.format is Format.JSON:
        write_text(common, sheets_json(sheets))
    elif common.format in (Format.CSV, Format.TSV):
        write_text(common, sheet_delimited(sheets[0], common.format.value))
    else:
        emit_page(common, sheets_page(sheets))


def _blinded(common: Common, sheets: tuple[Sheet, ...]) -> tuple[Sheet, ...]:
    """The tables with the word BLINDED where the workspace is: in the facts, and in a column of a file that has none."""
    from dataclasses import replace

    from alsbench.data.workspace import Workspace
    from alsbench.render.sheet import Field

    first, *rest = sheets
    if not Workspace(common.workspace).blinded():
        return sheets
    if common.format in (Format.CSV, Format.TSV):
        records = tuple((*record, BLINDED) for record in first.records)
        return (replace(first, fields=(*first.fields, Field("blinded")), records=records), *rest)
    if not any(BLINDED in text for _, text in first.facts):
        first = replace(first, facts=(*first.facts, ("Arms", f"{BLINDED}: dummy arms")))
    return (first, *rest)


def log_words(common: Common) -> str:
    """What every output of a command about this workspace must say of its audit log; empty where the log verifies."""
    from alsbench.audit.chain import standing
    from alsbench.data.workspace import Workspace
    from alsbench.errors import DataError

    space = Workspace(common.workspace)
    if not common.placed:
        return ""
    try:
        snapshot = space.current_name() or ""
    except DataError:  # whoever needs the data says what is wrong with the pointer
        snapshot = ""
    return standing(space.audit_path, snapshot).text


def _logged(common: Common, sheets: tuple[Sheet, ...]) -> tuple[Sheet, ...]:
    """The tables with what is to be said of the audit log: in the facts, and in a column of a file that has none."""
    from dataclasses import replace

    from alsbench.render.sheet import Field
    from alsbench.render.standing import LOG_FACT

    first, *rest = sheets
    columns = common.format in (Format.CSV, Format.TSV)
    said = any(name == LOG_FACT for name, _ in first.facts)
    if said and not (columns and not first.standing):
        return sheets
    words = log_words(common)
    if not words:
        return sheets
    if columns and not first.records:
        common.note(words)  # a file without records has nowhere to say it
    if columns and not first.standing:
        records = tuple((*record, words) for record in first.records)
        return (replace(first, fields=(*first.fields, Field("audit_log")), records=records), *rest)
    return (replace(first, facts=((LOG_FACT, words), *first.facts)), *rest)


def _page_logged(common: Common, page: Page) -> Page:
    """A page with what is to be said of the audit log, unless it says it already."""
    from dataclasses import replace

    from alsbench.render.standing import LOG_FACT

    if any(name == LOG_FACT for name, _ in page.facts):
        return page
    words = log_words(common)
    return replace(page, facts=((LOG_FACT, words), *page.facts)) if words else page


def emit_page(common: Common, page: Page, *, width: int | None = None) -> None:
    """A page as HTML, RTF, Markdown or text; on a terminal the lines of the text in colour."""
    from alsbench.render.delimited import page_markdown
    from alsbench.render.layout import PAGE_WIDTH, page_lines, page_text

    page = _page_logged(common, page)
    width = PAGE_WIDTH if width is None else width
    if common.format in (Format.HTML, Format.RTF):
        from alsbench.render.document import page_document

        emit_document(common, page_document(page))
    elif common.format is Format.MD:
        write_text(common, page_markdown(page))
    elif common.output is None and sys.stdout.isatty():
        from rich.console import Console

        console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False, soft_wrap=True)
        try:
            for line in page_lines(page, width=width):
                line.rstrip()
                console.print(line, no_wrap=True, overflow="ignore", crop=False)
        except BrokenPipeError:
            raise ReaderGone from None
    else:
        write_text(common, page_text(page, width=width))


def emit_document(common: Common, document: Document) -> None:
    """Numbered tables under a front page, in any format."""
    from alsbench.render import document as made
    from alsbench.render.html import document_html
    from alsbench.render.layout import PAGE_WIDTH
    from alsbench.render.rtf import document_rtf

    if common.format in (Format.CSV, Format.TSV):
        write_text(common, made.document_delimited(document, common.format.value))
    elif common.format is Format.TABLE:
        write_text(common, made.document_text(document, width=PAGE_WIDTH))
    else:
        writers = {Format.HTML: document_html, Format.RTF: document_rtf, Format.MD: made.document_markdown}
        write_text(common, writers.get(common.format, made.document_json)(document))


def write_text(common: Common, text: str) -> None:
    """To standard output, or to the file of ``-o``, which is replaced in one step and readable by its owner only."""
    write_chunks(common, (text,))


def write_chunks(common: Common, chunks: Iterable[str]) -> None:
    """As :func:`write_text`, piece by piece: what is written need not fit in memory."""
    if common.output is None:
        for chunk in chunks:
            _stdout(chunk)
        return
    write_file(common.output, chunks)
    common.note(f"wrote {common.output}")


def _stdout(text: str) -> None:
    encoding = sys.stdout.encoding or "utf-8"
    safe = text.encode(encoding, "backslashreplace").decode(encoding)
    try:
        sys.stdout.write(safe)
        sys.stdout.flush()
    except BrokenPipeError:
        raise ReaderGone from None
    except OSError as fault:
        raise unwritable(fault, "standard output") from fault
