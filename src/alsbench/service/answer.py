"""What Python gets of a question: numbers as frames, one number, the table to look at, figures, files; and of subgroups."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from alsbench.analysis.scrutiny import verdict
from alsbench.analysis.scrutiny.catalogue import COPY, REAL
from alsbench.analysis.subgroups import members
from alsbench.data.workspace import Workspace
from alsbench.errors import UsageError
from alsbench.files import write_file
from alsbench.render.ard import ROW_KEYS, row_dict
from alsbench.render.mask_counts import Count
from alsbench.service import subgroups
from alsbench.service.access import ENDINGS, Access
from alsbench.service.masks import mask_members
from alsbench.service.output import in_form, save_page
from alsbench.study.names import nearest

if TYPE_CHECKING:
    from alsbench.analysis.result import Result, Row
    from alsbench.analysis.scrutiny import Check
    from alsbench.audit.lineup_key import LineupKey
    from alsbench.render.page import Page
    from alsbench.render.sheet import Sheet
    from alsbench.service.output import Output

KEYS = ("endpoint", "population", "subgroup", "context", "arm", "treatment", "reference", "visit", "variable", "level")
UNITS = ("difference", "ratio", "hazard_ratio")
HEADLINES = ("of", "headline", "p", "estimate", "unit", "endpoint", "subgroup", "treatment", "reference", "visit")
LISTED = 8  # values that an error names


def sheet_frame(sheet: Sheet) -> pd.DataFrame:
    """A plain table as a frame; ``attrs`` holds what it says above and below itself."""
    frame = pd.DataFrame(list(sheet.records), columns=[f.key for f in sheet.fields])
    frame.attrs = {"title": sheet.title, "facts": dict(sheet.facts), "notes": list(sheet.notes)}
    return frame


@dataclass(frozen=True)
class Plot:
    """A figure of the report as SVG; a notebook draws it."""

    caption: str
    svg: str

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return f"Plot({self.caption!r})"

    def save(self, path: str | Path) -> Path:
        """Write the drawing to a new or replaced ``.svg`` file, readable by its owner only; the path.

        Raises UsageError for another ending.
        """
        target = Path(path)
        if target.suffix.lower() != ".svg":
            raise UsageError(f"a figure is not written as {target.suffix or 'a file without ending'}", hint="name it .svg")
        write_file(target, (self.svg,))
        return target


class Answer:
    """The answer to a question of a workspace, as :meth:`Trial.endpoint`, :meth:`Trial.evidence` and others return it.

    In a notebook it shows as the table of the report; in a console as the printed table.
    """

    def __init__(self, access: Access, output: Output) -> None:
        self._access, self._output = access, output
        self._page = cache(output.page or _no_page)
        self.results = output.results

    # ---- what a table must say

    @property
    def title(self) -> str:
        """The title of the table, with its marks (post hoc, synthetic data, blinded)."""
        return self._page().title

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the methods had to say."""
        return tuple(dict.fromkeys(w for r in self.results for w in r.warnings))

    @property
    def facts(self) -> dict[str, str]:
        """What the table prints above itself: population, model, df, definitions with realised cut-offs."""
        return {name: value for r in self.results for name, value in r.facts.lines}

    @property
    def footnotes(self) -> tuple[str, ...]:
        """What the table prints below itself."""
        return tuple(self._page().footnotes)

    @property
    def post_hoc(self) -> bool:
        """Whether anything in it was not pre-specified."""
        return any(r.provenance.post_hoc for r in self.results)

    @property
    def synthetic(self) -> bool:
        """Whether the study says that its data are synthetic."""
        return any(r.provenance.synthetic for r in self.results)

    @property
    def command(self) -> str:
        """The shell command that prints the same numbers."""
        return self.results[0].provenance.command if self.results else ""

    # ---- numbers

    def frame(self) -> pd.DataFrame:
        """Every statistic, one a row, in the columns of the JSON (CDISC Analysis Results Data): ``endpoint``, ``method``,
        ``population``, ``subgroup``, ``context``, ``arm``, ``treatment``, ``reference``, ``visit``, ``visit_number``,
        ``variable``, ``level``, ``stat_name``, ``stat`` (a raw double, a count or a text), ``stat_fmt`` (as printed),
        ``warning``, ``error`` (why ``stat`` is missing)."""
        return self._told(pd.DataFrame([row_dict(row) for row in self._rows()], columns=list(ROW_KEYS)))

    def table(self, *statistics: str) -> pd.DataFrame:
        """Numbers as the table shows them: visits (and subgroups, variables, levels) down, arms and contrasts across, below
        each its statistics; only those named, if any are. Texts and what could not be computed are missing (NaN). What
        belongs to no arm and no contrast (facts of a fit, single subjects) is in :meth:`frame` only.

        Raises UsageError for a statistic that the answer does not hold.
        """
        known = list(dict.fromkeys(r.stat_name for r in self._rows()))
        for name in statistics:
            self._known("statistic", name, known)
        every = [r for r in self._rows() if not statistics or r.stat_name in statistics]
        rows = [r for r in every if r.context in ("arm", "contrast")] or every
        down = [k for k in ("endpoint", "subgroup", "visit", "variable", "level") if len({getattr(r, k) for r in rows}) > 1]
        down = down or ["subgroup"]
        lines = list(dict.fromkeys(tuple(getattr(r, k) or "" for k in down) for r in rows))
        heads = list(dict.fromkeys((_who(r), r.stat_name) for r in rows))
        cells: dict[tuple[Any, Any], float] = {}
        for r in rows:
            cells.setdefault((tuple(getattr(r, k) or "" for k in down), (_who(r), r.stat_name)), r.number())
        index = pd.MultiIndex.from_tuples(lines, names=down) if len(down) > 1 else pd.Index([v for (v,) in lines], name=down[0])
        columns = pd.MultiIndex.from_tuples(heads, names=["of", "statistic"])
        numbers = [[cells.get((a, b), float("nan")) for b in heads] for a in lines]
        return self._told(pd.DataFrame(numbers, index=index, columns=columns))

    def get(self, statistic: str, **where: Any) -> float | int | str:
        """One number: ``r.get("p_value", subgroup="slow", visit=12)``. ``where`` takes the columns of :meth:`frame`;
        ``visit`` a number or a label, ``comparison`` is the treatment arm.

        Raises UsageError, listing what there is, where no or more than one statistic fits, or where it could not be
        computed.
        """
        wanted = {("treatment" if k == "comparison" else k): v for k, v in where.items()}
        for name in wanted:
            self._known("column", name, [*KEYS, "visit_number"])
        self._known("statistic", statistic, list(dict.fromkeys(r.stat_name for r in self._rows())))
        found = [r for r in self._rows() if r.stat_name == statistic]
        for name, value in wanted.items():
            kept = [r for r in found if _is(r, name, value)]
            if not kept:
                there = list(dict.fromkeys(str(getattr(r, name)) for r in found if getattr(r, name) is not None))
                raise UsageError(f"there is no {statistic} with {name} = {value!r}", hint=f"there is: {_listed(there)}")
            found = kept
        if len(found) > 1:
            varies = {k: list(dict.fromkeys(str(getattr(r, k)) for r in found)) for k in KEYS}
            hint = "\n".join(f"{k}: {_listed(v)}" for k, v in varies.items() if len(v) > 1)
            raise UsageError(f"{len(found)} statistics named {statistic} fit: say which", hint=hint)
        row = found[0]
        if row.stat is None:
            raise UsageError(f"{statistic} could not be computed", why=row.error or "")
        return row.stat

    # ---- to look at, to take away

    def plots(self) -> tuple[Plot, ...]:
        """Every figure that the report draws of this answer."""
        return tuple(Plot(f.caption, f.draw()) for f in self._page().figures)

    def plot(self) -> Plot:
        """The (first) figure of the report. Raises UsageError where it draws none."""
        found = self.plots()
        if not found:
            raise UsageError("the report draws no figure of this answer")
        return found[0]

    def save(self, path: str | Path) -> Path:
        """Write it to a file, replaced in one step and readable by its owner only, in the form of its ending (``.txt``,
        ``.csv``, ``.tsv``, ``.md``, ``.json``, ``.html``, ``.rtf``); entered in the audit log as an export. The path.

        Raises UsageError for another ending, UnavailableError where it cannot be written.
        """
        target = Path(path)
        save_page(self._access, self._page(), self.results, self._output.study, target, form_of(target))
        return target

    def __repr__(self) -> str:
        return in_form(self._page(), "txt", self.results)

    def _repr_html_(self) -> str:
        page = self._page()
        lines = sum(len(b.lines) + 4 for b in page.blocks) + len(page.facts) + len(page.footnotes)
        height = min(900, 120 + 24 * lines + 420 * len(page.figures))
        inside = html.escape(in_form(page, "html", self.results), quote=True)  # a frame of its own: its style stays in it
        look = f'title="{html.escape(page.title)}" style="border:0" width="100%" height="{height}"'
        return f'<iframe sandbox="" {look} srcdoc="{inside}"></iframe>'

    def _told(self, frame: pd.DataFrame) -> pd.DataFrame:
        """With what the table says above and below itself in ``attrs``: a frame that is handed on still knows it."""
        frame.attrs = {"title": self.title, "facts": dict(self._page().facts), "notes": list(self.footnotes)}
        return frame

    def _rows(self) -> Iterable[Row]:
        return (row for result in self.results for row in result.rows)

    @staticmethod
    def _known(what: str, name: str, known: list[str]) -> None:
        if name not in known:
            raise UsageError(f"there is no {what} {name!r} here", hint=nearest(name, known))


