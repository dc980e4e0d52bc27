"""Compute consensus polygons and agreement contours from the drawings of Zooniverse volunteers.

>>> import polyframe as pf
>>> pf.run("classifications.csv", "out", eps=0.5, min_samples=2)  # doctest: +SKIP
>>> pf.scan("out", "contours")  # doctest: +SKIP

The functions correspond to the commands of the same names. `polyframe.geometry` works on arrays of polygons,
and `polyframe.plot` draws.
"""

import importlib
from typing import TYPE_CHECKING, Any, Final

from polyframe.core import fork_guard  # noqa: F401 - it registers a hook
from polyframe.core.errors import PolyframeError, UsageError

if TYPE_CHECKING:
    from polyframe import geometry as geometry
    from polyframe import plot as plot
    from polyframe.api import (
        DrawingTask,
        Explored,
        Exported,
        Extraction,
        Finding,
        Findings,
        ImportedCorrections,
        Loaded,
        PolyframeWarning,
        Published,
        Reduction,
        Reported,
        Status,
        Summary,
        Vacuumed,
        config,
        contours,
        explode_levels,
        explore,
        export,
        extract,
        import_corrections,
        load,
        reduce,
        report,
        run,
        scan,
        score,
        status,
        subjects,
        synth,
        to_geopandas,
        tune,
        vacuum,
        validate,
        volunteers,
    )
    from polyframe.plot.notebook import ShownSubject, show

# Import the folder first: later, it would replace the function `polyframe.export`.
importlib.import_module("polyframe.export")
globals().pop("export", None)

__version__ = "0.1.0"

__all__ = [
    "DrawingTask",
    "Explored",
    "Exported",
    "Extraction",
    "Finding",
    "Findings",
    "ImportedCorrections",
    "Loaded",
    "PolyframeError",
    "PolyframeWarning",
    "Published",
    "Reduction",
    "Reported",
    "ShownSubject",
    "Status",
    "Summary",
    "UsageError",
    "Vacuumed",
    "__version__",
    "config",
    "contours",
    "explode_levels",
    "explore",
    "export",
    "extract",
    "import_corrections",
    "load",
    "reduce",
    "report",
    "run",
    "scan",
    "score",
    "show",
    "status",
    "subjects",
    "synth",
    "to_geopandas",
    "tune",
    "vacuum",
    "validate",
    "volunteers",
]

_MODULES: Final = ("geometry", "plot")
#: Names that need the extra of `plot`, which the API does not import.
_OF_PLOT: Final = ("ShownSubject", "show")


class _MissingExtraError(PolyframeError, AttributeError):
    """A public module cannot be imported; `hasattr` and `help` treat it as missing."""


def __getattr__(name: str) -> Any:
    # Import late: `polyframe --help` and `import polyframe` need neither Polars nor GEOS.
    if name in (*_MODULES, *_OF_PLOT):
        try:
            if name in _OF_PLOT:
                return getattr(importlib.import_module("polyframe.plot.notebook"), name)
            return importlib.import_module(f"polyframe.{name}")
        except PolyframeError as error:
            raise _MissingExtraError(str(error)) from None
    if name in __all__:
        from polyframe import api

        return getattr(api, name)
    raise AttributeError(f"module 'polyframe' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_MODULES])
