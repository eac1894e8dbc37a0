"""What every linear model on a frame answers: coefficients by statsmodels' names, LS means, contrasts and tests by term; and
the analysis of covariance, ``ancova("CHG ~ ARM + BASE + SITE", data=df)``, one row for each subject.

The numbers come from ``stats``; here they get the frame's words: coefficients named as patsy names them, levels as they stand
in the data, errors with the nearest name. ANCOVA is ordinary (or weighted) least squares, as R's lm, emmeans and car.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from alsbench.errors import UsageError
from alsbench.models.formula import FormulaDesign, build_formula_design, read_formula, response_values
from alsbench.models.frames import as_data_error, as_frame, label_of
from alsbench.models.rows import CompleteRows, analysed, complete_rows, formula_columns, read_weights
from alsbench.models.summary import PrintableResults, coefficient_table, make_summary, number
from alsbench.stats.ancova import OLSFit, Robust, fit_ols
from alsbench.stats.contrasts import Contrasts, FTest
from alsbench.stats.design import Term, Weights
from alsbench.stats.lsmeans import Against, Cells, ls_differences, ls_means
from alsbench.study.names import nearest

if TYPE_CHECKING:
    from statsmodels.iolib.summary import Summary

if TYPE_CHECKING:
    from statsmodels.iolib.summary import Summary


Array = NDArray[np.float64]
WHERE = "ancova"


class Fit(Protocol):
    """A fitted model that estimates and tests linear combinations of its coefficients."""

    def contrast(self, L: ArrayLike, *, level: float = ...) -> Contrasts: ...

    def coefficients(self, *, level: float = ...) -> Contrasts: ...


F = TypeVar("F", bound=Fit)


class LinearResults(PrintableResults, Generic[F]):
    """A linear model fitted to rows of a frame: the part that does not depend on how its covariance is modelled."""

    _where = "model"

    def __init__(
        self,
        fit: F,
        design: FormulaDesign,
        response: Array,
        frame: pd.DataFrame,
        rows: CompleteRows,
        notes: Sequence[str],
    ) -> None:
        self._fit = fit
        self._design = design
        self._response = response
        self._index = frame.index[rows.kept]
        self._rows = rows
        self._notes = tuple(notes)

    @property
    def formula(self) -> str:
        """The formula as it was given."""
        return self._design.formula.text

    @property
    def nobs(self) -> int:
        """Rows the model was fitted to."""
        return self._response.size

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of these numbers must know: rows and levels left out, coefficients that the data do not determine."""
        return self._notes

    @property
    def dropped(self) -> pd.Series:
        """Rows with a missing value, by column; a row may be missing in several. Only complete rows are analysed."""
        return self._rows.dropped

    @cached_property
    def _coefficients(self) -> Contrasts:
        with as_data_error(self._where):
            return self._fit.coefficients()

    def _series(self, values: Array, name: str) -> pd.Series:
        return pd.Series(values, index=list(self._design.names), name=name, dtype=np.float64)

    @property
    def params(self) -> pd.Series:
        """Coefficients by patsy's names, NaN where the data do not determine one."""
        return self._series(self._coefficients.estimate, "params")

    @property
    def bse(self) -> pd.Series:
        """Standard errors of the coefficients."""
        return self._series(self._coefficients.se, "bse")

    @property
    def df(self) -> pd.Series:
        """Degrees of freedom of each coefficient's t."""
        return self._series(self._coefficients.df, "df")

    @property
    def tvalues(self) -> pd.Series:
        """Coefficients over their standard errors."""
        return self._series(self._coefficients.t, "tvalues")

    @property
    def pvalues(self) -> pd.Series:
        """Two-sided p-values of the coefficients."""
        return self._series(self._coefficients.p, "pvalues")

    def conf_int(self, alpha: float = 0.05) -> pd.DataFrame:
        """Confidence limits of level 1 - alpha: a row for each coefficient, columns 0 (low) and 1 (high)."""
        with as_data_error(self._where):
            found = self._fit.coefficients(level=_level(1.0 - alpha))
        return pd.DataFrame({0: found.low, 1: found.high}, index=list(self._design.names))

    def cov_params(self) -> pd.DataFrame:
        """Covariance of the coefficients, the one the standard errors come from (Kenward-Roger: adjusted)."""
        names = list(self._design.names)
        return pd.DataFrame(self._covariance(), index=names, columns=names)

    @abstractmethod
    def _covariance(self) -> Array: ...

    @cached_property
    def _fitted(self) -> Array:
        beta = np.nan_to_num(self._coefficients.estimate, nan=0.0)
        return np.asarray(self._design.X @ beta, dtype=np.float64)

    @property
    def fittedvalues(self) -> pd.Series:
        """The mean of each analysed row, X b: a Series on the labels and in the order of the frame's index."""
        return pd.Series(self._fitted, index=self._index, name="fittedvalues")

    @property
    def resid(self) -> pd.Series:
        """Response minus fitted value of each analysed row, in the order of the frame; rows left out are absent, so that
        ``m.resid.reindex(data.index)`` puts them back as missing."""
        return pd.Series(self._response - self._fitted, index=self._index, name="resid")

    def tidy(self, alpha: float = 0.05) -> pd.DataFrame:
        """The coefficients as one frame, in the columns of pyfixest's ``tidy()`` and df."""
        limits = self.conf_int(alpha)
        c = self._coefficients
        table = {
            "Estimate": c.estimate,
            "Std. Error": c.se,
            "df": c.df,
            "t value": c.t,
            "Pr(>|t|)": c.p,
            f"{100 * alpha / 2:g}%": limits[0].to_numpy(),
            f"{100 * (1 - alpha / 2):g}%": limits[1].to_numpy(),
        }
        return pd.DataFrame(table, index=pd.Index(self._design.names, name="Coefficient"))

    def ls_means(
        self,
        specs: str | Sequence[str],
        by: str | Sequence[str] | None = None,
        *,
        weights: Weights = "equal",
        at: Mapping[str, float] | None = None,
        level: float = 0.95,
    ) -> pd.DataFrame:
        """Least-squares means of the levels of ``specs`` within those of ``by``, as R's emmeans and SAS's LSMEANS.

        Other factors are averaged with equal weights, or with ``weights="proportional"`` as often as their levels were observed
        (SAS: OM); covariates stand at their mean over the analysed rows, or where ``at`` puts them, a function of a column at
        the column's mean. A column of two numbers is a covariate, where emmeans takes it for a factor: write C(X). Index: the
        levels; columns estimate, se, df, low, high in the units of the response. A mean that the data do not determine is a row
        of NaN, and a column ``note`` then says why. UsageError for a name that is no factor of the model.
        """
        names = self._factors(specs, by)
        self._check(weights, at)
        with as_data_error(self._where):
            cells = ls_means(self._fit, self._design, names, weights=weights, at=at, level=_level(level))
        index = self._index_of([self._levels(names, label) for label in cells.labels], names)
        return _table(cells, index, {"estimate": "estimate", "se": "se", "df": "df", "low": "low", "high": "high"})

    def contrasts(
        self,
        factor: str,
        by: str | Sequence[str] | None = None,
        *,
        reference: Any = None,
        against: Against = "reference",
        weights: Weights = "equal",
        at: Mapping[str, float] | None = None,
        level: float = 0.95,
    ) -> pd.DataFrame:
        """Differences of least-squares means: every other level of ``factor`` minus ``reference`` (its first level unless
        given), or with ``against="pairwise"`` every later level minus every earlier one, within the levels of ``by``.

        Index: contrast ("Drug - Placebo") and the levels of ``by``; columns difference, se, df, t, p (two-sided), low, high,
        not adjusted for their number. Weights and covariates as in ``ls_means``. UsageError for an unknown factor or level.
        """
        names = self._factors(factor, by)
        self._check(weights, at)
        if against not in get_args(Against):
            raise UsageError(f"unknown against={against!r}", where=self._where, hint="known: reference, pairwise")
        labels = self._design.factor(names[0]).levels
        base = labels[0] if reference is None else label_of(reference)
        if base not in labels:
            raise UsageError(f"{names[0]} has no level {base}", where=self._where, hint=nearest(base, labels))
        with as_data_error(self._where):
            cells = ls_differences(
                self._fit,
                self._design,
                names[0],
                by=names[1:],
                reference=base,
                against=against,
                weights=weights,
                at=at,
                level=_level(level),
            )
        keys = [(" - ".join(label[:2]), *self._levels(names[1:], label[2:])) for label in cells.labels]
        columns = {"difference": "estimate", "se": "se", "df": "df", "t": "t", "p": "p", "low": "low", "high": "high"}
        return _table(cells, self._index_of(keys, ["contrast", *names[1:]]), columns)

    def test(self, term: str | ArrayLike) -> FTest:
        """The F test of a term of the model ("ARM:AVISIT", type 3), or that all rows of a matrix (m, p) of contrasts are zero,
        on the degrees of freedom of the model's own method. UsageError for an unknown term."""
        L = self._type3(self._design.term(term)) if isinstance(term, str) else np.atleast_2d(np.asarray(term, float))
        if L.shape[1:] != (len(self._design.names),):
            what = f"a contrast has {L.shape[-1]} entries, the model {len(self._design.names)} coefficients"
            raise UsageError(what, where=self._where)
        if not isinstance(term, str) and (not np.all(np.isfinite(L)) or not L.any()):
            raise UsageError("the contrasts are all zero, or not finite", where=self._where)
        with as_data_error(self._where):
            return self._joint_test(L)

    def _type3(self, term: Term) -> Array:
        return self._design.type3(term)

    @abstractmethod
    def _joint_test(self, L: Array) -> FTest: ...

    def anova(self, type: int = 3) -> pd.DataFrame:
        """Type 3 tests of every term, in the order of the model: num_df, den_df, F and p (SAS's type 3, R's car::Anova with
        sum-to-zero coding). UsageError for another type, for a model without an intercept or without a margin of a term."""
        if type != 3:
            raise UsageError(f"type {type} tests are not offered", where=self._where, hint="type=3")
        terms = [term for term in self._design.terms if term]
        tests = [self.test(":".join(term)) for term in terms]
        rows = {"num_df": [t.num_df for t in tests], "den_df": [t.den_df for t in tests], "F": [t.f for t in tests]}
        return pd.DataFrame({**rows, "p": [t.p for t in tests]}, index=pd.Index([":".join(t) for t in terms], name="term"))

    def _factors(self, *groups: str | Sequence[str] | None) -> list[str]:
        names = [name for group in groups if group is not None for name in ([group] if isinstance(group, str) else group)]
        for name in names:
            if name not in self._design.classes:
                covariate = any(v.name == name for v in self._design.variables)
                what = f"{name} is a covariate of the model, no factor" if covariate else f"the model has no factor {name}"
                hint = (
                    f"C({name}) in the formula makes classes of it" if covariate else nearest(str(name), self._design.classes)
                )
                raise UsageError(what, where=self._where, hint=hint)
        if len(set(names)) < len(names) or not names:
            raise UsageError("each factor is named once" if names else "name a factor", where=self._where)
        return names

    def _check(self, weights: str, at: Mapping[str, float] | None) -> None:
        if weights not in get_args(Weights):
            raise UsageError(f"unknown weights {weights!r}", where=self._where, hint=f"known: {', '.join(get_args(Weights))}")
        covariates = [v.name for v in self._design.variables if v.name not in self._design.classes]
        for name, value in (at or {}).items():
            if name not in covariates:
                raise UsageError(f"the model has no covariate {name}", where=self._where, hint=nearest(str(name), covariates))
            if not isinstance(value, (int, float, np.number)) or not np.isfinite(value):
                raise UsageError(f"{name} is put at {value}, which is no finite number", where=self._where)

    def _levels(self, names: Sequence[str], labels: Sequence[str]) -> tuple[Any, ...]:
        """Labels of the design as the levels they are in the data."""
        pairs = zip(names, labels, strict=True)
        return tuple(self._design.classes[n].levels[self._design.factor(n).levels.index(x)] for n, x in pairs)

    @staticmethod
    def _index_of(keys: Sequence[tuple[Any, ...]], names: Sequence[str]) -> pd.Index:
        if len(names) == 1:
            return pd.Index([key[0] for key in keys], name=names[0])
        return pd.MultiIndex.from_tuples(keys, names=names)


