"""Small cells: counts below k hidden, and whatever would let a reader work them out.

A count below k is shown as ``<k``. Counts of subgroups add up by membership (``mask_audit``): overall, subgroups, complements
and intersections of one output, and all that are declared in the study whether or not they are shown. Levels of a baseline
variable make its n, and arms the total of a subgroup, which is hidden with any of its arms. Means, intervals, percentages and
contrasts that rest on a hidden count are hidden with it. What another publication says is beyond this.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from alsbench.analysis.result import Result, Row
from alsbench.errors import UsageError
from alsbench.render.formats import MASKED
from alsbench.render.mask_audit import OVERALL, Atoms, Sets, System, named_sets, suppressed
from alsbench.render.mask_words import hide_counts, hide_gates, hide_in_line, hide_warnings

if TYPE_CHECKING:
    from alsbench.analysis.contrast import EvidenceCell
    from alsbench.analysis.evidence import Evidence

COUNTED = frozenset({"n", "count", "events"})
Key = tuple[object, ...]
Place = tuple[Key, str]  # a count: where it stands, and of which subgroup
LEVELLED = frozenset({"baseline", "staging"})  # methods whose counts by level make their n
BY_EVENT = ("survival", "rmst", "median")  # what tells how many events there were
OF_PAIRS = frozenset({"pairs", "events"})


def masked(
    result: Result,
    k: int,
    beside: Iterable[Row] = (),
    names: Mapping[str, str] | None = None,
    sets: Sets | None = None,
) -> Result:
    """The result without small cells. ``beside`` are rows of other subgroups that are not shown but could be asked for: what is
    hidden does not depend on whether they are. ``names`` gives the phrases that are another's by meaning (a named complement),
    ``sets`` who is in which. Raises UsageError for subject rows or k below 2."""
    check_limit(k)
    if any(row.context == "subject" for row in result.rows):
        raise UsageError("rows of single subjects cannot be masked", where="--subjects", hint="leave out --subjects or --mask")
    known = names or {}
    mine = [_named(row, known.get(row.subgroup, row.subgroup)) for row in result.rows]
    asked = tuple(dict.fromkeys((*mine, *beside)))
    made = mask_rows(asked, k, sets)
    found = dict(zip(asked, made, strict=True))
    rows = tuple(_named(found[m], row.subgroup) for m, row in zip(mine, result.rows, strict=True))
    gone = {a for r in made if is_masked(r) for a in (r.arm, r.treatment, r.reference) if a}
    note = f"<{k}: a count below {k}. {MASKED}: hidden with it, so that it cannot be worked out."
    facts = replace(
        result.facts,
        lines=tuple((name, hide_in_line(name, text)) for name, text in result.facts.lines),
        attempts=tuple(hide_counts(t) for t in result.facts.attempts),
        footnotes=(*(hide_counts(t) for t in result.facts.footnotes), note),
    )
    return replace(result, rows=rows, facts=facts, warnings=hide_warnings(result.warnings, gone))


def _named(row: Row, subgroup: str) -> Row:
    return row if row.subgroup == subgroup else replace(row, subgroup=subgroup)


def check_limit(k: int) -> None:
    """Raises UsageError for a limit that would mask nothing."""
    if k < 2:
        raise UsageError(f"--mask {k} would mask nothing", hint="a count below K is masked: give 2 or more")


def masked_evidence(
    evidence: Evidence, k: int, names: Mapping[str, str] | None = None, sets: Sets | None = None, beside: Iterable[Row] = ()
) -> Evidence:
    """The evidence table without small cells: a cell goes with its contrast, the plan's p-values with one of its contrasts."""
    result = masked(evidence.result, k, beside, names, sets)
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
            cell, estimate=None, se=None, low=None, high=None, df=None, p=None, first_lasting_visit=None, first_visit=None,
            visits_tested=None, interaction_p=None, p_adjusted=None, verdict=None, bottom_line="", error=MASKED,
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


def mask_rows(rows: Sequence[Row], k: int, sets: Sets | None = None) -> tuple[Row, ...]:
    """The same rows in their order, small counts and what rests on them hidden. ``sets`` says who is in which subgroup; without
    it their names do."""
    counts = {(_key(r), r.subgroup): int(r.number()) for r in rows if r.stat_name in COUNTED and _is_count(r.stat)}
    primary = {place for place, value in counts.items() if value < k}
    hidden = _hidden(rows, counts, k, sets) if primary or sets is None or len(sets) > 1 else set()
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


def _hidden(rows: Sequence[Row], counts: Mapping[Place, int], k: int, sets: Sets | None) -> set[Place]:
    """The counts that are hidden: small ones and what would tell them."""
    phrases = {phrase for _, phrase in counts}
    known = sets if sets is not None and phrases <= set(sets) else named_sets(phrases, _undecided(counts))
    atoms = Atoms.of({p: known[p] for p in known if p in phrases})
    sizes: dict[Place, int] = {}
    others: dict[Place, int] = {}
    about: dict[Key, Row] = {}
    for row in rows:
        place = (_key(row), row.subgroup)
        if place in counts and row.stat_name in COUNTED:
            about[place[0]] = row
            (sizes if row.context == "subgroup" and row.stat_name == "n" else others)[place] = counts[place]
    solver = _Solver(atoms, k)
    hidden = _hidden_sizes(sizes, about, solver)
    gone = {(about[key].endpoint, phrase, about[key].arm) for key, phrase in hidden}
    before = {place for place in others if (about[place[0]].endpoint, place[1], about[place[0]].arm) in gone}
    for family in _families(others, about):
        hidden |= solver(family, before)
    return hidden


