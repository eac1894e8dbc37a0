"""Published numbers beside those of the data: are they coherent, are they reproduced, do they survive scrutiny?"""

from __future__ import annotations

from alsbench.analysis.claims.coherent import Relation, SizeRange, coherence, implied_sizes
from alsbench.analysis.claims.reproduced import NEVER, Recomputed, answer_of, reproduce
from alsbench.analysis.claims.robust import Survival, survival

__all__ = [
    "NEVER",
    "Recomputed",
    "Relation",
    "SizeRange",
    "Survival",
    "answer_of",
    "coherence",
    "implied_sizes",
    "reproduce",
    "survival",
]
