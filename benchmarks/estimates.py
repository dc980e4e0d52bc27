"""Measure what a run with estimates takes, against one without: `iou_others` and how sure each outline is."""

import ours
from inputs import Export
from measuring import Bench, median
from report import Row


def estimates(bench: Bench) -> None:
    """Measure runs with and without estimates in turns, in one process for each kind of outline."""
    inputs, subjects = bench.inputs, bench.sizes.subjects
    cases = [
        ("polyframe synth", inputs.project(subjects), bench.engines),
        ("jittered freehand", inputs.jittered(subjects), bench.engines[:1]),
        ("clicked polygons", inputs.clicked(), bench.engines[:1]),
        ("clicked polygons, few subjects", inputs.crowded(), bench.engines),
        ("stair-shaped outlines of BU-BIL", inputs.traced(), bench.engines),
    ]
    for name, export, engines in cases:
        for engine in engines if export else ():
            bench.attempt(name, lambda n=name, e=export, by=engine: _measure(bench, n, e, by))


def _measure(bench: Bench, name: str, export: Export, engine: str) -> None:
    settings = ours.settings(export, engine)
    # The first run imports libraries and loads compiled functions.
    runs = [settings, *[settings, settings | {"estimates": False}] * bench.runs]
    _, *taken = bench.in_one_process(export, "estimates", runs)[0]
    with_estimates, without = median(taken[::2]), median(taken[1::2])
    row = Row("estimates", f"{name}: with estimates / without", ours.LABELS[engine], ours=with_estimates)
    row.against, row.theirs, row.ratio = "without estimates", without, with_estimates / without
    row.runs = {"with": taken[::2], "without": taken[1::2]}
    row.note = f"{export.described}. Processor time of runs in one process."
    bench.add(bench.set_target(row, "with estimates / without"))
