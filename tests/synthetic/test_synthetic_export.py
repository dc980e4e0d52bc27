"""Test the synthetic export: its bytes never change, and it contains what real exports do."""

import csv
import dataclasses
import gzip
import hashlib
import itertools
import json
import math
import tracemalloc
from collections import Counter
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import shapely

from polyframe.core.errors import PolyframeError, UsageError
from polyframe.synthetic import (
    EXAMPLE,
    SynthOptions,
    subjects_per_block,
    synthetic_export,
    true_outlines,
    write_export,
)
from polyframe.synthetic.volunteer_pool import make_volunteers

COLUMNS = (
    "classification_id,user_name,user_id,user_ip,workflow_id,workflow_name,workflow_version,created_at,"
    "gold_standard,expert,metadata,annotations,subject_data,subject_ids"
)

csv.field_size_limit(10_000_000)


def read(path):
    with Path(path).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        for cell in ("metadata", "annotations", "subject_data"):
            row[cell] = json.loads(row[cell])
    return rows


def drawn(row):
    """Yield the task, the mark, its x and its y for every mark of a row."""
    for annotation in row["annotations"]:
        if annotation["task"] in ("T0", "T3"):
            for mark in annotation["value"]:
                if "pathX" in mark:
                    yield annotation["task"], mark, mark["pathX"], mark["pathY"]
                else:
                    points = mark["points"]
                    yield annotation["task"], mark, [p["x"] for p in points], [p["y"] for p in points]


@pytest.fixture(scope="module")
def sample_options():
    return SynthOptions(subjects=60, volunteers=8, seed=5, vertices=200, slips=0.02)


@pytest.fixture(scope="module")
def sample_path(sample_options, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "sample.csv"
    write_export(path, sample_options)
    return path


@pytest.fixture(scope="module")
def sample(sample_path):
    return read(sample_path)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path, sample_options, sample_path):
    again = tmp_path / "again.csv"
    write_export(again, sample_options)
    assert again.read_bytes() == sample_path.read_bytes()
    write_export(again, dataclasses.replace(sample_options, seed=6))
    assert again.read_bytes() != sample_path.read_bytes()


def test_the_bytes_never_change(tmp_path):
    # Benchmarks and published numbers depend on seeds: announce any change of this checksum.
    path = tmp_path / "fixed.csv"
    write_export(path, SynthOptions(subjects=5, volunteers=4, seed=1, vertices=60))
    assert (
        hashlib.sha256(path.read_bytes()).hexdigest()
        == "ca051410f53c480ef5bd900a4d27ae61d9cdfc96bf7de438bc699e388240f6e0"
    )


def test_more_subjects_extend_an_export(tmp_path, sample_options, sample_path):
    write_export(tmp_path / "less.csv", dataclasses.replace(sample_options, subjects=20))
    less = (tmp_path / "less.csv").read_bytes().splitlines()
    more = set(sample_path.read_bytes().splitlines())
    assert len(less) > 160
    assert more.issuperset(less)

    ordered = dataclasses.replace(sample_options, subjects=20, order="subject")
    longer = dataclasses.replace(ordered, subjects=30)
    write_export(tmp_path / "a.csv", ordered)
    write_export(tmp_path / "b.csv", longer)
    assert sorted((tmp_path / "a.csv").read_bytes().splitlines()) == sorted(less)
    assert (tmp_path / "b.csv").read_bytes().startswith((tmp_path / "a.csv").read_bytes())


def test_rows_are_sorted_by_time_with_interleaved_subjects(sample):
    ids = [int(row["classification_id"]) for row in sample]
    assert ids == sorted(set(ids))
    times = [datetime.strptime(row["created_at"], "%Y-%m-%d %H:%M:%S UTC") for row in sample]
    assert all((late - early).total_seconds() > -8 for early, late in itertools.pairwise(times))
    changes = sum(a["subject_ids"] != b["subject_ids"] for a, b in itertools.pairwise(sample))
    assert changes > 0.95 * len(sample)


