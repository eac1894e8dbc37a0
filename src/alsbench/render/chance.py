"""Chance in print: where the finding stands among the copies, how small the smallest p of a copy is, and the headlines.

The histogram counts copies by the smallest p of their search, in classes of 1, 2 and 5 of every power of ten. Every headline of
a copy stands below a line that says what a copy is.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from alsbench.analysis.contrast import frequency
from alsbench.analysis.scrutiny.catalogue import BEST, COPY, REAL, SMALLEST
from alsbench.render.formats import format_p
from alsbench.render.page import Column, Figure, Line, Page, PageBlock, TextCell, label
from alsbench.render.svg import TOP, Drawing
from alsbench.render.ticks import nice_ticks
from alsbench.render.titles_footnotes import marked_title, page_facts, page_footnotes

if TYPE_CHECKING:
    from alsbench.analysis.result import Result, Row

BARS = 30
NO_EFFECT = "WITHOUT ANY EFFECT"
Told = dict[str, "Row"]  # the statistics of one place, by name


def chance_page(result: Result) -> Page:
    """Rank, histogram, headlines."""
    title = marked_title(result.facts.title, result.provenance)
    blocks = chance_blocks(result)
    figures = (Figure(f"{title} · {CAPTION}", lambda: _draw(result, title)),) if _classes(result) else ()
    return Page(title, blocks, page_facts(result), page_footnotes(result), figures)


def chance_blocks(result: Result, width: int = 0) -> tuple[PageBlock, ...]:
    """The tables, those that have something to say; headlines folded to ``width`` columns (or not)."""
    made = (rank_block(result), histogram_block(result), headlines_block(result, width))
    found = [block for block in made if block is not None]
    notes = [[part for note in b.notes for part in (textwrap.wrap(note, width) if width else [note])] for b in found]
    return tuple(replace(block, notes=tuple(mine)) for block, mine in zip(found, notes, strict=True))


def real_places(result: Result) -> list[Told]:
    """The findings of the trial itself: those asked about, then the best of its search."""
    return _told(result, (REAL, BEST))


def copied_places(result: Result) -> list[Told]:
    """The best finding of each copy."""
    return _told(result, tuple(dict.fromkeys(r.level or "" for r in result.rows if r.variable == COPY)))


def _told(result: Result, levels: Sequence[str]) -> list[Told]:
    found: dict[tuple[object, ...], Told] = {}
    for row in result.rows:
        if row.level in levels and row.variable != SMALLEST:
            key = (row.level, row.endpoint, row.subgroup, row.treatment, row.reference, row.visit_number)
            found.setdefault(key, {})[row.stat_name] = row
    return list(found.values())


def _where(told: Told) -> str:
    row = told["p_value"]
    about = "the finding" if row.level == REAL else f"the best: {row.endpoint} in {row.subgroup}"
    return ", ".join(part for part in (about, f"{row.treatment} vs {row.reference}", row.visit) if part)


def rank_block(result: Result) -> PageBlock | None:
    """The rank of each finding of the trial among the copies, which is its p over the search."""
    columns = (label("Of the trial"), Column("p alone"), Column("rank among\nthe copies"), Column("p search"), Column("error"))
    lines, notes = [], []
    for told in real_places(result):
        search_p, tests = told["search_p"].number(), int(told["tests"].number())
        rank = f"{_count(told['rank'].number())} of {_count(told['copies'].number() + 1)}"
        p, error = format_p(told["p_value"].number()), format_p(told["search_error"].number())
        texts = (_where(told), p, rank, format_p(search_p), error)
        rows = tuple(told.values())
        lines.append(Line(tuple(TextCell(text, rows) for text in texts)))
        if told["p_value"].level == REAL:
            notes.append(frequency(search_p, tests))
    return PageBlock("The finding among the copies", columns, tuple(lines), tuple(dict.fromkeys(notes))) if lines else None


def _classes(result: Result) -> list[tuple[float, float, int]]:
    """(low, high, copies) of every class."""
    found = []
    for row in result.rows:
        if row.variable == SMALLEST and row.stat_name == "copies" and isinstance(row.stat, int):
            low, _, high = (row.level or "").partition(" to ")
            found.append((float(low), float(high), row.stat))
    return found


def histogram_block(result: Result) -> PageBlock | None:
    """Copies by their smallest p, with the findings of the trial beside their class."""
    classes = _classes(result)
    most = max((n for _, _, n in classes), default=0)
    if not most:
        return None
    lines = []
    for low, high, n in classes:
        bar = "█" * math.ceil(n / most * BARS)
        beside = [_short(told) for told in real_places(result) if low < told["p_value"].number() <= high]
        said = f"{bar} ◄ {'; '.join(beside)}" if beside else bar
        lines.append(Line((TextCell(f"{decimal(low)} to {decimal(high)}"), TextCell(_count(n)), TextCell(said))))
    levels = {r.level: r for r in result.rows if r.stat_name == "smallest_p"}
    quantiles = ", ".join(f"{decimal(r.number(), 2)} in {level}" for level, r in levels.items())
    columns = (label("smallest p"), Column("copies"), Column("", justify="left"))
    return PageBlock("The smallest p of each copy", columns, tuple(lines), (f"At most {quantiles}.",))


def _count(number: float) -> str:
    return f"{round(number):,}"


def _short(told: Told) -> str:
    row = told["p_value"]
    return f"{'finding' if row.level == REAL else 'best'}, {row.treatment}"


def headlines_block(result: Result, width: int = 0) -> PageBlock | None:
    """What a release would say of the trial, and of copies in which no treatment does anything; lines folded to ``width``
    columns (or not)."""
    copies, real = copied_places(result), real_places(result)
    if not real:
        return None
    marks = f" · {' · '.join(t for n, t in result.facts.lines if n == 'Data')}" if result.provenance.synthetic else ""
    lines = [Line((TextCell(f"THE TRIAL{marks}"),), heading=True)]
    lines += [line for told in real for line in _headline(told, width)]
    words = f"{NO_EFFECT}: the best of each of {len(copies)} copies with arms dealt again"
    lines.append(Line((TextCell(words),), heading=True))
    lines += [line for told in copies for line in _headline(told, width)]
    note = "Nothing was given to anybody in a copy: whatever stands there is chance. p as in the search, not adjusted for it."
    return PageBlock("Headlines", (label("As a release would put it"),), tuple(lines), (note,))


def _headline(told: Told, width: int) -> list[Line]:
    row = told["headline"]
    said = f"    {row.level} · {row.stat}"
    parts = textwrap.wrap(said, width, subsequent_indent="      ") if width else [said]
    behind = () if row.variable == COPY else tuple(told.values())  # behind a copy stands no record
    return [Line((TextCell(part, behind),)) for part in parts]


def decimal(p: float, digits: int = 1) -> str:
    """A small p without an exponent: ``0.00002``."""
    if p <= 0:
        return "0"
    places = max(0, -math.floor(math.log10(p)) + digits - 1)
    return f"{p:.{places}f}"


CAPTION = "copies without any effect by the smallest p of their search; dashed: findings of the trial"


def _draw(result: Result, title: str) -> str:
    classes = _classes(result)
    most = max(n for _, _, n in classes)
    real = real_places(result)
    made = Drawing((0.0, float(len(classes))), (0.0, most * (1.04 + 0.09 * len(real))), right=40.0)
    ticks = [t for t in nice_ticks(0.0, float(most), 5) if t == int(t)]
    made.vertical([(t, f"{t:,.0f}") for t in ticks], "copies")
    for k, (_, _, n) in enumerate(classes):
        if n:
            made.box(made.px(k), made.py(n), made.px(k + 1), made.bottom)
    edges = [classes[0][0], *(high for _, high, _ in classes)]
    powers = [(float(k), decimal(e)) for k, e in enumerate(edges) if e > 0 and f"{e:.0e}".startswith("1")]
    made.horizontal(powers, "smallest p of the search")
    for k, told in enumerate(real):
        x = made.px(_on_axis(edges, told["p_value"].number()))
        y = TOP + 10 + 16 * k
        made.rule(x, y + 4, x, made.bottom, dash="4 3")
        late = x > (made.px(0.0) + made.px(float(len(classes)))) / 2
        rank = f"rank {_count(told['rank'].number())} of {_count(told['copies'].number() + 1)}"
        made.write(x - 5 if late else x + 5, y + 4, f"{_short(told)}: {rank}", anchor="end" if late else "start", bold=True)
    return made.svg(f"{title} · {CAPTION}")


def _on_axis(edges: Sequence[float], p: float) -> float:
    """Where a p stands among classes of one width: between the bounds of its class by its logarithm."""
    for k, (low, high) in enumerate(pairwise(edges)):
        if p <= high:
            return k + (math.log(p / low) / math.log(high / low) if 0 < low < p else 0.0 if low > 0 else p / high)
    return float(len(edges) - 1)
