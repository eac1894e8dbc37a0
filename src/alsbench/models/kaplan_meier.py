"""Survival curves on any DataFrame: Kaplan-Meier by group, medians, log-rank tests and restricted means.

One row for each subject. Kaplan and Meier 1958, doi 10.1080/01621459.1958.10501452; the arithmetic is ``stats.survival`` and
``stats.rmst``, and its numbers are those of R's survival and survRM2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from alsbench.errors import UsageError
from alsbench.models.frames import CategoricalColumn, NumericColumn, as_data_error, as_frame, label_of, read_classes
from alsbench.models.rows import CompleteRows, analysed, combined, complete_rows, listed, read_events, read_finite, read_strata
from alsbench.models.summary import PrintableResults, SummaryTable, make_summary, number, p_value
from alsbench.stats.survival import ConfType, Rmst, SurvivalCurve, log_rank, rmst, rmst_difference
from alsbench.stats.survival import kaplan_meier as curve_of
from alsbench.study.names import nearest

if TYPE_CHECKING:
    from statsmodels.iolib.summary import Summary

Array = NDArray[np.float64]
WHERE = "kaplan_meier"


class KaplanMeierResults(PrintableResults):
    """Survival curves by group, as ``kaplan_meier`` returns them."""

    def __init__(
        self,
        time: Array,
        event: NDArray[np.bool_],
        groups: CategoricalColumn | None,
        strata: NDArray[np.int64] | None,
        conf_type: ConfType,
        level: float,
        notes: Sequence[str],
        left_out: CompleteRows,
    ) -> None:
        self._time, self._event, self._groups, self._strata = time, event, groups, strata
        self._conf_type, self._level = conf_type, level
        self._notes = tuple(notes)
        self._left_out = left_out
        with as_data_error(WHERE):
            self._curves = [
                curve_of(time[inside], event[inside], conf_type=conf_type, level=level) for inside in self._members()
            ]

    def _members(self) -> list[NDArray[np.bool_]]:
        if self._groups is None:
            return [np.ones(self._time.size, dtype=bool)]
        return [self._groups.codes == code for code in range(len(self._groups.levels))]

    def _index(self) -> pd.Index:
        if self._groups is None:
            return pd.Index(["all"], name="group")
        return pd.Index(list(self._groups.levels), name=self._groups.name)

    @property
    def nobs(self) -> int:
        """Subjects analysed."""
        return int(self._time.size)

    @property
    def nevents(self) -> int:
        """Events among them."""
        return int(self._event.sum())

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know: rows and groups left out."""
        return self._notes

    @property
    def dropped(self) -> pd.Series:
        """Rows with a missing value, by column; a row may be missing in several."""
        return self._left_out.dropped

    @property
    def table(self) -> pd.DataFrame:
        """The curves, a row for each group and distinct time: n_risk, n_event, n_censor, survival, se (Greenwood's), low, high.
        Limits are pointwise; NaN where they do not exist on the scale of the interval."""
        parts = []
        for curve in self._curves:
            names = ("n_risk", "n_event", "n_censor", "survival", "se", "low", "high")
            parts.append(pd.DataFrame({n: getattr(curve, n) for n in names}, index=pd.Index(curve.time, name="time")))
        return pd.concat(parts, keys=list(self._index()), names=[self._index().name])

    @property
    def median(self) -> pd.DataFrame:
        """Per group: n, events, and the median with its limits (Brookmeyer and Crowley 1982), NaN where it is not reached."""
        return self.quantile(0.5).rename(columns={"estimate": "median"})

    def quantile(self, probability: float) -> pd.DataFrame:
        """Per group: n, events, and the time by which a share ``probability`` has had the event: estimate, low, high."""
        with as_data_error(WHERE):
            found = [curve.quantile(probability) for curve in self._curves]
        columns = {"n": [c.n for c in self._curves], "events": [c.events for c in self._curves]}
        estimates = {name: [getattr(q, name) for q in found] for name in ("estimate", "low", "high")}
        return pd.DataFrame({**columns, **estimates}, index=self._index())

    def at(self, times: ArrayLike) -> pd.DataFrame:
        """The curves just after each of ``times``: n_risk, survival, se, low, high; NaN beyond the last observation."""
        asked = np.atleast_1d(np.asarray(times, dtype=np.float64)).tolist()
        rows = {(g, t): curve.at(t) for g, curve in zip(self._index(), self._curves, strict=True) for t in asked}
        names = ("n_risk", "survival", "se", "low", "high")
        index = pd.MultiIndex.from_tuples(list(rows), names=[self._index().name, "time"])
        return pd.DataFrame({n: [getattr(row, n) for row in rows.values()] for n in names}, index=index)

    def log_rank(self, *, rho: float = 0.0) -> pd.Series:
        """The log-rank test that the groups' hazards are equal, within strata if there are any: chisq, df, p, and z (positive
        where the second of two groups has more events than expected). ``rho=1`` is Peto and Peto's Gehan-Wilcoxon. UsageError
        without groups, DataError without events."""
        if self._groups is None:
            raise UsageError("a log-rank test compares groups", where=WHERE, hint="by= names the column of the groups")
        with as_data_error(WHERE):
            test = log_rank(self._time, self._event, self._groups.codes, strata=self._strata, rho=rho)
        return pd.Series({name: getattr(test, name) for name in ("chisq", "df", "p", "z")}, name="log-rank")

    def rmst(self, tau: float) -> pd.DataFrame:
        """Per group the mean time free of the event up to ``tau``: mean, se, low, high, in the unit of time. DataError where
        follow-up ends before."""
        found = self._restricted(tau)
        return pd.DataFrame({n: [getattr(r, n) for r in found] for n in ("mean", "se", "low", "high")}, index=self._index())

    def rmst_difference(self, tau: float, treatment: Any, reference: Any) -> pd.Series:
        """Difference of two groups' restricted means to ``tau`` (difference, se, low, high, p) and their ratio (ratio,
        ratio_low, ratio_high, ratio_p). UsageError for an unknown group."""
        labels = [] if self._groups is None else list(self._groups.labels)
        for group in (treatment, reference):
            if label_of(group) not in labels:
                raise UsageError(f"there is no group {group}", where=WHERE, hint=nearest(str(group), labels))
        found = self._restricted(tau)
        one, zero = (found[labels.index(label_of(group))] for group in (treatment, reference))
        with as_data_error(WHERE):
            result = rmst_difference(one, zero, level=self._level)
        names = ("difference", "se", "low", "high", "p", "ratio", "ratio_low", "ratio_high", "ratio_p")
        return pd.Series({name: getattr(result, name) for name in names}, name=f"{treatment} - {reference}")

    def _restricted(self, tau: float) -> list[Rmst]:
        with as_data_error(WHERE):
            return [rmst(self._time[inside], self._event[inside], tau, level=self._level) for inside in self._members()]

    def summary(self) -> Summary:
        """Events and medians by group and the log-rank test as statsmodels prints tables, and ``notes``."""
        facts = [("Model", "Kaplan-Meier"), ("Interval", self._conf_type)]
        facts += [("No. Observations", f"{self.nobs:,}"), ("No. Events", f"{self.nevents:,}")]
        if self._groups is not None and len(self._groups.levels) > 1 and self.nevents:
            test = self.log_rank()
            facts += [("Log-Rank Chi2", f"{number(test['chisq'], 3)} on {test['df']:.0f} df"), ("P>Chi2", p_value(test["p"]))]
        median = self.median
        cells = [[str(r.n), str(r.events), *(number(x, 1) for x in (r.median, r.low, r.high))] for r in median.itertuples()]
        ends = [f"[{(1 - self._level) / 2:.3g}", f"{(1 + self._level) / 2:.3g}]"]
        table = SummaryTable("", ["n", "events", "median", *ends], [str(g) for g in median.index], cells)
        return make_summary("Kaplan-Meier Results", facts, tables=[table], notes=self._notes)

    @property
    def curves(self) -> dict[Any, SurvivalCurve]:
        """The curves themselves by group, as the statistics room makes them."""
        return dict(zip(self._index(), self._curves, strict=True))


