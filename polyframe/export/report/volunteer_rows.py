"""Read the volunteers of an output, lowest score first, with numbers instead of names by default."""

from dataclasses import dataclass

import polars as pl

from polyframe.store.reading import OutputTables

#: The columns of the table `volunteers` that a report shows.
_SHOWN = ("n_classifications", "n_marks", "n_outliers", "precision", "recall", "iou", "score")


@dataclass(frozen=True)
class VolunteerRows:
    """The volunteers in a report.

    Attributes
    ----------
    rows : polars.DataFrame
        `volunteer`, as in the tables, `name`, as in the report, and columns of the table `volunteers`; lowest
        score first, those without a score last.
    n_all : int
        Volunteers in the output.
    named : bool
        Whether `name` is the volunteer, or a number.
    """

    rows: pl.DataFrame
    n_all: int
    named: bool

    def places(self, volunteers: pl.Series) -> pl.Series:
        """Return the row of each volunteer; -1 if there is none."""
        rows = self.rows.select("volunteer").with_row_index("place").cast({"place": pl.Int32})
        joined = volunteers.to_frame("volunteer").join(
            rows, on="volunteer", how="left", maintain_order="left"
        )
        return joined["place"].fill_null(-1)


def volunteer_rows(source: OutputTables, limit: int, *, named: bool) -> VolunteerRows:
    """Read the volunteers with the lowest scores.

    Parameters
    ----------
    source : OutputTables
        With reductions.
    limit : int
        Largest number of volunteers.
    named : bool
        Whether the report shows who they are.

    Raises
    ------
    PolyframeError
        If a part is missing.
    """
    table = source.scan("volunteers").select("volunteer", *_SHOWN).collect()
    ordered = table.sort("score", "volunteer", nulls_last=True)
    name = pl.col("volunteer") if named else pl.format("Volunteer {}", pl.int_range(1, pl.len() + 1))
    return VolunteerRows(ordered.with_columns(name=name).head(limit), table.height, named)