def test_gzip_contains_the_same_bytes(tmp_path, sample_options, sample_path):
    one, two = tmp_path / "one.csv.gz", tmp_path / "two.csv.gz"
    summary = write_export(one, sample_options)
    write_export(two, sample_options)
    assert gzip.decompress(one.read_bytes()) == sample_path.read_bytes()
    assert one.read_bytes() == two.read_bytes()
    assert summary.bytes == sample_path.stat().st_size


def test_the_summary_counts_what_was_written(tmp_path):
    summary = write_export(tmp_path / "x.csv", SynthOptions(subjects=7, volunteers=5, seed=3, vertices=40))
    rows = read(tmp_path / "x.csv")
    assert (summary.subjects, summary.rows) == (7, len(rows))
    assert summary.marks == sum(len(list(drawn(row))) for row in rows)
    assert summary.bytes == (tmp_path / "x.csv").stat().st_size


def test_cells_have_the_format_of_a_real_export(sample_path, sample, sample_options):
    text = sample_path.read_bytes()
    assert text.startswith(COLUMNS.encode() + b"\n")
    assert text.endswith(b"\n")
    assert b"\r" not in text
    for row in sample:
        old = row["workflow_version"] == "7.9"
        assert row["workflow_version"] in ("7.9", "7.12")
        assert row["workflow_id"] == str(sample_options.workflow_id)
        assert list(row["subject_data"]) == [row["subject_ids"]]
        assert row["metadata"].get("classifier_version") == (None if old else "2.0")
        assert (row["user_id"] == "") == row["user_name"].startswith("not-logged-in-")
        assert datetime.fromisoformat(row["metadata"]["started_at"]) < datetime.fromisoformat(
            row["metadata"]["finished_at"]
        )
        assert row["annotations"][0]["task"] == "T0"


def test_marks_lie_on_the_image_and_on_the_screen_pixels(sample):
    for row in sample:
        for _, mark, x, y in drawn(row):
            size = row["metadata"]["subject_dimensions"][mark["frame"]]
            assert len(x) == len(y) > 0
            assert min(x) >= 0
            assert max(x) <= size["naturalWidth"]
            assert min(y) >= 0
            assert max(y) <= size["naturalHeight"]
            scale = size["naturalWidth"] / size["clientWidth"]
            inner = [v for v in x if 0 < v < size["naturalWidth"]]
            assert all(abs(v / scale - round(v / scale)) < 0.006 / scale for v in inner)


def features(rows):
    """Count the features of real exports in some rows."""
    seen = Counter()
    classifications = Counter()
    for row in rows:
        old = row["workflow_version"] == "7.9"
        classifications[row["subject_ids"], row["user_name"]] += 1
        seen["old" if old else "new"] += 1
        seen["gold standard"] += row["gold_standard"] == "true"
        seen["not logged in"] += row["user_id"] == ""
        marks = list(drawn(row))
        seen["draws nothing"] += not marks
        seen["several"] += len(marks) > 1
        tools = [mark.get("toolIndex") for _, mark, _, _ in marks]
        for annotation in row["annotations"]:
            seen[annotation["task"], type(annotation["value"]).__name__, old] += 1
            if annotation["task"] == "T0.0.0":
                assert tools[annotation["markIndex"]] == 0
        for task, mark, x, y in marks:
            seen["second frame"] += mark["frame"] == 1
            if old:
                assert "points" in mark
                assert "toolIndex" not in mark
                kind = {("T0", 0): "freehand", ("T0", 1): "polygon", ("T3", 0): "bezier"}[task, mark["tool"]]
            else:
                assert "tool" not in mark
                assert mark["toolType"] == ("freehandLine", "polygon")[mark["toolIndex"]]
                kind = ("freehand", "polygon")[mark["toolIndex"]]
                assert ("pathX" in mark) == (kind == "freehand")
                assert mark["details"] == ([{"task": "T0.0.0"}] if kind == "freehand" else [])
            seen[kind, old] += 1
            seen["slip"] += len(x) <= 2
            if kind == "bezier":
                seen["closed bezier" if len(x) % 2 == 0 else "open bezier"] += 1
            if kind == "freehand" and len(x) > 2:
                seen["unclosed"] += math.hypot(x[0] - x[-1], y[0] - y[-1]) > 5
                seen["self-crossing"] += not shapely.LinearRing(np.c_[x, y]).is_simple
                seen["hundreds of vertices"] += len(x) > 100
    seen["repeats"] = sum(n > 1 for n in classifications.values())
    return seen


