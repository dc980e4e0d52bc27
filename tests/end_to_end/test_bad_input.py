"""Bad input on the command line: one clear line, no lost rows, and no traceback."""

import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from exports import Done, drawing, export_row, export_text, square
from stores import edit_manifest, manifest_of, stored

import polyframe as pf
from polyframe.core import reasons
from polyframe.store.output import STORE, WORK

Call = Callable[..., Done]


def failed_in_one_line(done: Done, *words: str, code: int = 1) -> None:
    assert done.code == code
    assert done.out == ""
    lines = [line for line in done.err.splitlines() if line.startswith("polyframe: error: ")]
    assert done.err.splitlines()[-1:] == lines
    for word in words:
        assert word in lines[0]


def check_counts(out: Path) -> dict[str, int]:
    """Check that the counts add up and agree with the tables; return them."""
    counts = manifest_of(out).accounting.to_dict()
    tables = {
        name: pf.scan(out, name).collect() for name in ("classifications", "extractions", "labels", "rejects")
    }
    rejects = tables["rejects"]
    assert counts["rows_read"] == counts["rows_filtered"] + counts["rows_rejected"] + counts["rows_used"]
    assert counts["rows_used"] == tables["classifications"].height
    assert counts["rows_rejected"] == rejects["mark_index"].is_null().sum()
    assert counts["marks_decoded"] == tables["extractions"].height
    assert counts["marks_rejected"] == rejects["mark_index"].is_not_null().sum()
    assert counts["marks_seen"] == counts["marks_undecoded"] + counts["marks_decoded"]
    assert counts["marks_seen"] == sum(
        counts[f"marks_{name}"] for name in ("rejected", "set_aside", "clustered", "outliers")
    )
    assert tables["labels"].height == counts["marks_clustered"] + counts["marks_outliers"]
    assert set(rejects["reason"]) <= {reason.code for reason in reasons.REASONS}
    return counts


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["is empty"]),
        (b"\n \n", ["is empty"]),
        (bytes(range(256)) * 20, ["UTF-8"]),
        (b"\x89PNG\r\n\x1a\n" + bytes(200), ["PNG"]),
        (b"PK\x03\x04rest", ["zip"]),
        ("classification_id,user_name\n1,a\n".encode("utf-16"), ["not UTF-8"]),
        (b'{"a": 1}\n', ["not a classification export", "annotations"]),
        (
            b"classification_id,user_name\n1,a\n",
            ["missing columns", "workflow_version", "columns: classification_id"],
        ),
        (gzip.compress(b"classification_id,user_name\n1,a\n" * 999, mtime=0)[:20], ["gzip"]),
    ],
)
def test_files_that_are_no_export(content: bytes, words: list[str], tmp_path: Path, polyframe: Call) -> None:
    path = tmp_path / "export.csv"
    path.write_bytes(content)
    done = polyframe("run", path, "-o", tmp_path / "out")
    failed_in_one_line(done, str(path), *words)
    assert not (tmp_path / "out").exists()


def test_one_missing_column_is_named_with_the_nearest(tmp_path: Path, polyframe: Call) -> None:
    path = tmp_path / "export.csv"
    path.write_text(export_text([export_row(1, "[]")]).replace("annotations", "annotation"))
    failed_in_one_line(
        polyframe("run", path, "-o", tmp_path / "out"), "annotations", "did you mean 'annotation'?"
    )


def test_missing_file_and_directory(tmp_path: Path, polyframe: Call) -> None:
    failed_in_one_line(
        polyframe("run", tmp_path / "no.csv", "-o", tmp_path / "out"), "no.csv", "no such file"
    )
    failed_in_one_line(polyframe("run", tmp_path, "-o", tmp_path / "out"), "is a directory")


def test_header_alone(tmp_path: Path, polyframe: Call) -> None:
    path = tmp_path / "export.csv"
    path.write_text(export_text([]))
    failed_in_one_line(polyframe("run", path, "-o", tmp_path / "out"), "no classifications")


def variants(text: str) -> dict[str, bytes]:
    return {
        "windows": text.replace("\n", "\r\n").encode(),
        "byte order mark": b"\xef\xbb\xbf" + text.encode(),
        "gzip": gzip.compress(text.encode()),
        "no newline at the end": text.rstrip("\n").encode(),
        "blank lines": text.replace("\n", "\n\n").encode(),
    }


