"""The program: ``alsbench`` and ``python -m alsbench``. Every way out has an exit code and, if it failed, one message.

0 done, 1 a negative verdict, 2 usage or configuration, 3 data, 4 locked or unavailable, 70 a fault of the program itself,
130 interrupted.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from alsbench.data.sanitize import visible_lines
from alsbench.errors import (
    INTERRUPTED,
    NEEDS,
    AlsbenchError,
    ReaderGone,
    UnavailableError,
    UsageError,
    bounded,
    is_interrupt,
    not_enough_memory,
    out_of_memory,
)
from alsbench.version import __version__

INTERNAL = 70
USAGE = 2
DATA = 3
HELP = frozenset({"--help", "-h", "--version"})
LEAST_ROOM = 1500 * 2**20  # bytes of address space
REFUSED = frozenset(  # by the system, not by a fault of ours: full, read-only, somebody else's, broken, out of handles
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG, errno.EIO, errno.EMFILE, errno.ENFILE}
)
UNUSABLE = frozenset({errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EISDIR})  # paths that can name no file


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json-errors" in words
    os.umask(0o077)  # every file and directory made from here on is its owner's alone
    try:
        _check_room(words)
        return _run(words)
    except AlsbenchError as error:
        if error.exit_code == DATA and out_of_memory(error):  # what could not be read for want of memory is not broken
            error = not_enough_memory(error.where)
        _report({"error": error.message, **error.as_dict()}, as_json)
        return error.exit_code
    except KeyboardInterrupt:
        _report({"error": "interrupted", "kind": "interrupted", "exit_code": INTERRUPTED}, as_json)
        return INTERRUPTED
    except (ReaderGone, BrokenPipeError):
        _silence_stdout()
        return 0
    except OSError as fault:
        if out_of_memory(fault):
            return _no_memory(as_json)
        if fault.errno in UNUSABLE:
            wrong = UsageError(f"this path cannot be used: {fault.strerror}", where=str(fault.filename or ""))
            _report({"error": wrong.message, **wrong.as_dict()}, as_json)
            return wrong.exit_code
        if fault.errno not in REFUSED:
            return _unforeseen(fault, as_json)
        what = f"this cannot be read or written: {fault.strerror}"
        refused = UnavailableError(what, where=str(fault.filename or "standard output or a file"))
        _report({"error": refused.message, **refused.as_dict()}, as_json)
        return refused.exit_code
    except Exception as fault:  # noqa: BLE001  the last resort: no traceback, no patient data, a place to look
        if is_interrupt(fault):
            _report({"error": "interrupted", "kind": "interrupted", "exit_code": INTERRUPTED}, as_json)
            return INTERRUPTED
        if out_of_memory(fault):
            return _no_memory(as_json)
        return _unforeseen(fault, as_json)


def _check_room(words: list[str]) -> None:
    """Refuse where address space is too scarce: libraries of algebra abort or hang when their threads find none, which no
    handler can catch. Help and completion need little. With a limit, threads of these libraries are not started at all."""
    import resource

    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY or not words or HELP & set(words) or any("_COMPLETE" in name for name in os.environ):
        return
    if limit < LEAST_ROOM:
        what = f"there is not enough memory: address space is limited to {limit // 2**20:,} MB"
        raise UnavailableError(what, hint=f"raise the limit (ulimit -v {LEAST_ROOM // 2**10}); alsbench needs {NEEDS}")
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")


def _no_memory(as_json: bool) -> int:
    refused = not_enough_memory()
    _report({"error": refused.message, **refused.as_dict()}, as_json)
    return refused.exit_code


def _run(words: list[str]) -> int:
    import typer  # waits: typer

    from alsbench.cli.app import program  # waits: typer

    command = program()
    try:
        code = command.main(args=words, prog_name="alsbench", standalone_mode=False)
        sys.stdout.flush()
    except (typer.Exit, SystemExit) as leave:
        code = leave.exit_code if isinstance(leave, typer.Exit) else leave.code
    except typer.Abort as ended:
        if isinstance(ended.__cause__, EOFError):  # a file cut short, which the option parser takes for Ctrl-D
            raise ended.__cause__ from None
        raise KeyboardInterrupt from None
    except Exception as error:
        if not hasattr(error, "format_message"):  # not a message of the option parser, whichever copy of click it is
            raise
        return _usage(error, "--json-errors" in words)
    if code == INTERRUPTED:  # the option parser makes a code of Ctrl-C and says nothing
        raise KeyboardInterrupt
    return code if isinstance(code, int) else 0


def _usage(error: Any, as_json: bool) -> int:
    """A bad command line, in the parser's words, with where to read on."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "alsbench"
    message = bounded(error.format_message().replace("Value error, ", ""))  # the validator's own words
    if not message:  # help was printed instead, for a group without a command
        return USAGE
    hint = f"see: {path} --help"
    report = {"error": f"{message}\n{hint}", "kind": "usage", "what": message, "hint": hint, "exit_code": USAGE}
    _report(report, as_json)
    return USAGE


def _report(report: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(report), file=sys.stderr)
        return
    text = visible_lines(str(report["error"]))
    encoding = sys.stderr.encoding or "utf-8"
    print(f"alsbench: {text}".encode(encoding, "backslashreplace").decode(encoding), file=sys.stderr)


def _unforeseen(fault: Exception, as_json: bool) -> int:
    """A fault of the program: its type on stderr; where in the code it happened in a file, without any message or value,
    which could hold data. ``ALSBENCH_DEBUG=1`` prints everything."""
    if os.environ.get("ALSBENCH_DEBUG"):
        raise fault
    kept = _keep_detail(fault)
    what = f"something went wrong inside the program ({type(fault).__name__})"
    hint = f"where: {kept}\nALSBENCH_DEBUG=1 shows everything, data included" if kept else "ALSBENCH_DEBUG=1 shows everything"
    _report({"error": f"{what}\n{hint}", "kind": "internal", "what": what, "hint": hint, "exit_code": INTERNAL}, as_json)
    return INTERNAL


def _keep_detail(fault: Exception) -> Path | None:
    import tempfile
    import traceback

    import platformdirs  # waits: platformdirs

    frames = traceback.extract_tb(fault.__traceback__)
    lines = [f"alsbench {__version__}, Python {sys.version.split()[0]}", type(fault).__qualname__]
    lines += [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    try:
        folder = platformdirs.user_state_path("alsbench") / "faults"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=folder, prefix="fault-", suffix=".txt")
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write("\n".join(lines) + "\n")
    except OSError:
        return None
    return Path(name)


def _silence_stdout() -> None:
    """Whoever read us has gone: let the interpreter's last flush go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


if __name__ == "__main__":
    sys.exit(main())
