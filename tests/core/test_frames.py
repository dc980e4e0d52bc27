"""Exports and marks as frames of Polars, pandas and Arrow: they give the same tables as files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from exports import ROOT

import polyframe as pf

EXPORT = ROOT / "data" / "classifications.csv"
CONFIG = ROOT / "data" / "config.yaml"


class Capsule:
    """An object that exports Arrow and has no other interface."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.table.__arrow_c_stream__(requested_schema)


def _pandas(**options: Any) -> Any:
    return pytest.importorskip("pandas", reason="pandas is missing").read_csv(EXPORT, **options)


def _duckdb() -> Any:
    return pytest.importorskip("duckdb", reason="DuckDB is missing").sql(
        f"SELECT * FROM read_csv('{EXPORT.as_posix()}', all_varchar = true)"
    )


def _without_capsule() -> Any:
    """Return a pandas frame without the Arrow interface, as before pandas 2.2."""
    pandas = pytest.importorskip("pandas", reason="pandas is missing")

    class DataFrame(pandas.DataFrame):  # type: ignore[misc, name-defined]
        @property
        def __arrow_c_stream__(self) -> Any:
            raise AttributeError

    return DataFrame(pandas.read_csv(EXPORT, dtype=str))


VERSION = {"workflow_version": str}
EXPORTS: dict[str, Callable[[], Any]] = {
    "eager": lambda: pl.read_csv(EXPORT, infer_schema=False),
    "lazy": lambda: pl.scan_csv(EXPORT, infer_schema=False),
    "inferred": lambda: pl.read_csv(EXPORT, schema_overrides={"workflow_version": pl.String}),
    # User ids as floats, with NaN for visitors.
    "pandas": lambda: _pandas(dtype=VERSION),
    "pandas text": lambda: _pandas(dtype=str),
    "pandas nullable": lambda: _pandas(dtype=VERSION).convert_dtypes(),
    "pandas of arrow": lambda: _pandas(dtype=VERSION, dtype_backend="pyarrow"),
    "pandas times": lambda: _pandas(dtype=VERSION, parse_dates=["created_at"]),
    "pandas index": lambda: _pandas(dtype=VERSION).set_index("classification_id"),
    "pandas before 2.2": _without_capsule,
    "table": lambda: pl.read_csv(EXPORT, infer_schema=False).to_arrow(),
    "batch": lambda: pl.read_csv(EXPORT, infer_schema=False).to_arrow().combine_chunks().to_batches()[0],
    "reader": lambda: pl.read_csv(EXPORT, infer_schema=False).to_arrow().to_reader(),
    "capsule": lambda: Capsule(pl.read_csv(EXPORT, infer_schema=False).to_arrow()),
    "duckdb": _duckdb,
    "several": lambda: [pl.read_csv(EXPORT, infer_schema=False).head(50), _pandas(dtype=str).iloc[50:]],
    "names with blanks": lambda: pl.read_csv(EXPORT, infer_schema=False).rename(lambda c: f"\ufeff{c} "),
    "NaN": lambda: pl.read_csv(EXPORT, schema_overrides={"workflow_version": pl.String}).with_columns(
        pl.col("user_id").cast(pl.Float64).fill_null(np.nan), pl.col("subject_ids").cast(pl.Float64)
    ),
}


@pytest.fixture(scope="module")
def from_file() -> pf.Extraction:
    return pf.extract(EXPORT, CONFIG)


@pytest.mark.parametrize("kind", EXPORTS)
def test_a_frame_gives_the_same_tables_as_its_file(kind: str, from_file: pf.Extraction) -> None:
    extraction = pf.extract(EXPORTS[kind](), CONFIG)
    for table, expected in vars(from_file).items():
        assert getattr(extraction, table).equals(expected), table
    assert from_file.extractions.height == 249


@pytest.mark.parametrize("kind", ["lazy", "pandas", "reader"])
def test_a_run_on_a_frame_gives_the_same_tables_as_its_file(kind: str, tmp_path: Path) -> None:
    pf.run(EXPORTS[kind](), tmp_path / "frame", CONFIG, engine="shapely")
    pf.run(EXPORT, tmp_path / "file", CONFIG, engine="shapely")
    for table in ("classifications", "extractions", "labels", "reductions", "contours"):
        assert (
            pf.scan(tmp_path / "frame", table).collect().equals(pf.scan(tmp_path / "file", table).collect())
        )
    assert pf.status(tmp_path / "frame").sources == ["the frame"]
    assert pf.validate(tmp_path / "frame") == []
    assert not list((tmp_path / "frame").rglob("frame-*"))  # the copy is gone


MARKS: dict[str, Callable[[pl.DataFrame], Any]] = {
    "eager": lambda marks: marks,
    "lazy": lambda marks: marks.lazy(),
    "pandas": lambda marks: marks.to_pandas(),
    "pandas of arrow": lambda marks: marks.to_pandas(use_pyarrow_extension_array=True),
    "table": lambda marks: marks.to_arrow(),
    "capsule": lambda marks: Capsule(marks.to_arrow()),
    "names with blanks": lambda marks: marks.rename(lambda column: f" {column}"),
    "other numbers": lambda marks: marks.with_columns(
        pl.col("subject_id", "frame").cast(pl.Float64), pl.col("user_id").cast(pl.Float64).fill_null(np.nan)
    ),
}


