"""Exports of unusual forms, in which marks used to get lost, with their expected values.

The values are worked out by hand from the files in `cases/`. They contain squares with a side of 100, each
shifted by a pixel; two of them that are k pixels apart have the IoU distance 1 - (100 - k) / (100 + k).
"""

import json
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import shapely
import yaml
from exports import Done, drawing, export_row, export_text, square
from stores import manifest_of

import polyframe as pf

Call = Callable[..., Done]
CASES = Path(__file__).parents[1] / "cases"


def consensus(positions: list[int], side: int = 100) -> float:
    """Return the consensus of squares at given x."""
    shares = [(side - abs(a - b)) / (side + abs(a - b)) for a, b in combinations(positions, 2)]
    return sum(shares) / len(shares)


class Results:
    """The results of the command line and of the Python functions, which must agree."""

    def __init__(self, polyframe: Call, folder: Path, export: Path, **settings: Any) -> None:
        self.notes: list[str] = []
        flags = [text for name, value in settings.items() for text in (f"--{name.replace('_', '-')}", value)]
        self.done = polyframe("run", export, "-o", folder / "out", "--jobs", 1, *flags)
        assert self.done.code == 0, self.done.err
        extraction = pf.extract(export, say=self.notes.append, **settings)
        result = pf.reduce(extraction, **settings)
        self.reductions = pf.scan(folder / "out", "reductions").collect()
        self.contours = pf.scan(folder / "out", "contours").collect()
        self.rejects = pf.scan(folder / "out", "rejects").collect()
        assert extraction.rejects.equals(self.rejects)
        assert extraction.extractions.equals(pf.scan(folder / "out", "extractions").collect())
        assert result.reductions.equals(self.reductions)
        assert pf.validate(folder / "out") == []
        assert [f"polyframe: {note}" for note in self.notes] == self.done.err.splitlines()

    @property
    def counts(self) -> str:
        """The printed line of marks."""
        return next(line for line in self.done.out.splitlines() if line.startswith("marks seen"))


@pytest.fixture
def run_both(polyframe: Call, tmp_path: Path) -> Callable[..., Results]:
    def run(name: str, **settings: Any) -> Results:
        return Results(polyframe, tmp_path, CASES / f"{name}.csv", **settings)

    return run


def test_svg_paths_are_marks(run_both: Callable[..., Results]) -> None:
    results = run_both("path_strings")
    assert results.counts == "marks seen 5 = 0 rejected + 0 set aside as repeats + 5 clustered + 0 outliers"
    (row,) = results.reductions.rows(named=True)
    assert (row["clusters_count"], row["threshold"], row["area"]) == (5, 1.0, 10_000.0)
    assert row["consensus"] == pytest.approx(consensus([11, 12, 13, 14, 15]))


def test_marks_that_may_be_curves_give_a_note(run_both: Callable[..., Results]) -> None:
    results = run_both("bezier1x")
    assert results.reductions["area"].to_list() == [159_800.0]
    (note,) = [note for note in results.notes if "Bezier" in note]
    assert note.startswith(
        "4 marks do not say whether they are polygons or Bezier curves (classifier 1.x) and were"
    )
    assert "polyframe config" in note
    assert "--bezier-tool" in note


@pytest.mark.parametrize("tool", ["0", "T0:0"])
def test_bezier_tools_can_be_given(tool: str, run_both: Callable[..., Results]) -> None:
    results = run_both("bezier1x", bezier_tool=tool)
    assert results.reductions["area"].round().to_list() == [132_543]
    assert not [note for note in results.notes if "Bezier" in note]


