"""Opening a workspace for the app: the source, what there is to choose from, and where a session starts.

Runs in a worker after the first paint, which is when the app imports it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from alsbench.analysis.methods import evidence_endpoints
from alsbench.analysis.source import Source, open_source
from alsbench.audit.log import check_writable
from alsbench.data.sql import quote
from alsbench.data.workspace import Workspace
from alsbench.service.access import Access, compute_of
from alsbench.settings import read_settings
from alsbench.study.model import Study
from alsbench.tui.actions import Open
from alsbench.tui.session import Catalogue, CatalogueItem


@dataclass(frozen=True)
class OpenedWorkspace:
    """A workspace ready to be asked."""

    path: Path
    source: Source
    catalogue: Catalogue
    start: Open

    @property
    def access(self) -> Access:
        """The workspace as the service is asked of it, under the mask of the settings and of the study as it was opened."""
        own = max(read_settings().mask, self.source.study.info.mask)
        shown = {"format": "screen"}
        return Access(self.path, own_mask=own, held=self.source.held, destination=shown, compute=self.source.compute)

    @property
    def newer_data(self) -> bool:
        """Whether another snapshot was published since."""
        return not self.source.snapshot.is_current(Workspace(self.path))


def open_workspace(workspace: Path, *, audit: bool = False) -> OpenedWorkspace:
    """Read the study, open the current snapshot. Raises AlsbenchError as the shell would; with ``audit`` also where looks
    cannot be entered in the log."""
    if audit:
        check_writable(workspace / "audit.jsonl")
    compute, local = compute_of(read_settings())
    source = Access(workspace, compute=compute, local=local).computed(open_source(workspace, compute))
    known = catalogue(source)
    return OpenedWorkspace(workspace, source, known, first_action(source.study, known, source.snapshot.digest))


def catalogue(source: Source) -> Catalogue:
    """Names and titles of everything that can be chosen."""
    study, reference = source.study, source.study.arms.reference
    return Catalogue(
        endpoints=tuple(CatalogueItem(e.name, e.title or e.name, e.method) for e in evidence_endpoints(source)),
        comparisons=tuple(
            CatalogueItem(c.name or c.treatment, f"{c.treatment} vs {c.reference or reference}", horizon(study, c.horizon))
            for c in study.comparisons
        ),
        populations=tuple(CatalogueItem(name, name, flag) for name, flag in study.populations.flags.items()),
        subgroups=tuple(CatalogueItem(s.name, s.label or s.name, s.status) for s in study.subgroups),
        arms=tuple(CatalogueItem(a, a, study.arms.labels.get(a, "")) for a in study.arms.order),
        tables=tuple(CatalogueItem(name, name, info.label or "") for name, info in source.snapshot.tables.items()),
        visits=tuple((name, analysed_visits(source, name)) for name in study.endpoints),
    )


def horizon(study: Study, value: float | None) -> str:
    """``M6``: a horizon in visit units; empty for none."""
    return "" if value is None else f"{study.visits.unit[0].upper()}{value:g}"


def first_action(study: Study, known: Catalogue, digest: str) -> Open:
    """Where a session on this study starts: its default population, first subgroup, first endpoint, first comparison."""
    return Open(
        study=study.info.id,
        snapshot=digest,
        population=study.populations.default,
        subgroups=tuple(s.name for s in study.subgroups[:1]),
        endpoint=known.endpoints[0].name if known.endpoints else "",
        comparison=known.comparisons[0].name if known.comparisons else "",
    )


def analysed_visits(source: Source, name: str) -> tuple[float, ...]:
    """Post-baseline visits of an endpoint, or of the function a joint rank compares; empty where it has none."""
    endpoint = source.study.endpoints[name]
    if endpoint.visits:
        return endpoint.visits
    endpoint = source.study.endpoints.get(endpoint.function, endpoint)
    info = source.snapshot.tables.get(endpoint.dataset.upper())
    number = source.study.visits.number
    if info is None or number not in info or endpoint.method in {"time_to_event", "incidence", "baseline"}:
        return ()
    sql = f"SELECT DISTINCT {quote(number)} FROM {quote(info.name)} WHERE {quote(number)} > ?"
    params: list[object] = [float(source.study.visits.baseline)]
    if endpoint.paramcd and "PARAMCD" in info:
        sql += ' AND "PARAMCD" = ?'
        params.append(endpoint.paramcd)
    return tuple(sorted(float(value) for (value,) in source.snapshot.rows(sql, params)))
