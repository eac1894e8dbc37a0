"""The shell command of a view, and the same asked of the service: each prints what is on the screen.

:func:`view_request` is pure: it says what a session asks. Its :meth:`~ViewRequest.command` run in the workspace gives the same
numbers as its :meth:`~ViewRequest.operation`.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alsbench.analysis.question import OVERALL, Question
from alsbench.tui.session import Session

if TYPE_CHECKING:
    from alsbench.service.output import Output

Option = str | tuple[str, ...] | bool
FLAGS = {"subgroups": "--subgroup", "comparisons": "--comparison", "visits": "--visit", "checks": "--check", "names": "--claim",
         "columns": "-c"}  # fmt: skip


@dataclass(frozen=True)
class ViewRequest:
    """A command of the shell, what it is asked about, and its options by the names they have in the service: a text, several
    of them, or a switch; what is empty is not asked for."""

    name: str
    about: tuple[str, ...] = ()
    options: Mapping[str, Option] = field(default_factory=dict)

    def command(self, workspace: str = "") -> str:
        """The line for a POSIX shell; ``workspace`` where it must be named."""
        words = ["alsbench", *self.name.split(), *self.about]
        for key, value in self.options.items():
            flag = FLAGS.get(key, f"--{key.replace('_', '-')}")
            if isinstance(value, bool):
                words += [flag] if value else []
            else:
                words += [w for text in ((value,) if isinstance(value, str) else value) if text for w in (flag, text)]
        return shlex.join([*words, *(("-w", workspace) if workspace else ())])

    @property
    def masks(self) -> bool:
        """Whether the command takes a mask: the log counts no subjects."""
        return self.name != "audit"

    def operation(self) -> Callable[..., Output]:
        """The operation of the service with its arguments, but for the access and the ``mask``."""
        from alsbench.service import (  # waits: duckdb
            audit_log,
            claims,
            endpoint,
            evidence,
            scrutiny,
            subgroups,
            subjects,
            tables,
        )

        if self.name == "verify":
            return self._verify()
        if self.name == "reconcile":
            return self._reconcile()
        if self.name == "diff":
            return self._diff()
        options: dict[str, Any] = {k: tuple(filter(None, v)) if isinstance(v, tuple) else v for k, v in self.options.items()}
        options = {key: int(value) if key == "limit" else value for key, value in options.items() if value}
        curve = options.pop("curve", False)
        operations: dict[str, Callable[..., Output]] = {
            "arms": subjects.arms,
            "audit": lambda access, mask: audit_log.log(access),  # noqa: ARG005 - it prints no count of subjects
            "chance": scrutiny.chance,
            "claims": claims.claims,
            "data": tables.rows if self.about else tables.tables,
            "endpoint": endpoint.life_table if curve else endpoint.endpoint,
            "evidence": evidence.evidence,
            "forest": evidence.forest,
            "safety": endpoint.safety,
            "scrutinise": scrutiny.scrutinise,
            "subgroup list": subgroups.listed,
            "subgroup show": subgroups.described,
            "subject": subjects.subject,
        }
        made = operations[self.name]
        return lambda access, mask: made(access, *self.about, **options, mask=mask)

    def _reconcile(self) -> Callable[..., Output]:
        from alsbench.service.reconcile import reconcile  # waits: xml

        ours, theirs = (Path(side) for side in self.about)
        mapping = Path(str(named)) if (named := self.options.get("mapping")) else None
        why = bool(self.options.get("why"))
        return lambda access, mask: reconcile(access, ours, theirs, mapping=mapping, why=why, mask=mask)

    def _diff(self) -> Callable[..., Output]:
        from alsbench.service.snapshots import diff  # waits: duckdb

        why = bool(self.options.get("why"))
        return lambda access, mask: diff(access, *self.about, why=why, mask=mask)

    def _verify(self) -> Callable[..., Output]:
        from alsbench.service.verify import verify  # waits: statsmodels

        options: dict[str, Any] = {key: value for key, value in self.options.items() if value}
        return lambda access, mask: verify(access, self.about, **options, mask=mask)


def view_request(
    session: Session,
    *,
    default_population: str = "",
    subject: str = "",
    name: str = "",
    where: str = "",
    order_by: str = "",
    columns: str = "",
    limit: str = "",
    check: str = "",
    curve: str = "",
    judge: str = "",
) -> ViewRequest:
    """What the current view asks. The rest is what the session does not hold: ``subject`` the id of the subject shown, ``name``
    the subgroup under the cursor or scrutiny, or one claim, ``where`` and ``order_by`` what a table is filtered and sorted by,
    ``columns`` its columns where they stand in another order than the file's, a tab between two, ``limit`` how many rows are
    all where the shell prints fewer unless it is told,
    ``check`` the one check shown (of claims: whether they were put to scrutiny), ``curve`` whether survival
    curves are, ``judge`` whether every small p shown has its bottom line."""
    choice, place, chosen = session.choice, session.place, session.choice.subgroups
    population = "" if choice.population == default_population else choice.population
    compared: dict[str, Option] = {"population": population, "comparisons": (choice.comparison,)}
    match place.screen:
        case "arms" if place.record is not None:
            return ViewRequest("subject", (subject,))
        case "arms" if place.arm is not None:
            return ViewRequest("data", ("ADSL",), {"where": where})
        case "subgroups":
            return ViewRequest("subgroup show", (name,)) if name else ViewRequest("subgroup list")
        case "evidence":  # which adds complements itself
            return ViewRequest(
                "evidence", (), {"subgroups": chosen or (OVERALL,), "population": population, "judge": bool(judge)}
            )
        case "endpoint":
            visit = "" if choice.visit is None else f"{choice.visit:g}"
            shown = {"model": place.tab == "model", "curve": place.tab != "model" and bool(curve)}
            asked: dict[str, Option] = {
                "subgroups": session.phrases if chosen else (),
                **compared,
                "visits": (visit,),
                **session.options,
                **shown,
            }
            return ViewRequest("endpoint", (choice.endpoint,), asked)
        case "forest":  # which takes every subgroup of the study
            return ViewRequest("forest", (choice.endpoint,), {**compared, "judge": bool(judge)})
        case "scrutiny":
            of: dict[str, Option] = {
                "subgroup": name,
                "endpoint": choice.endpoint,
                "checks": (check,),
                "population": population,
            }
            return ViewRequest("scrutinise", (), of)
        case "safety":
            return ViewRequest("safety", (), {"subgroups": (OVERALL, *chosen) if chosen else (), "population": population})
        case "claims":
            return ViewRequest("claims", (), {"names": (name,), "scrutinise": bool(check)})
        case "data" if place.table:
            names = tuple(columns.split("\t"))
            return ViewRequest(
                "data", (place.table,), {"where": where, "order_by": (order_by,), "columns": names, "limit": limit}
            )
        case screen:
            return ViewRequest("audit" if screen == "log" else screen)


def view_question(session: Session, population: str) -> Question:
    """The question behind the Endpoint screen; ``population`` is empty where it is the study's default."""
    choice, options = session.choice, session.options
    return Question(
        endpoint=choice.endpoint,
        subgroups=session.phrases,
        comparisons=(choice.comparison,) if choice.comparison else (),
        visits=() if choice.visit is None else (choice.visit,),
        population=population,
        covariance=options.get("covariance", ""),
        df=options.get("df", ""),
        method=options.get("method", ""),
    )
