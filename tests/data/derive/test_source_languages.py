"""Sites in Korea, Japan, China, Germany, France and Spain: encodings, words, decimal commas, local dates.

A file that is not UTF-8 is refused with the iconv line, which is then run; what loads afterwards is compared with the frame.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from tests.data.derive.foreign import ENDPOINTS, answered, holds, holds_deaths, subjects, values

from alsbench.__main__ import main
from alsbench.data.snapshot import Snapshot
from alsbench.data.workspace import Workspace

COLUMNS = (
    "patient_id",
    "arm",
    "sex",
    "onset_site",
    "riluzole",
    "visit",
    "date",
    "total",
    "fvc",
    "nfl",
    "death_date",
    "last_contact",
)
YES = {"ko": ("예", "아니오"), "ja": ("はい", "いいえ"), "zh": ("是", "否"), "de": ("ja", "nein"), "fr": ("oui", "non"),
       "es": ("sí", "no")}  # fmt: skip
SEX = {"ko": ("여성", "남성"), "ja": ("女性", "男性"), "zh": ("女", "男"), "de": ("weiblich", "männlich"),
       "fr": ("Femme", "Homme"),
       "es": ("mujer", "hombre")}  # fmt: skip
ONSET = {"ko": ("사지", "구음"), "ja": ("四肢", "球麻痺"), "zh": ("肢体", "延髓"), "de": ("spinal", "bulbär"),
         "fr": ("spinale", "bulbaire"),
         "es": ("espinal", "bulbar")}  # fmt: skip
PLACEBO = {"ko": "위약", "ja": "プラセボ", "zh": "安慰剂", "de": "Plazebo", "fr": "Placebo", "es": "Placebo"}
BASELINE = {"ko": "기저", "ja": "ベースライン", "zh": "基线", "de": "Ausgangswert", "fr": "Inclusion", "es": "Basal"}
MONTH = {"ko": "{}개월", "ja": "{}か月", "zh": "{}个月", "de": "Monat {}", "fr": "Mois {}", "es": "Mes {}"}
DATES = {"ko": "%Y년 %m월 %d일", "ja": "%Y年%m月%d日", "zh": "%Y-%m-%d", "de": "%d.%m.%Y", "fr": "%d/%m/%Y", "es": "%d/%m/%Y"}
NAMES = {
    "ko": ("대상자번호", "투여군", "성별", "발병부위", "리루졸", "방문", "방문일",
           "ALSFRS-R 총점", "FVC(%)", "NfL", "사망일", "최종방문일"),
    "ja": ("症例番号", "投与群", "性別", "発症部位", "リルゾール", "時点", "来院日",
           "ALSFRS-R合計", "FVC(%)", "NfL", "死亡日", "最終観察日"),
    "zh": ("受试者编号", "组别", "性别", "起病部位", "利鲁唑", "访视", "访视日期",
           "ALSFRS-R总分", "FVC(%)", "NfL", "死亡日期", "末次随访日期"),
    "de": ("Patienten-Nr.", "Behandlungsgruppe", "Geschlecht", "Krankheitsbeginn", "Riluzol", "Besuch", "Besuchsdatum",
           "ALSFRS-R Gesamtscore", "FVC % Soll", "NfL", "Todesdatum", "Letzter Kontakt"),
    "fr": ("Sujet", "Groupe", "Sexe", "Forme de début", "Riluzole", "Visite", "Date de visite",
           "ALSFRS-R total", "CVF (%)", "NfL", "Date de décès", "Dernier contact"),
    "es": ("Paciente", "Tratamiento", "Sexo", "Forma de inicio", "Riluzol", "Visita", "Fecha de visita",
           "ALSFRS-R total", "CVF (%)", "NfL", "Fecha de muerte", "Último contacto"),
}  # fmt: skip
ENCODINGS = {"ko": "cp949", "ja": "cp932", "zh": "gb18030", "de": "latin-1", "fr": "cp1252", "es": "latin-1"}
COMMA = {"de", "fr", "es"}


def text_of(language: str) -> str:
    """The trial as a site of this language writes it, as CSV."""
    frame = values().merge(subjects().drop(columns="first_dose"), on="patient_id")
    frame["arm"] = frame.arm.replace("Placebo", PLACEBO[language])
    frame["visit"] = [BASELINE[language] if m == 0 else MONTH[language].format(m) for m in frame.month]
    frame["sex"] = frame.sex.map(dict(zip("FM", SEX[language], strict=True)))
    frame["onset_site"] = frame.onset_site.map(dict(zip(("limb", "bulbar"), ONSET[language], strict=True)))
    frame["riluzole"] = frame.riluzole.map(dict(zip(("yes", "no"), YES[language], strict=True)))
    for name in ("date", "death_date", "last_contact"):
        frame[name] = frame[name].dt.strftime(DATES[language])
    frame = frame[list(COLUMNS)].set_axis(list(NAMES[language]), axis=1)
    separator, decimal = (";", ",") if language in COMMA else (",", ".")
    return str(frame.to_csv(index=False, sep=separator, decimal=decimal))


def holds_the_trial(snapshot: Snapshot, language: str) -> None:
    raw = values()
    for code, column, table in (("ALSFRSR", "total", "ADQS"), ("FVCPP", "fvc", "ADRE"), ("NFL", "nfl", "ADLB")):
        holds(snapshot, raw, code, column, table)
    holds_deaths(snapshot, subjects())
    found = pd.DataFrame(snapshot.rows("SELECT USUBJID, TRT01P, SEX, ONSETSIT, RILUFL FROM ADSL ORDER BY 1"))
    who = subjects()
    assert found[1].tolist() == who.arm.replace("Placebo", PLACEBO[language]).tolist()
    assert found[2].tolist() == who.sex.tolist()
    assert found[3].tolist() == who.onset_site.str.upper().tolist()
    assert found[4].tolist() == who.riluzole.map({"yes": "Y", "no": "N"}).tolist()


@pytest.mark.parametrize("language", list(NAMES))
def test_a_site_that_writes_in_its_language(tmp_path: Path, language: str) -> None:
    (tmp_path / "trial.csv").write_text(text_of(language), encoding="utf-8")
    snapshot = answered(tmp_path, tmp_path / "trial.csv", endpoints=ENDPOINTS if language in ("ko", "de") else ("alsfrs",))
    holds_the_trial(snapshot, language)
    study = (tmp_path / "ws" / "study.toml").read_text()
    assert f'reference = "{PLACEBO[language]}"' in study
    assert "no column" not in study


@pytest.mark.parametrize("language", list(NAMES))
@pytest.mark.parametrize("encoding", ["own", "utf-16-le"])
def test_another_encoding_is_refused_with_the_line_that_converts_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, language: str, encoding: str
) -> None:
    codec = ENCODINGS[language] if encoding == "own" else encoding
    (tmp_path / "trial.csv").write_bytes(text_of(language).encode(codec))
    monkeypatch.chdir(tmp_path)
    for line in (["init", "ws", "trial.csv", "-q"], ["load", "trial.csv", "-w", "ws", "-q"]):
        assert main(line) == 3
        err = capsys.readouterr().err
        command = re.search(r"mkdir -p utf8 && iconv .*", err)
        assert command is not None, err
    subprocess.run(["sh", "-c", command[0]], check=True)
    assert (tmp_path / "utf8" / "trial.csv").read_text("utf-8").lstrip("\ufeff") == text_of(language)


@pytest.mark.parametrize("language", ["ko", "fr"])
def test_utf_16_with_its_mark_is_read_with_a_remark(tmp_path: Path, language: str) -> None:
    """As Excel writes "Unicode text"."""
    (tmp_path / "trial.csv").write_bytes(text_of(language).encode("utf-16"))
    holds_the_trial(answered(tmp_path, tmp_path / "trial.csv", endpoints=("alsfrs",)), language)
    receipt = Workspace(tmp_path / "ws").open_current().receipt
    assert any("UTF-16" in m for f in receipt["files"] for m in f["messages"])


@pytest.mark.parametrize(("assume", "expected"), [("other", "month/day/year"), ("none", "day/month/year")])
def test_days_and_months_that_cannot_be_told_apart(tmp_path: Path, assume: str, expected: str) -> None:
    """Dates of the first twelve days of a month only; another column settles the order, or a doubt says what is assumed."""
    frame = values().merge(subjects().drop(columns=["first_dose", "death_date", "onset_date"]), on="patient_id")
    order = "%m/%d/%Y"
    frame["visit_date"] = [f"{m + 1:02d}/{1 + i % 9:02d}/2021" for i, m in zip(frame.index, frame.month, strict=True)]
    frame["last_contact"] = frame.last_contact.dt.strftime(order if assume == "other" else "%Y-%m-%d")
    frame = frame.drop(columns="date").rename(columns={"total": "alsfrs_total"})
    frame.to_csv(tmp_path / "v.csv", index=False)
    assert main(["init", str(tmp_path / "ws"), str(tmp_path / "v.csv"), "-q"]) == 0
    text = (tmp_path / "ws" / "study.toml").read_text()
    assert f'dates = "{expected}"  # CHECK' in text
    assert ("other dates are month/day/year" if assume == "other" else "cannot be told apart (no date tells)") in text