@pytest.mark.parametrize(("options", "least"), [(None, 3), (EXAMPLE, 1)])
def test_an_export_contains_the_features_of_real_exports(tmp_path, sample, options, least):
    rows = sample
    if options is not None:
        write_export(tmp_path / "x.csv", options)
        rows = read(tmp_path / "x.csv")
    seen = features(rows)
    expected = [
        *("old", "new", "gold standard", "not logged in", "draws nothing", "several", "second frame"),
        *("closed bezier", "open bezier", "unclosed", "self-crossing", "hundreds of vertices"),
        *(("freehand", False), ("freehand", True), ("polygon", False), ("polygon", True), ("bezier", True)),
        *("repeats", ("T0.0.0", "int", False), ("T1", "int", False), ("T1", "NoneType", False)),
        *(("T1", "str", True), ("T2", "str", False)),
    ]
    assert [name for name in expected if seen[name] < least] == []
    # The example has no marks of two points, with which some tools stop.
    assert (seen["slip"] > 0) == (options is None)


def polygon(x, y):
    shape = shapely.Polygon(np.c_[x, y]).buffer(0)
    return max(getattr(shape, "geoms", [shape]), key=shapely.area)


def iou(one, other):
    return one.intersection(other).area / one.union(other).area


def test_careful_marks_agree_with_the_truth_and_scribbles_do_not(sample, sample_options):
    agreement, outlines = [], []
    for row in sample:
        truth = true_outlines(sample_options, int(row["subject_ids"]))
        for task, mark, x, y in drawn(row):
            if task == "T0" and len(x) > 2:
                here = [polygon(t.x, t.y) for t in truth if t.frame == mark["frame"]]
                best = max((iou(polygon(x, y), t) for t in here), default=0)
                agreement.append(best)
                if best > 0.5 and len(x) > 20:
                    outlines.append(shapely.LinearRing(np.c_[x, y]).is_simple)
    agreement = np.array(agreement)
    careful = agreement > 0.6
    assert 0.85 < careful.mean() < 0.99
    assert 0.88 < np.median(agreement[careful]) < 0.94
    # Nothing in between: with no setting is a scribble mistaken for an outline.
    assert np.sum((agreement > 0.45) & ~careful) <= 2
    assert 0.05 < 1 - np.mean(outlines) < 0.16


def test_close_pairs_almost_touch_but_are_two_objects():
    options = SynthOptions(subjects=40, seed=9, close_pairs=1.0, frames=1)
    gaps = []
    for subject_id in range(options.first_subject, options.first_subject + options.subjects):
        one, two = (polygon(t.x, t.y) for t in true_outlines(options, subject_id)[:2])
        gaps.append(one.distance(two))
        assert iou(one, two) < 0.1
    assert np.median(gaps) < 12


def outlines_with_jitter(path, jitter):
    options = SynthOptions(
        subjects=6, seed=3, vertices=80, scribblers=0, polygon_share=0, old_share=0, jitter=jitter
    )
    write_export(path, options)
    return {
        (row["classification_id"], index): np.c_[x, y]
        for row in read(path)
        for index, (_, _, x, y) in enumerate(drawn(row))
    }


