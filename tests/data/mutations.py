"""Damage done to real small files of every format: what a reader must survive.

Run as a program it makes mutations and reports, one JSON line each, what reading them did; the caller gives it limits.
``python -m tests.data.mutations FOLDER SEED COUNT``
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

REFERENCE = Path(__file__).parents[1] / "reference"


def make_originals(folder: Path) -> None:
    """One small trial table in every format that can be written here."""
    import openpyxl
    import pyarrow.parquet as pq
    from tests.data.formats import write
    from tests.data.sas7bdat_files import written

    from alsbench.data.readers.files import read

    for name in ("adtte", "adae"):
        source = REFERENCE / "als-ref-1" / f"{name}.xpt"
        (dataset,) = read(source)
        for form in ("csv", "json", "ndjson"):
            write(dataset, folder, form)
        write(dataset, folder, "gzip").rename(folder / f"{name}_gzip.dsjc")
        write(dataset, folder, "zlib")
        (folder / source.name).write_bytes(source.read_bytes())
        pq.write_table(dataset.table(), folder / f"{name}.parquet")
        written(dataset, folder / f"{name}.sas7bdat", compressed=name == "adae")
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("ADTTE")
    for line in csv.reader((folder / "adtte.csv").read_text("utf-8").splitlines()):
        sheet.append(line)
    book.save(folder / "adtte.xlsx")
    text = (folder / "adtte.csv").read_text("utf-8").replace(",", "\t")
    (folder / "adtte_tab.tsv").write_text(text, "utf-8")
    with zipfile.ZipFile(folder / "both.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(folder / "adtte.csv", "adtte.csv")


def mutate(raw: bytes, random_: random.Random, name: str = "") -> bytes:
    """Damage anywhere, or where the format of ``name`` is most easily hurt: inside what is packed, directories, footers."""
    inside = random_.random() < 0.4
    if inside and raw[:2] == b"PK":
        return _in_zip(raw, random_)
    if inside and name.endswith(".dsjc"):
        packed = (gzip.decompress, gzip.compress) if raw[:2] == b"\x1f\x8b" else (zlib.decompress, zlib.compress)
        return packed[1](_anywhere(packed[0](raw), random_))
    if inside and name.endswith(".parquet"):
        footer = int.from_bytes(raw[-8:-4], "little") + 8
        return raw[:-footer] + _anywhere(raw[-footer:-8], random_) + raw[-8:]
    if inside and name.endswith((".xpt", ".sas7bdat")):
        head = 1800 if name.endswith(".xpt") else 9000
        return _anywhere(raw[:head], random_) + raw[head:]
    return _anywhere(raw, random_)


def _in_zip(raw: bytes, random_: random.Random) -> bytes:
    """A member damaged and packed again with a right checksum, or the central directory damaged."""
    start = raw.find(b"PK\x01\x02")
    if random_.random() < 0.5 and start > 0:
        return raw[:start] + _anywhere(raw[start:], random_)
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        hurt = random_.choice(old.namelist())
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, _anywhere(content, random_) if name == hurt else content)
    return out.getvalue()


def _anywhere(raw: bytes, random_: random.Random) -> bytes:
    """Truncate, flip, overwrite, splice, drop, repeat, swap, fill with zeros or put an extreme length, sometimes twice."""
    data = bytearray(raw)
    for _ in range(random_.choice((1, 1, 2))):
        size = max(len(data), 1)
        a, b = sorted(random_.randrange(size) for _ in range(2))
        b = min(b, a + random_.choice((1, 8, 80, 4000)))
        match random_.randrange(9):
            case 0:
                data = data[:a]
            case 1 if data:
                data[a] ^= 1 << random_.randrange(8)
            case 2 if data:
                data[a] = random_.choice(b'\x00\xff",\n {}[]0')
            case 3:
                data[a:b] = bytes(random_.randrange(256) for _ in range(min(b - a, 64)))
            case 4:
                del data[a:b]
            case 5:
                data[a:a] = data[a:b]
            case 6:
                data[a:b] = bytes(b - a)
            case 7:
                data[a : a + 4] = random_.choice((b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x7f\xff\xff\xff", bytes(4)))
            case _:
                c = random_.randrange(size)
                data[a:b], data[c : c + b - a] = data[c : c + b - a], data[a:b]
    return bytes(data)


def run(folder: Path, seed: int, count: int) -> Iterator[dict[str, object]]:
    """Read ``count`` mutations; ``read`` gives rows accepted, ``refused`` the message, ``crash`` whatever else happened."""
    from alsbench.data.readers.files import named_in_archive, read, unpack
    from alsbench.errors import AlsbenchError

    random_ = random.Random(seed)
    originals = sorted(p for p in folder.iterdir() if p.is_file())
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(count):
            original = originals[number % len(originals)]
            case = {"case": number, "file": original.name}
            path = Path(scratch) / original.name
            path.write_bytes(mutate(original.read_bytes(), random_, original.name))
            try:
                rows = promised = 0
                for source in unpack(path, Path(scratch)):
                    with named_in_archive(source):
                        for dataset in read(source.path):
                            held = dataset.table().num_rows
                            rows += held
                            promised += int(dataset.rows is not None and dataset.rows != held)
                yield case | {"read": rows, "short": promised}
            except AlsbenchError as refused:
                yield case | {"refused": refused.message[:300], "code": refused.exit_code}
            except BaseException as crash:  # noqa: BLE001 - the point is to see what escapes
                yield case | {"crash": f"{type(crash).__name__}: {crash}"[:300]}


if __name__ == "__main__":
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (6 * 2**30, 6 * 2**30))
    for line in run(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])):
        print(json.dumps(line), flush=True)
