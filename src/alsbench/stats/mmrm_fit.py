"""Maximise the likelihood of a repeated-measures model: scoring steps with step-halving, finished with exact Newton steps.

Far from the optimum a step uses the expected information, which is always positive definite; near it the observed one without
the terms of order p/n (cheap), and last the exact observed information, so that the gradient vanishes to rounding and the
standard errors, which are read off the same matrix, belong to the optimum. Progress is measured by the Newton decrement
g'H^-1 g / 2, which does not depend on units: twice it is the squared distance to the optimum in standard errors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alsbench.stats.errors import NotConverged
from alsbench.stats.mmrm_likelihood import (
    Information,
    Model,
    Point,
    Slope,
    evaluate,
    expected_information,
    information,
    main_hessian,
    slope,
)

Array = NDArray[np.float64]

MAX_ITERATIONS = 120
NEAR = 0.05  # decrement below which the cheap observed information is tried
POLISH = 1e-15  # decrement below which the exact information is formed, for the last step and the standard errors
SLOW = 0.3  # share of its last value above which the decrement falls too slowly for the cheap information
PATIENCE = 10  # how often the exact information may be formed before the end
DISTANT = 1e-4  # decrement above which an exact information is not used again
DONE = 1e-21  # decrement at which the optimum has been reached
ROUNDING = 1e-16  # decrement at which it has been reached if it no longer falls
STALE = 5e-15  # an information formed further from the optimum than this (squared, in standard errors) is formed anew
NOTHING = 1e-6  # share of the expected information below which a parameter is not determined
EDGE = 1e-10  # smallest eigenvalue of a correlation matrix below which it is singular


@dataclass(frozen=True)
class Optimum:
    """Where the likelihood is greatest. ``gradient`` is the largest component in units of its parameter's standard error,
    ``condition`` the condition number of the information scaled to unit diagonal."""

    point: Point
    slope: Slope
    information: Information
    iterations: int
    gradient: float
    condition: float


@dataclass(frozen=True)
class Exact:
    """An exact information and the theta it was formed at."""

    information: Information
    theta: Array


def maximise(model: Model) -> Optimum:
    """The optimum; NotConverged with the reason if none is found inside the parameter space.

    The climb starts from the pairwise moments of the residuals and, should that fail, from their variances alone. A Toeplitz
    covariance with one variance, which may have several optima, is climbed from both and the higher one taken.
    """
    found: list[Optimum] = []
    failure: NotConverged | None = None
    for moments in (model.sums.start, tuple(np.diag(np.diag(S)) for S in model.sums.start)):
        try:
            found.append(_climb(model, np.concatenate([model.structure.start(S) for S in moments])))
        except NotConverged as error:
            failure = failure or error
        if found and model.structure.name != "toep":
            break
    if not found:
        assert failure is not None  # noqa: S101 - each climb ends in one or the other
        raise failure
    return min(found, key=lambda optimum: optimum.point.value)


def _climb(model: Model, theta: Array) -> Optimum:
    point = evaluate(model, theta)
    if point is None:
        raise NotConverged("no valid starting value")
    exact: Exact | None = None
    formed = 0
    before = np.inf
    for iteration in range(MAX_ITERATIONS + 1):
        here = slope(model, point)
        if exact is None:
            direction, decrement = _direction(model, point, here, before)
            slow = formed < PATIENCE and decrement < NEAR and decrement > SLOW * before
            if decrement < POLISH or slow:
                exact = Exact(information(model, point, here), point.theta)
                formed += 1
        if exact is not None:
            newton = _solve(exact.information.hessian, here.gradient)
            if newton is not None:
                direction, decrement = newton
                if decrement < DONE or (decrement < ROUNDING and decrement > before / 4.0):
                    return _finish(model, point, here, exact, iteration)
            elif decrement < POLISH:
                raise NotConverged("the information on the covariance parameters is singular at the optimum")
            if newton is None or decrement > DISTANT:
                exact = None
        if iteration < MAX_ITERATIONS:
            before = decrement
            point = _step(model, point, direction, decrement)
    raise NotConverged(f"no optimum after {MAX_ITERATIONS} iterations (Newton decrement {decrement:.2g})")


def _direction(model: Model, point: Point, here: Slope, before: float) -> tuple[Array, float]:
    """A descent direction and its decrement, from the cheapest information that will do."""
    if before < NEAR:
        closer = _solve(main_hessian(model, point, here), here.gradient)
        if closer is not None and closer[1] < NEAR:
            return closer
    expected = _solve(expected_information(model, point, here), here.gradient)
    if expected is None:
        raise NotConverged("the information on the covariance parameters is singular")
    return expected


def _solve(hessian: Array, gradient: Array) -> tuple[Array, float] | None:
    """Newton direction and decrement, or None unless the Hessian is positive definite."""
    diagonal = np.diag(hessian)
    if not np.all(diagonal > 0):
        return None
    d = 1.0 / np.sqrt(diagonal)
    try:
        L = np.linalg.cholesky(hessian * np.outer(d, d))
    except np.linalg.LinAlgError:
        return None
    half = np.linalg.solve(L, d * gradient)
    return -d * np.linalg.solve(L.T, half), float(half @ half) / 2.0


def _step(model: Model, point: Point, direction: Array, decrement: float) -> Point:
    """The next point: the whole step if it does not raise the value, else halves of it."""
    rounding = 1e-12 * (1.0 + abs(point.value))
    size = 1.0
    for _ in range(50):
        trial = evaluate(model, point.theta + size * direction)
        if trial is not None and trial.value <= point.value - 1e-4 * size * decrement + rounding:
            return trial
        size /= 2.0
    raise NotConverged("no step from here lowers the deviance: the covariance matrix is on the edge of being singular")


def _finish(model: Model, point: Point, here: Slope, found: Exact, iterations: int) -> Optimum:
    exact = found.information
    moved = point.theta - found.theta
    if float(moved @ exact.hessian @ moved) > STALE:
        exact = information(model, point, here)
    left = _information_left(exact.hessian, expected_information(model, point, here))
    if left < NOTHING:
        raise NotConverged("the information on the covariance parameters is singular: the data do not determine them all")
    d = 1.0 / np.sqrt(np.diag(exact.hessian))
    values = np.linalg.eigvalsh(exact.hessian * np.outer(d, d))
    for part in model.split(point.theta):
        sigma = model.structure.sigma(part)
        sd = np.sqrt(np.diag(sigma))
        if np.linalg.eigvalsh(sigma / np.outer(sd, sd))[0] < EDGE or sd.min() < 1e-7 * sd.max():
            raise NotConverged("the covariance matrix is singular")
    return Optimum(point, here, exact, iterations, float(np.abs(here.gradient * d).max()), float(values[-1] / values[0]))


def _information_left(hessian: Array, expected: Array) -> float:
    """The smallest share, over directions, of the information expected from as many subjects that the data hold; 0 if it is not
    positive definite. A parameter that the fixed effects take all the data of has none left."""
    d = 1.0 / np.sqrt(np.maximum(np.diag(expected), 1e-300))
    try:
        L = np.linalg.cholesky(expected * np.outer(d, d))
    except np.linalg.LinAlgError:
        return 0.0
    half = np.linalg.solve(L, hessian * np.outer(d, d))
    return float(np.linalg.eigvalsh(np.linalg.solve(L, half.T))[0])
