"""What a simulated trial is drawn from: a TOML file of parameters, validated, with overrides for single values.

The defaults (``parameters.toml`` beside this module) describe an ALS trial of 115 subjects randomised 2:1:2 to control, two
doses and five doses, and hold no treatment effect.
"""

from __future__ import annotations

import tomllib
import unicodedata
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationError, model_validator

from alsbench.errors import UsageError, shorten
from alsbench.study.expression import parse
from alsbench.study.model import ENTRIES, Name, Number, Table, Text, Whole
from alsbench.study.names import nearest
from alsbench.study.toml_text import file_text, key_lines, line_of, toml_table, toml_value
from alsbench.study.validation_errors import dotted, explain

MOST_RECORDS = 2_000_000
DEFAULTS = Path(__file__).with_name("parameters.toml")


def _latin(text: str) -> str:
    """Texts of the data go into SAS transport files of Latin-1. Raises ValueError that names the first other character."""
    strange = next((c for c in text if ord(c) > 255 or unicodedata.category(c) == "Cc"), None)
    if strange is not None:
        name = unicodedata.name(strange, "a control character")
        why = "the data are written as SAS transport files, whose texts are Latin-1"
        raise ValueError(f"{shorten(text)!r} holds U+{ord(strange):04X} ({name}): {why}")
    if text != text.strip():
        raise ValueError(f"{shorten(text)!r} begins or ends with a blank, which SAS transport files do not keep")
    return text


Latin = Annotated[str, Field(max_length=180), AfterValidator(_latin)]
Month = Annotated[Whole, Field(ge=0, le=1200)]
Wholes = Annotated[tuple[Whole, ...], Field(max_length=ENTRIES)]


def _rising(ends: tuple[float, float]) -> tuple[float, float]:
    if not ends[0] < ends[1]:
        raise ValueError(f"the range ends ({ends[1]:g}) before it begins ({ends[0]:g})")
    return ends


Range = Annotated[tuple[Number, Number], AfterValidator(_rising)]
WholeRange = Annotated[tuple[Whole, Whole], AfterValidator(_rising)]


class StudyParameters(Table):
    id: Latin
    title: Text
    start: Annotated[date, Field(ge=date(1960, 1, 1), le=date(2200, 1, 1))]
    enrolment_days: Annotated[Whole, Field(ge=1)]
    sites: Annotated[Whole, Field(ge=1, le=99)]


class Arm(Table):
    """``dose_days`` are study days of active doses; procedures of all arms follow the longest schedule (sham control)."""

    name: Annotated[Latin, Field(min_length=1)]
    n: Annotated[Whole, Field(ge=1)]
    label: Text = ""
    dose_days: Wholes = ()
    comparison: Name = ""  # the name of its comparison with the first arm
    horizon: Month | None = None  # the month at which the arm is compared; the last visit when not given


class VisitParameters(Table):
    months: Annotated[tuple[Month, ...], Field(max_length=ENTRIES)]
    biomarker_months: Annotated[tuple[Month, ...], Field(max_length=ENTRIES)]
    jitter_days: Annotated[Whole, Field(ge=0, le=10)]
    missed: Annotated[Number, Field(ge=0, lt=1)]


class BaselineParameters(Table):
    total_mean: Number
    total_sd: Annotated[Number, Field(gt=0)]
    total_range: WholeRange
    lead_in_mean: Number
    lead_in_sd: Annotated[Number, Field(gt=0)]
    lead_in_range: Range
    age_mean: Number
    age_sd: Annotated[Number, Field(gt=0)]
    age_range: WholeRange
    male: Annotated[Number, Field(ge=0, le=1)]
    bulbar: Annotated[Number, Field(ge=0, le=1)]
    riluzole: Annotated[Number, Field(ge=0, le=1)]
    duration_median: Annotated[Number, Field(gt=0)]
    duration_log_sd: Annotated[Number, Field(gt=0)]
    duration_range: Range


class CourseParameters(Table):
    slope_mean: Number
    slope_sd: Annotated[Number, Field(gt=0)]
    residual_sd: Annotated[Number, Field(gt=0)]
    lead_in_correlation: Annotated[Number, Field(ge=-1, le=1)]
    svc_mean: Number
    svc_sd: Annotated[Number, Field(gt=0)]
    svc_slope_mean: Number
    svc_slope_sd: Annotated[Number, Field(gt=0)]
    svc_residual_sd: Annotated[Number, Field(gt=0)]
    svc_correlation: Annotated[Number, Field(ge=-1, le=1)]
    nfl_median: Annotated[Number, Field(gt=0)]
    nfl_log_sd: Annotated[Number, Field(gt=0)]
    nfl_within_log_sd: Annotated[Number, Field(gt=0)]
    nfl_correlation: Annotated[Number, Field(ge=-1, le=1)]
    nfl_lloq: Annotated[Number, Field(ge=0)]
    nfl_onset_months: Annotated[Number, Field(gt=0)]
    event_hazard: Annotated[Number, Field(ge=0, lt=1)]
    event_slope_log_hr: Number
    dropout: Annotated[Number, Field(ge=0, lt=1)]


