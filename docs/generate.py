"""Write the pages that come from elsewhere: tables, settings, reasons, commands."""

from collections.abc import Iterator
from pathlib import Path

import click
from sphinx.application import Sphinx

DOCS = Path(__file__).parent
FOLDER = DOCS / "reference" / "_generated"


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("builder-inited", lambda _: write_pages())
    return {"parallel_read_safe": True}


def write_pages() -> None:
    """Write one file per generated section; the pages of the reference include them."""
    from polyframe.core.documentation import SECTIONS

    FOLDER.mkdir(exist_ok=True)
    for name, section in SECTIONS.items():
        _write(f"{name}.inc.md", section().replace("#### ", "## "))
    _write("commands.inc.md", "\n".join(_command_lines()))


def _command_lines() -> Iterator[str]:
    """Yield the help of every command, in the order of `polyframe --help`."""
    from polyframe.cli.app import cli

    with click.Context(cli, info_name="polyframe") as context:
        for name in cli.list_commands(context):
            command = cli.get_command(context, name)
            assert command is not None
            with click.Context(command, parent=context, info_name=name, max_content_width=96) as own:
                yield from (f"## polyframe {name}", "", "```text", command.get_help(own), "```", "")


def _write(name: str, text: str) -> None:
    (FOLDER / name).write_text(f"{text}\n", encoding="utf-8", newline="\n")
