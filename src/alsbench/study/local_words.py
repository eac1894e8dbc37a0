"""Words of trial data in the languages of trials: yes and no, sexes, site of onset, visits, and what columns are called.

English, German, French, Spanish, Korean, Japanese and Chinese. What this table lacks is said in ``[words]`` of the study file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

YES_WORDS = ("Y", "YES", "1", "TRUE", "T", "J", "JA", "O", "OUI", "VRAI", "S", "SI", "SÍ", "예", "네", "유", "はい", "有", "是")
NO_WORDS = ("N", "NO", "0", "FALSE", "F", "NEIN", "NON", "FAUX", "아니오", "아니요", "무", "いいえ", "無", "无", "否")
SEX_WORDS: Mapping[str, str] = {
    **dict.fromkeys(("M", "MALE", "MAN", "MÄNNLICH", "MANN", "HOMME", "MASCULIN", "HOMBRE", "MASCULINO", "VARÓN"), "M"),
    **dict.fromkeys(("남", "남성", "남자", "男", "男性", "H"), "M"),
    **dict.fromkeys(("F", "FEMALE", "WOMAN", "W", "WEIBLICH", "FRAU", "FEMME", "FÉMININ", "MUJER", "FEMENINO"), "F"),
    **dict.fromkeys(("여", "여성", "여자", "女", "女性"), "F"),
}
ONSET_WORDS: Mapping[str, str] = {
    **dict.fromkeys(
        ("BULBAR", "BULBÄR", "BULBAIRE", "구형", "연수", "연수형", "구음", "球", "球麻痺", "球型", "延髓"), "BULBAR"
    ),
    **dict.fromkeys(("LIMB", "SPINAL", "SPINALE", "ESPINAL", "EXTREMITÄT", "MEMBRES", "EXTREMIDAD", "MEDULAR"), "LIMB"),
    **dict.fromkeys(("사지", "사지형", "척수", "척수형", "四肢", "肢体", "肢体型", "脊髄", "脊髓"), "LIMB"),
    **dict.fromkeys(("RESPIRATORY", "RESPIRATORISCH", "RESPIRATOIRE", "RESPIRATORIO", "호흡", "呼吸"), "RESPIRATORY"),
}
REFERENCE = re.compile(
    r"pla[cz]ebo|sham|control|kontroll|t[ée]moin|vehi(cle|kel)|v[ée]hicule|standard of care|위약|대조|プラセボ|偽薬"
    r"|安慰[剂劑]|对照|対照",
    re.IGNORECASE,
)
_BASELINE = re.compile(
    r"^\s*(base ?line|baseline.*|bl|basis.*|ausgangs\w*|basal|inclusion|ligne de base|visita basal"
    r"|기저\w*|기준\w*|베이스라인|ベースライン|基線|基线)\s*$",
    re.IGNORECASE,
)
_UNITS = {
    "month": r"months?|mth|mo|monate?|monat|mois|mes(?:es)?|개월|か月|ヶ月|カ月|ヵ月|ケ月|个月|個月|月",
    "week": r"weeks?|wk|wochen?|woche|semaines?|semanas?|주|週間?|周",
    "day": r"days?|tage?|tag|jours?|d[ií]as?|일|日目?|天",
}
_SHORT = {"month": "M", "week": "W", "day": "D"}
MISSING_WORDS = frozenset({"", ".", "-", "NA", "N/A", "ND", "NAN", "NULL", "MISSING", "UNK", "UNKNOWN", "K.A.", "FEHLT"})


DEAD_WORDS = frozenset({"DEAD", "DIED", "DECEASED", "DEATH", "TOT", "GESTORBEN", "VERSTORBEN", "DÉCÉDÉ", "DÉCÉDÉE", "MORT",
                        "MUERTO", "MUERTA", "FALLECIDO", "FALLECIDA", "사망", "死亡"})  # fmt: skip
ALIVE_WORDS = frozenset(
    {"ALIVE", "LIVING", "LEBEND", "LEBT", "AM LEBEN", "VIVANT", "VIVANTE", "VIVO", "VIVA", "생존", "生存", "存活"}
)


@dataclass(frozen=True)
class Words:
    """The words that mean yes and no, a sex or a site of onset: those of the table, and those a study adds."""

    yes: frozenset[str]
    no: frozenset[str]
    sex: Mapping[str, str] = field(default_factory=lambda: SEX_WORDS)
    onset: Mapping[str, str] = field(default_factory=lambda: ONSET_WORDS)

    def meanings(self, column: str) -> Mapping[str, str]:
        """The words of SEX or ONSETSIT with what they stand for; none of other columns."""
        return {"SEX": self.sex, "ONSETSIT": self.onset}.get(column, {})

    def died(self, value: object) -> bool | None:
        """Whether a word says that somebody died: dead, alive, or yes and no; None for one that says neither."""
        said = said_word(value)
        if said in DEAD_WORDS or said in ALIVE_WORDS:
            return said in DEAD_WORDS
        found = self.flag(value)
        return None if found is None else found == "Y"

    def flag(self, value: object) -> str | None:
        """Y, N, or None for a blank and for a word that is neither."""
        said = said_word(value)
        return "Y" if said in self.yes else "N" if said in self.no else None

    def are_flags(self, values: Iterable[object]) -> bool:
        """Whether values say yes or no and nothing else, and at least one says yes."""
        said = {self.flag(v) for v in values if said_word(v)}
        return "Y" in said and None not in said


def words_with(
    yes: Sequence[str] = (),
    no: Sequence[str] = (),
    sex: Mapping[str, str] | None = None,
    onset: Mapping[str, str] | None = None,
) -> Words:
    """The table's words with those of a study. A study's word replaces the table's meaning of it."""
    own_yes, own_no = frozenset(map(said_word, yes)), frozenset(map(said_word, no))
    return Words(
        (frozenset(YES_WORDS) - own_no) | own_yes,
        (frozenset(NO_WORDS) - own_yes) | own_no,
        {**SEX_WORDS, **{said_word(k): v for k, v in (sex or {}).items()}},
        {**ONSET_WORDS, **{said_word(k): v for k, v in (onset or {}).items()}},
    )


