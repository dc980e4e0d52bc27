"""Test that any time is parsed or null, never an error, and that unreadable times sort last."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from exports import ROOT, Done, drawing, export_row, export_text, other_digits, square

import polyframe as pf
from polyframe.core.errors import PolyframeError
from polyframe.panoptes.classifications.column_parsers import timestamp, timestamp_from_time

Call = Callable[..., Done]

DATES = ROOT / "tests" / "cases" / "dates.csv"

FULL_WIDTH_ZERO = "\uff10"

READ = {
    "2025-01-21 16:08:41 UTC": datetime(2025, 1, 21, 16, 8, 41),
    " 2025-01-21 16:08:41 UTC ": datetime(2025, 1, 21, 16, 8, 41),
    "2025-01-21 16:08:41": datetime(2025, 1, 21, 16, 8, 41),
    "2025-01-21T16:08:41Z": datetime(2025, 1, 21, 16, 8, 41),
    "2025-01-21T16:08:41.123+02:00": datetime(2025, 1, 21, 14, 8, 41, 123_000),
    "2025-01-21 00:30:00 +0100": datetime(2025, 1, 20, 23, 30),
    "2025-01-21 23:30:00-0330": datetime(2025, 1, 22, 3, 0),
    "0001-01-01 00:00:00 UTC": datetime(1, 1, 1),
    "9999-12-31 23:59:59.999999 UTC": datetime(9999, 12, 31, 23, 59, 59, 999_999),
}
UNREADABLE = [
    *(None, "", " ", "in the evening", "13/03/2024 10:01", "2025-02-30 10:00:00 UTC", "2025-01-21 24:00:00"),
    *(f"2025-01-21 16:08:41 +{other_digits('0100')}", f"{other_digits('2025')}-01-21 16:08:41 UTC"),
    f"{other_digits('2025', FULL_WIDTH_ZERO)}-01-21 16:08:41",
    # Years that Python cannot represent, some of them only in UTC.
    *("0000-01-01 00:00:00 UTC", "-0001-01-01 00:00:00 UTC", "12025-01-01 00:00:00 UTC"),
    *("+12025-01-01 00:00:00", "0001-01-01 00:00:00 +01:00", "9999-12-31 23:59:59 -01:00"),
    # No time zone has this offset, and no year is 16.
    *("2025-01-21 16:08:41 +99:99", "16-01-21 16:08:41 UTC", "2025-01-21 16:08:41 +9223372036854775807"),
]


def test_cells_of_text() -> None:
    cells = pl.DataFrame({"created_at": [*READ, *UNREADABLE]}, schema={"created_at": pl.String})
    times = cells.select(timestamp("created_at")).to_series()
    assert times.dtype == pl.Datetime("us", "UTC")
    expected = [time.replace(tzinfo=UTC) for time in READ.values()]
    assert times.to_list() == [*expected, *[None] * len(UNREADABLE)]


def test_cells_of_text_do_not_depend_on_their_neighbours() -> None:
    for cell, time in READ.items():
        cells = pl.DataFrame({"created_at": [cell, None]}, schema={"created_at": pl.String})
        assert cells.select(timestamp("created_at")).to_series().to_list() == [time.replace(tzinfo=UTC), None]
    assert cells.clear().select(timestamp("created_at")).schema == {"created_at": pl.Datetime("us", "UTC")}


@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_columns_of_times(unit: Any, zone: str | None) -> None:
    numbers = pl.Series("created_at", [0, 2**63 - 1, -(2**63) + 1], dtype=pl.Int64)
    cells = pl.DataFrame(numbers.cast(pl.Datetime(unit, zone)))
    times = cells.select(timestamp_from_time("created_at", cells.schema["created_at"])).to_series()
    # 64-bit nanoseconds end in 2262.
    others = [datetime(2262, 4, 11, 23, 47, 16, 854_775, UTC), datetime(1677, 9, 21, 0, 12, 43, 145_224, UTC)]
    assert times.to_list() == [datetime(1970, 1, 1, tzinfo=UTC), *(others if unit == "ns" else [None, None])]


def test_columns_of_dates() -> None:
    days = pl.Series("created_at", [0, 2**31 - 1, -(2**31)], dtype=pl.Int32).cast(pl.Date)
    times = pl.DataFrame(days).select(timestamp_from_time("created_at", pl.Date())).to_series()
    assert times.to_list() == [datetime(1970, 1, 1, tzinfo=UTC), None, None]


@pytest.mark.parametrize(
    ("repeats", "counted"), [("first", [2, 4, 5]), ("last", [2, 4, 5]), ("all", [2, 4, 1, 3, 5])]
)
def test_an_export_with_unreadable_dates(
    repeats: Any, counted: list[int], tmp_path: Path, polyframe: Call
) -> None:
    """Only the second of ann's three classifications has a time: it counts for first and for last."""
    done = polyframe("run", DATES, "-o", tmp_path / "out", "--filter", repeats, "--engine", "shapely")
    assert done.code == 0
    assert "3 rows have no readable created_at" in done.err
    labels = pf.scan(tmp_path / "out", "labels").collect()
    assert labels["classification_id"].to_list() == counted
    assert pf.validate(tmp_path / "out") == []
    notes: list[str] = []
    extraction = pf.extract(DATES, say=notes.append)
    assert any(note.startswith("3 rows have no readable created_at") for note in notes)
    assert extraction.classifications["classification_id"].to_list() == [2, 4, 1, 3, 5]
    reduced = pf.reduce(extraction, filter=repeats, engine="shapely")
    assert reduced.labels["classification_id"].to_list() == counted


