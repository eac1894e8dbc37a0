"""Random slopes on any DataFrame: ``slopes("AVAL ~ MONTH * ARM + AGE", data=df, subject="USUBJID", time="MONTH")``.

A linear mixed model with a random intercept and slope for each subject. The arithmetic is ``stats.slopes``; its numbers are
those of R's lme4 at its optimum, with lmerTest's Satterthwaite or pbkrtest's Kenward-Roger inference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from alsbench.errors import UsageError
from alsbench.models.formula import build_formula_design, read_formula, response_values
from alsbench.models.frames import CategoricalColumn, as_data_error, as_frame, label_of, read_numbers
from alsbench.models.linear import LinearResults
from alsbench.models.rows import analysed, complete_rows, formula_columns, labels_of
from alsbench.models.summary import coefficient_table, make_summary, number
from alsbench.stats.contrasts import Contrasts, FTest, t_contrasts
from alsbench.stats.design import Term
from alsbench.stats.slopes import DfMethod, SlopeFit, arm_slopes, fit_slopes, percent_slowing, slope_differences
from alsbench.study.names import nearest

if TYPE_CHECKING:
    from statsmodels.iolib.summary import Summary

Array = NDArray[np.float64]
WHERE = "slopes"


@dataclass(frozen=True)
class BoundFit:
    """A fit with its method of inference."""

    fit: SlopeFit
    df: DfMethod

    def contrast(self, L: ArrayLike, *, level: float = 0.95) -> Contrasts:
        return self.fit.contrast(np.asarray(L, dtype=np.float64), df=self.df, level=level)

    def coefficients(self, *, level: float = 0.95) -> Contrasts:
        aliased = self.fit.design.aliased
        found = self.contrast(np.eye(aliased.size)[~aliased], level=level)
        columns = []
        for name in ("estimate", "se", "df"):
            column = np.full(aliased.size, np.nan)
            column[~aliased] = getattr(found, name)
            columns.append(column)
        return t_contrasts(*columns, level=level)


class SlopeResults(LinearResults[BoundFit]):
    """A fitted random slopes model, as ``slopes`` returns it."""

    _where = WHERE

    @property
    def llf(self) -> float:
        """Log-likelihood at the optimum, restricted with REML (lme4's logLik)."""
        return self._fit.fit.log_likelihood

    @property
    def aic(self) -> float:
        """-2 llf + 2 k, k counting coefficients and four (co)variances, as lme4."""
        return self._fit.fit.aic

    @property
    def bic(self) -> float:
        """-2 llf + k log(rows), as lme4."""
        return self._fit.fit.bic

    @property
    def nsubjects(self) -> int:
        """Subjects with an analysed row."""
        return self._fit.fit.n_subjects

    @property
    def df_method(self) -> str:
        """How degrees of freedom were found."""
        return self._fit.df

    @property
    def scale(self) -> float:
        """Residual variance, in squared units of the response."""
        return self._fit.fit.residual_variance

    @property
    def random_effects_cov(self) -> pd.DataFrame:
        """Covariance of a subject's intercept and slope (2, 2), in the units of the response and of time."""
        names = ["Intercept", self._fit.fit.time_name]
        return pd.DataFrame(self._fit.fit.G, index=names, columns=names)

    @property
    def singular(self) -> bool:
        """True where a variance is zero, or intercept and slope are perfectly correlated."""
        return self._fit.fit.singular

    def slopes(self, factor: str, *, level: float = 0.95) -> pd.DataFrame:
        """The slope at each level of ``factor``, other factors averaged with equal weights: estimate, se, df, low, high, in the
        units of the response per unit of time."""
        (name,) = self._factors(factor)
        with as_data_error(WHERE):
            found = arm_slopes(self._fit.fit, factor=name, df=self._fit.df, level=level)
        index = pd.Index(list(self._design.classes[name].levels), name=name)
        return pd.DataFrame({n: getattr(found, n) for n in ("estimate", "se", "df", "low", "high")}, index=index)

    def slope_differences(self, factor: str, *, reference: Any = None, level: float = 0.95) -> pd.DataFrame:
        """Every other level's slope minus that of ``reference`` (the first level unless given): difference, se, df, t, p, low,
        high. UsageError for an unknown factor or level."""
        (name,) = self._factors(factor)
        base = self._level_of(name, self._design.classes[name].labels[0] if reference is None else reference)
        with as_data_error(WHERE):
            found = slope_differences(self._fit.fit, factor=name, reference=base, df=self._fit.df, level=level)
        others = [x for x in self._design.classes[name].labels if x != base]
        names = ("se", "df", "t", "p", "low", "high")
        columns = {"difference": found.estimate, **{n: getattr(found, n) for n in names}}
        return pd.DataFrame(columns, index=pd.Index([f"{x} - {base}" for x in others], name="contrast"))

    def percent_slowing(self, factor: str, treatment: Any, reference: Any, *, level: float = 0.95) -> pd.Series:
        """100 (1 - slope of treatment / slope of reference), positive where decline is slower: percent, se, df, Fieller's
        limits and the shape of their set, and symmetric limits (delta method). DataError where the reference slope is 0."""
        (name,) = self._factors(factor)
        one, zero = self._level_of(name, treatment), self._level_of(name, reference)
        with as_data_error(WHERE):
            found = percent_slowing(self._fit.fit, one, zero, factor=name, df=self._fit.df, level=level)
        return pd.Series(vars(found), name=f"{one} against {zero}")

    def _level_of(self, factor: str, level: Any) -> str:
        labels = self._design.classes[factor].labels
        label = label_of(level)
        if label not in labels:
            raise UsageError(f"{factor} has no level {level}", where=WHERE, hint=nearest(label, labels))
        return label

    def _covariance(self) -> Array:
        return self._fit.fit.vcov_adjusted if self._fit.df == "kenward-roger" else self._fit.fit.vcov

    def _type3(self, term: Term) -> Array:
        return self._design.type3(term, basis="first")  # the basis of lmerTest, on which its Satterthwaite df depend

    def _joint_test(self, L: Array) -> FTest:
        return self._fit.fit.f_test(L, df=self._fit.df)

    def summary(self) -> Summary:
        """Facts of the fit and coefficients as statsmodels prints them, and ``notes``."""
        G = self._fit.fit.G
        facts = [
            ("Dep. Variable", self._design.formula.response.code),
            ("Model", "Random slopes"),
            ("Method", "REML" if self._fit.fit.reml else "ML"),
            ("Df Method", "Kenward-Roger" if self._fit.df == "kenward-roger" else "Satterthwaite"),
            ("No. Observations", f"{self.nobs:,}"),
            ("No. Subjects", f"{self.nsubjects:,}"),
            ("Log-Likelihood", number(self.llf)),
            ("Var(Intercept)", number(G[0, 0])),
            (f"Var({self._fit.fit.time_name})", number(G[1, 1])),
            ("Covariance", number(G[0, 1])),
            ("Residual Var", number(self.scale)),
            ("Singular", "yes" if self.singular else "no"),
        ]
        table = coefficient_table(self._design.names, self._coefficients)
        return make_summary("Random Slopes Results", facts, tables=[table], notes=self._notes)


def slopes(
    formula: str, data: Any, *, subject: str, time: str, df_method: str = "kenward-roger", reml: bool = True
) -> SlopeResults:
    """Fit a linear mixed model with a random intercept and slope over ``time`` for each ``subject``; one row for each record.

    ``formula`` is patsy's, read as in ``mmrm``, and gives the mean: ``AVAL ~ MONTH * ARM + AGE``, baseline records included.
    For arms that share their mean at time 0 leave the arm's main effect out: ``AVAL ~ MONTH + MONTH:ARM``. ``time`` names a
    column of numbers, in the unit slopes are wanted in. ``df_method`` is "kenward-roger" (pbkrtest's) or "satterthwaite"
    (lmerTest's; the one for ``reml=False``). Rows with a missing value in any of these columns are left out and counted.

    Raises UsageError for what cannot be meant (an unknown column, with the nearest) and DataError for data that do not
    determine the model (one time, a perfect fit).

    Source: R's lme4 (Bates et al. 2015, doi 10.18637/jss.v067.i01), lmerTest and pbkrtest, to which all numbers agree.

    >>> import pandas as pd
    >>> import alsbench as als
    >>> df = pd.DataFrame({"ID": [s for s in "abcdef" for _ in range(3)], "MONTH": [0.0, 6, 12] * 6,
    ...     "ARM": ["Drug"] * 9 + ["Placebo"] * 9,
    ...     "AVAL": [40.0, 36, 35, 38, 33, 30, 42, 38, 31, 39, 31, 26, 41, 36, 28, 37, 31, 22]})
    >>> m = als.slopes("AVAL ~ MONTH * C(ARM, Treatment('Placebo'))", df, subject="ID", time="MONTH")
    >>> m.slopes("ARM").estimate.round(3).to_dict()
    {'Drug': -0.667, 'Placebo': -1.139}
    >>> round(m.percent_slowing("ARM", "Drug", "Placebo").percent, 1)
    41.5
    """
    if df_method not in get_args(DfMethod):
        raise UsageError(f"unknown df_method {df_method!r}", where=WHERE, hint=nearest(str(df_method), get_args(DfMethod)))
    if not reml and df_method != "satterthwaite":
        raise UsageError("Kenward-Roger needs REML", where=WHERE, hint='with reml=False use df_method="satterthwaite"')
    read = read_formula(formula)
    frame = as_frame(data, WHERE)
    columns = formula_columns(read, frame, WHERE)
    times = read_numbers(frame, time, WHERE)
    if time in columns and isinstance(columns[time], CategoricalColumn):
        raise UsageError(f"{time} is a classification in the formula, where a slope needs numbers", where=WHERE)
    labels, unnamed = labels_of(frame, subject, WHERE)
    missing = {name: c.missing for name, c in columns.items()} | {subject: unnamed, time: times.missing}
    rows = complete_rows(missing, WHERE)
    columns, notes = analysed(columns, rows.kept)
    codes = pd.factorize(pd.Series(labels[rows.kept], dtype=object))[0].astype(np.int64)
    with as_data_error(WHERE):
        design = build_formula_design(read, columns)
        response = response_values(read, columns)
        fit = fit_slopes(response, design, codes, times.values[rows.kept], reml=reml, time_name=time)
    notes = [*([rows.note()] if rows.n_left_out else []), *notes, *fit.notes]
    bound = BoundFit(fit, df_method)  # type: ignore[arg-type]
    return SlopeResults(bound, design, response, frame, rows, notes)
