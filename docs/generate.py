"""Generate the reference tables, the help of the commands and the pictures before Sphinx reads the pages."""

import dataclasses
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import click
import consumers
from sphinx.application import Sphinx

from polyframe.cli.app import cli
from polyframe.core.environment import variable_of
from polyframe.core.reasons import REASONS
from polyframe.core.result_tables import SCORES, TUNING
from polyframe.core.settings import Settings
from polyframe.core.table_schema import Table
from polyframe.core.tables import PUBLIC_TABLES
from polyframe.export.shape_rows import LEVELS

DOCS: Final = Path(__file__).parent
#: Generated files; pages include them, and Git ignores them.
FOLDER: Final = DOCS / "_generated"
#: Characters per line of the help of commands, so that it fits a page.
WIDTH: Final = 80

_TYPE_NAMES: Final = {
    "Int64": "i64",
    "Int32": "i32",
    "Float64": "f64",
    "String": "str",
    "Boolean": "bool",
    "Binary": "binary",
}


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    # Before autosummary writes its pages.
    app.connect("builder-inited", lambda _: generate(), priority=100)
    return {"parallel_read_safe": True}


def generate() -> None:
    """Write one file per generated section, and the pictures."""
    from pictures import draw_pictures  # Matplotlib is slow to import

    shutil.rmtree(DOCS / "reference" / "_api", ignore_errors=True)  # pages of names that are gone
    FOLDER.mkdir(exist_ok=True)
    sections: dict[str, Callable[[], Iterator[str]]] = {
        "tables": table_lines,
        "settings": setting_lines,
        "reasons": reason_lines,
        "tuning": lambda: column_lines(TUNING),
        "scores": lambda: column_lines(SCORES),
        "levels": lambda: column_lines(LEVELS),
        "commands": command_lines,
        "consumers": consumer_lines,
    }
    for name, lines in sections.items():
        text = "\n".join(lines())
        (FOLDER / f"{name}.md").write_text(f"{text}\n", encoding="utf-8", newline="\n")
    draw_pictures(FOLDER)


def table_lines() -> Iterator[str]:
    """Yield a section per table: what a row is, the sort order, the columns."""
    for table in PUBLIC_TABLES.values():
        yield from (f"## `{table.name}`", "")
        form = " GeoParquet 1.1." if table.geometry else ""
        keys = ", ".join(f"`{key}`" for key in table.sort_by)
        yield from (f"One row per {table.row}. Sorted by {keys}.{form}", "")
        yield from (*column_lines(table), "")


def column_lines(table: Table) -> Iterator[str]:
    """Yield the columns of a table with their types and meanings."""
    yield from ("| column | type | meaning |", "|---|---|---|")
    for column in table.columns:
        nullable = ", nullable" if column.nullable else ""
        yield f"| `{column.name}` | {type_name(column.dtype)}{nullable} | {column.meaning} |"


def type_name(dtype: Any) -> str:
    """Return the short name of a Polars type, such as `list<f64>`."""
    text = re.sub(r"Datetime\(.*?\)", "timestamp (us, UTC)", str(dtype))
    for polars_name, name in _TYPE_NAMES.items():
        text = text.replace(polars_name, name)
    return text.replace("List(", "list<").replace(")", ">") if text.startswith("List") else text


def setting_lines() -> Iterator[str]:
    """Yield every setting: its name, flag and variable, its default and its meaning."""
    yield from ("| setting | default | meaning |", "|---|---|---|")
    for field in dataclasses.fields(Settings):
        flag = field.metadata["flag"]
        names = f"<br>`{flag}`<br>`{variable_of(flag)}`" if flag else ""
        default = "" if field.default in (None, ()) else f"`{field.default}`"
        choices = ", ".join(f"`{choice}`" for choice in field.metadata["choices"] or ())
        meaning = field.metadata["help"] + (f" ({choices})" if choices else "")
        yield f"| `{field.name}`{names} | {default} | {meaning} |"


def reason_lines() -> Iterator[str]:
    """Yield every reason for rejection."""
    yield from ("| reason | stage | rejected | meaning |", "|---|---|---|---|")
    for reason in REASONS:
        rejected = "row" if reason.whole_row else "mark"
        yield f"| `{reason.code}` | {reason.stage} | {rejected} | {reason.meaning} |"


def command_lines() -> Iterator[str]:
    """Yield the help of every command, in the order of `polyframe --help`."""
    for name, text in helps().items():
        yield from (f"## polyframe {name}", "", "```text", text, "```", "")


def consumer_lines() -> Iterator[str]:
    """Yield every program that opens our files: its version, what it opens, and how."""
    yield from ("| program | version | opens | how | checked |", "|---|---|---|---|---|")
    for consumer in consumers.CONSUMERS:
        checked = "by hand" if consumer.test is None else "by a test"
        yield f"| {consumer.program} | {consumer.version} | {consumer.opens} | {consumer.how} | {checked} |"


def helps() -> dict[str, str]:
    """Return the help of every command, by its name."""
    texts = {}
    settings = cli.context_settings | {"max_content_width": WIDTH, "terminal_width": WIDTH}
    with click.Context(cli, info_name="polyframe", **settings) as context:
        for name in cli.list_commands(context):
            command = cli.get_command(context, name)
            assert command is not None
            with click.Context(command, parent=context, info_name=name) as own:
                texts[name] = command.get_help(own)
    return texts