def test_jitter_moves_each_vertex_by_that_share_of_the_radius(tmp_path):
    steady = outlines_with_jitter(tmp_path / "steady.csv", 1e-12)
    moves = {jitter: [] for jitter in (0.01, 0.04)}
    for jitter, relative in moves.items():
        shaken = outlines_with_jitter(tmp_path / "shaken.csv", jitter)
        assert shaken.keys() == steady.keys()
        for key, outline in steady.items():
            if len(shaken[key]) == len(outline):  # else a vertex was rounded to its predecessor
                radius = math.sqrt(polygon(*outline.T).area / math.pi)
                relative.append((shaken[key] - outline) / radius)
        off = np.concatenate(relative)
        assert len(off) > 2_000
        assert np.all(np.abs(off.mean(axis=0)) < 0.1 * jitter)
        assert off.std(axis=0) == pytest.approx([jitter, jitter], rel=0.12)
    # The same random errors, scaled.
    assert np.concatenate(moves[0.04]) == pytest.approx(4 * np.concatenate(moves[0.01]), abs=2e-3)


def test_scribblers_always_scribble(tmp_path):
    options = SynthOptions(subjects=8, volunteers=4, scribblers=1.0, slips=0, vertices=60, polygon_share=0)
    write_export(tmp_path / "x.csv", options)
    marks = [(x, y) for row in read(tmp_path / "x.csv") for _, _, x, y in drawn(row)]
    assert len(marks) > 20
    crossing = [not shapely.LinearRing(np.c_[x, y]).is_simple for x, y in marks]
    assert np.mean(crossing) > 0.9


def careless_options(careless):
    return SynthOptions(
        subjects=20, seed=3, vertices=60, scribblers=0.25, old_share=0, repeats=0, pool=40, careless=careless
    )


def careless_names(share):
    pools = [make_volunteers(careless_options(careless)) for careless in (0, share)]
    factors = pools[1].care / pools[0].care
    assert np.array_equal(factors, pools[1].bias / pools[0].bias)
    assert Counter(factors.round(9).tolist()) == {4: round(share * 40), 1: 40 - round(share * 40)}
    return {name for name, factor in zip(pools[0].name, factors, strict=True) if factor > 1}


def careless_export(path, careless):
    options = careless_options(careless)
    write_export(path, options)
    drawings = {}
    for row in read(path):
        truth = true_outlines(options, int(row["subject_ids"]))
        for index, (_, mark, x, y) in enumerate(drawn(row)):
            here = [polygon(t.x, t.y) for t in truth if t.frame == mark["frame"]]
            best = max((iou(polygon(x, y), t) for t in here), default=0)
            drawings[row["classification_id"], index] = (row["user_name"], x, y, best)
    return drawings


def test_careless_volunteers_are_further_off_and_the_others_draw_as_before(tmp_path):
    careful = careless_export(tmp_path / "careful.csv", 0)
    mixed = careless_export(tmp_path / "mixed.csv", 0.3)
    assert careful.keys() == mixed.keys()
    changed = {key for key, mark in mixed.items() if mark[1:3] != careful[key][1:3]}
    # Everything that a careless volunteer draws changes, and nothing else.
    assert changed == {key for key, mark in mixed.items() if mark[0] in careless_names(0.3)}
    agreement = np.array([[careful[key][3], mixed[key][3]] for key in changed])
    assert np.median(agreement[:, 0]) > 0.88
    assert 0.6 < np.median(agreement[:, 1]) < 0.8
    # Most of them are still neighbours of good outlines, unlike scribbles.
    assert np.mean(agreement[:, 1] > 0.5) > 0.85


def test_scribblers_are_the_last_to_be_careless(tmp_path):
    """They scribble either way: all others are careless before one of them is."""
    some, every = (careless_export(tmp_path / "x.csv", share) for share in (0.75, 1.0))
    assert {key: mark[1:3] for key, mark in some.items()} == {key: mark[1:3] for key, mark in every.items()}


