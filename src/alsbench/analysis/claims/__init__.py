"""Published numbers beside those of the data: are they coherent, are they reproduced, do they survive scrutiny?"""

from __future__ import annotations

from alsbench.analysis.claims.checked import Checked, check_claim, scrutinised, sizes_by_claim
from alsbench.analysis.claims.coherent import Relation, SizeRange, coherence, implied_sizes
from alsbench.analysis.claims.reproduced import NEVER, Recomputed, answer_of, reproduce
from alsbench.analysis.claims.robust import Survival, checks_of, survival

__all__ = [
    "NEVER",
    "Checked",
    "Recomputed",
    "Relation",
    "SizeRange",
    "Survival",
    "answer_of",
    "check_claim",
    "checks_of",
    "coherence",
    "implied_sizes",
    "reproduce",
    "scrutinised",
    "sizes_by_claim",
    "survival",
]
