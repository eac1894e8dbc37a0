"""The trials that both programs answer, each loaded once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.second.verifying import Both, open_trial


@pytest.fixture(scope="session")
def both(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Both]:
    """A trial by name (``built``, ``pilot``, ``sample``, ``als-ref-1``, ``als-ref-2``, ``extra``)."""
    opened: dict[str, Both] = {}

    def get(name: str) -> Both:
        if name not in opened:
            opened[name] = Both(open_trial(tmp_path_factory.mktemp(name), name))
        return opened[name]

    return get
