"""Run the reference tool for the benchmark; executed by a Python that has it, not imported.

Reads a job as JSON from standard input and prints its answer as JSON in the last line. Modes:

versions   versions of Python and the libraries
run        `extract`, then some of `median`, `union`, `intersection`, `last`, `contours`, on an export
contours   its exact contour function on clusters given as WKB, one call each
selection  only the part of its reduction that selects the rows of each subject, for growing projects
"""

import json
import sys
import time
from pathlib import Path


def main():
    job = json.load(sys.stdin)
    answer = {"versions": versions, "run": run, "contours": contours, "selection": selection}[job["mode"]](
        job
    )
    print()
    print(json.dumps(answer))


def versions(_job):
    import platform
    from importlib.metadata import version

    import shapely

    names = ("panoptes_aggregation", "numpy", "pandas", "scikit-learn", "shapely")
    versions = {name: version(name) for name in names}
    geos = ".".join(map(str, shapely.geos_version))
    return {"python": platform.python_version(), **versions, "GEOS": geos}


def run(job):
    """Run the steps of a job; return the seconds of each, without imports, and the paths of the tables."""
    import yaml
    from panoptes_aggregation.scripts.extract_panoptes_csv import extract_csv
    from panoptes_aggregation.scripts.reduce_panoptes_csv import reduce_csv

    failures = _catch_failures()
    folder = Path(job["folder"])
    config = folder / "config.yaml"
    seconds, files = {}, {}
    for step in job["steps"]:
        if step == "extract":
            values = {
                "workflow_id": job["workflow_id"],
                "workflow_version": job["workflow_version"],
                "extractor_config": {"polygon_extractor": [{"task": "T0"}]},
            }
            config.write_text(yaml.safe_dump(values))
            start = time.perf_counter()
            path = extract_csv(job["export"], str(config), output_dir=str(folder), hide_progressbar=True)[0]
        else:
            keywords = {"eps": job["eps"], "min_samples": job["min_samples"]}
            reducer = "polygon_reducer_contours"
            if step != "contours":
                reducer, keywords = "polygon_reducer", {**keywords, "average_type": step}
            config.write_text(yaml.safe_dump({"reducer_config": {reducer: keywords}}))
            start = time.perf_counter()
            path = reduce_csv(
                files["extract"],
                str(config),
                output_name=f"{step}.csv",
                output_dir=str(folder),
                hide_progressbar=True,
            )
        seconds[step] = time.perf_counter() - start
        files[step] = str(path)
    return {"seconds": seconds, "files": files, "failures": failures}


def _catch_failures():
    """Continue a run if the reference's geometry fails; return the number of failures by step.

    Otherwise it would end without a table. A cluster without contours gets an empty list, and an intersection
    of several parts its largest part. The time until the failure counts.
    """
    from importlib import import_module

    # The package exports functions with these names, but the modules are needed.
    polygon_reducer = import_module("panoptes_aggregation.reducers.polygon_reducer")
    polygon_reducer_contours = import_module("panoptes_aggregation.reducers.polygon_reducer_contours")

    failures = {"contours": 0, "intersection": 0}

    def or_none(contours_of):
        def contours(*arguments, **keywords):
            try:
                return contours_of(*arguments, **keywords)
            except (IndexError, ValueError, AttributeError):
                failures["contours"] += 1
                return []

        return contours

    def largest_part(intersection_of):
        def intersection(*arguments, **keywords):
            geometry = intersection_of(*arguments, **keywords)
            if geometry.is_empty or geometry.geom_type == "Polygon":
                return geometry
            failures["intersection"] += 1
            return max(geometry.geoms, key=lambda part: part.area)

        return intersection

    for name in ("contours", "contours_rasterisation"):
        name = f"cluster_average_intersection_{name}"
        setattr(polygon_reducer_contours, name, or_none(getattr(polygon_reducer_contours, name)))
    name = "cluster_average_intersection"
    setattr(polygon_reducer, name, largest_part(getattr(polygon_reducer, name)))
    return failures


def contours(job):
    """Call the exact contour function once for each cluster; its reducer does not for more than 9 marks."""
    import numpy as np
    import shapely
    from panoptes_aggregation.reducers.polygon_reducer_utils import cluster_average_intersection_contours

    seconds, areas = [], []
    for cluster in job["clusters"]:
        marks = [shapely.from_wkb(bytes.fromhex(text)) for text in cluster]
        data = np.array([{"polygon": mark, "gold_standard": False} for mark in marks])
        start = time.perf_counter()
        levels = cluster_average_intersection_contours(data)
        seconds.append(time.perf_counter() - start)
        areas.append([shapely.Polygon(level.exterior).area for level in levels])
    return {"seconds": seconds, "areas": areas}


def selection(job):
    """Time its batch_reduce without the reduction of subjects: only selecting their rows remains.

    The extractions of a small export are repeated under new subject ids to make larger projects.
    """
    import pandas
    from panoptes_aggregation.scripts import batch_utils

    files = run({**job, "steps": ["extract"]})["files"]
    extractions = pandas.read_csv(files["extract"], parse_dates=["created_at"], encoding="utf-8")
    batch_utils.reduce_subject = lambda *_arguments, **_keywords: []
    step = int(extractions.subject_id.max()) + 1
    answer = {"subjects": [], "seconds": []}
    for copies in job["copies"]:
        project = pandas.concat(
            [extractions.assign(subject_id=extractions.subject_id + k * step) for k in range(copies)],
            ignore_index=True,
        )
        answer["subjects"].append(int(project.subject_id.nunique()))
        start = time.perf_counter()
        batch_utils.batch_reduce(project, {"reducer_config": {"polygon_reducer": {}}}, hide_progressbar=True)
        answer["seconds"].append(time.perf_counter() - start)
    return answer


main()
