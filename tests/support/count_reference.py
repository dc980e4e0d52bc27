"""Count answers with the reference tool; executed by a Python that has it, not imported by tests.

Reads a JSON object with `annotations` (of each classification), `version` (of the classifier), `extractors`
(names, by the reference tool's keys), `tool` and `labels` (of all marks in order) from standard input. The
reference tool's extractor reads the marks. Its polygon reducer does not count answers, so the subtask wrapper
of its shape reducers counts those of each cluster. Prints the result for frame 0.
"""

import json
import sys

import numpy as np
from panoptes_aggregation.extractors.polygon_extractor import polygon_extractor
from panoptes_aggregation.extractors.utilities import annotation_by_task
from panoptes_aggregation.reducers.subtask_reducer_wrapper import subtask_wrapper

REDUCERS = {"question_extractor": "question_reducer", "dropdown_extractor": "dropdown_reducer"}


def main() -> None:
    request = json.load(sys.stdin)
    metadata = {"classifier_version": request["version"]}
    extracts = [
        polygon_extractor(
            annotation_by_task({"annotations": annotations, "metadata": metadata}),
            task="T0",
            details=request["extractors"],
            no_version=True,
        )
        for annotations in request["annotations"]
    ]
    reducers = {
        key: [REDUCERS[name] for name in names] if isinstance(names, list) else REDUCERS[names]
        for key, names in request["extractors"].items()
    }
    counted = subtask_wrapper(
        lambda data, **_: {"frame0": {f"{request['tool']}_cluster_labels": request["labels"]}}
    )(extracts, details=reducers, data_in=extracts, user_id=np.arange(len(extracts)))
    print(json.dumps(counted["frame0"]))


main()