class Scrutiny(Answer):
    """The bottom line of a finding, ``s.verdict``, and its checks: ``s["selection"]`` is one of them, ``s.verdicts()`` what
    each says."""

    def __init__(self, access: Access, output: Output, checks: Sequence[Check]) -> None:
        super().__init__(access, output)
        self.checks = tuple(checks)

    @property
    def verdict(self) -> str:
        """What may be taken away, by comparison: ``G2-M12: WHAT CHANCE OFFERS``. Raises UsageError where ``bottom_line``
        was not asked for; ``s["bottom_line"].rows`` are the inputs of the rule."""
        return verdict(self["bottom_line"])

    def verdicts(self) -> pd.DataFrame:
        """``number``, ``id``, ``title`` and the sentence (``verdict``) that sums each check up."""
        pairs = zip(self.checks, self.results, strict=True)
        return pd.DataFrame([{"number": c.number, "id": c.id, "title": c.title, "verdict": verdict(r)} for c, r in pairs])

    def __getitem__(self, check: Any) -> Result:
        """The result of one check, by id or number. Raises UsageError for one that was not asked for."""
        for each, result in zip(self.checks, self.results, strict=True):
            if str(check) in {each.id, str(each.number)}:
                return result
        raise UsageError(f"check {check} was not asked for", hint=f"there is: {', '.join(c.id for c in self.checks)}")