@pytest.mark.parametrize(
    ("values", "check"),
    [
        ({"old_share": 0}, lambda rows: {row["workflow_version"] for row in rows} == {"7.12"}),
        ({"old_share": 1, "repeats": 0}, lambda rows: {row["workflow_version"] for row in rows} == {"7.9"}),
        ({"repeats": 0}, lambda rows: len(rows) == 48),
        ({"repeats": 1}, lambda rows: len(rows) == 96),
        ({"empty": 1}, lambda rows: not any(list(drawn(row)) for row in rows)),
        (
            {"frames": 1},
            lambda rows: {len(row["metadata"]["subject_dimensions"]) for row in rows} == {1},
        ),
        (
            {"polygon_share": 1, "scribblers": 0},
            lambda rows: (
                {m.get("toolIndex", m.get("tool")) for row in rows for _, m, _, _ in drawn(row)} == {1}
            ),
        ),
        ({"slips": 0}, lambda rows: all(len(x) > 2 for row in rows for _, _, x, _ in drawn(row))),
        ({"first_subject": 7}, lambda rows: {int(row["subject_ids"]) for row in rows} == set(range(7, 19))),
    ],
)
def test_each_option_has_its_effect(tmp_path, values, check):
    write_export(tmp_path / "x.csv", SynthOptions(**{"volunteers": 4, "vertices": 40} | values))
    assert check(read(tmp_path / "x.csv"))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"subjects": -1}, "subjects must be an integer from 0 to 1000000000 .got -1."),
        ({"volunteers": 2.5}, "volunteers must be an integer from 1 to 10000 .got 2.5."),
        ({"seed": True}, "seed must be an integer from 0 to 9223372036854775807 .got True."),
        ({"empty": 1.5}, "empty must be >= 0 and <= 1 .got 1.5."),
        ({"empty": math.nan}, "empty must be >= 0 and <= 1 .got nan."),
        ({"order": "size"}, "order must be one of time, subject .got 'size'."),
        ({"volunteers": 9, "pool": 4}, "pool must be 0 or >= volunteers, 9 .got 4."),
    ],
)
def test_values_out_of_range_are_errors(values, words):
    with pytest.raises(UsageError, match=words):
        SynthOptions(**values)


def test_true_outlines_of_an_unknown_subject_are_an_error():
    with pytest.raises(UsageError, match="subject 5 is not in the export"):
        true_outlines(SynthOptions(), 5)


def test_an_export_without_subjects_is_a_header(tmp_path):
    summary = write_export(tmp_path / "x.csv", SynthOptions(subjects=0))
    assert (tmp_path / "x.csv").read_text() == COLUMNS + "\n"
    assert summary.rows == 0


def test_a_path_that_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(PolyframeError, match=r"missing.*: cannot be written .No such file"):
        write_export(tmp_path / "missing" / "x.csv")
    with pytest.raises(PolyframeError, match="is a directory; name a file"):
        write_export(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_call_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("old")

    def stop(done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_export(path, progress=stop)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_memory_does_not_grow_with_the_number_of_subjects(tmp_path, monkeypatch):
    monkeypatch.setattr(synthetic_export, "_BLOCK_BYTES", 500_000)

    def peak(subjects):
        options = SynthOptions(subjects=subjects, volunteers=8, vertices=60)
        assert subjects_per_block(options) == 8
        tracemalloc.start()
        summary = write_export(tmp_path / "x.csv", options)
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert summary.bytes > 20_000 * subjects
        return size

    peak(1)  # fills the cached tables
    assert peak(80) < 1.3 * peak(8)


def test_the_subject_export_has_the_format_of_panoptes(tmp_path):
    options = SynthOptions(subjects=9, volunteers=2, vertices=30)
    write_export(tmp_path / "x.csv", options, subjects_csv=tmp_path / "subjects.csv")
    with (tmp_path / "subjects.csv").open(newline="") as file:
        subjects = list(csv.DictReader(file))
    assert [int(s["subject_id"]) for s in subjects] == list(range(1_000_001, 1_000_010))
    frames = {
        row["subject_ids"]: len(row["metadata"]["subject_dimensions"]) for row in read(tmp_path / "x.csv")
    }
    for subject in subjects:
        locations = json.loads(subject["locations"])
        assert list(locations) == [str(i) for i in range(frames[subject["subject_id"]])]
        assert locations["0"] == f"images/{subject['subject_id']}-0.png"
        json.loads(subject["metadata"])
