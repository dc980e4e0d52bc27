"""The parts of the README that are made from code: the tables, the settings, the reasons for rejection.

`python -m polyframe.core.documentation README.md` writes them between their markers; the tests
check that they are up to date.
"""

import dataclasses
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from polyframe.core.reasons import REASONS
from polyframe.core.settings import Settings
from polyframe.core.tables import TABLES, TUNING, Table


def tables_section() -> str:
    """Describe every table: what a row is, its order, its columns with types and meanings."""
    lines = []
    for table in TABLES.values():
        lines += [
            f"#### `{table.name}`",
            "",
            f"One row per {table.row}. Sorted by {', '.join(table.sort_by)}.",
        ]
        if table.geometry:
            lines[-1] += " GeoParquet 1.1."
        lines += ["", *_column_lines(table), ""]
    return "\n".join(lines).rstrip()


def settings_section() -> str:
    """Describe every setting: its name in Python and YAML, its flag, its default and what it does."""
    lines = ["| setting | flag | default | meaning |", "|---|---|---|---|"]
    for f in dataclasses.fields(Settings):
        flag = f"`{f.metadata['flag']}`" if f.metadata["flag"] else ""
        default = "" if f.default in (None, ()) else f"`{f.default}`"
        choices = (
            f" ({', '.join(f'`{choice}`' for choice in f.metadata['choices'])})"
            if f.metadata["choices"]
            else ""
        )
        lines.append(f"| `{f.name}` | {flag} | {default} | {f.metadata['help']}{choices} |")
    return "\n".join(lines)


def tuning_section() -> str:
    """Describe the columns of the table of settings that `tune` makes."""
    return "\n".join(_column_lines(TUNING))


def reasons_section() -> str:
    """Describe every reason for rejection."""
    lines = ["| reason | stage | what is rejected | meaning |", "|---|---|---|---|"]
    for reason in REASONS:
        what = "row" if reason.whole_row else "mark"
        lines.append(f"| `{reason.code}` | {reason.stage} | {what} | {reason.meaning} |")
    return "\n".join(lines)


SECTIONS: Final[dict[str, Callable[[], str]]] = {
    "tables": tables_section,
    "settings": settings_section,
    "tuning": tuning_section,
    "reasons": reasons_section,
}


def filled(text: str) -> str:
    """Return a document with every section between its markers replaced by what the code says.

    Parameters
    ----------
    text : str
        Has `<!-- tables -->` and `<!-- end of tables -->`, and the same for the other sections.
    """
    for name, section in SECTIONS.items():
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        made = f"{begin}\n{section()}\n{end}"
        text = made.join(pattern.split(text))
    return text


def _column_lines(table: Table) -> list[str]:
    lines = ["| column | type | meaning |", "|---|---|---|"]
    return lines + [f"| `{c.name}` | {_type_name(c.dtype)} | {c.meaning} |" for c in table.columns]


def _type_name(dtype: Any) -> str:
    names = {
        "Int64": "i64",
        "Int32": "i32",
        "Float64": "f64",
        "String": "str",
        "Boolean": "bool",
        "Binary": "binary",
    }
    text = re.sub(r"Datetime\(.*?\)", "timestamp (us, UTC)", str(dtype))
    for polars_name, name in names.items():
        text = text.replace(polars_name, name)
    return text.replace("List(", "list<").replace(")", ">") if text.startswith("List") else text


def main() -> None:
    """Fill in the sections of the document named on the command line."""
    path = Path(sys.argv[1])
    path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
