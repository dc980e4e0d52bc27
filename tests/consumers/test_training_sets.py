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
from polyframe.export.yolo import joined

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
        Contains `yolo` with the images, `coco/coco.json`, `classes/masks` and `tasks.json`.
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
        ("coco", "coco/coco.json", {}),
        ("yolo", "yolo", {}),
        ("masks", "classes/masks", {"masks": "class"}),
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


#: What the libraries import of all that they depend on, in versions that they accept. The rest, which talks
#: to servers, trains models and plays videos, would be several gigabytes.
IMPORTED = (
    *("appdirs", "jsf<0.12", "lxml<7", "pyjwt<2.14", "xmljson<0.3"),  # Label Studio SDK
    *("pydeprecate<0.14", "requests", "scipy", "tqdm"),  # supervision
    *("defusedxml<1", "imagesize<3", "json-stream<3", "numpy", "opencv-python-headless<5", "orjson<4"),
    *("pandas", "pillow", "pycocotools", "pyyaml", "shapely"),  # datumaro
)


@pytest.fixture(scope="module")
def training_python() -> str:
    """Return a Python with the libraries."""
    return python_with("training", IMPORTED, bare=requirements("tests/consumers/test_training_sets.py"))


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
        images_directory_path=str(images), annotations_path=str(folder / "coco" / "coco.json")
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


DATUMARO = """
import json, sys
import datumaro
loaded = datumaro.Dataset.import_from(sys.argv[1], sys.argv[2])
names = [label.name for label in loaded.categories()[datumaro.AnnotationType.label]]
objects = {}
for item in loaded:
    of_image = objects.setdefault(f"{item.id}.png", [])
    for one in sorted(item.annotations, key=lambda one: one.id):
        if one.type == datumaro.AnnotationType.polygon:
            x, y = one.points[::2], one.points[1::2]
            bounds = [min(x), min(y), max(x), max(y)]
            of_image.append({"label": names[one.label], "bounds": bounds, "area": float(one.get_area())})
        elif one.type == datumaro.AnnotationType.mask:
            of_image.append({"label": names[one.label], "pixels": int(one.get_area())})
formats = datumaro.Environment().detect_dataset(sys.argv[1])
print(json.dumps({"objects": objects, "formats": formats}))
"""


def test_datumaro_coco(sets: TrainingSets, training_python: str, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "train").symlink_to(sets.folder / "yolo" / "images")
    (tmp_path / "annotations").mkdir()
    shutil.copy(sets.folder / "coco" / "coco.json", tmp_path / "annotations" / "instances_train.json")
    loaded = json_from(training_python, DATUMARO, tmp_path, "coco")
    assert loaded["formats"] == ["coco_instances"]
    check(loaded["objects"], sets, precision=0.01)


def test_datumaro_masks(sets: TrainingSets, training_python: str) -> None:
    """With the file in the documentation, the pixels of each class are those in the pictures."""
    (description,) = blocks(DOCS / "recipes" / "training-sets.md", "json")
    folder = sets.folder / "classes"
    (folder / "dataset_meta.json").write_text(description, encoding="utf-8")
    (folder / "images").symlink_to(sets.folder / "yolo" / "images")
    loaded = json_from(training_python, DATUMARO, folder, "common_semantic_segmentation")
    assert loaded["formats"] == ["common_semantic_segmentation"]
    assert loaded["objects"].keys() == sets.objects.keys()
    image = pytest.importorskip("PIL.Image")
    names = ["background", *CLASSES.values()]
    for name, found in loaded["objects"].items():
        with image.open(folder / "masks" / name) as picture:
            numbers = np.bincount(np.array(picture).ravel())
        assert found == [{"label": names[k], "pixels": n} for k, n in enumerate(numbers.tolist()) if n]


ULTRALYTICS = """
import __future__, ast, glob, importlib.util, json, logging, os, sys
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace
import cv2, numpy as np, yaml
from PIL import Image, ImageOps

folder = Path(sys.argv[1])
package = Path(importlib.util.find_spec("ultralytics").origin).parent
# What does not change the result: progress, messages, and the type of tensors, which nothing here is.
silent = {
    "TQDM": lambda things, desc: things,
    "LOGGER": logging.getLogger(),
    "check_file_speeds": lambda *_, **__: None,
    "torch": SimpleNamespace(Tensor=()),
}
scope = globals() | silent

def run_source(module, *names):
    file = package / module
    found = [
        node
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if getattr(node, "name", None) in names
        or (isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) in names)
    ]
    assert len(found) == len(names), (module, names)
    flags = __future__.annotations.compiler_flag
    exec(compile(ast.Module(found, []), str(file), "exec", flags), scope)

run_source("utils/ops.py", "segments2boxes", "xyxy2xywh", "empty_like")
run_source("utils/files.py", "increment_path")
run_source(
    "data/utils.py", "HELP_URL", "IMG_FORMATS", "VID_FORMATS", "FORMATS_HELP_MSG", "exif_size", "check_image",
    "img2label_paths", "verify_image_label", "read_mask", "verify_image_mask",
)
run_source("data/base.py", "get_img_files")
run_source(
    "data/converter.py", "coco91_to_coco80_class", "convert_coco", "min_index", "merge_multi_segment"
)

data = yaml.safe_load((folder / "yolo" / "data.yaml").read_text("utf-8"))
names = data["names"]
loader = SimpleNamespace(prefix="", fraction=1.0)
lists = [str(folder / "yolo" / data[side]) for side in ("train", "val")]
pictures = [image for one in lists for image in scope["get_img_files"](loader, one)]
"""

