"""The subgroup and record language: ``LEADRATE <= mean(LEADRATE)``, ``BLNFL < 52 and ONSETSIT == "LIMB"``, ``AGE in (50..65)``.

Comparisons (chained ones too), ``and``/``or``/``not``, ``in`` and ``not in`` with lists and closed ranges, numbers, texts,
``True``/``False``, ``missing(COLUMN)`` and the data-driven cuts ``mean``, ``median`` and ``quantile(COLUMN, q)``. Nothing a
user typed becomes SQL text. SQL's three-valued logic is kept: where a value is missing the expression is unknown, and the
subject is neither in the subgroup nor in its complement.
"""

from __future__ import annotations

from alsbench.study.ars import to_ars
from alsbench.study.parser import parse
from alsbench.study.sql import Kind, Where, check_columns, compile_sql, quote
from alsbench.study.tree import Aggregate, Expression

__all__ = ["Aggregate", "Expression", "Kind", "Where", "check_columns", "compile_sql", "parse", "quote", "to_ars"]
