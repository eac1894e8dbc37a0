"""``alsbench qualify``: the installation report, every reference number computed again on this machine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from alsbench.cli.common import Common, Format, command

if TYPE_CHECKING:
    from alsbench.analysis.qualification.run import Qualification, Summary
    from alsbench.render.page import Block, Page
    from alsbench.render.sheet import Field, Sheet, Value

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


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "qualify", placed=False, short_help="Compute every reference number again on this installation")(qualify)


def qualify(
    common: Common,
    numbers: Annotated[bool, typer.Option("--numbers", help="Every number compared, instead of one line per method.")] = False,
    method: Annotated[
        list[str] | None, typer.Option("--method", metavar="ID", help="Only this method (repeatable). Default: all.")
    ] = None,
) -> int:
    """Compute every reference number of R, SAS and the published tables again on this installation, and compare.

    The reference trials are in the package; nothing is fetched, no data of yours are read. Exits 1 if a number is out of
    tolerance.
    """
    import time

    from alsbench.analysis.qualification.run import qualify as run
    from alsbench.cli.progress import bar

    begun = time.monotonic()
    wanted = tuple(method or ())
    _check_methods(wanted)
    with bar(common) as show:
        found = run(progress=lambda _case, done, of: show("qualifying", done, of), methods=wanted)
    common.note(f"{len(found.checks)} numbers compared in {time.monotonic() - begun:.0f} s")
    _emit(common, found, numbers=numbers)
    return 1 if found.failed else 0


def _emit(common: Common, found: Qualification, *, numbers: bool) -> None:
    from alsbench.cli.output import emit_page, emit_sheets

    if numbers:
        emit_sheets(common, _numbers(found))
    elif common.format is Format.TABLE:
        emit_page(common, _short_page(found))
    else:
        printed = common.format.printed
        failures = (_failures(found),) if found.failed else ()
        emit_sheets(common, _methods(found, printed=printed), _kinds(found, printed=printed), *failures)


def _short_page(found: Qualification) -> Page:
    """What fits a terminal: verdicts, then references and tests below each other."""
    from alsbench.render.page import Cell, Line, Page, label, plain_block

    def folded(title: str, records: Iterable[tuple[str, str]]) -> Block:
        lines = tuple(Line((Cell(name), Cell(text))) for name, text in records)
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


def _worst(found: Qualification) -> Block:
    """The failures furthest out, and how many more there are."""
    from alsbench.render.page import plain_block

    failed = sorted(found.failed, key=lambda c: -c.share)
    records = [(c.id, f"{c.expected:.9g}", f"{c.got:.9g}", _power(c.share), c.fault) for c in failed[:SHOWN]]
    block = plain_block("Out of tolerance", ("Number", "Expected", "Computed", "Of tolerance", "Fault"), records, left=1)
    more = len(failed) - SHOWN
    return replace(block, notes=(f"and {more} more: --numbers lists every number",)) if more > 0 else block


def _check_methods(wanted: tuple[str, ...]) -> None:
    from alsbench.analysis.qualification.catalogue import METHODS
    from alsbench.errors import UsageError
    from alsbench.study.names import nearest

    for name in wanted:
        if name not in METHODS:
            raise UsageError(f"no method is named {name}", where="--method", hint=nearest(name, METHODS))


def _methods(found: Qualification, *, printed: bool) -> Sheet:
    """One line per method: what it was compared with, how far off at most, where the tests are."""
    from alsbench.render.sheet import Field, Sheet

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
    from alsbench.analysis.qualification.checks import RULES
    from alsbench.render.sheet import Field, Sheet

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
    from alsbench.render.sheet import Sheet

    return Sheet("failures", "Out of tolerance", _number_fields(), _number_records(found, only_failed=True))


def _numbers(found: Qualification) -> Sheet:
    from alsbench.render.sheet import Sheet

    return Sheet("numbers", _title(found), _number_fields(), _number_records(found), _facts(found))


def _number_fields() -> tuple[Field, ...]:
    from alsbench.render.sheet import Field

    texts = (Field("id", "Number"), Field("method", "Method"), Field("kind", "Kind"), Field("reference", "Reference"))
    values = ("expected", "computed", "deviation", "tolerance")
    return (
        *texts,
        *(Field(v, v.capitalize(), number=True) for v in values),
        Field("verdict", "Verdict"),
        Field("fault", "Fault"),
    )


def _number_records(found: Qualification, *, only_failed: bool = False) -> tuple[tuple[Value, ...], ...]:
    from alsbench.analysis.qualification.checks import RULES

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


def _facts(found: Qualification) -> tuple[tuple[str, str], ...]:
    from datetime import UTC, datetime

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
