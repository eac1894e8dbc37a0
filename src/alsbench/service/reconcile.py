"""Their numbers against ours: data against data, results or printed tables against our results; every difference in its class.

Either side is a workspace, a folder or file of data, results (ours, R's cards, ARS, a CSV with a mapping) or a document with
tables. Two sides of data are compared by record. Otherwise what theirs states is put beside the same statistic of ours: of a
workspace, which is asked for it, or of a file.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alsbench.analysis.changes import compare_results
from alsbench.analysis.kept import cached_answer
from alsbench.analysis.question import OVERALL, Question
from alsbench.analysis.reconcile.mapping import ResultMapping, read_mapping
from alsbench.analysis.reconcile.pairing import OurStatistics, OurWords, ReconciledPair, paired
from alsbench.analysis.reconcile.proposal import mapping_text, propose
from alsbench.analysis.reconcile.side_files import StatedSide, read_side, states_results
from alsbench.analysis.reconcile.stated import StatedNumber, said_number
from alsbench.analysis.source import Source
from alsbench.audit.workspace_identity import identify
from alsbench.data.diff import diff as compare
from alsbench.data.workspace import Workspace
from alsbench.errors import AlsbenchError, UsageError
from alsbench.render.formats import decimals, format_stat
from alsbench.render.mask import is_masked
from alsbench.render.sheet import Sheet
from alsbench.service.access import Access
from alsbench.service.data_differences import LISTED
from alsbench.service.delivered_data import data_side, is_workspace, side_name
from alsbench.service.masks import mask_answer
from alsbench.service.output import Output, source_facts
from alsbench.service.reconciliation import Reconciliation, data_output, results_output_of
from alsbench.service.trail import log_look, log_shown
from alsbench.stats.agreement import ACCEPTED, SaidValue
from alsbench.study.study_file import study_digest

if TYPE_CHECKING:
    from alsbench.analysis.result import Result, Row
    from alsbench.data.snapshot import Snapshot


def reconcile(
    access: Access,
    ours: Path,
    theirs: Path,
    *,
    mapping: Path | None = None,
    proposed: bool = False,
    endpoints: Sequence[str] = (),
    subgroups: Sequence[str] = (),
    records: int = LISTED,
    mask: int = 0,
    why: bool = False,
    budget: int = 0,
) -> Output:
    """Their numbers beside ours, in classes, worst first; a difference beyond print and declared tolerances is a negative
    verdict. ``endpoints`` and ``subgroups`` are what a workspace is asked for where theirs does not say (default: what the
    mapping names, else every endpoint, overall). ``proposed``: no comparison, but a draft of a mapping for theirs. ``why``
    looks for what gives their numbers where ours is a workspace: options where theirs is results, records where it is data, at
    most ``budget`` analyses (0: the usual number) for each endpoint and subgroup.

    Raises UsageError where a mapping is needed, where a side of data meets one of results, and for data where a mask holds.
    """
    access = _of_workspace(access, ours, theirs)
    said = read_mapping(mapping) if mapping is not None else ResultMapping()
    if proposed:
        return _draft(access, ours, theirs, said, mapping, endpoints, subgroups, mask)
    found = reconciled(
        access,
        ours,
        theirs,
        said,
        endpoints=endpoints,
        subgroups=subgroups,
        records=records,
        mask=mask,
        named=mapping,
        why=why,
        budget=budget,
    )
    return data_output(access, found, records) if found.data is not None else results_output_of(access, found)


def reconciled(
    access: Access,
    ours: Path,
    theirs: Path,
    mapping: ResultMapping,
    *,
    endpoints: Sequence[str] = (),
    subgroups: Sequence[str] = (),
    records: int = LISTED,
    mask: int = 0,
    named: Path | None = None,
    why: bool = False,
    budget: int = 0,
) -> Reconciliation:
    """As :func:`reconcile`, as what came of it."""
    kinds = [_states(path, mapping) for path in (ours, theirs)]
    if not any(kinds):
        command = _command(ours, theirs, named, records=records, why=why, budget=budget)
        return _data(access, ours, theirs, mapping, records, mask, why, budget, command)
    if not kinds[1]:
        what = "theirs is data, ours is results: they cannot be put beside each other"
        raise UsageError(what, where=str(theirs), hint="name the data, or the workspace, that ours was computed from")
    side = read_side(theirs, mapping)
    if not side.numbers and side.tables:
        raise UsageError(
            "which numbers of its tables are which of ours is not known",
            where=str(theirs),
            hint="alsbench reconcile OURS THEIRS --propose -o mapping.toml drafts a mapping; then --mapping mapping.toml",
        )
    _refuse_unread(side, mapping, named)
    command = _command(ours, theirs, named, endpoints, subgroups, why=why, budget=budget)
    if kinds[0]:
        mine = read_side(ours, mapping)
        rows = _file_rows(mine, ours)
        return _paired(rows, OurWords({}, {}, {}), mine, side, mapping, ours, theirs, (), (("Command", command),), {})
    if not is_workspace(ours):
        what = "ours is data without a study: nothing can be computed from it"
        raise UsageError(what, where=str(ours), hint="alsbench init and load make a workspace of it")
    if not side.ours_by_key:
        _refuse_naming_arms(ours, theirs)
    with access.opened() as source:
        k = access.mask(mask)
        command = replace(access, named=False).repeat(command, k)  # the workspace is one of its sides
        results, left = _asked(access, source, side, mapping, endpoints, subgroups, k, command)
        rows = [r for result in results for r in result.rows]
        facts = (*source_facts(source), ("Command", command))
        declared = {e.name: e.tolerance for e in source.study.endpoints.values() if e.tolerance is not None}
        tolerances = {name: (t.absolute, t.relative) for name, t in declared.items()}
        mine = StatedSide(side_name(ours), "workspace")
        found = _paired(rows, words_of(source), mine, side, mapping, ours, theirs, left, facts, tolerances)
        found = replace(found, results=tuple(results))
        return replace(found, why=_options(access, source, results, found.pairs, budget)) if why else found


def _options(access: Access, source: Source, results: Sequence[Result], pairs: Sequence[ReconciledPair], budget: int) -> Sheet:
    """The options that give their numbers, for each question and subgroup in which any differs by more than print shows."""
    from alsbench.service.why_differ import DifferingNumbers, option_reasons, their_number  # waits: scipy

    questions = {r.key(): _own_question(result.question) for result in results for r in result.rows}
    groups: dict[Question, list[ReconciledPair]] = {}
    for pair in pairs:
        if pair.row is not None and pair.theirs is not None and pair.row.key() in questions:
            groups.setdefault(questions[pair.row.key()].for_subgroup(pair.row.subgroup), []).append(pair)
    differing = []
    for question, found in groups.items():
        stated = [their_number(p.row, p.theirs.said) for p in found if p.row is not None and p.theirs is not None]
        numbers = tuple(n for n in stated if n is not None and n.row.stat is not None)
        if numbers and not all(p.agreement in ACCEPTED for p in found):
            differing.append(DifferingNumbers(question, numbers))
    return option_reasons(access, source, differing, budget=budget)


def _paired(
    rows: Sequence[Row],
    words: OurWords,
    mine: StatedSide,
    side: StatedSide,
    mapping: ResultMapping,
    ours: Path,
    theirs: Path,
    left: tuple[str, ...],
    facts: tuple[tuple[str, str], ...],
    declared: Mapping[str, tuple[float, float]],
) -> Reconciliation:
    def tolerance(row: Row) -> tuple[float, float]:
        return mapping.tolerance.get(row.stat_name, declared.get(row.endpoint, (0.0, 0.0)))

    statistics = OurStatistics(rows, words)
    whole = side.ours_by_key
    pairs = paired(statistics, side.numbers, mapping, printed=printed_value, tolerance=tolerance, whole=whole)
    seen = tuple(p for p in pairs if p.row is None or not is_masked(p.row))
    forms = (mine.form, side.form)
    return Reconciliation(side_name(ours), side_name(theirs), forms, seen, None, len(pairs) - len(seen), left, facts)


def words_of(source: Source) -> OurWords:
    """What arms, parameters and subgroups of a study are called beside their names."""
    study = source.study
    parameters = {e.name: tuple(w for w in (e.paramcd, e.title) if w) for e in study.endpoints.values()}
    subgroups = {s.name: tuple(w for w in (s.label,) if w) for s in study.subgroups}
    return OurWords({arm: (label,) for arm, label in study.arms.labels.items()}, parameters, subgroups)


def _states(path: Path, mapping: ResultMapping) -> bool:
    if not path.exists():
        raise UsageError("there is no such file or folder", where=str(path))
    return path.is_file() and states_results(path, mapping)


def _file_rows(side: StatedSide, path: Path) -> list[Row]:
    rows = [n.row for n in side.numbers if n.row is not None]
    if not rows:
        what = "ours is no results of alsbench"
        raise UsageError(what, where=str(path), hint="name a workspace, or what alsbench endpoint -o FILE.json wrote")
    return rows


def printed_value(stat_name: str, value: float | int | str | None) -> SaidValue:
    """A value of ours with the decimals that it is printed with."""
    if isinstance(value, str) or value is None:
        return SaidValue(value)
    shown = said_number(format_stat(stat_name, value))
    return SaidValue(value, None if shown is None else shown.decimals)


# ---- what a workspace is asked


def _asked(
    access: Access,
    source: Source,
    side: StatedSide,
    mapping: ResultMapping,
    endpoints: Sequence[str],
    subgroups: Sequence[str],
    k: int,
    command: str,
) -> tuple[list[Result], tuple[str, ...]]:
    """The answers beside which theirs is put, each entered in the log; and what could not be answered."""
    results, left = [], []
    asked = list(dict.fromkeys(_questions(source, side, mapping, endpoints, subgroups)))
    for question in access.steps(asked, len(asked), "reconciling"):
        try:
            result = mask_answer(cached_answer(question, source), question, source, k)
        except AlsbenchError as fault:
            left.append(f"{question.endpoint}: {fault.what}")
            continue
        log_look(access, result.with_command(command), source.study)
        results.append(result)
    return results, tuple(left)


def _questions(
    source: Source, side: StatedSide, mapping: ResultMapping, endpoints: Sequence[str], subgroups: Sequence[str]
) -> Iterator[Question]:
    if side.questions and all("options" in q for q in side.questions):
        yield from (_own_question(q) for q in side.questions)
        return
    if side.ours_by_key:
        yield from _row_questions(side.numbers)
        return
    targets = [dict((*mapping.default.items(), *c.target)) for c in mapping.cells] or [dict(mapping.default)]
    named = dict.fromkeys(t["endpoint"] for t in targets if "endpoint" in t)
    phrases = dict.fromkeys(t["subgroup"] for t in targets if "subgroup" in t)
    wanted = endpoints or list(named) or list(source.study.endpoints)
    for name in wanted:
        yield Question(endpoint=source.endpoint(name).name, subgroups=tuple(subgroups or phrases or (OVERALL,)))


def _own_question(values: Mapping[str, Any]) -> Question:
    """The question that a file of ours answers; subject rows are not asked again."""
    known = {k: v for k, v in values.items() if k in Question.__dataclass_fields__}
    if isinstance(known.get("visits"), list):
        known["visits"] = [float(v) for v in known["visits"]]
    try:
        return replace(Question.from_dict(known), subjects=False)
    except (TypeError, ValueError, AttributeError) as fault:
        raise UsageError("the question of these results cannot be asked again", why=str(fault)) from fault


def _row_questions(numbers: Sequence[StatedNumber]) -> Iterator[Question]:
    """One question an endpoint, method and population: rows of a CSV do not say more."""
    groups: dict[tuple[str, str, str], dict[str, None]] = {}
    for number in numbers:
        if (row := number.row) is not None:
            groups.setdefault((row.endpoint, row.population, row.method), {})[row.subgroup] = None
    for (endpoint, population, method), phrases in groups.items():
        yield Question(endpoint=endpoint, subgroups=tuple(phrases), population=population, method=method)


# ---- data, and drafts


def _data(
    access: Access,
    ours: Path,
    theirs: Path,
    mapping: ResultMapping,
    records: int,
    mask: int,
    why: bool,
    budget: int,
    command: str,
) -> Reconciliation:
    for side in (ours, theirs):  # either workspace may have a mask of its own
        (replace(access, path=side) if is_workspace(side) else access).refuse_mask(
            mask, "the single records by which two deliveries differ"
        )
    _refuse_other_arms(ours, theirs)
    with data_side(ours) as mine, data_side(theirs, mine) as other, access.watch() as show:
        if not mine.tables.keys() & other.tables.keys():
            raise UsageError(
                "no table is on both sides",
                where=str(theirs),
                why=f"ours has {', '.join(mine.tables)}; theirs {', '.join(other.tables)}",
                hint="a file is the table of its name: adqs.csv is ADQS",
            )
        found = compare(mine, other, shown=records, progress=show, tolerances=mapping.data_tolerances())
        if access.placed and not found.same:  # single records of the workspace are shown
            log_shown(access, "data", {"asked": command, "snapshot": (mine if is_workspace(ours) else other).digest})
        reasons = _records(access, other, budget, command) if why and is_workspace(ours) and not found.good else None
    if theirs.is_file():  # one data set is compared with its own table
        found = replace(found, tables=tuple(t for t in found.tables if t.state != "removed"))
    found = replace(found, old=side_name(ours), new=side_name(theirs))
    return Reconciliation(side_name(ours), side_name(theirs), ("data", "data"), data=found, why=reasons)


def _refuse_other_arms(ours: Path, theirs: Path) -> None:
    """Raises UsageError where a blinded workspace would stand beside data that were not blinded with its key: the columns of
    the arms differ subject by subject, and the classes of a difference say which dummy arm is which."""
    seals = {path: Workspace(path).blinded() if is_workspace(path) else "" for path in (ours, theirs)}
    if len(set(seals.values())) == 1:
        return
    other = next((path for path, seal in seals.items() if not seal), theirs)
    raise UsageError(
        "data of a blinded workspace are compared only with data that were blinded with the same key",
        where=str(other),
        why="beside other data every subject's arm would show",
        hint="the holder of the key loads them into a workspace of their own: alsbench load --blinded --key FILE; compare that",
    )


def _refuse_naming_arms(ours: Path, theirs: Path) -> None:
    """Raises UsageError where another program's numbers would be sought in, or held against, a blinded workspace: a number that
    agrees under a dummy arm tells which arm of theirs it is. Results of alsbench name the dummies themselves."""
    if is_workspace(ours) and Workspace(ours).blinded():
        raise UsageError(
            "another program's numbers do not stand beside a blinded workspace",
            where=str(theirs),
            why="those that agree would tell which dummy arm is which",
            hint="reconcile after alsbench unblind --key FILE --reason TEXT",
        )


def _refuse_unread(side: StatedSide, mapping: ResultMapping, named: Path | None) -> None:
    """Raises UsageError for parts of a mapping that this form of theirs leaves unread."""
    said = {
        "default": mapping.default,
        "words": mapping.words,
        "columns": mapping.columns,
        "values": mapping.values,
        "cell": mapping.cells,
    }
    if side.ours_by_key:
        read: tuple[str, ...] = ()
    elif side.tables:
        read = ("default", "words", "cell")
    elif mapping.columns or mapping.values:
        read = ("default", "words", "columns", "values")
    else:
        read = ("default", "words")
    unread = [name for name, content in said.items() if content and name not in read]
    if unread:
        raise UsageError(
            f"{side.form}: nothing of [{'], ['.join(unread)}] is read",
            where="" if named is None else str(named),
            hint=f"leave it out; read are: {', '.join((*read, 'tolerance'))}",
        )


def _records(access: Access, other: Snapshot, budget: int, command: str) -> Sheet:
    """The records that account for the contrasts, in everybody, that differ between our data and theirs."""
    from alsbench.service.why_differ import changed_contrasts, record_reasons  # waits: scipy

    with access.opened() as source:
        study = source.study.model_copy(update={"subgroups": (), "multiplicity": None})
        mine = Source(study, source.snapshot, study_digest(study), source.results_dir, source.lock)
        changed = [c for piece in compare_results(mine, replace(mine, snapshot=other, results_dir=None)) for c in piece]
        differing = changed_contrasts(source, changed, decimals)
        for found in differing:
            log_look(access, cached_answer(found.question, source).with_command(command), source.study)
        return record_reasons(access, source, other, differing, budget=budget)


def _draft(
    access: Access,
    ours: Path,
    theirs: Path,
    mapping: ResultMapping,
    named: Path | None,
    endpoints: Sequence[str],
    subgroups: Sequence[str],
    mask: int,
) -> Output:
    """A mapping for the tables of theirs, as text whatever the form."""
    _refuse_naming_arms(ours, theirs)
    side = read_side(theirs, ResultMapping(), cells=True)
    if not side.tables:
        raise UsageError(f"{side.form} needs no mapping of cells", where=str(theirs), hint="leave out --propose")
    if _states(ours, mapping):
        rows, words = _file_rows(read_side(ours, mapping), ours), OurWords({}, {}, {})
    else:
        with access.opened() as source:
            k = access.mask(mask)
            command = access.repeat(_command(ours, theirs, named, endpoints, subgroups, proposed=True), k)
            results, _ = _asked(access, source, side, mapping, endpoints, subgroups, k, command)
            rows, words = [r for result in results for r in result.rows], words_of(source)
    proposal = propose(side.tables, OurStatistics([r for r in rows if not is_masked(r)], words), printed_value)
    if not proposal.cells:
        raise UsageError(
            "no number of these tables could be told to be one of ours",
            where=str(theirs),
            hint="name what they are about: --endpoint NAME --subgroup S",
        )
    access.note(f"{len(proposal.cells)} numbers proposed, {proposal.left} left: check the mapping before it is used")
    text = mapping_text(proposal, theirs.name)
    return Output(lambda _form: [text])


def _of_workspace(access: Access, ours: Path, theirs: Path) -> Access:
    """Access to the workspace that is a side; to none where neither is."""
    for path in (ours, theirs):
        if is_workspace(path):
            return replace(access, path=path, held=identify(path), placed=True, named=False)
    return replace(access, path=ours if ours.is_dir() else ours.parent, placed=False)


def _command(
    ours: Path,
    theirs: Path,
    mapping: Path | None,
    endpoints: Sequence[str] = (),
    subgroups: Sequence[str] = (),
    *,
    proposed: bool = False,
    records: int = LISTED,
    why: bool = False,
    budget: int = 0,
) -> str:
    """What asks the same again; which workspace is meant, a side says."""
    words = ["alsbench", "reconcile", str(ours), str(theirs)]
    words += ["--mapping", str(mapping)] if mapping is not None else []
    words += [w for e in endpoints for w in ("--endpoint", e)] + [w for s in subgroups for w in ("--subgroup", s)]
    words += ["--propose"] if proposed else []
    words += ["--records", str(records)] if records != LISTED else []
    words += ["--why", *(["--budget", str(budget)] if budget else [])] if why else []
    return shlex.join(words)
