"""Blinding: arms under dummy names, and the key that says which is which.

The permutation of arms to ``Arm A``, ``Arm B`` ... follows from a random secret (HMAC-SHA-256 of each arm's name, sorted), so
that neither the order of the arms nor their names tell it. The key file holds secret, permutation, codes, the study file
as it was and what was taken out of the data; what stays behind is the key's fingerprint, and nothing that could be computed
again from the originals without its secret.

The study file under dummy arms, and the one that comes back.

Whatever says in the words of the protocol who is who is withheld: it stands in the key's copy of the study file only. That is
a condition that names an arm, its code or a column that tells the arm (which dummy would be ``TRT01P != 'Placebo'``?), together
with the subgroup, endpoint or population it belongs to, because their names say the same; and what rests on something withheld.

What blinding takes out of a data set: kept with the key, and put back when the blind is lifted.

A blinded data set is cut to the rows and columns that tell nothing and sorted by subject, then by every other column as it
stands there, so that neither the order of the files nor that of a subject's records says anything the records do not. Sealed
are the columns that differ, the rows left out and where each row stood: with them the data set is again what it was, bit for
bit.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from alsbench.errors import DataError, UnavailableError, UsageError
from alsbench.files import refuse_link, write_file
from alsbench.study.expression import parse
from alsbench.study.model import Endpoint, Study, Subgroup
from alsbench.study.syntax_tree import Aggregate, ColumnRef, Compare, Expression, InList, Junction, Node, Not, Value, operands

SCHEMA = "alsbench.blinding-key/2"
BLINDED_TEXT = "[blinded]"
SHORTEST = 3  # labels shorter than this are replaced in arm columns only
LONG = 5  # letters of an arm's name that are looked for inside other names


@dataclass(frozen=True)
class Key:
    """Who is who. ``arms`` is real label -> dummy; ``codes`` column -> real code -> dummy code, both as text.

    ``sources`` are the files that were loaded; ``withheld`` names, by part of the study file, what the blinded one leaves out;
    ``sealed`` holds, by digest of the blinded data, what was taken out of them (:func:`packed`).
    """

    study: str
    created: str
    secret: str
    arms: Mapping[str, str]
    study_toml: str
    codes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    sources: tuple[Mapping[str, str], ...] = ()
    withheld: Mapping[str, Sequence[str]] = field(default_factory=dict)
    sealed: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over secret, arms and study file: tells nothing without the key, and knows the key again."""
        text = json.dumps([self.study, self.secret, dict(sorted(self.arms.items())), self.study_toml])
        return hashlib.sha256(text.encode()).hexdigest()

    def mark(self, content: object) -> str:
        """HMAC-SHA-256 under the secret: the same content is known again with the key, and cannot be guessed without it."""
        text = json.dumps(content, sort_keys=True)
        return hmac.new(bytes.fromhex(self.secret), text.encode(), hashlib.sha256).hexdigest()


def new_key(study: Study, study_toml: str, labels: Iterable[str], *, now: datetime | None = None) -> Key:
    """A key for these arm labels with a fresh secret."""
    secret = secrets.token_hex(32)
    moment = (now or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="seconds")
    return Key(study.info.id, moment, secret, permute(labels, secret), study_toml)


def permute(labels: Iterable[str], secret: str) -> dict[str, str]:
    """Label -> dummy name, in an order that only the secret tells."""
    found = sorted(set(labels))
    order = sorted(found, key=lambda s: hmac.new(bytes.fromhex(secret), s.encode(), hashlib.sha256).digest())
    stem = next(s for s in ("Arm", "Blind arm", "Dummy arm") if not any(label.lower().startswith(s.lower()) for label in found))
    return {label: f"{stem} {_letters(i)}" for i, label in enumerate(order)}


def hide_words(key: Key, words: Sequence[str] = ()) -> Callable[[str], str]:
    """A function that puts ``[blinded]`` in the place of every arm name, code of two or more letters, and further word."""
    names = _names(key, words)
    if not names:
        return lambda text: text
    pattern = re.compile("|".join(word_pattern(n) for n in names), re.IGNORECASE)
    return lambda text: pattern.sub(BLINDED_TEXT, text)


def names_arm(name: str, key: Key, words: Sequence[str] = ()) -> bool:
    """Whether a name (of a column, a data set, a subgroup) is made of an arm's: ``PLACEBOFL``, ``group_1``.

    Short ones count at the beginning only, before an ending of the field: ``LOWFL`` is named after an arm LOW, ``SLOW`` is not.
    """
    bare = _bare(name)
    for each in map(_bare, _names(key, words)):
        after = "" if not each[-1:].isdigit() else r"(?!\d)"
        pattern = re.escape(each) + (after if len(each) >= LONG else r"(FL|N|CD|DT|DTM|DY|P|A|\d*)$")
        if each and (re.search if len(each) >= LONG else re.match)(pattern, bare, re.IGNORECASE):
            return True
    return hide_words(key, words)(name) != name


