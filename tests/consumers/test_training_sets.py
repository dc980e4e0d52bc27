"""Libraries that load training sets, each in a process, find the objects, classes and areas of the tables."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import shapely
from consumers import requirements
from doc_pages import DOCS, blocks
from environments import json_from, python_with
from exports import ROOT

import polyframe as pf
from polyframe.core.png import png

DATA = ROOT / "data"
CLASSES = {"T0_toolIndex0": "Cell", "T0_toolIndex1": "Crystal"}
#: A subject on which nobody drew anything.
EMPTY = 1000099


@dataclass(frozen=True)
class TrainingSets:
    """The example project and a subject without objects, exported in each format.

    Attributes
    ----------
    folder : Path
        Contains `yolo` with the images, `coco.json`, `classes` and `tasks.json`.
    objects : dict of str to list of (str, Polygon)
        By image, the class and the averaged polygon of each object, from the tables.
    """

    folder: Path
    objects: dict[str, list[tuple[str, shapely.Polygon]]]


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> TrainingSets:
    folder = tmp_path_factory.mktemp("training")
    export = pl.read_csv(DATA / "classifications.csv", infer_schema=False)
    nothing = json.dumps([{"task": "T0", "taskType": "drawing", "value": []}])
    row = export.tail(1).with_columns(
        subject_ids=pl.lit(str(EMPTY)),
        annotations=pl.lit(nothing),
        classification_id=pl.lit("1"),
        metadata=pl.lit("{}"),  # or it would have the size of a second image
    )
    pl.concat([export, row]).write_csv(folder / "e.csv")
    pf.run(folder / "e.csv", folder / "out", DATA / "config.yaml", engine="shapely", jobs=1)
    shutil.copytree(DATA / "images", folder / "yolo" / "images")
    picture = np.full((300, 400, 3), 99, np.uint8)
    (folder / "yolo" / "images" / f"{EMPTY}-0.png").write_bytes(png(picture))
    options = {
        "classifications": folder / "e.csv",
        "workflows": DATA / "workflows.csv",
        "image_size": "400x300",
    }
    for to, name, more in (
        ("coco", "coco.json", {}),
        ("yolo", "yolo", {}),
        ("masks", "classes", {"masks": "class"}),
        ("labelstudio", "tasks.json", {"image_name": "https://example.org/{subject_id}-{frame}.png"}),
    ):
        pf.export(folder / "out", to, folder / name, **options, **more)  # type: ignore[arg-type]
    objects: dict[str, list[tuple[str, shapely.Polygon]]] = {
        path.name: [] for path in (folder / "yolo" / "images").iterdir()
    }
    for row in pf.scan(folder / "out", "reductions").collect().iter_rows(named=True):
        shape = (CLASSES[row["tool"]], shapely.from_wkb(row["geometry"]))
        objects[f"{row['subject_id']}-{row['frame']}.png"].append(shape)
    assert [name for name, shapes in objects.items() if not shapes] == [f"{EMPTY}-0.png"]
    return TrainingSets(folder, objects)


@pytest.fixture(scope="module")
def training_python() -> str:
    """Return a Python with the libraries."""
    return python_with("training", requirements("tests/consumers/test_training_sets.py"))


def check(loaded: dict[str, list[dict[str, Any]]], sets: TrainingSets, precision: float) -> None:
    """Compare what a library has loaded with the tables.

    Parameters
    ----------
    loaded : dict of str to list of dict
        By image, `label`, `bounds`, and perhaps `area` and `pixels` of each object, sorted as the tables are.
    sets : TrainingSets
    precision : float
        That of coordinates in the format, in pixels.
    """
    assert loaded.keys() == sets.objects.keys()
    for name, objects in sets.objects.items():
        assert [one["label"] for one in loaded[name]] == [label for label, _ in objects]
        for one, (_, polygon) in zip(loaded[name], objects, strict=True):
            assert one["bounds"] == pytest.approx(polygon.bounds, abs=precision)
            if "area" in one:
                assert one["area"] == pytest.approx(polygon.area, abs=precision * polygon.length)
            if "pixels" in one:
                # Their corners are rounded to pixels, and pixels on the outline count.
                assert one["pixels"] == pytest.approx(polygon.area, abs=polygon.length)


SUPERVISION = """
import json, sys
from pathlib import Path
import supervision as sv
folder = Path(sys.argv[1])
images = folder / "yolo" / "images"
if sys.argv[2] == "yolo":
    loaded = sv.DetectionDataset.from_yolo(
        images_directory_path=str(images),
        annotations_directory_path=str(folder / "yolo" / "labels"),
        data_yaml_path=str(folder / "yolo" / "data.yaml"),
    )
else:
    loaded = sv.DetectionDataset.from_coco(
        images_directory_path=str(images), annotations_path=str(folder / "coco.json")
    )
objects = {}
for path, image, detections in loaded:
    of_image = objects.setdefault(Path(path).name, [])
    for number in range(len(detections)):
        one = {
            "label": loaded.classes[detections.class_id[number]],
            "bounds": detections.xyxy[number].tolist(),
            "pixels": int(detections.mask[number].sum()),
        }
        if "area" in detections.data:
            one["area"] = float(detections.data["area"][number])
        of_image.append(one)
print(json.dumps(objects))
"""


@pytest.mark.parametrize("to", ["yolo", "coco"])
def test_supervision(to: str, sets: TrainingSets, training_python: str) -> None:
    check(json_from(training_python, SUPERVISION, sets.folder, to), sets, precision=1e-3)


LABEL_STUDIO = """
import json, sys
from pathlib import Path
from label_studio_sdk.label_interface import LabelInterface
interface = LabelInterface(Path(sys.argv[1]).read_text("utf-8"))
interface.validate()
tasks = json.loads(Path(sys.argv[2]).read_text("utf-8"))
errors = [
    error
    for task in tasks
    for prediction in task["predictions"]
    for error in interface.validate_prediction(prediction, return_errors=True)
]
missing = [
    one.value_name for task in tasks for one in interface.objects if one.value_name not in task["data"]
]
print(json.dumps([errors, missing]))
"""


def test_label_studio(sets: TrainingSets, training_python: str) -> None:
    """Its validation of imports accepts the tasks with the configuration in the documentation."""
    (configuration,) = blocks(DOCS / "recipes" / "training-sets.md", "xml")
    (sets.folder / "configuration.xml").write_text(configuration, encoding="utf-8")
    tasks = json.loads((sets.folder / "tasks.json").read_text("utf-8"))
    assert len(tasks) == len(sets.objects)
    result = json_from(
        training_python, LABEL_STUDIO, sets.folder / "configuration.xml", sets.folder / "tasks.json"
    )
    assert result == [[], []]
