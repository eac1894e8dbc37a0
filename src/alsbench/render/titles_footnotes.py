"""What lets a table stand alone, whatever its format: title with its marks, facts above, footnotes below.

The title says "Post hoc", "Deviation from the locked plan", "BLINDED", "SYNTHETIC DATA" and what the audit log is not where
they apply; the facts name population, subgroup, model and source; the footnotes give the failed fits, the warnings and the
version.
"""

from __future__ import annotations

from collections.abc import Collection

from alsbench.analysis.result import Provenance, Result
from alsbench.study import NOT_VERIFIED, SYNTHETIC

POST_HOC = "Post hoc"
DEVIATION = "Deviation from the locked plan"
BLINDED = "BLINDED"
LOG_BROKEN, LOG_EXPLAINED = "AUDIT LOG DOES NOT VERIFY", "AUDIT LOG BROKEN, EXPLAINED"
LOG_FACT = "Audit log"
CI = "(95% CI)"


def marked_title(title: str, provenance: Provenance) -> str:
    """The title with "Post hoc" and "SYNTHETIC DATA" where they apply and do not stand there yet."""
    parts = [title]
    if provenance.post_hoc and POST_HOC.lower() not in title.lower():
        parts.append(POST_HOC)
    if provenance.deviations:
        parts.append(DEVIATION)
    if provenance.blinded:
        parts.append(BLINDED)
    if provenance.synthetic and "synthetic" not in title.lower():
        parts.append(SYNTHETIC)
    if provenance.audit_log:
        parts.append(log_mark(provenance.audit_log))
    return " · ".join(parts)


def log_mark(words: str) -> str:
    """The mark of a title for what is said of the audit log."""
    return LOG_BROKEN if words.startswith(NOT_VERIFIED) else LOG_EXPLAINED


def page_facts(result: Result) -> tuple[tuple[str, str], ...]:
    p = result.provenance
    source = [", ".join(p.sources)] if p.sources else []
    if p.data_cut:
        source.append(f"data cut {p.data_cut}")
    source.append(f"snapshot {p.snapshot[:12]}")
    known = {name.lower() for name, _ in result.facts.lines}
    study = (("Study", p.study_id),) if p.study_id else ()
    return (*study, *result.facts.lines, *(() if "source" in known else (("Source", "; ".join(source)),)))


def page_footnotes(result: Result, *, told: Collection[str] = ()) -> tuple[str, ...]:
    """Failed fits, warnings but for those the page has ``told`` already, and versions."""
    attempts = result.facts.attempts if len(result.facts.attempts) > 1 else ()
    return (
        *result.facts.footnotes,
        *(f"Fit tried: {a}" for a in attempts),
        *(f"Warning: {w}" for w in result.warnings if w not in told),
        f"alsbench {result.provenance.engine}, study {result.provenance.study[:12]}",
    )
