"""Corrections: edited polygons come back, and are used until the marks of their cluster change."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import shapely
from edited_tasks import (
    OBJECTS,
    SIZE,
    averages,
    complete,
    export_of_squares,
    exported_tasks,
    percents,
    run,
    table,
    write,
)
from exports import Done
from s3_server import Bucket
from shapely.testing import assert_geometries_equal

import polyframe as pf

Call = Callable[..., Done]
TRIANGLE = [[2.0, 3.0], [30.0, 3.0], [2.0, 41.0]]
AFTER_TRIANGLE = shapely.Polygon(TRIANGLE)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output that is not changed, with its export beside it."""
    folder = tmp_path_factory.mktemp("corrections")
    run(export_of_squares(folder / "e.csv"), folder / "out")
    return folder


@pytest.fixture
def out(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made / "out", tmp_path / "out"))


def test_what_somebody_edits_and_removes_is_what_exports_show(out: Path, tmp_path: Path) -> None:
    before = averages(out, tmp_path)
    tasks = exported_tasks(out, tmp_path)
    result = complete(tasks[0], by={"id": 7, "email": "ada@example.org"})
    result[0]["value"]["points"] = percents(TRIANGLE)
    removed = complete(tasks[2], at="2026-02-03T11:30:00.250000+01:00")
    del removed[1]
    imported = pf.import_corrections(out, write(tasks, tmp_path / "edited.json"), say=lambda _: None)
    assert (imported.corrected, imported.removed, imported.unchanged, imported.stale) == (1, 1, 2, 0)
    assert imported.not_used == {"task that nobody has completed": 1}
    assert imported.version == 2
    rows = table(out)
    assert rows.select("subject_id", "cluster_label", "corrected_by").rows() == [
        (1, 0, "ada@example.org"),
        (3, 1, "7"),
    ]
    assert [str(at) for at in rows["corrected_at"]] == [
        "2026-02-01 10:00:00+00:00",
        "2026-02-03 10:30:00.250000+00:00",
    ]
    after = averages(out, tmp_path)
    assert after.keys() == before.keys() - {(3, 1)}
    assert_geometries_equal(after[1, 0].normalize(), AFTER_TRIANGLE.normalize(), tolerance=1e-9)
    assert {key: after[key] for key in after if key != (1, 0)} == {
        key: before[key] for key in after if key != (1, 0)
    }
    assert averages(out, tmp_path, corrections="ignore") == before
    assert pf.validate(out) == []
    state = pf.status(out).corrections
    assert state is not None
    assert (state.polygons, state.removed, state.stale) == (1, 1, 0)


def test_a_second_export_has_the_edit_and_importing_it_again_changes_nothing(
    out: Path, tmp_path: Path
) -> None:
    tasks = exported_tasks(out, tmp_path)
    complete(tasks[0])[0]["value"]["points"] = percents(TRIANGLE)
    edited = write(tasks, tmp_path / "edited.json")
    pf.import_corrections(out, edited, say=lambda _: None)
    again = exported_tasks(out, tmp_path)
    points = again[0]["predictions"][0]["result"][0]["value"]["points"]
    assert np.allclose(points, percents(TRIANGLE))
    assert again[0]["data"]["clusters"] == tasks[0]["data"]["clusters"]
    complete(again[0], at="2026-05-01T00:00:00Z")
    imported = pf.import_corrections(out, write(again, tmp_path / "again.json"), say=lambda _: None)
    assert (imported.corrected, imported.unchanged, imported.version) == (0, 2, 2)
    assert pf.import_corrections(out, edited, say=lambda _: None).version == 2


@pytest.mark.parametrize(
    ("to", "options"),
    [
        ("coco", {"image_size": SIZE}),
        ("yolo", {"image_size": SIZE}),
        ("masks", {"image_size": SIZE}),
        ("gpkg", {}),
        ("panoptes-csv", {}),
        ("coco", {"image_size": SIZE, "level": "50%"}),
        ("levels", {"level": 2}),
        ("geojson", {"level": 3}),
    ],
)
def test_every_format_shows_corrections_unless_told_not_to(
    to: str, options: dict[str, object], out: Path, tmp_path: Path
) -> None:
    """An output whose volunteers drew the triangle gives the same file, but for counts and keys."""
    tasks = exported_tasks(out, tmp_path)
    complete(tasks[0])[0]["value"]["points"] = percents(TRIANGLE)
    names = {"levels": "x.parquet", "gpkg": "x.gpkg", "panoptes-csv": "x.csv"}
    path = tmp_path / names.get(to, "x")

    def content() -> list[bytes]:
        pf.export(out, to, path, say=lambda _: None, **options)  # type: ignore[arg-type]
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        return [file.read_bytes() for file in files if file.is_file()]

    before = content()
    pf.import_corrections(out, write(tasks, tmp_path / "edited.json"), say=lambda _: None)
    after = content()
    assert after != before
    options["corrections"] = "ignore"
    if to != "gpkg":  # it contains the time
        assert content() == before


