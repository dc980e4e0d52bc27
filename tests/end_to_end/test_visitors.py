"""Visitors who are not logged in are distinguished by the session in their metadata."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from exports import Done, drawing, export_row, export_text, square
from stores import without_store

import polyframe as pf
from polyframe.consensus.anonymize import KEY_VARIABLE
from polyframe.core.errors import UsageError

Call = Callable[..., Done]

CLASS = Path(__file__).parents[1] / "cases" / "school_class.csv"
NAME = "not-logged-in-c19235dd9256c26c445a"
ADDRESS = "not-logged-in-1"


def table(out: Path, name: str) -> pl.DataFrame:
    return pf.scan(out, name).collect()


def visits(*metadata: Any, **cells: Any) -> list[dict[str, Any]]:
    """Return a row for each cell of metadata, with the same visitor name, subject and square."""
    texts = [cell if cell is None or isinstance(cell, str) else json.dumps(cell) for cell in metadata]
    return [
        export_row(
            number, drawing(square(0, 0)), **{"user_name": ADDRESS, "user_id": None, "metadata": text} | cells
        )
        for number, text in enumerate(texts, 1)
    ]


def written(folder: Path, rows: list[dict[str, Any]], name: str = "export.csv") -> Path:
    path = folder / name
    path.write_text(export_text(rows), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("flags", "count", "n_classifications"),
    [((), 15, 15), (("--visitors", "session"), 15, 15), (("--visitors", "name"), 2, 2)],
)
def test_a_school_class_behind_one_address(
    flags: tuple[str, ...], count: int, n_classifications: int, tmp_path: Path, polyframe: Call
) -> None:
    """14 pupils and another volunteer: cases/README.md says 15, and 2 if only names count."""
    out = tmp_path / "out"
    done = polyframe("run", CLASS, "-o", out, "--engine", "shapely", *flags)
    assert done.code == 0
    reductions = table(out, "reductions")
    assert reductions["clusters_count"].to_list() == [count]
    assert reductions["n_classifications"].to_list() == [n_classifications]
    line = "classifications set aside as repeats 13, 13 of them by visitors who are not logged in"
    assert (line in done.out.splitlines()) == (count == 2)
    assert pf.validate(out) == []


def test_visitors_can_be_configured(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("visitors: name\n")
    extraction = pf.extract(CLASS, config)
    assert extraction.classifications["volunteer"].equals(extraction.classifications["user_name"])
    assert pf.extract(CLASS, config, visitors="session").classifications["volunteer"].n_unique() == 15


def test_a_school_class_in_python() -> None:
    extraction = pf.extract(CLASS)
    pupils = [f"{NAME}/s{n}" for n in range(1, 15)]
    assert extraction.classifications["volunteer"].to_list()[:14] == pupils
    assert extraction.classifications["volunteer"][14] == extraction.classifications["user_name"][14]
    assert extraction.extractions["volunteer"].equals(extraction.classifications["volunteer"])
    result = pf.reduce(extraction, engine="shapely")
    assert result.labels["volunteer"].equals(extraction.extractions["volunteer"])
    assert result.reductions["clusters_count"].to_list() == [15]
    by_name = pf.extract(CLASS, visitors="name")
    assert by_name.classifications["volunteer"].equals(by_name.classifications["user_name"])
    assert pf.reduce(by_name, engine="shapely").reductions["clusters_count"].to_list() == [2]


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"session": "a"}, "a"),
        (' {"x": [1, {"session": "b"}], "session" : "a"} ', "a"),
        ({"session": 12}, "12"),
        ({"session": "ключ"}, "ключ"),
        # Of members with the same name, the last one counts, as in Python and browsers.
        ('{"session": "b", "session": "a"}', "a"),
        (r'{"\u0073ession": "a"}', "a"),
        # No session.
        (None, None),
        ("", None),
        ({}, None),
        ({"session": None}, None),
        ({"session": ""}, None),
        ({"session": " "}, None),
        ({"session": ["a"]}, None),
        ({"session": {"session": "a"}}, None),
        ({"session": "a" * 201}, None),
        ({"Session": "a", "sessions": "a"}, None),
        ({"note": '"session": "x"'}, None),
        ({"note": {"session": "x"}}, None),
        ([{"session": "x"}], None),
        ('{"session": "x"', None),
        ('{"session": "x"} more', None),
        ("session: x", None),
        ('"session"', None),
        ("[" * 100_000, None),
        ('{"session": "x", "deep": ' + "[" * 100_000 + "]" * 100_000 + "}", None),
        ('{"session": "x", "long": "' + "a" * 1_000_000 + '"}', None),
        (r'{"session": "\ud800"}', None),
        ("\ufffd\u0000\u0661", None),
    ],
)
def test_session_in_any_metadata(metadata: Any, expected: str | None, tmp_path: Path) -> None:
    (name,) = pf.extract(written(tmp_path, visits(metadata))).classifications["volunteer"]
    assert name == (f"{ADDRESS}/{expected}" if expected else ADDRESS)


def test_an_invalid_cell_does_not_affect_others(tmp_path: Path) -> None:
    cells = ['{"session": "a"}', "{", None, '{"session": "b"}', '{"session": "a"}']
    extraction = pf.extract(written(tmp_path, visits(*cells)))
    names = [f"{ADDRESS}/a", ADDRESS, ADDRESS, f"{ADDRESS}/b", f"{ADDRESS}/a"]
    assert extraction.classifications["volunteer"].to_list() == names
    # Of each of a, no session and b, one counts.
    for repeats, counted in (("first", [1001, 1002, 1004]), ("last", [1003, 1004, 1005])):
        labels = pf.reduce(extraction, filter=repeats, engine="shapely").labels
        assert sorted(labels["classification_id"]) == counted


def test_only_visitors_are_distinguished_by_session(tmp_path: Path) -> None:
    logged_in = visits({"session": "a"}, {"session": "b"}, user_name="ann", user_id=5)
    extraction = pf.extract(written(tmp_path, logged_in))
    assert extraction.classifications["volunteer"].to_list() == ["ann", "ann"]
    assert pf.reduce(extraction, engine="shapely").labels.height == 1
    nobody = visits({"session": "a"}, {"session": "a"}, user_name=None)
    extraction = pf.extract(written(tmp_path, nobody))
    assert extraction.classifications["volunteer"].to_list() == [None, None]
    assert pf.reduce(extraction, engine="shapely").labels.height == 2


def test_names_that_are_not_utf8_count_one_by_one(tmp_path: Path) -> None:
    rows = visits({"session": "a"}, {"session": "a"}, user_name="not-logged-in-é")
    path = tmp_path / "latin.csv"
    path.write_bytes(export_text(rows).encode("latin-1"))
    extraction = pf.extract(path)
    assert extraction.classifications["volunteer"].to_list() == [None, None]
    assert pf.reduce(extraction, engine="shapely").labels.height == 2


@pytest.mark.parametrize("kind", ["csv", "malformed", "parquet", "struct"])
def test_metadata_may_be_missing_or_in_any_format(kind: str, tmp_path: Path) -> None:
    rows = visits({"session": "a"}, {"session": "b"})
    path = written(tmp_path, rows)
    expected = [f"{ADDRESS}/a", f"{ADDRESS}/b"]
    if kind == "csv":
        frame = pl.read_csv(path, infer_schema=False).drop("metadata")
        frame.write_csv(path)
        expected = [ADDRESS, ADDRESS]
    elif kind == "malformed":
        path.write_text(path.read_text() + '"', encoding="utf-8")
    else:
        columns: dict[str, Any] = pl.read_csv(path, infer_schema=False).to_dict(as_series=False)
        if kind == "struct":
            columns["metadata"] = [json.loads(cell) for cell in columns["metadata"]]
        path = tmp_path / "export.parquet"
        pq.write_table(pa.table(columns), path)
    names = pf.extract(path).classifications["volunteer"].to_list()
    assert names[:2] == expected


def test_hashes_distinguish_sessions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, polyframe: Call
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "a secret")
    pupils = visits({"session": "a"}, {"session": "b"}, {"session": "a"}, {}, {})
    path = written(tmp_path, [*pupils, export_row(9, drawing(square(0, 0)), user_name="ann")])
    flags = ("--volunteers", "hash", "--engine", "shapely", "-q")
    assert polyframe("run", path, "-o", tmp_path / "run", *flags).code == 0
    rows = table(tmp_path / "run", "classifications")
    a, b, again, nameless, also, ann = rows["volunteer"].to_list()
    assert a == again != b
    assert nameless == also == rows["user_name"][0]
    assert ann == rows["user_name"][5]
    assert len({a, b, nameless, ann}) == 4
    assert all(len(name) == 32 for name in rows["volunteer"])
    labels = table(tmp_path / "run", "labels")
    assert labels["classification_id"].to_list() == [1001, 1002, 1004, 1009]
    assert labels["volunteer"].to_list() == [a, b, nameless, ann]
    assert pf.validate(tmp_path / "run") == []
    # Single stages only see hashes, and give the same.
    assert polyframe("extract", path, "-o", tmp_path / "steps", "--volunteers", "hash", "-q").code == 0
    assert polyframe("reduce", tmp_path / "steps", "--engine", "shapely", "-q").code == 0
    for part in (tmp_path / "steps").rglob("*.parquet"):
        assert part.read_bytes() == (tmp_path / "run" / part.relative_to(tmp_path / "steps")).read_bytes()
    counts = (pf.status(tmp_path / name).accounting for name in ("run", "steps"))
    assert [(c["rows_set_aside"], c["visitor_repeats"]) for c in counts] == [(2, 2), (2, 2)]


def test_dropped_volunteers_do_not_change_results(tmp_path: Path) -> None:
    dropped = pf.run(CLASS, tmp_path / "drop", volunteers="drop", engine="shapely")
    kept = pf.run(CLASS, tmp_path / "keep", engine="shapely")
    assert dropped.accounting == kept.accounting
    for name in ("classifications", "extractions", "labels"):
        assert table(tmp_path / "drop", name)["volunteer"].null_count() == 15
    assert table(tmp_path / "drop", "reductions").equals(table(tmp_path / "keep", "reductions"))
    assert pf.validate(tmp_path / "drop") == []


def marks(**columns: Any) -> pl.DataFrame:
    n = len(next(iter(columns.values())))
    box = [0.0, 10.0, 10.0, 0.0], [0.0, 0.0, 10.0, 10.0]
    return pl.DataFrame(
        {
            "workflow_id": 1,
            "subject_id": 1,
            "task": "T0",
            "frame": 0,
            "tool": "T0_toolIndex0",
            "classification_id": range(n),
            "mark_index": 0,
            "x": [box[0]] * n,
            "y": [box[1]] * n,
            **columns,
        }
    )


def test_frames_may_have_a_volunteer_or_a_name() -> None:
    def count(**columns: Any) -> int:
        return pf.reduce(marks(**columns), engine="shapely").labels.height

    names = ["v", "v", "v"]
    assert count(user_name=names) == 1
    assert count(user_name=names, volunteer=["v/1", "v/2", "v/1"]) == 2
    assert count(volunteer=["v", "w", "v"]) == 2
    assert count(user_name=names, volunteer=[None, None, None]) == 1
    assert count(user_name=[None, None, None]) == 3
    assert count(volunteer=["\ufffd", "\ufffd", "a"]) == 3
    labels = pf.reduce(marks(user_name=names), engine="shapely", filter="all").labels
    assert labels["volunteer"].to_list() == names


EXTRACTIONS = """classification_id,user_name,user_id,workflow_id,task,created_at,subject_id,extractor,\
data.frame0.T0_toolIndex0_pathX,data.frame0.T0_toolIndex0_pathY
1,not-logged-in-1,,7,T0,2024-01-01 00:00:00 UTC,5,polygon_extractor,"[[0,9,9,0]]","[[0,0,9,9]]"
2,not-logged-in-1,,7,T0,2024-01-01 00:00:01 UTC,5,polygon_extractor,"[[0,9,9,0]]","[[0,0,9,9]]"
3,ann,3,7,T0,2024-01-01 00:00:02 UTC,5,polygon_extractor,"[[0,9,9,0]]","[[0,0,9,9]]"
"""


def test_a_note_says_that_extractions_contain_no_sessions(tmp_path: Path, polyframe: Call) -> None:
    path = tmp_path / "extractions.csv"
    path.write_text(EXTRACTIONS)
    done = polyframe("reduce", path, "-o", tmp_path / "out", "--engine", "shapely")
    assert done.code == 0
    (note,) = (line for line in done.err.splitlines() if "session" in line)
    assert "visitors: name" in note
    assert pf.status(tmp_path / "out").settings["visitors"] == "name"
    assert table(tmp_path / "out", "classifications")["volunteer"].to_list() == [ADDRESS, ADDRESS, "ann"]
    assert table(tmp_path / "out", "reductions")["clusters_count"].to_list() == [2]
    assert pf.reduce(path, engine="shapely").reductions["clusters_count"].to_list() == [2]
    by_name = polyframe(
        "reduce", path, "-o", tmp_path / "by-name", "--visitors", "name", "--engine", "shapely"
    )
    assert by_name.code == 0
    assert "session" not in by_name.err


def test_a_changed_session_rebuilds_a_partition_but_other_metadata_do_not(tmp_path: Path) -> None:
    rows = visits({"session": "a", "utc_offset": "0"}, {"session": "b"}, {"session": "x"}, {"session": "x"})
    out = tmp_path / "out"

    def run(**options: Any) -> tuple[int, int]:
        rebuilt = pf.run(written(tmp_path, rows), out, engine="shapely", **options).made
        return rebuilt, table(out, "labels").height

    assert run() == (1, 3)
    rows[0]["metadata"] = json.dumps({"utc_offset": "3600", "session": "a", "screen": {"session": "b"}})
    assert run() == (0, 3)
    rows[0]["metadata"] = json.dumps({"session": "b"})
    assert run() == (1, 2)
    assert run(visitors="name") == (1, 1)
    rows[0]["metadata"] = json.dumps({"session": "c"})
    assert run(visitors="name") == (0, 1)
    assert run() == (1, 3)
    with pytest.raises(UsageError, match=r"visitors must be one of session, name \(got 'both'\)"):
        run(visitors="both")


def test_later_stages_keep_the_setting_visitors(tmp_path: Path, polyframe: Call) -> None:
    out = tmp_path / "out"
    assert polyframe("extract", CLASS, "-o", out, "--visitors", "name", "-q").code == 0
    assert polyframe("reduce", out, "-q", "--engine", "shapely").code == 0
    assert table(out, "reductions")["clusters_count"].to_list() == [2]
    done = polyframe("reduce", out, "--visitors", "session")
    assert done.code == 2
    assert "visitors: session contradicts name" in done.err


def test_tables_without_the_column_are_rebuilt(tmp_path: Path, polyframe: Call) -> None:
    out = tmp_path / "out"
    assert polyframe("run", CLASS, "-o", out, "-q", "--engine", "shapely").code == 0
    without_store(out)
    manifest = out / "polyframe.json"
    text = manifest.read_text()
    assert '"schema_version": 3' in text
    manifest.write_text(text.replace('"schema_version": 3', '"schema_version": 2'))
    for arguments in (("reduce", out), ("status", out), ("validate", out)):
        done = polyframe(*arguments)
        assert done.code == 1
        assert "made by another version of polyframe" in (done.err or done.out)
        assert len((done.err or done.out).splitlines()) == 1 + (arguments[0] == "validate")
    assert pf.run(CLASS, out, engine="shapely").made == 1
    assert pf.validate(out) == []


@pytest.mark.parametrize(
    ("dimensions", "size"),
    [
        ([{"naturalWidth": 640, "naturalHeight": 480}, {"naturalWidth": 1, "naturalHeight": 2}], (640, 480)),
        ([{"clientWidth": 1.5, "naturalHeight": 480, "naturalWidth": 640}], (640, 480)),
        ([None, {"naturalWidth": 1, "naturalHeight": 2}], (None, None)),
        ([{"naturalWidth": None, "naturalHeight": 480}], (None, 480)),
        ([{"naturalWidth": -1, "naturalHeight": 0}], (None, None)),
        ([{"naturalWidth": 10**12, "naturalHeight": 1.5}], (None, None)),
        ([{}], (None, None)),
        ([], (None, None)),
        ({"naturalWidth": 640, "naturalHeight": 480}, (None, None)),
        ("[{naturalWidth: 640}]", (None, None)),
    ],
)
def test_classifications_contain_the_size_of_the_first_image(
    dimensions: Any, size: tuple[int | None, int | None], tmp_path: Path
) -> None:
    rows = visits({"session": "a", "subject_dimensions": dimensions})
    classifications = pf.extract(written(tmp_path, rows)).classifications
    assert classifications.select("image_width", "image_height").row(0) == size
    assert classifications.columns[-2:] == ["image_width", "image_height"]


def test_strings_that_look_like_sizes_are_ignored(tmp_path: Path) -> None:
    note = '"subject_dimensions": [{"naturalWidth": 640, "naturalHeight": 480}]'
    for metadata in ({"note": note}, {"note": f"\\{note}"}, note[:-3], "[" * 9000):
        classifications = pf.extract(written(tmp_path, visits(metadata))).classifications
        assert classifications.select("image_width", "image_height").row(0) == (None, None)


def test_the_school_class_is_as_described() -> None:
    rows = list(csv.DictReader(io.StringIO(CLASS.read_text(encoding="utf-8"))))
    assert [row["user_name"] for row in rows].count(NAME) == 14
    assert len({json.loads(row["metadata"]).get("session") for row in rows if row["user_name"] == NAME}) == 14