def test_the_newest_mark_has_a_time() -> None:
    """Squares of 100 at 30, 50 and 60 are used; the last has no time, so the one at 50 is the newest."""
    reductions = pf.reduce(pf.extract(DATES), engine="shapely", average_type="last").reductions
    assert (reductions["clusters_count"].to_list(), reductions["area"].to_list()) == ([3], [10_000.0])
    assert reductions["clusters_x"].list.min().to_list() == [50.0]
    # 80, 70 and 90 columns in common, of 120, 130 and 110.
    assert reductions["consensus"].to_list() == pytest.approx([(80 / 120 + 70 / 130 + 90 / 110) / 3])


def test_no_note_if_all_times_can_be_parsed(small_export: Path) -> None:
    notes: list[str] = []
    pf.extract(small_export, say=notes.append)
    assert not any("created_at" in note for note in notes)


def test_only_rows_that_are_used_are_counted(tmp_path: Path) -> None:
    rows = [
        export_row(1, drawing(square(0, 0)), created_at="yesterday"),
        export_row(2, drawing(square(0, 0)), created_at="yesterday", workflow_version="2.1"),
        export_row(3, drawing(square(0, 0)), created_at="yesterday", workflow_id=8),
        export_row(4, drawing(square(0, 0)), created_at="yesterday", subject_ids="none"),
    ]
    (tmp_path / "export.csv").write_text(export_text(rows), encoding="utf-8")
    notes: list[str] = []
    pf.extract(tmp_path / "export.csv", workflow_id=7, say=notes.append)
    assert [note[:30] for note in notes if "created_at" in note] == ["1 row has no readable created_"]


@pytest.mark.parametrize("cell", [text for text in UNREADABLE if text])
def test_no_cell_stops_a_run(cell: str, tmp_path: Path, polyframe: Call) -> None:
    rows = [export_row(k, drawing(square(0, 0)), created_at=cell if k == 1 else None) for k in range(3)]
    (tmp_path / "export.csv").write_text(export_text(rows), encoding="utf-8")
    done = polyframe("run", tmp_path / "export.csv", "-o", tmp_path / "out", "--engine", "shapely")
    assert (done.code, done.out.splitlines()[0]) == (
        0,
        "rows read 3 = 0 filtered out + 0 rejected + 3 used",
    )
    assert pf.scan(tmp_path / "out", "labels").collect()["created_at"].to_list() == [None] * 3
    assert polyframe("validate", tmp_path / "out").code == 0