def test_level_of_a_corrected_cluster(out: Path, tmp_path: Path) -> None:
    tasks = exported_tasks(out, tmp_path)
    complete(tasks[0])[0]["value"]["points"] = percents(TRIANGLE)
    pf.import_corrections(out, write(tasks, tmp_path / "edited.json"), say=lambda _: None)
    shapes = averages(out, tmp_path, level=2)
    assert_geometries_equal(shapes[1, 0].normalize(), AFTER_TRIANGLE.normalize(), tolerance=1e-9)
    assert shapes[1, 1].area == pytest.approx(100)  # x from 1 to 11
    # Level 9 is above the number of marks, but somebody drew the outline of this cluster.
    assert set(averages(out, tmp_path, level=9)) == {(1, 0)}
    all_levels = averages(out, tmp_path, what="contours")
    assert all_levels[1, 0].area == pytest.approx(80)  # the last of its levels, as volunteers drew it


def test_score_report_and_plot_use_corrections(out: Path, tmp_path: Path) -> None:
    tasks = exported_tasks(out, tmp_path)
    complete(tasks[0])[0]["value"]["points"] = percents(TRIANGLE)
    pf.import_corrections(out, write(tasks, tmp_path / "edited.json"), say=lambda _: None)
    feature = {
        "type": "Feature",
        "properties": {"subject_id": 1, "frame": 0},
        "geometry": {"type": "Polygon", "coordinates": [[*TRIANGLE, TRIANGLE[0]]]},
    }
    gold = write({"type": "FeatureCollection", "features": [feature]}, tmp_path / "gold.geojson")
    for level in (None, 2):
        with_corrections = pf.score(out, gold, level=level, say=lambda _: None)
        without = pf.score(out, gold, level=level, corrections="ignore", say=lambda _: None)
        assert with_corrections["gold_iou"][0] == pytest.approx(1)
        assert without["gold_iou"][0] < 0.5
    for corrections, expected in ((None, AFTER_TRIANGLE.area), ("ignore", 100)):
        (group,) = pf.plot.read_groups(out, 1, corrections=corrections)  # type: ignore[arg-type]
        assert shapely.Polygon(group.clusters[0].average).area == pytest.approx(expected)
    pages = []
    for corrections in ("use", "ignore"):
        pf.report(out, tmp_path / "report.html", corrections=corrections, say=lambda _: None)
        pages.append((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert pages[0] != pages[1]


def test_a_changed_cluster_makes_a_correction_stale_until_it_has_its_marks_back(
    out: Path, made: Path, tmp_path: Path
) -> None:
    tasks = exported_tasks(out, tmp_path)
    complete(tasks[0])[0]["value"]["points"] = percents(TRIANGLE)
    edited = write(tasks, tmp_path / "edited.json")
    pf.import_corrections(out, edited, say=lambda _: None)
    kept = table(out)
    run(made / "e.csv", out, force=True)
    assert table(out).equals(kept)
    notes: list[str] = []
    # Squares that are 1 pixel apart have a distance of 2 / 11.
    run(made / "e.csv", out, eps=0.15, say=notes.append)
    assert table(out).equals(kept)
    assert any("1 correction is not used" in note and "cluster 0" in note for note in notes)
    state = pf.status(out).corrections
    assert state is not None
    assert (state.polygons, state.stale) == (0, 1)
    assert state.stale_clusters == ["subject 1 frame 0 T0_toolIndex0 cluster 0"]
    assert pf.validate(out) == []
    run(made / "e.csv", out)
    assert averages(out, tmp_path)[1, 0].area == pytest.approx(AFTER_TRIANGLE.area)


def test_stale_corrections_are_listed_by_the_labels_of_tools(
    out: Path, made: Path, tmp_path: Path, polyframe: Call
) -> None:
    tasks = exported_tasks(out, tmp_path)
    complete(tasks[0])[0]["value"]["points"] = percents(TRIANGLE)
    pf.import_corrections(out, write(tasks, tmp_path / "edited.json"), say=lambda _: None)
    run(made / "e.csv", out, eps=0.15, say=lambda _: None)
    tool = '{""T0"": {""instruction"": ""Outline all"", ""tools"": [{""label"": ""Cell""}]}}'
    workflows = tmp_path / "workflows.csv"
    workflows.write_text(
        f'workflow_id,display_name,version,minor_version,tasks,strings\n7,Cells,3,1,"{tool}",{{}}\n'
    )
    printed = polyframe("status", out, "--workflows", workflows).out
    assert "  stale: subject 1 frame 0 Cell cluster 0\n" in printed


def test_a_polygon_that_was_drawn_for_other_marks_is_stale_at_once(
    out: Path, made: Path, tmp_path: Path
) -> None:
    tasks = exported_tasks(out, tmp_path)
    complete(tasks[0])[0]["value"]["points"] = percents(TRIANGLE)
    more = export_of_squares(tmp_path / "more.csv", n_volunteers=4)
    run(more, out)
    before = averages(out, tmp_path)
    notes: list[str] = []
    imported = pf.import_corrections(out, write(tasks, tmp_path / "edited.json"), say=notes.append)
    # Also the polygon that nobody changed: it is that of other marks.
    assert (imported.corrected, imported.stale) == (0, 2)
    assert any("2 polygons of clusters whose marks have changed" in note for note in notes)
    assert averages(out, tmp_path) == before
    run(made / "e.csv", out)
    assert averages(out, tmp_path)[1, 0].area == pytest.approx(AFTER_TRIANGLE.area)


def test_a_correction_follows_its_cluster_to_another_label(out: Path, tmp_path: Path) -> None:
    tasks = exported_tasks(out, tmp_path)
    complete(tasks[0])[1]["value"]["points"] = percents(TRIANGLE)
    pf.import_corrections(out, write(tasks, tmp_path / "edited.json"), say=lambda _: None)
    # Two others drew another object before, so its cluster has label 0, and the corrected one now has 2.
    run(export_of_squares(tmp_path / "more.csv", before=[(70, 50)]), out)
    shapes = averages(out, tmp_path)
    assert [shapes[1, label].area for label in range(3)] == pytest.approx([100, 100, AFTER_TRIANGLE.area])
    assert table(out)["cluster_label"].to_list() == [1]
    other = exported_tasks(out, tmp_path)
    complete(other[0], "2026-08-01T00:00:00Z").pop(0)
    imported = pf.import_corrections(out, write(other, tmp_path / "other.json"), say=lambda _: None)
    assert (imported.removed, imported.unchanged, imported.total) == (1, 2, 2)
    assert table(out)["cluster_label"].to_list() == [0, 2]
    assert set(averages(out, tmp_path)) == {(1, 1), (1, 2), (2, 0), (3, 0), (3, 1)}
    assert pf.validate(out) == []


def test_of_two_imports_the_newest_correction_of_each_cluster_counts(out: Path, tmp_path: Path) -> None:
    for number, (at, side) in enumerate(
        [("2026-02-01T00:00:00Z", 20), ("2026-03-01T00:00:00Z", 24), ("2026-01-01T00:00:00Z", 28)]
    ):
        tasks = exported_tasks(out, tmp_path)
        points = [[0, 0], [side, 0], [side, side], [0, side]]
        complete(tasks[0], at)[0]["value"]["points"] = percents(points)
        imported = pf.import_corrections(
            out, write(tasks, tmp_path / f"{number}.json"), keep_versions=9, say=lambda _: None
        )
        assert imported.older == (number == 2)
    assert averages(out, tmp_path)[1, 0].area == pytest.approx(24**2)
    (geometry,) = pf.scan(out, "corrections", version=2).collect()["geometry"]
    assert shapely.from_wkb(geometry).area == pytest.approx(20**2)
    replaced = pf.import_corrections(out, tmp_path / "2.json", replace=True, say=lambda _: None)
    assert (replaced.total, replaced.corrected) == (1, 1)
    assert averages(out, tmp_path)[1, 0].area == pytest.approx(28**2)
    pf.import_corrections(out, write([], tmp_path / "none.json"), replace=True, say=lambda _: None)
    assert averages(out, tmp_path)[1, 0].area == pytest.approx(100)
    assert table(out).is_empty()
    assert pf.validate(out) == []


def test_a_polygon_drawn_again_finds_its_cluster_and_others_are_reported(out: Path, tmp_path: Path) -> None:
    tasks = exported_tasks(out, tmp_path)
    result = complete(tasks[0])
    first, second = result
    (x, y), _ = OBJECTS[1]
    drawn = [[x, y], [x + 12, y], [x + 12, y + 11], [x, y + 11]]
    new = {"id": "new", "type": "polygonlabels", "original_width": 100, "original_height": 80}
    label = {"polygonlabels": first["value"]["polygonlabels"]}
    far = [[80, 70], [90, 70], [90, 79]]
    flat = [[1, 1], [1, 1], [1, 1]]
    result[:] = [
        second,
        *(
            new | {"id": f"new{number}", "value": label | {"points": percents(points)}}
            for number, points in enumerate((drawn, far, flat))
        ),
        new | {"id": "box", "type": "rectanglelabels", "value": {"x": 1, "y": 1, "width": 2, "height": 2}},
    ]
    other = json.loads(json.dumps(tasks[1]))
    other["data"] |= {"subject_id": 99, "image": "99-0.png"}
    notes: list[str] = []
    edited = write([tasks[0], other], tmp_path / "edited.json")
    imported = pf.import_corrections(out, edited, say=notes.append)
    assert (imported.corrected, imported.by_overlap, imported.removed, imported.unchanged) == (1, 1, 0, 1)
    assert averages(out, tmp_path)[1, 0].area == pytest.approx(12 * 11)
    assert imported.not_used == {
        "region of the type rectanglelabels, not a polygon": 1,
        f"image without a subject of {out}": 1,
        "polygon without an area": 1,
        "polygon without a cluster": 1,
    }
    assert f"{edited}: 1 polygon without a cluster (subject 1 frame 0, task 1)" in notes


def test_of_several_annotations_the_newest_is_used(out: Path, tmp_path: Path) -> None:
    tasks = exported_tasks(out, tmp_path)
    for at, side in (("2026-02-02T00:00:00Z", 20), ("2026-02-01T00:00:00Z", 30)):
        points = [[0, 0], [side, 0], [side, side], [0, side]]
        complete(tasks[0], at)[0]["value"]["points"] = percents(points)
    complete(tasks[1], "2027-01-01T00:00:00Z").clear()
    tasks[1]["annotations"][0]["was_cancelled"] = True
    imported = pf.import_corrections(out, write(tasks, tmp_path / "e.json"), say=lambda _: None)
    assert (imported.corrected, imported.removed) == (1, 0)
    assert averages(out, tmp_path)[1, 0].area == pytest.approx(20**2)
    assert imported.not_used == {
        "task with several annotations, of which the newest is used": 1,
        "annotation that was skipped (cancelled)": 1,
        "task that nobody has completed": 2,
    }


def test_a_bucket(made: Path, bucket: Bucket, tmp_path: Path) -> None:
    options = {"storage_options": bucket.options}
    place = f"{bucket.url}/project"
    run(made / "e.csv", place, **options)
    tasks = exported_tasks(place, tmp_path, **options)
    complete(tasks[0])[0]["value"]["points"] = percents(TRIANGLE)
    imported = pf.import_corrections(
        place, write(tasks, tmp_path / "e.json"), say=lambda _: None, storage_options=bucket.options
    )
    assert (imported.corrected, imported.version) == (1, 2)
    run(made / "e.csv", place, force=True, **options)
    assert averages(place, tmp_path, **options)[1, 0].area == pytest.approx(AFTER_TRIANGLE.area)
    assert pf.validate(place, storage_options=bucket.options) == []
    pf.vacuum(place, keep="0d", grace="0d", storage_options=bucket.options)
    state = pf.status(place, storage_options=bucket.options)
    assert state.corrections is not None
    assert (state.corrections.polygons, state.not_current) == (1, {})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("nonsense", "is not valid JSON"),
        ("[1]", "this JSON is not an export of Label Studio (JSON) or COCO instance segmentation"),
        ('{"images": 1, "annotations": []}', "a COCO file needs the lists images and annotations"),
        ('[{"id": 1, "image": "1-0.png", "label": []}]', "in Label Studio choose the format JSON"),
        ('[{"data": {"subject_id": 77}}]', "contains no edited image of"),
    ],
)
def test_files_that_cannot_be_used(content: str, message: str, out: Path, polyframe: Call) -> None:
    path = out.parent / "edited.json"
    path.write_text(content, encoding="utf-8")
    done = polyframe("import-corrections", out, path)
    assert (done.code, message in done.err, str(path) in done.err) == (1, True, True), done.err
    assert pf.status(out).number == 1


def test_the_command_says_what_it_did(out: Path, tmp_path: Path, polyframe: Call) -> None:
    tasks = exported_tasks(out, tmp_path)
    complete(tasks[0])[0]["value"]["points"] = percents(TRIANGLE)
    path = write(tasks, tmp_path / "edited.json")
    done = polyframe("import-corrections", out, path)
    assert done.code == 0
    assert done.out == (
        f"{path}: 1 corrected polygon, 0 removed clusters and 1 unchanged of 2 polygons on 1 image\n"
        f"{out}: version 2 has 1 correction\n"
    )
    assert "2 tasks that nobody has completed (task 2, task 3)" in done.err
    assert (
        "corrections: 1 corrected polygon and 0 removed clusters in use, none stale"
        in polyframe("status", out).out.splitlines()
    )
    shown = polyframe("export", out, "--to", "geojson", "-o", tmp_path / "a.json", "--corrections", "ignore")
    assert shown.code == 0
    missing = polyframe("import-corrections", tmp_path / "nothing", path)
    assert (missing.code, (tmp_path / "nothing").exists()) == (1, False)
    nowhere = polyframe("import-corrections", out, tmp_path / "nowhere.json")
    assert (nowhere.code, "no such file" in nowhere.err) == (1, True)