def _names(key: Key, words: Sequence[str]) -> list[str]:
    codes = {c for codes in key.codes.values() for c in codes if re.search("[^0-9.-]", c)}
    return sorted({w.strip() for w in (*key.arms, *words, *codes) if len(w.strip()) >= SHORTEST}, key=lambda w: (-len(w), w))


def _bare(name: str) -> str:
    return "".join(c for c in name if c.isalnum())


def write_key(path: Path, key: Key, *, workspace: Path, replace: bool = False) -> None:
    """Write the key for its holder: 0600, in one step, never inside the workspace, never over a file unless ``replace``."""
    refuse_inside(path, workspace)
    refuse_link(path)
    if path.exists() and not replace:
        raise UsageError("there is a file already", where=str(path), hint="name a new file for the key")
    values = {"schema": SCHEMA, "fingerprint": key.fingerprint, **asdict(key)}
    try:
        write_file(path, (json.dumps(values, indent=1, ensure_ascii=False) + "\n",))
    except UnavailableError as fault:
        raise UnavailableError(f"the key cannot be written: {fault.what}", where=str(path), why=fault.why) from fault


def read_key(path: Path) -> Key:
    """The key of a file. Raises DataError where it is none, or was edited."""
    try:
        values = json.loads(path.read_text("utf-8"))
        if values.pop("schema") != SCHEMA:
            raise ValueError
        fingerprint = values.pop("fingerprint")
        key = Key(**{**values, "sources": tuple(values["sources"])})
        genuine = key.fingerprint == fingerprint
    except FileNotFoundError:
        raise DataError("there is no such key file", where=str(path)) from None
    except OSError as fault:
        raise DataError(f"the key cannot be read: {fault.strerror}", where=str(path)) from fault
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DataError("the file is no blinding key", where=str(path)) from None
    if not genuine:
        raise DataError("the key was edited", where=str(path), hint="restore the file as it was written")
    return key


def refuse_inside(path: Path, workspace: Path) -> None:
    """Raises UsageError for a key inside the workspace it blinds."""
    if path.resolve().is_relative_to(workspace.resolve()):
        raise UsageError(
            "the key must not lie in the workspace it blinds",
            where=str(path),
            hint="give it to its holder: --key /elsewhere/FILE",
        )


def word_pattern(name: str) -> str:
    """A name as a word of a text, whatever stands in the place of its blanks: ``Low dose``, ``LOW_DOSE``, ``low-dose``."""
    parts = map(re.escape, re.split(r"[\s_-]+", name.strip()))
    return r"(?<![A-Za-z0-9])" + r"[\s_-]*".join(parts) + r"(?![A-Za-z0-9])"


def _letters(index: int) -> str:
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


# ---- the study file

PARTS = ("schema", "study", "arms", "populations", "visits", "comparisons", "endpoints", "subgroups")


def blind_study(study: Study, key: Key, words: Sequence[str], told: Iterable[str]) -> tuple[str, Mapping[str, Sequence[str]]]:
    """``study.toml`` under dummy arms, and the names of what is withheld by part of the file.

    Every arm stands against the first one at every horizon, so that neither the reference nor a horizon tells who is who.
    Labels, doses, primary comparisons, the multiplicity plan and comments are left out. ``told`` are the columns that hold or
    tell the arm. Raises DataError where the default population is withheld.
    """
    import tomlkit  # waits: tomlkit

    judge = _Judge(key, words, told)
    withheld: dict[str, list[str]] = {
        "populations": [n for n, flag in study.populations.flags.items() if judge.name(n) or judge.columns([flag])],
        "endpoints": [],
        "subgroups": [s.name for s in study.subgroups if judge.subgroup(s)],
    }
    if study.populations.default in withheld["populations"]:
        raise DataError("the default population tells an arm", where="populations.default", hint="name another one")
    withheld["endpoints"] = _endpoints(study, judge, withheld["populations"])
    hide = hide_words(key, words)
    values = study.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude_none=True)
    values["schema"] = 1
    values["study"] = {"id": study.info.id, **{k: v for k, v in values["study"].items() if k != "id"}}
    values |= _dummy_arms(study, key, values["arms"])
    for part in ("populations", "endpoints"):
        values[part] = {n: v for n, v in values.get(part, {}).items() if n not in withheld[part]}
    values["subgroups"] = [s for s in values.get("subgroups", []) if s["name"] not in withheld["subgroups"]]
    for endpoint in values["endpoints"].values():
        endpoint.pop("name", None)
    hidden = _swept(values, hide)
    text = tomlkit.dumps({k: hidden[k] for k in PARTS if hidden.get(k)})
    return "# Blinded: the arms are dummies.\n" + text, withheld


