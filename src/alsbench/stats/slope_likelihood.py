"""The likelihood of the random intercept and slope model, from two rows per subject.

y_i ~ N(X_i b, Z_i G Z_i' + s I) with Z_i = [1, t_i]. Gram-Schmidt on Z_i splits each subject's data into two coordinates
that carry the random effects and a rest whose variance is s alone, so that one pass over the records leaves (m, 2, p)
arrays and every later quantity is a sum of 2 x 2 operations. The parameters are theta = (var intercept, covariance, var
slope, residual variance), in which the covariance is linear. Gradient and information as in Gilmour, Thompson and Cullis
(1995, doi 10.2307/2533274); the maximum is found by Newton steps on the Cholesky factor of G, where a singular G is a
stationary point and needs no constraint.

Degrees of freedom. Satterthwaite (Kuznetsova, Brockhoff and Christensen 2017, doi 10.18637/jss.v082.i13) takes the observed
information of the variance parameters, several degrees of freedom by Fai and Cornelius (1996), as lmerTest. Kenward and Roger
(1997, doi 10.2307/2533558) in the form of pbkrtest (Halekoh and Hojsgaard 2014, doi 10.18637/jss.v059.i09): expected
information, parameters in which the covariance is linear.

What the data determine. The restricted likelihood knows of a change D of the covariance of all records only what the fixed
effects leave of it, M D M, with M the projection off the columns of X (Harville 1977, doi 10.1080/01621459.1977.10480998).
Where that is zero for a combination of the variance parameters (as many coefficients as subjects for the intercepts; two
visits each), the likelihood is flat along it whatever the response and wherever it is evaluated. Estimates, standard errors
and degrees of freedom are then those of the point where a search happened to stop, so none is given.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from alsbench.stats.errors import NotConverged, StatsError

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

MAX_STEPS = 100
DECREMENT = 1e-11  # Newton decrement (about twice the log-likelihood still to gain) at which the last full step is taken
DETERMINED = 1e-8  # smallest eigenvalue of the scaled information of the design: below it a variance is not determined
BOUNDARY = 1e-4  # as lme4's isSingular: a random effect's SD, in residual SDs, below which G counts as singular


@dataclass(frozen=True)
class Reduced:
    """Sufficient statistics.

    ``R`` (m, 2, 2) with Z = Q R, ``X`` (m, 2, p) and ``y`` (m, 2) in Q coordinates, and the QR factors ``X_rest`` (p + 1, p),
    ``y_rest`` (p + 1,) of what is orthogonal to Q, which has ``n_rest`` dimensions.
    """

    R: Array
    X: Array
    y: Array
    X_rest: Array
    y_rest: Array
    n_rest: int
    n: int

    @property
    def p(self) -> int:
        return int(self.X.shape[2])


@dataclass(frozen=True)
class Evaluation:
    """Everything at one theta.

    ``score`` (4,), ``observed`` and ``expected`` information (4, 4), ``Phi`` = (X' V^-1 X)^-1, ``P`` (4, p, p) with
    P_r = -X' V^-1 V_r V^-1 X and ``Q`` (4, 4, p, p) with Q_rs = X' V^-1 V_r V^-1 V_s V^-1 X.
    """

    theta: Array
    loglik: float
    beta: Array
    Phi: Array
    score: Array
    observed: Array
    expected: Array
    P: Array
    Q: Array


@dataclass(frozen=True)
class SlopeOptimum:
    """The evaluation at the maximum with the random effects along the columns of ``basis`` (2, 2), the principal axes of G.

    ``phi`` are its Cholesky parameters there, the rest says what the optimiser did.
    """

    at: Evaluation
    basis: Array
    phi: Array
    steps: int
    gradient: float
    condition: float
    singular: bool

    @property
    def random_effects(self) -> Array:
        """Covariance of intercept and slope (2, 2) in the units of the data."""
        g11, g12, g22, _ = self.at.theta
        return np.asarray(self.basis @ np.array([[g11, g12], [g12, g22]]) @ self.basis.T)


def reduce(y: Array, X: Array, subject: IntArray, time: Array) -> Reduced:
    """One pass over the records (n,), (n, p), (n,), (n,); records of a subject need not be adjacent."""
    order = np.argsort(subject, kind="stable")
    s, t = subject[order], time[order]
    data = np.column_stack([X[order], y[order]])
    starts = np.flatnonzero(np.r_[True, s[1:] != s[:-1]])
    counts = np.diff(np.r_[starts, s.size])
    row = np.repeat(np.arange(starts.size), counts)
    root_n = np.sqrt(counts)
    t_mean = np.add.reduceat(t, starts) / counts
    dt = t - t_mean[row]
    spread = np.sqrt(np.add.reduceat(dt * dt, starts))
    # a subject with one distinct time has no second direction: its row stays zero, and n_rest makes up the count
    unit = dt / np.where(spread > 0, spread, 1.0)[row]
    level = np.add.reduceat(data, starts, axis=0) / root_n[:, None]
    tilt = np.add.reduceat(unit[:, None] * data, starts, axis=0)
    rest = data - (level / root_n[:, None])[row] - unit[:, None] * tilt[row]
    factor: Array = np.asarray(np.linalg.qr(rest, mode="r"))
    R = np.zeros((starts.size, 2, 2))
    R[:, 0, 0], R[:, 0, 1], R[:, 1, 1] = root_n, root_n * t_mean, spread
    both = np.stack([level, tilt], axis=1)
    return Reduced(
        R, both[:, :, :-1], both[:, :, -1], factor[:, :-1], factor[:, -1], int(s.size - 2 * starts.size), int(s.size)
    )


def evaluate(data: Reduced, theta: Array, *, reml: bool, det_G: float | None = None) -> Evaluation:
    """Log-likelihood, its derivatives and the Kenward-Roger matrices at ``theta``; no loop over subjects.

    ``det_G`` is the determinant of G where the caller knows it better than theta tells (a G that is nearly singular).
    """
    if det_G is None:
        det_G = float(theta[0] * theta[2] - theta[1] ** 2)
    v = float(theta[3])
    u1, u3 = data.R[:, :, 0], data.R[:, :, 1]
    cross = u1[:, :, None] * u3[:, None, :]
    identity = np.broadcast_to(np.eye(2), cross.shape)
    E = np.stack([u1[:, :, None] * u1[:, None, :], cross + cross.transpose(0, 2, 1), u3[:, :, None] * u3[:, None, :], identity])
    S = np.einsum("r,rmij->mij", theta, E)
    det_R = np.linalg.det(data.R)
    # det(R G R' + v I) as a sum of positive terms: the difference of products would lose the digits of a large G
    det = det_R**2 * det_G + v * (S[:, 0, 0] + S[:, 1, 1] - v)
    W = np.empty_like(S)
    W[:, 0, 0], W[:, 1, 1], W[:, 0, 1] = S[:, 1, 1] / det, S[:, 0, 0] / det, -S[:, 0, 1] / det
    W[:, 1, 0] = W[:, 0, 1]

    p, m2 = data.p, 2 * W.shape[0]
    U = W @ data.X
    F = E @ U
    flat_U, flat_F, flat_G = U.reshape(m2, p), F.reshape(4, m2, p), (W @ F).reshape(4, m2, p)
    rest_XX = data.X_rest.T @ data.X_rest
    A = data.X.reshape(m2, p).T @ flat_U + rest_XX / v
    P = -(flat_U.T @ flat_F)
    P[3] -= rest_XX / v**2
    Q = flat_F.transpose(0, 2, 1)[:, None] @ flat_G[None, :]
    Q[3, 3] += rest_XX / v**3

    chol = np.linalg.cholesky((A + A.T) / 2)
    half = np.linalg.solve(chol, np.eye(p))
    Phi = half.T @ half
    beta = Phi @ (flat_U.T @ data.y.ravel() + data.X_rest.T @ data.y_rest / v)

    r = data.y - data.X @ beta
    e = data.y_rest - data.X_rest @ beta
    ee = float(e @ e)
    Wr = np.einsum("mij,mj->mi", W, r)
    a = np.einsum("rmij,mj->rmi", E, Wr)
    quad = np.einsum("mi,rmi->r", Wr, a)
    quad[3] += ee / v**2
    z = np.einsum("mip,rmi->rp", U, a)
    z[3] += data.X_rest.T @ e / v**2
    C = np.einsum("rmi,mij,smj->rs", a, W, a, optimize=["einsum_path", (0, 1), (0, 1)])
    C[3, 3] += ee / v**3
    C -= z @ Phi @ z.T

    WE = W @ E
    trace = np.einsum("rmii->r", WE)
    trace[3] += data.n_rest / v
    K = np.einsum("rmij,smji->rs", WE, WE)
    K[3, 3] += data.n_rest / v**2
    PhiP = Phi @ P
    T = K - 2 * np.einsum("ij,rsji->rs", Phi, Q) + np.einsum("rij,sji->rs", PhiP, PhiP)

    score = -0.5 * (trace - quad)
    deviance = data.n_rest * math.log(v) + float(np.log(det).sum()) + float(Wr.ravel() @ r.ravel()) + ee / v
    dimension = data.n
    if reml:
        score -= 0.5 * np.einsum("rii->r", PhiP)
        deviance += 2 * float(np.log(np.diag(chol)).sum())
        dimension -= p
    loglik = -0.5 * (deviance + dimension * math.log(2 * math.pi))
    observed = C - 0.5 * (T if reml else K)
    return Evaluation(theta, loglik, beta, Phi, score, (observed + observed.T) / 2, (T + T.T) / 4, P, Q)


def maximise(data: Reduced, *, reml: bool) -> SlopeOptimum:
    """Newton steps with halving from moment estimates; NotConverged where no maximum identifies theta.

    The random effects are turned to the principal axes of G on the way: near a singular G, stiff and flat directions then
    do not mix, and no digits are lost.
    """
    phi, basis = _start(data), np.eye(2)
    if determined(data) < DETERMINED:
        raise NotConverged(
            "random slopes: the data do not determine the variances of intercept, slope and residual: "
            f"{data.R.shape[0]} subjects with {data.n} records for {data.p} coefficients (too few subjects or visits)"
        )
    now = _at(data, phi, reml=reml)
    for step in range(1, MAX_STEPS + 1):
        if abs(phi[1]) > 0.1 * abs(phi[0]) or abs(phi[2]) > 2 * abs(phi[0]):
            phi, axes = _principal(phi)
            basis, data = basis @ axes, replace(data, R=data.R @ axes)
            now = _at(data, phi, reml=reml)
        gradient, H = _in_phi(now, phi)
        values, vectors = np.linalg.eigh(H)
        floor = 1e-10 * max(1.0, float(np.abs(values).max()))
        move = vectors @ ((vectors.T @ gradient) / np.maximum(np.abs(values), floor))
        decrement = float(gradient @ move)
        move *= min(1.0, 2.0 / max(float(np.abs(move).max()), 1e-300))
        if decrement < DECREMENT and values[0] > -floor:
            return _finish(data, basis, phi + move, step, reml=reml)
        phi, now = _climb(data, phi, move, now, decrement, reml=reml)
        if phi[3] < -60.0:
            raise StatsError("the residual variance is zero: the lines fit every subject exactly")
    raise NotConverged(f"random slopes: no maximum after {MAX_STEPS} steps")


def determined(data: Reduced) -> float:
    """How well the design determines the variance parameters, 0 not at all: the smallest eigenvalue of their expected
    restricted information at V = I, in units of what each would have were the coefficients known.

    Scale-free: with time standardised, units of response and time do not matter, and no data of the response go in.
    """
    u1, u3 = data.R[:, :, 0], data.R[:, :, 1]
    one, both, three = (u1 * u1).sum(axis=1), (u1 * u3).sum(axis=1), (u3 * u3).sum(axis=1)
    squares = np.array([one @ one, 2 * (one @ three + both @ both), three @ three, data.n])  # traces of V_r V_r
    scale = np.sqrt(squares / 2)
    information = evaluate(data, np.array([0.0, 0.0, 0.0, 1.0]), reml=True).expected
    return float(np.linalg.eigvalsh(information / np.outer(scale, scale))[0])


def _at(data: Reduced, phi: Array, *, reml: bool) -> Evaluation:
    return evaluate(data, _theta(phi), reml=reml, det_G=float(phi[0] * phi[2]) ** 2)


def _climb(data: Reduced, phi: Array, move: Array, now: Evaluation, gain: float, *, reml: bool) -> tuple[Array, Evaluation]:
    share = 1.0
    while share > 1e-12:
        trial = phi + share * move
        new = _at(data, trial, reml=reml)
        if new.loglik >= now.loglik + 1e-4 * share * gain - 1e-12 * abs(now.loglik):
            return trial, new
        share /= 2
    raise NotConverged("random slopes: no step increases the likelihood")


def _principal(phi: Array) -> tuple[Array, Array]:
    """Parameters of the same G along its principal axes, the larger first, and the axes."""
    theta = _theta(phi)
    values, vectors = np.linalg.eigh(np.array([[theta[0], theta[1]], [theta[1], theta[2]]]))
    first = math.sqrt(max(float(values[1]), 1e-300))
    # from the determinant, not the smaller eigenvalue, which rounding may make zero or negative
    return np.array([first, 0.0, abs(float(phi[0] * phi[2])) / first, phi[3]]), vectors[:, ::-1]


def _finish(data: Reduced, basis: Array, phi: Array, steps: int, *, reml: bool) -> SlopeOptimum:
    phi, axes = _principal(phi)
    data = replace(data, R=data.R @ axes)
    last = _at(data, phi, reml=reml)
    gradient, H = _in_phi(last, phi)
    sizes = np.abs(np.linalg.eigvalsh(H))
    condition = float(sizes.max() / max(float(sizes.min()), 1e-300))
    singular = bool(phi[2] / math.exp(phi[3] / 2) < BOUNDARY)
    if condition > 1e12 and not singular:
        raise NotConverged("random slopes: the data do not separate the variance components (too few subjects or visits)")
    return SlopeOptimum(last, basis @ axes, phi, steps, float(np.abs(gradient).max()), condition, singular)


def parameter_covariance(best: SlopeOptimum) -> tuple[Array, Array]:
    """Inverse observed information (4, 4) of phi and the Jacobian (4, 4) d theta / d phi; flat directions count for nothing.

    Working in the Cholesky parameters makes this right on the boundary too: there d theta / d phi vanishes with the pinned
    parameter. Elsewhere the choice of parameters does not matter.
    """
    _, H = _in_phi(best.at, best.phi)
    values, vectors = np.linalg.eigh(H)
    keep = values > 1e-8 * max(1.0, float(values[-1]))
    V = vectors[:, keep]
    return (V / values[keep]) @ V.T, _jacobian(best.phi)


def _theta(phi: Array) -> Array:
    a, b, c, log_v = phi
    return np.array([a * a, a * b, b * b + c * c, math.exp(log_v)])


def _jacobian(phi: Array) -> Array:
    a, b, c, log_v = phi
    return np.array([[2 * a, 0, 0, 0], [b, a, 0, 0], [0, 2 * b, 2 * c, 0], [0, 0, 0, math.exp(log_v)]])


def _in_phi(at: Evaluation, phi: Array) -> tuple[Array, Array]:
    """Score and observed information by the chain rule."""
    J = _jacobian(phi)
    H = J.T @ at.observed @ J
    s = at.score
    H[0, 0] -= 2 * s[0]
    H[0, 1] -= s[1]
    H[1, 0] -= s[1]
    H[1, 1] -= 2 * s[2]
    H[2, 2] -= 2 * s[2]
    H[3, 3] -= s[3] * math.exp(phi[3])
    return J.T @ s, H


def _start(data: Reduced) -> Array:
    """Moment estimates: residual variance within lines, G from the scatter of the subjects' own lines."""
    p = data.p
    stacked = np.vstack([data.X.reshape(-1, p), data.X_rest])
    target = np.r_[data.y.ravel(), data.y_rest]
    beta = np.linalg.lstsq(stacked, target, rcond=None)[0]
    r = data.y - data.X @ beta
    e = data.y_rest - data.X_rest @ beta
    total = float((r * r).sum() + e @ e) / data.n
    if total <= 1e-24 * float(target @ target) / data.n or total == 0.0:
        raise StatsError("the residual variance is zero: the fixed effects fit every value exactly")
    v = float(e @ e) / data.n_rest if data.n_rest > 0 else total / 2
    if data.n_rest > 0 and v <= 1e-20 * total:
        raise StatsError("the residual variance is zero: a straight line fits every subject exactly")
    two = data.R[:, 1, 1] > 0
    lines = np.linalg.solve(data.R[two], r[two][:, :, None])[:, :, 0]
    G = lines.T @ lines / max(1, int(two.sum()))
    floor = np.maximum(np.diag(G) * 0.05, 1e-6 * v)
    noise = v * np.linalg.inv(data.R[two])
    G = G - np.einsum("mij,mkj->ik", noise, noise) / (v * max(1, int(two.sum())))
    d = np.maximum(np.diag(G), floor)
    a = math.sqrt(d[0])
    b = min(max(float(G[0, 1]) / a, -0.9 * math.sqrt(d[1])), 0.9 * math.sqrt(d[1]))
    return np.array([a, b, math.sqrt(d[1] - b * b), math.log(v)])


@dataclass(frozen=True)
class KenwardRoger:
    """``Phi`` and the adjusted ``adjusted`` (p, p), and what degrees of freedom need: ``W`` (4, 4), ``P`` (4, p, p)."""

    Phi: Array
    adjusted: Array
    W: Array
    P: Array


def kenward_roger(best: SlopeOptimum) -> KenwardRoger:
    """The small-sample adjusted covariance of the fixed effects; meant for REML.

    It does not depend on the basis of the random effects.
    """
    at = best.at
    W = _inverse(at.expected)
    PPhiP = np.einsum("rij,jk,skl->rsil", at.P, at.Phi, at.P)
    U = np.einsum("rs,rsij->ij", W, at.Q - PPhiP)
    adjusted = at.Phi + 2 * at.Phi @ U @ at.Phi
    return KenwardRoger(at.Phi, (adjusted + adjusted.T) / 2, W, at.P)


def kenward_roger_df(kr: KenwardRoger, L: Array) -> tuple[float, float]:
    """(denominator df, scale of F) for the rows of L (q, p)."""
    q = L.shape[0]
    Theta = L.T @ np.linalg.solve(L @ kr.Phi @ L.T, L)
    B = (Theta @ kr.Phi) @ kr.P @ kr.Phi
    trace = np.einsum("rii->r", B)
    A1 = float(trace @ kr.W @ trace)
    A2 = float(np.einsum("rs,rij,sji->", kr.W, B, B))
    if A2 <= 0.0:
        return math.inf, 1.0
    if q == 1:  # the general formula comes to this, without its divisions by nearly nothing
        return 2.0 / A2, 1.0
    spread = (A1 + 6 * A2) / (2 * q)
    g = ((q + 1) * A1 - (q + 4) * A2) / ((q + 2) * A2)
    below = 3 * q + 2 * (1 - g)
    V0, V1, V2 = 1 + g / below * spread, 1 - (q - g) / below * spread, 1 - (q + 2 - g) / below * spread
    if abs(V0) < 1e-10:
        V0 = 0.0
    # pbkrtest's .divZero: 0/0 counts as 1
    ratio = 1.0 if abs(1 - A2 / q) < 1e-14 and abs(V1) < 1e-14 else (1 - A2 / q) / V1
    rho = ratio**2 * V0 / V2 / q if V2 != 0.0 else math.inf
    df = 4 + (q + 2) / (q * rho - 1) if q * rho != 1.0 else math.inf
    if math.isinf(df):
        return df, 1.0 - A2 / q
    scale = 1.0 if abs(df - 2) < 1e-2 else df * (1 - A2 / q) / (df - 2)
    return float(df), float(scale)


@dataclass(frozen=True)
class Satterthwaite:
    """``Phi`` (p, p), its derivatives (4, p, p) in the optimiser's parameters and their covariance (4, 4)."""

    Phi: Array
    derivatives: Array
    parameters: Array


def satterthwaite(best: SlopeOptimum) -> Satterthwaite:
    """What single and several degrees of freedom need, at the optimum."""
    covariance, J = parameter_covariance(best)
    at = best.at
    by_theta = -(at.Phi @ at.P @ at.Phi)
    return Satterthwaite(at.Phi, np.einsum("rk,rij->kij", J, by_theta), covariance)


def satterthwaite_df(s: Satterthwaite, L: Array) -> Array:
    """Degrees of freedom (k,) of each row of L (k, p): 2 v^2 / (g' A g)."""
    variance = np.einsum("ki,ij,kj->k", L, s.Phi, L)
    g = np.einsum("ki,rij,kj->kr", L, s.derivatives, L)
    return np.asarray(2 * variance**2 / np.einsum("kr,rs,ks->k", g, s.parameters, g))


def satterthwaite_f(s: Satterthwaite, L: Array, estimate: Array) -> tuple[float, float]:
    """(F, denominator df) of the rows of L (q, p), of full row rank, whose estimates are (q,)."""
    values, vectors = np.linalg.eigh(L @ s.Phi @ L.T)
    nu = satterthwaite_df(s, vectors.T @ L)
    t2 = (vectors.T @ estimate) ** 2 / values
    q = nu.size
    f = float(t2.mean())
    if q == 1:
        return f, float(nu[0])
    if float(np.ptp(nu)) < 1e-8:
        return f, float(nu.mean())
    if nu.min() <= 2.0:
        return f, 2.0
    E = float((nu / (nu - 2)).sum())
    return f, 2 * E / (E - q)


def f_p_value(f: float, num_df: int, den_df: float) -> float:
    """Upper tail of F; chi-square where the denominator df are infinite."""
    from scipy.special import chdtrc, fdtrc  # waits: scipy

    return float(chdtrc(num_df, f * num_df) if np.isinf(den_df) else fdtrc(num_df, den_df, f))


def _inverse(information: Array) -> Array:
    """Inverse of the information, or its pseudo-inverse where a variance is not determined at all (pbkrtest's 1e-10)."""
    scale = np.sqrt(np.abs(np.diag(information)))
    scale[scale == 0] = 1.0
    values, vectors = np.linalg.eigh(information / np.outer(scale, scale))
    keep = np.abs(values) > 1e-10 * np.abs(values).max()
    V = vectors[:, keep]
    inverse: Array = (V / values[keep]) @ V.T / np.outer(scale, scale)
    return inverse
