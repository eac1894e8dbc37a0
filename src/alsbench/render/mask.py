"""Small cells: counts below k hidden, and whatever would let a reader work them out.

A count below k is shown as ``<k``. Where a sum is known (subgroup and complement make overall; arms make the total; levels of a
baseline variable make its n), hidden parts must be at least two and together at least k, or the next smallest part is hidden
as well; linear algebra then looks for hidden counts that the sums together still determine (Cox 1980,
doi 10.1080/01621459.1980.10477481). Means, intervals, percentages and contrasts that rest on a hidden count are hidden with
it. What is not a sum within one study (an intersection of subgroups, another publication) is beyond this.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from alsbench.analysis.result import Result, Row
from alsbench.errors import UsageError
from alsbench.render.formats import MASKED
from alsbench.render.mask_words import hide_counts, hide_gates, hide_in_line, hide_warnings

if TYPE_CHECKING:
    from alsbench.analysis.cells import Cell as EvidenceCell
    from alsbench.analysis.evidence import Evidence

OVERALL = "overall"
COUNTED = frozenset({"n", "count", "events"})
Key = tuple[object, ...]
LEVELLED = frozenset({"baseline", "staging"})  # methods whose counts by level make their n
BY_EVENT = ("survival", "rmst", "median")  # what tells how many events there were
OF_PAIRS = frozenset({"pairs", "events"})


def masked(result: Result, k: int, beside: Iterable[Row] = (), names: Mapping[str, str] | None = None) -> Result:
    """The result without small cells. ``beside`` are rows of complements and overall that are not shown but could be asked
    for: what is hidden does not depend on whether they are. ``names`` gives the phrases that are another's by meaning (a
    named complement). Raises UsageError for subject rows or k below 2."""
    check_limit(k)
    if any(row.context == "subject" for row in result.rows):
        raise UsageError("rows of single subjects cannot be masked", where="--subjects", hint="leave out --subjects or --mask")
    known = names or {}
    mine = [replace(row, subgroup=known.get(row.subgroup, row.subgroup)) for row in result.rows]
    made = mask_rows(tuple(dict.fromkeys((*mine, *beside))), k)
    found = dict(zip(dict.fromkeys((*mine, *beside)), made, strict=True))
    rows = tuple(replace(found[m], subgroup=row.subgroup) for m, row in zip(mine, result.rows, strict=True))
    gone = {a for r in made if is_masked(r) for a in (r.arm, r.treatment, r.reference) if a}
    note = f"<{k}: a count below {k}. {MASKED}: hidden with it, so that it cannot be worked out."
    facts = replace(
        result.facts,
        lines=tuple((name, hide_in_line(name, text)) for name, text in result.facts.lines),
        attempts=tuple(hide_counts(t) for t in result.facts.attempts),
        footnotes=(*(hide_counts(t) for t in result.facts.footnotes), note),
    )
    return replace(result, rows=rows, facts=facts, warnings=hide_warnings(result.warnings, gone))


def check_limit(k: int) -> None:
    """Raises UsageError for a limit that would mask nothing."""
    if k < 2:
        raise UsageError(f"--mask {k} would mask nothing", hint="a count below K is masked: give 2 or more")


def masked_evidence(evidence: Evidence, k: int, names: Mapping[str, str] | None = None) -> Evidence:
    """The evidence table without small cells: a cell goes with its contrast, the plan's p-values with one of its contrasts."""
    result = masked(evidence.result, k, names=names)
    gone = {
        (r.endpoint, r.subgroup, r.treatment, r.reference, r.visit_number)
        for r in result.rows
        if is_masked(r) and r.context == "contrast" and r.stat_name not in OF_PAIRS
    }
    small = {(r.endpoint, r.subgroup) for r in result.rows if is_masked(r) and r.context == "subgroup" and r.stat_name == "n"}

    def hide(cell: EvidenceCell) -> EvidenceCell:
        if (cell.endpoint, cell.subgroup) in small:
            cell = replace(cell, n=-1, interaction_p=None)
        if (cell.endpoint, cell.subgroup, cell.treatment, cell.reference, cell.visit_number) not in gone:
            return cell
        return replace(
            cell, estimate=None, low=None, high=None, p=None, favourable=None, first_lasting_visit=None, first_visit=None,
            visits_tested=None, interaction_p=None, p_adjusted=None, verdict=None, error=MASKED,
        )  # fmt: skip

    cells = tuple(hide(c) for c in evidence.cells)
    planned = {(c.endpoint, c.comparison) for c in evidence.cells if c.p_adjusted is not None}
    if any(c.error == MASKED and c.subgroup == OVERALL and (c.endpoint, c.comparison) in planned for c in cells):
        rows = tuple(_hide(r) if r.stat_name == "p_adjusted" else r for r in result.rows)
        result = replace(result, rows=rows, facts=replace(result.facts, lines=hide_gates(result.facts.lines)))
        cells = tuple(replace(c, p_adjusted=None, verdict=None) for c in cells)
    return replace(evidence, cells=cells, result=result)


