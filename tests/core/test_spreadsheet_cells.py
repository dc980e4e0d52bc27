"""Text that a spreadsheet would take for a formula gets an apostrophe in front, and nothing else changes."""

import polars as pl
import pytest

from polyframe.core.spreadsheet_cells import escape_formula, escape_formulas, unescape_formula


def test_only_text_that_may_be_a_formula_is_changed() -> None:
    table = pl.DataFrame(
        {"tool": ["=1+1", "T0_tool1", None, "-2", "=1+1"], "area": [-1.0, 2.0, 3.0, 4.0, 5.0]}
    )
    expected = table.with_columns(tool=pl.Series(["'=1+1", "T0_tool1", None, "'-2", "'=1+1"]))
    assert escape_formulas(table).equals(expected)


@pytest.mark.parametrize("texts", [[], [None]])
def test_columns_without_text(texts: list[None]) -> None:
    table = pl.DataFrame({"tool": pl.Series(texts, dtype=pl.String)})
    assert escape_formulas(table).equals(table)


@pytest.mark.parametrize("text", ["=1", "@a", "T0", "'a", ""])
def test_the_text_is_read_back(text: str) -> None:
    assert unescape_formula(escape_formula(text)) == text