class SafetyParameters(Table):
    background: Annotated[Number, Field(ge=0, le=1000)]  # events a month
    procedure: Annotated[Number, Field(ge=0, le=1)]
    reaction: Annotated[Number, Field(ge=0, le=1)]


class TreatmentEffect(Table):
    """What treatment does to the subjects of ``arm`` for whom ``where`` holds (everybody when empty).

    A ratio multiplies what a subject would have lost without it; a difference, in points of the ALSFRS-R and percentage points
    of the SVC a month, is the same for everybody: 0.3 is 0.3 a month less lost."""

    arm: Name
    where: Text = ""
    slope_ratio: Number = 1.0
    slope_difference: Number = 0.0
    svc_ratio: Number = 1.0
    svc_difference: Number = 0.0
    nfl_ratio: Annotated[Number, Field(gt=0)] = 1.0
    hazard_ratio: Annotated[Number, Field(gt=0)] = 1.0


class Parameters(Table):
    study: StudyParameters
    arms: Annotated[tuple[Arm, ...], Field(min_length=1, max_length=ENTRIES)]
    visits: VisitParameters
    baseline: BaselineParameters
    course: CourseParameters
    safety: SafetyParameters
    effects: Annotated[tuple[TreatmentEffect, ...], Field(max_length=ENTRIES)] = ()

    @model_validator(mode="after")
    def _coherent(self) -> Parameters:
        names = [arm.name for arm in self.arms]
        if len(set(names)) != len(names):
            raise ValueError("two arms have the same name")
        records = sum(arm.n for arm in self.arms) * len(self.visits.months)
        if records > MOST_RECORDS:
            raise ValueError(f"{records:,} visits of subjects are too many: at most {MOST_RECORDS:,} are simulated")
        for effect in self.effects:
            if effect.arm not in names:
                raise ValueError(f"an effect names the arm {effect.arm!r}: {nearest(effect.arm, names)}")
            if effect.where:
                parse(effect.where)
        months = self.visits.months
        if not months or months[0] != 0 or sorted(set(months)) != list(months) or len(months) < 2:
            raise ValueError("visits.months begins with 0, rises, and holds at least one later month")
        if 0 not in self.visits.biomarker_months or not set(self.visits.biomarker_months) <= set(months):
            raise ValueError("visits.biomarker_months holds 0 and only months of visits.months")
        return self


def read_parameters(path: Path | None = None, overrides: Sequence[str] = ()) -> Parameters:
    """The parameters of ``path`` over the defaults, then ``overrides`` such as ``course.slope_sd=0.5`` or ``arms.1.n=40``.

    A file may hold any of the tables; ``[[arms]]`` and ``[[effects]]`` replace the default list as a whole. Array indices in
    overrides count from 0; values are TOML values, or bare text. Raises UsageError with file, line and key.
    """
    raw = tomllib.loads(DEFAULTS.read_text(encoding="utf-8")) | {"effects": []}
    text, name = "", ""
    if path is not None:
        name = path.name
        text = file_text(path, named="parameter file", hint="simulate/parameters.toml in the package shows one")
        for key, value in toml_table(text, name).items():
            raw[key] = raw[key] | value if isinstance(value, dict) and isinstance(raw.get(key), dict) else value
    for override in overrides:
        _apply(raw, override)
    try:
        return Parameters.model_validate(raw)
    except ValidationError as error:
        raise _refused(error, raw, text, name) from None


def _apply(raw: dict[str, Any], override: str) -> None:
    key, sign, value = override.partition("=")
    if not sign:
        raise UsageError(f"{override!r} sets nothing", hint="for instance: course.slope_sd=0.5")
    parsed = toml_value(value)
    *parents, last = [int(p) if p.isdigit() else p for p in key.strip().split(".")]
    target: Any = raw
    try:
        for part in parents:
            target = target[part]
        target[last] = parsed
    except (KeyError, IndexError, TypeError):
        raise UsageError(f"there is no parameter {key}", hint=nearest(str(key), raw)) from None


def _refused(error: ValidationError, raw: dict[str, Any], text: str, name: str) -> UsageError:
    first = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")[0]
    path = first["loc"]
    where = dotted(path)
    if text:
        where = f"{name}:{line_of(key_lines(text), path)} {where}".rstrip()
    if first["type"] == "extra_forbidden":
        known = [*StudyParameters.model_fields, *Arm.model_fields, *TreatmentEffect.model_fields, *Parameters.model_fields]
        known += [*VisitParameters.model_fields, *BaselineParameters.model_fields, *CourseParameters.model_fields]
        return UsageError(f"unknown parameter {path[-1]!r}", where=where, hint=nearest(str(path[-1]), known))
    fault = explain(error, raw, Parameters)[0]
    return UsageError(fault.what, where=where, hint=fault.hint)