def real_subgroup(subgroup: Subgroup, key: Key) -> Subgroup | None:
    """A subgroup that was added under the blind with real arms in the place of dummies; None where it orders dummy codes, which
    has no meaning in real ones."""
    codes = {column.upper(): {dummy: code for code, dummy in known.items()} for column, known in key.codes.items()}
    arms = {dummy.lower(): arm for arm, dummy in key.arms.items()}
    expression = parse(subgroup.where)
    coded = [
        n for n in _nodes(expression.root) if any(isinstance(o, ColumnRef) and o.name.upper() in codes for o in operands(n))
    ]
    if any(not isinstance(n, InList) and getattr(n, "op", "") not in ("==", "!=") for n in coded):
        return None

    def real(value: Any, column: str) -> Any:
        if not isinstance(value, Value) or value.kind == "boolean":
            return value
        known = codes.get(column.upper())
        if known is None:
            return replace(value, value=arms.get(str(value.value).lower(), value.value)) if value.kind == "text" else value
        found = known.get(f"{value.value:g}" if isinstance(value.value, float) else str(value.value))
        return value if found is None else replace(value, value=float(found) if value.kind == "number" else found)

    root = _changed(expression.root, real)
    return subgroup if root == expression.root else subgroup.model_copy(update={"where": Expression("", root).canonical()})


class _Judge:
    """What tells an arm: names and texts by the arm's name, conditions also by the columns they are about."""

    def __init__(self, key: Key, words: Sequence[str], told: Iterable[str]) -> None:
        self.key, self.words = key, words
        self.told = {c.upper() for c in told}

    def name(self, *names: str) -> bool:
        return any(names_arm(n, self.key, self.words) for n in names if n)

    def columns(self, names: Iterable[str]) -> bool:
        return any(n.upper() in self.told or self.name(n) for n in names)

    def condition(self, text: str) -> bool:
        return bool(text) and (hide_words(self.key, self.words)(text) != text or self.columns(parse(text).columns))

    def subgroup(self, subgroup: Subgroup) -> bool:
        named = self.name(subgroup.name, subgroup.label, subgroup.complement)
        return named or self.condition(subgroup.where)

    def endpoint(self, name: str, endpoint: Endpoint) -> bool:
        used = [*endpoint.covariates, *endpoint.factors, *endpoint.strata, *endpoint.at, endpoint.weights]
        named = self.name(name, endpoint.paramcd, endpoint.dataset, *endpoint.visit_contrasts)
        return named or self.condition(endpoint.where) or self.columns(c for c in used if c)


def _endpoints(study: Study, judge: _Judge, populations: Sequence[str]) -> list[str]:
    """The endpoints that tell an arm, and those that rest on one of them or on a population that is withheld."""
    found = [n for n, e in study.endpoints.items() if judge.endpoint(n, e) or e.population in populations]
    while more := [n for n, e in study.endpoints.items() if e.function in found and n not in found]:
        found += more
    return found


def _dummy_arms(study: Study, key: Key, arms: Mapping[str, Any]) -> dict[str, Any]:
    dummies = sorted(key.arms[a] for a in study.arms.order)
    horizons: list[float | None] = [*sorted({c.horizon for c in study.comparisons if c.horizon is not None})] or [None]
    letter = study.visits.unit[0].upper()
    kept = {k: v for k, v in arms.items() if k in ("planned", "actual")}
    comparisons = [
        {"name": dummy, "treatment": dummy}
        if horizon is None
        else {"name": f"{dummy}-{letter}{horizon:g}", "treatment": dummy, "horizon": horizon}
        for dummy in dummies[1:]
        for horizon in horizons
    ]
    return {"arms": {**kept, "reference": dummies[0], "order": dummies}, "comparisons": comparisons}


def _nodes(node: Node) -> list[Node]:
    match node:
        case Junction(_, terms):
            return [n for t in terms for n in _nodes(t)]
        case Not(term):
            return _nodes(term)
    return [node]


