"""The front page of a report, and its ledger: what the reader must know before the first table. No clock, no paths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from alsbench.cli.common import Common

if TYPE_CHECKING:
    from alsbench.analysis.source import Source
    from alsbench.cli.report import Asked
    from alsbench.render.sheet import Sheet

LIBRARIES = ("numpy", "scipy", "duckdb")
Facts = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Front:
    """The title, what stands under it, the statements in the box, and the line on every page."""

    title: str
    facts: Facts
    statements: tuple[str, ...]
    running: str


def front(asked: Asked, command: str) -> Front:
    """What is reported, of which data, under which plan, by which program."""
    from alsbench.render.standing import log_mark

    source = asked.source
    info = source.study.info
    marks = [
        *([log_mark(source.log.text)] if source.log.words else []),
        *(["BLINDED"] if source.blinded else []),
        *(["SYNTHETIC DATA"] if info.synthetic else []),
    ]
    facts: Facts = (
        ("Study", info.id),
        ("Data cut", source.snapshot.data_cut or "not given"),
        ("Snapshot", source.snapshot.name),
        ("Data SHA-256", source.snapshot.digest),
        ("Study SHA-256", source.study_digest),
        ("Plan", _plan(source)),
        *((("Audit log", source.log.text),) if source.log.words else ()),
        *(("Populations", text) for text in _populations(asked)),
        *(("Comparisons", text) for text in _comparisons(source)),
        *(("Subgroups", text) for text in _subgroups(asked)),
        *(("Not reported", text) for text in asked.missing),
        ("Made by", _versions()),
        ("Repeated by", command),
    )
    title = f"{info.title or info.id}: report"
    running = " · ".join([info.id, *marks, f"snapshot {source.snapshot.digest[:12]}", f"study {source.study_digest[:12]}"])
    return Front(asked.marked(title), facts, tuple(_statements(asked)), running)


def _statements(asked: Asked) -> list[str]:
    source = asked.source
    said = []
    if source.log.words:
        said.append(f"{source.log.text[:1].upper()}{source.log.text[1:]}.")
    if source.study.info.synthetic:
        said.append("SYNTHETIC DATA: no real patient stands behind these numbers.")
    if source.blinded:
        said.append("BLINDED: the arms are dummies, and so is every comparison of them.")
    deviations = max((len(r.provenance.deviations) for r in asked.results), default=0)
    if deviations:
        said.append("Deviation from the locked plan: the tables that depart from it say so, and one lists every departure.")
    if any(r.provenance.post_hoc for r in asked.results):
        said.append("Post hoc: tables marked so show subgroups that were not pre-specified. They suggest; they do not confirm.")
    if source.lock is None:
        said.append("No plan is locked: what is called pre-specified rests on the study file alone.")
    if asked.k:
        said.append(f"Masked: counts below {asked.k}, what rests on them, and what would tell them.")
    return said


def _plan(source: Source) -> str:
    lock = source.lock
    return "not locked" if lock is None else "; ".join(t for t in (lock.words(), lock.note, lock.doubt) if t)


def _populations(asked: Asked) -> list[str]:
    """Subjects of all arms in each analysis set, masked as in the disposition table."""
    from alsbench.service.arms import arms_sheet

    sheet = arms_sheet(asked.source, "overall", asked.k)
    total = dict(zip((f.key for f in sheet.fields), sheet.records[-1], strict=True))
    flags = asked.source.study.populations.flags
    return [f"randomised: {total['randomised']}", *(f"{name} ({flag} = 'Y'): {total[name]}" for name, flag in flags.items())]


def _comparisons(source: Source) -> list[str]:
    unit = source.study.visits.unit
    return [
        f"{c.treatment} vs {c.reference}"
        + (f", {unit} {c.horizon:g}" if c.horizon is not None else "")
        + (", primary" if c.primary else "")
        for c in source.study.comparisons
    ]


def _subgroups(asked: Asked) -> list[str]:
    """Definition, realised cuts and standing of every subgroup in the report; how many they are stands in the tables."""
    from alsbench.analysis.subgroups import members

    names = dict.fromkeys([*(s.name for s in asked.source.study.subgroups), *asked.subgroups])
    return [members(asked.source, phrase).words() for phrase in names]


def _versions() -> str:
    import platform
    from importlib.metadata import version

    from alsbench.version import __version__

    return ", ".join(
        [f"alsbench {__version__}", f"Python {platform.python_version()}", *(f"{n} {version(n)}" for n in LIBRARIES)]
    )


def ledger_sheet(common: Common) -> Sheet:
    """Distinct questions and contrasts that anybody has seen, by endpoint, method and subgroup. Counts of looks, names and
    times stay in `alsbench audit looks`: they change with every reading, what was tested does not."""
    from alsbench.audit.log import looks, verify
    from alsbench.audit.looks import contrasts_seen
    from alsbench.data.workspace import Workspace
    from alsbench.render.sheet import Field, Sheet

    path = Workspace(common.workspace).audit_path
    questions, tests, verdict = looks(path), contrasts_seen(path), verify(path)
    families: dict[str, list[bool]] = {}
    for test in tests:
        families.setdefault(test.contrast.split(": ", 1)[0], []).append(test.post_hoc)
    fields = (
        Field("family", "Endpoint [method] subgroup"),
        Field("contrasts", "Contrasts with a p-value", number=True),
        Field("post_hoc", "Post hoc"),
    )
    facts = (
        ("Distinct questions", f"{len(questions)}, of them post hoc {sum(q.post_hoc for q in questions)}"),
        ("Distinct contrasts", f"{len(tests)} with a p-value, at every visit, comparison and interaction"),
        ("By chance alone", f"about {0.05 * len(tests):.1f} of them below 0.05 if nothing were there"),
        ("Audit log", "; ".join(verdict.words()) or "chain intact"),
    )
    records = tuple((family, len(found), any(found)) for family, found in families.items())
    return Sheet("ledger", "Multiplicity ledger", fields, records, facts)
