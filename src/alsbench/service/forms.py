"""A page in the form of a file: text, rows for machines, documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from alsbench.errors import UsageError

if TYPE_CHECKING:
    from alsbench.analysis.result import Result
    from alsbench.render.delimited import Dialect
    from alsbench.render.page import Page


def in_form(page: Page, form: str, results: Sequence[Result] = ()) -> str:
    """A page as ``txt``, ``md``, ``html``, ``rtf``; as ``csv``, ``tsv`` and ``json`` the rows of the results behind it, as
    the shell writes them. Without results the former hold the cells of the page, and there is no ``json``.

    Raises UsageError where there is no such form.
    """
    from alsbench.render.delimited import page_delimited, page_markdown, results_delimited
    from alsbench.render.layout import page_text

    if form == "txt":
        return page_text(page, width=0)
    if form == "md":
        return page_markdown(page)
    if form in {"csv", "tsv"}:
        dialect: Dialect = "csv" if form == "csv" else "tsv"
        return results_delimited(results, dialect) if results else page_delimited(page, dialect)
    if form == "json" and results:
        from alsbench.render.ard import to_json

        made = [to_json(r) for r in results]
        return made[0] if len(made) == 1 else "[\n" + ",\n".join(m.rstrip() for m in made) + "\n]\n"
    if form in {"html", "rtf"}:
        from alsbench.render.document import page_document
        from alsbench.render.html import document_html
        from alsbench.render.rtf import document_rtf

        return (document_html if form == "html" else document_rtf)(page_document(page))
    raise UsageError(f"this has no {form} form", hint="txt, md, csv, tsv, html, rtf; json where results stand behind it")
