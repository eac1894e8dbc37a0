"""Behind this number: the question, the model, warnings, and the subject records that made it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from alsbench.analysis.result import Result, Row
from alsbench.errors import AlsbenchError
from alsbench.render.formats import format_number
from alsbench.tui.safetext import fit, safe

if TYPE_CHECKING:
    from alsbench.tui.app import Workbench

COLUMNS = ("BASE", "AVAL", "CHG")


def behind(bench: Workbench, rows: tuple[Row, ...], result: Result) -> None:
    """Open what is known about the statistics of a cell."""
    look, ascii = bench.look, not bench.look.glyphs.dots
    width = max(bench.size.width, 40)
    lines: list[Text] = []
    for row in rows:
        value = "not estimable" if row.stat is None else repr(row.stat) if isinstance(row.stat, float) else str(row.stat)
        lines.append(Text.assemble((f"{row.stat_name:<18}", look["dim"]), (value, look["bold"])))
        for text in (row.warning, row.error):
            if text:
                lines.append(Text(f"{'':<18}{safe(text, ascii=ascii)}", look["warn"]))
    lines.append(Text())
    facts = [("title", result.facts.title), *result.facts.lines]
    first = rows[0] if rows else None
    if first is not None:
        about = [first.arm or "", f"{first.treatment} vs {first.reference}" if first.treatment else "", first.visit or ""]
        facts.insert(0, ("about", ", ".join(t for t in (first.subgroup, *about) if t)))
    for name, value in facts:
        room = max(width - 20, 20)
        text = safe(value, ascii=ascii)
        for k in range(0, max(len(text), 1), room):
            lines.append(Text.assemble((fit(name if not k else "", 18), look["dim"]), (text[k : k + room], look["text"])))
    lines += [Text(f"! {safe(w, ascii=ascii)}", look["warn"]) for w in result.warnings]
    lines += [Text(safe(a, ascii=ascii), look["dim"]) for a in result.facts.attempts]
    lines.append(Text.assemble((fit("command", 18), look["dim"]), (safe(result.provenance.command, ascii=ascii), look["text"])))
    lines.append(Text.assemble((fit("snapshot", 18), look["dim"]), (result.provenance.snapshot[:16], look["text"])))
    if first is not None:
        lines += [Text(), *subject_lines(bench, first)]
    bench.read("Behind this number", lines)


def subject_lines(bench: Workbench, row: Row) -> list[Text]:
    """The records of the endpoint at the row's visit, for the members of its subgroup and arms."""
    look, source = bench.look, bench.ready.source
    study = source.study
    endpoint = study.endpoints[row.endpoint]
    if endpoint.method == "joint_rank":
        return rank_lines(bench, row)
    dataset = endpoint.dataset.upper()
    if dataset not in source.snapshot.tables:
        return []
    from alsbench.analysis.subgroups import members

    mask = members(source, row.subgroup, row.population).mask
    arms = {row.arm} if row.arm else {row.treatment, row.reference}
    info = source.snapshot.tables[dataset]
    subject = study.info.subject
    wanted = [c for c in (subject, "PARAMCD", study.visits.number, *COLUMNS, "CNSR", "AEDECOD") if c in info]
    frame = source.snapshot.frame(dataset, wanted, order_by=(subject,))
    index = source.subject_index
    order = study.arms.order
    lines: list[Text] = []
    shown = [c for c in wanted if c not in {subject, "PARAMCD"}]
    for k in range(len(frame)):
        at = index.get(str(frame[subject][k]))
        if at is None or not mask[at] or source.planned_arm[at] < 0 or order[source.planned_arm[at]] not in arms:
            continue
        if endpoint.paramcd and "PARAMCD" in frame and frame["PARAMCD"][k] != endpoint.paramcd:
            continue
        if row.visit_number is not None and study.visits.number in frame and frame[study.visits.number][k] != row.visit_number:
            continue
        values = [_value(frame[c][k]) for c in shown]
        text = f"{fit(safe(frame[subject][k]), 18)} {fit(safe(order[source.planned_arm[at]]), 12)}"
        lines.append(Text(text + "".join(f"{v:>10}" for v in values), look["text"]))
    head = f"{fit(subject, 18)} {fit('arm', 12)}" + "".join(f"{c[:9]:>10}" for c in shown)
    return [Text(f"{len(lines)} records of {dataset} {endpoint.paramcd}", look["bold"]), Text(head, look["head"]), *lines]


def rank_lines(bench: Workbench, row: Row) -> list[Text]:
    """Score and rank of every subject of a joint rank, from the same question asked with subjects."""
    from alsbench.analysis.question import Question
    from alsbench.analysis.run import answer

    look = bench.look
    comparison = next((c for c in bench.ready.source.study.comparisons if c.treatment == (row.treatment or row.arm)), None)
    names = (comparison.name,) if comparison is not None else ()
    visits = () if row.visit_number is None else (row.visit_number,)
    question = Question(
        row.endpoint, (row.subgroup,), comparisons=names, visits=visits, population=row.population, subjects=True
    )
    try:
        result = answer(question, bench.ready.source)
    except AlsbenchError as error:
        return [Text(safe(error.what), look["warn"])]
    found: dict[str, dict[str, Row]] = {}
    for each in result.select(context="subject"):
        found.setdefault(each.level or "", {})[each.stat_name] = each
    ranked = sorted(found.items(), key=lambda item: -item[1]["rank"].number() if "rank" in item[1] else 0.0)
    lines = [
        Text(f"{len(ranked)} subjects, best first", look["bold"]),
        Text(f"{'subject':<20}{'arm':<14}{'score':>8}{'rank':>8}", look["head"]),
    ]
    for name, stats in ranked:
        arm = next(iter(stats.values())).arm or ""
        values = [format_number(stats[k].number(), 1) if k in stats else "" for k in ("score", "rank")]
        lines.append(Text(f"{fit(safe(name), 19)} {fit(safe(arm), 13)} {values[0]:>8}{values[1]:>8}", look["text"]))
    return lines


def _value(value: object) -> str:
    if value is None or value != value:
        return ""
    return format_number(float(value), 3) if isinstance(value, float) else safe(value)
