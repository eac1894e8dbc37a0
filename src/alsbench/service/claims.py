"""Published numbers compared with each other and with the data, and entered in the log."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from alsbench.analysis.claims.checked import Checked, check_claim, checks_of, scrutinised, together
from alsbench.analysis.kept import cached_answer
from alsbench.data.workspace import Workspace
from alsbench.errors import UnavailableError, UsageError
from alsbench.render.claims import claims_page, claims_sheets, numbers_sheet, post_hoc_notes
from alsbench.service.access import Access
from alsbench.service.masks import mask_answer
from alsbench.service.output import Facts, Output, paged, sheets_output, source_facts, study_fact
from alsbench.service.trail import log_entry, log_look
from alsbench.study.claims import Claim, read_claims
from alsbench.study.names import nearest
from alsbench.version import __version__

if TYPE_CHECKING:
    from alsbench.analysis.question import Question
    from alsbench.analysis.result import Result
    from alsbench.analysis.source import Source
    from alsbench.study.model import Study


def claims(
    access: Access,
    file: Path | None = None,
    *,
    names: Sequence[str] = (),
    judge: bool = False,
    scrutinise: bool = False,
    mask: int = 0,
) -> Output:
    """Published numbers of a file (default: claims.toml of the workspace): do they agree with each other, with the data, and
    (asked for) with scrutiny? Without data, or a workspace, whether they agree with each other. A negative verdict is a claim
    that contradicts itself, another one or the data. CSV and TSV hold every number; the other forms all tables.

    Each claim's bottom line comes first: at once where its own p-values decide it, else with ``judge`` or ``scrutinise``."""
    path = file or access.path / "claims.toml"
    k = access.mask(mask)
    with _opened_if_loaded(access) as source:
        study = source.study if source is not None else _study(access)
        checked, facts, notes = checked_claims(access, source, path, names, k, scrutinise=scrutinise, judge=judge, study=study)
    of = f", study {source.study_digest[:12]}" if source is not None else ""
    made = checked, facts, (*notes, f"alsbench {__version__}{of}")
    numbers = sheets_output(access, numbers_sheet(*made))
    tables = sheets_output(access, *claims_sheets(*made))
    return paged(
        access,
        lambda: claims_page(*made),
        lambda form: "".join((tables if form == "json" else numbers).texts(form)),
        sheets=numbers.sheets,
        failed=any(c.refuted for c in checked),
    )


@contextmanager
def _opened_if_loaded(access: Access) -> Iterator[Source | None]:
    """The study and current snapshot of the workspace; None where no data have been loaded there, and that is said."""
    if Workspace(access.path).current_name() is None:
        access.note(f"no data are loaded in {access.path}: only whether the claims agree with each other")
        yield None
        return
    with access.opened() as source:
        yield source


def _study(access: Access) -> Study | None:
    """The study file of a workspace without data, if there is one. Raises StudyError."""
    space = Workspace(access.path)
    return space.read_study() if space.study_path.exists() else None


def checked_claims(
    access: Access,
    source: Source | None,
    path: Path,
    names: Sequence[str],
    k: int,
    *,
    scrutinise: bool,
    judge: bool = False,
    study: Study | None = None,
) -> tuple[list[Checked], Facts, tuple[str, ...]]:
    """The claims of a file (``names``: of these only) compared with the data and entered in the log, with the facts and
    notes that belong above and below their tables. Without a ``source`` they are compared with each other only."""

    def answer(question: Question) -> Result:
        if source is None:
            raise UnavailableError("no data have been loaded here")
        return mask_answer(cached_answer(question, source), question, source, k)

    def check(claim: Claim) -> Checked:
        found = check_claim(claim, source, beside, answer, study, judge=judge or scrutinise)
        if source is None:
            return found
        found = scrutinised(found, source, checks_of(claim, source)) if scrutinise else found
        for result in found.results:
            log_look(access, result, source.study)
        return found

    every = read_claims(path)
    chosen = _chosen(every, names, path)
    beside = together(every, source, study)
    checked = list(access.steps(map(check, chosen), len(chosen), "claims"))
    told = source_facts(source) if source is not None else (*study_fact(access), ("Snapshot", "no data loaded"))
    facts = (*told, ("Claims", path.name))
    if source is not None or study is not None:  # a directory that is no workspace gets no log
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        log_entry(access, "claims", {"file": path.name, "sha256": digest, "claims": [c.name for c in chosen]})
    return checked, facts, post_hoc_notes(checked)


def _chosen(all_claims: tuple[Claim, ...], names: Sequence[str], path: Path) -> list[Claim]:
    known = {c.name: c for c in all_claims}
    for name in names:
        if name not in known:
            raise UsageError(f"no claim is named {name}", where=str(path), hint=nearest(name, list(known)))
    return [known[n] for n in names] if names else list(all_claims)