def is_masked(row: Row) -> bool:
    """Whether the statistic was hidden."""
    return row.stat is None and (row.error or "").startswith(MASKED)


def mask_rows(rows: Sequence[Row], k: int) -> tuple[Row, ...]:
    """The same rows in their order, small counts and what rests on them hidden."""
    counts = {(_key(r), r.subgroup): int(r.number()) for r in rows if r.stat_name in COUNTED and _is_count(r.stat)}
    sums = _sums(rows, counts)
    primary = {cell for cell, value in counts.items() if value < k}
    hidden = complementary(counts, sums, primary, k)
    touched = _Touched(rows, hidden, k)
    made = []
    for row in rows:
        cell = (_key(row), row.subgroup)
        if cell in primary and row.stat_name in COUNTED:
            made.append(replace(row, stat=None, error=f"{MASKED}: <{k}", warning=None))
        elif cell in hidden or touched(row):
            made.append(_hide(row))
        else:
            warning, error = (t and hide_counts(t) for t in (row.warning, row.error))
            made.append(replace(row, warning=warning, error=error) if (warning, error) != (row.warning, row.error) else row)
    return tuple(made)


def _hide(row: Row) -> Row:
    return replace(row, stat=None, error=MASKED, warning=None)


def complementary(
    counts: dict[tuple[Key, str], int],
    sums: Sequence[tuple[tuple[Key, str], tuple[tuple[Key, str], ...]]],
    primary: set[tuple[Key, str]],
    k: int,
) -> set[tuple[Key, str]]:
    """``primary`` and the further cells to hide, given known sums (total, parts)."""
    hidden = set(primary)
    changed = True
    while changed:
        changed = False
        for total, parts in sums:
            more = _open_cell(total, parts, counts, hidden, k)
            while more is not None:
                hidden.add(more)
                changed = True
                more = _open_cell(total, parts, counts, hidden, k)
        if not changed:
            for cell in _determined(sums, hidden):
                candidates = [c for t, ps in sums if cell in (t, *ps) for c in (*ps, t) if c not in hidden]
                if candidates:
                    hidden.add(min(candidates, key=lambda c: (counts[c], str(c))))
                    changed = True
                    break
    return hidden


def _open_cell(
    total: tuple[Key, str],
    parts: tuple[tuple[Key, str], ...],
    counts: dict[tuple[Key, str], int],
    hidden: set[tuple[Key, str]],
    k: int,
) -> tuple[Key, str] | None:
    """The cell to hide next in one sum, or None where what is hidden cannot be worked out from it."""
    gone = [p for p in parts if p in hidden]
    if not gone and total not in hidden:
        return None
    if total in hidden:
        enough = bool(gone)
    else:
        enough = len(gone) > 1 and sum(counts[p] for p in gone) >= k
    if enough:
        return None
    if total not in hidden and total[0][1] == "subgroup" and total[0][2] is None and parts[0][0][2] is not None:
        return total  # the size of a subgroup over its arms: no result rests on it
    left = sorted((p for p in parts if p not in hidden), key=lambda c: (counts[c], str(c)))
    return left[0] if left else total if total not in hidden else None


def _determined(
    sums: Sequence[tuple[tuple[Key, str], tuple[tuple[Key, str], ...]]], hidden: set[tuple[Key, str]]
) -> list[tuple[Key, str]]:
    """Hidden cells whose value the sums fix: their rows of the null space are zero."""
    import numpy as np

    involved = [(t, ps) for t, ps in sums if any(c in hidden for c in (t, *ps))]
    found: list[tuple[Key, str]] = []
    for group in _components(involved, hidden):
        cells = sorted({c for t, ps in group for c in (t, *ps) if c in hidden}, key=str)
        at = {c: i for i, c in enumerate(cells)}
        matrix = np.zeros((len(group), len(cells)))
        for i, (total, parts) in enumerate(group):
            for cell, sign in ((total, -1.0), *((p, 1.0) for p in parts)):
                if cell in at:
                    matrix[i, at[cell]] += sign
        _, values, right = np.linalg.svd(matrix)
        rank = int((values > 1e-9).sum())
        free = right[rank:]
        found += [c for c in cells if not free.size or float(np.abs(free[:, at[c]]).max()) < 1e-9]
    return found


