"""Doses of an SDTM trial: whose first and last they are, and which last dose is open.

A record of EX without an end is open where the others have ends or a frequency says that it goes on; where none has an end each
is a single administration. An open last dose lasts to RFXENDTC, else to the end of treatment or of the study in DS, else to the
last contact (:func:`alsbench.data.derive.sdtm_events.treatment_ends`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from alsbench.data.derive.partial_dates import partial
from alsbench.data.derive.sdtm_domains import Domain

NAT = np.datetime64("NaT", "D")
ONCE = frozenset({"", "ONCE", "SINGLE", "1 TIME"})


@dataclass
class Doses:
    """By subject: the first whole start; the first and last possible day of a partial start; the last day known of any dose;
    the last day that the last dose may have reached where its end is partial; whose last dose has no end."""

    dosed: set[str] = field(default_factory=set)
    first: dict[str, np.datetime64] = field(default_factory=dict)
    maybe_first: dict[str, tuple[np.datetime64, np.datetime64]] = field(default_factory=dict)
    last: dict[str, np.datetime64] = field(default_factory=dict)
    at_most: dict[str, np.datetime64] = field(default_factory=dict)
    open: set[str] = field(default_factory=set)


def read_doses(domains: Sequence[Domain]) -> Doses:
    """The doses given (EXOCCUR is not N) of EX."""
    doses = Doses()
    latest: dict[str, np.datetime64] = {}
    for ex in domains:
        (begin, begin_last), (end, end_last) = ex.bounds("EXSTDTC"), ex.bounds("EXENDTC")
        vague, vague_end = partial(begin, begin_last), partial(end, end_last)
        lasting = np.isnat(end) & (~np.isnat(end).all() | np.array([f not in ONCE for f in ex.upper("EXDOSFRQ")]))
        once = np.array([f in ONCE - {""} for f in ex.upper("EXDOSFRQ")])
        given = [v != "N" for v in ex.upper("EXOCCUR")]
        for i, s in enumerate(ex.subject.tolist()):
            if s is None or not given[i]:
                continue
            doses.dosed.add(s)
            if not np.isnat(begin[i]):
                if vague[i]:
                    before = doses.maybe_first.get(s, (begin[i], begin_last[i]))
                    doses.maybe_first[s] = min(before, (begin[i], begin_last[i]))
                else:
                    doses.first[s] = min(doses.first.get(s, begin[i]), begin[i])
            known = [d for d in (begin[i], end[i]) if not np.isnat(d)]
            if not known:
                continue
            doses.last[s] = max(doses.last.get(s, known[0]), *known)
            if s not in latest or begin[i] >= latest[s]:  # the dose that began last; of two on one day the later record
                latest[s] = begin[i] if not np.isnat(begin[i]) else latest.get(s, known[0])
                (doses.open.add if lasting[i] and not once[i] else doses.open.discard)(s)
                doses.at_most.pop(s, None)
                if vague_end[i]:
                    doses.at_most[s] = end_last[i]
    return doses
