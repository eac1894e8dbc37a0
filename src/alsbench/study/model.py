"""What the protocol says: arms, visits, populations, comparisons, endpoints, subgroups.

The classes mirror the tables of ``study.toml`` key by key; an unknown key is refused. They hold no data and no numbers
computed from data.

A number, a name or a list of a file is finite, of a size that a trial can have, and no more of them than anybody writes, so
that nothing later overflows or takes hours. ``true`` is no number and ``"6"`` is none either: whoever writes so means something
else. Numbers nearer to zero than ``SMALLEST`` are refused but for zero itself, since dividing by them gives no number.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, Strict, model_serializer

from alsbench.study import SYNTHETIC

SMALLEST, LARGEST = 1e-12, 1e12
LATEST = 100_000  # visit number or day of a trial
ENTRIES = 1000  # of a list or a table
SUBGROUPS = 1000
NAME_LENGTH, TEXT_LENGTH = 300, 3000
SEEDS = 2**63 - 1
Seed = Annotated[int, Strict(), Field(ge=0, le=SEEDS)]
Whole = Annotated[int, Strict(), Field(ge=-LATEST, le=LATEST)]
Switch = Annotated[bool, Strict()]
Name = Annotated[str, Field(max_length=NAME_LENGTH)]
Text = Annotated[str, Field(max_length=TEXT_LENGTH)]
Names = Annotated[tuple[Name, ...], Field(max_length=ENTRIES)]
Method = Literal["mmrm", "ancova", "joint_rank", "slope", "time_to_event", "responder", "staging", "incidence", "baseline"]
Covariance = Literal["us", "toep", "toeph", "ar1", "ar1h", "cs", "csh", "ad", "adh"]
DfMethod = Literal["kenward-roger", "satterthwaite"]
Scale = Literal["raw", "log"]
Direction = Literal["higher", "lower"]
Level = Literal["primary", "secondary", "exploratory"]
DateOrder = Literal["", "day/month/year", "month/day/year"]
VisitUnit = Literal["month", "week", "day"]
Imputation = Literal["none", "mar", "jump-to-reference", "copy-reference", "copy-increments"]
StagingSystem = Literal["kings", "mitos"]
DAYS_PER_UNIT: dict[VisitUnit, float] = {"month": 30.4375, "week": 7.0, "day": 1.0}
SUBGROUP_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
NO_PATIENT = "no real patient stands behind these numbers"
LATER_KEYS = {"event_ties": "tie", "win_intervals": "untransformed"}  # of endpoints, with their defaults
RESERVED_NAMES = frozenset({"overall", "not", "and", "or", "in"})


def _no_sliver(value: float) -> float:
    if value != 0 and abs(value) < SMALLEST:
        raise ValueError(f"{value:g} is no number that can be used: it is 0, or at least {SMALLEST:g} from it")
    return value


Number = Annotated[float, Strict(), Field(allow_inf_nan=False, ge=-LARGEST, le=LARGEST), AfterValidator(_no_sliver)]
When = Annotated[float, Strict(), Field(allow_inf_nan=False, ge=-LATEST, le=LATEST), AfterValidator(_no_sliver)]
Numbers = Annotated[tuple[Number, ...], Field(max_length=ENTRIES)]
VisitNumbers = Annotated[tuple[When, ...], Field(max_length=ENTRIES)]


class Table(BaseModel):
    """A table of ``study.toml``: immutable, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


class StudyInfo(Table):
    id: Name
    title: Text = ""
    synthetic: Switch = False
    subject: Name = "USUBJID"
    # counts below it are hidden in all that is printed or exported
    mask: Annotated[int, Strict(), Field(ge=0, le=1_000_000)] = 0
    # whether arrays of a masked or blinded trial may be sent to a cluster
    cluster: Switch = False

    @property
    def marks(self) -> tuple[str, ...]:
        """What is said wherever data of the study are shown: that they are synthetic, or nothing."""
        return (SYNTHETIC,) if self.synthetic else ()


class Arms(Table):
    """``planned`` is the efficacy arm column, ``actual`` the safety one; ``order`` lists every arm analysed."""

    planned: Name = "TRT01P"
    actual: Name = "TRT01A"
    reference: Name
    order: Names
    labels: dict[Name, Text] = Field(default_factory=dict, max_length=ENTRIES)
    doses: dict[Name, Number] = Field(default_factory=dict, max_length=ENTRIES)


class Populations(BaseModel):
    """Analysis sets: a name for each subject-level flag column; ``default`` names the one used unless told otherwise."""

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, Name]
    default: Name

    @property
    def flags(self) -> dict[str, str]:
        """Population name -> flag column, in the order of the file."""
        return dict(self.__pydantic_extra__)


