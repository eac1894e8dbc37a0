"""Analysis of covariance on any DataFrame: ``ancova("CHG ~ ARM + BASE + SITE", data=df)``, one row for each subject.

Ordinary (or weighted) least squares with least-squares means, their differences and type 3 tests, as R's lm, emmeans and car.
The arithmetic is ``stats.ancova``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alsbench.errors import UsageError
from alsbench.models.faults import as_data_error
from alsbench.models.formula import read_formula
from alsbench.models.formula_design import FormulaDesign, build_formula_design, response_values
from alsbench.models.frames import as_frame
from alsbench.models.linear import LinearResults
from alsbench.models.rows import CompleteRows, analysed, complete_rows, formula_columns, read_weights
from alsbench.models.summary import coefficient_table, make_summary, number
from alsbench.stats.ancova import OLSFit, Robust, fit_ols
from alsbench.stats.inference import FTest
from alsbench.study.names import nearest

if TYPE_CHECKING:
    from statsmodels.iolib.summary import Summary

Array = NDArray[np.float64]
WHERE = "ancova"


class ANCOVAResults(LinearResults):
    """A least-squares fit, as ``ancova`` returns it."""

    _where = WHERE

    def __init__(
        self,
        fit: OLSFit,
        design: FormulaDesign,
        response: Array,
        index: pd.Index,
        notes: Sequence[str],
        left_out: CompleteRows,
    ) -> None:
        super().__init__(fit, design, response, index, notes)
        self._ols = fit
        self._left_out = left_out

    @property
    def df_resid(self) -> int:
        """Rows minus coefficients that are determined."""
        return self._ols.df_residual

    @property
    def scale(self) -> float:
        """Residual variance, in squared units of the response."""
        return self._ols.sigma**2

    @property
    def llf(self) -> float:
        """Normal log-likelihood at the maximum-likelihood variance, as R's logLik."""
        return self._ols.log_likelihood

    @property
    def rsquared(self) -> float:
        """Share of the sum of squares about the mean that the model explains."""
        return self._ols.r_squared

    @property
    def rsquared_adj(self) -> float:
        """``rsquared`` adjusted for the number of coefficients."""
        return self._ols.adj_r_squared

    @property
    def dropped(self) -> pd.Series:
        """Rows with a missing value, by column; a row may be missing in several. Only complete rows are analysed."""
        return pd.Series(dict(self._left_out.missing), name="rows", dtype=np.int64)

    def robust_se(self, kind: Robust = "HC3") -> pd.Series:
        """Heteroscedasticity-consistent standard errors (HC0 to HC3), as R's sandwich. UsageError for another kind."""
        if kind not in get_args(Robust):
            raise UsageError(f"unknown kind {kind!r}", where=WHERE, hint=nearest(str(kind), get_args(Robust)))
        return self._series(self._ols.robust_se(kind), f"bse_{kind}")

    def _covariance(self) -> Array:
        return self._ols.cov

    def _joint_test(self, L: Array) -> FTest:
        return self._ols.joint_test(L)

    def summary(self) -> Summary:
        """Facts of the fit and coefficients as statsmodels prints them, and ``notes``."""
        facts = [
            ("Dep. Variable", self._design.formula.response.code),
            ("Model", "ANCOVA"),
            ("Method", "Least Squares" if self._ols.weights is None else "Weighted Least Squares"),
            ("No. Observations", f"{self.nobs:,}"),
            ("Df Residuals", f"{self.df_resid:,}"),
            ("R-squared", number(self.rsquared, 3)),
            ("Adj. R-squared", number(self.rsquared_adj, 3)),
            ("Log-Likelihood", number(self.llf)),
        ]
        table = coefficient_table(self._design.names, self._coefficients)
        return make_summary("ANCOVA Results", facts, tables=[table], notes=self._notes)


def ancova(formula: str, data: Any, *, weights: Any = None) -> ANCOVAResults:
    """Fit an analysis of covariance to the rows of a frame, one row for each subject.

    ``formula`` is patsy's, read as in ``mmrm``: ``CHG ~ ARM + BASE + SITE``. ``weights`` names a column of positive numbers, or
    gives one for each row: inverse variances. Rows with a missing value in any of these columns are left out and counted. Not
    for several rows of one subject: that is ``mmrm``.

    Raises UsageError for what cannot be meant (an unknown column, with the nearest; a formula that is no formula) and DataError
    for data that leave no degrees of freedom or hold infinite values.

    Source: R's lm, emmeans, car (type 3) and sandwich, to which all numbers agree; SAS PROC GLM, LSMEANS.

    >>> import pandas as pd
    >>> import alsbench as als
    >>> df = pd.DataFrame({"ARM": ["Placebo", "Drug"] * 4, "BASE": [40, 38, 36, 41, 35, 39, 42, 37],
    ...     "CHG": [-6.0, -4, -7, -2, -8, -3, -5, -5]})
    >>> m = als.ancova("CHG ~ C(ARM, Treatment('Placebo')) + BASE", df)
    >>> print(m.ls_means("ARM").round(3).to_string())
             estimate     se   df    low   high
    ARM
    Drug       -3.614  0.256  5.0 -4.272 -2.957
    Placebo    -6.386  0.256  5.0 -7.043 -5.728
    """
    read = read_formula(formula)
    frame = as_frame(data, WHERE)
    columns = formula_columns(read, frame, WHERE)
    weight = None if weights is None else read_weights(frame, weights, WHERE)
    missing = {name: column.missing for name, column in columns.items()}
    missing |= {} if weight is None else {weight.name: weight.missing}
    rows = complete_rows(missing, WHERE)
    columns, notes = analysed(columns, rows.kept)
    with as_data_error(WHERE):
        design = build_formula_design(read, columns)
        response = response_values(read, columns)
        fit = fit_ols(response, design, weights=None if weight is None else weight.values[rows.kept])
        fit.check_inference()
    notes = [*([rows.note()] if rows.n_left_out else []), *notes]
    if fit.aliased:
        notes.append(f"the data do not determine {', '.join(fit.aliased)}: combinations of the coefficients before them")
    return ANCOVAResults(fit, design, response, frame.index[rows.kept], notes, rows)
