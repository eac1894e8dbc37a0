"""A study.toml for derived data: PRO-ACT's, made of what the derived tables hold."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

_MOST_MONTHS = 12
_MEASURES = (
    ("alsfrs", "ADQS", "ALSFRSR", "ALSFRS-R total score"),
    ("alsfrs_10", "ADQS", "ALSFRS", "ALSFRS total score (10 items, 0-40)"),
    ("alsfrs_converted", "ADQS", "ALSFRSRC", "Sensitivity: ALSFRS-R with ALSFRS converted"),
    ("fvc", "ADRE", "FVCPP", "Forced vital capacity (% predicted)"),
    ("svc", "ADRE", "SVCPP", "Slow vital capacity (% predicted)"),
)


def proact_study(
    arms: Sequence[str],
    months: Mapping[tuple[str, str], Sequence[int]],
    covariates: Sequence[str],
    baseline: Sequence[str],
    *,
    events: bool,
) -> str:
    """The text of a study file. ``months`` are those with records, by table and parameter; ``events``: there is an ADAE."""
    seen = [m for found in months.values() for m in found if m <= _MOST_MONTHS]
    last = max(seen, default=1)
    reference = next((a for a in arms if a.lower() == "placebo"), arms[0])
    order = [reference, *(a for a in arms if a != reference)]
    parts = [
        "# Proposed for PRO-ACT: pooled trials, so arms are Active and Placebo of many studies. Check every line.",
        'schema = 1\n\n[study]\nid = "PROACT"\ntitle = "PRO-ACT, pooled trials"',
        f'[arms]\nplanned = "TRT01P"\nactual = "TRT01A"\nreference = {_listed([reference])}\norder = [{_listed(order)}]',
        '[populations]\nFAS = "FASFL"\nSafety = "SAFFL"\ndefault = "FAS"',
        '[visits]\nunit = "month"\nbaseline = 0',
        *(f"[[comparisons]]\ntreatment = {_listed([a])}\nhorizon = {last}" for a in order[1:]),
    ]
    named = f"covariates = [{_listed(covariates)}]\n" if covariates else ""
    for name, dataset, code, title in _MEASURES:
        visits = ", ".join(str(m) for m in months.get((dataset, code), ()) if m <= _MOST_MONTHS)
        if visits:
            what = f'dataset = "{dataset}"\nparamcd = "{code}"\n{named}better = "higher"'
            parts.append(f'[endpoints.{name}]\ntitle = "{title}"\nmethod = "mmrm"\nvisits = [{visits}]\n{what}')
            parts.append(
                f'[endpoints.{name}_ancova]\ntitle = "{title}, by month"\nmethod = "ancova"\nvisits = [{visits}]\n{what}'
            )
            parts.append(f'[endpoints.{name}_slope]\ntitle = "{title}, slope"\nmethod = "slope"\n{what}')
    parts.append(
        '[endpoints.survival]\ntitle = "Death"\nmethod = "time_to_event"\ndataset = "ADTTE"\nparamcd = "DEATH"\n'
        f'{named}better = "higher"'
    )
    if months.get(("ADQS", "ALSFRSR")):
        parts.append(
            '[endpoints.cafs]\ntitle = "CAFS (joint rank)"\nmethod = "joint_rank"\nfunction = "alsfrs"\n'
            f'event = {{ dataset = "ADTTE", paramcd = "DEATH" }}\n{named}better = "higher"'
        )
    if events:
        parts.append(
            '[endpoints.ae]\ntitle = "Adverse events"\nmethod = "incidence"\ndataset = "ADAE"\n'
            'population = "Safety"\nbetter = "lower"'
        )
    parts.append(
        f'[endpoints.baseline]\ntitle = "Baseline characteristics"\nmethod = "baseline"\ncovariates = [{_listed(baseline)}]'
    )
    return "\n\n".join(parts) + "\n"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(json.dumps(n, ensure_ascii=False) for n in names)
