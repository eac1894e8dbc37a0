"""``alsbench claims FILE``: published numbers beside those of the loaded data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
    from alsbench.study.model import Study


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

    Without data, or a workspace, whether they agree with each other. Exits 1 where a claim contradicts itself, another one or
    the data. CSV and TSV hold every number; the other formats all tables.
    """
    from alsbench import __version__
    from alsbench.cli.masking import limit
    from alsbench.cli.output import emit_page, emit_sheets
    from alsbench.render.claims import claims_sheets, numbers_sheet
    from alsbench.render.claims_page import claims_page

    path = file or common.workspace / "claims.toml"
    k = limit(common, mask)
    with opened_if_loaded(common) as source:
        study = source.study if source is not None else _study(common)
        checked, facts, notes = checked_claims(common, source, path, claim or (), k, scrutinise=scrutinise, study=study)
    of = f", study {source.study_digest[:12]}" if source is not None else ""
    made = checked, facts, (*notes, f"alsbench {__version__}{of}")
    if common.format in (Format.CSV, Format.TSV):
        emit_sheets(common, numbers_sheet(*made))
    elif common.format is Format.JSON:
        emit_sheets(common, *claims_sheets(*made))
    else:
        emit_page(common, claims_page(*made))
    return 1 if any(c.refuted for c in checked) else 0


@contextmanager
def opened_if_loaded(common: Common) -> Iterator[Source | None]:
    """The study and current snapshot of the workspace; None where no data have been loaded there, and that is said."""
    from alsbench.cli.source import opened
    from alsbench.data.workspace import Workspace

    if Workspace(common.workspace).current_name() is None:
        common.note(f"no data are loaded in {common.workspace}: only whether the claims agree with each other")
        yield None
        return
    with opened(common) as source:
        yield source


def _study(common: Common) -> Study | None:
    """The study file of a workspace without data, if there is one. Raises StudyError."""
    from alsbench.data.workspace import Workspace

    space = Workspace(common.workspace)
    return space.read_study() if space.study_path.exists() else None


def checked_claims(
    common: Common,
    source: Source | None,
    path: Path,
    names: Sequence[str],
    k: int,
    *,
    scrutinise: bool,
    study: Study | None = None,
) -> tuple[list[Checked], tuple[tuple[str, str], ...], tuple[str, ...]]:
    """The claims of a file (``names``: of these only) compared with the data and entered in the log, with the facts and
    notes that belong above and below their tables. Without a ``source`` they are compared with each other only."""
    import hashlib

    from alsbench.analysis.cache import cached_answer
    from alsbench.analysis.claims import check_claim, checks_of, scrutinised, together
    from alsbench.cli.masking import mask_answer
    from alsbench.cli.progress import steps
    from alsbench.cli.source import about, study_words
    from alsbench.cli.trail import looked, record
    from alsbench.errors import UnavailableError
    from alsbench.render.claims import standing_notes
    from alsbench.study.claims import read_claims

    def answer(question: Question) -> Result:
        if source is None:
            raise UnavailableError("no data have been loaded here")
        return mask_answer(cached_answer(question, source), question, source, k)

    def check(claim: Claim) -> Checked:
        found = check_claim(claim, source, beside, answer, study)
        if source is None:
            return found
        found = scrutinised(found, source, checks_of(claim, source)) if scrutinise else found
        for result in found.results:
            looked(common, result, source)
        return found

    every = read_claims(path)
    chosen = _chosen(every, names, path)
    beside = together(every, source, study)
    checked = list(steps(common, map(check, chosen), len(chosen), "claims"))
    told = about(source) if source is not None else (*study_words(common.workspace), ("Snapshot", "no data loaded"))
    facts = (*told, ("Claims", path.name))
    if source is not None or study is not None:  # a directory that is no workspace gets no log
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
