"""The shell twin of a view: the exact command that prints what is on the screen, and the question it asks.

``command(session, ...)`` is pure text from the session; running it in the workspace prints the same numbers.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from alsbench.analysis.question import Question
from alsbench.tui.session import Session


def question(session: Session) -> Question:
    """The question behind the Endpoint screen."""
    choice = session.choice
    options = session.options
    return Question(
        endpoint=choice.endpoint,
        subgroups=session.phrases,
        comparisons=(choice.comparison,) if choice.comparison else (),
        visits=() if choice.visit is None else (choice.visit,),
        population=choice.population,
        covariance=options.get("covariance", ""),
        df=options.get("df", ""),
        method=options.get("method", ""),
    )


def command(
    session: Session, *, workspace: str = "", default_population: str = "", subject: str = "", name: str = "", where: str = ""
) -> str:
    """The command of the current view. ``subject`` is the id of the subject shown, ``name`` the subgroup under the cursor,
    ``where`` the filter of the Data screen: things the session does not hold."""
    choice, place = session.choice, session.place
    words = ["alsbench", *_words(session, subject=subject, name=name, where=where)]
    if place.screen in {"evidence", "endpoint", "forest", "safety"}:
        words += _asked(session, default_population)
    if place.screen == "endpoint":
        words += _flags({"--comparison": choice.comparison, "--visit": "" if choice.visit is None else f"{choice.visit:g}"})
        words += _flags({f"--{key}": value for key, value in choice.options})
    if workspace:
        words += ["-w", workspace]
    return shlex.join(words)


def _words(session: Session, *, subject: str, name: str, where: str) -> list[str]:
    choice, place = session.choice, session.place
    match place.screen:
        case "arms" if place.record is not None:
            return ["subject", subject]
        case "arms" if place.arm is not None:
            return ["data", "ADSL"]
        case "subgroups":
            return ["subgroup", "show", name] if name else ["subgroup", "list"]
        case "endpoint" | "forest":
            return [place.screen, choice.endpoint]
        case "scrutiny":
            return ["scrutinise"]
        case "data":
            return ["data", place.table or "ADSL", *_flags({"--where": where})]
        case "log":
            return ["audit"]
        case screen:
            return [screen]


def _asked(session: Session, default_population: str) -> list[str]:
    """Subgroup and population flags. Evidence and forest add overall and complements themselves; endpoint is told."""
    choice = session.choice
    phrases = session.phrases if session.screen == "endpoint" and choice.subgroups else choice.subgroups
    words = [word for phrase in phrases for word in ("--subgroup", phrase)]
    if choice.population and choice.population != default_population:
        words += ["--population", choice.population]
    return words


def _flags(values: Mapping[str, str]) -> list[str]:
    return [word for flag, value in values.items() if value for word in (flag, value)]
