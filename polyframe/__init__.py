"""polyframe: consensus polygons and agreement contours from the drawings of Zooniverse volunteers.

>>> import polyframe as pf
>>> pf.run("classifications.csv", "out", eps=0.5, min_samples=2)  # doctest: +SKIP
>>> pf.scan("out", "contours")  # doctest: +SKIP

`run`, `extract`, `reduce`, `contours`, `tune`, `export`, `report`, `config`, `scan`, `status` and `validate`
are in `polyframe.api`; arrays of polygons are in `polyframe.geometry`, pictures in `polyframe.plot`; exports
to try things out with are made by `polyframe.synthetic`.
"""

import importlib
from typing import TYPE_CHECKING, Any

from polyframe.core import forks  # noqa: F401 - from now on it notices forks
from polyframe.core.errors import PolyframeError, UsageError

if TYPE_CHECKING:
    from polyframe.api import (
        Exported,
        Extraction,
        Finding,
        Reduction,
        Reported,
        Status,
        Summary,
        config,
        contours,
        export,
        extract,
        reduce,
        report,
        run,
        scan,
        status,
        tune,
        validate,
    )

# The folder first: imported later, it would take the place of the function `polyframe.export`.
importlib.import_module("polyframe.export")
del globals()["export"]

__version__ = "0.1.0"

__all__ = [
    "Exported",
    "Extraction",
    "Finding",
    "PolyframeError",
    "Reduction",
    "Reported",
    "Status",
    "Summary",
    "UsageError",
    "__version__",
    "config",
    "contours",
    "export",
    "extract",
    "reduce",
    "report",
    "run",
    "scan",
    "status",
    "tune",
    "validate",
]


def __getattr__(name: str) -> Any:
    # Late, so that `polyframe --help` and `import polyframe` do not wait for Polars and GEOS.
    if name in __all__:
        from polyframe import api

        return getattr(api, name)
    if name == "plot":
        # `pf.plot` after `import polyframe as pf`; what it needs may not be installed.
        return importlib.import_module("polyframe.plot")
    raise AttributeError(f"module 'polyframe' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
