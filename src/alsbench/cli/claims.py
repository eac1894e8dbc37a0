"""``alsbench claims FILE``: published numbers beside those of the loaded data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alsbench.cli.common import Common, Format, command
from alsbench.cli.masking import MaskOption

if TYPE_CHECKING:
    from alsbench.analysis.claims import SizeRange
    from alsbench.analysis.question import Question
    from alsbench.analysis.result import Result
    from alsbench.analysis.source import Source
    from alsbench.render.claims import Checked
    from alsbench.study.claims import Claim


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "claims", short_help="Check published numbers: coherent, reproduced?")(claims)


def claims(
    common: Common,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="The claims. Default: claims.toml of the workspace.", show_default=False),
    ] = None,
    claim: Annotated[
        list[str] | None, typer.Option("--claim", metavar="NAME", help="Only this claim; repeats. Default: all.")
    ] = None,
    scrutinise: Annotated[
        bool, typer.Option("--scrutinise", help="Also whether each survives the checks of `alsbench scrutinise`.")
    ] = False,
    mask: MaskOption = 0,
) -> int:
    """Check published numbers: do they agree with each other, with the data, and (asked for) with scrutiny?

    Exits 1 where a claim contradicts itself or the data. CSV and TSV hold every number; the other formats all tables.
    """
    from alsbench.cli.masking import limit
    from alsbench.cli.output import emit_sheets
    from alsbench.cli.source import opened
    from alsbench.render.claims import claims_sheets, numbers_sheet

    path = file or common.workspace / "claims.toml"
    k = limit(common, mask)
    with opened(common) as source:
        made = checked_claims(common, source, path, claim or (), k, scrutinise=scrutinise)
    if common.format in (Format.CSV, Format.TSV):
        emit_sheets(common, numbers_sheet(*made))
    else:
        emit_sheets(common, *claims_sheets(*made))
    return 1 if any(c.refuted for c in made[0]) else 0


def checked_claims(
    common: Common, source: Source, path: Path, names: Sequence[str], k: int, *, scrutinise: bool
) -> tuple[list[Checked], tuple[tuple[str, str], ...], tuple[str, ...]]:
    """The claims of a file (``names``: of these only) compared with the data and entered in the log, with the facts and
    notes that belong above and below their tables."""
    import hashlib

    from alsbench.cli.progress import steps
    from alsbench.cli.source import about
    from alsbench.cli.trail import record
    from alsbench.study.claims import read_claims

    chosen = _chosen(read_claims(path), names, path)
    sizes = _sizes(chosen, source)
    each = (_checked(common, c, source, sizes.get(c.name, ()), k, scrutinise=scrutinise) for c in chosen)
    checked = list(steps(common, each, len(chosen), "claims"))
    facts = (*about(source), ("Claims", path.name))
    notes = tuple(f"post hoc: {', '.join(p)}" for p in [dict.fromkeys(c.claim.subgroup for c in checked if c.post_hoc)] if p)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    record(common, "claims", {"file": path.name, "sha256": digest, "claims": [c.name for c in chosen]})
    return checked, facts, notes


def _chosen(all_claims: tuple[Claim, ...], names: Sequence[str], path: Path) -> list[Claim]:
    from alsbench.errors import UsageError
    from alsbench.study.names import nearest

    known = {c.name: c for c in all_claims}
    for name in names:
        if name not in known:
            raise UsageError(f"no claim is named {name}", where=str(path), hint=nearest(name, list(known)))
    return [known[n] for n in names] if names else list(all_claims)


def _checked(common: Common, claim: Claim, source: Source, sizes: Sequence[SizeRange], k: int, *, scrutinise: bool) -> Checked:
    from alsbench.analysis.cache import cached_answer
    from alsbench.analysis.claims import coherence, reproduce, survival
    from alsbench.analysis.claims.robust import checks_of
    from alsbench.cli.masking import mask_answer
    from alsbench.cli.trail import looked
    from alsbench.render.claims import Checked

    def answer(question: Question) -> Result:
        return mask_answer(cached_answer(question, source), question, source, k)

    numbers, result = reproduce(claim, source, answer)
    survived = None
    if result is not None:
        looked(common, result, source)
        if scrutinise:
            found = list(checks_of(claim, source))
            for _, each in found:
                looked(common, each, source)
            survived = tuple(survival(claim, source, found))
    endpoint = source.study.endpoints.get(claim.endpoint)
    rank = (claim.method or (endpoint.method if endpoint else "")) == "joint_rank"
    parts = [endpoint.title if endpoint else claim.endpoint, claim.subgroup, claim.comparison]
    parts += [f"visit {claim.visit}"] if claim.visit is not None else []
    return Checked(
        claim,
        ", ".join(parts),
        result is not None and result.provenance.post_hoc,
        numbers,
        coherence(claim, rank=rank),
        sizes if rank else (),
        survived,
    )


def _sizes(chosen: Sequence[Claim], source: Source) -> dict[str, list[SizeRange]]:
    """What the mean ranks of each subgroup imply, by the names of the claims that were used for it."""
    from alsbench.analysis.claims import implied_sizes
    from alsbench.analysis.subgroups import counts_by_arm
    from alsbench.errors import AlsbenchError

    groups: dict[tuple[str, str, str], list[tuple[Claim, str, str]]] = {}
    for claim in chosen:
        endpoint = source.study.endpoints.get(claim.endpoint)
        if endpoint is None or (claim.method or endpoint.method) != "joint_rank":
            continue
        try:
            comparison = source.comparisons((claim.comparison,))[0]
        except AlsbenchError:  # said where the claim's numbers are compared
            continue
        key = (claim.endpoint, claim.subgroup, claim.population)
        groups.setdefault(key, []).append((claim, comparison.treatment, comparison.reference))
    found: dict[str, list[SizeRange]] = {}
    for (_, _, population), members in groups.items():
        arms = counts_by_arm(source, source.population(population))
        sizes = implied_sizes(members, arms)
        for name in sizes.claims if sizes is not None else ():
            found.setdefault(name, []).append(sizes)  # type: ignore[arg-type]
    return found
