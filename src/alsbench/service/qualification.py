"""The installation report: every reference number computed again on this machine, and compared."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from alsbench.analysis.qualification.checks import METHODS, RULES
from alsbench.analysis.qualification.run import Qualification, Summary
from alsbench.analysis.qualification.run import qualify as compute
from alsbench.errors import UsageError
from alsbench.render.page import Line, Page, PageBlock, TextCell, label, plain_block
from alsbench.render.sheet import Field, Sheet
from alsbench.service.access import Access
from alsbench.service.output import Facts, Output, page_in, sheets_output
from alsbench.study.names import nearest

if TYPE_CHECKING:
    from alsbench.render.sheet import Value

SHOWN = 20  # failures listed on a terminal
MEANING = (
    "Numbers: how many were compared. Deviation: the largest |computed - reference|, of any kind of number. Of tolerance: the "
    "largest deviation as a share of what its kind of number allows; above 1 fails."
)
NOTES = (
    f"{MEANING} The second table has both by kind of number, with the tolerance.",
    "Route: whole = the trial's files loaded into a workspace and a question answered; engine = arrays given to the function.",
    "Methods that no outside reference covers here (safety counts, imputation, permutation tests, staging, responders) are "
    "held by hand calculations and invariants in tests/stats and tests/analysis.",
)


def qualify(access: Access, methods: Sequence[str] = (), *, numbers: bool = False) -> Output:
    """The reference numbers of R, SAS and the published tables, of these methods (default: all), computed again; ``numbers``
    lists each instead of one line a method. The reference trials are in the package; no data of the user are read. A number out
    of tolerance is a negative verdict. Raises UsageError for a method that is not there."""
    for name in methods:
        if name not in METHODS:
            raise UsageError(f"no method is named {name}", where="--method", hint=nearest(name, METHODS))
    begun = time.monotonic()
    with access.watch() as show:
        found = compute(progress=lambda _case, done, of: show("qualifying", done, of), methods=tuple(methods))
    access.note(f"{len(found.checks)} numbers compared in {time.monotonic() - begun:.0f} s")
    failed = bool(found.failed)
    if numbers:
        return sheets_output(access, _numbers(found), failed=failed)
    failures = (_failures(found),) if failed else ()
    every, printed = ((_methods(found, printed=p), _kinds(found, printed=p), *failures) for p in (False, True))
    if access.form == "table":
        return Output(lambda form: [page_in(_short_page(found), form)], lambda: _short_page(found), failed=failed)
    return sheets_output(access, *every, printed=printed, failed=failed)


def _short_page(found: Qualification) -> Page:
    """What fits a terminal: verdicts, then references and tests below each other."""

    def folded(title: str, records: Iterable[tuple[str, str]]) -> PageBlock:
        lines = tuple(Line((TextCell(name), TextCell(text))) for name, text in records)
        return replace(plain_block("", ("Method", title), ()), columns=(label("Method"), label(title)), lines=lines)

    summaries = found.by_method()
    records = [(s.method.title, str(len(s.checks)), *_printed_amounts(s), _verdict(len(s.failed))) for s in summaries]
    headings = ("Method", "Numbers", "Deviation", "Of tolerance", "Verdict")
    blocks = [
        plain_block("", headings, records, left=1),
        folded("Reference", ((s.method.title, "; ".join(s.references)) for s in summaries)),
        folded("Tests", ((s.method.title, " ".join(s.method.tests)) for s in summaries)),
    ]
    if found.failed:
        blocks.append(_worst(found))
    more = "--format md or json also says which number was closest to its tolerance, and gives each kind of number apart."
    return Page(_title(found), tuple(blocks), _facts(found), (MEANING, *NOTES[2:], more))


def _worst(found: Qualification) -> PageBlock:
    """The failures furthest out, and how many more there are."""
    failed = sorted(found.failed, key=lambda c: -c.share)
    records = [(c.id, f"{c.expected:.9g}", f"{c.got:.9g}", _power(c.share), c.fault) for c in failed[:SHOWN]]
    block = plain_block("Out of tolerance", ("Number", "Expected", "Computed", "Of tolerance", "Fault"), records, left=1)
    more = len(failed) - SHOWN
    return replace(block, notes=(f"and {more} more: --numbers lists every number",)) if more > 0 else block


def _methods(found: Qualification, *, printed: bool) -> Sheet:
    """One line per method: what it was compared with, how far off at most, where the tests are."""
    fields: tuple[Field, ...] = (
        Field("method", "Method"),
        Field("numbers", "Numbers", number=True),
        Field("deviation", "Largest deviation", number=True),
        Field("of_tolerance", "Of tolerance", number=True),
        Field("verdict", "Verdict"),
        Field("route", "Route"),
        Field("worst", "Closest to its tolerance"),
        Field("reference", "Reference"),
        Field("tests", "Tests"),
    )
    records = tuple(_method(s, printed=printed) for s in found.by_method())
    if not printed:
        fields = (Field("id"), *fields)
    return Sheet("qualification", _title(found), fields, records, _facts(found), NOTES)


def _method(summary: Summary, *, printed: bool) -> tuple[Value, ...]:
    record: tuple[Value, ...] = (
        summary.method.title,
        len(summary.checks),
        *_amounts(summary, printed=printed),
        _verdict(len(summary.failed)),
        summary.method.route,
        summary.worst.id if summary.worst.share > 0 else "",
        "; ".join(r for r in summary.references if r),
        ", ".join(summary.method.tests),
    )
    return record if printed else (summary.method.id, *record)


def _kinds(found: Qualification, *, printed: bool) -> Sheet:
    """One line per method and kind of number, with its tolerance."""
    fields: tuple[Field, ...] = (
        Field("method", "Method"),
        Field("kind", "Kind of number"),
        Field("numbers", "Numbers", number=True),
        Field("deviation", "Largest deviation", number=True),
        Field("of_tolerance", "Of tolerance", number=True),
        Field("tolerance", "Tolerance"),
    )
    records = tuple(
        (s.method.title, RULES[rule][0], len(s.checks), *_amounts(s, printed=printed), RULES[rule][1])
        for rule, s in found.by_rule()
    )
    return Sheet("kinds", "By kind of number", fields, records)


def _failures(found: Qualification) -> Sheet:
    return Sheet("failures", "Out of tolerance", _number_fields(), _number_records(found, only_failed=True))


def _numbers(found: Qualification) -> Sheet:
    return Sheet("numbers", _title(found), _number_fields(), _number_records(found), _facts(found))


def _number_fields() -> tuple[Field, ...]:
    texts = (Field("id", "Number"), Field("method", "Method"), Field("kind", "Kind"), Field("reference", "Reference"))
    values = ("expected", "computed", "deviation", "tolerance")
    return (
        *texts,
        *(Field(v, v.capitalize(), number=True) for v in values),
        Field("verdict", "Verdict"),
        Field("fault", "Fault"),
    )


def _number_records(found: Qualification, *, only_failed: bool = False) -> tuple[tuple[Value, ...], ...]:
    return tuple(
        (
            c.id,
            c.method,
            RULES[c.rule][0],
            c.reference,
            c.expected,
            c.got,
            c.deviation,
            c.tolerance,
            _verdict(not c.passed),
            c.fault,
        )
        for c in (found.failed if only_failed else found.checks)
    )


def _title(found: Qualification) -> str:
    return f"Qualification of this installation: {_verdict(len(found.failed)).upper()}"


def _facts(found: Qualification) -> Facts:
    total, failed = len(found.checks), len(found.failed)
    return (
        ("Numbers compared", f"{total}, of which {failed} out of tolerance"),
        ("Made by", "alsbench qualify"),
        ("Date", datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")),
        *found.installation,
        ("Reference material", f"sha256 {found.material}"),
    )


def _amounts(summary: Summary, *, printed: bool) -> tuple[Value, Value]:
    """Largest deviation and largest share of a tolerance; infinite where there was nothing to compare."""
    return _printed_amounts(summary) if printed else (summary.deviation, summary.worst.share)


def _printed_amounts(summary: Summary) -> tuple[str, str]:
    return _power(summary.deviation), _power(summary.worst.share)


def _power(value: float) -> str:
    if value == 0:
        return "0"
    return "no value" if value == float("inf") else f"{value:.1e}"


def _verdict(failed: int) -> str:
    return "fail" if failed else "pass"
