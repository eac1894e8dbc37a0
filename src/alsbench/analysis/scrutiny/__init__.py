"""What a sceptical reviewer asks of a finding in a subgroup (METHODS 7): the list, and one function that answers an item.

Every check is computed from the data as they stand, on one endpoint, one subgroup and the study's comparisons; where it does
not apply it says why.
"""

from __future__ import annotations

import importlib

from alsbench.analysis.result import Result
from alsbench.analysis.scrutiny.catalogue import ALL, BOTTOM_LINE, CHECKS, VERDICT, Check, find_check, verdict
from alsbench.analysis.source import Source
from alsbench.errors import DataError, UsageError


def run_check(
    name: str,
    source: Source,
    subgroup: str,
    *,
    endpoint: str = "",
    comparisons: tuple[str, ...] = (),
    population: str = "",
) -> Result:
    """Answer one check. ``endpoint`` is the study's first in order of level unless named; the sentence that sums the answer
    up is the line of facts named :data:`VERDICT`.

    Raises UsageError for an unknown name, DataError where the data of the finding's own endpoint cannot be analysed; what
    another endpoint lacks is said in the check's place.
    """
    from alsbench.analysis.scrutiny.finding import CheckAnswer, asked, result_of  # waits: numpy
    from alsbench.analysis.scrutiny.outcomes import data_fault  # waits: numpy

    check = find_check(name)
    setup = asked(source, subgroup, endpoint=endpoint, comparisons=comparisons, population=population)
    module = importlib.import_module(f"alsbench.analysis.scrutiny.{check.module}")
    own = data_fault(source, setup.endpoint)
    if own is not None:
        raise own
    try:
        answer = getattr(module, check.id)(setup)
    except (DataError, UsageError) as fault:
        answer = CheckAnswer([], f"not estimable: {fault.what}")
    return result_of(check, setup, answer)


__all__ = ["ALL", "BOTTOM_LINE", "CHECKS", "VERDICT", "Check", "find_check", "run_check", "verdict"]
