"""The shell command of a view: the exact one that prints what is on the screen, and the question it asks.

``view_command(session, ...)`` is pure text from the session; running it in the workspace prints the same numbers.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from alsbench.analysis.question import Question
from alsbench.tui.session import Session


def view_question(session: Session, population: str) -> Question:
    """The question behind the Endpoint screen; ``population`` is empty where it is the study's default."""
    choice = session.choice
    options = session.options
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


def view_command(
    session: Session,
    *,
    workspace: str = "",
    default_population: str = "",
    subject: str = "",
    name: str = "",
    where: str = "",
    order_by: str = "",
    check: str = "",
    curve: str = "",
) -> str:
    """The command of the current view; empty where the shell has none. The rest is what the session does not hold: ``subject``
    the id of the subject shown, ``name`` the subgroup under the cursor or scrutiny, or one claim, ``where`` and ``order_by``
    what a table is filtered and sorted by, ``check`` the one check shown (of claims: whether they were put to scrutiny),
    ``curve`` whether survival curves are."""
    choice, place = session.choice, session.place
    words = _words(session, subject=subject, name=name, where=where, order_by=order_by, check=check)
    if not words:
        return ""
    words = ["alsbench", *words]
    if place.screen in {"evidence", "endpoint", "forest", "safety"}:
        words += _asked(session, default_population)
    if place.screen == "scrutiny" and choice.population not in {"", default_population}:
        words += ["--population", choice.population]
    if place.screen in {"endpoint", "forest"}:
        words += _flags({"--comparison": choice.comparison})
    if place.screen == "endpoint":
        words += _flags({"--visit": "" if choice.visit is None else f"{choice.visit:g}"})
        words += _flags({f"--{key}": value for key, value in choice.options})
        words += ["--model"] if place.tab == "model" else ["--curve"] if curve else []
    if workspace:
        words += ["-w", workspace]
    return shlex.join(words)


def _words(session: Session, *, subject: str, name: str, where: str, order_by: str, check: str) -> list[str]:
    choice, place = session.choice, session.place
    match place.screen:
        case "arms" if place.record is not None:
            return ["subject", subject]
        case "arms" if place.arm is not None:
            return ["data", "ADSL", *_flags({"--where": where})]
        case "subgroups":
            return ["subgroup", "show", name] if name else ["subgroup", "list"]
        case "endpoint" | "forest":
            return [place.screen, choice.endpoint]
        case "scrutiny":
            return ["scrutinise", *_flags({"--subgroup": name, "--endpoint": choice.endpoint, "--check": check})]
        case "claims":
            return ["claims", *_flags({"--claim": name}), *(["--scrutinise"] if check else [])]
        case "data":
            return ["data", place.table, *_flags({"--where": where, "--order-by": order_by})] if place.table else ["data"]
        case "log":
            return ["audit"]
        case screen:
            return [screen]


def _asked(session: Session, default_population: str) -> list[str]:
    """Subgroup and population flags. Evidence adds complements itself, forest takes every subgroup of the study; endpoint and
    safety give what they are told."""
    choice = session.choice
    phrases: tuple[str, ...] = {
        "evidence": choice.subgroups or ("overall",),
        "forest": (),
        "safety": ("overall", *choice.subgroups) if choice.subgroups else (),
    }.get(session.screen, session.phrases if choice.subgroups else ())
    words = [word for phrase in phrases for word in ("--subgroup", phrase)]
    if choice.population and choice.population != default_population:
        words += ["--population", choice.population]
    return words


def _flags(values: Mapping[str, str]) -> list[str]:
    return [word for flag, value in values.items() if value for word in (flag, value)]
