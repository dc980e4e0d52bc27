"""`polyframe validate`: new output is valid, and damage is reported, but nothing else."""

import itertools
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from exports import Done, drawing, export_row, export_text, square
from json_results import common_keys
from stores import copied, edit_manifest, manifest_file, stored

import polyframe as pf
from polyframe.consensus.anonymize import KEY_VARIABLE
from polyframe.core.tables import STORED_TABLES
from polyframe.pipeline import plan, run
from polyframe.pipeline.configure import configure
from polyframe.store import view
from polyframe.store.arrow_tables import arrow_schema, arrow_table
from polyframe.store.geo_metadata import geo_json, outline_bounds
from polyframe.store.output import MANIFEST, STORE, WORK, partition_of
from polyframe.store.stages import STAGE_TABLES, stage_of
from polyframe.synthetic import SynthOptions, write_export

Call = Callable[..., Done]
Frame = pl.DataFrame
Change = Callable[[Frame], Frame]

FIRST, SECOND = "part-00000.parquet", "part-00001.parquet"
#: The tables with a part for each partition.
PARTITIONED = [name for name in STORED_TABLES if name not in ("volunteers", "corrections")]


def small_rows() -> Iterator[dict[str, Any]]:
    """Four subjects with an object, repeats, and rejects of every kind; one row has no subject."""
    for subject in (1, 2, 3, 4):
        for place, shift in enumerate((0, 1, 2, 50)):
            marks = [square(shift, 0), square(shift + 100, 0, toolIndex=1)]
            yield export_row(10 * subject + place, drawing(*marks), subject_ids=subject)
        flat = square(0, 0, pathX=[0, 1, 2], pathY=[0, 0, 0])
        bad = [flat, 7, square(0, 3)]
        yield export_row(10 * subject + 5, drawing(*bad), subject_ids=subject)
        again = {"user_name": f"volunteer{10 * subject}", "subject_ids": subject}
        yield export_row(10 * subject + 6, drawing(square(0, 0)), **again)
        yield export_row(10 * subject + 7, "nonsense", subject_ids=subject)
        yield export_row(10 * subject, "repeated", subject_ids=subject)
    yield export_row(90, drawing(square(0, 0)), subject_ids="none")
    yield export_row(91, drawing(square(0, 0)), workflow_version="2.1")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "small.csv"
    path.write_text(export_text(small_rows()), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def made(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two partitions of two subjects each."""
    out = tmp_path_factory.mktemp("made") / "out"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(plan, "_MEGABYTE", 7000)
        pf.run(small, out, partition_size=1, jobs=1)
    assert sorted(path.name for path in (out / "labels").iterdir()) == [FIRST, SECOND]
    return out


@pytest.fixture
def out(made: Path, tmp_path: Path) -> Path:
    return copied(made, tmp_path / "out")


def problems_in(out: Path) -> set[tuple[str, str]]:
    """The check and file of each finding."""
    return places(pf.validate(out))


def places(findings: list[pf.Finding]) -> set[tuple[str, str]]:
    return {(finding.check, finding.file) for finding in findings}


def rewrite(
    out: Path, table: str, change: Change, part: str = FIRST, metadata: dict[bytes, bytes] | None = None
) -> None:
    """Rewrite a part with other contents or another footer, and put its size and rows in the manifest."""
    path = stored(out, table, partition_of(part))
    before = pq.read_table(path)
    frame = pl.from_arrow(before)
    assert isinstance(frame, Frame)
    arrow = with_stored_types(change(frame), table)
    footer = before.schema.metadata if metadata is None else metadata
    pq.write_table(arrow.replace_schema_metadata(footer), path, compression="zstd")
    size = path.stat().st_size

    def set_size(manifest: dict[str, Any]) -> None:
        stages = manifest["partitions"][part == SECOND]["stages"]
        records = manifest["merged"] if table == "volunteers" else stages
        records[stage_of(table)]["sizes"][table] = size
        records[stage_of(table)]["rows"][table] = arrow.num_rows

    edit_manifest(out, set_size)


def with_stored_types(frame: Frame, table: str) -> pa.Table:
    """Convert a frame to Arrow as parts are, as far as its columns and values allow."""
    stored = STORED_TABLES[table]
    fields = []
    for column in frame:
        if stored.schema.get(column.name) == column.dtype:
            field = arrow_schema(stored).field(column.name)
        else:
            field = pa.field(column.name, column.to_arrow().type, nullable=False)
        fields.append(field.with_nullable(field.nullable or column.null_count() > 0))
    return arrow_table(frame, pa.schema(fields))


def in_row(row: int, **values: Any) -> Change:
    """Change values in one row."""

    def change(frame: Frame) -> Frame:
        return frame.with_columns(
            pl.when(pl.int_range(pl.len()) == row)
            .then(pl.lit(value, dtype=frame.schema[name]))
            .otherwise(name)
            .alias(name)
            for name, value in values.items()
        )

    return change


def with_geometry(geometry: bytes) -> Change:
    return in_row(0, geometry=geometry)


BOW = shapely.to_wkb(shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)]))
SPIKE = shapely.to_wkb(shapely.Polygon([(0, 0), (10, 0), (20, 0), (10, 0), (10, 10), (0, 10)]))
POINT = shapely.to_wkb(shapely.Point(0, 0))
OTHER = shapely.to_wkb(shapely.box(0, 0, 10, 10.5))
SHIFTED = shapely.to_wkb(shapely.box(0, 0, 10, 10))

#: The table, a change to its first part, and the expected finding: its check and part of the problem.
ROWS: dict[str, tuple[str, Change, str, str]] = {
    "order": ("labels", lambda f: pl.concat([f[1], f[0], f[2:]]), "order", "row 2 "),
    "order of rejects": ("rejects", lambda f: f.reverse(), "order", "belongs before the row above it"),
    "workflow": ("classifications", in_row(1, workflow_id=8), "values", "not of workflow 7"),
    "label": ("labels", in_row(0, cluster_label=-2), "values", "below -1"),
    "consensus": ("reductions", in_row(0, consensus=1.5), "values", "not between 0 and 1"),
    "average": ("reductions", in_row(0, average_type="union"), "values", "other than median"),
    "iou": ("labels", in_row(0, iou_others=1.5), "values", "an iou_others that is not between 0 and 1"),
    "no iou": ("labels", in_row(0, iou_others=None), "agreement", "has no iou_others"),
    "iou of an outlier": ("labels", in_row(3, iou_others=0.5), "agreement", "nothing to compare"),
    "expected iou": ("reductions", in_row(0, expected_iou=-0.5), "values", "an expected_iou that is not"),
    "no expected iou": ("reductions", in_row(0, expected_iou=None), "values", "has no expected_iou"),
    "areas": ("reductions", in_row(0, area_low=200.0), "values", "an area_low that is negative or above"),
    "no number": ("reductions", in_row(0, area_high=float("nan")), "values", "an area_low that is"),
    "needed": ("reductions", in_row(0, classifications_needed=77), "values", "does not follow from"),
    "x": ("extractions", in_row(2, x=[1.0]), "values", "row 3 "),
    "not finite": (
        "extractions",
        in_row(2, x=[0.0, 1, float("nan"), 2]),
        "values",
        "coordinates that are not finite",
    ),
    "levels": ("contours", in_row(0, number_of_contours=9), "values", "number_of_contours"),
    "level areas": ("contours", in_row(0, contours_area=[1.0]), "values", "than of contours_level"),
    "other levels": ("contours", in_row(0, contours_level=[2, 3, 4]), "values", "levels other than those"),
    "no WKB": ("contours", with_geometry(b"\x00nonsense"), "geometry", "not a WKB polygon"),
    "a point": ("reductions", with_geometry(POINT), "geometry", "not a WKB polygon"),
    "a bow": ("reductions", with_geometry(BOW), "geometry", "not a valid polygon"),
    "a spike": ("reductions", with_geometry(SPIKE), "geometry", "not a valid polygon"),
    "area of geometry": ("reductions", with_geometry(OTHER), "geometry", "differs from its geometry"),
    "outline": ("reductions", with_geometry(SHIFTED), "geometry", "differ from its geometry"),
    "area": ("reductions", in_row(0, area=7.0), "geometry", "has an area that differs"),
    "n_marks": ("classifications", in_row(0, n_marks=5), "agreement", "a different n_marks than extractions"),
    "name": ("extractions", in_row(0, user_id=5), "agreement", "a different user_id than its classification"),
    "count": ("reductions", in_row(0, clusters_count=9), "agreement", "a different clusters_count"),
    "share": ("reductions", in_row(0, threshold=0.1), "agreement", "a different threshold"),
    "marks of a group": ("groups", in_row(0, n_marks=9), "agreement", "a different n_marks than its labels"),
    "subject's count": (
        "groups",
        in_row(0, n_classifications=9),
        "agreement",
        "a different n_classifications",
    ),
    "votes": ("reductions", in_row(0, details_votes='[{"0":9}]'), "agreement", "different details_votes"),
    "details": ("extractions", in_row(0, details="[1, 2"), "values", "details that are not valid JSON"),
    "other consensus": ("contours", in_row(0, consensus=0.5), "agreement", "a different consensus"),
    "contour's count": ("contours", in_row(0, clusters_count=9), "agreement", "a different clusters_count"),
    "volunteer": ("labels", in_row(0, volunteer="nobody"), "agreement", "that is not in extractions"),
    "volunteer of a mark": (
        *("extractions", in_row(0, volunteer="nobody"), "agreement"),
        "has a different volunteer than its classification",
    ),
    "volunteer of another name": (
        *("classifications", in_row(0, volunteer="nobody"), "values"),
        "has a volunteer that does not match its user_name",
    ),
    "time": ("labels", in_row(0, user_name="nobody"), "agreement", "that is not in extractions"),
    "score": ("volunteers", in_row(0, score=0.125), "agreement", "a different score than the sums of its"),
    "no score": ("volunteers", in_row(0, score=None), "agreement", "a different score than the sums of its"),
    "lost volunteer": ("volunteers", lambda f: f[1:], "agreement", "lacks a row that is in the sums"),
    "unknown volunteer": (
        *("volunteers", in_row(0, volunteer="nobody"), "agreement"),
        "is not in the sums of its partitions",
    ),
    "sums": (
        *(".volunteer_sums", in_row(0, n_marks=9), "agreement"),
        "a different n_marks than classifications and labels",
    ),
    "subject": ("subjects", in_row(0, n_outliers=9), "agreement", "a different n_outliers than its rows in"),
    "lost subject": ("subjects", lambda f: f[1:], "agreement", "lacks a row that is in its rows in"),
    "lost cluster": ("reductions", lambda f: f[1:], "agreement", "lacks a row for a cluster"),
    "lost contour": ("contours", lambda f: f[:-1], "agreement", "lacks a row for a cluster"),
    "more clusters": (
        "reductions",
        lambda f: pl.concat([f, in_row(0, cluster_label=5)(f[-1])]),
        "agreement",
        "a cluster that is not in labels",
    ),
}


#: Those of which other checks find something, too.
OTHER_CHECKS = {
    *("consensus", "volunteer of another name", "lost cluster", "more clusters"),
    *("expected iou", "no expected iou", "needed", "iou"),
}


@pytest.mark.parametrize("name", ROWS)
def test_wrong_rows(name: str, out: Path) -> None:
    table, change, check, problem = ROWS[name]
    rewrite(out, table, change)
    findings = pf.validate(out)
    assert (check, f"{table}/{FIRST}") in places(findings)
    assert any(problem in finding.problem for finding in findings if finding.check == check), findings
    # Other tables may lack the row, but only within its partition.
    assert {file for _, file in places(findings)} <= {
        MANIFEST,
        *(f"{table}/{FIRST}" for table in STORED_TABLES),
    }
    if name not in ("label", "workflow"):
        others = {"agreement", "counts"} if name in OTHER_CHECKS else set()
        assert {what for what, _ in places(findings)} <= {check, *others}


def test_an_exact_copy_of_a_mark(out: Path) -> None:
    def with_a_copy(frame: Frame) -> Frame:
        return pl.concat([frame.head(1), frame.head(1).with_columns(pl.col("mark_index") + 1), frame[1:]])

    rewrite(out, "extractions", with_a_copy)
    copies = [finding for finding in pf.validate(out) if "is an exact copy of a mark" in finding.problem]
    assert [(finding.check, finding.row) for finding in copies] == [("agreement", 2)]
    # Copies are valid if the settings keep them.
    for key in ("settings", "extraction"):
        edit_manifest(out, lambda manifest, key=key: manifest[key].update(duplicate_marks="keep"))  # type: ignore[misc]
    assert not [finding for finding in pf.validate(out) if "is an exact copy" in finding.problem]


def test_votes_that_differ_from_the_details(out: Path) -> None:
    rewrite(out, "extractions", in_row(0, details='[{"value":1}]'))
    (finding,) = pf.validate(out)
    assert (finding.check, finding.file) == ("agreement", f"reductions/{FIRST}")
    assert "different details_votes than the details of its marks" in finding.problem


SUMMARIES = ("subjects", ".volunteer_sums")
MISSING = {
    "classifications": {"classifications", "extractions", "groups", "labels", *SUMMARIES, MANIFEST},
    "extractions": {"classifications", "labels", MANIFEST},
    "rejects": {MANIFEST},
    "groups": {"groups", "reductions", "contours", *SUMMARIES, MANIFEST},
    "labels": {"labels", "groups", "reductions", "contours", *SUMMARIES, MANIFEST},
}


@pytest.mark.parametrize("table", MISSING)
def test_a_missing_row(table: str, out: Path) -> None:
    rewrite(out, table, lambda frame: frame[1:])
    problems = problems_in(out)
    files = {file.split("/")[0] for _, file in problems}
    assert MANIFEST in files
    assert files <= MISSING[table]
    assert {check for check, _ in problems} <= {"agreement", "counts"}


@pytest.mark.parametrize("missing", [0, -1])
def test_a_missing_time_belongs_after_the_others(missing: int, out: Path) -> None:
    def change(frame: Frame) -> Frame:
        row = frame.filter(subject_id=1, tool="T0_toolIndex0")["classification_id"].to_list()[missing]
        created_at = pl.when(pl.col("classification_id") != row).then("created_at")
        return frame.with_columns(created_at.alias("created_at"))

    rewrite(out, "labels", change)
    order = [finding for finding in pf.validate(out) if finding.check == "order"]
    assert [finding.row for finding in order] == ([2] if missing == 0 else [])


def test_wrong_rows_are_counted(out: Path) -> None:
    rewrite(out, "labels", lambda frame: frame.with_columns(mark_index=pl.col("mark_index") + 70))
    problems = [finding.problem for finding in pf.validate(out) if "not in extractions" in finding.problem]
    n = pl.read_parquet(out / "labels" / FIRST).height
    assert [
        problem.endswith(f"labels a mark that is not in extractions (and {n - 1} more rows)")
        for problem in problems
    ] == [True]


@pytest.mark.parametrize("table", PARTITIONED)
def test_a_repeated_row(table: str, out: Path) -> None:
    place = {"rejects": 3}.get(table, 1)
    rewrite(out, table, lambda frame: pl.concat([frame[:place], frame[place - 1 :]]), SECOND)
    findings = pf.validate(out)
    keys = [(finding.file, finding.row) for finding in findings if finding.check == "key"]
    assert keys == [(f"{table}/{SECOND}", place + 1)]
    assert not {check for check, _ in places(findings)} & {"order", "range", "size", "footer", "values"}


@pytest.mark.parametrize("table", [name for name in PARTITIONED if name != ".volunteer_sums"])
def test_a_subject_of_another_partition(table: str, out: Path) -> None:
    rewrite(out, table, lambda frame: frame.with_columns(pl.col("subject_id") - 2), SECOND)
    findings = pf.validate(out)
    ranges = [finding for finding in findings if finding.check == "range"]
    assert [finding.file for finding in ranges] == [f"{table}/{SECOND}"]
    assert "from 3 to the last" in ranges[0].problem
    # After the first part, these rows are out of order too.
    assert ("order", f"{table}/{SECOND}") in places(findings)


SCHEMAS: dict[str, Change] = {
    "lacks the column mark_index": lambda f: f.drop("mark_index"),
    "unknown column 'more'": lambda f: f.with_columns(more=1),
    "in another order": lambda f: f.select(reversed(f.columns)),
    "has the type int32 not null, expected int64 not null": lambda f: f.cast({"subject_id": pl.Int32}),
    "has the type timestamp[ms": lambda f: f.cast({"created_at": pl.Datetime("ms", "UTC")}),
}


@pytest.mark.parametrize("problem", SCHEMAS)
def test_wrong_columns(problem: str, out: Path) -> None:
    rewrite(out, "labels", SCHEMAS[problem])
    findings = pf.validate(out)
    assert [(finding.check, finding.file) for finding in findings] == [("schema", f"labels/{FIRST}")]
    assert problem in findings[0].problem


@pytest.mark.parametrize(
    ("table", "column"),
    [
        *(("groups", "task"), ("rejects", "reason"), ("extractions", "y")),
        *(("contours", "contours_level"), ("reductions", "geometry")),
    ],
)
def test_a_column_in_which_values_may_be_missing(table: str, column: str, out: Path) -> None:
    rewrite(out, table, in_row(0, **{column: None}))
    findings = [finding for finding in pf.validate(out) if finding.check == "schema"]
    assert [finding.file for finding in findings] == [f"{table}/{FIRST}"]
    required = arrow_schema(STORED_TABLES[table]).field(column).type
    assert f"the column {column} has the type {required}, expected {required} not null" in findings[0].problem


def test_an_output_with_64_bit_offsets(out: Path) -> None:
    """Its tables can be read, `validate` says what differs, and a later stage asks for a new run."""
    before = {name: pf.scan(out, name).collect() for name in ("extractions", "contours")}
    for name in before:
        for part in (FIRST, SECOND):
            path = out / name / part
            table = pq.read_table(path)
            frame = pl.from_arrow(table)
            assert isinstance(frame, Frame)
            arrow = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
            pq.write_table(arrow.replace_schema_metadata(table.schema.metadata), path)
    for name, frame in before.items():
        assert pf.scan(out, name).collect().equals(frame)
    problems = [finding.problem for finding in pf.validate(out) if finding.check == "schema"]
    assert len(problems) == 4
    assert "the column workflow_id has the type int64, expected int64 not null (and 1" in problems[0]
    with pytest.raises(pf.PolyframeError, match="an earlier version of polyframe wrote its extractions"):
        pf.reduce(out, output=out)


@pytest.mark.parametrize(
    "key",
    ["table", "schema_version", "polyframe_version", "settings", "fingerprint", "places", "counts", "all"],
)
def test_a_wrong_footer(key: str, out: Path) -> None:
    path = out / "labels" / FIRST
    metadata = dict(pq.read_schema(path).metadata)
    footer = json.loads(metadata[b"polyframe"])
    footer[key] = 5
    metadata[b"polyframe"] = json.dumps(footer).encode() if key != "all" else b"nonsense"
    rewrite(out, "labels", lambda frame: frame, metadata=metadata)
    check = "fingerprint" if key == "fingerprint" else "footer"
    findings = pf.validate(out)
    assert places(findings) == {(check, f"labels/{FIRST}")}
    assert (key if key != "all" else "no polyframe metadata") in findings[0].problem


@pytest.mark.parametrize("edit", [{"version": "1.1.0"}, None, {"crs": 4326}])
def test_wrong_geoparquet_metadata(edit: Any, out: Path) -> None:
    metadata = dict(pq.read_schema(out / "contours" / FIRST).metadata)
    if edit is None:
        del metadata[b"geo"]
    elif "crs" in edit:
        geo = json.loads(metadata[b"geo"])
        geo["columns"]["geometry"] |= edit
        metadata[b"geo"] = json.dumps(geo).encode()
    else:
        metadata[b"geo"] = json.dumps(edit).encode()
    rewrite(out, "contours", lambda frame: frame, metadata=metadata)
    assert problems_in(out) == {("footer", f"contours/{FIRST}")}


def swap(path: Path) -> None:
    other = path.with_name(SECOND)
    one, two = path.read_bytes(), other.read_bytes()
    path.write_bytes(two)
    other.write_bytes(one)


def flip(path: Path) -> None:
    """Damage the data between the magic number and the footer."""
    data = bytearray(path.read_bytes())
    data[4:200] = bytes(196)
    path.write_bytes(data)


FILES: dict[str, tuple[Callable[[Path], Any], set[str], str]] = {
    "deleted": (Path.unlink, {"files"}, "is missing"),
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:-20]), {"readable"}, "cannot be read"),
    "zero bytes": (lambda path: path.write_bytes(b""), {"readable"}, "has 0 bytes"),
    "text": (lambda path: path.write_text("text"), {"readable"}, "cannot be read"),
    "damaged": (flip, {"readable"}, "cannot be read"),
    "longer": (lambda path: path.write_bytes(b"PAR1" + path.read_bytes()), {"readable", "size"}, "bytes"),
    "deleted from the store": (Path.unlink, {"files"}, "is missing"),
}


DAMAGED_TABLES = ("extractions", "labels", "contours")


@pytest.mark.parametrize(
    ("name", "tables"),
    [*((name, DAMAGED_TABLES) for name in FILES), *(("deleted", (table,)) for table in DAMAGED_TABLES)],
)
def test_damaged_parts(name: str, tables: tuple[str, ...], out: Path) -> None:
    """No other part has findings, whether parts of one table or of several are damaged."""
    damage, checks, problem = FILES[name]
    for table in tables:
        damage(stored(out, table) if name == "deleted from the store" else out / table / FIRST)
    findings = pf.validate(out)
    assert {finding.file for finding in findings} == {f"{table}/{FIRST}" for table in tables}
    assert {finding.check for finding in findings} <= checks
    for table in tables:
        first = next(finding for finding in findings if finding.file == f"{table}/{FIRST}")
        assert problem in first.problem


def test_two_swapped_parts(out: Path) -> None:
    swap(out / "groups" / FIRST)
    problems = problems_in(out)
    for check in ("fingerprint", "range"):
        assert {file for what, file in problems if what == check} == {f"groups/{FIRST}", f"groups/{SECOND}"}


def test_unexpected_files(out: Path) -> None:
    shutil.copy(out / "labels" / FIRST, out / "labels" / "part-00002.parquet")
    (out / "groups" / ".notes").touch()
    assert problems_in(out) == {("files", "labels/part-00002.parquet"), ("files", "groups/.notes")}
    assert {finding.advice for finding in pf.validate(out)} == {"remove it"}


def test_a_table_that_is_not_in_the_manifest(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    pf.run(small, out, contours=False)
    assert pf.validate(out) == []
    (out / "contours").mkdir()
    assert problems_in(out) == {("files", "contours")}


def test_a_table_that_is_a_file(out: Path) -> None:
    shutil.rmtree(out / "labels")
    (out / "labels").touch()
    assert problems_in(out) == {("files", f"labels/{FIRST}"), ("files", f"labels/{SECOND}")}


def numbers(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of the numbers in a manifest; of its partitions, in the last one."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from numbers(item, (*path, key))
    elif isinstance(value, list):
        for place in range(len(value))[-1:]:
            yield from numbers(value[place], (*path, place))
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield path


def test_every_number_of_the_manifest_is_checked(made: Path, tmp_path: Path) -> None:
    """Adding 1 gives a finding with the name of the number, or of a value that depends on it."""
    out = tmp_path / "out"
    copied(made, out)
    manifest = json.loads(manifest_file(out).read_text())
    paths = list(numbers(manifest))
    assert len(paths) > 45
    # The sizes and rows of parts do not depend on one another, so they are changed at once.
    groups = {"sizes": "bytes", "rows": "rows"}
    paths.sort(key=lambda path: path[-2] if groups.keys() & path[-2:-1] else "")
    for _, some in itertools.groupby(paths, lambda path: path[-2] if groups.keys() & path[-2:-1] else path):
        changed, together = json.loads(json.dumps(manifest)), list(some)
        numbers_now = {}
        for path in together:
            within = changed
            for key in path[:-1]:
                within = within[key]
            within[path[-1]] += 1
            numbers_now[path] = within[path[-1]]
        manifest_file(out).write_text(json.dumps(changed))
        text = "\n".join(map(str, pf.validate(out)))
        if len(together) > 1:
            for path, number in numbers_now.items():
                kind, table = path[-2:]
                says = f"{groups[kind]}, the manifest says {number}"
                found = re.search(rf"^{re.escape(table)}/\S+: .* {says}", text, re.MULTILINE)
                assert found, (kind, table, text)
            continue
        name = path[-1]
        expected = {
            "first_subject": "outside its partition",
            "schema_version": "another version",
            "rows_read": f"accounting: {within[name]} rows read are not",
            "rows_filtered": f"are not {within[name]} filtered out",
        }.get(name, name)
        if path[-1] == "task_index" or path[0] in ("drawings", "number"):
            # Only exported to other programs, or only counted in the export, or also the name of the file.
            assert text == ""
            continue
        assert text, path
        says = f"the manifest says {within[name]}"
        assert expected in text or f"bytes, {says}" in text or f"rows, {says}" in text, (path, text)


def parts(manifest: dict[str, Any]) -> Any:
    return manifest["partitions"]


def reduction(manifest: dict[str, Any]) -> Any:
    return manifest["partitions"][0]["stages"]["reduce"]


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (lambda m: m.update(stages=5), "stages: expected array, got int"),
        (lambda m: m.update(stages=["reduce"]), "stages: expected extract"),
        (lambda m: m.update(settings=[]), "settings: expected object, got array"),
        (lambda m: m["settings"].update(eps="much"), "settings.eps: expected float, got str"),
        (lambda m: m["settings"].update(eps=5), "eps must be > 0"),
        (lambda m: m["settings"].update(epsilon=0.5), "settings: unknown setting 'epsilon'"),
        (lambda m: m["settings"].pop("eps"), "settings: missing setting 'eps'"),
        (lambda m: m["settings"].update(drawing_tasks=7), "settings.drawing_tasks: expected array, got int"),
        (lambda m: m.update(accounting=None), "accounting: expected object, got null"),
        (lambda m: m["accounting"].update(rows_read=-1), "accounting.rows_read: expected int >= 0"),
        (lambda m: m["accounting"].update(reasons=[1]), "accounting.reasons: expected object, got array"),
        (lambda m: m.update(partitions={}), "partitions: expected array, got object"),
        (lambda m: m.update(partitions=[None]), "partitions[0]: expected object, got null"),
        (lambda m: m.update(partitions=[]), "partitions: expected array of length >= 1"),
        (lambda m: parts(m).reverse(), "partitions[0].first_subject: expected null"),
        (
            lambda m: parts(m)[0].update(name="../../00000"),
            "[0].name: expected str matching",
        ),
        (lambda m: parts(m)[1].update(name="00000"), "not in the order of their names"),
        (lambda m: parts(m)[0].update(content=1), "partitions[0].content: expected str, got int"),
        (lambda m: parts(m)[0].update(stages=[]), "[0].stages: expected object, got array"),
        (
            lambda m: reduction(m).update(sizes=[]),
            "sizes: expected object, got array",
        ),
        (
            lambda m: reduction(m).update(sizes={"labels": 1}),
            "expected one size for each",
        ),
        (
            lambda m: reduction(m).update(counts={"rows_read": 1}),
            "unknown field rows_read",
        ),
        (
            lambda m: reduction(m).update(fingerprint=None),
            "fingerprint: expected str, got null",
        ),
        (
            lambda m: reduction(m).update(places=3),
            "places: expected str | null, got int",
        ),
        (
            lambda m: parts(m)[0].pop("first_subject"),
            "[0]: missing required field first_subject",
        ),
        (lambda m: reduction(m).update(plaues=None), "unknown field plaues"),
        (lambda m: m.pop("sources"), "missing required field sources"),
        (lambda m: m.update(sources="a"), "sources: expected array, got str"),
        (lambda m: m.update(last_subject="4"), "last_subject: expected int | null, got str"),
        (lambda m: m.update(schema_version=None), "another version"),
        (lambda m: m.pop("polyframe_version"), "missing required field polyframe_version"),
    ],
)
def test_an_invalid_manifest(edit: Callable[[Any], None], problem: str, out: Path, polyframe: Call) -> None:
    edit_manifest(out, edit)
    findings = pf.validate(out)
    assert [(finding.check, finding.file) for finding in findings] == [
        ("manifest", f"{STORE}/manifests/00000001.json")
    ]
    assert problem in findings[0].problem
    done = polyframe("status", out)
    assert (done.code, len(done.err.splitlines())) == (1, 1)


@pytest.mark.parametrize("stage", ["extract", "reduce", "contours"])
def test_fingerprints_match_content_and_settings(stage: str, out: Path) -> None:
    def edit(manifest: dict[str, Any]) -> None:
        manifest["partitions"][1]["stages"][stage]["fingerprint"] = "0" * 32

    tables = STAGE_TABLES[stage]
    parts = {table: stored(out, table, "00001") for table in tables}
    edit_manifest(out, edit)
    for table, part in parts.items():
        part.rename(stored(out, table, "00001"))
    assert problems_in(out) == {
        ("fingerprint", MANIFEST),
        *(("fingerprint", f"{table}/{SECOND}") for table in tables),
    }
    assert f"partition 00001, {stage}" in pf.validate(out)[0].problem


def test_fingerprints_depend_on_the_content(out: Path) -> None:
    edit_manifest(out, lambda manifest: manifest["partitions"][0].update(content="0" * 16))
    assert problems_in(out) == {("fingerprint", MANIFEST)}
    edit_manifest(out, lambda manifest: manifest["partitions"][1].update(content="0" * 16))
    assert problems_in(out) == {("fingerprint", MANIFEST)}
    assert "another version of Polars" in pf.validate(out)[0].problem


def test_fingerprints_of_hashed_volunteers_are_checked_without_the_secret(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    monkeypatch.setenv(KEY_VARIABLE, "a secret")
    pf.run(small, out, volunteers="hash", contours=False, jobs=1)
    monkeypatch.delenv(KEY_VARIABLE)
    assert pf.validate(out) == []
    edit_manifest(out, lambda manifest: manifest["partitions"][0].update(content="0" * 16))
    assert problems_in(out) == {("fingerprint", MANIFEST)}
    # Earlier versions did not record its digest, so that nothing can be checked.
    edit_manifest(out, lambda manifest: manifest.pop("key_digest"))
    assert pf.validate(out) == []


def test_an_incomplete_change(small: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(view, "_swap", die)
        with pytest.raises(KeyboardInterrupt):
            pf.run(small, out, eps=0.3)
    assert {check for check, _ in problems_in(out)} == {"files"}
    assert {finding.problem for finding in pf.validate(out)} == {"is not the part of the manifest"}
    pf.run(small, out, eps=0.3)
    assert problems_in(out) == set()


def test_a_run_that_ends_during_the_check(small: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The version with which the check began is still there."""
    rows = sum(table.rows for table in pf.status(out).tables.values())

    def run(*_: object) -> list[object]:
        pf.run(small, out, tool=1)
        return []

    monkeypatch.setattr("polyframe.store.validation.check_files.view_findings", run)
    findings = pf.validate(out)
    assert (findings, findings.rows) == ([], rows)
    assert sum(table.rows for table in pf.status(out).tables.values()) < rows


@pytest.mark.parametrize("runs", [1, 2])
def test_a_version_that_is_removed_during_the_check(
    runs: int, small: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest version is validated instead; if that is removed too, one line says so."""
    eps = iter((0.3, 0.4)[:runs])

    def run(*_: object) -> list[object]:
        for chosen in eps:
            pf.run(small, out, eps=chosen, keep_versions=1, say=str)
            break
        return []

    monkeypatch.setattr("polyframe.store.validation.check_files.view_findings", run)
    if runs == 1:
        assert pf.validate(out) == []
        return
    with pytest.raises(pf.PolyframeError, match="replaced the tables while they were read; validate them"):
        pf.validate(out)


def test_a_directory_without_tables_is_an_error(tmp_path: Path, polyframe: Call) -> None:
    (tmp_path / "died" / WORK).mkdir(parents=True)
    for name, message in (("nothing", "no such directory"), ("died", "no tables yet")):
        done = polyframe("validate", tmp_path / name)
        assert (done.code, done.out) == (1, "")
        assert message in done.err


def test_printed_lines_and_json(out: Path, polyframe: Call) -> None:
    done = polyframe("validate", out)
    rows = sum(table.rows for table in pf.status(out).tables.values())
    assert (done.code, done.err) == (0, "")
    assert done.out == f"{out}: 9 tables, 17 parts, {rows} rows: no problems\n"
    report = json.loads(polyframe("validate", out, "--json").out)
    content = {"output": str(out), "tables": 9, "parts": 17, "rows": rows, "findings": []}
    assert report == common_keys("validate") | content
    stored(out, "groups").unlink()
    done = polyframe("validate", out)
    assert done.code == 1
    lines = done.out.splitlines()
    assert lines[0] == f"groups/{FIRST}: is missing; run again"
    assert lines[1].startswith(f"{out}: 9 tables, 16 parts, ")
    assert lines[1].endswith(" rows read: 1 problem")
    done = polyframe("validate", out, "--json")
    assert done.code == 1
    report = json.loads(done.out)
    assert report["exit_code"] == 1
    (finding,) = report["findings"]
    assert finding == {
        "check": "files",
        "file": f"groups/{FIRST}",
        "problem": "is missing",
        "advice": "run again",
        "row": None,
    }


def test_outlines_that_cross_themselves_by_rounding_are_valid(small: Path, tmp_path: Path) -> None:
    """`buffer(0)` of a mark that crosses itself may give such an outline."""
    begin, rounded = (327.4, 180.5), (327.40000000000003, 180.49999999999994)
    outline = [rounded, begin, (328.96, 178.94), (340, 190), (325.84, 182.84), (326.62, 181.28)]
    polygon = shapely.Polygon(outline)
    assert not shapely.is_valid(polygon)
    pf.run(small, tmp_path / "out", contours=False)
    x, y = (list(side) for side in polygon.exterior.coords.xy)
    values = {"geometry": shapely.to_wkb(polygon), "area": polygon.area, "clusters_x": x, "clusters_y": y}
    change = in_row(0, **values)
    rows = pf.scan(tmp_path / "out", "reductions").collect()
    metadata = dict(pq.read_schema(tmp_path / "out" / "reductions" / FIRST).metadata)
    metadata[b"geo"] = geo_json(outline_bounds(STORED_TABLES["reductions"], change(rows))).encode()
    rewrite(tmp_path / "out", "reductions", change, metadata=metadata)
    assert pf.validate(tmp_path / "out") == []


def test_the_first_findings_are_printed_and_the_rest_counted(out: Path, polyframe: Call) -> None:
    for number in range(50):
        (out / "labels" / f"{number}.txt").touch()
    lines = polyframe("validate", out).out.splitlines()
    assert len(lines) == 38
    assert lines[36] == "... and 14 more"
    assert lines[37].endswith("50 problems")


def test_text_that_is_not_utf8(out: Path) -> None:
    """Arrow reads it, and Polars assumes that it is valid."""
    path = out / "labels" / FIRST
    table = pq.read_table(path)
    names = table["user_name"].to_pylist()
    raw = pa.array([None if name is None else b"\xff\xfe" for name in names], pa.binary())
    place = table.schema.get_field_index("user_name")
    text = pa.Array.from_buffers(pa.string(), len(raw), raw.buffers())
    pq.write_table(table.set_column(place, table.schema.field(place), text), path)
    assert ("readable", f"labels/{FIRST}") in problems_in(out)


NEW_OUTPUTS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "several partitions": {"partition_size": 1},
    "union of all": {"filter": "all", "average_type": "union", "eps": 0.9},
    "intersection": {"average_type": "intersection", "filter": "last", "eps": 0.9},
    "dropped clusters": {"min_threshold": 0.6, "partition_size": 1},
    "raster": {"contour_method": "raster", "num_grid_points": 20},
    "every mark a cluster": {"min_samples": 1, "tool": 0},
}


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "classifications.csv"
    write_export(path, SynthOptions(subjects=60, volunteers=6, vertices=150, seed=3, slips=0.05))
    return path


@pytest.mark.parametrize("name", NEW_OUTPUTS)
def test_new_output_is_valid(name: str, synthetic: Path, tmp_path: Path) -> None:
    pf.run(synthetic, tmp_path / "out", **NEW_OUTPUTS[name])
    assert pf.validate(tmp_path / "out") == []


@pytest.mark.parametrize("stages", [["extract"], ["extract", "contours"]])
@pytest.mark.parametrize("min_threshold", [0, 0.4])
def test_output_of_some_stages_is_valid(
    stages: list[str], min_threshold: float, small: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run.run_export([small], out, configure(None, {"min_threshold": min_threshold}).settings, stages)
    assert pf.validate(out) == []
    if "contours" in stages:
        # Without labels it is not known which clusters the threshold drops.
        rewrite(out, "contours", lambda frame: frame[1:])
        assert problems_in(out) == ({("counts", MANIFEST)} if min_threshold == 0 else set())


def test_output_of_some_tools_is_valid(small: Path, tmp_path: Path, polyframe: Call) -> None:
    out = tmp_path / "out"
    assert polyframe("extract", small, "-o", out).code == 0
    assert polyframe("reduce", out, "--tool", 1).code == 0
    assert polyframe("contours", out, "--min-threshold", 0).code == 0
    assert pf.scan(out, "labels").collect()["tool"].unique().to_list() == ["T0_toolIndex1"]
    assert pf.validate(out) == []


def test_files_of_one_name_may_have_equal_rejects(small: Path, tmp_path: Path) -> None:
    """A row without a key is identified by file name and line, which may be the same in two files."""
    for folder, number in (("a", 1), ("b", 2)):
        (tmp_path / folder).mkdir()
        rows = [export_row(number, drawing(square(0, 0))), export_row(9, None, classification_id=None)]
        (tmp_path / folder / "x.csv").write_text(export_text(rows))
    pf.run([tmp_path / "a" / "x.csv", tmp_path / "b" / "x.csv"], tmp_path / "out")
    assert pf.scan(tmp_path / "out", "rejects").collect().is_duplicated().all()
    assert pf.validate(tmp_path / "out") == []


def test_empty_output_is_valid(tmp_path: Path) -> None:
    export = tmp_path / "export.csv"
    export.write_text(export_text([export_row(1, '[{"task": "T9", "value": []}]')]))
    pf.run(export, tmp_path / "out", task="T9")
    assert pf.scan(tmp_path / "out", "labels").collect().height == 0
    assert pf.validate(tmp_path / "out") == []


def test_output_of_the_real_project_is_valid(cat_project: Path, tmp_path: Path) -> None:
    export, config = (
        cat_project / name
        for name in ("cat-project-classifications.csv", "cat_project_extractor_config.yaml")
    )
    pf.run(export, tmp_path / "out", config)
    assert pf.validate(tmp_path / "out") == []
