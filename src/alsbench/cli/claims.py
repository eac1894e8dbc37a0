"""``alsbench claims FILE``: published numbers beside those of the loaded data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alsbench.cli.common import Common, Format, command
from alsbench.cli.masking import MaskOption

if TYPE_CHECKING:
    from alsbench.analysis.claims import Checked
    from alsbench.analysis.question import Question
    from alsbench.analysis.result import Result
    from alsbench.analysis.source import Source
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
    from alsbench import __version__
    from alsbench.cli.masking import limit
    from alsbench.cli.output import emit_page, emit_sheets
    from alsbench.cli.source import opened
    from alsbench.render.claims import claims_sheets, numbers_sheet
    from alsbench.render.claims_page import claims_page

    path = file or common.workspace / "claims.toml"
    k = limit(common, mask)
    with opened(common) as source:
        made = checked_claims(common, source, path, claim or (), k, scrutinise=scrutinise)
    made = (made[0], made[1], (*made[2], f"alsbench {__version__}, study {source.study_digest[:12]}"))
    if common.format in (Format.CSV, Format.TSV):
        emit_sheets(common, numbers_sheet(*made))
    elif common.format is Format.JSON:
        emit_sheets(common, *claims_sheets(*made))
    else:
        emit_page(common, claims_page(*made))
    return 1 if any(c.refuted for c in made[0]) else 0


def checked_claims(
    common: Common, source: Source, path: Path, names: Sequence[str], k: int, *, scrutinise: bool
) -> tuple[list[Checked], tuple[tuple[str, str], ...], tuple[str, ...]]:
    """The claims of a file (``names``: of these only) compared with the data and entered in the log, with the facts and
    notes that belong above and below their tables."""
    import hashlib

    from alsbench.analysis.cache import cached_answer
    from alsbench.analysis.claims import check_claim, checks_of, scrutinised, sizes_by_claim
    from alsbench.cli.masking import mask_answer
    from alsbench.cli.progress import steps
    from alsbench.cli.source import about
    from alsbench.cli.trail import looked, record
    from alsbench.render.claims import standing_notes
    from alsbench.study.claims import read_claims

    def answer(question: Question) -> Result:
        return mask_answer(cached_answer(question, source), question, source, k)

    def check(claim: Claim) -> Checked:
        found = check_claim(claim, source, sizes.get(claim.name, ()), answer)
        found = scrutinised(found, source, checks_of(claim, source)) if scrutinise else found
        for result in found.results:
            looked(common, result, source)
        return found

    chosen = _chosen(read_claims(path), names, path)
    sizes = sizes_by_claim(chosen, source)
    checked = list(steps(common, map(check, chosen), len(chosen), "claims"))
    facts = (*about(source), ("Claims", path.name))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    record(common, "claims", {"file": path.name, "sha256": digest, "claims": [c.name for c in chosen]})
    return checked, facts, standing_notes(checked)


def _chosen(all_claims: tuple[Claim, ...], names: Sequence[str], path: Path) -> list[Claim]:
    from alsbench.errors import UsageError
    from alsbench.study.names import nearest

    known = {c.name: c for c in all_claims}
    for name in names:
        if name not in known:
            raise UsageError(f"no claim is named {name}", where=str(path), hint=nearest(name, list(known)))
    return [known[n] for n in names] if names else list(all_claims)
