"""Label Studio: pre-annotations equal the shapes of the tables, in percent of the image size."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import shapely
from exports import ROOT, Done, drawing, export_row, export_text, square

import polyframe as pf

Call = Callable[..., Done]
EXPORT = ROOT / "data" / "classifications.csv"


@pytest.mark.parametrize("level", [None, 2])
def test_polygons_are_in_percent(level: int | None, tmp_path: Path) -> None:
    pf.run(EXPORT, tmp_path / "out", ROOT / "data" / "config.yaml", engine="shapely", jobs=1)
    path = tmp_path / "tasks.json"
    (done,) = pf.export(tmp_path / "out", "labelstudio", path, level=level, classifications=EXPORT)
    tasks = json.loads(path.read_text(encoding="utf-8"))
    assert done.count == len(tasks) == 16
    results = {}
    for task in tasks:
        (prediction,) = task["predictions"]
        assert (ROOT / "data" / "images" / task["data"]["image"]).is_file()
        assert len({result["id"] for result in prediction["result"]}) == len(prediction["result"])
        for result in prediction["result"]:
            assert (result["type"], result["from_name"], result["to_name"]) == (
                "polygonlabels",
                "label",
                "image",
            )
            key = (task["data"]["subject_id"], task["data"]["frame"], *list(result["meta"].values())[:2])
            results[key] = result
    rows = pf.scan(tmp_path / "out", "reductions" if level is None else "contours").collect()
    assert len(results) == rows.height
    for row in rows.iter_rows(named=True):
        result = results[row["subject_id"], row["frame"], row["tool"], row["cluster_label"]]
        size = (result["original_width"], result["original_height"])
        points = np.array(result["value"]["points"]) * size / 100
        area = row["area"] if level is None else row["contours_area"][level - 1]
        assert shapely.Polygon(points).area == pytest.approx(area)
        assert result["value"]["polygonlabels"] == [row["tool"]]
        assert result["score"] == row["consensus"]


def test_image_names_and_clipped_shapes(tmp_path: Path, polyframe: Call) -> None:
    rows = [export_row(place, drawing(square(place - 5, 0), square(60, 60 + place))) for place in range(3)]
    (tmp_path / "e.csv").write_text(export_text(rows), encoding="utf-8")
    pf.run(tmp_path / "e.csv", tmp_path / "out", engine="shapely", jobs=1, min_samples=3, eps=0.4)
    path = tmp_path / "tasks.json"
    name = "https://example.org/{subject_id}/{frame}.jpg"
    options = ("--image-size", "50x50", "--image-name", name)
    done = polyframe("export", tmp_path / "out", "--to", "labelstudio", "-o", path, *options)
    assert done.out == f"{path}: 1 task\n"
    (task,) = json.loads(path.read_text(encoding="utf-8"))
    (result,) = task["predictions"][0]["result"]
    members = task["data"].pop("clusters")
    assert task["data"] == {
        "image": "https://example.org/1/0.jpg",
        "subject_id": 1,
        "frame": 0,
        "image_size": [50, 50],
    }
    (identity,) = members.values()
    assert (list(members), identity["tool"]) == ([result["id"]], result["meta"]["tool"])
    assert sorted(result["value"]["points"]) == [[0, 0], [0, 20], [12, 0], [12, 20]]