class Copies(Answer):
    """A finding among copies of the trial without any effect: ``c.p_search``, ``c.headlines()``; ``c.frame()`` holds the
    distribution (``variable`` "smallest p of a copy") and everything else, ``c.plot()`` draws it."""

    @property
    def p_search(self) -> pd.Series[float]:
        """By comparison (its treatment arm): how often a copy offers something as small as the finding, somewhere."""
        rows = [r for r in self._rows() if r.stat_name == "search_p" and r.level == REAL]
        return pd.Series(
            [r.number() for r in rows], index=pd.Index([r.treatment for r in rows], name="treatment"), name="p_search"
        )

    def headlines(self) -> pd.DataFrame:
        """``of`` (the finding, the best of the trial, copy 1 ...), ``headline``, ``p``, ``estimate`` with its ``unit``, and
        where it lies: ``endpoint``, ``subgroup``, ``treatment``, ``reference``, ``visit``. Nothing in a copy is an effect. No
        row under a mask."""
        found: dict[tuple[Any, ...], dict[str, Any]] = {}
        for r in self._rows():
            if r.variable not in ("search", COPY) or r.stat_name not in (*UNITS, "headline", "p_value", "copy_p"):
                continue
            place = (r.level, r.endpoint, r.subgroup, r.treatment, r.reference, r.visit)
            name = {"headline": "headline", "p_value": "p", "copy_p": "p"}.get(r.stat_name, "estimate")
            line = found.setdefault(place, dict.fromkeys(HEADLINES) | dict(zip(("of", *HEADLINES[5:]), place, strict=True)))
            line |= {name: r.stat} | ({"unit": r.stat_name} if name == "estimate" else {})
        lines = [line for line in found.values() if line["headline"] is not None]
        return self._told(pd.DataFrame(lines, columns=list(HEADLINES)))


class Verified(Answer):
    """Endpoints by both programs: ``v.agrees``, ``v.sentence``; ``v.frame()`` holds every number that was compared, worst
    first, ``v.not_compared()`` how many were not, and why."""

    @property
    def agrees(self) -> bool:
        """Whether no number differs; what was not compared does not count."""
        return not self._output.failed

    @property
    def sentence(self) -> str:
        """``412 of 412 numbers agree with a second program (largest relative deviation 3e-09); nothing was left out.``"""
        return self._output.sheets[0].notes[0]

    def frame(self) -> pd.DataFrame:
        """``endpoint``, ``subgroup``, ``verdict``, ``class``, ``context``, ``place``, ``statistic``, the ``first`` and
        ``second`` program's number, and their ``deviation`` relative to the larger of value and standard error."""
        return self._told(sheet_frame(self._output.sheets[0]))

    def not_compared(self) -> pd.DataFrame:
        """``endpoint``, ``subgroup``, ``why`` and the count of ``numbers`` that the second program does not have."""
        return self._told(sheet_frame(self._output.sheets[1]))


