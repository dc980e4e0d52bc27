"""Lines that are sorted on disk are in the order of a sort in memory."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from polyframe.core.sorted_lines import SortedLines


@pytest.mark.parametrize("bounds", [[], [5], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [-10, 100]])
def test_lines_are_sorted_by_key_and_then_by_their_addition(bounds: list[int], tmp_path: Path) -> None:
    random = np.random.default_rng(len(bounds))
    lines = SortedLines(tmp_path, np.array(bounds, np.int64))
    added: list[tuple[int, str]] = []
    for number in range(7):
        keys = np.sort(random.integers(0, 10, number * 3))
        texts = [f"{number}:{i} é{'x' * int(random.integers(0, 5))}\n" for i in range(len(keys))]
        lines.add(keys, pl.Series(texts, dtype=pl.String))
        added += zip(keys.tolist(), texts, strict=True)
    expected = "".join(text for _, text in sorted(added, key=lambda line: line[0]))
    assert b"".join(lines.blocks()).decode() == expected


def test_without_lines_there_are_no_blocks(tmp_path: Path) -> None:
    lines = SortedLines(tmp_path, np.array([3]))
    lines.add(np.empty(0, np.int64), pl.Series([], dtype=pl.String))
    assert list(lines.blocks()) == []