def small_frame(**columns: Any) -> pl.DataFrame:
    """Return three overlapping squares of three volunteers as a frame of extractions."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    plain = {
        **{"workflow_id": 7, "subject_id": 1, "task": "T0", "frame": 0, "tool": "T0_toolIndex0"},
        **{"mark_index": 0, "x": [[0.0, 10.0, 10.0, 0.0]] * 3, "y": [[0.0, 0.0, 10.0, 10.0]] * 3},
        **{"classification_id": [1, 2, 3], "user_name": ["a", "b", "c"]},
        "created_at": [start + timedelta(hours=hour) for hour in range(3)],
    }
    return pl.DataFrame(plain | columns)


def test_frames_with_times_as_text() -> None:
    frame = small_frame(
        created_at=[f"2026-01-02 +{other_digits('0100')}", "2026-01-01 10:00:00 UTC", "2026-01-01T09:00:00Z"],
        user_id=["1", "none", None],
        gold_standard=["t", "no", None],
        workflow_id="7",
    )
    labels = pf.reduce(frame, engine="shapely").labels
    assert labels["classification_id"].to_list() == [3, 2, 1]
    assert labels["created_at"].to_list() == [
        datetime(2026, 1, 1, 9, tzinfo=UTC),
        datetime(2026, 1, 1, 10, tzinfo=UTC),
        None,
    ]


def test_the_error_for_keys_that_are_not_numbers_names_the_row() -> None:
    frame = small_frame(subject_id=["1", other_digits("2", FULL_WIDTH_ZERO), "3"])
    with pytest.raises(PolyframeError, match=r"row 1 of the frame \(from 0\) has no subject_id"):
        pf.reduce(frame)


@pytest.mark.parametrize("unit", ["ms", "us"])
def test_frames_with_times_that_python_cannot_represent(unit: Any) -> None:
    numbers = pl.Series([0, 2**62, -(2**62)], dtype=pl.Int64).cast(pl.Datetime(unit))
    labels = pf.reduce(small_frame(created_at=numbers), engine="shapely").labels
    assert labels["created_at"].to_list() == [datetime(1970, 1, 1, tzinfo=UTC), None, None]


@pytest.mark.parametrize("tool", [f"T0_toolIndex{other_digits('0')}", f"T0_toolIndex{10**30}", "T0_tool", ""])
def test_tools_without_an_index_are_not_selected(tool: str) -> None:
    frame = small_frame(tool=["T0_toolIndex0", "T0_toolIndex0", tool])
    assert pf.reduce(frame, tool=0, engine="shapely").labels["classification_id"].to_list() == [1, 2]
    assert pf.reduce(frame, engine="shapely").labels.height == 3


def test_times_before_1970_sort_before_later_and_missing_times() -> None:
    times = [datetime(1961, 5, 1, tzinfo=UTC), datetime(1960, 5, 1, tzinfo=UTC), None]
    frame = small_frame(
        created_at=times, x=[[left, left + 10.0, left + 10.0, left] for left in (0.0, 1.0, 2.0)]
    )
    reductions = pf.reduce(frame, average_type="last", engine="shapely").reductions
    assert reductions["clusters_x"].list.min().to_list() == [0.0]


def test_parquet_with_times_that_python_cannot_represent(tmp_path: Path) -> None:
    rows = [export_row(k, drawing(square(0, 0))) for k in range(3)]
    for name, times in {
        "times": pl.Series([0, 2**62, -(2**62)], dtype=pl.Int64).cast(pl.Datetime("ms", "UTC")),
        "days": pl.Series([0, 2**31 - 1, -(2**31)], dtype=pl.Int32).cast(pl.Date),
    }.items():
        frame = pl.DataFrame(rows, infer_schema_length=None).with_columns(times.alias("created_at"))
        frame.write_parquet(tmp_path / f"{name}.parquet")
        times = pf.extract(tmp_path / f"{name}.parquet").classifications
        assert times["created_at"].to_list() == [datetime(1970, 1, 1, tzinfo=UTC), None, None]
    assert date.max.year == datetime.max.year == 9999


@pytest.mark.parametrize("dtype", [pl.Float64, pl.Float32, pl.Decimal(10, 2)], ids=str)
def test_parquet_with_float_versions_is_an_error(dtype: Any, tmp_path: Path, polyframe: Call) -> None:
    rows = [export_row(k, drawing(square(0, 0)), workflow_version=f"7.{k}") for k in (1, 10)]
    frame = pl.DataFrame(rows, infer_schema_length=None)
    frame.write_parquet(tmp_path / "text.parquet")
    # As text the newest version is 7.10, which is 7.1 as a number.
    assert pf.extract(tmp_path / "text.parquet").classifications["workflow_version"].to_list() == ["7.10"]
    frame.with_columns(pl.col("workflow_version").cast(dtype)).write_parquet(tmp_path / "numbers.parquet")
    done = polyframe("run", tmp_path / "numbers.parquet", "-o", tmp_path / "out")
    assert done.code == 1
    assert done.err.count("\n") == 1
    for words in ("numbers.parquet: column workflow_version contains numbers", "7.10 and 7.1", "as text"):
        assert words in done.err
    assert not (tmp_path / "out").exists()


def test_parquet_with_integer_versions(tmp_path: Path) -> None:
    rows = [export_row(1, drawing(square(0, 0)), workflow_version=7)]
    pl.DataFrame(rows, infer_schema_length=None).write_parquet(tmp_path / "whole.parquet")
    assert pf.extract(tmp_path / "whole.parquet").classifications["workflow_version"].to_list() == ["7"]
