"""Who is in a subgroup phrase: how many of each arm, and the cuts that the data decided (METHODS 6)."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from alsbench.second.numbers import NumberRows
from alsbench.second.trial import TrialTables
from alsbench.study import syntax_tree as tree
from alsbench.study.expression import parse

COVERED = {"n", "cut"}


def subgroup_rows(trial: TrialTables, phrase: str, members: pd.DataFrame, arm_column: str = "") -> NumberRows:
    """Members of each arm and altogether, and every cut of the phrase's definitions, each once."""
    made = NumberRows()
    arm = trial.arm_of(members, arm_column)
    made.add("subgroup", {"n": len(members)})
    for name in trial.study.arms.order:
        made.add("subgroup", {"n": int((arm == name).sum())}, arm=name)
    cuts: dict[str, float] = {}
    for name in [] if phrase.strip() == "overall" else [part.split()[-1] for part in phrase.split(" and ")]:
        where = next(s.where for s in trial.study.subgroups if name in (s.name, s.complement))
        for found in _aggregates(parse(where).root):
            cuts[str(found)] = trial.cut(found.function, found.column, found.q)
    for spelled, cut in cuts.items():
        made.add("subgroup", {"cut": cut}, variable=spelled)
    return made


def _aggregates(node: tree.Node) -> Iterator[tree.Aggregate]:
    match node:
        case tree.Junction(_, terms):
            for term in terms:
                yield from _aggregates(term)
        case tree.Not(term):
            yield from _aggregates(term)
        case tree.Compare(_, left, right):
            yield from (side for side in (left, right) if isinstance(side, tree.Aggregate))
