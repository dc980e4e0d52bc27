"""Name the command that installs an optional part of polyframe."""

from typing import Final

#: The name on PyPI. The distribution `polyframe` there is somebody else's.
DISTRIBUTION: Final = "panoptes-polyframe"


def install_command(extra: str) -> str:
    """Return the command that installs an extra, such as `pip install 'panoptes-polyframe[plot]'`."""
    return f"pip install '{DISTRIBUTION}[{extra}]'"
