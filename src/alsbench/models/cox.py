"""Cox regression on any DataFrame: ``cox("DAY ~ ARM + AGE", data=df, event="DEATH", strata="SITE")``, one row for each subject.

Proportional hazards by partial likelihood (Cox 1972, doi 10.1111/j.2517-6161.1972.tb00899.x), ties by Efron or Breslow. The
arithmetic is ``stats.cox``, and its numbers are those of R's survival.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from alsbench.errors import UsageError
from alsbench.models.formula import FormulaDesign, build_formula_design, read_formula, response_values
from alsbench.models.frames import CategoricalColumn, as_data_error, as_frame
from alsbench.models.rows import (
    CompleteRows,
    analysed,
    combined,
    complete_rows,
    formula_columns,
    listed,
    read_events,
    read_strata,
)
from alsbench.models.summary import PrintableResults, SummaryTable, make_summary, number, p_value
from alsbench.stats.cox import CoxFit, Ties, fit_cox
from alsbench.stats.errors import StatsError
from alsbench.study.names import nearest

if TYPE_CHECKING:
    from statsmodels.iolib.summary import Summary

Array = NDArray[np.float64]
WHERE = "cox"


class CoxResults(PrintableResults):
    """A fitted Cox model, as ``cox`` returns it."""

    def __init__(
        self, fit: CoxFit, design: FormulaDesign, strata: Sequence[str], notes: Sequence[str], left_out: CompleteRows
    ) -> None:
        self._fit, self._design, self._strata = fit, design, tuple(strata)
        self._notes = (*notes, *fit.notes)
        self._left_out = left_out

    def _series(self, values: Array, name: str) -> pd.Series:
        return pd.Series(values, index=list(self._fit.names), name=name, dtype=np.float64)

    @property
    def formula(self) -> str:
        """The formula as it was given."""
        return self._design.formula.text

    @property
    def params(self) -> pd.Series:
        """Log hazard ratios by patsy's names, NaN where one is infinite or not determined (``notes`` say which)."""
        return self._series(self._fit.beta, "params")

    @property
    def bse(self) -> pd.Series:
        """Standard errors of the log hazard ratios."""
        return self._series(self._fit.se, "bse")

    @property
    def tvalues(self) -> pd.Series:
        """Log hazard ratios over their standard errors: z."""
        return self._series(self._fit.beta / self._fit.se, "tvalues")

    @property
    def pvalues(self) -> pd.Series:
        """Two-sided p-values of Wald's test of each coefficient."""
        return self._series(2.0 * ndtr(-np.abs(self._fit.beta / self._fit.se)), "pvalues")

    def conf_int(self, alpha: float = 0.05) -> pd.DataFrame:
        """Wald limits of the log hazard ratios, of level 1 - alpha: columns 0 (low) and 1 (high)."""
        half = float(ndtri(1.0 - _alpha(alpha) / 2)) * self._fit.se
        return pd.DataFrame({0: self._fit.beta - half, 1: self._fit.beta + half}, index=list(self._fit.names))

    def cov_params(self) -> pd.DataFrame:
        """Covariance of the log hazard ratios."""
        names = list(self._fit.names)
        return pd.DataFrame(self._fit.vcov, index=names, columns=names)

    @property
    def llf(self) -> float:
        """Log partial likelihood."""
        return self._fit.log_likelihood

    @property
    def llnull(self) -> float:
        """Log partial likelihood with all coefficients zero."""
        return self._fit.log_likelihood_null

    @property
    def nobs(self) -> int:
        """Subjects analysed."""
        return self._fit.n

    @property
    def nevents(self) -> int:
        """Events among them."""
        return self._fit.events

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know: rows left out, hazard ratios that are infinite or not determined."""
        return self._notes

    @property
    def dropped(self) -> pd.Series:
        """Rows with a missing value, by column; a row may be missing in several."""
        return self._left_out.dropped

    def hazard_ratios(self, level: float = 0.95) -> pd.DataFrame:
        """Hazard ratios with Wald limits: hr, low, high, z, p. Where there is none it is a row of NaN, and a column ``note``
        says why: an infinite one is never a number."""
        _alpha(1.0 - level)
        rows, reasons = [], []
        for name in self._fit.names:
            try:
                h = self._fit.hazard_ratio(name, level=level)
                rows.append([h.hr, h.low, h.high, h.z, h.p])
                reasons.append("")
            except StatsError as error:
                rows.append([np.nan] * 5)
                reasons.append(str(error))
        table = pd.DataFrame(rows, index=list(self._fit.names), columns=["hr", "low", "high", "z", "p"])
        if any(reasons):
            table["note"] = reasons
        return table

    @property
    def tests(self) -> pd.DataFrame:
        """Likelihood-ratio, Wald and score tests that all coefficients are zero: chisq, df, p."""
        found = {"likelihood ratio": self._fit.likelihood_ratio, "wald": self._fit.wald, "score": self._fit.score}
        return pd.DataFrame({k: [getattr(t, k) for t in found.values()] for k in ("chisq", "df", "p")}, index=list(found))

    def proportional_hazards(self) -> pd.DataFrame:
        """Score tests that each term's hazard ratio does not change with time, and GLOBAL, as R's cox.zph (transform "km"):
        chisq, df, p. DataError where a hazard ratio is infinite."""
        with as_data_error(WHERE):
            found = self._fit.proportional_hazards()
        return pd.DataFrame({k: [getattr(t, k) for t in found.values()] for k in ("chisq", "df", "p")}, index=list(found))

    def tidy(self, alpha: float = 0.05) -> pd.DataFrame:
        """The coefficients as one frame, in the columns of pyfixest's ``tidy()`` (z in place of t)."""
        limits = self.conf_int(alpha)
        table = {
            "Estimate": self._fit.beta,
            "Std. Error": self._fit.se,
            "z value": self.tvalues.to_numpy(),
            "Pr(>|z|)": self.pvalues.to_numpy(),
            f"{100 * alpha / 2:g}%": limits[0].to_numpy(),
            f"{100 * (1 - alpha / 2):g}%": limits[1].to_numpy(),
        }
        return pd.DataFrame(table, index=pd.Index(self._fit.names, name="Coefficient"))

    def summary(self) -> Summary:
        """Facts of the fit and hazard ratios as statsmodels prints them, and ``notes``."""
        test = self._fit.likelihood_ratio
        facts = [
            ("Dep. Variable", self._design.formula.response.code),
            ("Model", "Cox"),
            ("Ties", self._fit.ties),
            ("Strata", ", ".join(self._strata) or "none"),
            ("No. Observations", f"{self.nobs:,}"),
            ("No. Events", f"{self.nevents:,}"),
            ("Log-Likelihood", number(self.llf)),
            ("LR Chi2", f"{number(test.chisq, 3)} on {test.df} df, p {p_value(test.p)}"),
        ]
        ratios = self.hazard_ratios()
        cells = [
            [number(b), number(s), number(r.hr), number(r.z, 3), p_value(r.p), number(r.low), number(r.high)]
            for b, s, r in zip(self._fit.beta, self._fit.se, ratios.itertuples(), strict=True)
        ]
        heads = ["log HR", "std err", "HR", "z", "P>|z|", "[0.025", "0.975]"]
        return make_summary("Cox Results", facts, tables=[SummaryTable("", heads, self._fit.names, cells)], notes=self._notes)


