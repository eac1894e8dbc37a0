"""Published numbers beside those of the data: are they coherent, are they reproduced, do they survive scrutiny?"""

from __future__ import annotations

from alsbench.analysis.claims.checked import Checked, Together, check_claim, scrutinised, together
from alsbench.analysis.claims.coherent import NoneOf, Relation, SizeRange, coherence, implied_sizes
from alsbench.analysis.claims.reproduced import NEVER, NO_DATA, Recomputed, answer_of, reproduce
from alsbench.analysis.claims.robust import Survival, checks_of, survival

__all__ = [
    "NEVER",
    "NO_DATA",
    "Checked",
    "NoneOf",
    "Recomputed",
    "Relation",
    "SizeRange",
    "Survival",
    "Together",
    "answer_of",
    "check_claim",
    "checks_of",
    "coherence",
    "implied_sizes",
    "reproduce",
    "scrutinised",
    "survival",
    "together",
]