@pytest.mark.parametrize("kind", MARKS)
def test_marks_as_a_frame(kind: str, from_file: pf.Extraction) -> None:
    if "pandas" in kind:
        pytest.importorskip("pandas", reason="pandas is missing")
    expected = pf.reduce(from_file.extractions, engine="shapely")
    reduction = pf.reduce(MARKS[kind](from_file.extractions), engine="shapely")
    assert reduction.labels.equals(expected.labels)
    assert reduction.reductions["area"].equals(expected.reductions["area"])
    assert pf.contours(MARKS[kind](from_file.extractions), engine="shapely").height == 36
    tuned = pf.tune(MARKS[kind](from_file.extractions), eps=0.5, min_samples=2, engine="shapely")
    assert tuned["marks"].to_list() == [expected.labels.height]


def test_a_reader_of_marks_is_read_once(from_file: pf.Extraction) -> None:
    reduction = pf.reduce(from_file.extractions.to_arrow().to_reader(), engine="shapely")
    assert reduction.reductions.height == 36


NO_EXPORT = (
    "classifications: expected a path, an address, several, or a frame of Polars, pandas or Arrow, got "
)
NO_MARKS = "the marks: expected an Extraction, a frame of Polars, pandas or Arrow .*, got "


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "None"),
        (5, "5"),
        (True, "True"),
        (b"x.csv", "bytes"),
        ({"a": 1}, "dict"),
        (object(), "object"),
        ([1, 2], "1"),
        ([EXPORT, None], "None"),
        (pl.Series([1.5]), "1.5"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_the_message_describes_a_value_that_is_not_an_export(value: Any, shown: str, tmp_path: Path) -> None:
    for call in (lambda: pf.extract(value), lambda: pf.run(value, tmp_path / "out")):
        with pytest.raises(pf.UsageError, match=f"^{NO_EXPORT}{shown}$"):
            call()
    assert not (tmp_path / "out").exists()


def test_an_open_file_and_the_text_of_a_file_are_not_exports() -> None:
    with (
        EXPORT.open(encoding="utf-8") as file,
        pytest.raises(pf.UsageError, match="got an open file; pass its path"),
    ):
        pf.extract(file)
    with pytest.raises(pf.UsageError, match=r"'classification_id,user_name,.*'\.\.\. is too long for a path"):
        pf.extract(EXPORT.read_text(encoding="utf-8")[:5000])
    with pytest.raises(pf.UsageError, match="classifications: '' is not a path"):
        pf.extract("")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "None"),
        (5, "5"),
        (b"", "bytes"),
        ([1, 2], "list"),
        ({}, "dict"),
        (pl.Series([1]), "polars.Series"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_the_message_describes_a_value_that_is_not_marks(value: Any, shown: str) -> None:
    for call in (pf.reduce, pf.contours, pf.tune):
        with pytest.raises(pf.UsageError, match=f"^{NO_MARKS}{shown}$"):
            call(value)


def test_frames_that_are_not_exports(from_file: pf.Extraction) -> None:
    export = pl.read_csv(EXPORT, infer_schema=False)
    lists = export.with_columns(annotations=pl.lit([1]))
    for frame, message in (
        (pl.DataFrame(), "the frame: not a classification export; expected a frame with the columns"),
        (
            from_file.extractions,
            "the frame: not a classification export: missing columns workflow_version, annotations, subj",
        ),
        (export.head(0), "the frame: contains no classifications"),
        (lists, r"the frame: column annotations has type List\(.*\); expected text"),
        (pl.scan_csv("no such.csv"), "the frame: cannot be computed: .*no such.csv"),
        (export.with_columns(pl.Series("metadata", [{}] * len(export), dtype=pl.Object)), "has type Object"),
    ):
        with pytest.raises(pf.PolyframeError, match=message):
            pf.extract(frame)


def test_versions_as_floats_are_refused() -> None:
    # read_csv infers floats, so that 7.10 becomes 7.1.
    for frame in (_pandas(), pl.read_csv(EXPORT), pl.scan_csv(EXPORT)):
        with pytest.raises(
            pf.PolyframeError, match=r"the frame: column workflow_version .* 7\.10 and 7\.1 are"
        ):
            pf.extract(frame)


def test_pandas_frames_that_cannot_be_read() -> None:
    frame = _pandas(dtype=str)
    mixed = frame.assign(user_name=[1, "a", *[None] * (len(frame) - 2)])
    with pytest.raises(pf.PolyframeError, match=r"column user_name.*pandas\.read_csv\(\.\.\., dtype=str\)"):
        pf.extract(mixed)
    duplicated = frame[[*frame.columns, "user_name"]]
    with pytest.raises(pf.PolyframeError, match="pandas frame cannot be read: Duplicate column names"):
        pf.extract(duplicated)
    # Columns that are not needed may contain anything.
    assert pf.extract(frame.assign(subject_data=[object()] * len(frame)), CONFIG).extractions.height == 249


def test_frames_that_are_not_marks(from_file: pf.Extraction) -> None:
    marks = from_file.extractions
    for frame, message in (
        (
            pl.read_csv(EXPORT),
            "lacks the columns .*; it contains rows of an export: pass it to extract first",
        ),
        (marks.drop("x"), "the frame lacks the column x of the table extractions$"),
        (
            marks.with_columns(x=pl.lit("1")),
            "the column x of the frame is of type String, expected lists of numbers",
        ),
        (
            marks.with_columns(y=pl.lit(["1"])),
            r"the column y of the frame is of type List\(String\), expected lists",
        ),
        (
            marks.with_columns(created_at=7),
            "the column created_at of the frame is of type Int32, expected times",
        ),
        (marks.with_columns(subject_id=np.nan), r"row 0 of the frame \(from 0\) has no subject_id"),
        (marks.with_columns(frame=0.5), r"row 0 of the frame \(from 0\) has a frame that is not an integer"),
        (pl.scan_csv("no such.csv"), "the marks: the frame cannot be computed: .*no such.csv"),
    ):
        with pytest.raises(pf.PolyframeError, match=message):
            pf.reduce(frame)
