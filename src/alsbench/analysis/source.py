"""Where answers come from: a study file and the snapshot it is asked of.

A source reads the subject-level table once and keeps it; everything derived from it (arms, analysis sets, covariates) is
looked up there, by subject, so that no endpoint data set can disagree with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from alsbench.audit.chain import LogStatus, log_status
from alsbench.audit.lock import Lock, judged, read_lock
from alsbench.audit.workspace_identity import WorkspaceIdentity, identify
from alsbench.compute import IN_PROCESS, Compute
from alsbench.data import codelists
from alsbench.data.frames import Frame
from alsbench.data.snapshot import Snapshot
from alsbench.data.workspace import Workspace
from alsbench.errors import DataError, UsageError
from alsbench.study.model import Comparison, Endpoint, Study
from alsbench.study.names import nearest
from alsbench.study.study_file import study_digest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray  # a kept answer needs no NumPy: it comes with the first column read

    from alsbench.analysis.contrast import Piece

SUBJECT_TABLE = "ADSL"
READ = (  # what a source has read of the data, whatever is asked of them
    *("subjects", "subject_ids", "subject_index", "planned_arm", "actual_arm"),
    *("records_read", "flags_read", "times_read", "truth_read", "covariates_read"),
)
BoolArray: TypeAlias = "NDArray[np.bool_]"
IntArray: TypeAlias = "NDArray[np.int64]"


@dataclass(frozen=True)
class Source:
    """A study, a snapshot, and the hash of the study as it was when the source was opened.

    ``results_dir`` is where answers may be kept between sessions; None keeps none. Under a ``lock`` the subgroups of
    ``study`` are pre-specified only where the locked plan has them. ``held`` is the workspace as it was found, ``log`` what is
    to be said of its audit log, ``compute`` where blocks of resampling are computed: no part of an answer. What was read is
    kept as long as the source: ``records_read`` of a parameter, ``flags_read`` who is in which analysis set, ``times_read`` of
    an event, ``truth_read`` of a subgroup's expression, ``covariates_read`` of models; and so is what it answered: ``pieces``
    of the evidence, ``verdicts`` of the multiplicity plan by population.
    """

    study: Study
    snapshot: Snapshot
    study_digest: str
    results_dir: Path | None = None
    lock: Lock | None = None
    held: WorkspaceIdentity | None = None
    log: LogStatus = field(default_factory=LogStatus)
    compute: Compute = field(default=IN_PROCESS, repr=False, compare=False)
    records_read: dict[tuple[object, ...], Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    flags_read: dict[str, tuple[list[str], BoolArray]] = field(default_factory=dict, init=False, repr=False, compare=False)
    times_read: dict[tuple[str, str, str], Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    truth_read: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    covariates_read: dict[tuple[object, ...], Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    pieces: dict[str, Piece] = field(default_factory=dict, init=False, repr=False, compare=False)
    verdicts: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def blinded(self) -> bool:
        """Whether the snapshot holds dummy arms."""
        return bool(self.snapshot.receipt.get("blinded"))

    @property
    def doubt(self) -> str:
        """Why the lock, or that there is none, is not to be believed: a log with faults that nobody has explained."""
        if not self.log.broken:
            return ""
        what = (
            "the locked plan may have been edited" if self.lock is not None else "a locked plan may have been taken out of it"
        )
        return f"the audit log does not verify: {what}"

    @cached_property
    def subjects(self) -> Frame:
        """The subject-level table, sorted by subject: one row each."""
        if SUBJECT_TABLE not in self.snapshot.tables:
            raise DataError(
                f"the snapshot has no {SUBJECT_TABLE} table",
                where=self.snapshot.name,
                hint=f"load a data set named {SUBJECT_TABLE}, one row per subject",
            )
        return self.snapshot.frame(SUBJECT_TABLE, order_by=(self.study.info.subject,))

    @cached_property
    def subject_ids(self) -> tuple[str, ...]:
        return tuple(str(s) for s in self.subjects[self.study.info.subject])

    @cached_property
    def subject_index(self) -> dict[str, int]:
        """Subject id -> row of :attr:`subjects`."""
        return {s: i for i, s in enumerate(self.subject_ids)}

    @cached_property
    def planned_arm(self) -> IntArray:
        """Index into ``arms.order`` of each subject's planned arm, -1 where it is none of them."""
        return self._arm_codes(self.study.arms.planned)

    @cached_property
    def actual_arm(self) -> IntArray:
        """Index into ``arms.order`` of each subject's actual arm, -1 where it is none of them."""
        return self._arm_codes(self.study.arms.actual)

    def read_at(self, comparison: Comparison, visit: float) -> Source:
        """The same trial with a comparison read at another visit, in visit units. What was read of the data is shared, answers
        are not."""
        found = tuple(
            c.model_copy(update={"horizon": visit}) if c.name == comparison.name else c for c in self.study.comparisons
        )
        study = self.study.model_copy(update={"comparisons": found})
        other = replace(self, study=study, study_digest=study_digest(study))
        other.__dict__.update({name: self.__dict__[name] for name in READ if name in self.__dict__})
        return other

    def _arm_codes(self, column: str) -> IntArray:
        import numpy as np  # waits: numpy

        codes = {arm: i for i, arm in enumerate(self.study.arms.order)}
        return np.array([codes.get(a, -1) for a in self.subject_column(column)], dtype=np.int64)

    def subject_column(self, name: str, asked_by: str = "") -> NDArray[np.generic]:
        """A column of the subject-level table; UsageError naming the nearest column where there is none."""
        if name not in self.subjects.columns:
            raise UsageError(
                f"{SUBJECT_TABLE} has no column {name}",
                where=asked_by or self.snapshot.name,
                hint=nearest(name, self.subjects.columns),
            )
        column: NDArray[np.generic] = self.subjects[name]
        return column

    def population(self, name: str = "") -> BoolArray:
        """Who is in the analysis set (the flag says yes); the study's default set for an empty name."""
        return self._population_flags(name)[1].copy()

    def population_words(self, name: str) -> str:
        """``FASFL = 'Y'``, and of how many subjects the flag says nothing known: they are not in the set.

        A blank is no where the flag says N of nobody, as ADaM has it.
        """
        words, _ = self._population_flags(name)
        silent = [w for w in words if codelists.yes(w) != codelists.yes(w)]
        if not any(codelists.yes(w) == 0.0 for w in words):
            silent = [w for w in silent if w]
        flag = self.study.populations.flags[name or self.study.populations.default]
        if not silent:
            return f"{flag} = 'Y'"
        n = f"{len(silent)} subject{'s' * (len(silent) != 1)}"
        return f"{flag} = 'Y'; not known for {n} ({codelists.listed(set(silent))}), not in the set"

    def _population_flags(self, name: str) -> tuple[list[str], BoolArray]:
        """What the flag says of every subject, and of whom it says yes."""
        import numpy as np  # waits: numpy

        name = name or self.study.populations.default
        flags = self.study.populations.flags
        if name not in flags:
            raise UsageError(f"no population is named {name}", where="study.toml populations", hint=nearest(name, flags))
        if name not in self.flags_read:
            column = self.subject_column(flags[name], f"study.toml populations.{name}")
            words = [codelists.word(v) for v in column.tolist()]
            self.flags_read[name] = words, np.array([codelists.yes(w) == 1.0 for w in words], dtype=np.bool_)
        return self.flags_read[name]

    def endpoint(self, name: str) -> Endpoint:
        """The endpoint of that name; UsageError naming the nearest one where there is none."""
        try:
            return self.study.endpoints[name]
        except KeyError:
            raise UsageError(
                f"no endpoint is named {name}", where="study.toml endpoints", hint=nearest(name, self.study.endpoints)
            ) from None

    def default_population(self, endpoint: Endpoint) -> str:
        """The endpoint's population, else the study's default; for incidence the one flagged by SAFFL where there is one."""
        populations = self.study.populations
        if not endpoint.population and endpoint.method == "incidence":
            return next((name for name, flag in populations.flags.items() if flag == "SAFFL"), populations.default)
        return endpoint.population or populations.default

    def comparisons(self, names: tuple[str, ...] = ()) -> tuple[Comparison, ...]:
        """Comparisons by name or by treatment label, in the order asked; all of the study's for an empty tuple."""
        if not names:
            return self.study.comparisons
        found: list[Comparison] = []
        for name in names:
            hits = [c for c in self.study.comparisons if c.name == name] or [
                c for c in self.study.comparisons if c.treatment == name
            ]
            if not hits:
                known = [c.name for c in self.study.comparisons] + [c.treatment for c in self.study.comparisons]
                raise UsageError(f"no comparison is named {name}", where="study.toml comparisons", hint=nearest(name, known))
            found.extend(h for h in hits if h not in found)
        return tuple(found)


def open_source(workspace: Path, compute: Compute = IN_PROCESS) -> Source:
    """The study and current snapshot of a workspace. Raises StudyError, DataError or UnavailableError."""
    space = Workspace(workspace)
    study = space.read_study()
    lock = read_lock(space.path, space.audit_path)
    held = identify(workspace)
    snapshot = space.open_current()
    try:
        log = log_status(space.audit_path, snapshot.name)
    except BaseException:
        snapshot.close()
        raise
    return Source(judged(lock, study), snapshot, study_digest(study), space.results_dir, lock, held, log, compute)
