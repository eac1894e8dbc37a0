"""What was asked is kept, errors included; what was cancelled on the way is not."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from alsbench.errors import UsageError
from alsbench.tui import answers as known
from alsbench.tui.answers import Answers, PieceKey
from alsbench.tui.worker import Cancelled

KEY = PieceKey("score", "overall")


def _cancelled() -> None:
    raise Cancelled


@pytest.mark.parametrize("fault", [duckdb.InterruptException("INTERRUPT Error: Interrupted!"), UsageError("half an answer")])
def test_an_answer_that_was_cancelled_is_asked_anew(monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    """Cancelling interrupts the query being run; its exception must not stand in the cell until the data are loaded again."""

    def stopped(key: Any, source: Any) -> Any:
        raise fault

    source: Any = None
    answers = Answers()
    monkeypatch.setattr(known, "compute", stopped)
    with pytest.raises(Cancelled):
        answers.ask(KEY, source, _cancelled)
    assert answers.get(KEY) is None
    answers.ask(KEY, source, lambda: None)
    assert answers.get(KEY) is not None
