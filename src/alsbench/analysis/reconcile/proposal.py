"""A first mapping of a document: which number of which cell may be which of our statistics, by the words around it.

A cell is about the words of its column's heads, of its row's labels, of the heading of rows above it and of the title of its
table. A statistic of ours is proposed where all its parts (arm or the two of a contrast, visit, variable, level) are among
these words, no other arm or visit is, and the place of the number in its cell fits the heading (``Difference (95% CI)``). Where
several are left, values decide if exactly one of them is printed so. Nothing else is proposed, and each says by what it was
matched."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from alsbench.analysis.reconcile.mapping import SCHEMA, Target
from alsbench.analysis.reconcile.pairing import OurStatistics, Printed
from alsbench.analysis.reconcile.stated import CellNumber, CellTable, cell_numbers
from alsbench.analysis.reconcile.words import fold, found_in, holds, statistics_in
from alsbench.analysis.result import Row
from alsbench.stats.agreement import GOOD, ValueRule, classify


@dataclass(frozen=True)
class ProposedCell:
    """A number of a cell (table, row, column and part from 1) and the row that it may be; ``matched`` says by what."""

    table: int
    row: int
    column: int
    part: int
    text: str
    target: Row
    matched: str


@dataclass(frozen=True)
class MappingDraft:
    """What is proposed, and how many numbers of the tables are not."""

    cells: tuple[ProposedCell, ...]
    left: int


def propose(tables: Iterable[CellTable], ours: OurStatistics, printed: Printed) -> MappingDraft:
    """A mapping for the tables of a document."""
    cells: list[ProposedCell] = []
    left = 0
    names = tuple(dict.fromkeys(r.stat_name for r in ours.rows))
    places = _Places(ours)
    for table in tables:
        section = ""
        for r in range(table.heads, len(table.rows)):
            row = table.rows[r]
            if row and row[0] and not any(row[1:]):
                section = row[0]
                continue
            for c in range(len(row)):
                numbers = cell_numbers(row[c])
                if c == 0 or not numbers or _is_label(row[c], numbers):
                    continue
                words = _words_of(table, r, c, section)
                fewer = len(_statistics(words, names)) < len(numbers)  # one of them has no name: which is which is not known
                for number in numbers:
                    found = None if fewer else _target(words, number, places, names, printed)
                    if found is None:
                        left += 1
                    else:
                        cells.append(ProposedCell(table.number, r + 1, c + 1, number.part, number.text, *found))
    return _each_once(cells, left)


def _each_once(cells: Sequence[ProposedCell], left: int) -> MappingDraft:
    """A statistic that two cells could be is proposed for neither."""
    taken: dict[int, int] = {}
    for cell in cells:
        taken[id(cell.target)] = taken.get(id(cell.target), 0) + 1
    kept = tuple(c for c in cells if taken[id(c.target)] == 1)
    return MappingDraft(kept, left + len(cells) - len(kept))


@dataclass(frozen=True)
class _CellWords:
    """The words around a cell as they stand: ``heads`` of its column from the top, ``labels`` of its row, ``section``,
    ``title``."""

    heads: tuple[str, ...]
    labels: tuple[str, ...]
    section: str
    title: str

    @property
    def near(self) -> str:
        return fold(" | ".join((*self.heads, *self.labels, self.section)))

    @property
    def all(self) -> str:
        return fold(" | ".join((*self.heads, *self.labels, self.section, self.title)))


def _words_of(table: CellTable, r: int, c: int, section: str) -> _CellWords:
    heads = tuple(dict.fromkeys(t for row in table.rows[: table.heads] if (t := row[c])))
    labels = tuple(t for t in table.rows[r][:c] if t and (_is_label(t, cell_numbers(t)) or t == table.rows[r][0]))
    return _CellWords(heads, labels, section, table.title)


def _is_label(text: str, numbers: Sequence[CellNumber]) -> bool:
    """Whether a text is a label although it has numbers: ``Month 6``, ``10 mg``."""
    return text[:1].isalpha() or not numbers


def _target(
    words: _CellWords, number: CellNumber, places: _Places, names: tuple[str, ...], printed: Printed
) -> tuple[Row, str] | None:
    stats = _statistics(words, names)
    if number.part > len(stats):
        return None
    found = places.fitting(words, stats[number.part - 1])
    how = f"words: {' / '.join((*words.heads, *words.labels, *([words.section] if words.section else [])))}"
    if len(found) == 1:
        return found[0], how
    same = [r for r in found if classify(printed(r.stat_name, r.stat), number.said, ValueRule(statistic=r.stat_name)) in GOOD]
    return (same[0], f"{how}; its value, of {len(found)} with these words") if len(same) == 1 else None


def _statistics(words: _CellWords, names: tuple[str, ...]) -> list[frozenset[str]]:
    """What the numbers of a cell are, in order: by the lowest head that says so, else by the row."""
    for text in (*reversed(words.heads), *reversed(words.labels), words.section):
        if found := statistics_in(text, names):
            return found
    return []


class _Places:
    """Our rows by what tells them apart, and the names by which a cell's words are searched: made once for a document."""

    def __init__(self, ours: OurStatistics) -> None:
        self.ours = ours
        arms = {a for r in ours.rows for a in (r.arm, r.treatment, r.reference) if a}
        self.arms = {name: a for a in arms for name in (a, *ours.words.arms.get(a, ()))}
        self.visits = {r.visit: r.visit_number for r in ours.rows if r.visit}
        self.numbers = {n for n in self.visits.values() if n is not None}
        self.endpoints = _called(ours.endpoints, ours.words.parameters)
        self.subgroups = _called((s for s in ours.subgroups if s != "overall"), ours.words.subgroups)
        self.rows: dict[tuple[str, frozenset[str], float | None], list[Row]] = {}
        for row in ours.rows:
            if row.stat is None:
                continue
            both = frozenset(a for a in (row.treatment, row.reference) if a)
            sets = (
                [both, frozenset({row.treatment or ""})]
                if row.context == "contrast"
                else [frozenset({row.arm} if row.arm else ())]
            )
            for arms_of in sets:
                self.rows.setdefault((row.stat_name, arms_of, row.visit_number), []).append(row)

    def fitting(self, words: _CellWords, wanted: Iterable[str]) -> list[Row]:
        """The rows of some statistics whose every part is among the words of a cell, and no other arm or visit is."""
        near, every = words.near, words.all
        arms = frozenset(self.arms[name] for name in found_in(near, self.arms))
        visits = self._visits(words, near, every)
        if len(visits) > 1:
            return []
        visit = next(iter(visits), None)
        found = [r for name in sorted(wanted) for r in self.rows.get((name, arms, visit), ())]
        found = [r for r in found if all(holds(near, fold(part)) for part in (r.variable, r.level) if part)]
        endpoints = {self.endpoints[w] for w in found_in(every, self.endpoints)} if len(self.ours.endpoints) > 1 else set()
        subgroups = {self.subgroups[w] for w in found_in(every, self.subgroups)} if len(self.ours.subgroups) > 1 else set()
        if not subgroups and len(self.ours.subgroups) > 1 and "overall" in self.ours.subgroups:
            subgroups = {"overall"}
        found = [r for r in found if not endpoints or r.endpoint in endpoints]
        return [r for r in found if not subgroups or r.subgroup in subgroups]

    def _visits(self, words: _CellWords, near: str, every: str) -> set[float | None]:
        found = {self.visits[name] for name in found_in(near, self.visits)}
        found = found or {self.visits[name] for name in found_in(every, self.visits)}
        return found or {n for n in self.numbers for t in words.labels if t.strip() == f"{n:g}"}


