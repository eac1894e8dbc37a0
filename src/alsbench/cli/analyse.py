"""Analyses of the study: ``alsbench evidence``, ``endpoint``, ``forest``, ``safety``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from alsbench.cli.common import Common, MaskOption, command
from alsbench.cli.complete import comparison_names, endpoint_names, population_names, subgroup_names
from alsbench.cli.output import show
from alsbench.errors import UsageError

commands = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)

SubgroupsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--subgroup",
        "-s",
        metavar="S",
        autocompletion=subgroup_names,
        help="overall, slow, 'not slow', 'slow and nfl_low'; repeats.",
    ),
]
ComparisonsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--comparison",
        metavar="ARM",
        autocompletion=comparison_names,
        help="A treatment label or a comparison's name; repeats. Default: all.",
    ),
]
PopulationOption = Annotated[
    str,
    typer.Option("--population", metavar="P", autocompletion=population_names, help="Analysis set. Default: the endpoint's."),
]
MethodOption = Annotated[
    str, typer.Option("--method", metavar="M", help="Instead of the endpoint's: mmrm, ancova, joint_rank ...")
]
CovarianceOption = Annotated[str, typer.Option("--covariance", metavar="C", help="mmrm: us toep toeph ar1 ar1h cs csh ad adh.")]
DfOption = Annotated[str, typer.Option("--df", metavar="D", help="mmrm, slope: kenward-roger or satterthwaite.")]
KeyOptions = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="KEY=VALUE", help="Any other key of the endpoint in study.toml; repeats."),
]
JudgeOption = Annotated[
    bool,
    typer.Option("--judge", help="Give every p below 0.05 outside the plan its bottom line; takes minutes the first time."),
]


@command(commands, "endpoint")
def endpoint(
    common: Common,
    name: Annotated[str, typer.Argument(metavar="NAME", help="An endpoint of study.toml.", autocompletion=endpoint_names)],
    subgroup: SubgroupsOption = None,
    comparison: ComparisonsOption = None,
    visit: Annotated[
        list[str] | None,
        typer.Option("--visit", metavar="V", help="A visit number or label; repeats. A joint rank takes it as its horizon."),
    ] = None,
    population: PopulationOption = "",
    method: MethodOption = "",
    covariance: CovarianceOption = "",
    df: DfOption = "",
    option: KeyOptions = None,
    subjects: Annotated[
        bool,
        typer.Option("--subjects", help="Add rows of every subject: score and rank of a joint rank, influence on an mmrm."),
    ] = False,
    why: Annotated[
        str, typer.Option("--why", metavar="SUBJECT", help="joint_rank: instead, every pair of a subject and what decided it.")
    ] = "",
    model: Annotated[
        bool, typer.Option("--model", help="Print the facts of the fit too: likelihood, iterations, sigma, tests of terms.")
    ] = False,
    curve: Annotated[
        bool,
        typer.Option("--curve", help="time_to_event: instead, the life table: at risk, events, event-free by day."),
    ] = False,
    mask: MaskOption = 0,
) -> int:
    """Analyse an endpoint as study.toml says, in each subgroup asked for (default: overall)."""
    from alsbench.service import endpoint as service  # waits: duckdb, numpy

    words: dict[str, Any] = {
        "subgroups": subgroup or (),
        "comparisons": comparison or (),
        "visits": visit or (),
        "population": population,
        "method": method,
        "covariance": covariance,
        "df": df,
        "subjects": subjects,
        "options": option_pairs(option),
        "mask": mask,
    }
    if why:
        made = service.rank_reasons(common.access, name, why, **words)
    elif curve:
        made = service.life_table(common.access, name, **words)
    else:
        made = service.endpoint(common.access, name, model=model, **words)
    return show(common, made)


def option_pairs(options: list[str] | None) -> dict[str, str]:
    """``KEY=VALUE`` words as a mapping. Raises UsageError for a word without ``=``."""
    found: dict[str, str] = {}
    for word in options or ():
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise UsageError(f"{word!r} is not KEY=VALUE", where="--option", hint="for instance: --option adjust=max-t")
        found[key.strip()] = value.strip()
    return found


@command(commands, "evidence", computes=True, short_help="Every endpoint and comparison, overall and in subgroups")
def evidence(
    common: Common,
    subgroup: SubgroupsOption = None,
    comparison: ComparisonsOption = None,
    population: PopulationOption = "",
    judge: JudgeOption = False,
    mask: MaskOption = 0,
) -> int:
    """Every endpoint and comparison, overall and in each subgroup beside its complement (default: all subgroups)."""
    from alsbench.service.evidence import evidence as ask  # waits: duckdb, numpy

    asked: dict[str, Any] = {"subgroups": subgroup, "comparisons": comparison or (), "population": population}
    return show(common, ask(common.access, **asked, judge=judge, mask=mask))


@command(commands, "forest", computes=True, short_help="One endpoint across the subgroups, drawn to scale")
def forest(
    common: Common,
    name: Annotated[str, typer.Argument(metavar="NAME", help="An endpoint of study.toml.", autocompletion=endpoint_names)],
    subgroup: SubgroupsOption = None,
    comparison: ComparisonsOption = None,
    population: PopulationOption = "",
    judge: JudgeOption = False,
    mask: MaskOption = 0,
) -> int:
    """One endpoint overall, in each subgroup and in its complement, drawn to scale (default: all subgroups)."""
    from alsbench.service.evidence import forest as ask  # waits: duckdb, numpy

    asked: dict[str, Any] = {"subgroups": subgroup, "comparisons": comparison or (), "population": population}
    return show(common, ask(common.access, name, **asked, judge=judge, mask=mask))


@command(commands, "safety")
def safety(common: Common, subgroup: SubgroupsOption = None, population: PopulationOption = "", mask: MaskOption = 0) -> int:
    """Exposure, adverse event overview, classes and terms, by actual arm: the study's first incidence endpoint."""
    from alsbench.service.endpoint import safety as ask  # waits: duckdb, numpy

    return show(common, ask(common.access, subgroups=subgroup or (), population=population, mask=mask))