def kaplan_meier(
    data: Any,
    *,
    time: str,
    event: str,
    by: str | None = None,
    strata: str | Sequence[str] | None = None,
    conf_type: str = "log-log",
    level: float = 0.95,
) -> KaplanMeierResults:
    """Survival curves of the rows of a frame, one row for each subject, by the levels of the column ``by``.

    ``time`` is the time of the event or of the last contact (not negative, of any unit), ``event`` True or 1 where it is
    that of an event. ``strata`` are for the log-rank test. ``conf_type`` is the scale of the intervals: log-log, log, plain,
    logit or arcsin. Rows with a missing value in any of these columns are left out and counted.

    Raises UsageError for what cannot be meant (an unknown column, with the nearest; an event that is neither 1 nor 0) and
    DataError for negative or infinite times.

    Source: Kaplan and Meier 1958, doi 10.1080/01621459.1958.10501452; R's survival and survRM2, to which all numbers agree.

    >>> import pandas as pd
    >>> import alsbench as als
    >>> df = pd.DataFrame({"DAY": [90.0, 120, 200, 300, 365, 60, 100, 150, 240, 365], "DEATH": [1, 1, 0, 1, 0, 1, 1, 1, 1, 0],
    ...     "ARM": ["Drug"] * 5 + ["Placebo"] * 5})
    >>> km = als.kaplan_meier(df, time="DAY", event="DEATH", by="ARM")
    >>> km.median["median"].to_dict()
    {'Drug': 300.0, 'Placebo': 150.0}
    >>> km.log_rank().round(3).to_dict()
    {'chisq': 0.367, 'df': 1.0, 'p': 0.544, 'z': 0.606}
    """
    frame = as_frame(data, WHERE)
    if conf_type not in get_args(ConfType):
        raise UsageError(f"unknown conf_type={conf_type!r}", where=WHERE, hint=nearest(str(conf_type), get_args(ConfType)))
    if not 0.0 < level < 1.0:
        raise UsageError(f"a confidence level lies between 0 and 1, not {level:g}", where=WHERE)
    times, events = read_finite(frame, time, WHERE), read_events(frame, event, WHERE)
    groups = {} if by is None else {by: read_classes(frame, by, WHERE)}
    layers = read_strata(frame, listed(strata), WHERE)
    missing = {c.name: c.missing for c in (times, events, *groups.values(), *layers.values())}
    rows = complete_rows(missing, WHERE)
    found, notes = analysed({**groups, **layers}, rows.kept)
    group = None if by is None else found[by]
    assert not isinstance(group, NumericColumn)  # noqa: S101 - read as classes
    codes = [c.codes for name in layers if isinstance(c := found[name], CategoricalColumn)]
    notes = [*([rows.note()] if rows.n_left_out else []), *notes]
    return KaplanMeierResults(
        times.values[rows.kept],
        events.values[rows.kept] == 1,
        group,
        combined(codes) if codes else None,
        conf_type,  # type: ignore[arg-type]
        level,
        notes,
        rows,
    )