def _called(names: Iterable[str], others: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    return {w: n for n in names for w in (n, *others.get(n, ()))}


def mapping_text(proposal: MappingDraft, theirs: str) -> str:
    """The mapping as TOML, a table a cell."""
    head = [
        f"schema = {_quoted(SCHEMA)}",
        f"theirs = {_quoted(theirs)}",
        f"# {len(proposal.cells)} numbers are proposed, {proposal.left} are not. Check each: `matched` says how it was found.",
    ]
    return "\n".join([*head, *(_cell_text(c) for c in proposal.cells)]) + "\n"


def _cell_text(cell: ProposedCell) -> str:
    parts = ", ".join(f"{k} = {_quoted(v)}" for k, v in row_target(cell.target))
    part = f"part = {cell.part}\n" if cell.part > 1 else ""
    place = f"table = {cell.table}\nrow = {cell.row}\ncolumn = {cell.column}\n{part}"
    return f"\n[[cell]]\n{place}is = {{ {parts} }}\ntext = {_quoted(cell.text)}\nmatched = {_quoted(cell.matched)}"


def row_target(row: Row) -> Target:
    """What names a row in a mapping."""
    visit = None if row.visit_number is None else f"{row.visit_number:g}"
    values = {
        **{k: getattr(row, k) for k in ("endpoint", "subgroup", "context", "arm", "treatment", "reference")},
        **{"visit": visit or row.visit, "variable": row.variable, "level": row.level, "statistic": row.stat_name},
    }
    return tuple((k, str(v)) for k, v in values.items() if v is not None)


def _quoted(text: str) -> str:
    """A TOML string: JSON's escapes are TOML's but for those of surrogates, which are not used."""
    return json.dumps(text, ensure_ascii=False)
