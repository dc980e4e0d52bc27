"""Generate random numbers and cosines that are the same on every machine and with every NumPy version.

NumPy guarantees the raw stream of a bit generator and of `SeedSequence`, but not its distributions, and
cosines differ in the last bit between processors. So numbers are computed from the raw stream by plain
arithmetic, and angles are integers that index a rounded table.
"""

import math
from typing import Final

import numpy as np

from polyframe.core.arrays import Floats, Ints

#: The unit of angles: a full turn has this many.
TURN: Final = 4096

_COSINES: Final[Floats] = np.round(np.cos(np.arange(TURN) * (2 * np.pi / TURN)) * 2.0**30) / 2.0**30

# One key for each use, so that a change in one does not affect the others.
VOLUNTEERS: Final = 0
SCENE: Final = 1
DRAWING: Final = 2
INTERLEAVING: Final = 3
IMAGE: Final = 4
TREMOR: Final = 5
TOY: Final = 6
JITTER: Final = 7
CARELESS: Final = 8


def stream(seed: int, use: int, number: int = 0) -> np.random.PCG64:
    """Return the random stream for one use, such as the drawings of subject `number`."""
    return np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(use, number)))


def uniform(bits: np.random.PCG64, *shape: int) -> Floats:
    """Return an array of numbers distributed uniformly over [0, 1)."""
    raw = np.asarray(bits.random_raw(math.prod(shape)), dtype=np.uint64)
    return ((raw >> np.uint64(11)).astype(np.float64) * 2.0**-53).reshape(shape)


def bell_shaped(bits: np.random.PCG64, *shape: int) -> Floats:
    """Return an array of bell-shaped numbers with mean 0 and standard deviation 1, all within 3.5.

    Each is the scaled sum of the four 16-bit parts of a raw number (Irwin-Hall distribution).
    """
    raw = np.asarray(bits.random_raw(math.prod(shape)), dtype=np.uint64)
    total: Floats = np.zeros(raw.shape)
    for shift in (0, 16, 32, 48):
        total += (raw >> np.uint64(shift)) & np.uint64(0xFFFF)
    total -= 2 * 65535
    total *= 3.0**0.5 / 65536
    return total.reshape(shape)


def integers(bits: np.random.PCG64, below: int, *shape: int) -> Ints:
    """Return an array of integers from 0 to `below - 1`."""
    return (uniform(bits, *shape) * below).astype(np.int64)


def cosine(angle: Ints) -> Floats:
    """Return the cosine of angles in units of `TURN`."""
    values: Floats = _COSINES[angle & (TURN - 1)]
    return values


def sine(angle: Ints) -> Floats:
    """Return the sine of angles in units of `TURN`."""
    return cosine(angle - TURN // 4)