def said_word(value: object) -> str:
    """In capitals without blanks around it; a whole number without a point; empty where missing."""
    if value is None or value != value:
        return ""
    return " ".join((f"{value:g}" if isinstance(value, float) else str(value)).upper().split())


def visit_time(label: str) -> tuple[float, str] | None:
    """Number and unit of a visit's text: ``Baseline`` is 0 of no unit, ``Visit 3 (Month 6)`` is 6 months; None for ``V3``."""
    if _BASELINE.match(label):
        return 0.0, ""
    for unit, names in _UNITS.items():
        found = re.search(rf"(?<![a-z])(?:{names})\.?\s*(\d+(?:[.,]\d+)?)", label, re.IGNORECASE) or re.search(
            rf"(\d+(?:[.,]\d+)?)\s*\.?\s*(?:{names})(?![a-z])", label, re.IGNORECASE
        )
        if found:
            return float(found[1].replace(",", ".")), unit
    for unit, letter in _SHORT.items():
        found = re.fullmatch(rf"\s*{letter}\s*(\d+(?:\.\d+)?)\s*", label, re.IGNORECASE)
        if found:
            return float(found[1]), unit
    return (0.0, "") if re.search(r"\(\s*(baseline|basal)\s*\)", label, re.IGNORECASE) else None