def _changed(node: Node, real: Callable[[Any, str], Any]) -> Node:
    """The tree with every value that is compared with a column as ``real`` makes it."""
    match node:
        case Junction(word, terms):
            return Junction(word, tuple(_changed(t, real) for t in terms))
        case Not(term):
            return Not(_changed(term, real))
        case InList(column, values):
            return replace(node, values=tuple(real(v, column.name) for v in values))
        case Compare(_, left, right):
            name = next((o.name for o in (left, right) if isinstance(o, ColumnRef)), "")
            fixed = isinstance(left, Aggregate) or isinstance(right, Aggregate)
            return node if fixed else replace(node, left=real(left, name), right=real(right, name))
    return node


def _swept(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_swept(v, change) for v in value]
    return {k: _swept(v, change) for k, v in value.items()} if isinstance(value, dict) else value


# ---- what is taken out of a data set

Order = NDArray[np.int64]


@dataclass(frozen=True)
class Sealed:
    """``order``: for each row that was loaded, where it stood. ``changed``: columns as they were, all rows in their old order.
    ``left``: the rows left out, which stood at ``places``. ``columns`` describes all columns in their old order, ``special`` is
    what the schema's metadata told of special missing values."""

    columns: tuple[Mapping[str, Any], ...]
    order: Order
    changed: pa.Table
    left: pa.Table
    places: Order
    special: Mapping[bytes, bytes] = field(default_factory=dict)


def seal(
    table: pa.Table, blinded: pa.Table, *, subject: str, named: frozenset[str], out: Order, columns: Sequence[Mapping[str, Any]]
) -> tuple[pa.Table, Sealed]:
    """The blinded table as it is loaded, and what turns it into ``table`` again. Both have the same rows and columns on the way
    in; ``named`` columns and the rows ``out`` are left out."""
    stays = np.setdiff1d(np.arange(table.num_rows), out)
    bare = blinded.drop_columns(sorted(named)).replace_schema_metadata(None)
    order = stays[sorted_rows(bare.take(pa.array(stays)), subject)]
    differ = [c for c in table.column_names if c in named or not table[c].equals(blinded[c])]
    changed = table.select(differ).replace_schema_metadata(None)
    left = table.take(pa.array(out)).replace_schema_metadata(None)
    made = Sealed(tuple(columns), order, changed, left, out, dict(table.schema.metadata or {}))
    return bare.take(pa.array(order)), made


def opened(loaded: pa.Table | None, sealed: Sealed) -> pa.Table:
    """The table as it was; ``loaded`` is None where all of it was left out."""
    back = pa.array(np.argsort(np.concatenate([sealed.order, sealed.places]), kind="stable"))
    arrays, names = [], [str(c["name"]) for c in sealed.columns]
    for name in names:
        if name in sealed.changed.column_names:
            arrays.append(sealed.changed[name])
            continue
        parts = [sealed.left[name]] if loaded is None else [loaded[name].cast(sealed.left[name].type), sealed.left[name]]
        arrays.append(pa.chunked_array([c for p in parts for c in p.chunks], sealed.left[name].type).take(back))
    return pa.table(dict(zip(names, arrays, strict=True)))


def sorted_rows(table: pa.Table, subject: str) -> Order:
    """The rows by subject, then by every other column from the first on; missing values last."""
    for at, kind in enumerate(table.schema):
        if pa.types.is_boolean(kind.type):  # booleans have no order in Arrow
            table = table.set_column(at, kind.name, table[kind.name].cast(pa.int8()))
    keys = sorted(table.column_names, key=lambda name: name != subject)
    if not table.num_rows or not keys:
        return np.arange(table.num_rows)
    found = pc.sort_indices(table, sort_keys=[(name, "ascending") for name in keys])  # missing last
    return np.asarray(found.to_numpy(), dtype=np.int64)


def packed(sealed: Sealed) -> dict[str, Any]:
    """Plain JSON values: tables compressed, as base64."""
    return {
        "columns": [dict(c) for c in sealed.columns],
        "changed": _pack(sealed.changed),
        "left": _pack(sealed.left),
        "order": _pack(pa.table({"order": pa.array(sealed.order, pa.int64())})),
        "places": sealed.places.tolist(),
        "special": {k.decode(): base64.b64encode(v).decode() for k, v in sealed.special.items()},
    }


def unpacked(values: Mapping[str, Any]) -> Sealed:
    """The inverse of :func:`packed`."""
    return Sealed(
        tuple(values["columns"]),
        _unpack(values["order"])["order"].to_numpy(),
        _unpack(values["changed"]),
        _unpack(values["left"]),
        np.array(values["places"], dtype=np.int64),
        {k.encode(): base64.b64decode(v) for k, v in values["special"].items()},
    )


def _pack(table: pa.Table) -> str:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    return base64.b64encode(sink.getvalue()).decode()


def _unpack(text: str) -> pa.Table:
    with pa.ipc.open_stream(base64.b64decode(text)) as reader:
        return reader.read_all()
