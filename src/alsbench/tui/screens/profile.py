"""One subject on one time axis: scores, vital capacity, biomarker, with doses, adverse events and events below.

Which parameters are drawn comes from the study's endpoints; doses from ADEX, adverse events from ADAE, events from ADTTE
where they are loaded. King's and MiToS stages and domain totals are told where the ALSFRS-R's items are loaded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len
from rich.text import Text
from textual.events import Key

from alsbench.analysis.endpoints.event_words import serious
from alsbench.analysis.source import Source
from alsbench.analysis.subgroups import members
from alsbench.data.frames import Frame
from alsbench.errors import AlsbenchError
from alsbench.render.formats import format_number
from alsbench.stats.staging import kings_stage, mitos_stage
from alsbench.study.als import DOMAINS, ITEM_CODES, ITEMS
from alsbench.study.model import DAYS_PER_UNIT
from alsbench.study.sql import Where
from alsbench.tui.canvas import Series, Under, plot
from alsbench.tui.cell_text import fit, safe
from alsbench.tui.screens.base import Bench
from alsbench.tui.screens.dialogs import Reader
from alsbench.tui.shell_command import ViewRequest
from alsbench.tui.table_models import align
from alsbench.tui.theme import Appearance
from alsbench.tui.widgets.bars import Piece, mark_pieces
from alsbench.tui.worker import Job, JobReport

MOST_PLOTS = 3
MARGIN = 6  # columns for axis labels, the same for every plot on the shared axis
GASTROSTOMY = "ALSFR05B"  # cutting food with a gastrostomy
LONGITUDINAL = {"mmrm", "ancova", "slope"}


_SERIAL = count(1)


def open_profile(bench: Bench, subject: str) -> None:
    """Show a subject's profile over the screen."""
    bench.push_screen(ProfileReader(bench, subject))


def titled(bench: Bench, title: str) -> list[Piece]:
    """The head of a dialog over the data: its title, and what must be said of them."""
    marks = mark_pieces(bench.opened.source) if bench.opened is not None else []
    return [(f" {title} ", "key"), *marks]


class ProfileReader(Reader):
    """The profile of a subject over whatever named the subject; ``esc`` returns there. The look is entered in the log."""

    def __init__(self, bench: Bench, subject: str) -> None:
        self.bench, self.subject = bench, subject
        self.panel = f"profile-{next(_SERIAL)}"
        request = ViewRequest("subject", (subject,))
        self.command = bench.exporter.command(request)
        title, waiting = safe(subject, ascii=not bench.look.glyphs.dots), Text("being read ...", bench.look["dim"])
        super().__init__(bench.look, title, [waiting])
        self.head.show(titled(bench, title))
        self._keys = (*self._keys, ("c", "command"))

    def on_mount(self) -> None:
        super().on_mount()
        source, look, chosen, said = self.bench.ready.source, self.look, self.bench.session.choice.subgroups, self.bench.status
        width, height = self.size.width or 80, max(self.size.height - 2, 8)

        def work(_: Job) -> list[Text]:
            record = source.subject_ids.index(self.subject)
            return profile_lines(source, record, look, width, height, memberships(source, chosen, said))

        if self.subject not in source.subject_ids:
            self.pane.lines = (Text("ADSL has no such subject", look["warn"]),)
            return
        self.bench.jobs.start(self.panel, "profile", work)

    def report(self, report: JobReport) -> None:
        if report.kind == "done":
            self.bench.access_log.subject(self.command)
            self.pane.show(report.payload, keep=False)
        elif report.kind == "failed":
            self.pane.show([Text(safe(report.payload.what, ascii=self.ascii), self.look["warn"])])

    async def take(self, event: Key) -> None:
        if event.key == "c":
            self.bench.exporter.show_command(self.command)
        else:
            await super().take(event)


def memberships(source: Source, names: Sequence[str], said: Callable[[str], None]) -> list[tuple[str, list[str]]]:
    """For each subgroup a mark per subject: ``x`` in, ``.`` out, ``?`` undecided, ``-`` not in the population; ``said`` is told
    of a subgroup that cannot be decided."""
    found = []
    population = source.population()
    for name in names:
        try:
            inside, outside = members(source, name).mask, members(source, f"not {name}").mask
        except AlsbenchError as error:
            said(f"{name}: {error.what}")
            continue
        marks = ["-" if not p else "x" if i else "." if o else "?" for p, i, o in zip(population, inside, outside, strict=True)]
        found.append((name, marks))
    return found


def subject_where(source: Source, subject: str) -> Any:
    """A condition that holds for one subject's records."""
    return Where(f'"{source.study.info.subject}" = ?', (subject,))


def records_of(source: Source, table: str, subject: str) -> Frame | None:
    """One subject's records of a table; None where it is not loaded or does not name subjects."""
    info = source.snapshot.tables.get(table)
    if info is None or source.study.info.subject not in info:
        return None
    return source.snapshot.frame(table, where=subject_where(source, subject))


