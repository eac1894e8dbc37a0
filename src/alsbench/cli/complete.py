"""What a shell offers for names: read from the workspace's study.toml as plain TOML, so that a Tab costs no heavy import.

A file that cannot be read offers nothing: completion never fails.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer

from alsbench.errors import StudyError
from alsbench.study.toml_text import file_text, toml_table


def endpoint_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Endpoints."""
    return _starting(_study(ctx).get("endpoints", {}), incomplete)


def subgroup_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Subgroups, complements and the whole population."""
    names = [str(s.get("name", "")) for s in _tables(ctx, "subgroups")]
    return _starting(["overall", *names, *(f"not {n}" for n in names)], incomplete)


def defined_subgroups(ctx: typer.Context, incomplete: str) -> list[str]:
    """Subgroups by name only."""
    return _starting([str(s.get("name", "")) for s in _tables(ctx, "subgroups")], incomplete)


def comparison_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Comparisons by name, then treatment labels."""
    found = _tables(ctx, "comparisons")
    return _starting([str(c[k]) for k in ("name", "treatment") for c in found if c.get(k)], incomplete)


def population_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Analysis sets."""
    return _starting((n for n in _study(ctx).get("populations", {}) if n != "default"), incomplete)


def dataset_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Data sets that the study analyses; others that were loaded are named by the command itself."""
    endpoints = [e for e in _study(ctx).get("endpoints", {}).values() if isinstance(e, dict)]
    found = [str(t.get("dataset", "")) for e in endpoints for t in (e, e.get("event")) if isinstance(t, dict)]
    names = sorted({"ADSL", *found})
    return _starting((n.lower() for n in names) if incomplete.islower() else names, incomplete)  # the command takes any case


def check_names(ctx: typer.Context, incomplete: str) -> list[str]:  # noqa: ARG001  the shape typer asks for
    """Checks of scrutinise that exist."""
    from alsbench.analysis.scrutiny import ALL  # waits: duckdb, pydantic

    return _starting((c.id for c in ALL), incomplete)


def _starting(names: Iterable[str], incomplete: str) -> list[str]:
    return [n for n in dict.fromkeys(names) if n and n.startswith(incomplete)]


def _tables(ctx: typer.Context, name: str) -> list[dict[str, Any]]:
    found = _study(ctx).get(name, [])
    return [t for t in found if isinstance(t, dict)] if isinstance(found, list) else []


def _study(ctx: typer.Context) -> dict[str, Any]:
    given = ctx.params.get("workspace") or ctx.find_root().params.get("workspace") or os.environ.get("ALSBENCH_WORKSPACE")
    try:
        return toml_table(file_text(Path(given or ".") / "study.toml", named="study file", hint=""), "study.toml")
    except StudyError:
        return {}
