"""The study file of a simulated trial: the ALS template with the trial's own arms and comparisons."""

from __future__ import annotations

import json
from importlib.resources import files

from alsbench.simulate.parameters import Parameters

_MARK = "# --- "


def template() -> str:
    """The ALS study file template: valid as it stands."""
    return files("alsbench.study").joinpath("templates", "als.toml").read_text(encoding="utf-8")


def study_text(params: Parameters) -> str:
    """A study.toml for the trial of ``params``: the first arm is the reference, each other arm is compared with it at its
    horizon."""
    rest = template().partition(_MARK)[2].partition("\n")[2]
    quote = json.dumps
    arms = params.arms
    labels = ", ".join(f"{quote(a.name)} = {quote(a.label)}" for a in arms if a.label)
    doses = ", ".join(f"{quote(a.name)} = {len(a.dose_days)}" for a in arms)
    lines = [
        "# Written by `alsbench simulate`.",
        "schema = 1",
        "",
        "[study]",
        f"id = {quote(params.study.id)}",
        f"title = {quote(params.study.title)}",
        "synthetic = true                 # shown wherever results are shown",
        "",
        "[arms]",
        'planned = "TRT01P"',
        'actual = "TRT01A"',
        f"reference = {quote(arms[0].name)}",
        f"order = [{', '.join(quote(a.name) for a in arms)}]",
        *([f"labels = {{ {labels} }}"] if labels else []),
        f"doses = {{ {doses} }}",
        "",
        "[populations]",
        'FAS = "FASFL"',
        'PP = "PPROTFL"',
        'Safety = "SAFFL"',
        'default = "FAS"',
        "",
        "[visits]",
        'unit = "month"',
        "baseline = 0",
        "",
    ]
    for arm in arms[1:]:
        lines += ["[[comparisons]]", *([f"name = {quote(arm.comparison)}"] if arm.comparison else [])]
        lines += [f"treatment = {quote(arm.name)}", f"horizon = {arm.horizon or max(params.visits.months)}"]
        lines += ["primary = true", ""]
    return "\n".join(lines) + rest
