"""Everything a repeated-measures likelihood needs from the data, as one Gram matrix per pattern of observed visits.

At one visit most columns of the model matrix are zero (the other visits' dummies) or repeat each other (an intercept and its
visit dummy). The few distinct ones are written as u = [s, t_1, ..., t_T]: columns s that do not change within a subject
(arm, baseline) and columns t_v that do (a covariate measured at the visit, the response). A row of the model matrix is then
[s, t_v] C_v with a coefficient matrix C_v per visit. Subjects who were observed at the same visits share their covariance
matrix, so that the Gram matrix of u over such a pattern is all that is kept: from there on the cost of the likelihood, its
derivatives and the small-sample corrections grows with the number of patterns and not with the number of subjects.

The basis is made orthonormal and the response replaced by its least-squares residual first, so that no digits are lost to
large means (Bjorck 1967, doi 10.1007/BF01934122).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alsbench.stats.errors import StatsError
from alsbench.stats.mmrm_layout import SubjectVisitRows, distinct_columns, visit_rows

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Patterns:
    """The subjects of one covariance group, by pattern of observed visits.

    ``masks`` (g, T) is 1.0 where a visit was observed, ``counts`` (g,) subjects. Gram blocks over the subjects of a pattern:
    ``ss`` (g, s*s) of subject-level columns, ``st`` (T, g, s*t) of these with the columns of visit w, ``tt`` (g, T, T, t*t)
    between the columns of two visits. The response is the last of the t columns. ``stand_ins`` (m, s + T*t) are rows u with the
    same Gram matrix as the subjects of the pattern ``stand_in_pattern`` (m,): the subjects themselves, or where they are many
    the triangular factor of their rows.
    """

    masks: Array
    counts: Array
    ss: Array
    st: Array
    tt: Array
    stand_ins: Array
    stand_in_pattern: IntArray
    n_s: int
    n_t: int

    @property
    def n(self) -> int:
        return int(self.counts.size)

    @property
    def n_visits(self) -> int:
        return int(self.masks.shape[1])

    def weigh(self, V: Array) -> Array:
        """sum over subjects of u' V_g u, laid out by visit: V (g, T, T) symmetric -> (T*r, T*r) with r = n_s + n_t."""
        g, T = self.n, self.n_visits
        s, t = self.n_s, self.n_t
        H = np.empty((T, s + t, T, s + t))
        flat = V.reshape(g, T * T)
        H[:, :s, :, :s] = (flat.T @ self.ss).reshape(T, T, s, s).transpose(0, 2, 1, 3)
        cross = np.matmul(V.transpose(1, 2, 0), self.st).reshape(T, T, s, t)  # (w, v, s, t)
        H[:, :s, :, s:] = cross.transpose(1, 2, 0, 3)
        H[:, s:, :, :s] = cross.transpose(0, 3, 1, 2)
        H[:, s:, :, s:] = np.einsum("gvw,gvwx->vwx", V, self.tt).reshape(T, T, t, t).transpose(0, 2, 1, 3)
        return H.reshape(T * (s + t), T * (s + t))

    def weigh_many(self, V: Array) -> Array:
        """``weigh`` for k symmetric weights at once: V (g, k, T, T) -> (k, T*r, T*r)."""
        g, k, T = V.shape[0], V.shape[1], self.n_visits
        s, t = self.n_s, self.n_t
        H = np.empty((k, T, s + t, T, s + t))
        flat = V.reshape(g, k * T * T)
        H[:, :, :s, :, :s] = (flat.T @ self.ss).reshape(k, T, T, s, s).transpose(0, 1, 3, 2, 4)
        by_visit = np.ascontiguousarray(V.transpose(2, 1, 3, 0)).reshape(T, k * T, g)
        cross = np.matmul(by_visit, self.st).reshape(T, k, T, s, t)  # (w, k, v, s, t)
        H[:, :, :s, :, s:] = cross.transpose(1, 2, 3, 0, 4)
        H[:, :, s:, :, :s] = cross.transpose(1, 0, 4, 2, 3)
        tt = np.einsum("gkp,gpx->kpx", V.reshape(g, k, T * T), self.tt.reshape(g, T * T, t * t))
        H[:, :, s:, :, s:] = tt.reshape(k, T, T, t, t).transpose(0, 1, 3, 2, 4)
        return H.reshape(k, T * (s + t), T * (s + t))

    def outer_products(self, W: Array, Cw: Array) -> Array:
        """sum over subjects of (u' W_g[:, a] Cw)' (u' W_g[:, b] Cw) for every two visits a, b: Cw (T*r, c) -> (T, c, T, c)."""
        T, s, t = self.n_visits, self.n_s, self.n_t
        coefficients = Cw.reshape(T, s + t, -1)
        by_visit = self.stand_ins[:, s:].reshape(-1, T, t).transpose(1, 0, 2)
        rows = np.matmul(self.stand_ins[:, :s], coefficients[:, :s]) + np.matmul(by_visit, coefficients[:, s:])  # (T, m, c)
        weighted = np.matmul(W[self.stand_in_pattern], rows.transpose(1, 0, 2))  # (m, T, c)
        flat = weighted.reshape(weighted.shape[0], -1)
        products: Array = flat.T @ flat
        return products.reshape(T, Cw.shape[1], T, Cw.shape[1])

    def spread(self, K: Array) -> Array:
        """The reverse of ``weigh``: for coefficients K = sum of c c', (T*r, T*r), the moments sum over subjects of
        (u_v c_v)(u_w c_w)', one (T, T) per pattern: (g, T, T). Entries outside the pattern are to be ignored."""
        g, T = self.n, self.n_visits
        s, t = self.n_s, self.n_t
        K4 = K.reshape(T, s + t, T, s + t)
        out = (self.ss @ K4[:, :s, :, :s].transpose(1, 3, 0, 2).reshape(s * s, T * T)).reshape(g, T, T)
        # (w, g, st) @ (w, st, v): coefficients K[v, s, w, t]
        cross = np.matmul(self.st, K4[:, :s, :, s:].transpose(2, 1, 3, 0).reshape(T, s * t, T))  # (w, g, v)
        out += cross.transpose(1, 2, 0) + cross.transpose(1, 0, 2)
        out += np.einsum("gvwx,vwx->gvw", self.tt, K4[:, s:, :, s:].transpose(0, 2, 1, 3).reshape(T, T, t * t))
        return out