def _hidden_sizes(sizes: Mapping[Place, int], about: Mapping[Key, Row], solver: _Solver) -> set[Place]:
    """Numbers of members: arm by arm, then in total. A total is shown where all its arms are, and tells nothing more then."""
    arms: defaultdict[Place, set[Place]] = defaultdict(set)
    for key, phrase in sizes:
        if about[key].arm is not None:
            arms[_key(replace(about[key], arm=None)), phrase].add((key, phrase))
    hidden: set[Place] = set()
    while True:
        found: set[Place] = set()
        for family in _families({p: n for p, n in sizes.items() if about[p[0]].arm is not None}, about):
            found |= solver(family, hidden)
        found |= hidden | {total for total, parts in arms.items() if total in sizes and parts & found}
        for family in _families({p: n for p, n in sizes.items() if about[p[0]].arm is None}, about):
            found |= solver(family, found)
        for total, parts in arms.items():  # what the arms add up to
            if total in found and not parts & found and sum(sizes[p] for p in parts) == sizes[total]:
                found.add(min(parts, key=lambda p: (sizes[p], str(p))))
        if found == hidden:
            return hidden
        hidden = found


Family = dict[Place, tuple[int, str | None]]  # counts of one kind by subgroup (and level), with the level


def _families(counts: Mapping[Place, int], about: Mapping[Key, Row]) -> list[Family]:
    """Counts that are about the same of different subgroups; with the levels of a variable where they make its n."""
    found: defaultdict[Key, Family] = defaultdict(dict)
    for (key, phrase), value in counts.items():
        row = about[key]
        levelled = row.method in LEVELLED and (row.stat_name == "count" or (row.stat_name == "n" and row.level is None))
        whole = ("levels", *_key(replace(row, level=None, stat_name="n"))) if levelled else key
        found[whole][key, phrase] = (value, row.level if levelled else None)
    made: list[Family] = []
    for whole, family in found.items():
        if whole[0] == "levels" and not _adds_up(family):
            apart: defaultdict[Key, Family] = defaultdict(dict)
            for place, (value, _) in family.items():
                apart[place[0]][place] = (value, None)
            made += apart.values()
        else:
            made.append(family)
    return made


def _adds_up(family: Family) -> bool:
    totals: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for (_, phrase), (value, level) in family.items():
        totals[phrase][level is not None] += value
    return all(n == levels for n, levels in totals.values())


class _Solver:
    """Hides counts of a family; the same numbers are solved once."""

    def __init__(self, atoms: Atoms, k: int) -> None:
        self.atoms, self.k = atoms, k
        self.known: dict[object, set[int]] = {}

    def __call__(self, family: Family, before: set[Place]) -> set[Place]:
        """The places to hide, ``before`` being hidden already. Counts of single subgroups do not depend on intersections."""
        places = list(family)
        depths = [phrase.count(" and ") for _, phrase in places]
        hidden = {i for i, p in enumerate(places) if p in before}
        for depth in sorted(set(depths)):
            some = [i for i, d in enumerate(depths) if d <= depth]
            hidden |= self._solve([places[i] for i in some], family, hidden & set(some), some, depths, depth)
        return {places[i] for i in hidden}

    def _solve(
        self, places: list[Place], family: Family, hidden: set[int], numbers: list[int], depths: list[int], depth: int
    ) -> set[int]:
        at = {number: i for i, number in enumerate(numbers)}
        asked = tuple((phrase, *family[key, phrase]) for key, phrase in places)
        question = (asked, tuple(sorted(at[i] for i in hidden)))
        if question not in self.known:
            system = _system(asked, self.atoms)
            gone = {at[i] for i in hidden}
            self.known[question] = suppressed(
                system, gone, self.k, lambda i: depths[numbers[i]] == depth and (depth > 0 or asked[i][0] != OVERALL)
            )
        return {numbers[i] for i in self.known[question]}


def _system(asked: Sequence[tuple[str, int, str | None]], atoms: Atoms) -> System:
    """Counts of subgroups (and levels) as sums over atoms (and levels); what is between nested subgroups is secret."""
    levels = sorted({level for _, _, level in asked if level is not None}) or [""]
    one: dict[str | None, NDArray[np.float64]] = {level: np.eye(len(levels))[j] for j, level in enumerate(levels)}

    def sums(inside: NDArray[np.bool_], level: str | None) -> NDArray[np.float64]:
        return np.outer(inside.astype(float), one.get(level, np.ones(len(levels)))).ravel()

    values = {(phrase, level): value for phrase, value, level in asked}
    made = [sums(atoms.inside[phrase], level) for phrase, _, level in asked]
    secret, secret_counts = [], []
    for whole, parts in atoms.between:
        for level in {level for _, _, level in asked}:
            if all((p, level) in values for p in (whole, *parts)):
                rest = atoms.inside[whole] & ~np.any([atoms.inside[p] for p in parts], axis=0)
                secret.append(sums(rest, level))
                secret_counts.append(values[whole, level] - sum(values[p, level] for p in parts))
    width = len(made[0])
    return System(
        np.array([value for _, value, _ in asked], dtype=np.int64),
        np.array(made, dtype=float),
        np.array(secret, dtype=float).reshape(-1, width),
        np.array(secret_counts, dtype=np.int64),
    )


def _undecided(counts: Mapping[Place, int]) -> set[str]:
    """Names of which some subjects are neither in nor out."""
    found = set()
    for (key, phrase), value in counts.items():
        other, whole = counts.get((key, negated(phrase))), counts.get((key, OVERALL))
        if " and " not in phrase and phrase != OVERALL and other is not None and whole is not None and whole > value + other:
            found.add(phrase.removeprefix("not "))
    return found


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