class Visits(Table):
    """Visit numbers are times since the first dose in ``unit``; ``baseline`` says which of them is the baseline visit."""

    number: Name = "AVISITN"
    label: Name = "AVISIT"
    unit: VisitUnit = "month"
    baseline: When = 0

    def horizon_day(self, horizon: float) -> int:
        """The day of ``horizon`` visit units, counted from 0 whatever the baseline visit, rounded half away from zero."""
        days = horizon * DAYS_PER_UNIT[self.unit]
        return int(days + 0.5) if days >= 0 else -int(-days + 0.5)

    def horizon_line(self, horizons: Iterable[float]) -> tuple[tuple[str, str], ...]:
        """What a table must say of its horizons where the baseline visit is not 0: nothing else tells their origin."""
        if self.baseline == 0:
            return ()
        days = ", ".join(f"{self.unit} {h:g} is day {self.horizon_day(h)}" for h in dict.fromkeys(horizons))
        return (("Horizon", f"{days}: counted from visit 0, not from the baseline visit {self.baseline:g}"),)


class Comparison(Table):
    """A treatment arm against a reference arm, with its own horizon in visit units."""

    name: Name = ""  # filled with the treatment when the file gives none
    treatment: Name
    reference: Name = ""  # filled with arms.reference when the file gives none
    horizon: When | None = None
    primary: Switch = False


class Event(Table):
    """Where the time-to-event record of a joint rank endpoint stands: CNSR = 0 is an event."""

    dataset: Name = "ADTTE"
    paramcd: Name


class DeclaredTolerance(Table):
    """By how much a number of somebody else may differ from ours: ``absolute``, or ``relative`` to the larger of the two."""

    absolute: Annotated[Number, Field(ge=0)] = 0.0
    relative: Annotated[Number, Field(ge=0)] = 0.0


class Endpoint(Table):
    """A named outcome and its method. ``name`` is the key of its table in the file."""

    name: Name = ""
    title: Text = ""
    method: Method
    dataset: Name = ""
    paramcd: Name = ""
    covariates: Names = ()
    factors: Names = ()
    better: Direction = "higher"
    scale: Scale = "raw"
    covariance: Covariance = "us"
    df: DfMethod = "kenward-roger"
    level: Level = "exploratory"
    where: Text = ""
    population: Name = ""
    arms: Literal["comparison", "all"] = "comparison"
    visits: VisitNumbers = ()
    strata: Names = ()
    function: Name = ""  # joint_rank: the endpoint whose change is compared
    event: Event | None = None  # joint_rank; responder: ends response; staging: the last stage
    # LS means: weights over factor levels, and covariates held at chosen values instead of their mean
    ls_means: Literal["equal", "proportional"] = "equal"
    at: dict[Name, Number] = Field(default_factory=dict, max_length=ENTRIES)
    weights: Name = ""  # mmrm, ancova: a numeric column of ADSL or of the data set, positive; it divides the variance
    # mmrm and slope
    estimation: Literal["reml", "ml"] = "reml"
    covariance_by_arm: Switch = False
    adjust: Literal["none", "max-t"] = "none"
    # mmrm: further contrasts of the arm differences over visits, name -> visit number -> weight
    visit_contrasts: dict[Name, dict[Name, Number]] = Field(default_factory=dict, max_length=ENTRIES)
    shared_baseline: Switch = False  # slope: arms start from one mean
    # mmrm: missing values imputed, and an ANCOVA at the comparison's horizon beside the model of the observed values
    imputation: Imputation = "none"
    imputation_method: Literal["conditional-mean", "multiple"] = "conditional-mean"
    imputations: Annotated[int, Strict(), Field(ge=2, le=10_000)] = 100
    delta: Number = 0.0  # points added to every imputed value of the treatment arms
    tipping_deltas: Numbers = ()  # from 0 outward; empty: 0 to 3 SD of the observed values, towards the worse
    # log scale: values below this limit count as half of it
    lloq: Annotated[Number, Field(gt=0)] | None = None
    # joint_rank
    death_always_loses: Switch = False
    event_ties: Literal["tie", "function"] = "tie"  # two events on one day
    win_intervals: Literal["untransformed", "transformed"] = "untransformed"  # of net benefit and win probability
    function_at: Literal["last_common", "horizon"] = "last_common"
    missing: Literal["none", "locf", "worst"] = "none"
    change: Literal["absolute", "percent"] = "absolute"
    rank_within_strata: Switch = False
    rank_scale: Literal["rank", "unit"] = "rank"
    permutations: Annotated[int, Strict(), Field(ge=0, le=1_000_000)] = 0
    seed: Seed = 1
    # responder: a change at least as good as this; worsening: time to a change at or beyond that, of staging: so many stages up
    threshold: Number | None = None
    worsening: Number | None = None
    confirmed: Switch = False  # worsening counts when the next value is beyond it too
    nonresponse: Literal["non-responder", "left-out"] = "non-responder"  # what a subject without a value is
    # staging: PARAMCD of the twelve items in order, item 5 as 5a and 5b; empty: ALSFR01 ... ALSFR05A, ALSFR05B ... ALSFR12
    items: Names = ()
    systems: Annotated[tuple[StagingSystem, ...], Field(max_length=2)] = ("kings", "mitos")
    # time_to_event, and the times of responder and staging
    ties: Literal["efron", "breslow"] = "efron"
    intervals: Literal["log-log", "log", "plain"] = "log-log"
    # `reconcile` only: no part of the analysis, of its digest or of a locked plan
    tolerance: DeclaredTolerance | None = Field(default=None, exclude=True)