def parameters(source: Source) -> list[tuple[str, str, str]]:
    """(table, parameter code, title) of what the study follows over time, in the order of its endpoints."""
    found: dict[tuple[str, str], str] = {}
    for endpoint in source.study.endpoints.values():
        if endpoint.method in LONGITUDINAL and endpoint.dataset:
            found.setdefault((endpoint.dataset.upper(), endpoint.paramcd), endpoint.title or endpoint.name)
    return [(table, code, title) for (table, code), title in found.items()]


def profile_lines(
    source: Source, record: int, look: Appearance, width: int, height: int, chips: Sequence[tuple[str, Sequence[str]]]
) -> list[Text]:
    """The profile as lines: facts, plots on one axis, doses, adverse events, events, values by visit."""
    subject = source.subject_ids[record]
    ascii = not look.glyphs.dots
    lines = fact_lines(source, record, look, width, chips)
    followed = [(title, *measured(source, table, code, subject)) for table, code, title in parameters(source)]
    followed = [f for f in followed if f[1]][:MOST_PLOTS]
    end = max([max(f[1]) for f in followed], default=12.0)
    ticks = axis_ticks(source, end)
    under = marks(source, subject, look)
    each = max(5, (height - len(lines) - len(under) - 2) // max(len(followed), 1))
    for number, (title, xs, ys) in enumerate(followed):
        last = number == len(followed) - 1
        drawn = plot(
            [Series(title, number, xs, ys)],
            width=width,
            height=each + 2 + (len(under) if last else 0),
            look=look,
            title=f"{look.marker(number)} {safe(title, ascii=ascii)}",
            x_ticks=ticks,
            under=under if last else (),
            legend=False,
            least_margin=MARGIN,
        )
        lines += drawn if last else drawn[:-2]
    lines += [
        Text(),
        *event_lines(source, subject, look, ascii),
        *value_lines(followed, look, width),
        *stage_lines(source, subject, look),
    ]
    return lines


def measured(source: Source, table: str, code: str, subject: str) -> tuple[list[float], list[float]]:
    """Visit numbers and values of one parameter."""
    frame = records_of(source, table, subject)
    number = source.study.visits.number
    if frame is None or number not in frame or "AVAL" not in frame:
        return [], []
    keep = np.isfinite(frame[number]) & np.isfinite(frame["AVAL"])
    if code and "PARAMCD" in frame:
        keep &= frame["PARAMCD"] == code
    pairs = sorted(zip(frame[number][keep].tolist(), frame["AVAL"][keep].tolist(), strict=True))
    return [x for x, _ in pairs], [y for _, y in pairs]


def axis_ticks(source: Source, end: float) -> list[tuple[float, str]]:
    unit = source.study.visits.unit[0].upper()
    step = max(1.0, math.ceil(end / 12))
    start = source.study.visits.baseline
    count = math.ceil((end - start) / step)
    return [(start + k * step, f"{unit}{start + k * step:g}" if not k else f"{start + k * step:g}") for k in range(count + 1)]


def fact_lines(
    source: Source, record: int, look: Appearance, width: int, chips: Sequence[tuple[str, Sequence[str]]]
) -> list[Text]:
    """Who this is: arm, populations, baseline values, active subgroups."""
    ascii = not look.glyphs.dots
    study = source.study
    facts = [(name, "yes" if source.population(name)[record] else "no") for name in study.populations.flags]
    facts += [
        (name, {"x": "in", ".": "out", "?": "undecided", "-": "not in population"}[marks[record]]) for name, marks in chips
    ]
    used = (c for e in study.endpoints.values() for c in (*e.covariates, *e.strata))
    for name in dict.fromkeys(["AGE", "SEX", *used]):
        if name in source.subjects:
            value = source.subjects[name][record]
            if value is not None and value == value:
                facts.append((name, format_number(float(value), 2) if isinstance(value, float) else str(value)))
    lines, line = [], Text()
    for name, value in facts:
        piece = Text.assemble((f"{safe(name, ascii=ascii)} ", look["dim"]), (f"{safe(value, ascii=ascii)}  ", look["text"]))
        if line.cell_len + piece.cell_len > width and line.cell_len:
            lines.append(line)
            line = Text()
        line += piece
    return [*lines, line]


def marks(source: Source, subject: str, look: Appearance) -> list[Under]:
    """Rows under the axis: doses, adverse events (severity by letter), events of the time-to-event data."""
    days = DAYS_PER_UNIT[source.study.visits.unit]
    rows = []
    for table, label, column in (("ADEX", "dose", "ASTDY"), ("ADAE", "AE", "ASTDY"), ("ADTTE", "event", "AVAL")):
        frame = records_of(source, table, subject)
        if frame is None or column not in frame:
            continue
        grave = serious(frame)
        found = [
            (float(day) / days, _mark(table, grave[k], look))
            for k, day in enumerate(frame[column])
            if math.isfinite(day) and (table != "ADTTE" or ("CNSR" in frame and frame["CNSR"][k] == 0))
        ]
        if found:
            rows.append(Under(label, sorted(found), "text"))
    return rows


def _mark(table: str, grave: float, look: Appearance) -> str:
    """Of an event ``S`` where it was serious, ``+`` where it was not, ``?`` where AESER does not tell."""
    if table == "ADEX":
        return "v" if not look.glyphs.dots else "▼"
    if table == "ADTTE":
        return "X"
    return "?" if math.isnan(grave) else "S" if grave else "+"


def event_lines(source: Source, subject: str, look: Appearance, ascii: bool) -> list[Text]:
    """Adverse events and time-to-event records in words."""
    lines: list[Text] = []
    for table, columns in (
        ("ADTTE", ("PARAM", "PARAMCD", "AVAL", "CNSR", "EVNTDESC")),
        ("ADEX", ("ASTDY", "EXTRT", "EXDOSE", "AVISIT", "PARAM", "AVAL")),
        ("ADAE", ("ASTDY", "AENDY", "AEDECOD", "AESEV", "AESER", "AEREL")),
    ):
        frame = records_of(source, table, subject)
        if frame is None or not len(frame):
            continue
        shown = [c for c in columns if c in frame]
        lines.append(Text(f"{table}: {len(frame)} records", look["bold"]))
        lines.append(Text("  " + "  ".join(fit(c, _width(frame, c)) for c in shown), look["head"]))
        for k in range(len(frame)):
            texts = [fit(safe(_text(frame[c][k]), ascii=ascii), _width(frame, c)) for c in shown]
            lines.append(Text("  " + "  ".join(texts), look["text"]))
        lines.append(Text())
    return lines


def _width(frame: Frame, column: str) -> int:
    longest = max((len(_text(v)) for v in frame[column]), default=0)
    return min(max(longest, len(column)), 40)


def _text(value: object) -> str:
    if value is None or value != value:
        return ""
    return format_number(float(value), 3) if isinstance(value, float) else str(value)


def value_lines(followed: Sequence[tuple[str, list[float], list[float]]], look: Appearance, width: int) -> list[Text]:
    """The drawn values as a table, visits down."""
    visits = sorted({x for _, xs, _ in followed for x in xs})
    if not visits:
        return [Text("no values over time", look["dim"])]
    most = max(12, (width - 6) // len(followed) - 2)
    columns = []
    for title, xs, ys in followed:
        texts = align([format_number(ys[xs.index(v)], 2) if v in xs else "" for v in visits])
        wide = min(max([cell_len(title), *map(len, texts)]), most)
        columns.append([fit(t, wide, align="right", mark=look.glyphs.ellipsis) for t in (title, *texts)])
    heads, *rows = zip(*columns, strict=True)
    lines = [Text("  ".join([" visit", *heads]), look["head"])]
    return [*lines, *(Text("  ".join([f"{v:>6g}", *cells]), look["text"]) for v, cells in zip(visits, rows, strict=True))]


def stage_lines(source: Source, subject: str, look: Appearance) -> list[Text]:
    """Domain totals and stages by visit; nothing where no items are loaded."""
    number = source.study.visits.number
    visits: dict[float, dict[str, float]] = {}
    for table in dict.fromkeys(table for table, _, _ in parameters(source)):
        frame = records_of(source, table, subject)
        if frame is None or not {"PARAMCD", "AVAL", number} <= set(frame.names):
            continue
        for code, visit, value in zip(frame["PARAMCD"], frame[number], frame["AVAL"], strict=True):
            if code in ITEM_CODES and math.isfinite(visit):
                visits.setdefault(float(visit), {})[str(code)] = float(value)
    if not visits:
        return []
    heads = [*DOMAINS, "King's", "MiToS"]
    wide = [max(len(h), 5) for h in heads]
    lines = [Text(), Text(f"{'visit':>6}" + "".join(f"  {h:>{w}}" for h, w in zip(heads, wide, strict=True)), look["head"])]
    order = sorted(visits)
    for visit, found in zip(order, staged([visits[v] for v in order]), strict=True):
        cells = ["" if math.isnan(v) else f"{v:g}" for v in found]
        lines.append(Text(f"{visit:>6g}" + "".join(f"  {c:>{w}}" for c, w in zip(cells, wide, strict=True)), look["text"]))
    return lines


def staged(scores: Sequence[Mapping[str, float]]) -> NDArray[np.float64]:
    """(visits, domains + 2): domain totals, King's and MiToS stage of item scores by parameter code; NaN where an item that is
    needed is missing, or is no score from 0 to 4."""
    items = np.array([[max((s.get(c, math.nan) for c in i.codes), key=math.isfinite) for i in ITEMS] for s in scores])
    items[(items < 0) | (items > 4)] = math.nan
    gastrostomy = [math.isfinite(s.get(GASTROSTOMY, math.nan)) for s in scores]
    totals = [items[:, [k - 1 for k in numbers]].sum(axis=1) for numbers in DOMAINS.values()]
    return np.column_stack([*totals, kings_stage(items, gastrostomy=gastrostomy), mitos_stage(items)])
