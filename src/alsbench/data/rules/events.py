"""Adverse events: flags, severity, relatedness, action and outcome say something known on every record."""

from __future__ import annotations

from collections.abc import Iterator

from alsbench.data import coded_words as coded
from alsbench.data.rules.core import Fault, RuleData, rule
from alsbench.data.snapshot import TableInfo
from alsbench.data.sql import constant, quote

TERMS = ("AETERM", "AEDECOD")  # a data set with one of them holds adverse events
CRITERIA = ("AESDTH", "AESLIFE", "AESHOSP", "AESDISAB", "AESCONG", "AESCAN", "AESMIE", "AESOD")
# column, what is read in it, how a record that says nothing is counted, whether a blank is such a record
COLUMNS: tuple[tuple[str, coded.Reader, str, bool], ...] = (
    ("AESER", coded.yes, "counted as serious", True),
    ("AEREL", coded.related, "counted as related", True),
    ("AESEV", coded.severe, "counted as severe", True),
    ("AETOXGR", coded.severe, "counted as severe where no other column says", False),
    ("AEACN", coded.withdrawn, "counted as leading to discontinuation", True),
    ("AEOUT", coded.fatal_outcome, "counted as fatal unless another column says not", False),
    *((c, coded.yes, "counted as fatal unless another column says not" if c == "AESDTH" else "", False) for c in CRITERIA),
)


@rule("event-words", "warning", "what adverse event data say is known")
def event_words(trial: RuleData) -> Iterator[Fault]:
    """A blank TRTEMFL is no by ADaM's convention, unless the column says N elsewhere. Columns wholly blank are not judged."""
    for table in trial.snapshot.tables.values():
        if not any(t in table for t in TERMS):
            continue
        for column, reader, how, blanks in (("TRTEMFL", coded.yes, "counted as treatment-emergent", False), *COLUMNS):
            if table.kinds.get(column) in ("text", "number", "boolean"):
                yield from _unknown(trial, table, column, reader, how, blanks=blanks)


def _unknown(
    trial: RuleData, table: TableInfo, column: str, reader: coded.Reader, how: str, *, blanks: bool
) -> Iterator[Fault]:
    held = quote(column)
    values = [v for (v,) in trial.snapshot.rows(f"SELECT DISTINCT {held} FROM {quote(table.name)}")]
    said = {v: coded.word(float(v) if isinstance(v, bool) else v) for v in values}
    if not any(said.values()):
        return  # rule empty-column
    blanks = blanks or (column == "TRTEMFL" and any(reader(w) == 0.0 for w in said.values()))
    wrong = [v for v in values if (reader(said[v]) != reader(said[v]) if said[v] else blanks)]
    parts = [f"{held} IS NULL"] * (None in wrong)
    constants = [constant(v) for v in wrong if v is not None]
    parts += [f"{held} IN ({', '.join(constants)})"] if constants else []
    if parts:
        hits = trial.where(table, " OR ".join(parts))
        words = coded.listed({said[v] for v in wrong})
        what = f"{column} says nothing known in {hits.count:,} rows ({words})" + (f": {how}" if how else "")
        yield Fault(table.name, what, hits.count, hits.rows, hits.keys)
