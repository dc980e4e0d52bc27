"""Make outputs of a small project whose corrections somebody imports, changes, removes and imports again."""

import shutil
from pathlib import Path

from edited_tasks import complete, export_of_squares, exported_tasks, percents, run, write

import polyframe as pf

#: The outputs in the order in which they are loaded: how many clusters each has a correction of, or None
#: without the table.
HISTORY = {"before": None, "imported": 3, "changed": 2, "forgotten": 0, "again": 3, "never": None}


def corrected_outputs(folder: Path) -> dict[str, Path]:
    """Return the output directory of each step of `HISTORY`, by its name."""
    out = folder / "out"
    run(export_of_squares(folder / "e.csv"), out)
    tasks = exported_tasks(out, folder)
    nothing = write([complete(task) and task for task in tasks], folder / "nothing.json")

    tasks = exported_tasks(out, folder)
    complete(tasks[0])[0]["value"]["points"] = percents([[2, 3], [30, 3], [2, 41]])
    complete(tasks[1])[0]["value"]["points"] = percents([[61, 10], [75, 10], [75, 30]])
    del complete(tasks[2])[0]  # no object
    first = write(tasks, folder / "first.json")

    tasks = exported_tasks(out, folder)
    complete(tasks[0], at="2026-03-01T10:00:00Z")[0]["value"]["points"] = percents([[2, 3], [40, 3], [2, 41]])
    complete(tasks[1])[0]["value"]["points"] = percents([[61, 10], [75, 10], [75, 30]])
    second = write(tasks, folder / "second.json")

    outputs = {}
    for name, imported in zip(HISTORY, (None, first, second, nothing, first, None), strict=True):
        if imported is not None:
            pf.import_corrections(out, imported, replace=True, say=lambda _: None)
        outputs[name] = folder / name
        shutil.copytree(out, outputs[name])
    shutil.rmtree(outputs["never"])
    run(folder / "e.csv", outputs["never"])
    for name, rows in HISTORY.items():
        assert pf.status(outputs[name]).tables.keys() >= ({"corrections"} if rows is not None else set())
        if rows is not None:
            assert pf.scan(outputs[name], "corrections").collect().height == rows
    return outputs
