"""Published numbers compared with the data, and entered in the log."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from alsbench.service.access import Access

if TYPE_CHECKING:
    from alsbench.analysis.claims import Checked
    from alsbench.analysis.question import Question
    from alsbench.analysis.result import Result
    from alsbench.analysis.source import Source
    from alsbench.study.claims import Claim
    from alsbench.study.model import Study


def checked_claims(
    access: Access,
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

    from alsbench.analysis.claims import check_claim, checks_of, scrutinised, together
    from alsbench.analysis.kept import cached_answer
    from alsbench.errors import UnavailableError
    from alsbench.render.claims import standing_notes
    from alsbench.service.about import about, study_words
    from alsbench.service.masks import mask_answer
    from alsbench.service.trail import looked, record
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
            looked(access, result, source)
        return found

    every = read_claims(path)
    chosen = _chosen(every, names, path)
    beside = together(every, source, study)
    checked = list(access.steps(map(check, chosen), len(chosen), "claims"))
    told = about(source) if source is not None else (*study_words(access.path), ("Snapshot", "no data loaded"))
    facts = (*told, ("Claims", path.name))
    if source is not None or study is not None:  # a directory that is no workspace gets no log
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        record(access, "claims", {"file": path.name, "sha256": digest, "claims": [c.name for c in chosen]})
    return checked, facts, standing_notes(checked)


def _chosen(all_claims: tuple[Claim, ...], names: Sequence[str], path: Path) -> list[Claim]:
    from alsbench.errors import UsageError
    from alsbench.study.names import nearest

    known = {c.name: c for c in all_claims}
    for name in names:
        if name not in known:
            raise UsageError(f"no claim is named {name}", where=str(path), hint=nearest(name, list(known)))
    return [known[n] for n in names] if names else list(all_claims)
