"""The small example project that comes with the source: an export, its configuration, its pictures."""

import csv
import io
import json
import os
from pathlib import Path
from typing import Final

from polyframe.core.local_paths import local_path
from polyframe.synthetic.csv_rows import NEW_VERSION, OLD_VERSION, WORKFLOW_NAME
from polyframe.synthetic.ground_truth import true_outlines
from polyframe.synthetic.subject_images import write_images
from polyframe.synthetic.synth_options import SynthOptions
from polyframe.synthetic.synthetic_export import cannot_write, replacing, write_export

#: What the example is made with.
EXAMPLE: Final = SynthOptions(
    subjects=12, volunteers=10, seed=55, vertices=200, scribblers=0.1, old_share=0.25, close_pairs=0.3
)

_CONFIG: Final = f"""\
workflow_id: {EXAMPLE.workflow_id}
workflow_version: '{NEW_VERSION}'
extractor_config:
    polygon_extractor:
    -   task: T0
        tools: [0, 1]
reducer_config:
    polygon_reducer:
        average_type: median
        eps: 0.5
        min_samples: 2
"""

_OLD_CONFIG: Final = f"""\
workflow_id: {EXAMPLE.workflow_id}
workflow_version: '{OLD_VERSION}'
extractor_config:
    polygon_extractor:
    -   task: T0
    bezier_extractor:
    -   task: T3
reducer_config:
    polygon_reducer:
        average_type: union
        eps: 0.5
        min_samples: 2
"""

_TOOLS: Final = [
    {"type": "freehandLine", "label": "Cell", "details": [{"type": "single", "answers": []}]},
    {"type": "polygon", "label": "Crystal", "details": []},
]
_QUESTION: Final = {"T1": {"type": "single", "question": "T1.question", "answers": []}}
_TASKS: Final = {
    OLD_VERSION: {
        "T0": {"type": "drawing", "tools": _TOOLS},
        "T3": {"type": "drawing", "tools": [{"type": "bezier", "label": "Cell", "details": []}]},
        **_QUESTION,
    },
    NEW_VERSION: {"T0": {"type": "drawing", "tools": _TOOLS}, **_QUESTION, "T2": {"type": "text"}},
}

_README: Final = """\
# An example project

Nobody drew these marks: polyframe made them, with seed {seed}. {volunteers} volunteers outlined the cells
(freehand) and the crystals (polygon tool) in {images} pictures of {subjects} subjects; {truth} objects are
really there. Of the {pool} people in the project, {scribblers} always scribble. With `config.yaml` each
object becomes one cluster, and the scribbles are the outliers.

| file | what it is |
|---|---|
| `classifications.csv` | the classification export: {rows} rows, {marks} marks |
| `config.yaml` | extractor and reducer settings in the Panoptes form, for workflow version {new} |
| `config-older.yaml` | the same for version {old}: the 1.x form of marks, Bezier curves in task T3 |
| `subjects.csv` | the subject export |
| `workflows.csv` | the workflow export, with both versions |
| `images/` | the pictures, `<subject_id>-<frame>.png` |

The export holds what real ones do: freehand outlines of about {vertices} vertices that tremble, cross
themselves or do not close; clicked polygons; Bezier curves; objects side by side; people who classify a
subject again or draw nothing; a question (T1), remarks (T2) and a sub-task (T0.0.0)
beside the drawing; two workflow versions, of which {new} is the newer one; subjects with two frames.

Make it again, byte for byte (pictures: pixel for pixel):

    python -c "from polyframe.synthetic import write_example; write_example('data')"

An export of your own:

    python -c "from polyframe.synthetic import *; write_export('my.csv', SynthOptions(subjects=99, seed=7))"

`polyframe.synthetic.true_outlines(EXAMPLE, subject_id)` gives the outlines that the volunteers were after.
"""


def write_example(directory: str | os.PathLike[str]) -> Path:
    """Write the example project: the folder `data` of the source.

    Parameters
    ----------
    directory : path
        Made where it does not exist; files of the same names are replaced.

    Returns
    -------
    Path
        The directory.

    Raises
    ------
    PolyframeError
        Where a file cannot be written.
    """
    directory = local_path(directory, "directory")
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(directory, error) from error
    export = write_export(directory / "classifications.csv", EXAMPLE, subjects_csv=directory / "subjects.csv")
    images = write_images(directory / "images", EXAMPLE)
    ids = range(EXAMPLE.first_subject, EXAMPLE.first_subject + EXAMPLE.subjects)
    readme = _README.format(
        seed=EXAMPLE.seed,
        volunteers=EXAMPLE.volunteers,
        images=images,
        subjects=EXAMPLE.subjects,
        truth=sum(len(true_outlines(EXAMPLE, subject_id)) for subject_id in ids),
        pool=EXAMPLE.pool_size,
        scribblers=round(EXAMPLE.scribblers * EXAMPLE.pool_size),
        rows=export.rows,
        marks=export.marks,
        vertices=EXAMPLE.vertices,
        new=NEW_VERSION,
        old=OLD_VERSION,
    )
    texts = {"config.yaml": _CONFIG, "config-older.yaml": _OLD_CONFIG, "README.md": readme}
    texts["workflows.csv"] = _workflows()
    for name, text in texts.items():
        with replacing(directory / name) as file:
            file.write(text.encode())
    return directory


def _workflows() -> str:
    """Return the workflow export, with the columns that matter."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("workflow_id", "display_name", "version", "minor_version", "active", "tasks", "strings"))
    for version, tasks in _TASKS.items():
        cells = (*version.split("."), "true", json.dumps(tasks), "{}")
        table.writerow((EXAMPLE.workflow_id, WORKFLOW_NAME, *cells))
    return text.getvalue()