class Panels(Answer):
    """A lineup: ``plot()`` and ``save("lineup.html")`` draw its panels, ``frame()`` holds their numbers, and
    :meth:`reveal` tells which one is the trial."""

    def __init__(self, access: Access, output: Output, key: LineupKey) -> None:
        super().__init__(access, output)
        self._key = key

    def reveal(self, *picks: int) -> pd.DataFrame:
        """``panels``, ``trial`` (which panel it is), ``judges`` and ``right`` of their ``picks``, and ``p``: so many or more
        right by guessing. Entered in the audit log. Raises UsageError for a panel that is not there."""
        from alsbench.service.lineup import revealed  # waits: scipy

        sheet = revealed(self._access, self._key, picks).sheets[0]
        return pd.DataFrame(list(sheet.records), columns=[f.key for f in sheet.fields])


class Members:
    """Who is in a subgroup: ``trial.subgroup("slow")``. ``n`` and ``n_undecided`` are texts such as ``<5`` where a mask of
    the study or of the user's settings hides them."""

    def __init__(self, access: Access, phrase: str) -> None:
        self._access, self.phrase = access, phrase
        with access.opened() as source:
            found = members(source, phrase)
            shown = mask_members(source, {phrase: found}, access.mask())
            self.n, self.n_undecided = shown[Count(phrase, None)], shown[Count(phrase, None, "undecided")]
            self._ids, self._mask, self._decided = source.subject_ids, found.mask, found.decided
            self._inside = source.population("")
        self.definition, self.cuts, self.post_hoc = found.definition, dict(found.cuts), found.post_hoc

    def members(self) -> pd.Series[Any]:
        """For every subject of the default population whether it is a member: True, False, or NA where a value is missing.

        Raises UsageError where a mask holds.
        """
        self._access.refuse_mask(0, "single subjects")
        truth = [bool(m) if d else pd.NA for m, d in zip(self._mask, self._decided, strict=True)]
        found = pd.Series(truth, index=pd.Index(self._ids, name="subject"), name=self.phrase, dtype="boolean")
        return found[self._inside]

    def __repr__(self) -> str:
        return f"<subgroup {self.phrase}: {self.definition}, {self.n} members{', POST HOC' if self.post_hoc else ''}>"


class Subgroups:
    """The named subgroups of a study file."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def add(
        self,
        name: str,
        where: str,
        *,
        label: str = "",
        prespecified: bool = False,
        rationale: str = "",
        complement: str = "",
        force: bool = False,
    ) -> None:
        """Add a subgroup to study.toml; comments and layout stay. It is post hoc unless ``prespecified``.

        Raises UsageError for a name that is taken or none, ExpressionError for a condition that cannot be read, or that is
        known only after randomisation (``force`` keeps it, labelled so).
        """
        given: Mapping[str, Any] = {
            "label": label,
            "prespecified": prespecified,
            "rationale": rationale,
            "complement": complement,
        }
        subgroups.add(self._access, name=name, where=where, force=force, **given)

    def edit(self, name: str, *, force: bool = False, **changes: Any) -> None:
        """Change ``where``, ``label``, ``prespecified``, ``rationale``, ``complement`` or ``rename`` of a subgroup."""
        given = {("name" if k == "rename" else k): v for k, v in changes.items()}
        known = {"name", "where", "label", "prespecified", "rationale", "complement"}
        for key in given:
            if key not in known:
                raise UsageError(f"a subgroup has no {key}", hint=f"one of {', '.join(sorted(known - {'name'}))}, rename")
        subgroups.edit(self._access, name, given, force=force)

    def remove(self, name: str) -> None:
        """Take a subgroup out of study.toml."""
        subgroups.remove(self._access, name)

    def frame(self) -> pd.DataFrame:
        """``name``, ``where``, ``prespecified``, ``label``, ``complement``, ``rationale`` of each."""
        keys = ["name", "where", "prespecified", "label", "complement", "rationale"]
        return pd.DataFrame(
            [{k: getattr(s, k) for k in keys} for s in Workspace(self._access.path).read_study().subgroups], columns=keys
        )


def form_of(path: Path) -> str:
    """The form that a file's ending names. Raises UsageError for another ending."""
    form = ENDINGS.get(path.suffix.lower())
    if form is None:
        raise UsageError(f"nothing is written as {path.suffix or 'a file without ending'}", hint=f"one of {', '.join(ENDINGS)}")
    return form


def _no_page() -> Page:
    raise UsageError("this is no page")


def _who(row: Row) -> str:
    """Whose statistic it is: an arm's, a contrast's, or everybody's."""
    if row.arm is not None:
        return row.arm
    return f"{row.treatment} vs {row.reference}" if row.treatment is not None else ""


def _is(row: Row, name: str, value: Any) -> bool:
    if name == "visit" and isinstance(value, int | float):
        return row.visit_number == float(value)
    found = getattr(row, name)
    return bool(found == value)


def _listed(values: list[str]) -> str:
    return ", ".join(values[:LISTED]) + (f" and {len(values) - LISTED} more" if len(values) > LISTED else "")
