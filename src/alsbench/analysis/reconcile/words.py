"""Words of the field for statistics, and how words are compared: without case, punctuation and repeated blanks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache

SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "n": ("n", "number of subjects", "subjects", "n subjects", "n obs"),
    "count": ("n", "count", "subjects with", "number of subjects", "events"),
    "percent": ("percent", "pct", "percentage"),
    "mean": ("mean", "arithmetic mean"),
    "sd": ("sd", "std dev", "standard deviation", "stddev"),
    "median": ("median", "p50", "50th percentile"),
    "q1": ("q1", "p25", "25th percentile", "lower quartile"),
    "q3": ("q3", "p75", "75th percentile", "upper quartile"),
    "min": ("min", "minimum"),
    "max": ("max", "maximum"),
    "ls_mean": ("ls mean", "lsmean", "ls means", "least squares mean", "adjusted mean", "emmean", "estimate", "mean"),
    "slope": ("slope", "estimate", "rate of change"),
    "se": ("se", "std error", "standard error", "stderr", "sem"),
    "df": ("df", "degrees of freedom"),
    "t": ("t", "t value", "t ratio", "statistic"),
    "difference": ("difference", "ls mean difference", "mean difference", "treatment difference", "diff", "estimate"),
    "p_value": ("p value", "p", "pvalue", "pr t", "probt"),
    "p_adjusted": ("p adjusted", "adjusted p", "adj p"),
    "interaction_p": ("interaction p", "p for interaction", "p int", "p interaction"),
    "hazard_ratio": ("hazard ratio", "hr", "estimate"),
    "ratio": ("ratio", "geometric mean ratio", "ratio of geometric means", "estimate"),
    "gmr": ("gmr", "geometric mean", "geometric ls mean"),
    "log_rank_p": ("log rank p", "logrank p", "log rank p value", "p value"),
    "gehan_p": ("gehan p", "finkelstein schoenfeld p"),
    "risk_difference": ("risk difference", "difference in percentages"),
    "first_lasting_visit": ("at every visit from", "first lasting visit"),
    "first_visit": ("first at", "first visit"),
    "visits_tested": ("visits tested",),
}
LOWER = ("lower", "lower cl", "lower limit", "lower bound", "conf low", "ci lower bound", "lcl", "asymp lcl", "lower 95 cl")
UPPER = ("upper", "upper cl", "upper limit", "upper bound", "conf high", "ci upper bound", "ucl", "asymp ucl", "upper 95 cl")
INTERVAL = ("95 ci", "ci", "95 confidence interval", "confidence interval", "95 cl", "95 confidence limits")
SIGNS = re.compile(r"[^\w]+|_")


@lru_cache(maxsize=65_536)
def fold(text: str) -> str:
    """A text as it is compared: ``LS Mean (SE)`` is ``ls mean se``."""
    return " ".join(SIGNS.sub(" ", text.replace("\u03b1", "alpha")).casefold().split())


@cache
def called(stat_name: str) -> frozenset[str]:
    """What a statistic may be called, folded; its own name always."""
    words = {fold(stat_name), *SYNONYMS.get(stat_name, ())}
    for ending, limits in (("_low", LOWER), ("_high", UPPER)):
        if stat_name.endswith(ending):
            base = stat_name.removesuffix(ending)
            words |= {*limits, *(f"{w} {x}" for w in SYNONYMS.get(base, (fold(base),)) for x in limits)}
    return frozenset(words)


def holds(text: str, phrase: str) -> bool:
    """Whether a folded text has a folded phrase in it, by whole words."""
    return bool(phrase) and f" {phrase} " in f" {text} "


def found_in(text: str, phrases: Iterable[str]) -> set[str]:
    """The phrases (as given) that a folded text holds; one within a longer one that is there is not found by that."""
    rest, found = f" {text} ", set()
    for phrase in sorted(set(phrases), key=lambda p: -len(fold(p))):
        folded = f" {fold(phrase)} "
        if folded.strip() and folded in rest:
            found.add(phrase)
            rest = rest.replace(folded, " \x00 ")
    return found


@lru_cache(maxsize=4096)
def statistics_in(text: str, names: tuple[str, ...]) -> list[frozenset[str]]:
    """What a heading says stands in its cells, in order: for each statistic the names that it may be. ``LS mean (SE)`` is two,
    ``Difference (95% CI)`` three."""
    by_phrase: dict[str, set[str]] = {}
    for name in names:
        for phrase in called(name):
            by_phrase.setdefault(phrase, set()).add(name)
    lows, highs = ({n for n in names if n.endswith(e)} for e in ("_low", "_high"))
    tokens = fold(text.replace("(%)", " percent ").replace("%)", " percent)") if "CI" not in text else text).split()
    longest = max((len(p.split()) for p in (*by_phrase, *INTERVAL)), default=0)
    found: list[frozenset[str]] = []
    at = 0
    while at < len(tokens):
        for size in range(min(longest, len(tokens) - at), 0, -1):
            phrase = " ".join(tokens[at : at + size])
            if phrase in INTERVAL and lows:
                found += [frozenset(lows), frozenset(highs)]
            elif phrase in by_phrase:
                found.append(frozenset(by_phrase[phrase]))
            else:
                continue
            at += size
            break
        else:
            at += 1
    return found