@dataclass(frozen=True)
class Sums:
    """The data of a fit, reduced. ``C`` (T*r, p+1) maps the distinct columns to an orthonormal basis of the model matrix, whose
    last column picks the response; coefficients of the basis become those of the model by ``beta_ols + scale * (back @ b)``.
    ``log_det_back`` is log|det back| and ``sum_log_weights`` what weights add to the log-likelihood."""

    groups: tuple[Patterns, ...]
    C: Array
    back: Array
    beta_ols: Array
    scale: float
    log_det_back: float
    sum_log_weights: float
    n_subjects: int
    n_observations: int
    visit_counts: IntArray
    start: tuple[Array, ...]  # per group, covariance of the least-squares residuals (T, T), in units of scale

    @property
    def p(self) -> int:
        return int(self.back.shape[0])

    @property
    def n_patterns(self) -> int:
        return sum(g.n for g in self.groups)

    @property
    def n_visits(self) -> int:
        return self.groups[0].n_visits


def build_sums(y: Array, X: Array, layout: SubjectVisitRows, weights: Array | None) -> Sums:
    """Reduce ``y`` (n,) and a full-rank ``X`` (n, p) to their pattern sums. StatsError where nothing varies."""
    if weights is not None:
        root = np.sqrt(weights)
        y, X = y * root, X * root[:, None]
    S, Z, C = distinct_columns(X, layout)
    seen = layout.seen
    Y = np.where(seen, y[layout.row], 0.0)
    C, back, log_det, b = _orthonormal_basis(S, Z, Y, C, seen)
    T, p = seen.shape[1], back.shape[0]
    fitted = np.einsum("isr,sr->is", visit_rows(S, Z), (C @ b).reshape(T, -1))
    R = np.where(seen, Y - fitted, 0.0)
    df = y.size - p
    size = float(np.sqrt((R**2).sum() / df))
    if not size > 1e-10 * float(np.sqrt((Y**2).sum() / y.size)) or size < 1e-150:
        raise StatsError("the response does not vary about the model: there is no residual variance to estimate")
    R /= size
    groups = tuple(_patterns(S, Z, R, seen, layout.group == k) for k in range(layout.n_groups))
    n_r = C.shape[0] // T
    with_response = np.zeros((T, n_r + 1, p + 1))
    with_response[:, :n_r, :p] = C.reshape(T, n_r, p)
    with_response[:, n_r, p] = 1.0
    start = tuple(_residual_covariance(R[layout.group == k], seen[layout.group == k]) for k in range(layout.n_groups))
    return Sums(
        groups=groups,
        C=with_response.reshape(T * (n_r + 1), p + 1),
        back=back,
        beta_ols=back @ b,
        scale=size,
        log_det_back=log_det,
        sum_log_weights=0.0 if weights is None else float(np.log(weights).sum()),
        n_subjects=seen.shape[0],
        n_observations=y.size,
        visit_counts=seen.sum(axis=0).astype(np.int64),
        start=start,
    )