def test_bezier_tools_can_be_configured(polyframe: Call, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("extractor_config: {bezier_extractor: [{task: T0}]}\n")
    export = CASES / "bezier1x.csv"
    done = polyframe("run", export, "-c", config, "-o", tmp_path / "out")
    assert done.code == 0
    assert "Bezier" not in done.err
    assert pf.scan(tmp_path / "out", "reductions").collect()["area"].round().to_list() == [132_543]
    # A flag overrides the extractor of a tool, but does not select tools.
    config.write_text("extractor_config: {polygon_extractor: [{task: T0, tools: [1]}]}\n")
    done = polyframe("run", export, "-c", config, "-o", tmp_path / "none", "--bezier-tool", 0)
    assert done.code == 1
    assert not (tmp_path / "none").exists()
    for invalid in ("x", "T0:", ":1", "-1", "1.0", "T0:x", "9" * 30):
        done = polyframe("run", export, "-o", tmp_path / "invalid", "--bezier-tool", invalid)
        assert done.code == 2, invalid
        assert "bezier_tool must be tool indices, such as 1 or T0:1 (got" in done.err
    assert not (tmp_path / "invalid").exists()


def test_later_stages_keep_the_bezier_tools(polyframe: Call, tmp_path: Path) -> None:
    export = CASES / "bezier1x.csv"
    assert polyframe("extract", export, "-o", tmp_path / "out", "--bezier-tool", 0).code == 0
    assert "bezier_tool 0" in polyframe("status", tmp_path / "out").out
    assert polyframe("reduce", tmp_path / "out").code == 0
    assert pf.scan(tmp_path / "out", "reductions").collect()["area"].round().to_list() == [132_543]


def test_exact_copies_of_marks_are_rejected(run_both: Callable[..., Results]) -> None:
    results = run_both("dup_marks")
    assert results.counts == "marks seen 7 = 3 rejected + 0 set aside as repeats + 4 clustered + 0 outliers"
    (row,) = results.reductions.rows(named=True)
    assert (row["clusters_count"], row["threshold"]) == (4, 1.0)
    assert row["consensus"] == pytest.approx(consensus([12, 14, 16, 18]))
    assert round(row["consensus"], 3) == 0.936
    assert results.contours["number_of_contours"].to_list() == [4]
    assert (
        results.rejects.select("reason", "mark_index", "detail").rows()
        == [("duplicate_mark", 1, "copy of mark 0")] * 3
    )


def test_copies_can_be_kept_as_in_the_reference_tool(run_both: Callable[..., Results]) -> None:
    results = run_both("dup_marks", duplicate_marks="keep")
    (row,) = results.reductions.rows(named=True)
    assert (row["clusters_count"], row["threshold"]) == (7, 1.75)
    assert results.rejects.height == 0


def test_different_marks_of_a_classification_all_count(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    rows = [export_row(n, drawing(square(n, 0, 100), square(n, 1, 100))) for n in range(2)]
    path.write_text(export_text(rows))
    pf.run(path, tmp_path / "out", jobs=1)
    assert pf.scan(tmp_path / "out", "reductions").collect()["threshold"].to_list() == [2.0]
    assert pf.validate(tmp_path / "out") == []


def test_outlines_without_points_are_counted(run_both: Callable[..., Results]) -> None:
    # Seven of the ten marks in the file have no points.
    results = run_both("empty_paths")
    assert results.counts == "marks seen 10 = 7 rejected + 0 set aside as repeats + 3 clustered + 0 outliers"
    assert "  7 marks: the outline of a mark has no points" in results.done.out
    assert results.reductions["clusters_count"].to_list() == [3]
    assert results.rejects["detail"].unique().to_list() == ["`pathX` and `pathY` are empty"]


def test_answers_belong_to_the_marks_of_the_same_annotation(run_both: Callable[..., Results]) -> None:
    results = run_both("recursive")
    assert results.reductions["details_votes"].to_list() == ['[{"0":3}]', '[{"1":3}]']


def test_marks_inside_combo_tasks_are_extracted(run_both: Callable[..., Results]) -> None:
    results = run_both("combo_nested")
    assert results.reductions.select("task", "clusters_count", "threshold").rows() == [("T0", 4, 1.0)]
    assert results.reductions["consensus"].to_list() == [pytest.approx(consensus([11, 12, 13, 14]))]


def test_the_configuration_contains_every_outline_tool(tmp_path: Path, polyframe: Call) -> None:
    done = polyframe("config", CASES / "etch_workflows.csv", "-o", tmp_path / "cli")
    assert done.code == 0
    files = pf.config(CASES / "etch_workflows.csv", tmp_path / "api")
    assert [Path(line).name for line in done.out.splitlines()] == [file.name for file in files]
    written = yaml.safe_load(files[0].read_text())
    assert written["extractor_config"] == {"polygon_extractor": [{"task": "T0", "tools": [0, 1, 2]}]}


# Counts


def test_the_counts_of_an_extraction_do_not_mention_clusters(tmp_path: Path, polyframe: Call) -> None:
    flat = {"pathX": [0, 1, 2, 3], "pathY": [0, 1, 2, 3]}
    marks = (square(0, 0), square(0, 0), square(0, 0, **flat), square(9, 9), {"toolIndex": 0, "pathX": []})
    path = tmp_path / "export.csv"
    path.write_text(export_text([export_row(n, drawing(*marks)) for n in range(2)]))
    done = polyframe("extract", path, "-o", tmp_path / "out")
    assert done.out.splitlines()[1] == "marks seen 10 = 6 rejected + 4 extracted"
    counts, _, _ = done.out.partition("\n\n")
    assert "cluster" not in counts
    counts = manifest_of(tmp_path / "out").accounting.to_dict()
    assert [counts[f"marks_{name}"] for name in ("seen", "undecoded", "decoded", "rejected")] == [10, 4, 6, 6]
    assert pf.validate(tmp_path / "out") == []
    done = polyframe("reduce", tmp_path / "out")
    seen = "marks seen 10 = 6 rejected + 0 set aside as repeats + 4 clustered + 0 outliers"
    assert done.out.splitlines()[1] == seen
    assert pf.validate(tmp_path / "out") == []
    assert polyframe("run", path, "-o", tmp_path / "new").out.splitlines()[1] == seen


def test_marks_that_a_later_stage_omits_are_counted(tmp_path: Path, polyframe: Call) -> None:
    marks = (square(0, 0), square(9, 9, toolIndex=1), square(9, 9, toolIndex=1, pathX=[]))
    path = tmp_path / "export.csv"
    path.write_text(export_text([export_row(n, drawing(*marks)) for n in range(3)]))
    assert polyframe("extract", path, "-o", tmp_path / "out").code == 0
    done = polyframe("reduce", tmp_path / "out", "--tool", 0)
    assert done.out.splitlines()[1] == (
        "marks seen 9 = 3 rejected + 3 of other tasks or tools + 0 set aside as repeats + 3 clustered"
        " + 0 outliers"
    )
    assert pf.validate(tmp_path / "out") == []


# Exports without marks


def note_without_marks(
    tmp_path: Path, polyframe: Call, cells: list[str], *flags: object, config: str = ""
) -> str:
    path = tmp_path / "export.csv"
    path.write_text(export_text([export_row(n, cell) for n, cell in enumerate(cells)]))
    if config:
        (tmp_path / "config.yaml").write_text(config)
        flags = (*flags, "-c", tmp_path / "config.yaml")
    done = polyframe("extract", path, "-o", tmp_path / "out", *flags)
    assert done.code == 0, done.err
    lines = [line for line in done.err.splitlines() if "no marks; " in line]
    notes: list[str] = []
    settings = {"config": tmp_path / "config.yaml"} if config else {}
    pf.extract(path, say=notes.append, **settings)
    if not flags or config:
        assert [f"polyframe: {note}" for note in notes if "no mark" in note] == lines
    return "".join(lines)


def test_the_note_lists_what_the_annotations_contain(tmp_path: Path, polyframe: Call) -> None:
    point = {"tool": 0, "x": 1.5, "y": 2, "details": [], "tool_label": "a", "frame": 0}
    cells = [drawing(point), drawing(point, point | {"r": 3}), json.dumps([{"task": "T1", "value": "yes"}])]
    note = note_without_marks(tmp_path, polyframe, cells)
    objects = "2 objects of task T0 with the keys tool, x, y, 1 object of task T0 with the keys r, tool, x, y"
    assert f"the annotations contain {objects}; outlines are read from the keys" in note
    assert "-c" not in note
    assert "--task" not in note


def test_the_note_names_the_tasks_of_answers_if_there_are_no_objects(tmp_path: Path, polyframe: Call) -> None:
    cells = [json.dumps([{"task": task, "value": value}]) for task, value in (("T1", "yes"), ("T2", [1]))]
    assert "contain only answers to the tasks T1, T2;" in note_without_marks(tmp_path, polyframe, cells)


def test_the_note_does_not_advise_against_flags_that_were_not_used(tmp_path: Path, polyframe: Call) -> None:
    config = "extractor_config: {polygon_extractor: [{task: T0, tools: [4]}]}\n"
    path = {"tool": 4, "frame": 0, "x": 1, "y": 2}
    note = note_without_marks(tmp_path, polyframe, [drawing(path, task="T7")], config=config)
    assert "1 object of task T7 with the keys tool, x, y (tool 4)" in note
    assert "without" not in note


# Shapes that exports omit


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("exports") / "out"
    pf.run(CASES / "exports.csv", out, jobs=1, engine="shapely")
    return out


def notes_of_export(polyframe: Call, out: Path, to: str, path: Path, *flags: object) -> list[str]:
    done = polyframe("export", out, "--to", to, "-o", path, *flags)
    assert done.code == 0, done.err
    return [line.removeprefix("polyframe: ") for line in done.err.splitlines()]


#: All four outlines of this cluster are left of the image, at x < 0.
OUTSIDE = "subject 501 frame 0 T0_toolIndex0 cluster 1"


@pytest.mark.parametrize("to", ["coco", "labelstudio", "masks", "yolo"])
def test_every_omitted_shape_is_counted_and_named(
    to: str, exported: Path, tmp_path: Path, polyframe: Call
) -> None:
    notes = notes_of_export(polyframe, exported, to, tmp_path / "to", "--image-size", "1000x800")
    assert f"omitted 1 shape that has no area within the image: {OUTSIDE}" in notes
    # A mask has a shape without a pixel; YOLO has one subject, so one side of its split is empty.
    assert len(notes) == (2 if to in ("masks", "yolo") else 1)
    rows = pf.scan(exported, "reductions").collect()
    outside = rows.filter(pl.col("frame") == 0, pl.col("cluster_label") == 1)
    assert shapely.from_wkb(outside["geometry"][0]).bounds[2] < 0
    if to == "labelstudio":
        tasks = json.loads((tmp_path / "to").read_text())
        ids = {result["id"] for task in tasks for result in task["predictions"][0]["result"]}
        assert "T0_toolIndex0-1" not in ids
    api: list[str] = []
    pf.export(exported, to, tmp_path / "to", image_size="1000x800", say=api.append)
    assert api == notes


@pytest.mark.parametrize("to", ["coco", "masks"])
def test_the_note_suggests_only_flags_that_were_not_used(
    to: str, exported: Path, tmp_path: Path, polyframe: Call
) -> None:
    def sizes(*flags: object) -> list[str]:
        notes = notes_of_export(polyframe, exported, to, tmp_path / "to", *flags)
        return [note for note in notes if "the size of" in note]

    (without,) = sizes()
    assert "the size of 2 images is not known" in without
    assert without.endswith("name the export with --classifications, or give --image-size")
    # The export does not have the dimensions of frame 1.
    (with_export,) = sizes("--classifications", CASES / "exports.csv")
    assert "the size of 1 image is not known and not recorded in the export" in with_export
    assert "(subject 501 frame 1)" in with_export
    assert with_export.endswith("; give --image-size")
    assert sizes("--classifications", CASES / "exports.csv", "--image-size", "9x9") == []


@pytest.mark.parametrize("to", ["labelstudio", "yolo"])
def test_an_image_of_unknown_size_is_omitted_from_formats_with_relative_coordinates(
    to: str, exported: Path, tmp_path: Path, polyframe: Call
) -> None:
    def sizes(*flags: object) -> list[str]:
        notes = notes_of_export(polyframe, exported, to, tmp_path / "to", *flags)
        return [note for note in notes if "known size" in note]

    omitted = "that have shapes, but no known size"
    images = "subject 501 frame 1, subject 501 frame 2"
    advice = "(name the export with --classifications, or give --image-size)"
    assert sizes() == [f"omitted 2 images {omitted} {advice}: {images}"]
    advice = "(give --image-size): subject 501 frame 1"
    assert sizes("--classifications", CASES / "exports.csv") == [
        f"omitted 1 image that has shapes, but no known size {advice}"
    ]
    assert sizes("--classifications", CASES / "exports.csv", "--image-size", "9x9") == []


@pytest.mark.parametrize("to", ["geojson", "coco", "labelstudio", "masks", "yolo"])
def test_clusters_without_the_level_are_counted_and_named(
    to: str, exported: Path, tmp_path: Path, polyframe: Call
) -> None:
    rows = pf.scan(exported, "contours").collect()
    level = int(rows["number_of_contours"].max()) + 1  # type: ignore[arg-type]
    notes = notes_of_export(polyframe, exported, to, tmp_path / "to", "--level", level)
    (note,) = [note for note in notes if "level" in note]
    n = rows.height
    assert note.startswith(f"{n} of {n} clusters have no level {level}: subject 501 frame 0 ")
    assert note.endswith(f"level {level}, and 1 more")


@pytest.mark.parametrize("to", ["geojson", "coco", "labelstudio", "masks", "yolo"])
def test_a_share_of_the_marks_as_a_level(to: str, exported: Path, tmp_path: Path) -> None:
    rows = pf.scan(exported, "contours").collect()
    wanted = -(-3 * rows["clusters_count"] // 4)
    without = int((wanted > rows["number_of_contours"]).sum())
    notes: list[str] = []
    pf.export(exported, to, tmp_path / "share.json", level="75%", say=notes.append)
    counted = [note.split(":")[0] for note in notes if "level 75%" in note]
    assert counted == ([f"{without} of {rows.height} clusters have no level 75%"] if without else [])
    if to == "geojson":
        features = json.loads((tmp_path / "share.json").read_text())["features"]
        levels = [feature["properties"]["level"] for feature in features]
        assert levels == wanted.filter(wanted <= rows["number_of_contours"]).to_list()


def test_a_mask_names_the_shapes_without_pixels(tmp_path: Path) -> None:
    # A square between pixel centres, and one that is covered by four others.
    marks = [square(20.6, 20.6, 0.3), square(40, 40, 10)]
    marks += [square(40 + x, 40 + y, 5) for x in (0, 5) for y in (0, 5)]
    path = tmp_path / "export.csv"
    path.write_text(export_text([export_row(n, drawing(*marks)) for n in range(2)]))
    pf.run(path, tmp_path / "out", jobs=1, engine="shapely")
    notes: list[str] = []
    pf.export(tmp_path / "out", "masks", tmp_path / "masks", image_size="100x100", say=notes.append)
    labels = {
        name: [cluster for cluster in range(6) if f"cluster {cluster}" in note]
        for note in notes
        for name in ("covers the centre of no pixel", "is covered by smaller ones")
        if name in note
    }
    assert labels == {"covers the centre of no pixel": [0], "is covered by smaller ones": [1]}
    lines = [json.loads(line) for line in (tmp_path / "masks" / "labels.jsonl").read_text().splitlines()]
    assert [line["cluster_label"] for line in lines if not line["pixels"]] == [0, 1]
