"""docs/api.md from the docstrings: ``python -m alsbench.cli.api_reference > docs/api.md``. A test holds the page to them."""

from __future__ import annotations

import inspect
import re
import sys
from typing import Any

import alsbench

HEAD = """# The Python face

Made from the docstrings by `python -m alsbench.cli.api_reference`. `import alsbench as als` costs no NumPy, pandas, DuckDB or
Textual; a name brings its libraries when it is first used. Frames are pandas DataFrames, polars frames, Arrow tables or
mappings of columns; answers are pandas. Errors are `als.AlsbenchError` (`UsageError` for what cannot be meant, `DataError` for
data that do not allow it) with `what`, `where`, `why` and `hint`. What `open`, `load` and `demo` return is a `Trial`: the same
answers as the shell's, with the same masks and entries in the audit log. [A walk through the sample trial](notebook.md).
"""


def page() -> str:
    """The whole page: functions first, then the classes they return, then errors."""
    found = {name: getattr(alsbench, name) for name in alsbench.__all__ if name != "__version__"}
    functions = [part for name, item in found.items() if inspect.isfunction(item) for part in _function(f"als.{name}", item)]
    results = [part for name, item in found.items() if inspect.isclass(item) for part in _class(name, item)]
    return "\n".join([HEAD, *functions, *results])


def _function(name: str, item: Any) -> list[str]:
    signature = _signature(item)
    if len(name + signature) > 90:
        inside, _, end = signature[1:].rpartition(")")
        signature = "(\n    " + ",\n    ".join(_split(inside)) + ",\n)" + end
    return [f"## {name}\n", f"```python\n{name}{signature}\n```\n", _text(item), ""]


def _signature(item: Any) -> str:
    """The signature on one line, without self and the modules of types."""
    text = str(inspect.signature(item)).replace("(self, ", "(").replace("(self)", "()")
    return re.sub(r"(: |-> )'([^']*)'", lambda found: found[1] + re.sub(r"\b(?:\w+\.)+(?=[A-Z])", "", found[2]), text)


def _split(text: str) -> list[str]:
    """The parts between commas that stand in no bracket."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def _text(item: Any) -> str:
    """A docstring with its examples in a fence, and code in single backticks."""
    lines = (inspect.getdoc(item) or "").replace("``", "`").splitlines()
    first = next((i for i, line in enumerate(lines) if line.startswith(">>>")), None)
    if first is not None:
        lines = [*lines[:first], "```python", *lines[first:], "```"]
    return "\n".join(lines)


def _class(name: str, item: Any) -> list[str]:
    parts = [f"## {name}\n", _text(item), ""]
    for member, value in sorted(_members(item).items()):
        if isinstance(value, property):
            parts += [f"- `{member}`: {' '.join(_text(value).split())}"]
        else:
            parts += [f"- `{member}{_signature(value)}`: {' '.join(_text(value).split())}"]
    return [*parts, ""]


def _members(item: Any) -> dict[str, Any]:
    """Public properties and methods with a docstring, inherited ones included, but not those of Exception."""
    found: dict[str, Any] = {}
    for base in reversed(item.__mro__):
        if base.__module__.startswith("alsbench"):
            found |= {k: v for k, v in vars(base).items() if isinstance(v, property) or inspect.isfunction(v)}
    return {k: v for k, v in found.items() if not k.startswith("_") and inspect.getdoc(v)}


if __name__ == "__main__":
    sys.stdout.write(page())
