"""Scrutiny of findings and published numbers, and all of it on paper: ``alsbench scrutinise``, ``chance``, ``lineup``,
``claims``, ``report``, ``replay``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from alsbench.cli.analyse import (
    ComparisonsOption,
    CovarianceOption,
    DfOption,
    KeyOptions,
    MethodOption,
    PopulationOption,
    SubgroupsOption,
    option_pairs,
)
from alsbench.cli.common import Common, Format, MaskOption, command
from alsbench.cli.complete import check_names, comparison_names, endpoint_names, subgroup_names
from alsbench.cli.output import show
from alsbench.cli.tui import recorded_views
from alsbench.errors import UsageError

commands = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)

FindingSubgroupOption = Annotated[
    str,
    typer.Option(
        "--subgroup",
        "-s",
        metavar="S",
        autocompletion=subgroup_names,
        help="The subgroup under scrutiny. Default: the study's first.",
    ),
]
FindingEndpointOption = Annotated[
    str,
    typer.Option(
        "--endpoint",
        "-e",
        metavar="NAME",
        autocompletion=endpoint_names,
        help="Default: the study's first of the highest level.",
    ),
]


@command(commands, "scrutinise", computes=True)
def scrutinise(
    common: Common,
    subgroup: FindingSubgroupOption = "",
    endpoint: FindingEndpointOption = "",
    comparison: ComparisonsOption = None,
    population: PopulationOption = "",
    check: Annotated[
        list[str] | None,
        typer.Option(
            "--check",
            metavar="ID",
            autocompletion=check_names,
            help="Only this check, by id or number; repeats. Default: all.",
        ),
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="List the checks and compute none.")] = False,
    mask: MaskOption = 0,
) -> int:
    """The bottom line of a finding, and the 22 checks that it rests on, each with a verdict and a table."""
    from alsbench.service import scrutiny  # waits: duckdb, numpy

    if listed:
        return show(common, scrutiny.checks_listed(common.access))
    made = scrutiny.scrutinise(
        common.access,
        endpoint,
        subgroup=subgroup,
        comparisons=comparison or (),
        population=population,
        checks=check or (),
        mask=mask,
    )
    return show(common, made)


@command(commands, "chance", computes=True, short_help="What chance offers: the finding among copies without effect")
def chance(
    common: Common,
    subgroup: FindingSubgroupOption = "",
    endpoint: FindingEndpointOption = "",
    comparison: ComparisonsOption = None,
    visit: Annotated[
        str, typer.Option("--visit", metavar="V", help="A visit, by number or label. Default: where each comparison is read.")
    ] = "",
    population: PopulationOption = "",
    draws: Annotated[
        int, typer.Option("--draws", metavar="N", min=0, help="Copies of the trial. Default: as many as `scrutinise` makes.")
    ] = 0,
    mask: MaskOption = 0,
) -> int:
    """A finding among copies of the trial without any effect: what chance offers to somebody who looks everywhere.

    Arms are dealt again within strata, and the whole search is repeated in each copy, with everything that the log says was
    looked at. Shown are the rank of the finding among the best of each copy (its p over the search, as in `scrutinise`), how
    small the smallest p of a copy is, and the headlines: the best favourable finding of ten copies in the words of a press
    release, beside the real one.
    """
    from alsbench.service import scrutiny  # waits: duckdb, numpy

    made = scrutiny.chance(
        common.access,
        endpoint,
        subgroup=subgroup,
        comparisons=comparison or (),
        population=population,
        visit=visit,
        draws=draws,
        mask=mask,
    )
    return show(common, made)


@command(commands, "lineup", short_help="The trial hidden among copies without effect: can you find it?")
def lineup(
    common: Common,
    view: Annotated[
        str, typer.Option("--view", metavar="V", help="months, km (Kaplan-Meier), forest or evidence.", show_default=False)
    ] = "months",
    endpoint: Annotated[
        str,
        typer.Option(
            "--endpoint",
            "-e",
            metavar="NAME",
            autocompletion=endpoint_names,
            help="Default: the study's first that has such a view.",
        ),
    ] = "",
    subgroup: Annotated[
        str,
        typer.Option(
            "--subgroup", "-s", metavar="S", autocompletion=subgroup_names, help="Of months, km, evidence. Default: overall."
        ),
    ] = "",
    comparison: Annotated[
        str,
        typer.Option(
            "--comparison",
            metavar="ARM",
            autocompletion=comparison_names,
            help="A treatment label or a comparison's name. Default: the first; evidence has all.",
        ),
    ] = "",
    population: PopulationOption = "",
    panels: Annotated[int, typer.Option("--panels", metavar="N", help="The trial and N - 1 copies.")] = 20,
    key: Annotated[
        Path | None, typer.Option("--key", metavar="FILE", help="A new file for the key: which panel is the trial.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed", metavar="N", min=0, help="The same lineup again. Who knows the seed knows the key. Default: random."
        ),
    ] = None,
    reveal: Annotated[
        Path | None, typer.Option("--reveal", metavar="KEY", help="Make none: tell which panel was the trial, by its key.")
    ] = None,
    pick: Annotated[
        list[int] | None,
        typer.Option("--pick", metavar="PANEL", help="With --reveal: a judge's choice; repeats."),
    ] = None,
    mask: MaskOption = 0,
) -> int:
    """A view of the trial hidden among copies without any effect: can somebody who has not seen the data find it?

    Arms are dealt again in the copies within strata, and within the subgroup that is shown. All panels are drawn by the same
    code on the same axes. Write them with -o FILE.html; the key goes to a file of its own. A judge who finds the trial among
    20 panels does so by guessing once in 20 times: p = 0.05. Whoever has looked at the results, by the audit log, cannot
    judge. Making a lineup is a look itself.
    """
    from alsbench.service import lineup as service  # waits: duckdb, scipy

    if reveal is not None:
        return show(common, service.reveal(common.access, reveal, picks=pick or (), mask=mask))
    if pick:
        raise UsageError("a choice is told with the key", where="--pick", hint="--reveal KEY --pick PANEL")
    if key is not None and common.output is not None and key.resolve() == common.output.resolve():
        raise UsageError("the key would be overwritten by the panels", where=f"-o {common.output}", hint="name another file")
    made = service.lineup(
        common.access,
        view,
        endpoint,
        subgroup=subgroup,
        comparison=comparison,
        population=population,
        panels=panels,
        seed=seed,
        key=key,
        mask=mask,
    )
    return show(common, made)


@command(commands, "verify", short_help="Every endpoint again, by a second program")
def verify(
    common: Common,
    endpoints: Annotated[
        list[str] | None, typer.Argument(metavar="[ENDPOINT]...", autocompletion=endpoint_names, help="Default: all.")
    ] = None,
    subgroup: SubgroupsOption = None,
    population: PopulationOption = "",
    method: MethodOption = "",
    covariance: CovarianceOption = "",
    df: DfOption = "",
    option: KeyOptions = None,
    mask: MaskOption = 0,
) -> int:
    """Endpoints computed again by a second program, which shares no derivation, design or formula with the first, and both held
    against each other. Exit code 1 if a number differs; what the second program does not compute is listed."""
    from alsbench.service.verify import verify as ask  # waits: duckdb, numpy, pandas, statsmodels

    made = ask(
        common.access,
        endpoints or (),
        subgroups=subgroup or (),
        population=population,
        method=method,
        covariance=covariance,
        df=df,
        options=option_pairs(option),
        mask=mask,
    )
    return show(common, made)


@command(commands, "reconcile", placed=False, writes=(".toml",), short_help="Their numbers against ours, in classes")
def reconcile(
    common: Common,
    ours: Annotated[Path, typer.Argument(metavar="OURS", help="A workspace; or a folder or file of data or results.")],
    theirs: Annotated[
        Path, typer.Argument(metavar="THEIRS", help="Data, results (ours, R cards, CDISC ARS, CSV), or RTF, DOCX, HTML tables.")
    ],
    mapping: Annotated[
        Path | None, typer.Option("--mapping", metavar="FILE", help="Which of their numbers is which of ours (TOML).")
    ] = None,
    propose: Annotated[
        bool, typer.Option("--propose", help="Compare nothing: draft the mapping of their tables, to check and complete.")
    ] = False,
    endpoint: Annotated[
        list[str] | None,
        typer.Option(
            "--endpoint", "-e", metavar="NAME", help="What theirs is about, where it does not say; repeats. Default: all."
        ),
    ] = None,
    subgroup: SubgroupsOption = None,
    records: Annotated[
        int, typer.Option("--records", metavar="N", min=0, help="Of data: how many records of each kind and table are listed.")
    ] = 20,
    why: Annotated[
        bool, typer.Option("--why/--no-why", help="Look for the options or records that give their numbers.")
    ] = False,
    budget: Annotated[
        int,
        typer.Option(
            "--budget", metavar="N", min=0, help="Analyses at most for each search; 0: 200 by options, 400 by records."
        ),
    ] = 0,
    mask: MaskOption = 0,
) -> int:
    """Another program's numbers beside ours, each difference in its class, worst first; 1 where any is worse than print shows.

    Two sides of data are compared by record. Results are put beside what the workspace (or a file of ours) answers: results of
    this program by key, R's cards and CDISC ARS by their words, a CSV or the tables of a document by a mapping, which --propose
    drafts. The classes: identical, noise, same as printed, within the declared tolerance, different, changes a conclusion
    (sign, side of 0.05, first month, order of arms), only ours, only theirs. Differences within a declared tolerance are listed
    and accepted.

    With --why a workspace is searched for what gives their numbers at their digits: of results the options that the study file
    can declare, one and two at a time; of data a set of changed records of which none can be left out. Another explanation may
    exist."""
    from alsbench.service.reconcile import reconcile as ask  # waits: duckdb, numpy

    if common.output is not None and common.output.suffix.lower() == ".toml" and not propose:
        raise UsageError("a .toml file holds a mapping", where=f"--output {common.output}", hint="--propose drafts one")
    made = ask(
        common.access,
        ours,
        theirs,
        mapping=mapping,
        proposed=propose,
        endpoints=endpoint or (),
        subgroups=subgroup or (),
        records=records,
        mask=mask,
        why=why,
        budget=budget,
    )
    return show(common, made)


@command(commands, "claims", computes=True, short_help="Check published numbers: coherent, reproduced?")
def claims(
    common: Common,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="The claims. Default: claims.toml of the workspace.", show_default=False),
    ] = None,
    claim: Annotated[
        list[str] | None, typer.Option("--claim", metavar="NAME", help="Only this claim; repeats. Default: all.")
    ] = None,
    judge: Annotated[
        bool, typer.Option("--judge", help="Give each its bottom line where its own p-values do not; takes minutes.")
    ] = False,
    scrutinise: Annotated[
        bool, typer.Option("--scrutinise", help="Also whether each survives the checks of `alsbench scrutinise`.")
    ] = False,
    mask: MaskOption = 0,
) -> int:
    """Check published numbers: do they agree with each other, with the data, and (asked for) with scrutiny?

    Without data, or a workspace, whether they agree with each other. Exits 1 where a claim contradicts itself, another one or
    the data. CSV and TSV hold every number; the other formats all tables.
    """
    from alsbench.service.claims import claims as ask  # waits: duckdb, numpy, scipy

    return show(common, ask(common.access, file, names=claim or (), judge=judge, scrutinise=scrutinise, mask=mask))


@command(commands, "report", computes=True, short_help="All tables in one document: HTML, RTF, Markdown, text")
def report(
    common: Common,
    subgroup: SubgroupsOption = None,
    endpoint: Annotated[
        list[str] | None,
        typer.Option(
            "--endpoint",
            "-e",
            metavar="NAME",
            autocompletion=endpoint_names,
            help="Tables and forests of this endpoint only; repeats. Default: all.",
        ),
    ] = None,
    scrutinise: Annotated[
        bool, typer.Option("--scrutinise", help="Add the 22 checks of each subgroup asked for (default: the study's first).")
    ] = False,
    claims: Annotated[
        Path | None, typer.Option("--claims", metavar="FILE", help="Add the published numbers of FILE beside the data's.")
    ] = None,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Compute each table of an endpoint by a second program too; exit code 1 if it differs."),
    ] = False,
    reconcile: Annotated[
        Path | None,
        typer.Option("--reconcile", metavar="FILE", help="Add another program's results, tables or data beside these numbers."),
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option("--mapping", metavar="FILE", help="Of --reconcile: which of their numbers is which of ours.")
    ] = None,
    diff: Annotated[
        str,
        typer.Option("--diff", metavar="SNAPSHOT", help="Add what changed since an earlier snapshot: its name, or previous."),
    ] = "",
    mask: MaskOption = 0,
) -> int:
    """All tables of the trial in one document: front page, contents, numbered tables that each stand alone.

    Disposition, baseline, evidence, every endpoint overall and in each subgroup asked for, forest plots, scrutiny and claims
    where asked for, safety, departures from the locked plan, the multiplicity ledger, the checks of the data. Evidence and
    forest plots hold every subgroup of the study. Write it with -o FILE: .html, .rtf, .md, .txt. A table that cannot be made
    says why in its place.
    """
    from alsbench.service.report import report as ask  # waits: duckdb, numpy

    made = ask(
        common.access,
        subgroups=subgroup or (),
        endpoints=endpoint or (),
        scrutinise=scrutinise,
        claims=claims,
        verify=verify,
        reconcile=reconcile,
        mapping=mapping,
        diff=diff,
        mask=mask,
    )
    return show(common, made)


@command(commands, "replay")
def replay(
    common: Common,
    log: Annotated[
        Path, typer.Argument(metavar="LOG", help="The log of a session; the app keeps them in its state directory.")
    ],
    listed: Annotated[bool, typer.Option("--list", help="List the commands and run none.")] = False,
    mask: MaskOption = 0,
) -> int:
    """Print every view that was looked at in a session, in order, each once, as its own command prints it.

    Data, study and workspace are those of today: the one the session was recorded on, unless -w names another. JSON is one
    array of {command, exit_code, output}. A view that cannot be shown any more says why; the exit code is then its own.
    """
    from alsbench.service import replay as service  # waits: rich
    from alsbench.service.output import Output  # waits: rich

    if common.format in (Format.HTML, Format.RTF):
        raise UsageError(
            "a session is no one document", where=f"--format {common.format.value}", hint="md, or `alsbench report` for one"
        )
    views = recorded_views(log, common.workspace if common.given else None)
    if listed:
        return show(common, Output(lambda _form: (f"{command}\n" for _, command, _, _ in views)))
    codes: list[int] = []
    shown = show(common, service.replay(common.access, views, codes, mask=mask))
    return next((code for code in codes if code), shown)
