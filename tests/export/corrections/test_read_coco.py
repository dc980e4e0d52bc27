"""COCO: polygons and masks that pycocotools has read and written come back, whatever their ids are."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from edited_tasks import SIZE, averages, export_of_squares, run, table, write

import polyframe as pf
from polyframe.export.corrections.run_lengths import rings_of_mask

pytest.importorskip("pycocotools")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    run(export_of_squares(tmp_path / "e.csv"), tmp_path / "out")
    pf.export(tmp_path / "out", "coco", tmp_path / "coco.json", image_size=SIZE)
    return tmp_path


def edited(project: Path, *, masks: bool, keys: bool) -> dict[str, Any]:
    """Return our export as another program writes it: with other ids, perhaps masks and without our keys."""
    from pycocotools.coco import COCO

    loaded = COCO(project / "coco.json")
    content: dict[str, Any] = {"categories": loaded.dataset["categories"], "info": {}, "licenses": []}
    names = ("file_name", "width", "height")
    content["images"] = [
        {"id": 900 - image["id"], **{name: image[name] for name in names}}
        for image in reversed(loaded.dataset["images"])
    ]
    content["annotations"] = []
    for number, annotation in enumerate(reversed(loaded.dataset["annotations"])):
        own = {"id": number, "image_id": 900 - annotation["image_id"], "iscrowd": 0}
        own |= {name: annotation[name] for name in ("category_id", "bbox", "area", "segmentation")}
        if masks:
            run_lengths = loaded.annToRLE(annotation)
            own["segmentation"] = run_lengths | {"counts": run_lengths["counts"].decode()}
        if keys:
            own["attributes"] = annotation["attributes"] | {"occluded": False}
        content["annotations"].append(own)
    return content


@pytest.mark.parametrize("masks", [False, True])
@pytest.mark.parametrize("keys", [False, True])
def test_unchanged_and_changed_annotations(masks: bool, keys: bool, project: Path) -> None:
    out, content = project / "out", edited(project, masks=masks, keys=keys)
    content["info"] = {"contributor": "Ada", "date_created": "2026-04-05T06:07:08Z"}
    imported = pf.import_corrections(out, write(content, project / "edited.json"), say=lambda _: None)
    assert (imported.unchanged, imported.corrected, imported.by_overlap) == (5, 0, 0 if keys else 5)
    # The average of the cluster of subject 2 is a square at (61, 10).
    (own,) = (one for one in content["annotations"] if one["image_id"] == 898)
    if masks:
        from pycocotools.mask import encode

        pixels = np.zeros((80, 100), np.uint8, order="F")
        pixels[8:22, 58:71] = 1
        own["segmentation"] = encode(pixels)
        own["segmentation"]["counts"] = own["segmentation"]["counts"].decode()
    else:
        own["segmentation"] = [[58, 8, 71, 8, 71, 22, 58, 22]]
    imported = pf.import_corrections(out, write(content, project / "edited.json"), say=lambda _: None)
    assert (imported.unchanged, imported.corrected) == (4, 1)
    assert averages(out, project)[2, 0].equals(shapely.box(58, 8, 71, 22))
    row = table(out).row(0, named=True)
    assert (row["corrected_by"], str(row["corrected_at"])) == ("Ada", "2026-04-05 06:07:08+00:00")


def test_missing_annotations_are_kept_unless_told_otherwise(project: Path) -> None:
    out, content = project / "out", edited(project, masks=False, keys=False)
    content["annotations"] = [one for one in content["annotations"] if one["image_id"] != 898]
    path = write(content, project / "edited.json")
    imported = pf.import_corrections(out, path, say=lambda _: None)
    assert (imported.missing, imported.removed) == (1, 0)
    imported = pf.import_corrections(out, path, missing="remove", corrected_by="Ada", say=lambda _: None)
    assert (imported.missing, imported.removed) == (0, 1)
    assert 2 not in {subject for subject, _ in averages(out, project)}
    # Of a file that still lists what was exported, it is clear that somebody removed the annotation.
    content = json.loads((project / "coco.json").read_text(encoding="utf-8"))
    content["annotations"] = [one for one in content["annotations"] if one["attributes"]["subject_id"] != 3]
    path = write(content, project / "listed.json")
    assert pf.import_corrections(out, path, missing="keep", say=lambda _: None).removed == 0
    assert pf.import_corrections(out, path, say=lambda _: None).removed == 2


def test_two_polygons_for_one_cluster_are_ambiguous(project: Path) -> None:
    out, content = project / "out", edited(project, masks=False, keys=False)
    (own,) = (one for one in content["annotations"] if one["image_id"] == 898)
    twin = own | {"id": 77, "segmentation": [[63, 10, 73, 10, 73, 20, 63, 20]]}
    own["segmentation"] = [[59, 10, 69, 10, 69, 20, 59, 20]]
    content["annotations"].append(twin)
    notes: list[str] = []
    imported = pf.import_corrections(
        out, write(content, project / "e.json"), missing="remove", say=notes.append
    )
    assert (imported.corrected, imported.removed) == (0, 0)
    assert imported.not_used["polygon that may belong to several clusters, or share one with another polygon"]


@pytest.mark.parametrize("counts", [[1, 2, 3], [12], "!!", "o0", [-1, 13], None, [0.5]])
def test_masks_that_are_not_valid_or_empty(counts: Any) -> None:
    assert rings_of_mask({"size": [3, 4], "counts": counts}) is None


def test_masks_are_those_of_pycocotools() -> None:
    from pycocotools.mask import encode

    rng = np.random.default_rng(5)
    for _ in range(30):
        height, width = rng.integers(1, 40, 2).tolist()
        pixels = np.asfortranarray(rng.random((height, width)) < rng.random(), dtype=np.uint8)
        if not pixels.any():
            continue
        mask = encode(pixels)
        rings = rings_of_mask(mask | {"counts": mask["counts"].decode()})
        assert rings is not None
        region = shapely.union_all([shapely.Polygon(shell, holes) for shell, *holes in rings])
        y, x = np.mgrid[:height, :width] + 0.5
        assert np.array_equal(shapely.contains_xy(region, x.ravel(), y.ravel()), pixels.ravel() == 1)
        assert region.area == pixels.sum()


def test_outlines_of_masks_have_only_corners() -> None:
    """A box of 3 x 2 pixels down the columns, in an image of 5 x 4."""
    ((ring,),) = rings_of_mask({"size": [4, 5], "counts": [5, 2, 2, 2, 2, 2, 5]}) or [[]]
    assert sorted(set(map(tuple, ring.tolist()))) == [(1, 1), (1, 3), (4, 1), (4, 3)]
    assert len(ring) == 5
