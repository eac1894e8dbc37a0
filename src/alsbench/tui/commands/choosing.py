"""Choosing what is asked: endpoint, comparison, visit, population, options, and undoing a choice."""

from __future__ import annotations

from alsbench.tui import actions as act
from alsbench.tui.commands.model import CHOOSE, COMPARISON_SCREENS, ENDPOINT_SCREENS, Build, Command
from alsbench.tui.session import OPTIONS, Catalogue, Session, neighbour, next_visit


def _step_endpoint(step: int) -> Build:
    return lambda s, c: act.SetEndpoint(neighbour(c.endpoints, s.choice.endpoint, step)) if c.endpoints else None


def _step_comparison(step: int) -> Build:
    return lambda s, c: act.SetComparison(neighbour(c.comparisons, s.choice.comparison, step)) if c.comparisons else None


def _step_visit(step: int) -> Build:
    def build(session: Session, catalogue: Catalogue) -> act.Action | None:
        visits = catalogue.visits_of(session.choice.endpoint)
        return act.SetVisit(next_visit(visits, session.choice.visit, step)) if visits else None

    return build


def _visit(text: str) -> act.Action | None:
    return act.SetVisit(None if text in {"", "all"} else float(text.split()[-1]))


def _option(text: str) -> act.Action | None:
    name, _, value = text.partition(" ")
    return act.SetOption(name, value.strip()) if name in OPTIONS else None


def _undo(session: Session, _: Catalogue) -> act.Action | None:
    return act.Undo() if session.past else None


def _redo(session: Session, _: Catalogue) -> act.Action | None:
    return act.Redo() if session.future else None


COMMANDS: tuple[Command, ...] = (
    Command(
        "comparison.next",
        "Next comparison",
        ("]",),
        "Next comparison",
        build=_step_comparison(1),
        group=CHOOSE,
        screens=COMPARISON_SCREENS,
        idle="the study has no other comparison",
        footer="comparison",
        rank=9,
    ),
    Command(
        "comparison.previous",
        "Previous comparison",
        ("[",),
        "Previous comparison",
        build=_step_comparison(-1),
        group=CHOOSE,
        screens=COMPARISON_SCREENS,
        idle="the study has no other comparison",
    ),
    Command(
        "endpoint.next",
        "Next endpoint",
        ("}",),
        "Next endpoint",
        build=_step_endpoint(1),
        group=CHOOSE,
        screens=ENDPOINT_SCREENS,
        idle="the study has no other endpoint",
        footer="endpoint",
        rank=8,
    ),
    Command(
        "endpoint.previous",
        "Previous endpoint",
        ("{",),
        "Previous endpoint",
        build=_step_endpoint(-1),
        group=CHOOSE,
        screens=ENDPOINT_SCREENS,
        idle="the study has no other endpoint",
    ),
    Command(
        "visit.next",
        "Next visit",
        (">",),
        "Next visit; past the last come all visits",
        build=_step_visit(1),
        group=CHOOSE,
        screens=frozenset({"endpoint"}),
        idle="this endpoint has no visits to choose from",
        footer="visit",
        rank=12,
    ),
    Command(
        "visit.previous",
        "Previous visit",
        ("<",),
        "Previous visit",
        build=_step_visit(-1),
        group=CHOOSE,
        screens=frozenset({"endpoint"}),
        idle="this endpoint has no visits to choose from",
    ),
    Command("endpoint", "Endpoint", (), "Choose an endpoint", argument="endpoint", with_argument=act.SetEndpoint, group=CHOOSE),
    Command(
        "comparison",
        "Comparison",
        (),
        "Choose a comparison",
        argument="comparison",
        with_argument=act.SetComparison,
        group=CHOOSE,
    ),
    Command(
        "population",
        "Population",
        (),
        "Choose the analysis set",
        argument="population",
        with_argument=act.SetPopulation,
        group=CHOOSE,
    ),
    Command("visit", "Visit", (), "Choose a visit number, or all", argument="visit", with_argument=_visit, group=CHOOSE),
    Command(
        "option",
        "Option",
        (),
        "Set covariance, df or method; without a value the study's own",
        argument="option",
        with_argument=_option,
        group=CHOOSE,
    ),
    Command("undo", "Undo", ("u",), "Undo the last change of choice", build=_undo, group=CHOOSE, idle="nothing to undo"),
    Command("redo", "Redo", ("ctrl+r",), "Redo what was undone", build=_redo, group=CHOOSE, idle="nothing to redo"),
)
