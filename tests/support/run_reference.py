"""Run the reference tool on a project; executed by a Python that has it, not imported by tests.

Usage: python run_reference.py CLASSIFICATIONS FOLDER, with a JSON list of jobs on standard input. A job has
`name`, `workflow_id`, `version`, `extractor_config`, `reducer` and `keywords`, and `classifications` if it is
about another file. Writes FOLDER/<name>.csv for each job that does not fail, and prints the names of those
that do. A job without a reducer writes the files of its extractors into FOLDER/<name>.
"""

import functools
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml
from panoptes_aggregation import csv_utils
from panoptes_aggregation.reducers import polygon_reducer, polygon_reducer_contours, polygon_reducer_utils
from panoptes_aggregation.scripts.extract_panoptes_csv import extract_csv
from panoptes_aggregation.scripts.reduce_panoptes_csv import reduce_csv


def remember() -> None:
    """Let later jobs remember what earlier ones computed from equal input: two thirds of their time.

    These are the distances of polygons, and the compiled text of cells, which it evaluates.
    """
    compute = polygon_reducer_utils.IoU_metric_polygon
    distances: dict[tuple[bytes, bytes], float] = {}

    def distance(a: Any, b: Any, data_in: Any) -> float:
        if a[0] == b[0] or a[1] == b[1]:
            return float(compute(a, b, data_in=data_in))
        key = (data_in[int(a[0])]["polygon"].wkb, data_in[int(b[0])]["polygon"].wkb)
        if key not in distances:
            distances[key] = compute(a, b, data_in=data_in)
        return distances[key]

    for module in (polygon_reducer, polygon_reducer_contours, polygon_reducer_utils):
        module.IoU_metric_polygon = distance
    compiled = functools.cache(lambda text: compile(text, "cell", "eval"))
    names = {"nan": None, "false": False, "true": True, "null": None}
    csv_utils.eval = lambda text: eval(compiled(text), dict(names))


def main() -> None:
    remember()
    classifications, folder = sys.argv[1], Path(sys.argv[2])
    failed = {}
    extracted: dict[str, Path] = {}
    for job in json.load(sys.stdin):
        export = job.get("classifications", classifications)
        if "reducer" not in job:
            work = folder / job["name"]
            work.mkdir()
            extract(job, export, work)
            continue
        key = json.dumps([job["workflow_id"], job["version"], job["extractor_config"], export])
        if key not in extracted:
            extracted[key] = extract(job, export, Path(tempfile.mkdtemp(dir=folder)))
        work = Path(tempfile.mkdtemp(dir=folder))
        config = work / "reduce.yaml"
        config.write_text(yaml.safe_dump({"reducer_config": {job["reducer"]: job["keywords"]}}))
        try:
            path = reduce_csv(str(extracted[key]), str(config), output_dir=str(work), hide_progressbar=True)
            Path(path).rename(folder / f"{job['name']}.csv")
        except Exception as error:
            failed[job["name"]] = repr(error)
    print(json.dumps(failed))


def extract(job: dict[str, Any], export: str, work: Path) -> Path:
    """Write the extractions of a job into a folder, and return the first file."""
    config = work / "extract.yaml"
    config.write_text(
        yaml.safe_dump(
            {
                "workflow_id": job["workflow_id"],
                "workflow_version": job["version"],
                "extractor_config": job["extractor_config"],
            }
        )
    )
    files = extract_csv(export, str(config), output_dir=str(work), hide_progressbar=True)
    return Path(files[0])


main()