class Subgroup(Table):
    """A named expression over baseline columns. ``post_randomisation`` is set when a post-baseline column was forced in."""

    name: Annotated[Name, Field(pattern=SUBGROUP_NAME)]
    label: Text = ""
    where: Text
    prespecified: Switch = False
    rationale: Text = ""
    complement: Name = ""
    post_randomisation: Switch = False

    @property
    def status(self) -> str:
        """``pre-specified`` or ``post hoc``."""
        return "pre-specified" if self.prespecified else "post hoc"


class Hypothesis(Table):
    """One confirmatory test: an endpoint's overall contrast of a comparison, at its horizon.

    ``weight`` is its share of alpha and ``next`` what share of its level goes to which hypothesis once it is rejected: both
    belong to the graphical method.
    """

    name: Text = ""  # filled with endpoint:comparison when the file gives none
    endpoint: Name
    comparison: Name
    weight: Annotated[Number, Field(ge=0, le=1)] | None = None
    next: dict[Text, Annotated[Number, Field(ge=0, le=1)]] = Field(default_factory=dict, max_length=ENTRIES)


class Multiplicity(Table):
    """How the family-wise error rate of the declared ``hypotheses`` is held at ``alpha``; their order is the fixed sequence."""

    method: Literal["bonferroni", "holm", "hochberg", "fixed_sequence", "graphical", "max_t"]
    alpha: Annotated[Number, Field(gt=0, lt=1)] = 0.05
    hypotheses: Annotated[tuple[Hypothesis, ...], Field(max_length=ENTRIES)]


