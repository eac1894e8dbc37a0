"""Mixed model for repeated measures on any DataFrame: ``mmrm("CHG ~ ARM * AVISIT + BASE * AVISIT", data=df, ...)``.

y_i ~ N(X_i b, S_i(theta)), subjects independent: the covariance of a subject's visits is modelled directly, without random
effects (Mallinckrodt et al. 2008, doi 10.1177/009286150804200402). The numbers are those of R's mmrm and emmeans, and for an
unstructured covariance of SAS PROC MIXED. The arithmetic is ``stats.mmrm``; here a formula and a frame become its arrays.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alsbench.errors import DataError, UsageError
from alsbench.models.formula import Formula, build_formula_design, read_formula, response_values
from alsbench.models.frames import CategoricalColumn, Column, NumericColumn, as_data_error, as_frame, read_classes
from alsbench.models.linear import LinearResults
from alsbench.models.rows import CompleteRows, analysed, complete_rows, formula_columns, labels_of, read_weights
from alsbench.models.summary import SummaryTable, coefficient_table, make_summary, number
from alsbench.stats.contrasts import FTest
from alsbench.stats.covariance import COVARIANCES
from alsbench.stats.mmrm import Attempt, MMRMFit, fit_mmrm
from alsbench.stats.mmrm_inference import DfName
from alsbench.study.names import nearest

if TYPE_CHECKING:
    from statsmodels.iolib.summary import Summary

Array = NDArray[np.float64]
NUMBER = re.compile(r"(\d+(?:\.\d+)?)")
NUMBERED = "texts with a number"
IN_ORDER = ("toep", "toeph", "ar1", "ar1h", "ad", "adh")  # structures that depend on which visit comes after which
WHERE = "mmrm"
DF_WORDS: dict[DfName, str] = {
    "satterthwaite": "Satterthwaite",
    "kenward-roger": "Kenward-Roger",
    "kenward-roger-full": "Kenward-Roger (SAS)",
    "kenward-roger-mmrm": "Kenward-Roger (R)",
}


class MMRMResults(LinearResults[MMRMFit]):
    """A fitted mixed model for repeated measures, as ``mmrm`` returns it."""

    _where = WHERE

    def __init__(self, *fitted: Any, visits: CategoricalColumn, groups: CategoricalColumn | None) -> None:
        super().__init__(*fitted)
        self._visits = visits
        self._groups = groups

    @property
    def llf(self) -> float:
        """Log-likelihood at the optimum, restricted with REML, all constants included (R's logLik, SAS)."""
        return self._fit.log_likelihood

    @property
    def aic(self) -> float:
        """-2 llf + 2 k for k covariance parameters, as R's mmrm and SAS."""
        return self._fit.aic

    @property
    def bic(self) -> float:
        """-2 llf + k log(subjects) for k covariance parameters, as R's mmrm and SAS."""
        return self._fit.bic

    @property
    def nsubjects(self) -> int:
        """Subjects with an analysed row."""
        return self._fit.n_subjects

    @property
    def covariance(self) -> str:
        """The covariance structure of the fit."""
        return self._fit.covariance

    @property
    def df_method(self) -> str:
        """How degrees of freedom were found."""
        return self._fit.df

    @property
    def converged(self) -> bool:
        """True where the structure that was asked for reached its optimum; False where a simpler one was fitted instead."""
        return self._fit.attempts[0].converged

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """Each covariance structure tried: whether it converged and, if not, why."""
        return self._fit.attempts

    @property
    def visits(self) -> tuple[Any, ...]:
        """The visits in their order of time."""
        return self._visits.levels

    @property
    def visit_covariance(self) -> pd.DataFrame:
        """The covariance of a subject's visits in squared units of the response, (T, T); with ``covariance_by`` one such block
        for each group, the group being the outer level of the rows."""
        visits = pd.Index(list(self._visits.levels), name=self._visits.name)
        if self._groups is None:
            return pd.DataFrame(self._fit.sigma, index=visits, columns=visits)
        groups = self._groups.levels
        blocks = [pd.DataFrame(self._fit.sigma[g], index=visits, columns=visits) for g in range(len(groups))]
        return pd.concat(blocks, keys=list(groups), names=[self._groups.name])

    def _covariance(self) -> Array:
        return self._fit.vcov

    def _joint_test(self, L: Array) -> FTest:
        return self._fit.joint_test(L)

    def summary(self) -> Summary:
        """Facts of the fit, coefficients and the covariance of the visits as statsmodels prints them, and ``notes``."""
        m = self._fit
        facts = [
            ("Dep. Variable", self._design.formula.response.code),
            ("Model", "MMRM"),
            ("Method", m.method.upper()),
            ("Covariance", m.covariance + (f" by {self._groups.name}" if self._groups else "")),
            ("Df Method", DF_WORDS[m.df]),
            ("Converged", "yes" if self.converged else f"no: {m.attempts[0].covariance}; see notes"),
            ("No. Observations", f"{m.n_observations:,}"),
            ("No. Subjects", f"{m.n_subjects:,}"),
            ("No. Visits", str(len(self._visits.levels))),
            ("Log-Likelihood", number(self.llf)),
            ("AIC", number(self.aic)),
            ("BIC", number(self.bic)),
        ]
        sigma = self.visit_covariance
        stubs = [" ".join(map(str, key)) if isinstance(key, tuple) else str(key) for key in sigma.index]
        cells = [[number(x) for x in row] for row in sigma.to_numpy()]
        visits = SummaryTable("Covariance of the visits", [str(v) for v in self._visits.levels], stubs, cells)
        coefficients = coefficient_table(self._design.names, self._coefficients)
        return make_summary("MMRM Results", facts, tables=[coefficients, visits], notes=self._notes)


def mmrm(
    formula: str,
    data: Any,
    *,
    subject: str,
    visit: str,
    covariance: str = "us",
    df_method: str = "kenward-roger",
    reml: bool = True,
    weights: Any = None,
    covariance_by: str | None = None,
    fallback: bool = False,
) -> MMRMResults:
    """Fit a mixed model for repeated measures to the rows of a frame, one row for each subject and visit.

    ``formula`` is patsy's: ``CHG ~ ARM * AVISIT + BASE * AVISIT + SEX``. Text, boolean and categorical columns are
    classifications with their first level as reference (ordered ones too, where R would fit polynomials: LS means and tests are
    the same), C(X, Treatment('b')) chooses another; the functions abs, exp, expm1, log, log2, log10, log1p and sqrt, and
    arithmetic in I(...), may stand for a variable; nothing else is evaluated.
    ``subject`` and ``visit`` name columns (or levels of the index). Visits stand in the order of their categories, of their
    numbers where all are numbers (also as text) or are one text but for a number (Month 2, Month 10), else of their text: a
    covariance that depends on the order in time is then refused.
    ``covariance`` is us, toep, toeph, ar1, ar1h, cs, csh, ad or adh; ``covariance_by`` names a column whose levels have one
    each. ``df_method`` is "kenward-roger" (the linear form, R's Kenward-Roger-Linear and for us SAS's ddfm=kr),
    "kenward-roger-full" (with second derivatives in SAS's parameters), "kenward-roger-mmrm" (in those of R's mmrm; not for us),
    or "satterthwaite", the one for ``reml=False``. ``weights`` names a column of positive numbers, or gives one for each row,
    that divide the variance.

    Rows with a missing value in any of these columns are left out and counted (``m.dropped``, ``m.notes``), as in R. A
    covariance that does not converge raises; with ``fallback=True`` simpler ones follow, us -> toeph -> ar1h -> csh -> ar1 ->
    cs, each attempt kept in ``m.attempts`` and said in ``m.notes``.

    Raises UsageError for what cannot be meant (an unknown column, with the nearest; a formula that is no formula) and DataError
    for data that no such model can be fitted to (a subject with two rows at a visit, too few rows, an infinite value).

    Source: R's mmrm 0.3 and emmeans, to which coefficients, standard errors, degrees of freedom, LS means and tests agree.
    Kenward and Roger 1997, doi 10.2307/2533558; Fai and Cornelius 1996, doi 10.1080/00949659608811740.

    >>> import pandas as pd
    >>> import alsbench as als
    >>> df = pd.DataFrame({"ID": [s for s in "abcdefgh" for _ in range(2)], "VISIT": ["M1", "M2"] * 8,
    ...     "ARM": ["Drug"] * 8 + ["Placebo"] * 8,
    ...     "CHG": [-1.0, -2, 0, -1, -2, -4, -1, -1, -3, -5, -2, -5, -1, -3, -3, -6]})
    >>> m = als.mmrm("CHG ~ C(ARM, Treatment('Placebo')) * VISIT", df, subject="ID", visit="VISIT")
    >>> print(m.contrasts("ARM", by="VISIT", reference="Placebo").round(3).to_string())
                          difference     se   df      t      p    low   high
    contrast       VISIT
    Drug - Placebo M1           1.25  0.629  6.0  1.987  0.094 -0.289  2.789
                   M2           2.75  0.946  6.0  2.905  0.027  0.434  5.066
    """
    _check_options(covariance, df_method, reml)
    read = read_formula(formula)
    frame = as_frame(data, WHERE)
    columns = formula_columns(read, frame, WHERE, visit=visit)
    visits = _in_time(read_classes(frame, visit, WHERE))
    _check_visit(read, columns, visit)
    if visit in columns:
        columns[visit] = visits
    labels, no_label = labels_of(frame, subject, WHERE)
    missing = {name: column.missing for name, column in columns.items()}
    missing |= {subject: no_label, visit: visits.missing}
    weight = None if weights is None else read_weights(frame, weights, WHERE)
    group = None if covariance_by is None else read_classes(frame, covariance_by, WHERE)
    missing |= {c.name: c.missing for c in (weight, group) if c is not None}
    rows = complete_rows(missing, WHERE)
    columns, notes = analysed({**columns, visit: visits, **({} if group is None else {group.name: group})}, rows.kept)
    seen, by = columns[visit], None if group is None else columns[group.name]
    assert isinstance(seen, CategoricalColumn) and not isinstance(by, NumericColumn)  # noqa: S101 - as they were read
    _check_order(seen, covariance, fallback)
    who = labels[rows.kept]
    _check_once(who, seen, subject)
    with as_data_error(WHERE):
        design = build_formula_design(read, columns)
    response = response_values(read, columns)
    hint = f"visits in order: {', '.join(seen.labels)}; another covariance, or fallback=True, may do"
    with as_data_error(WHERE, hint):
        fit = fit_mmrm(
            response,
            design,
            who,
            seen.codes,
            n_visits=len(seen.levels),
            covariance=covariance,
            method="reml" if reml else "ml",
            df=df_method,
            weights=None if weight is None else weight.values[rows.kept],
            group=None if by is None else by.codes,
            fallback=fallback,
        )
    lost = len(set(labels[~no_label].tolist())) - fit.n_subjects
    notes = _notes(fit, rows, notes, seen, lost)
    return MMRMResults(fit, design, response, frame, rows, notes, visits=seen, groups=by)


def _check_options(covariance: str, df_method: str, reml: bool) -> None:
    if covariance not in COVARIANCES:
        hint = nearest(str(covariance), COVARIANCES)
        raise UsageError(f"unknown covariance {covariance!r}", where=WHERE, hint=hint)
    if df_method not in get_args(DfName):
        raise UsageError(f"unknown df_method {df_method!r}", where=WHERE, hint=nearest(str(df_method), get_args(DfName)))
    if not reml and df_method != "satterthwaite":
        raise UsageError("Kenward-Roger needs REML", where=WHERE, hint='with reml=False use df_method="satterthwaite"')
    if df_method == "kenward-roger-mmrm" and covariance == "us":
        what = "R mmrm's full Kenward-Roger form for us rests on a Cholesky parametrisation and is not offered"
        raise UsageError(what, where=WHERE, hint='use df_method="kenward-roger", which is SAS\'s')


def _check_visit(formula: Formula, columns: Mapping[str, Column], visit: str) -> None:
    """A visit that is a number would be a straight line over time in the mean: R's mmrm refuses it too."""
    bare = any(f.bare == visit for f in formula.factors)
    if bare and isinstance(columns[visit], NumericColumn):
        raise UsageError(
            f"{visit} is a column of numbers: in the formula it would be a straight line over time",
            where=WHERE,
            hint=f"write C({visit}) for a mean at each visit; for a straight line give a copy of the column another name",
        )


def _in_time(visits: CategoricalColumn) -> CategoricalColumn:
    """Texts that are one text but for a number (Month 2, Month 10) in the order of the number: that is the order in time."""
    parts = [NUMBER.split(label) for label in visits.labels] if visits.order == "texts" else []
    if not parts or any(len(p) != 3 for p in parts) or len({(p[0], p[2]) for p in parts}) > 1:
        return visits
    numbers = np.array([float(p[1]) for p in parts])
    if np.unique(numbers).size < numbers.size:
        return visits
    order = np.argsort(numbers)
    place = np.append(np.argsort(order), -1)
    return CategoricalColumn(visits.name, place[visits.codes], tuple(visits.levels[i] for i in order), NUMBERED)


def _check_order(visits: CategoricalColumn, covariance: str, fallback: bool) -> None:
    """UsageError where the covariance needs the order of the visits in time and their texts do not tell it."""
    needed = covariance in IN_ORDER or (fallback and covariance not in ("cs", "csh"))
    if visits.order == "texts" and len(visits.levels) > 2 and needed:
        raise UsageError(
            f"covariance {covariance} needs the order of the visits in time, which the texts of {visits.name} do not tell",
            where=WHERE,
            why=f"sorted they are: {', '.join(visits.labels)}",
            hint=f"make categories of them: pd.Categorical(data[{visits.name!r}], [first, ..., last], ordered=True)",
        )


def _check_once(subject: NDArray[Any], visit: CategoricalColumn, name: str) -> None:
    """DataError for the first subject with two analysed rows at a visit."""
    seen: set[tuple[Any, int]] = set()
    for who, when in zip(subject.tolist(), visit.codes.tolist(), strict=True):
        if (who, when) in seen:
            count = int(((subject == who) & (visit.codes == when)).sum())
            what = f"subject {who} ({name}) has {count} rows at visit {visit.labels[when]} ({visit.name})"
            hint = f"keep one row for each subject and visit: data.drop_duplicates([{name!r}, {visit.name!r}])"
            raise DataError(what, where=WHERE, hint=hint)
        seen.add((who, when))


def _notes(fit: MMRMFit, rows: CompleteRows, notes: Sequence[str], visits: CategoricalColumn, lost: int) -> list[str]:
    found = [rows.note()] if rows.n_left_out else []
    if lost:
        found.append(f"{lost} subjects have no complete row" if lost > 1 else "1 subject has no complete row")
    found += notes
    if visits.order == "texts":
        found.append(f"visits in the order of their texts: {', '.join(visits.labels)}; categories would give another")
    elif visits.order in ("texts that are numbers", NUMBERED):
        found.append(
            f"visits in the order of {'the numbers in their texts' if visits.order == NUMBERED else 'the numbers they are'}: "
            f"{', '.join(visits.labels)}"
        )
    if fit.aliased.any():
        names = ", ".join(n for n, gone in zip(fit.names, fit.aliased, strict=True) if gone)
        found.append(f"the data do not determine {names}: combinations of the coefficients before them")
    if not fit.attempts[0].converged:
        failed = "; ".join(str(a) for a in fit.attempts if not a.converged)
        found.append(f"covariance {fit.attempts[0].covariance} was asked for and {fit.covariance} is fitted ({failed})")
    if fit.df == "kenward-roger" and fit.covariance != "us":
        found.append("Kenward-Roger in its form that is linear in the covariance matrix; kenward-roger-full is SAS's ddfm=kr")
    return found