def _orthonormal_basis(S: Array, Z: Array, Y: Array, C: Array, seen: NDArray[np.bool_]) -> tuple[Array, Array, float, Array]:
    """C for a basis of the model matrix that is orthonormal over the analysed rows, the map back to the model's coefficients,
    the log of its determinant, and the least-squares coefficients of that basis. Cholesky, twice, of the Gram matrix."""
    T, p = seen.shape[1], C.shape[1]
    B = visit_rows(S, Z) * seen[:, :, None]
    gram = np.matmul(B.transpose(1, 2, 0), B.transpose(1, 0, 2))  # (T, r, r)
    C3 = C.reshape(T, -1, p)
    back = np.eye(p)
    log_det = 0.0
    for _ in range(3):
        XX = np.matmul(C3.transpose(0, 2, 1), np.matmul(gram, C3)).sum(axis=0)
        d = 1.0 / np.sqrt(np.diag(XX))
        try:
            L = np.linalg.cholesky(XX * np.outer(d, d))
        except np.linalg.LinAlgError:
            raise StatsError("the model matrix is too nearly collinear to be fitted") from None
        step = (np.linalg.inv(L) * d).T
        C3 = C3 @ step
        back = back @ step
        log_det += float(np.log(np.diag(L)).sum() - np.log(d).sum())
    b = np.matmul(C3.transpose(0, 2, 1), np.einsum("ivr,iv->vr", B, Y)[:, :, None])[:, :, 0].sum(axis=0)
    return C3.reshape(-1, p), back, -log_det, b


def _patterns(S: Array, Z: Array, R: Array, seen: NDArray[np.bool_], members: NDArray[np.bool_]) -> Patterns:
    who = np.flatnonzero(members)
    bits = np.packbits(seen[who], axis=1)
    keys = np.zeros((who.size, -(-bits.shape[1] // 8) * 8), dtype=np.uint8)
    keys[:, : bits.shape[1]] = bits
    words = keys.view(">u8").astype(np.uint64)
    if words.shape[1] == 1:
        _, first, code = np.unique(words[:, 0], return_index=True, return_inverse=True)
    else:
        _, first, code = np.unique(words, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(code.reshape(-1), kind="stable")
    counts = np.bincount(code.reshape(-1))
    masks = seen[who[first]].astype(np.float64)
    T, s, t = seen.shape[1], S.shape[1], Z.shape[2] + 1
    stacked = np.concatenate([Z[who[order]], R[who[order], :, None]], axis=2) * seen[who[order], :, None]
    U = np.concatenate([S[who[order]], stacked.reshape(who.size, T * t)], axis=1)
    G = np.empty((counts.size, U.shape[1], U.shape[1]))
    ends = np.cumsum(counts)
    stand_ins: list[Array] = []
    for g, (end, count) in enumerate(zip(ends.tolist(), counts.tolist(), strict=True)):
        block = U[end - count : end]
        G[g] = block.T @ block
        stand_ins.append(block if count <= U.shape[1] else np.asarray(np.linalg.qr(block, mode="r"), dtype=np.float64))
    of_pattern = np.repeat(np.arange(counts.size), [x.shape[0] for x in stand_ins])
    n = counts.size
    st = G[:, :s, s:].reshape(n, s, T, t).transpose(2, 0, 1, 3).reshape(T, n, s * t)
    tt = G[:, s:, s:].reshape(n, T, t, T, t).transpose(0, 1, 3, 2, 4).reshape(n, T, T, t * t)
    ss = G[:, :s, :s].reshape(n, s * s)
    return Patterns(
        masks,
        counts.astype(np.float64),
        ss,
        np.ascontiguousarray(st),
        np.ascontiguousarray(tt),
        np.concatenate(stand_ins),
        of_pattern.astype(np.int64),
        s,
        t,
    )


def _residual_covariance(R: Array, seen: NDArray[np.bool_]) -> Array:
    """Pairwise moments of the residuals (T, T), shrunk towards their diagonal until positive definite."""
    pairs = seen.astype(np.float64).T @ seen.astype(np.float64)
    moments = (R.T @ R) / np.maximum(pairs, 1.0)
    overall = float((R**2).sum() / max(seen.sum(), 1))
    variances = np.diag(moments)
    variances = np.where(variances > 1e-4 * overall, variances, max(overall, 1e-8))
    root = np.sqrt(np.outer(variances, variances))
    correlations = np.where(pairs > 0, np.clip(moments / root, -0.99, 0.99), 0.0)
    np.fill_diagonal(correlations, 1.0)
    for _ in range(100):
        if np.linalg.eigvalsh(correlations).min() > 0.02:
            break
        correlations = 0.9 * correlations + 0.1 * np.eye(R.shape[1])
    S: Array = correlations * root
    return S