VERIFIED_LABELS = """
objects, empty, messages = {}, [], []
for picture, labels in zip(pictures, scope["img2label_paths"](pictures)):
    verified = scope["verify_image_label"]((picture, labels, "", False, len(names), 0, 0, False))
    path, boxes, shape, outlines, _, missing, found, is_empty, corrupt, message = verified
    assert (missing, found, corrupt) == (0, 1, 0), message
    if is_empty:
        empty.append(Path(path).name)
    if message:
        messages.append(message)
    of_image = objects.setdefault(Path(path).name, [])
    size = np.array([shape[1], shape[0]])
    for (number, *box), outline in zip(boxes.tolist(), outlines, strict=True):
        middle, extent = np.array(box[:2]) * size, np.array(box[2:]) * size
        x, y = (outline.astype(float) * size).T
        area = abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2
        bounds = [*(middle - extent / 2).tolist(), *(middle + extent / 2).tolist()]
        of_image.append({"label": names[int(number)], "bounds": bounds, "area": area})
print(json.dumps([objects, empty, messages]))
"""


def test_ultralytics(sets: TrainingSets, training_python: str) -> None:
    """Its check of labels before a training accepts all, and it finds the objects."""
    objects, empty, messages = json_from(training_python, ULTRALYTICS + VERIFIED_LABELS, sets.folder)
    check(objects, sets, precision=1e-3)
    assert (empty, messages) == ([f"{EMPTY}-0.png"], [])


VERIFIED_MASKS = """
messages = []
beside_masks = [image.replace("/yolo/", "/classes/") for image in pictures]
masks = scope["img2label_paths"](beside_masks, "masks", ".png")
# Not a class, as its data set of masks marks them.
invalid = np.ones(256, np.uint8)
invalid[[*range(len(names) + 1), 255]] = 0
for picture, mask in zip(pictures, masks):
    verified = scope["verify_image_mask"]((picture, mask, "", invalid))
    messages.append([verified[3:7], verified[7]])
print(json.dumps(messages))
"""


def test_ultralytics_masks(sets: TrainingSets, training_python: str) -> None:
    results = json_from(training_python, ULTRALYTICS + VERIFIED_MASKS, sets.folder)
    # Grey values of 8 bits; no mask is missing, one is found, none is corrupt.
    assert results == [[["L", 0, 1, 0], ""]] * len(sets.objects)


CONVERTED = """
converted = folder / "converted"
scope["convert_coco"](str(folder / "coco"), str(converted), use_segments=True, cls91to80=False)
labels = {
    path.name: [[float(word) for word in line.split()] for line in path.read_text("utf-8").splitlines()]
    for path in (converted / "labels" / "coco").iterdir()
}
outlines = [np.concatenate(scope["merge_multi_segment"](parts)).tolist() for parts in json.loads(sys.argv[2])]
print(json.dumps([labels, outlines]))
"""


def test_ultralytics_converter(sets: TrainingSets, training_python: str) -> None:
    """It makes the same labels from COCO, and one outline from the parts of an object, with the same area."""
    part = np.array([[0, 0], [4, 0], [4, 3], [0, 3]])
    squares = [part + np.array([6.0 * k, 5 * (k % 2)]) for k in range(4)]
    objects = [squares[:2], squares[1:4], squares]
    in_parts = json.dumps([[part.ravel().tolist() for part in parts] for parts in objects])
    converted, outlines = json_from(training_python, ULTRALYTICS + CONVERTED, sets.folder, in_parts)
    labels = {path.name: path.read_text("utf-8") for path in (sets.folder / "yolo" / "labels").iterdir()}
    # It writes none for images without objects.
    assert labels.pop(f"{EMPTY}-0.txt") == ""
    assert converted.keys() == labels.keys()
    for name, text in labels.items():
        for theirs, line in zip(converted[name], text.splitlines(), strict=True):
            # It writes six digits.
            assert theirs == pytest.approx([*map(float, line.split())], rel=1e-5, abs=1e-6)
    for parts, theirs in zip(objects, outlines, strict=True):
        # It reverses some parts, so that their areas count as negative in a polygon that is not valid.
        for outline in (joined(parts), theirs):
            assert shapely.make_valid(shapely.Polygon(outline)).area == 12 * len(parts)


