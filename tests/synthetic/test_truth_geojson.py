"""Test that the file of true outlines has every object once, and that `score` reads it."""

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import shapely

import polyframe as pf
from polyframe.core.errors import PolyframeError, UsageError
from polyframe.synthetic import SynthOptions, true_outlines, write_truth
from polyframe.synthetic.ground_truth import make_scene

#: Among these subjects are some with a second frame, with and without objects in it.
OPTIONS = SynthOptions(subjects=30, seed=3, frames=2)


def features_of(path):
    return json.loads(path.read_text(encoding="utf-8"))["features"]


def test_every_object_is_written_once_with_its_outline(tmp_path):
    path = tmp_path / "truth.geojson"
    count = write_truth(path, OPTIONS)
    features = [feature for feature in features_of(path) if feature["geometry"]]
    expected = [
        (subject, outline)
        for subject in range(OPTIONS.first_subject, OPTIONS.first_subject + OPTIONS.subjects)
        for outline in true_outlines(OPTIONS, subject)
    ]
    assert count == len(features) == len(expected) > 40
    for feature, (subject, outline) in zip(features, expected, strict=True):
        tool = f"T0_toolIndex{outline.tool}"
        assert feature["properties"] == {"subject_id": subject, "frame": outline.frame, "tool": tool}
        ring = np.array(shapely.from_geojson(json.dumps(feature["geometry"])).exterior.coords)
        assert np.array_equal(ring[0], ring[-1])
        assert np.abs(ring[:-1] - np.column_stack([outline.x, outline.y])).max() <= 0.0005


def test_frames_without_an_object_are_written_too(tmp_path):
    """There the expert saw nothing to outline, so that scribbles on them are errors."""
    write_truth(tmp_path / "truth.geojson", OPTIONS)
    frames, empty = set(), set()
    for feature in features_of(tmp_path / "truth.geojson"):
        key = (feature["properties"]["subject_id"], feature["properties"]["frame"])
        frames.add(key)
        if feature["geometry"] is None:
            assert key not in empty
            assert "tool" not in feature["properties"]
            empty.add(key)
    scenes = {number: make_scene(OPTIONS, number) for number in range(OPTIONS.subjects)}
    expected = {
        (OPTIONS.first_subject + number, frame)
        for number, scene in scenes.items()
        for frame in range(scene.n_frames)
    }
    assert frames == expected
    with_objects = {
        (OPTIONS.first_subject + number, frame)
        for number, scene in scenes.items()
        for frame in scene.frame.tolist()
    }
    assert empty == expected - with_objects != set()


def test_an_export_is_scored_against_its_truth(tmp_path):
    options = {"subjects": 8, "seed": 4, "vertices": 60, "scribblers": 0.0, "old_share": 0.0}
    pf.synth(tmp_path / "x.csv", **options, truth=tmp_path / "truth.geojson")
    pf.run(tmp_path / "x.csv", tmp_path / "out", jobs=1, engine="shapely")
    notes = []
    scores = pf.score(tmp_path / "out", tmp_path / "truth.geojson", say=notes.append)
    (row,) = scores.filter(scope="all").to_dicts()
    objects = [len(true_outlines(SynthOptions(**options), 1_000_001 + number)) for number in range(8)]
    assert row["n_gold"] == sum(objects)
    assert row["n_subjects"] == 8
    assert row["precision"] == 1
    assert row["recall"] > 0.9
    assert 0.88 < row["matched_iou"] < 0.97
    assert 0.95 < row["area_ratio"] < 1.05
    assert not [note for note in notes if "outlines that" in note or "copies" in note], notes
    assert set(scores.filter(scope="tool")["tool"]) == {"T0_toolIndex0", "T0_toolIndex1"}


def test_the_truth_changes_nothing_else(tmp_path):
    for name, more in (("with", {"truth": tmp_path / "with" / "truth.geojson"}), ("without", {})):
        pf.synth(tmp_path / name, subjects=3, seed=5, vertices=40, **more)
    files = {path.name: path.read_bytes() for path in (tmp_path / "with").iterdir()}
    truth = files.pop("truth.geojson")
    assert files == {path.name: path.read_bytes() for path in (tmp_path / "without").iterdir()}
    write_truth(tmp_path / "again.geojson", SynthOptions(subjects=3, seed=5, vertices=40))
    assert (tmp_path / "again.geojson").read_bytes() == truth


def test_an_export_without_subjects_has_no_features(tmp_path):
    assert write_truth(tmp_path / "truth.geojson", SynthOptions(subjects=0)) == 0
    assert features_of(tmp_path / "truth.geojson") == []


@pytest.mark.parametrize(
    ("truth", "error", "message"),
    [
        ("truth.geojson.gz", UsageError, "truth: .*truth.geojson.gz: `score` reads no compressed GeoJSON"),
        ("out/classifications.csv", UsageError, "is a file of the export; name another one"),
        ("out/subjects.csv", UsageError, "is a file of the export; name another one"),
        (5, UsageError, "truth: expected a path, got 5"),
        ("missing/truth.geojson", PolyframeError, "truth.geojson: cannot be written .No such file"),
        (".", PolyframeError, "is a directory; name a file to write"),
    ],
)
def test_a_file_that_cannot_be_used_is_an_error_before_the_export(
    tmp_path, truth, error, message, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        pf.synth("out", subjects=2, truth=truth)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_memory_does_not_grow_with_the_number_of_subjects(tmp_path):
    def peak(subjects):
        tracemalloc.start()
        write_truth(tmp_path / "truth.geojson", SynthOptions(subjects=subjects))
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    peak(1)
    assert peak(200) < 1.3 * peak(40)
    assert Path(tmp_path / "truth.geojson").stat().st_size > 500_000
