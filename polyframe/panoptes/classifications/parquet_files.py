"""Open classification exports that are stored as Parquet, with every column as text."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from polyframe.core.errors import PolyframeError
from polyframe.panoptes.classifications.column_parsers import timestamp_from_time
from polyframe.panoptes.classifications.columns import check_columns, known_columns, select_known_columns
from polyframe.panoptes.classifications.csv_repair import ROW_NUMBER

#: Larger row groups are split first, since Polars decodes several at once.
_LARGEST_ROW_GROUP: Final = 64_000_000
_ROWS_AT_ONCE: Final = 1000
_READ_BYTES: Final = 1 << 20


def open_parquet(path: Path, name: str, copy: Path) -> pl.LazyFrame:
    """Open a Parquet export with every column as text.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        Its name in messages.
    copy : Path
        The path of a copy with small row groups if those of the file are too large for bounded memory.

    Returns
    -------
    polars.LazyFrame
        As from `columns.open_csv`.

    Raises
    ------
    PolyframeError
        If the file is damaged, lacks columns, or has a column of a type that CSV cannot represent.
    """
    if copy.exists():
        # Written when it was opened before.
        path = copy
    try:
        metadata = pq.read_metadata(path)
        columns = pq.read_schema(path).names
        check_columns(columns, name)
        names = known_columns(columns)
        groups = [metadata.row_group(index).total_byte_size for index in range(metadata.num_row_groups)]
        if max(groups, default=0) > _LARGEST_ROW_GROUP:
            copy_row_groups(path, list(names.values()), copy)
            path = copy
        lazy = pl.scan_parquet(path, row_index_name=ROW_NUMBER, row_index_offset=1, glob=False)
        lazy = lazy.select(ROW_NUMBER, **names)
        schema = lazy.collect_schema()
    except (pa.ArrowException, pl.exceptions.PolarsError, OSError) as error:
        raise damaged(path, name, error) from None
    lazy = lazy.select(ROW_NUMBER, *(_as_text(column, schema[column], name) for column in names))
    return select_known_columns(lazy, list(names))


def damaged(path: Path, name: str, error: Exception) -> PolyframeError:
    """Return the error for a Parquet file that cannot be read."""
    if isinstance(error, OSError) and error.errno is not None:
        return PolyframeError(f"{name}: cannot be read ({error.strerror})")
    if not path.exists():
        return PolyframeError(f"{name}: disappeared while it was read")
    return PolyframeError(f"{name}: the Parquet file is damaged or incomplete; write or download it again")


def copy_row_groups(path: Path, columns: Sequence[str], copy: Path, groups: range | None = None) -> None:
    """Copy columns of a Parquet file into small row groups, one page at a time.

    Parameters
    ----------
    path : Path
        The file.
    columns : sequence of str
        The columns to copy.
    copy : Path
        The file to write; its folder is created.
    groups : range, optional
        The row groups to copy; by default, all.
    """
    copy.parent.mkdir(parents=True, exist_ok=True)
    unfinished = copy.with_name(f"{copy.name}.unfinished")
    with pq.ParquetFile(path, pre_buffer=False, buffer_size=_READ_BYTES) as file:
        arrow = file.schema_arrow
        schema = pa.schema([arrow.field(column) for column in columns])
        numbers = range(file.num_row_groups) if groups is None else groups
        with pq.ParquetWriter(unfinished, schema, compression="lz4", use_dictionary=False) as writer:
            for batch in file.iter_batches(_ROWS_AT_ONCE, list(numbers), columns, use_threads=False):
                writer.write_batch(batch.select(columns))
    unfinished.replace(copy)


def _as_text(column: str, dtype: pl.DataType, name: str) -> pl.Expr:
    """Convert a column of any plain type to the text that the CSV would contain, null if empty."""
    if column == "workflow_version" and (dtype.is_float() or dtype.is_decimal()):
        raise PolyframeError(
            f"{name}: column workflow_version contains numbers ({dtype}), in which 7.10 and 7.1 are equal; "
            "name the CSV, or read it with workflow_version as text: "
            "pandas.read_csv(..., dtype={'workflow_version': str}), "
            "polars.read_csv(..., schema_overrides={'workflow_version': str})"
        )
    if column == "metadata" and dtype.is_nested():
        # It was parsed; little of it is needed.
        is_object = isinstance(dtype, pl.Struct)
        return (pl.col(column).struct.json_encode() if is_object else pl.lit(None, pl.String)).alias(column)
    if dtype.is_nested() or dtype in (pl.Object, pl.Time, pl.Duration):
        raise PolyframeError(
            f"{name}: column {column} has type {dtype}; expected text (for annotations, the JSON as text)"
        )
    if isinstance(dtype, pl.Datetime | pl.Date):
        text = timestamp_from_time(column, dtype).dt.strftime("%Y-%m-%d %H:%M:%S%.f UTC")
    else:
        text = pl.col(column).cast(pl.String, strict=False)
    return pl.when(text != "").then(text).alias(column)
