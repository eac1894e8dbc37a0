"""``alsbench safety``: the incidence endpoints of the study."""

from __future__ import annotations

import typer

from alsbench.cli.common import Common, MaskOption, command
from alsbench.cli.endpoint import PopulationOption, SubgroupsOption
from alsbench.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "safety")(safety)


def safety(common: Common, subgroup: SubgroupsOption = None, population: PopulationOption = "", mask: MaskOption = 0) -> None:
    """Exposure, adverse event overview, classes and terms, by actual arm: the study's first incidence endpoint."""
    from alsbench.analysis.kept import cached_answer
    from alsbench.analysis.question import OVERALL, Question
    from alsbench.cli.output import emit_result
    from alsbench.service.masks import mask_answer
    from alsbench.service.trail import looked

    with common.access.opened() as source:
        name = next((n for n, e in source.study.endpoints.items() if e.method == "incidence"), None)
        if name is None:
            hint = '[endpoints.ae] with method = "incidence" and dataset = "ADAE"'
            raise UsageError("the study has no incidence endpoint", where="study.toml endpoints", hint=hint)
        phrases = tuple(dict.fromkeys(subgroup or (OVERALL,)))
        question = Question(name, subgroups=phrases, population=population)
        result = mask_answer(cached_answer(question, source), question, source, common.access.mask(mask))
        result = result.with_command(common.repeat(result.provenance.command))
        looked(common.access, result, source)
        emit_result(common, result)
