"""Tables of the example and of a small export, and axes, for the tests of pictures."""

from pathlib import Path

import pytest
from exports import drawing, export_row, export_text, square
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from plotted_groups import DATA

import polyframe as pf


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables of the example in data/."""
    out = tmp_path_factory.mktemp("plot") / "example"
    pf.run(DATA / "classifications.csv", out, DATA / "config.yaml", engine="shapely", jobs=1)
    return out


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Subject 1: a cluster of four squares and an outlier; 2: two marks apart; 3: no marks; 4: two frames."""
    folder = tmp_path_factory.mktemp("plot")
    marks = [(1, square(shift, 0)) for shift in (0, 1, 2, 1, 50)]
    marks += [(2, square(0, 0)), (2, square(30, 0))]
    marks += [(4, square(shift, 0, frame=frame)) for frame in (0, 1) for shift in (0, 1)]
    rows = [
        export_row(number, drawing(mark), subject_ids=subject) for number, (subject, mark) in enumerate(marks)
    ]
    rows.append(export_row(99, drawing(), subject_ids=3))
    export = folder / "small.csv"
    export.write_text(export_text(rows), encoding="utf-8")
    pf.run(export, folder / "out", engine="shapely", jobs=1)
    return folder / "out"


@pytest.fixture
def ax() -> Axes:
    return Figure(figsize=(6, 6)).add_subplot()
