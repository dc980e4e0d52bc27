"""Read the footers of part files."""

import json
from pathlib import Path

import pyarrow.parquet as pq


def settings_in(folder: Path) -> set[str]:
    """Return the settings that the footers of the parts in a folder contain."""
    footers = (json.loads(pq.read_schema(path).metadata[b"polyframe"]) for path in folder.glob("*.parquet"))
    return {json.dumps(footer["settings"], sort_keys=True) for footer in footers}
