"""A finding after its checks, as Python sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

from alsbench.errors import UsageError
from alsbench.service.answer import Answer

if TYPE_CHECKING:
    import pandas as pd

    from alsbench.analysis.result import Result
    from alsbench.analysis.scrutiny import Check


class Scrutiny(Answer):
    """The checks of a finding: ``s["selection"]`` is one of them, ``s.verdicts()`` what each says."""

    checks: tuple[Check, ...] = ()

    @classmethod
    def of(cls, answer: Answer, checks: Sequence[Check]) -> Self:
        """An answer of which each result is that of a check."""
        made = cls(answer._access, answer.results, answer._page, answer._study)
        made.checks = tuple(checks)
        return made

    def verdicts(self) -> pd.DataFrame:
        """``number``, ``id``, ``title`` and the sentence (``verdict``) that sums each check up."""
        import pandas as pd

        from alsbench.analysis.scrutiny import verdict

        pairs = zip(self.checks, self.results, strict=True)
        return pd.DataFrame([{"number": c.number, "id": c.id, "title": c.title, "verdict": verdict(r)} for c, r in pairs])

    def __getitem__(self, check: Any) -> Result:
        """The result of one check, by id or number. Raises UsageError for one that was not asked for."""
        for each, result in zip(self.checks, self.results, strict=True):
            if str(check) in {each.id, str(each.number)}:
                return result
        raise UsageError(f"check {check} was not asked for", hint=f"there is: {', '.join(c.id for c in self.checks)}")
