"""``alsbench arms``: who is in the trial, by planned arm."""

from __future__ import annotations

from typing import Annotated

import typer

from alsbench.cli.common import Common, command


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "arms")(arms)


def arms(
    common: Common,
    subgroup: Annotated[
        str, typer.Option("--subgroup", "-s", metavar="S", help="Count members of this subgroup only.")
    ] = "overall",
) -> None:
    """Subjects per planned arm: randomised, in each population, discontinued, dead."""
    from alsbench.analysis.roster import arm_counts
    from alsbench.analysis.subgroups import members
    from alsbench.cli.output import emit_sheets
    from alsbench.cli.source import about, opened
    from alsbench.render.sheet import Field, Sheet

    with opened(common) as source:
        whole = subgroup == "overall"
        member = None if whole else members(source, subgroup)
        counts = arm_counts(source, None if member is None else member.mask)
        names = list(source.study.populations.flags)
        fields = (
            Field("arm", "Arm"),
            Field("label", "Label"),
            Field("randomised", "Randomised", number=True),
            *(Field(name, name, number=True) for name in names),
            Field("discontinued", "Discontinued", number=True),
            Field("deaths", "Deaths", number=True),
        )
        records = tuple(
            (c.arm, c.label or None, c.randomised, *(c.populations[n] for n in names), c.discontinued, c.deaths) for c in counts
        )
        facts = about(source)
        if member is not None:
            facts += (("Subgroup", f"{member.phrase}: {member.definition}{' [post hoc]' if member.post_hoc else ''}"),)
        emit_sheets(common, Sheet("arms", "Arms", fields, records, facts))
