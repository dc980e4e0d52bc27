"""Write the example project in the folder `data`: an export, its configuration and its images."""

import csv
import io
import itertools
import json
import os
from pathlib import Path
from typing import Final

from polyframe.synthetic.csv_rows import NEW_VERSION, OLD_VERSION, WORKFLOW_NAME
from polyframe.synthetic.ground_truth import true_outlines
from polyframe.synthetic.subject_images import write_images
from polyframe.synthetic.synth_options import SynthOptions
from polyframe.synthetic.synthetic_export import make_directory, replacing, write_export
from polyframe.synthetic.truth_geojson import feature_collection, outline_features

#: The options of the example's export.
EXAMPLE: Final = SynthOptions(
    subjects=12, volunteers=10, seed=55, vertices=200, scribblers=0.1, old_share=0.25, close_pairs=0.3
)

#: So many subjects, the first ones, have the outlines of an expert; of cells, every fourth point.
_EXPERT_SUBJECTS: Final = 6
_EXPERT_STEP: Final = 4

_CONFIG: Final = """\
workflow_id: {workflow_id}
workflow_version: '{version}'
extractor_config:
    polygon_extractor:
{extractors}
reducer_config:
    polygon_reducer:
        average_type: {average}
        eps: 0.5
        min_samples: 2
"""

_TOOLS: Final = [
    {
        "type": "freehandLine",
        "label": "Cell",
        "details": [
            {
                "type": "single",
                "question": "T0.tools.0.details.0.question",
                "answers": [{"label": f"T0.tools.0.details.0.answers.{k}.label"} for k in range(3)],
            }
        ],
    },
    {"type": "polygon", "label": "Crystal", "details": []},
]
#: The texts of tasks are beside them, by key, as Panoptes has them.
_STRINGS: Final = {
    "T0.instruction": "Outline every cell and every crystal.",
    "T0.tools.0.details.0.question": "How sure are you of its outline?",
    "T0.tools.0.details.0.answers.0.label": "Sure",
    "T0.tools.0.details.0.answers.1.label": "Fairly sure",
    "T0.tools.0.details.0.answers.2.label": "Not sure",
    "T1.question": "Is anything out of focus?",
}
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

polyframe generated this project with seed {seed}. {volunteers} volunteers outlined the cells (freehand)
and the crystals (polygon tool) in {images} images of {subjects} subjects, which contain {truth} objects.
Of the {pool} volunteers of the project, {scribblers} always scribble. With `config.yaml` each object
becomes one cluster, and the scribbles are outliers.

| file | content |
|---|---|
| `classifications.csv` | the classification export: {rows} rows, {marks} marks |
| `config.yaml` | extractor and reducer settings in the Panoptes format, for workflow version {new} |
| `config-older.yaml` | the same for version {old}: marks in the 1.x format, Bezier curves in task T3 |
| `subjects.csv` | the subject export |
| `workflows.csv` | the workflow export, with both versions |
| `expert.geojson` | the true outlines of {expert} subjects, as an expert might have drawn them |
| `images/` | the images, `<subject_id>-<frame>.png` |

The export contains what real ones do: freehand outlines of about {vertices} vertices that tremble, cross
themselves or do not close; polygons; Bezier curves; objects side by side; volunteers who classify a subject
again or draw nothing; a question (T1), remarks (T2) and a sub-task (T0.0.0) besides the drawing; two workflow
versions, of which {new} is newer; subjects with two frames.

Generate it again, byte for byte (images: pixel for pixel):

    python -c "from polyframe.synthetic import write_example; write_example('data')"

Generate another export:

    python -c "from polyframe.synthetic import *; write_export('my.csv', SynthOptions(subjects=99, seed=7))"

`polyframe.synthetic.true_outlines(EXAMPLE, subject_id)` returns the true outlines of a subject.
"""


def write_example(directory: str | os.PathLike[str]) -> Path:
    """Write the example project, which is in the folder `data` of the source; return its directory.

    Parameters
    ----------
    directory : path
        Created if it does not exist; files of the same names are replaced.

    Raises
    ------
    PolyframeError
        If a file cannot be written.
    """
    directory = make_directory(directory)
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
        expert=_EXPERT_SUBJECTS,
    )
    polygons, curves = "    -   task: T0", "    bezier_extractor:\n    -   task: T3"
    texts = {
        "config.yaml": _config(NEW_VERSION, f"{polygons}\n        tools: [0, 1]", "median"),
        "config-older.yaml": _config(OLD_VERSION, f"{polygons}\n{curves}", "union"),
        "README.md": readme,
        "expert.geojson": _expert(),
        "workflows.csv": _workflows(),
    }
    for name, text in texts.items():
        with replacing(directory / name) as file:
            file.write(text.encode())
    return directory


def _config(version: str, extractors: str, average: str) -> str:
    return _CONFIG.format(
        workflow_id=EXAMPLE.workflow_id, version=version, extractors=extractors, average=average
    )


def _expert() -> str:
    """Return the true outlines of some subjects as GeoJSON, one feature per line."""
    subjects = range(EXAMPLE.first_subject, EXAMPLE.first_subject + _EXPERT_SUBJECTS)
    features = (outline_features(EXAMPLE, subject, digits=1, cell_step=_EXPERT_STEP) for subject in subjects)
    return "".join(feature_collection(itertools.chain.from_iterable(features)))


def _workflows() -> str:
    """Return the workflow export, with the columns that polyframe reads."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("workflow_id", "display_name", "version", "minor_version", "active", "tasks", "strings"))
    for version, tasks in _TASKS.items():
        cells = (*version.split("."), "true", json.dumps(tasks), json.dumps(_STRINGS))
        table.writerow((EXAMPLE.workflow_id, WORKFLOW_NAME, *cells))
    return text.getvalue()