# What a column is called, by what it means. Names are compared without case, blanks and underscores.
_MEANINGS: tuple[tuple[str, str], ...] = (
    ("subject", r"(unique)?(subj(ect)?|pat(ient)?(en)?|participant|proband(en)?|case|screening)_?(id|nr|no|num(ber|mer)?"
                    r"|code|kennung)?"
                r"|usubjid|subjid|sujet|paciente|id|pid|대상자(번호|id)?|환자(번호|id)?|피험자(번호)?|被験者(番号|id)?"
                    r"|患者(番号|编号|id)?|受试者(编号)?|症例番号"),
    ("arm", r"trt01p|trtp|arm|armcd|trt|treat(ment)?(_?(arm|group))?|group|gruppe|behandlung(sgruppe|sarm)?|therapiearm|bras"
            r"|groupe|traitement|grupo|tratamiento|brazo|군|투여군|치료군|배정군|群|投与群|治療群|治疗组|组别|分组"),
    ("visit_number", r"visit_?(month|week|day|mon)|(visit)?monat|month|week|woche|mois|mes|semaine|semana|avisitn|개월|月"),
    ("visit", r"visit(e|a)?(_?(name|label|txt|text))?|avisit|besuch|zeitpunkt|timepoint|방문(시점)?|시점|来院|時点|访视"),
    ("date", r"visit_?(date|dt)|date(_?(of)?_?visit)?|besuchsdatum|visitendatum|datum|date_?(de_?)?(la_?)?visite"
                    r"|fecha(_?(de_?)?(la_?)?visita)?"
             r"|assessment_?date|exam_?date|방문일(자)?|검사일|来院日|検査日|访视日期|adt"),
    ("death", r"(date_?(of_?)?)?death(_?(date|dt))?|dthdt|died_?on|todesdatum|sterbedatum|todestag|(date_?(de_?"
                    r"|du_?)?)?d[ée]c[èe]s"
              r"|fecha_?(de_?)?(muerte|defunci[oó]n)|사망일(자)?|死亡日|死亡日期"),
    ("last_contact", r"last_?(contact|seen|visit|follow_?up|known_?alive)(_?(date|dt))?|letzter_?kontakt|lstalvdt|eosdt"
                    r"|eos_?date|end_?of_?study(_?date)?"
                     r"|(date_?(de_?|du_?)?)?derni([èe]re|er)s?_?(nouvelles|contact|visite)|[úu]ltimo_?contacto|최종(방문|관찰"
                    r"|생존확인)일(자)?|마지막방문일|最終(確認|観察|来院)日|末次随访日期"),
    ("first_dose", r"trtsdt|first_?dose(_?(date|dt))?|treatment_?start(_?date)?|start_?date|randomi[sz]ation_?date"
                    r"|rand(om)?_?(dt|date)"
                   r"|erste_?gabe|behandlungsbeginn|randomisierungsdatum|date_?(de_?)?randomisation|fecha_?(de_?)?(inicio"
                    r"|aleatorizaci[oó]n)|첫투여일(자)?|투여시작일|무작위배정일|初回投与日|首次给药日期"),
    ("died", r"died|dead|deceased|death_?(flag|fl|yn|ind(icator)?)|dthfl|(vital_?|survival_?)?status|verstorben|gestorben|tod"
             r"|d[ée]c[ée]d[ée]e?|statut(_?vital)?|fallecid[oa]|muert[oa]|estado(_?vital)?|사망(여부)?|생존여부|死亡(有無)?|生死|存活状态"),
    ("test", r"param(eter|cd)?|test(cd|_?name|_?code)?|measure(ment)?|assessment|outcome|messgr(ö|oe)(ß|ss)e"
             r"|parametre|param[èe]tre"
             r"|par[áa]metro|prueba|검사(명|항목)|検査項目|检查项目"),
    ("value", r"value|result|aval|wert|messwert|ergebnis|valeur|r[ée]sultat|valor|resultado|결과(값)?|수치|측정값"
              r"|値|結果|结果|数值"),
    ("onset_date", r"(symptom_?)?onset_?(date|dt)|date_?(of_?)?(symptom_?)?onset|(symptom|erkrankungs)_?beginn"
                    r"|date_?(de_?)?(d[ée]but|premiers?_?sympt[oô]mes?)|fecha_?(de_?)?inicio_?sintomas|발병일(자)?|発症日"
                    r"|发病日期"),
    ("ONSETSIT", r"onset(_?(site|sit|type|region))?|site_?(of_?)?onset|(krankheits)?beginn(ort)?|region_?onset|(site"
                    r"|forme|lieu)_?(de_?)?d[ée]but|forme|(sitio|forma)_?(de_?)?inicio|발병부위|발병유형|発症部位|病型"
                    r"|起病部位"),
    ("RILUFL", r"rilu(fl|zol|zole?|zole?_?(use|yn|bl|fl|baseline))|on_?riluzole|bl_?riluzole|riluzol|리루졸|릴루졸"
                    r"|リルゾール|利鲁唑"),
    ("LEADRATE", r"leadrate|prograte|prog(ression)?_?rate|delta_?fs|slope_?bl|progressionsrate|vitesse_?progression"
                    r"|진행속도|進行速度"),
    ("BLALSFR", r"bl_?als(frs?)?(_?r)?(_?total)?|als(frs?)?_?r?_?(bl|base(line)?)|base_?alsfrs?_?r?"),
    ("BLNFL", r"bl_?s?nfl|s?nfl_?(bl|base(line)?)"),
    ("BLFVC", r"bl_?[fs]?vc|[fs]vc_?(bl|base(line)?)"),
    ("AGE", r"age(_?(years|y|bl))?|alter|[âa]ge|edad|나이|연령|年齢|年龄"),
    ("SEX", r"sex|gender|geschlecht|sexe|sexo|성별|性別|性别"),
    ("alsfrs", r"als_?frs?(_?r)?_?(total|tot|score|sum(me)?|gesamt(score)?)?(_?score|_?points?)?|alsfrst"
                    r"|(total|score)_?alsfrs_?r?"
                    r"|alsfrs_?r?_?(총점|合計|总分)"),
    ("fvc_litres", r"fvc_?(l|lit(er|re)s?)|forced_?vital_?capacity_?(l|lit(er|re)s?)"),
    ("svc_litres", r"svc_?(l|lit(er|re)s?)|slow_?vital_?capacity_?(l|lit(er|re)s?)"),
    ("fvc", r"fvc(_?(pct|pp|perc(ent)?|pred(icted)?|p|soll|pct_?pred|pct_?soll))*%?|forced_?vital_?capacity|cvf(_?(pct"
                    r"|p))?%?"),
    ("svc", r"svc(_?(pct|pp|perc(ent)?|pred(icted)?|p|soll|pct_?pred))*%?|slow_?vital_?capacity|vc(_?(pct|pp))?%?"
                    r"|vitalkapazit[äa]t|폐활량|肺活量|cvl(_?(pct|p))?"),
    ("nfl", r"(serum_?|plasma_?)?s?p?nfl(_?(pg_?ml|serum|plasma|pgml|level))?|neurofilament(_?light(_?chain)?)?|nefl"),
)  # fmt: skip
_POPULATION_NAMES: tuple[tuple[str, str], ...] = (
    ("FAS", r"fas(fl)?|fullset|full_?analysis(_?set)?"),
    ("Efficacy", r"efffl"),
    ("mITT", r"mitt(fl)?"),
    ("ITT", r"itt(fl)?|intent(ion)?_?to_?treat"),
    ("Randomised", r"rand(fl|omi[sz]ed)"),
    ("PP", r"pp(rotfl|rot|s|fl|sfl)?|per_?protocol"),
    ("Safety", r"saf(fl|ety|_?set)?|safety_?(set|population)|saffl"),
)
ITEM = re.compile(
    r"(?:als_?frs?_?r?_?)?_?(?:q|item|frage|question|pregunta|i|문항|項目|问题)?_?0*(1[0-2]|[1-9])_?([ab])?", re.IGNORECASE
)
_ITEM_PREFIX = re.compile(r"^(als|q\d|q_\d|item|frage|question|pregunta|문항|項目|问题)", re.IGNORECASE)


def plain(name: str) -> str:
    """A column's name in small letters, with single underscores for blanks, dots, dashes and brackets."""
    return re.sub(r"_+", "_", re.sub(r"[\s.\-/()\[\]:%]+", "_", name.strip().lower())).strip("_")


def meaning(name: str) -> str:
    """What a column of this name holds, empty where the name does not tell."""
    held = plain(name)
    return next((what for what, form in _MEANINGS if re.fullmatch(form, held)), "")


def item_of(name: str) -> str:
    """Which item of the ALSFRS-R a column of this name holds: 1 to 12, 5a or 5b; empty if none."""
    held = plain(name)
    found = ITEM.fullmatch(held) if _ITEM_PREFIX.match(held) else None
    if found is None or (found[2] and found[1] != "5"):
        return ""
    return found[1] + (found[2] or "").lower()


def population(name: str) -> str:
    """The analysis set of which a column of this name is the flag, empty if none."""
    held = plain(name)
    return next((what for what, form in _POPULATION_NAMES if re.fullmatch(form, held)), "")