@pytest.mark.parametrize(
    "variant", ["windows", "byte order mark", "gzip", "no newline at the end", "blank lines"]
)
def test_other_forms_of_the_same_file_give_the_same_tables(
    variant: str, small_export: Path, tmp_path: Path, polyframe: Call
) -> None:
    other = tmp_path / "other.csv"
    other.write_bytes(variants(small_export.read_text())[variant])
    for path, out in ((small_export, "a"), (other, "b")):
        assert polyframe("run", path, "-o", tmp_path / out).code == 0
    for table in ("classifications", "extractions", "labels", "reductions", "contours"):
        assert pf.scan(tmp_path / "a", table).collect().equals(pf.scan(tmp_path / "b", table).collect())
    check_counts(tmp_path / "b")


@pytest.mark.parametrize("cut", [1, 20, 60, 150, 400])
def test_a_truncated_last_line_is_rejected_and_the_rest_used(
    cut: int, small_export: Path, tmp_path: Path, polyframe: Call
) -> None:
    path = tmp_path / "cut.csv"
    text = small_export.read_text()
    path.write_text(text + text.splitlines()[1][:cut].replace("1000", "999"))
    done = polyframe("run", path, "-o", tmp_path / "out")
    assert done.code == 0, done.err
    counts = check_counts(tmp_path / "out")
    assert counts["rows_read"] == 11
    assert counts["rows_used"] == 10 + (cut == 400)
    assert counts["rows_rejected"] == 1 - (cut == 400)
    rejects = pf.scan(tmp_path / "out", "rejects").collect()
    assert rejects["detail"].str.contains("row 11").all()


def test_a_stray_quote_loses_at_most_one_row(small_export: Path, tmp_path: Path, polyframe: Call) -> None:
    lines = small_export.read_text().splitlines(keepends=True)
    lines[3] = lines[3].replace("volunteer2", '"volunteer2')
    path = tmp_path / "quote.csv"
    path.write_text("".join(lines))
    done = polyframe("run", path, "-o", tmp_path / "out")
    assert done.code == 0
    assert "line by line" in done.err
    counts = check_counts(tmp_path / "out")
    assert counts["rows_read"] == 10
    assert counts["rows_used"] == 9


def test_bytes_that_are_not_utf8_do_not_lose_the_row(
    small_export: Path, tmp_path: Path, polyframe: Call
) -> None:
    path = tmp_path / "latin.csv"
    path.write_bytes(small_export.read_bytes().replace(b"volunteer3", b"volunt\xe9r3"))
    assert polyframe("run", path, "-o", tmp_path / "out").code == 0
    counts = check_counts(tmp_path / "out")
    assert counts["rows_used"] == 10