class Derive(Table):
    """How analysis data are made where only PRO-ACT files or SDTM domains were delivered; what is left out is as documented.

    ``windows`` gives first and last day by a visit's number or label; other visits have the midpoints between target days.
    """

    baseline: Literal["flagged", "last", "closest"] | None = None  # None: SDTM flagged, PRO-ACT closest
    baseline_days: tuple[When, When] = (-30, 7)  # closest: from the day of the first dose or of entry
    record: Literal["closest", "first", "last"] = "closest"  # of several in a window
    windows: dict[Name, tuple[When, When]] = Field(default_factory=dict, max_length=ENTRIES)
    drop_visits: Annotated[tuple[Name, ...], Field(max_length=ENTRIES)] = ()  # SDTM: planned visits that are no analysis visits
    lead_in_days: Annotated[When, Field(gt=0)] = 28  # a slope before baseline over less is no slope
    ventilation: Literal["any", "invasive", "non-invasive"] = "any"  # whose hours count
    ventilation_hours: Annotated[Number, Field(gt=0, lt=24)] = 22  # more than these a day
    ventilation_days: Annotated[int, Strict(), Field(ge=1, le=10_000)] = 10  # on so many days one after the other
    tracheostomy: Switch = True  # is an event

    @model_serializer(mode="wrap")
    def _without_absent_drops(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Rules that drop no visit have the content, and the digest, they had before visits could be dropped."""
        content: dict[str, Any] = serialise(self)
        if not self.drop_visits:
            content.pop("drop_visits", None)
        return content


class LocalWords(Table):
    """Words of this trial's data beside those of ``study/local_words``: for yes and no, and what a word for a sex (M, F) or a
    site of onset stands for."""

    yes: Names = ()
    no: Names = ()
    sex: dict[Name, Name] = Field(default_factory=dict, max_length=ENTRIES)
    onset: dict[Name, Name] = Field(default_factory=dict, max_length=ENTRIES)


class SourceParameter(Table):
    """Columns of one outcome.

    ``total``, the twelve ``items`` in order (thirteen: 5a and 5b apart), or by visit number a column (``columns``) or the
    columns of the items (``item_columns``). ``file`` is the data set, where not each that has the columns; ``test`` the word in
    ``source.test`` of rows that hold this outcome.
    """

    total: Name = ""
    items: Names = ()
    columns: dict[Name, Name] = Field(default_factory=dict, max_length=ENTRIES)
    item_columns: dict[Name, Names] = Field(default_factory=dict, max_length=ENTRIES)
    file: Name = ""
    test: Name = ""


class SourceColumns(Table):
    """What one data set calls the columns that others call otherwise; ``at``: the visit number of all its rows."""

    subject: Name = ""
    visit: Name = ""
    date: Name = ""
    at: When | None = None


class SourceMap(Table):
    """What the columns of data that are not ADaM hold. ``files`` are the data sets read, those of visits first.

    ``visits``: a row a visit; ``columns``: a row a subject with a column for each visit; ``adam-like``: ADaM but for case,
    words and visits in text. ``dates`` settles columns whose day and month cannot be told apart. ``visit_times`` are the
    numbers of visits whose text names no time; ``date_columns`` the dates of visits that are columns; ``died`` says yes of
    who died on the day of the last contact.
    """

    layout: Literal["visits", "columns", "adam-like"]
    files: Names = ()
    subject: Name
    arm: Name
    visit: Name = ""
    visit_times: dict[Name, When] = Field(default_factory=dict, max_length=ENTRIES)
    date: Name = ""
    date_columns: dict[Name, Name] = Field(default_factory=dict, max_length=ENTRIES)
    first_dose: Name = ""
    death: Name = ""
    died: Name = ""
    last_contact: Name = ""
    onset_date: Name = ""
    dates: DateOrder = ""
    test: Name = ""
    parameters: dict[Name, Name | SourceParameter] = Field(default_factory=dict, max_length=ENTRIES)
    baseline: dict[Name, Name] = Field(default_factory=dict, max_length=ENTRIES)
    flags: dict[Name, Name] = Field(default_factory=dict, max_length=ENTRIES)
    tables: dict[Name, SourceColumns] = Field(default_factory=dict, max_length=ENTRIES)


Probability = Annotated[Number, Field(gt=0, lt=1)]


class JudgementRule(Table):
    """The constants of the rule of the bottom line (docs/methods.md); those of METHODS unless the file sets others.

    A result is one where p is at most ``nominal``; it holds up where p over the search is at most ``holds_up`` (and so its
    interaction), is worth a new trial where that is at most ``new_trial`` and its interaction among the definitions at most
    ``new_trial_definitions``, in this subgroup where its interaction in the search is at most ``in_this_subgroup``.
    """

    nominal: Probability = 0.05
    holds_up: Probability = 0.05
    new_trial: Probability = 0.15
    new_trial_definitions: Probability = 0.10
    in_this_subgroup: Probability = 0.15


class Study(Table):
    """A whole ``study.toml``, validated and with its defaults filled in."""

    schema_version: Literal[1] = Field(alias="schema")
    info: StudyInfo = Field(alias="study")
    arms: Arms
    populations: Populations
    visits: Visits = Visits()
    comparisons: Annotated[tuple[Comparison, ...], Field(max_length=ENTRIES)]
    endpoints: dict[Name, Endpoint] = Field(default_factory=dict, max_length=ENTRIES)
    subgroups: Annotated[tuple[Subgroup, ...], Field(max_length=SUBGROUPS)] = ()
    multiplicity: Multiplicity | None = None
    derive: Derive | None = None
    judgement: JudgementRule | None = None
    source: SourceMap | None = None
    words: LocalWords | None = None

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    @model_serializer(mode="wrap")
    def _without_absent_rules(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A study that says nothing of later keys has the content, and the digest, it had before there were such keys."""
        content: dict[str, Any] = serialise(self)
        if self.derive is None:
            content.pop("derive", None)
        for later in ("judgement", "source", "words"):
            if getattr(self, later) is None:
                content.pop(later, None)
        for endpoint in content.get("endpoints", {}).values():
            for key, default in LATER_KEYS.items():
                if endpoint.get(key) == default:
                    endpoint.pop(key)
        return content

    def subgroup(self, name: str) -> Subgroup | None:
        """The subgroup of that name, or None."""
        return next((s for s in self.subgroups if s.name == name), None)