def _alpha(alpha: float) -> float:
    if not 0.0 < alpha < 1.0:
        raise UsageError(f"a confidence level lies between 0 and 1, not {1.0 - alpha:g}", where=WHERE)
    return alpha


def cox(formula: str, data: Any, *, event: str, strata: str | Sequence[str] | None = None, ties: str = "efron") -> CoxResults:
    """Fit a Cox model to the rows of a frame, one row for each subject.

    ``formula`` is patsy's, read as in ``mmrm``: left of ~ the time of the event or of the last contact, right the covariates,
    an intercept being no part of the model. ``event`` is True or 1 where the time is that of an event. Each combination of the
    columns ``strata`` has a baseline hazard of its own. ``ties`` is "efron" or "breslow". Rows with a missing value in any of
    these columns are left out and counted. A hazard ratio that is infinite (no event on one side) is said, and never a number.

    Raises UsageError for what cannot be meant (an unknown column, with the nearest; an event that is neither 1 nor 0) and
    DataError for data without events, or in which no covariate varies.

    Source: Cox 1972, doi 10.1111/j.2517-6161.1972.tb00899.x; Efron 1977; R's survival, to which all numbers agree.

    >>> import pandas as pd
    >>> import alsbench as als
    >>> df = pd.DataFrame({"DAY": [90.0, 120, 200, 365, 60, 100, 150, 365], "DEATH": [1, 1, 0, 0, 1, 1, 1, 0],
    ...     "ARM": ["Drug"] * 4 + ["Placebo"] * 4})
    >>> m = als.cox("DAY ~ C(ARM, Treatment('Placebo'))", df, event="DEATH")
    >>> m.hazard_ratios()[["hr", "low", "high", "p"]].round(3).iloc[0].to_dict()
    {'hr': 0.579, 'low': 0.096, 'high': 3.486, 'p': 0.551}
    """
    read = read_formula(formula)
    if () not in read.terms:
        read = replace(read, terms=((), *read.terms))  # it is part of the baseline hazard, and only shapes the coding
    frame = as_frame(data, WHERE)
    if ties not in get_args(Ties):
        raise UsageError(f"unknown ties={ties!r}", where=WHERE, hint=nearest(str(ties), get_args(Ties)))
    columns = formula_columns(read, frame, WHERE)
    events = read_events(frame, event, WHERE)
    layers = read_strata(frame, listed(strata), WHERE)
    missing = {name: c.missing for name, c in {**columns, event: events, **layers}.items()}
    rows = complete_rows(missing, WHERE)
    columns, notes = analysed(columns, rows.kept)
    parts = [c.take(rows.kept).codes for c in layers.values() if isinstance(c, CategoricalColumn)]
    with as_data_error(WHERE):
        design = build_formula_design(read, columns)
        fit = fit_cox(
            response_values(read, columns),
            events.values[rows.kept] == 1,
            design,
            strata=combined(parts) if parts else None,
            ties=ties,  # type: ignore[arg-type]
        )
    notes = [*([rows.note()] if rows.n_left_out else []), *notes]
    return CoxResults(fit, design, listed(strata), notes, rows)
