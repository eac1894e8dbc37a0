"""The study file: reading, checking, hashing and editing ``study.toml``."""

from __future__ import annotations

from alsbench.study.edit import add_subgroup, remove_subgroup, replace_subgroup
from alsbench.study.reading import parse_study, read_study, study_digest

__all__ = ["add_subgroup", "parse_study", "read_study", "remove_subgroup", "replace_subgroup", "study_digest"]
