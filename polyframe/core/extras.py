"""Describe the optional parts of polyframe: which are installed, and how to install the others."""

import importlib.util
from typing import Final

#: The name on PyPI. The distribution `polyframe` there belongs to another project.
DISTRIBUTION: Final = "panoptes-polyframe"


def install_command(extra: str) -> str:
    """Return the command that installs an extra, such as `pip install 'panoptes-polyframe[plot]'`."""
    return f"pip install '{DISTRIBUTION}[{extra}]'"


def installed_engines() -> str:
    """Return the installed engines with their versions, on one line, without importing them."""
    from importlib.metadata import version  # late, since it takes a twentieth of a second

    shapely = f"shapely {version('shapely')}"
    if importlib.util.find_spec("numba") is None:
        return f"{shapely}; for compiled: {install_command('fast')}"
    return f"{shapely}, compiled with numba {version('numba')}"