def _components(
    sums: Sequence[tuple[tuple[Key, str], tuple[tuple[Key, str], ...]]], hidden: set[tuple[Key, str]]
) -> list[list[tuple[tuple[Key, str], tuple[tuple[Key, str], ...]]]]:
    """Sums that share hidden cells stand together."""
    groups: list[tuple[set[tuple[Key, str]], list[tuple[tuple[Key, str], tuple[tuple[Key, str], ...]]]]] = []
    for each in sums:
        mine, members = {c for c in (each[0], *each[1]) if c in hidden}, [each]
        apart = []
        for cells, others in groups:
            if cells & mine:
                mine |= cells
                members = [*others, *members]
            else:
                apart.append((cells, others))
        groups = [*apart, (mine, members)]
    return [members for _, members in groups]


def _sums(rows: Sequence[Row], counts: dict[tuple[Key, str], int]) -> list[tuple[tuple[Key, str], tuple[tuple[Key, str], ...]]]:
    """Known sums: overall of subgroup, complement and the undecided, all members of arms, n of the levels of a baseline
    variable. Where there are undecided, ``counts`` gets a cell for them."""
    found: dict[tuple[tuple[Key, str], tuple[tuple[Key, str], ...]], None] = {}
    arms: dict[tuple[Key, str], list[tuple[Key, str]]] = {}
    levels: dict[tuple[Key, str], list[tuple[Key, str]]] = {}
    for row in rows:
        cell = (_key(row), row.subgroup)
        if cell not in counts or row.stat_name not in COUNTED:
            continue
        for larger, other in _partners(row.subgroup):
            pair = tuple(sorted((cell, (cell[0], other)), key=str))
            whole = (cell[0], larger)
            if whole in counts and all(p in counts for p in pair):
                undecided = (("undecided", larger, *cell[0]), pair[0][1])
                rest = counts[whole] - sum(counts[p] for p in pair)
                if rest > 0:
                    counts[undecided] = rest
                found[whole, (*pair, undecided) if rest > 0 else pair] = None
        if row.context == "subgroup" and row.arm is not None:
            arms.setdefault((_key(replace(row, arm=None)), row.subgroup), []).append(cell)
        if row.method in LEVELLED and row.stat_name == "count" and row.level is not None:
            levels.setdefault((_key(replace(row, level=None, stat_name="n")), row.subgroup), []).append(cell)
    for total, parts in (*arms.items(), *levels.items()):
        if total in counts and sum(counts[p] for p in parts) == counts[total]:
            found[total, tuple(parts)] = None
    return list(found)


def _partners(phrase: str) -> list[tuple[str, str]]:
    """(whole, the other part of it): overall of a subgroup and its complement, a subgroup of what it has in common with
    another and what it has not."""
    if phrase == OVERALL:
        return []
    parts = phrase.split(" and ")
    turned = [" and ".join(negated(p) if i == j else p for j, p in enumerate(parts)) for i in range(len(parts))]
    return [(" and ".join(p for j, p in enumerate(parts) if j != i) or OVERALL, other) for i, other in enumerate(turned)]


def negated(name: str) -> str:
    """``not slow`` for ``slow`` and the other way about."""
    return name.removeprefix("not ") if name.startswith("not ") else f"not {name}"