def _table(cells: Cells, index: pd.Index, columns: Mapping[str, str]) -> pd.DataFrame:
    table = pd.DataFrame({name: getattr(cells.values, source) for name, source in columns.items()}, index=index)
    if any(cells.errors):
        table["note"] = [error or "" for error in cells.errors]
    return table


def _level(level: float) -> float:
    if not isinstance(level, (int, float, np.number)) or not 0.0 < level < 1.0:
        raise UsageError(f"a confidence level lies between 0 and 1, not {level}")
    return level


class ANCOVAResults(LinearResults[OLSFit]):
    """A least-squares fit, as ``ancova`` returns it."""

    _where = WHERE

    @property
    def df_resid(self) -> int:
        """Rows minus coefficients that are determined."""
        return self._fit.df_residual

    @property
    def scale(self) -> float:
        """Residual variance, in squared units of the response."""
        return self._fit.sigma**2

    @property
    def llf(self) -> float:
        """Normal log-likelihood at the maximum-likelihood variance, as R's logLik."""
        return self._fit.log_likelihood

    @property
    def rsquared(self) -> float:
        """Share of the sum of squares about the mean that the model explains."""
        return self._fit.r_squared

    @property
    def rsquared_adj(self) -> float:
        """``rsquared`` adjusted for the number of coefficients."""
        return self._fit.adj_r_squared

    def robust_se(self, kind: Robust = "HC3") -> pd.Series:
        """Heteroscedasticity-consistent standard errors (HC0 to HC3), as R's sandwich. UsageError for another kind."""
        if kind not in get_args(Robust):
            raise UsageError(f"unknown kind {kind!r}", where=WHERE, hint=nearest(str(kind), get_args(Robust)))
        return self._series(self._fit.robust_se(kind), f"bse_{kind}")

    def _covariance(self) -> Array:
        return self._fit.cov

    def _joint_test(self, L: Array) -> FTest:
        return self._fit.joint_test(L)

    def summary(self) -> Summary:
        """Facts of the fit and coefficients as statsmodels prints them, and ``notes``."""
        facts = [
            ("Dep. Variable", self._design.formula.response.code),
            ("Model", "ANCOVA"),
            ("Method", "Least Squares" if self._fit.weights is None else "Weighted Least Squares"),
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
    return ANCOVAResults(fit, design, response, frame, rows, notes)
