"""Provide the public functions: the verbs of the command line, on paths or on frames in memory.

Without `output=`, `extract`, `reduce` and `contours` return frames; with it they write tables to an output
directory, exactly like the command of that name. Notes about what was chosen or skipped go to `say`; without
it, notes that may need action are warnings (`PolyframeWarning`), and others are in the log `polyframe`.
"""

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from polyframe.consensus.explode_levels import explode_levels
    from polyframe.consensus.extract import Extraction
    from polyframe.consensus.reduce import Reduction
    from polyframe.core.drawing_tasks import DrawingTask
    from polyframe.core.notes import PolyframeWarning
    from polyframe.export.corrections.import_corrections import import_corrections
    from polyframe.export.corrections.imported import ImportedCorrections
    from polyframe.export.export_output import export
    from polyframe.export.exported_file import Exported
    from polyframe.export.geo_frames import to_geopandas
    from polyframe.export.load.load import load
    from polyframe.export.load.loaded import Loaded
    from polyframe.export.report.explore import Explored, explore
    from polyframe.export.report.write_report import Reported, report
    from polyframe.panoptes.config.write_config import config
    from polyframe.pipeline.score import score
    from polyframe.pipeline.stage_functions import contours, extract, reduce, run
    from polyframe.pipeline.summary import Summary
    from polyframe.pipeline.tune import tune
    from polyframe.pipeline.worst_first import subjects, volunteers
    from polyframe.store.reading import scan
    from polyframe.store.status import Published, Status, status
    from polyframe.store.vacuum import Vacuumed, vacuum
    from polyframe.store.validation import Finding, Findings, validate
    from polyframe.synthetic.synth import synth

__all__ = [
    "DrawingTask",
    "Explored",
    "Exported",
    "Extraction",
    "Finding",
    "Findings",
    "ImportedCorrections",
    "Loaded",
    "PolyframeWarning",
    "Published",
    "Reduction",
    "Reported",
    "Status",
    "Summary",
    "Vacuumed",
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
    "status",
    "subjects",
    "synth",
    "to_geopandas",
    "tune",
    "vacuum",
    "validate",
    "volunteers",
]


#: The module of each public name, imported when the name is used: no command waits for those of others.
_MODULES: Final = {
    "DrawingTask": "polyframe.core.drawing_tasks",
    "Explored": "polyframe.export.report.explore",
    "Exported": "polyframe.export.exported_file",
    "Extraction": "polyframe.consensus.extract",
    "Finding": "polyframe.store.validation",
    "Findings": "polyframe.store.validation",
    "ImportedCorrections": "polyframe.export.corrections.imported",
    "Loaded": "polyframe.export.load.loaded",
    "PolyframeWarning": "polyframe.core.notes",
    "Published": "polyframe.store.status",
    "Reduction": "polyframe.consensus.reduce",
    "Reported": "polyframe.export.report.write_report",
    "Status": "polyframe.store.status",
    "Summary": "polyframe.pipeline.summary",
    "Vacuumed": "polyframe.store.vacuum",
    "config": "polyframe.panoptes.config.write_config",
    "contours": "polyframe.pipeline.stage_functions",
    "explode_levels": "polyframe.consensus.explode_levels",
    "explore": "polyframe.export.report.explore",
    "export": "polyframe.export.export_output",
    "extract": "polyframe.pipeline.stage_functions",
    "import_corrections": "polyframe.export.corrections.import_corrections",
    "load": "polyframe.export.load.load",
    "reduce": "polyframe.pipeline.stage_functions",
    "report": "polyframe.export.report.write_report",
    "run": "polyframe.pipeline.stage_functions",
    "scan": "polyframe.store.reading",
    "score": "polyframe.pipeline.score",
    "status": "polyframe.store.status",
    "subjects": "polyframe.pipeline.worst_first",
    "synth": "polyframe.synthetic.synth",
    "to_geopandas": "polyframe.export.geo_frames",
    "tune": "polyframe.pipeline.tune",
    "vacuum": "polyframe.store.vacuum",
    "validate": "polyframe.store.validation",
    "volunteers": "polyframe.pipeline.worst_first",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)