class _Touched:
    """Which statistics rest on hidden counts."""

    def __init__(self, rows: Sequence[Row], hidden: set[tuple[Key, str]], k: int) -> None:
        gone = [r for r in rows if r.stat_name in COUNTED and (_key(r), r.subgroup) in hidden]
        # events of a joint rank are not what its ranks rest on: they take only what tells them with them
        died = [r for r in gone if r.context == "arm" and r.stat_name == "events"]
        self.events = {(r.endpoint, r.subgroup, r.arm, r.variable) for r in died}
        self.ranked = {(r.endpoint, r.subgroup, r.arm) for r in died if r.method == "joint_rank"}
        self.few = _few_by_day(rows, k)
        gone = [r for r in gone if not (r.method == "joint_rank" and r.stat_name == "events")]
        self.subgroups = {(r.endpoint, r.subgroup) for r in gone}
        self.members = {(r.endpoint, r.subgroup, r.arm) for r in gone if r.context == "subgroup" and r.stat_name == "n"}
        small = {(r.endpoint, r.subgroup) for r in gone if r.context == "arm" or r.arm is not None}
        one_fit = {(r.endpoint, r.subgroup) for r in rows if _fits_all_arms(r)}
        self.pooled = small & one_fit  # residual degrees of freedom of one fit over all arms tell the number of subjects
        self.visits = {_at(r, r.variable, None) for r in gone if r.context == "arm" and r.stat_name == "n" and r.level is None}
        self.places = {_at(r, r.variable, r.level) for r in gone if r.context == "arm"}
        self.contrasts = {
            (r.endpoint, r.subgroup, r.arm, r.visit_number, r.variable, r.level) for r in gone if r.context == "arm"
        }

    def __call__(self, row: Row) -> bool:
        where = (row.endpoint, row.subgroup)
        if row.stat_name in OF_PAIRS and any((*where, arm) in self.ranked for arm in (row.treatment, row.reference)):
            return row.context == "contrast"
        if row.context == "arm":
            told = row.method != "baseline" and row.stat_name.startswith(BY_EVENT)
            if told and ((*where, row.arm, row.variable) in self.events or _day(row) in self.few):
                return True
            whole = (*where, row.arm) in self.members or where in self.pooled
            at_visit = _at(row, None, None) in self.visits or _at(row, row.variable, None) in self.visits
            if whole or at_visit:
                return True
            in_pair = row.treatment is not None and row.stat_name not in COUNTED and self._pair(row)
            return in_pair or (row.stat_name != "n" and _at(row, row.variable, row.level) in self.places)
        if row.context == "contrast" or row.stat_name == "interaction_p":
            return where in self.pooled or self._pair(row)
        if row.context == "model":
            return where in self.subgroups and row.stat_name in ("n_subjects", "n_observations", "bic")
        return False

    def _pair(self, row: Row) -> bool:
        """Whether either arm of the row's pair has a hidden count where the row stands: one fit tells the other's."""
        where, arms = (row.endpoint, row.subgroup), (row.treatment, row.reference)
        if any((*where, arm) in self.members for arm in arms):
            return True
        spots = [(row.visit_number, v, lv) for v in (None, row.variable) for lv in (None, row.level)]
        if any((*where, arm, *spot) in self.contrasts for arm in arms for spot in spots):
            return True
        unplaced = row.visit_number is None and row.variable is None
        return unplaced and any(c[:2] == where and c[2] in arms for c in self.contrasts)


def _few_by_day(rows: Sequence[Row], k: int) -> set[Key]:
    """Where a survival and the number of subjects tell that fewer than ``k`` had the event by then, or were left."""
    sizes = {(r.endpoint, r.subgroup, r.arm, r.variable): r.number() for r in rows if r.context == "arm" and r.stat_name == "n"}
    found: set[Key] = set()
    for row in rows:
        if row.context == "arm" and row.stat_name == "survival" and _is_finite(row.stat):
            n = sizes.get((row.endpoint, row.subgroup, row.arm, row.variable), float("nan"))
            if min(n * (1.0 - row.number()), n * row.number()) < k - 0.5:
                found.add(_day(row))
    return found


def _day(row: Row) -> Key:
    return (row.endpoint, row.subgroup, row.arm, row.variable, row.level)


def _is_finite(value: object) -> bool:
    return isinstance(value, (int, float)) and value == value


def _fits_all_arms(row: Row) -> bool:
    return row.method in ("ancova", "joint_rank") and row.context == "arm" and row.treatment is None and row.stat_name == "df"


def _at(row: Row, variable: str | None, level: str | None) -> Key:
    return (row.endpoint, row.subgroup, row.arm, row.treatment, row.reference, row.visit_number, variable, level)


def _key(row: Row) -> Key:
    return (
        row.endpoint, row.context, row.arm, row.treatment, row.reference, row.visit_number, row.variable, row.level,
        row.stat_name,
    )  # fmt: skip


def _is_count(value: object) -> bool:
    return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
