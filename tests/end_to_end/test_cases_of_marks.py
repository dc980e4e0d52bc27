"""Exports as projects have them, in which marks used to get lost: each with its right values.

The values are worked out by hand from the files in `cases/`: squares with a side of 100 that are shifted by a
pixel each, so that two of them that are k pixels apart have the IoU distance 1 - (100 - k) / (100 + k).
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

import polyframe as pf
from polyframe.store.manifest import read_manifest

Call = Callable[..., Done]
CASES = Path(__file__).parents[1] / "cases"


def consensus(places: list[int], side: int = 100) -> float:
    """The consensus of squares at some x."""
    shares = [(side - abs(a - b)) / (side + abs(a - b)) for a, b in combinations(places, 2)]
    return sum(shares) / len(shares)


class Both:
    """One export through the command line and through the Python interface."""

    def __init__(self, polyframe: Call, folder: Path, export: Path, **settings: Any) -> None:
        self.notes: list[str] = []
        flags = [text for name, value in settings.items() for text in (f"--{name.replace('_', '-')}", value)]
        self.done = polyframe("run", export, "-o", folder / "out", "--jobs", 1, *flags)
        assert self.done.code == 0, self.done.err
        found = pf.extract(export, say=self.notes.append, **settings)
        result = pf.reduce(found, **settings)
        self.reductions = pf.scan(folder / "out", "reductions").collect()
        self.contours = pf.scan(folder / "out", "contours").collect()
        self.rejects = pf.scan(folder / "out", "rejects").collect()
        assert found.rejects.equals(self.rejects)
        assert found.extractions.equals(pf.scan(folder / "out", "extractions").collect())
        assert result.reductions.equals(self.reductions)
        assert pf.validate(folder / "out") == []
        assert [f"polyframe: {note}" for note in self.notes] == self.done.err.splitlines()

    @property
    def counts(self) -> str:
        """What is printed of the marks."""
        return next(line for line in self.done.out.splitlines() if line.startswith("marks seen"))


@pytest.fixture
def both(polyframe: Call, tmp_path: Path) -> Callable[..., Both]:
    def run(name: str, **settings: Any) -> Both:
        return Both(polyframe, tmp_path, CASES / f"{name}.csv", **settings)

    return run


def test_outlines_as_text_are_marks(both: Callable[..., Both]) -> None:
    found = both("path_strings")
    assert found.counts == "marks seen 5 = 0 rejected + 0 set aside as repeats + 5 clustered + 0 outliers"
    (row,) = found.reductions.rows(named=True)
    assert (row["clusters_count"], row["threshold"], row["area"]) == (5, 1.0, 10_000.0)
    assert row["consensus"] == pytest.approx(consensus([11, 12, 13, 14, 15]))


def test_marks_that_do_not_say_whether_they_are_curves(both: Callable[..., Both]) -> None:
    found = both("bezier1x")
    assert found.reductions["area"].to_list() == [159_800.0]
    (note,) = [note for note in found.notes if "Bezier" in note]
    assert note.startswith(
        "4 marks do not say whether they are polygons or Bezier curves (classifier 1.x) and were"
    )
    assert "polyframe config" in note
    assert "--bezier-tool" in note


@pytest.mark.parametrize("tool", ["0", "T0:0"])
def test_the_tools_that_draw_curves_can_be_named(tool: str, both: Callable[..., Both]) -> None:
    found = both("bezier1x", bezier_tool=tool)
    assert found.reductions["area"].round().to_list() == [132_543]
    assert not [note for note in found.notes if "Bezier" in note]


def test_a_configuration_says_it_too(polyframe: Call, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("extractor_config: {bezier_extractor: [{task: T0}]}\n")
    export = CASES / "bezier1x.csv"
    done = polyframe("run", export, "-c", config, "-o", tmp_path / "out")
    assert done.code == 0
    assert "Bezier" not in done.err
    assert pf.scan(tmp_path / "out", "reductions").collect()["area"].round().to_list() == [132_543]
    # A flag overrides the extractor of a tool, and takes no tool that is not chosen.
    config.write_text("extractor_config: {polygon_extractor: [{task: T0, tools: [1]}]}\n")
    done = polyframe("run", export, "-c", config, "-o", tmp_path / "none", "--bezier-tool", 0)
    assert done.code == 1
    for wrong in ("x", "T0:", ":1", "-1", "1.0", "T0:x", "9" * 30):
        done = polyframe("run", export, "-o", tmp_path / "none", "--bezier-tool", wrong)
        assert done.code == 2, wrong
        assert "is not the index of a tool, such as 1 or T0:1" in done.err
    assert not (tmp_path / "none").exists()


def test_how_curves_were_read_cannot_change_later(polyframe: Call, tmp_path: Path) -> None:
    export = CASES / "bezier1x.csv"
    assert polyframe("extract", export, "-o", tmp_path / "out", "--bezier-tool", 0).code == 0
    assert "bezier_tool 0" in polyframe("status", tmp_path / "out").out
    assert polyframe("reduce", tmp_path / "out").code == 0
    assert pf.scan(tmp_path / "out", "reductions").collect()["area"].round().to_list() == [132_543]


def test_exact_copies_are_not_further_opinions(both: Callable[..., Both]) -> None:
    found = both("dup_marks")
    assert found.counts == "marks seen 7 = 3 rejected + 0 set aside as repeats + 4 clustered + 0 outliers"
    (row,) = found.reductions.rows(named=True)
    assert (row["clusters_count"], row["threshold"]) == (4, 1.0)
    assert row["consensus"] == pytest.approx(consensus([12, 14, 16, 18]))
    assert round(row["consensus"], 3) == 0.936
    assert found.contours["number_of_contours"].to_list() == [4]
    assert (
        found.rejects.select("reason", "mark_index", "detail").rows()
        == [("duplicate_mark", 1, "copy of mark 0")] * 3
    )


def test_copies_can_be_kept_as_the_reference_tool_does(both: Callable[..., Both]) -> None:
    found = both("dup_marks", duplicate_marks="keep")
    (row,) = found.reductions.rows(named=True)
    assert (row["clusters_count"], row["threshold"]) == (7, 1.75)
    assert found.rejects.height == 0


def test_several_different_marks_of_a_classification_still_count(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    rows = [export_row(n, drawing(square(n, 0, 100), square(n, 1, 100))) for n in range(2)]
    path.write_text(export_text(rows))
    pf.run(path, tmp_path / "out", jobs=1)
    assert pf.scan(tmp_path / "out", "reductions").collect()["threshold"].to_list() == [2.0]
    assert pf.validate(tmp_path / "out") == []


def test_outlines_without_a_point_are_counted(both: Callable[..., Both]) -> None:
    # Of the ten marks in the file, seven have no point.
    found = both("empty_paths")
    assert found.counts == "marks seen 10 = 7 rejected + 0 set aside as repeats + 3 clustered + 0 outliers"
    assert "rejected, see the table rejects: path_empty 7" in found.done.out
    assert found.reductions["clusters_count"].to_list() == [3]
    assert found.rejects["detail"].unique().to_list() == ["`pathX` and `pathY` are empty"]


def test_answers_belong_to_the_marks_of_the_same_occurrence(both: Callable[..., Both]) -> None:
    found = both("recursive")
    assert found.reductions["details_votes"].to_list() == ['[{"0":3}]', '[{"1":3}]']


def test_marks_inside_combo_tasks_are_read(both: Callable[..., Both]) -> None:
    found = both("combo_nested")
    assert found.reductions.select("task", "clusters_count", "threshold").rows() == [("T0", 4, 1.0)]
    assert found.reductions["consensus"].to_list() == [pytest.approx(consensus([11, 12, 13, 14]))]


def test_every_outline_tool_gets_into_the_configuration(tmp_path: Path, polyframe: Call) -> None:
    done = polyframe("config", CASES / "etch_workflows.csv", "-o", tmp_path / "cli")
    assert done.code == 0
    files = pf.config(CASES / "etch_workflows.csv", tmp_path / "api")
    assert [Path(line).name for line in done.out.splitlines()] == [file.name for file in files]
    told = yaml.safe_load(files[0].read_text())
    assert told["extractor_config"] == {"polygon_extractor": [{"task": "T0", "tools": [0, 1, 2]}]}


# What is counted


def test_the_counts_of_an_extraction_do_not_talk_of_clusters(tmp_path: Path, polyframe: Call) -> None:
    flat = {"pathX": [0, 1, 2, 3], "pathY": [0, 1, 2, 3]}
    marks = (square(0, 0), square(0, 0), square(0, 0, **flat), square(9, 9), {"toolIndex": 0, "pathX": []})
    path = tmp_path / "export.csv"
    path.write_text(export_text([export_row(n, drawing(*marks)) for n in range(2)]))
    done = polyframe("extract", path, "-o", tmp_path / "out")
    assert done.out.splitlines()[1] == "marks seen 10 = 6 rejected + 4 extracted"
    assert "cluster" not in done.out
    counts = read_manifest(tmp_path / "out").accounting.to_dict()
    assert [counts[f"marks_{name}"] for name in ("seen", "undecoded", "decoded", "rejected")] == [10, 4, 6, 6]
    assert pf.validate(tmp_path / "out") == []
    done = polyframe("reduce", tmp_path / "out")
    seen = "marks seen 10 = 6 rejected + 0 set aside as repeats + 4 clustered + 0 outliers"
    assert done.out.splitlines()[1] == seen
    assert pf.validate(tmp_path / "out") == []
    assert polyframe("run", path, "-o", tmp_path / "new").out.splitlines()[1] == seen


def test_marks_that_a_later_stage_leaves_out_are_counted(tmp_path: Path, polyframe: Call) -> None:
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


# Where no mark is found


def nothing(tmp_path: Path, polyframe: Call, cells: list[str], *flags: object, config: str = "") -> str:
    path = tmp_path / "export.csv"
    path.write_text(export_text([export_row(n, cell) for n, cell in enumerate(cells)]))
    if config:
        (tmp_path / "config.yaml").write_text(config)
        flags = (*flags, "-c", tmp_path / "config.yaml")
    done = polyframe("extract", path, "-o", tmp_path / "out", *flags)
    assert done.code == 0, done.err
    lines = [line for line in done.err.splitlines() if "no marks; " in line]
    said: list[str] = []
    settings = {"config": tmp_path / "config.yaml"} if config else {}
    pf.extract(path, say=said.append, **settings)
    if not flags or config:
        assert [f"polyframe: {note}" for note in said if "no mark" in note] == lines
    return "".join(lines)


def test_where_no_mark_is_found_the_message_says_what_there_is(tmp_path: Path, polyframe: Call) -> None:
    point = {"tool": 0, "x": 1.5, "y": 2, "details": [], "tool_label": "a", "frame": 0}
    cells = [drawing(point), drawing(point, point | {"r": 3}), json.dumps([{"task": "T1", "value": "yes"}])]
    told = nothing(tmp_path, polyframe, cells)
    held = "2 objects of task T0 with the keys tool, x, y, 1 object of task T0 with the keys r, tool, x, y"
    assert f"the annotations contain {held}; outlines are read from the keys" in told
    assert "-c" not in told
    assert "--task" not in told


def test_answers_are_named_where_there_are_no_objects(tmp_path: Path, polyframe: Call) -> None:
    cells = [json.dumps([{"task": task, "value": value}]) for task, value in (("T1", "yes"), ("T2", [1]))]
    assert "contain only answers to the tasks T1, T2;" in nothing(tmp_path, polyframe, cells)


def test_what_was_not_done_is_not_advised_against(tmp_path: Path, polyframe: Call) -> None:
    config = "extractor_config: {polygon_extractor: [{task: T0, tools: [4]}]}\n"
    path = {"tool": 4, "frame": 0, "x": 1, "y": 2}
    told = nothing(tmp_path, polyframe, [drawing(path, task="T7")], config=config)
    assert "1 object of task T7 with the keys tool, x, y (tool 4)" in told
    assert "without" not in told


# What exports leave out


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("exports") / "out"
    pf.run(CASES / "exports.csv", out, jobs=1, engine="shapely")
    return out


def said(polyframe: Call, out: Path, to: str, path: Path, *flags: object) -> list[str]:
    done = polyframe("export", out, "--to", to, "-o", path, *flags)
    assert done.code == 0, done.err
    return [line.removeprefix("polyframe: ") for line in done.err.splitlines()]


#: It lies left of its image; none of its four outlines reaches x = 0.
OUTSIDE = "subject 501 frame 0 T0_toolIndex0 cluster 1"


@pytest.mark.parametrize("to", ["coco", "labelstudio", "masks"])
def test_every_shape_left_out_is_counted_and_named(
    to: str, exported: Path, tmp_path: Path, polyframe: Call
) -> None:
    notes = said(polyframe, exported, to, tmp_path / "to", "--image-size", "1000x800")
    assert f"omitted 1 shapes that have no area within their image: {OUTSIDE}" in notes
    assert len(notes) == (2 if to == "masks" else 1)
    rows = pf.scan(exported, "reductions").collect()
    outside = rows.filter(pl.col("frame") == 0, pl.col("cluster_label") == 1)
    assert shapely.from_wkb(outside["geometry"][0]).bounds[2] < 0
    if to == "labelstudio":
        tasks = json.loads((tmp_path / "to").read_text())
        ids = {result["id"] for task in tasks for result in task["predictions"][0]["result"]}
        assert "T0_toolIndex0-1" not in ids
    api: list[str] = []
    pf.export(exported, to, tmp_path / "api", image_size="1000x800", say=api.append)
    assert api == notes


@pytest.mark.parametrize("to", ["coco", "labelstudio", "masks"])
def test_only_what_was_not_done_is_advised(to: str, exported: Path, tmp_path: Path, polyframe: Call) -> None:
    def sizes(*flags: object) -> list[str]:
        notes = said(polyframe, exported, to, tmp_path / "to", *flags)
        return [note for note in notes if "the size of" in note]

    (without,) = sizes()
    assert "the size of 2 images is not known" in without
    assert without.endswith("name the export with --classifications, or give --image-size")
    # The export does not have the dimensions of frame 1.
    (named,) = sizes("--classifications", CASES / "exports.csv")
    assert "the size of 1 images is not known and not recorded in the export" in named
    assert "(subject 501 frame 1)" in named
    assert named.endswith("; give --image-size")
    assert sizes("--classifications", CASES / "exports.csv", "--image-size", "9x9") == []


@pytest.mark.parametrize("to", ["geojson", "coco", "labelstudio", "masks"])
def test_clusters_without_the_level_are_counted_and_named(
    to: str, exported: Path, tmp_path: Path, polyframe: Call
) -> None:
    rows = pf.scan(exported, "contours").collect()
    level = int(rows["number_of_contours"].max()) + 1  # type: ignore[arg-type]
    notes = said(polyframe, exported, to, tmp_path / "to", "--level", level)
    (note,) = [note for note in notes if "level" in note]
    assert note.startswith(f"omitted {rows.height} shapes that do not reach the level: subject 501 frame 0 ")
    assert note.endswith(f"level {level}, and 1 more")


def test_a_mask_names_the_shapes_that_no_pixel_shows(tmp_path: Path) -> None:
    # Half a pixel beside the centres; a square hidden behind four; and one that is there.
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
        for name in ("cover the centre of no pixel", "are covered by smaller ones")
        if name in note
    }
    assert labels == {"cover the centre of no pixel": [0], "are covered by smaller ones": [1]}
    told = [json.loads(line) for line in (tmp_path / "masks" / "labels.jsonl").read_text().splitlines()]
    assert [line["cluster_label"] for line in told if not line["pixels"]] == [0, 1]
