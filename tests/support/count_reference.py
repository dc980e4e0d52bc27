"""Count answers with the reference tool; executed by a Python that has it, never imported by tests.

A JSON object on standard input has `annotations` (those of each classification), `version` (of the
classifier), `extractors` (their names, by the reference tool's keys), `tool` and `labels` (of all marks in
their order). Its extractor reads the marks, and the wrapper that its shape reducers have, and its polygon
reducer has not, counts the answers of each cluster of these labels. Prints what it makes of frame 0.
"""

import json
import sys

import numpy as np
from panoptes_aggregation.extractors.polygon_extractor import polygon_extractor
from panoptes_aggregation.extractors.utilities import annotation_by_task
from panoptes_aggregation.reducers.subtask_reducer_wrapper import subtask_wrapper

REDUCERS = {"question_extractor": "question_reducer", "dropdown_extractor": "dropdown_reducer"}


def main() -> None:
    given = json.load(sys.stdin)
    metadata = {"classifier_version": given["version"]}
    extracts = [
        polygon_extractor(
            annotation_by_task({"annotations": annotations, "metadata": metadata}),
            task="T0",
            details=given["extractors"],
            no_version=True,
        )
        for annotations in given["annotations"]
    ]
    named = given["extractors"].items()
    reducers = {
        key: [REDUCERS[name] for name in names] if isinstance(names, list) else REDUCERS[names]
        for key, names in named
    }
    counted = subtask_wrapper(
        lambda data, **_: {"frame0": {f"{given['tool']}_cluster_labels": given["labels"]}}
    )(extracts, details=reducers, data_in=extracts, user_id=np.arange(len(extracts)))
    print(json.dumps(counted["frame0"]))


main()