@pytest.mark.parametrize("damage", ["is truncated", "is damaged"])
def test_the_readable_part_of_a_damaged_gzip_file_is_used(
    damage: str, tmp_path: Path, polyframe: Call
) -> None:
    # Incompressible text, so that it is unpacked in many pieces.
    rows = [
        export_row(
            n, drawing(square(0, 0)), subject_ids=n, user_name=hashlib.sha512(str(n).encode()).hexdigest()
        )
        for n in range(2000)
    ]
    packed = bytearray(gzip.compress(export_text(rows).encode()))
    if damage == "is truncated":
        packed = packed[: len(packed) * 9 // 10]
    else:
        place = len(packed) * 3 // 4
        packed[place : place + 1000] = bytes(1000)
    path = tmp_path / "export.csv.gz"
    path.write_bytes(packed)
    done = polyframe("run", path, "-o", tmp_path / "out", "--no-contours", "--filter", "all")
    assert done.code == 0, done.err
    assert f"{path}: the gzip file {damage} after row" in done.err
    counts = check_counts(tmp_path / "out")
    assert 1000 < counts["rows_used"] < 2000
    assert counts["rows_rejected"] <= 1


def test_names_that_are_not_utf8_count_one_by_one(tmp_path: Path, polyframe: Call) -> None:
    rows = [export_row(n, drawing(square(0, 0)), user_name=name) for n, name in enumerate(("José", "Josè"))]
    path = tmp_path / "latin.csv"
    path.write_bytes(export_text(rows).encode("latin-1"))
    done = polyframe("run", path, "-o", tmp_path / "out")
    assert done.code == 0
    assert "2 rows have a user_name that is not UTF-8" in done.err
    assert check_counts(tmp_path / "out")["marks_clustered"] == 2


def test_paths_with_brackets_are_not_patterns(small_export: Path, tmp_path: Path, polyframe: Call) -> None:
    folder = tmp_path / "[a]*?"
    folder.mkdir()
    export = folder / "small[1].csv"
    export.write_bytes(small_export.read_bytes())
    for arguments in (["extract", export, "-o", folder / "o[1]"], ["reduce", folder / "o[1]"]):
        done = polyframe(*arguments)
        assert done.code == 0, done.err
    assert pf.scan(folder / "o[1]", "labels").collect().height == 10


def test_damaged_output_is_named(small_export: Path, tmp_path: Path, polyframe: Call) -> None:
    def fresh(name: str) -> Path:
        assert polyframe("extract", small_export, "-o", tmp_path / name).code == 0
        return tmp_path / name

    out = fresh("cut")
    part = stored(out, "extractions")
    part.write_bytes(part.read_bytes()[:100])
    failed_in_one_line(polyframe("reduce", out), str(part), "damaged")
    out = fresh("lost")
    stored(out, "classifications").unlink()
    failed_in_one_line(polyframe("reduce", out), "classifications", "part=00000", "is missing")
    for key in ("accounting", "stages", "versions", "extraction", "settings", "partitions"):
        out = fresh(key)
        edit_manifest(out, lambda manifest, key=key: manifest.pop(key))  # type: ignore[misc]
        failed_in_one_line(polyframe("reduce", out), "00000001.json", key)


def test_an_internal_error_is_one_line(
    small_export: Path, tmp_path: Path, polyframe: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr("polyframe.pipeline.partition_task.cluster_marks", broken)
    done = polyframe("run", small_export, "-o", tmp_path / "out")
    failed_in_one_line(done, "internal error", "ZeroDivisionError: a fault")
    # Finished parts wait for the next run and are not visible as tables.
    assert [entry.name for entry in (tmp_path / "out").iterdir()] == [STORE]
    monkeypatch.undo()
    assert polyframe("run", small_export, "-o", tmp_path / "out").code == 0
    assert not (tmp_path / "out" / WORK).exists()


def test_tasks_without_marks_give_a_note(small_export: Path, tmp_path: Path, polyframe: Call) -> None:
    rows = [export_row(1, '[{"task": "T9", "value": []}]'), export_row(2, drawing(square(0, 0)))]
    small_export.write_text(export_text(rows))
    done = polyframe("run", small_export, "-o", tmp_path / "out", "--task", "T9")
    assert done.code == 0
    assert "no marks; the annotations contain 1 object of task T0 with the keys pathX, " in done.err
    assert done.err.endswith("; --task selects T9; without --task there is 1 mark\n")


GOOD = [square(0, 0), square(1, 0)]
BAD_CELLS = {
    drawing(*[3] * reasons.MOST_MARKS, square(0, 0)): reasons.TOO_MANY_MARKS,
    drawing(square(0, 0, details="a" * reasons.LONGEST_DETAILS)): reasons.DETAILS_TOO_LONG,
    None: reasons.ANNOTATIONS_MISSING,
    "[{": reasons.ANNOTATIONS_NOT_JSON,
    "null": reasons.ANNOTATIONS_NOT_A_LIST,
    "5": reasons.ANNOTATIONS_NOT_A_LIST,
    '{"task": "T0"}': reasons.ANNOTATIONS_NOT_A_LIST,
    "[[]]": reasons.ANNOTATIONS_NOT_A_LIST,
}
BAD_MARKS: list[tuple[object, str]] = [
    (
        square(0, 0, pathX=[1] * (reasons.MOST_POINTS + 1), pathY=[1] * (reasons.MOST_POINTS + 1)),
        reasons.TOO_MANY_POINTS,
    ),
    ({"pathX": [0, 1, 1], "pathY": [0, 0, 1], "toolType": "polygon"}, reasons.TOOL_MISSING),
    (square(0, 0, pathX=[0, 1, 2]), reasons.PATH_LENGTHS_DIFFER),
    (
        square(0, 0, pathX=[0] * (reasons.MOST_POINTS + 1), pathY=[0] * (reasons.MOST_POINTS + 1)),
        reasons.TOO_MANY_POINTS,
    ),
    (square(0, 0, pathX=[0, "a", 2, 3]), reasons.COORDINATE_NOT_A_NUMBER),
    (square(0, 0, pathX=[0, None, 2, 3]), reasons.COORDINATE_NOT_A_NUMBER),
    (square(0, 0, pathX=[0, float("nan"), 2, 3]), reasons.COORDINATE_NOT_FINITE),
    (square(0, 0, pathX=[0, float("inf"), 2, 3]), reasons.COORDINATE_NOT_FINITE),
    (square(0, 0, pathX=[0, 1e300, 2, 3]), reasons.COORDINATE_TOO_LARGE),
    (square(0, 0, frame="first"), reasons.FRAME_INVALID),
    ({"toolIndex": 0, "toolType": "polygon"}, reasons.PATH_MISSING),
    (square(0, 0, pathX=[], pathY=[]), reasons.PATH_EMPTY),
    ({"toolIndex": 0, "outline": [[0, 0], [1, 0], [1, 1]]}, reasons.OUTLINE_UNKNOWN),
    (square(2, 0), reasons.DUPLICATE_MARK),
    (square(0, 0, side=0), reasons.TOO_FEW_POINTS),
    (square(0, 0, pathX=[0, 1, 0, 1], pathY=[0, 1, 0, 1]), reasons.TOO_FEW_POINTS),
    (square(0, 0, pathX=[0, 1, 2, 3], pathY=[0, 1, 2, 3]), reasons.NO_AREA),
    # Squares and cubes modulo a prime: a scribble all over the picture.
    (
        square(0, 0, pathX=[n * n % 601 for n in range(600)], pathY=[n**3 % 601 for n in range(600)]),
        reasons.TOO_MANY_CROSSINGS,
    ),
    ("a mark", reasons.MARK_NOT_AN_OBJECT),
]


def test_every_bad_cell_and_mark_is_rejected_and_the_others_are_used(tmp_path: Path, polyframe: Call) -> None:
    rows = [export_row(number, drawing(mark)) for number, mark in enumerate(GOOD)]
    rows += [export_row(100 + number, cell) for number, cell in enumerate(BAD_CELLS)]
    rows += [
        export_row(200 + number, drawing(square(2, 0), mark)) for number, (mark, _) in enumerate(BAD_MARKS)
    ]
    rows += [
        export_row(300, drawing(square(0, 0)), subject_ids="1;2"),
        export_row(301, drawing(square(0, 0)), subject_ids=None),
        export_row(302, drawing(square(0, 0)), classification_id="x"),
        export_row(303, drawing(square(0, 0)), workflow_id="seven"),
        export_row(304, drawing(square(0, 0)), workflow_version="third"),
        export_row(305, drawing(square(0, 0)), classification_id=1000),
        export_row(306, drawing(square(0, 0)), workflow_id=8),
    ]
    path = tmp_path / "bad.csv"
    path.write_text(export_text(rows))
    config = tmp_path / "config.yaml"
    config.write_text("workflow_id: 7\nextractor_config:\n  polygon_extractor:\n  - task: T0\n")
    done = polyframe("run", path, "-c", config, "-o", tmp_path / "out")
    assert done.code == 0, done.err
    counts = check_counts(tmp_path / "out")
    assert counts["rows_read"] == len(rows)
    assert counts["rows_filtered"] == 1
    assert counts["marks_clustered"] + counts["marks_outliers"] == 2 + len(BAD_MARKS)

    rejects = pf.scan(tmp_path / "out", "rejects").collect()
    by_classification = dict(rejects.select("classification_id", "reason").rows())
    for number, reason in enumerate(BAD_CELLS.values()):
        assert by_classification[1100 + number] == reason
    for number, (_, reason) in enumerate(BAD_MARKS):
        assert by_classification[1200 + number] == reason
        row = rejects.filter(pl.col("classification_id") == 1200 + number).row(0, named=True)
        assert row["mark_index"] == 1
        assert not row["detail"].startswith("row")
    assert by_classification[1300] == by_classification[1301] == reasons.BAD_SUBJECT_ID
    assert by_classification[None] == reasons.BAD_CLASSIFICATION_ID
    assert by_classification[1303] == reasons.BAD_WORKFLOW_ID
    assert by_classification[1304] == reasons.BAD_WORKFLOW_VERSION
    assert by_classification[1000] == reasons.DUPLICATE_CLASSIFICATION
    # Rows that lack a key or repeat one are named by their positions.
    without_key = rejects.filter(stage="read").sort("detail")["detail"].to_list()
    first = len(GOOD) + len(BAD_CELLS) + len(BAD_MARKS) + 1
    assert [detail.split(":")[0] for detail in without_key] == [f"row {first + n}" for n in range(6)]
    assert set(counts["reasons"]) | {reasons.REPAIR_FAILED} == {reason.code for reason in reasons.REASONS}


@pytest.mark.parametrize(
    ("yaml", "words"),
    [
        ("epps: 0.5\n", ["epps", "did you mean 'eps'?"]),
        ("reducer_config:\n  polygn_reducer:\n    eps: 0.5\n", ["polygn_reducer", "'polygon_reducer'"]),
        ("reducer_config:\n  polygon_reducer:\n    eps: 1.5\n", ["eps", "1.5"]),
        ("reducer_config:\n  polygon_reducer:\n    eps: 0\n", ["eps"]),
        ("reducer_config:\n  polygon_reducer:\n    average_type: mean\n", ["mean", "median"]),
        ("extractor_config:\n  question_extractor:\n  - task: T0\n", ["question_extractor"]),
        ("a: [1\n", ["config.yaml"]),
        ("workflow_version: latest\n", ["latest", "13.19"]),
    ],
)
def test_bad_configurations(
    yaml: str, words: list[str], small_export: Path, tmp_path: Path, polyframe: Call
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(yaml)
    done = polyframe("run", small_export, "-c", config, "-o", tmp_path / "out")
    failed_in_one_line(done, *words, code=2)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("flags", "words", "code"),
    [
        (["--eps", "2"], ["eps", "2.0"], 2),
        (["--min-samples", "0"], ["min_samples"], 2),
        (["--workflow-id", "8"], ["no workflow 8", "7 (Outline)"], 1),
        (["--workflow-version", "4"], ["no version 4", "3.1"], 1),
        (["--jobs", "-1"], ["jobs"], 2),
    ],
)
def test_bad_flags(
    flags: list[str], words: list[str], code: int, small_export: Path, tmp_path: Path, polyframe: Call
) -> None:
    done = polyframe("run", small_export, *flags, "-o", tmp_path / "out")
    failed_in_one_line(done, *words, code=code)
    assert not (tmp_path / "out").exists()


def test_several_workflows_are_listed(tmp_path: Path, polyframe: Call) -> None:
    path = tmp_path / "two.csv"
    path.write_text(
        export_text([export_row(1, "[]"), export_row(2, "[]", workflow_id=8, workflow_name="Other")])
    )
    failed_in_one_line(
        polyframe("run", path, "-o", tmp_path / "out"), "7 (Outline)", "8 (Other)", "--workflow-id", code=2
    )


def test_a_directory_with_other_files_is_not_changed(
    small_export: Path, tmp_path: Path, polyframe: Call
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("precious")
    failed_in_one_line(polyframe("run", small_export, "-o", out), "thesis.txt")
    assert [entry.name for entry in out.iterdir()] == ["thesis.txt"]
    failed_in_one_line(polyframe("run", small_export, "-o", out / "thesis.txt"), "is a file")


def test_a_failed_run_keeps_earlier_output(small_export: Path, tmp_path: Path, polyframe: Call) -> None:
    out = tmp_path / "out"
    assert polyframe("run", small_export, "-o", out).code == 0
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    failed_in_one_line(polyframe("run", small_export, "--workflow-version", "9", "-o", out), "no version 9")
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_single_stages_need_earlier_output(tmp_path: Path, polyframe: Call) -> None:
    failed_in_one_line(polyframe("reduce", tmp_path / "none"), "no such directory")
    failed_in_one_line(polyframe("contours", tmp_path), "not a polyframe output directory")
    (tmp_path / "polyframe.json").write_text("{")
    failed_in_one_line(polyframe("reduce", tmp_path), "polyframe.json")
    (tmp_path / "polyframe.json").write_text(json.dumps({"schema_version": 999}))
    failed_in_one_line(polyframe("reduce", tmp_path), "another version")
