"""Which encoding a text that is not UTF-8 is probably in, so that an error can name it.

A candidate has to decode every piece strictly, and what comes out has to look like text of that script: common Hangul for
CP949, kana and common kanji for Shift-JIS and EUC-JP, common ideographs for GB18030 and Big5, Cyrillic words for
Windows-1251, single accented letters among ASCII letters for Windows-1252. Where none fits, none is named.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass

_ENOUGH = 0.85  # of the characters that are not ASCII
_MOST_BYTES = 2**16
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")  # bytes of damage, not of text
_RUN = re.compile(rb"[\x80-\xff]+")
_SIGNS = frozenset("€…‘’“”•–—™ §©®°±²³µ·º«»½¼¾ª´£")


@dataclass(frozen=True)
class Encoding:
    """An encoding as people and as iconv call it."""

    name: str
    iconv: str


WINDOWS_1252 = Encoding("Windows-1252 (western European)", "WINDOWS-1252")


def likely_encoding(pieces: Iterable[bytes]) -> Encoding | None:
    """The encoding of texts of which some hold bytes above 127; None where it cannot be told."""
    sample = _sample(pieces)
    if not sample or any(_CONTROL.search(piece) for piece in sample):
        return None
    if _western(sample) >= _ENOUGH:
        return WINDOWS_1252
    for codec, common, encoding in _CANDIDATES:
        texts = _decoded(sample, codec)
        if texts is not None and _share(texts, common) >= _ENOUGH and _fits(texts, codec):
            return encoding
    return None


def how_to_convert(encoding: Encoding | None, name: str) -> str:
    """What to do with a text file that is not UTF-8."""
    file = shlex.quote(name)
    if encoding is None:
        return f"ask who wrote it for its encoding, then: mkdir -p utf8 && iconv -f ENCODING -t UTF-8 {file} > utf8/{file}"
    return f"it looks like {encoding.name}: mkdir -p utf8 && iconv -f {encoding.iconv} -t UTF-8 {file} > utf8/{file}"


def wide_encoding(head: bytes) -> Encoding | None:
    """UTF-16 or UTF-32, told by a byte order mark of the latter or by where the NUL bytes of the ASCII characters stand."""
    if head.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        return Encoding("UTF-32", "UTF-32")
    even, odd = head[:_MOST_BYTES:2], head[1:_MOST_BYTES:2]
    first, second = even.count(0), odd.count(0)
    if first + second < 0.2 * len(head[:_MOST_BYTES]):
        return None
    if min(first, second) <= 0.02 * max(first, second):
        return Encoding("UTF-16", "UTF-16LE") if second > first else Encoding("UTF-16", "UTF-16BE")
    return None


def _sample(pieces: Iterable[bytes]) -> list[bytes]:
    """The pieces that are not UTF-8, up to a size."""
    out: list[bytes] = []
    size = 0
    for piece in pieces:
        if piece.isascii():
            continue
        try:
            piece.decode("utf-8")
        except UnicodeDecodeError:
            out.append(piece)
            size += len(piece)
            if size >= _MOST_BYTES:
                break
    return out


def _decoded(sample: list[bytes], codec: str) -> list[str] | None:
    """The pieces as text; a piece may be cut within its last character."""
    out = []
    for piece in sample:
        try:
            out.append(piece.decode(codec))
        except UnicodeDecodeError as fault:
            if fault.start < len(piece) - 1:
                return None
            out.append(piece[: fault.start].decode(codec))
    return out


def _share(texts: list[str], common: Callable[[str], bool]) -> float:
    """The part of the characters that are not ASCII which are common in the script."""
    others = [c for text in texts for c in text if not c.isascii()]
    return sum(map(common, others)) / len(others) if others else 0.0


def _fits(texts: list[str], codec: str) -> bool:
    """What tells a script from bytes that happen to be its letters: kana in Japanese, words in Cyrillic."""
    if codec == "euc_jp":
        return _share(texts, _kana) >= 0.1
    if codec == "cp1251":
        return any(re.search("[\u0430-\u044f\u0451]{3}", t) for t in texts) and not any(
            re.search("[\u0430-\u044f][\u0410-\u042f]", t) for t in texts
        )
    return True


def _western(sample: list[bytes]) -> float:
    """The part of the runs of bytes above 127 that are one or two accented letters, or a sign of a western text."""
    runs = [(piece, m) for piece in sample for m in _RUN.finditer(piece)]
    return sum(_western_run(piece, m) for piece, m in runs) / len(runs)


def _western_run(piece: bytes, run: re.Match[bytes]) -> bool:
    try:
        text = run.group().decode("cp1252")
    except UnicodeDecodeError:
        return False
    if all(c in _SIGNS for c in text):
        return len(text) == 1
    beside = piece[max(run.start() - 1, 0) : run.start()] + piece[run.end() : run.end() + 1]
    letters = all(c.isalpha() and c not in "ªº" for c in text)
    return (
        letters
        and len(text) <= 2
        and (len(text) == 1 or text[1:].islower() or text.isupper())
        and (beside.isalpha() or len(text) == 1)
    )


def _pair(character: str, codec: str) -> tuple[int, int] | None:
    try:
        raw = character.encode(codec)
    except UnicodeEncodeError:
        return None
    return (raw[0], raw[1]) if len(raw) == 2 else None


def _hangul(character: str) -> bool:
    return "\uac00" <= character <= "\ud7a3" and _pair(character, "euc_kr") is not None


def _kana(character: str) -> bool:
    return "\u3041" <= character <= "\u30fe"


def _shift_jis(character: str) -> bool:
    pair = _pair(character, "cp932")
    return _kana(character) or (pair is not None and (0x88 <= pair[0] <= 0x97 or pair[0] == 0x81))


def _euc_jp(character: str) -> bool:
    pair = _pair(character, "euc_jp")
    return _kana(character) or (pair is not None and 0xB0 <= pair[0] <= 0xCF)


def _chinese(character: str) -> bool:
    pair = _pair(character, "gb2312")
    return pair is not None and (0xB0 <= pair[0] <= 0xD7 or pair[0] in (0xA1, 0xA3))


def _traditional(character: str) -> bool:
    pair = _pair(character, "big5")
    return pair is not None and (0xA4 <= pair[0] <= 0xC6 or pair[0] == 0xA1)


def _cyrillic(character: str) -> bool:
    return "\u0400" <= character <= "\u045f"


_CANDIDATES: tuple[tuple[str, Callable[[str], bool], Encoding], ...] = (
    ("cp932", _shift_jis, Encoding("Shift-JIS (Japanese)", "CP932")),
    ("euc_jp", _euc_jp, Encoding("EUC-JP (Japanese)", "EUC-JP")),
    ("cp949", _hangul, Encoding("CP949 (Korean)", "CP949")),
    ("cp1251", _cyrillic, Encoding("Windows-1251 (Cyrillic)", "WINDOWS-1251")),
    ("gb18030", _chinese, Encoding("GB18030 (simplified Chinese)", "GB18030")),
    ("big5", _traditional, Encoding("Big5 (traditional Chinese)", "BIG5")),
)
