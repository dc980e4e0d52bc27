"""Read a few columns of a classification export, as they are."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from polyframe.core.errors import PolyframeError, first_line
from polyframe.core.plurals import plural
from polyframe.panoptes.classifications.compression import file_kind


def scan_columns(export: Path, columns: Sequence[str], purpose: str) -> pl.LazyFrame:
    """Scan some columns of a classification export as text.

    Parameters
    ----------
    export : Path
        CSV, optionally compressed, or Parquet.
    columns : sequence of str
        Names of columns.
    purpose : str
        What they are read for, such as `image sizes`, for messages.

    Raises
    ------
    PolyframeError
        If the file cannot be read or lacks a column. Errors of later reading are Polars errors; see
        `explain_unreadable`.
    """
    kind = file_kind(export, str(export))
    with explain_unreadable(export):
        rows = (
            pl.scan_parquet(export, glob=False)
            if kind == "parquet"
            else pl.scan_csv(
                export, infer_schema=False, encoding="utf8-lossy", truncate_ragged_lines=True, glob=False
            )
        )
        missing = [name for name in columns if name not in rows.collect_schema().names()]
    if missing:
        raise PolyframeError(
            f"{export}: has no {purpose}: missing {plural(len(missing), 'column')} {', '.join(missing)}; "
            "name the classification export"
        )
    return rows.select(pl.col(name).cast(pl.String) for name in columns)


@contextlib.contextmanager
def explain_unreadable(export: Path) -> Iterator[None]:
    """Raise a PolyframeError that names the export if Polars cannot read it."""
    try:
        yield
    except (pl.exceptions.PolarsError, OSError) as error:
        raise PolyframeError(f"{export}: cannot be read ({first_line(error)})") from None
