"""Draw resamples as the documentation says, one number after the other, for tests of stability."""

import hashlib
import math
import struct
from collections.abc import Iterable, Sequence

RESAMPLES = 200
_ALL_BITS = (1 << 64) - 1
_STEP = 0x9E3779B97F4A7C15


def random_numbers(seed: int, count: int) -> list[int]:
    """Return the first outputs of SplitMix64."""
    return [_mixed((seed + (k + 1) * _STEP) & _ALL_BITS) for k in range(count)]


def _mixed(z: int) -> int:
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _ALL_BITS
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _ALL_BITS
    return z ^ (z >> 31)


def seed_of(keys: Iterable[int | str]) -> int:
    """Return the seed of a cluster, from its group keys and its label."""
    state = 0
    for key in keys:
        if isinstance(key, str):
            (key,) = struct.unpack("<Q", hashlib.blake2b(key.encode(), digest_size=8).digest())
        state = _mixed((state + key + _STEP) & _ALL_BITS)
    return state


def weights_of(n: int, seed: int) -> list[list[int]]:
    """Return how often each of n marks is drawn, for each resample."""
    numbers = random_numbers(seed, n * RESAMPLES)
    weights = [[0] * n for _ in range(RESAMPLES)]
    for draw in range(n):
        for resample in range(RESAMPLES):
            weights[resample][(numbers[draw * RESAMPLES + resample] >> 32) * n >> 32] += 1
    return weights


def stability_of(
    areas: Sequence[float], members: Sequence[Sequence[int]], median: int, weights: Sequence[Sequence[int]]
) -> tuple[float, float, float]:
    """Return the mean IoU with the cluster's region, and the 2.5 % and 97.5 % quantiles of the area.

    Parameters
    ----------
    areas : sequence of float
        Of each set of marks.
    members : sequence of sequence of int
        For each set and mark, whether it is in the set.
    median : int
        The median mark.
    weights : sequence of sequence of int
        For each resample.
    """

    def region(of_marks: Sequence[int]) -> set[int]:
        inside = set()
        for number, row in enumerate(members):
            twice = 2 * sum(weight for weight, has in zip(of_marks, row, strict=True) if has)
            if twice > len(row) or (twice == len(row) and row[median]):
                inside.add(number)
        return inside

    def area(sets: set[int]) -> float:
        return math.fsum(areas[number] for number in sets)

    full = region([1] * len(members[0]))
    regions = [region(of_marks) for of_marks in weights]
    ious = [area(full & one) / area(full | one) if full | one else 1.0 for one in regions]
    sizes = sorted(map(area, regions))

    def quantile(share: float) -> float:
        place, rest = divmod(share * (len(sizes) - 1), 1)
        low, high = sizes[int(place)], sizes[min(int(place) + 1, len(sizes) - 1)]
        return low + rest * (high - low)

    return math.fsum(ious) / len(ious), quantile(0.025), quantile(0.975)
