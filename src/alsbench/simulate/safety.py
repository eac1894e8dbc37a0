"""Adverse events and doses of a simulated trial: background events of the disease, events after lumbar punctures (all arms:
the control is a sham procedure), and reactions to active doses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alsbench.simulate.draws import Stream
from alsbench.simulate.parameters import Parameters
from alsbench.simulate.subjects import DAYS_PER_MONTH, SAFETY, SimulatedSubjects

_BACKGROUND = (
    # term, system organ class, weight, share serious
    ("Fall", "Injury, poisoning and procedural complications", 10, 0.03),
    ("Constipation", "Gastrointestinal disorders", 6, 0.0),
    ("Dysphagia", "Gastrointestinal disorders", 3, 0.1),
    ("Nausea", "Gastrointestinal disorders", 4, 0.0),
    ("Nasopharyngitis", "Infections and infestations", 6, 0.0),
    ("Urinary tract infection", "Infections and infestations", 4, 0.02),
    ("Pneumonia", "Infections and infestations", 2, 0.7),
    ("Back pain", "Musculoskeletal and connective tissue disorders", 5, 0.0),
    ("Arthralgia", "Musculoskeletal and connective tissue disorders", 4, 0.0),
    ("Muscle spasms", "Musculoskeletal and connective tissue disorders", 4, 0.0),
    ("Headache", "Nervous system disorders", 6, 0.0),
    ("Insomnia", "Psychiatric disorders", 3, 0.0),
    ("Depression", "Psychiatric disorders", 3, 0.02),
    ("Dyspnoea", "Respiratory, thoracic and mediastinal disorders", 3, 0.1),
    ("Salivary hypersecretion", "Gastrointestinal disorders", 3, 0.0),
    ("Fatigue", "General disorders and administration site conditions", 4, 0.0),
)
_PROCEDURE = (
    ("Procedural pain", "Injury, poisoning and procedural complications", 4, 0.0),
    ("Post lumbar puncture syndrome", "Nervous system disorders", 3, 0.01),
    ("Headache", "Nervous system disorders", 4, 0.0),
    ("Back pain", "Musculoskeletal and connective tissue disorders", 3, 0.0),
)
_REACTION = (
    ("Pyrexia", "General disorders and administration site conditions", 3, 0.0),
    ("Musculoskeletal pain", "Musculoskeletal and connective tissue disorders", 3, 0.0),
    ("Paraesthesia", "Nervous system disorders", 2, 0.0),
)
_GRADES = ("MILD", "MODERATE", "SEVERE")
FATAL = ("Respiratory failure", "Respiratory, thoracic and mediastinal disorders")


@dataclass(frozen=True)
class AdverseEvent:
    person: int
    day: int
    term: str
    organ_class: str
    serious: bool
    severity: str
    related: str
    outcome: str


@dataclass(frozen=True)
class Dose:
    person: int
    number: int
    day: int
    active: bool


def simulate_doses(params: Parameters, people: SimulatedSubjects) -> list[Dose]:
    """Procedures on the longest schedule of all arms, active where the arm's own schedule says so."""
    schedule = sorted({day for arm in params.arms for day in arm.dose_days}) or [1]
    doses = []
    for person in range(people.arm.size):
        own = params.arms[int(people.arm[person])].dose_days
        given = [day for day in schedule if day <= people.end_day[person]]
        doses += [Dose(person, number, day, day in own) for number, day in enumerate(given, 1)]
    return doses


def simulate_adverse_events(params: Parameters, people: SimulatedSubjects, doses: list[Dose], seed: int) -> list[AdverseEvent]:
    """Adverse events by subject and day. No serious event is related: as in the trial this is made after."""
    stream = Stream(seed, SAFETY)
    events = []
    by_person: dict[int, list[Dose]] = {}
    for dose in doses:
        by_person.setdefault(dose.person, []).append(dose)
    for person in range(people.arm.size):
        end = int(people.end_day[person])
        mine = [_draw(_BACKGROUND, person, 1 + int(stream.uniform(1)[0] * end), stream, related=False) for _ in range(
            stream.count(params.safety.background * end / DAYS_PER_MONTH)
        )]  # fmt: skip
        for dose in by_person.get(person, []):
            after = min(end, dose.day + int(stream.uniform(1)[0] * 4))
            draw = stream.uniform(2)
            if draw[0] < params.safety.procedure:
                mine.append(_draw(_PROCEDURE, person, after, stream, related=False))
            if dose.active and draw[1] < params.safety.reaction:
                mine.append(_draw(_REACTION, person, after, stream, related=True))
        if people.event[person] == 0:
            mine.append(AdverseEvent(person, end, *FATAL, True, "SEVERE", "NOT RELATED", "FATAL"))
        events += sorted(mine, key=lambda e: (e.day, e.term))
    return events


def _draw(
    terms: tuple[tuple[str, str, int, float], ...], person: int, day: int, stream: Stream, *, related: bool
) -> AdverseEvent:
    term, organ_class, _, share = terms[stream.choice(np.array([t[2] for t in terms], dtype=np.float64))]
    u = stream.uniform(3)
    serious = bool(u[0] < share)
    grade = _GRADES[int(np.searchsorted([0.25, 0.7] if serious else [0.62, 0.95], u[1], side="right"))]
    relation = ("POSSIBLE" if u[2] < 0.6 else "PROBABLE") if related else "NOT RELATED"
    if not related and not serious and u[2] < 0.12:
        relation = "POSSIBLE"
    return AdverseEvent(person, day, term, organ_class, serious, grade, relation, "RECOVERED")
