"""Scrambled Sobol points: numbers that fill the unit cube far more evenly than random ones, eight times over.

Direction numbers of Joe and Kuo (2008, doi 10.1137/070709359), scrambled by random lower triangular bit matrices and a digital
shift (Matousek 1998, doi 10.1006/jcom.1998.0489): every scramble is uniform, so that the spread between scrambles tells the
error. The scrambles are fixed: the same question has the same points. Coordinates are kept to 16 bits, which is finer than
what they are used for, and half the memory.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint16]

SCRAMBLES = 8
BLOCK = 1 << 12  # points made at once: they stay in the processor's cache
MOST = 1 << 18  # points of one scramble
LEVELS = 1 << 16  # values that a coordinate has
DIMENSIONS = 64
_SEED = 20080721
_BITS = 32
# of each dimension after the first: the primitive polynomial as a binary number, and the initial odd numbers
_JOE_KUO = (
    "3:1 7:1,3 11:1,3,1 13:1,1,1 19:1,1,3,3 25:1,3,5,13 37:1,1,5,5,17 41:1,1,5,5,5 47:1,1,7,11,19 55:1,1,5,1,1 "
    "59:1,1,1,3,11 61:1,3,5,5,31 67:1,3,3,9,7,49 91:1,1,1,15,21,21 97:1,3,1,13,27,49 103:1,1,1,15,7,5 "
    "109:1,3,1,15,13,25 115:1,1,5,5,19,61 131:1,3,7,11,23,15,103 137:1,3,7,13,13,15,69 143:1,1,3,13,7,35,63 "
    "145:1,3,5,9,1,25,53 157:1,3,1,13,9,35,107 167:1,3,1,5,27,61,31 171:1,1,5,11,19,41,61 185:1,3,5,3,3,13,69 "
    "191:1,1,7,13,1,19,1 193:1,3,7,5,13,19,59 203:1,1,3,9,25,29,41 211:1,3,5,13,23,1,55 213:1,3,7,3,13,59,17 "
    "229:1,3,1,3,5,53,69 239:1,1,5,5,23,33,13 241:1,1,7,7,1,61,123 247:1,1,7,9,13,61,49 253:1,3,3,5,3,55,33 "
    "285:1,3,1,15,31,13,49,245 299:1,3,5,15,31,59,63,97 301:1,3,1,11,11,11,77,249 333:1,3,1,11,27,43,71,9 "
    "351:1,1,7,15,21,11,81,45 355:1,3,7,3,25,31,65,79 357:1,3,1,1,19,11,3,205 361:1,1,5,9,19,21,29,157 "
    "369:1,3,7,11,1,33,89,185 391:1,3,3,3,15,9,79,71 397:1,3,7,11,15,39,119,27 425:1,1,3,1,11,31,97,225 "
    "451:1,1,1,3,23,43,57,177 463:1,3,7,7,17,17,37,71 487:1,3,1,5,27,63,123,213 501:1,1,3,5,11,43,53,133 "
    "529:1,3,5,5,29,17,47,173,479 539:1,3,3,11,3,1,109,9,69 545:1,1,1,5,17,39,23,5,343 557:1,3,1,5,25,15,31,103,499 "
    "563:1,1,1,11,11,17,63,105,183 601:1,1,5,11,9,29,97,231,363 607:1,1,5,15,19,45,41,7,383 "
    "617:1,3,7,7,31,19,83,137,221 623:1,1,1,3,23,15,111,223,83 631:1,1,5,13,31,15,55,25,161 "
    "637:1,1,3,13,25,47,39,87,257"
)


def blocks(points: int) -> int:
    """How many blocks hold so many points of one scramble."""
    return points // BLOCK


def block(scramble: int, number: int, dimensions: int) -> Words:
    """Points (dimensions, BLOCK) of one block of one scramble, as multiples of 1 / LEVELS (the middle of each is meant).

    Dimensions beyond ``DIMENSIONS`` are plain random numbers from a fixed seed: they matter least."""
    first, directions = _scrambled()[scramble]
    known = min(dimensions, DIMENSIONS)
    offset = np.zeros(known, dtype=np.uint16)
    for bit in range(number.bit_length()):
        if number >> bit & 1:
            offset ^= directions[:known, _BLOCK_BITS + bit]
    points = first[:known] ^ offset[:, None]
    if dimensions > known:
        raw = np.random.PCG64([_SEED, scramble, number]).random_raw((dimensions - known) * BLOCK)
        points = np.vstack([points, (raw >> np.uint64(48)).astype(np.uint16).reshape(-1, BLOCK)])
    return points


_BLOCK_BITS = BLOCK.bit_length() - 1


@lru_cache(maxsize=1)
def _scrambled() -> tuple[tuple[Words, Words], ...]:
    """Of each scramble: its first block, and its direction numbers."""
    plain, random = _directions(), np.random.PCG64(_SEED)
    found = []
    for _ in range(SCRAMBLES):
        mixed = _mixed(plain, random.random_raw(DIMENSIONS * _BITS).astype(np.uint32).reshape(DIMENSIONS, _BITS))
        directions = (mixed >> np.uint32(16)).astype(np.uint16)
        points = (random.random_raw(DIMENSIONS) >> np.uint64(48)).astype(np.uint16)[:, None]
        for bit in range(_BLOCK_BITS):
            points = np.concatenate([points, points ^ directions[:, bit : bit + 1]], axis=1)
        found.append((points, directions))
    return tuple(found)


def _directions() -> NDArray[np.uint32]:
    """Sobol's direction numbers (DIMENSIONS, bits), the first bit after the point the highest."""
    out = np.zeros((DIMENSIONS, _BITS), dtype=np.uint32)
    out[0] = [1 << (_BITS - 1 - j) for j in range(_BITS)]
    for k, text in enumerate("".join(_JOE_KUO).split(), start=1):
        number, _, initial = text.partition(":")
        polynomial, m = int(number), [int(x) for x in initial.split(",")]
        degree = polynomial.bit_length() - 1
        for j in range(degree, _BITS):
            new = m[j - degree] ^ (m[j - degree] << degree)
            for i in range(1, degree):
                if polynomial >> (degree - i) & 1:
                    new ^= m[j - i] << i
            m.append(new)
        out[k] = [x << (_BITS - 1 - j) for j, x in enumerate(m)]
    return out


def _mixed(plain: NDArray[np.uint32], random: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Each bit of the direction numbers as itself plus a random choice of the bits before it."""
    out = np.zeros_like(plain)
    for i in range(_BITS):
        own = 1 << (_BITS - 1 - i)
        before = np.uint32(2**_BITS - 2 * own)
        bits = plain & ((random[:, i] & before) | np.uint32(own))[:, None]
        for shift in (16, 8, 4, 2, 1):  # the parity of 32 bits
            bits = bits ^ (bits >> np.uint32(shift))
        out |= (bits & np.uint32(1)) << np.uint32(_BITS - 1 - i)
    return out