LABEL_STUDIO_ANNOTATIONS = """
import json, sys
from pathlib import Path
from label_studio_sdk.label_interface import LabelInterface
interface = LabelInterface(Path(sys.argv[1]).read_text("utf-8"))
tasks = json.loads(Path(sys.argv[2]).read_text("utf-8"))
errors = []
for task in tasks:
    (prediction,) = task["predictions"]
    regions = prediction["result"]
    if task["id"] == 1:
        regions[0]["value"]["points"] = [[10, 10], [50, 10], [50, 50], [10, 50]]
        del regions[1]
    annotation = {"result": regions, "completed_by": 1, "updated_at": "2026-04-05T06:07:08.9Z"}
    if not interface.validate_annotation(annotation):
        errors.append(task["id"])
    task["annotations"] = [annotation]
Path(sys.argv[3]).write_text(json.dumps(tasks), "utf-8")
print(json.dumps(errors))
"""

DATUMARO_EDIT = """
import json, sys
import datumaro
loaded = datumaro.Dataset.import_from(sys.argv[1], "coco")
items = sorted(loaded, key=lambda item: item.id)
for item in items[:1]:
    for one in item.annotations[:1]:
        item.annotations[0] = one.wrap(points=[48, 60, 240, 60, 240, 300, 48, 300])
    loaded.put(item)
# As CVAT does, of which this is the export.
loaded.export(sys.argv[2], "coco_instances", save_media=False, segmentation_mode=sys.argv[3])
print(json.dumps(len(items)))
"""


@pytest.mark.parametrize("program", ["label-studio-sdk", "datumaro polygons", "datumaro mask"])
def test_corrections_come_back(
    program: str, sets: TrainingSets, training_python: str, tmp_path: Path
) -> None:
    """What a program writes after an edit is what exports show then."""
    out = Path(shutil.copytree(sets.folder / "out", tmp_path / "out"))
    before = pf.scan(out, "reductions").collect()
    program, _, form = program.partition(" ")
    if program == "datumaro":
        (tmp_path / "coco" / "annotations").mkdir(parents=True)
        (tmp_path / "coco" / "images").mkdir()
        (tmp_path / "coco" / "images" / "train").symlink_to(sets.folder / "yolo" / "images")
        shutil.copy(sets.folder / "coco" / "coco.json", tmp_path / "coco/annotations/instances_train.json")
        json_from(training_python, DATUMARO_EDIT, tmp_path / "coco", tmp_path / "edited", form)
        (edited,) = (tmp_path / "edited").rglob("*.json")
        segmentations = [one["segmentation"] for one in json.loads(edited.read_text("utf-8"))["annotations"]]
        assert {type(one) for one in segmentations} == {dict if form == "mask" else list}
    else:
        (configuration,) = blocks(DOCS / "recipes" / "training-sets.md", "xml")
        (tmp_path / "configuration.xml").write_text(configuration, encoding="utf-8")
        tasks = json.loads((sets.folder / "tasks.json").read_text("utf-8"))
        numbered = [task | {"id": number} for number, task in enumerate(tasks, 1)]
        (tmp_path / "tasks.json").write_text(json.dumps(numbered), encoding="utf-8")
        edited = tmp_path / "edited.json"
        files = (tmp_path / "configuration.xml", tmp_path / "tasks.json", edited)
        assert json_from(training_python, LABEL_STUDIO_ANNOTATIONS, *files) == []
    imported = pf.import_corrections(out, edited, workflows=DATA / "workflows.csv", say=lambda _: None)
    removed = program != "datumaro"
    assert (imported.corrected, imported.removed) == (1, int(removed))
    assert imported.unchanged == before.height - 1 - removed
    pf.export(out, "geojson", tmp_path / "after.geojson")
    features = json.loads((tmp_path / "after.geojson").read_text("utf-8"))["features"]
    shapes = [shapely.geometry.shape(feature["geometry"]) for feature in features]
    areas = {round(shape.area, 6) for shape in shapes}
    corrected = shapely.box(48, 60, 240, 300)
    # A mask has whole pixels.
    most = corrected.length if form == "mask" else 1e-6
    assert min(shape.symmetric_difference(corrected).area for shape in shapes) <= most
    assert len(areas - {round(area, 6) for area in before["area"]}) == 1
