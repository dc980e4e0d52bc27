"""Random numbers and cosines that are the same on every machine and in every NumPy version.

NumPy promises the raw stream of a bit generator and of `SeedSequence`, but not that of its distributions,
and cosines differ in the last bit between processors. So the numbers here come from the raw stream by plain
arithmetic, and angles are whole numbers that index a rounded table.
"""

import math
from typing import Final

import numpy as np

from polyframe.core.arrays import Floats, Ints

#: Angles are counted in this many parts of a full turn.
TURN: Final = 4096

_COSINES: Final[Floats] = np.round(np.cos(np.arange(TURN) * (2 * np.pi / TURN)) * 2.0**30) / 2.0**30

# One key per use, so that a change in one leaves the others as they are.
VOLUNTEERS: Final = 0
SCENE: Final = 1
DRAWING: Final = 2
INTERLEAVING: Final = 3
PICTURE: Final = 4
TREMOR: Final = 5
TOY: Final = 6


def stream(seed: int, use: int, number: int = 0) -> np.random.PCG64:
    """Return the random stream for one use, such as the drawings of subject `number`."""
    return np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(use, number)))


def uniform(bits: np.random.PCG64, *shape: int) -> Floats:
    """Return numbers spread evenly over [0, 1), in an array of the given shape."""
    raw = np.asarray(bits.random_raw(math.prod(shape)), dtype=np.uint64)
    return ((raw >> np.uint64(11)).astype(np.float64) * 2.0**-53).reshape(shape)


def bell(bits: np.random.PCG64, *shape: int) -> Floats:
    """Return bell-shaped numbers, mean 0 and standard deviation 1, never beyond 3.5.

    Each is the scaled sum of the four 16-bit parts of a raw number (Irwin-Hall distribution).
    """
    raw = np.asarray(bits.random_raw(math.prod(shape)), dtype=np.uint64)
    total: Floats = np.zeros(raw.shape)
    for shift in (0, 16, 32, 48):
        total += (raw >> np.uint64(shift)) & np.uint64(0xFFFF)
    total -= 2 * 65535
    total *= 3.0**0.5 / 65536
    return total.reshape(shape)


def whole(bits: np.random.PCG64, below: int, *shape: int) -> Ints:
    """Return whole numbers from 0 up to, not including, `below`."""
    return (uniform(bits, *shape) * below).astype(np.int64)


def cosine(angle: Ints) -> Floats:
    """Return the cosine of angles counted in parts of a turn (`TURN`)."""
    found: Floats = _COSINES[angle & (TURN - 1)]
    return found


def sine(angle: Ints) -> Floats:
    """Return the sine of angles counted in parts of a turn (`TURN`)."""
    return cosine(angle - TURN // 4)
