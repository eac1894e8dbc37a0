"""What a simulated trial is drawn from: a TOML file of parameters, validated, with overrides for single values.

The defaults (``parameters.toml`` beside this module) describe an ALS trial of 115 subjects randomised 2:1:2 to control, two
doses and five doses, and hold no treatment effect.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, model_validator

from alsbench.errors import UsageError
from alsbench.study.explain import dotted
from alsbench.study.expression import parse
from alsbench.study.model import Table
from alsbench.study.names import nearest
from alsbench.study.toml_lines import key_lines, line_of

DEFAULTS = Path(__file__).with_name("parameters.toml")
Range = tuple[float, float]


class StudyParameters(Table):
    id: str
    title: str
    start: date
    enrolment_days: int = Field(ge=1)
    sites: int = Field(ge=1, le=99)


class Arm(Table):
    """``dose_days`` are study days of active doses; procedures of all arms follow the longest schedule (sham control)."""

    name: str = Field(min_length=1)
    n: int = Field(ge=1)
    label: str = ""
    dose_days: tuple[int, ...] = ()
    comparison: str = ""  # the name of its comparison with the first arm
    horizon: int | None = None  # the month at which the arm is compared; the last visit when not given


class VisitParameters(Table):
    months: tuple[int, ...]
    biomarker_months: tuple[int, ...]
    jitter_days: int = Field(ge=0, le=10)
    missed: float = Field(ge=0, lt=1)


class BaselineParameters(Table):
    total_mean: float
    total_sd: float = Field(gt=0)
    total_range: tuple[int, int]
    lead_in_mean: float
    lead_in_sd: float = Field(gt=0)
    lead_in_range: Range
    age_mean: float
    age_sd: float = Field(gt=0)
    age_range: tuple[int, int]
    male: float = Field(ge=0, le=1)
    bulbar: float = Field(ge=0, le=1)
    riluzole: float = Field(ge=0, le=1)
    duration_median: float = Field(gt=0)
    duration_log_sd: float = Field(gt=0)
    duration_range: Range


class CourseParameters(Table):
    slope_mean: float
    slope_sd: float = Field(gt=0)
    residual_sd: float = Field(gt=0)
    lead_in_correlation: float = Field(ge=-1, le=1)
    svc_mean: float
    svc_sd: float = Field(gt=0)
    svc_slope_mean: float
    svc_slope_sd: float = Field(gt=0)
    svc_residual_sd: float = Field(gt=0)
    svc_correlation: float = Field(ge=-1, le=1)
    nfl_median: float = Field(gt=0)
    nfl_log_sd: float = Field(gt=0)
    nfl_within_log_sd: float = Field(gt=0)
    nfl_correlation: float = Field(ge=-1, le=1)
    nfl_lloq: float = Field(ge=0)
    nfl_onset_months: float = Field(gt=0)
    event_hazard: float = Field(ge=0, lt=1)
    event_slope_log_hr: float
    dropout: float = Field(ge=0, lt=1)


class SafetyParameters(Table):
    background: float = Field(ge=0)
    procedure: float = Field(ge=0, le=1)
    reaction: float = Field(ge=0, le=1)


class Effect(Table):
    """What treatment does to the subjects of ``arm`` for whom ``where`` holds (everybody when empty)."""

    arm: str
    where: str = ""
    slope_ratio: float = 1.0
    svc_ratio: float = 1.0
    nfl_ratio: float = Field(default=1.0, gt=0)
    hazard_ratio: float = Field(default=1.0, gt=0)


class Parameters(Table):
    study: StudyParameters
    arms: tuple[Arm, ...] = Field(min_length=1)
    visits: VisitParameters
    baseline: BaselineParameters
    course: CourseParameters
    safety: SafetyParameters
    effects: tuple[Effect, ...] = ()

    @model_validator(mode="after")
    def _coherent(self) -> Parameters:
        names = [arm.name for arm in self.arms]
        if len(set(names)) != len(names):
            raise ValueError("two arms have the same name")
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
        try:
            text = path.read_text(encoding="utf-8-sig")
            given = tomllib.loads(text)
        except OSError as error:
            raise UsageError("the parameter file cannot be read", where=str(path), why=error.strerror or "") from None
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise UsageError("the parameter file cannot be read", where=str(path), why=str(error)) from None
        for key, value in given.items():
            raw[key] = raw[key] | value if isinstance(value, dict) and isinstance(raw.get(key), dict) else value
    for override in overrides:
        _apply(raw, override)
    try:
        return Parameters.model_validate(raw)
    except ValidationError as error:
        raise _refused(error, text, name) from None


def _apply(raw: dict[str, Any], override: str) -> None:
    key, sign, value = override.partition("=")
    if not sign:
        raise UsageError(f"{override!r} sets nothing", hint="for instance: course.slope_sd=0.5")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value
    *parents, last = [int(p) if p.isdigit() else p for p in key.strip().split(".")]
    target: Any = raw
    try:
        for part in parents:
            target = target[part]
        target[last] = parsed
    except (KeyError, IndexError, TypeError):
        raise UsageError(f"there is no parameter {key}", hint=nearest(str(key), raw)) from None


def _refused(error: ValidationError, text: str, name: str) -> UsageError:
    first = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")[0]
    path = first["loc"]
    where = dotted(path)
    if text:
        where = f"{name}:{line_of(key_lines(text), path)} {where}".rstrip()
    if first["type"] == "extra_forbidden":
        known = [*StudyParameters.model_fields, *Arm.model_fields, *Effect.model_fields, *Parameters.model_fields]
        known += [*VisitParameters.model_fields, *BaselineParameters.model_fields, *CourseParameters.model_fields]
        return UsageError(f"unknown parameter {path[-1]!r}", where=where, hint=nearest(str(path[-1]), known))
    return UsageError(first["msg"].removeprefix("Value error, "), where=where)
