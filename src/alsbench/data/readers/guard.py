"""What a library makes of a damaged file, as an error that names the file.

openpyxl, zipfile, Arrow and ReadStat were written for whole files; a damaged one leads them into errors of any class. Around
their calls every error but those of the system's own is the file's.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from alsbench.data.safe_text import visible
from alsbench.errors import AlsbenchError, DataError, is_interrupt

_OF_THE_SYSTEM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ENOMEM})


@contextlib.contextmanager
def library(path: Path, what: str, *, hint: str = "") -> Iterator[None]:
    """Calls of a library that reads ``path``. Raises DataError for what it cannot read."""
    try:
        yield
    except AlsbenchError:
        raise
    except Exception as fault:
        if type(fault) is MemoryError:
            raise
        if is_interrupt(fault):
            raise KeyboardInterrupt from fault
        if isinstance(fault, OSError) and fault.errno in _OF_THE_SYSTEM:
            raise
        why = visible(" ".join(str(fault).split()))[:300] or type(fault).__name__
        raise DataError(what, where=str(path), why=why, hint=hint) from fault
