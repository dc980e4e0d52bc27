"""The settings that are a choice between words, as types; `typing.get_args` gives the words."""

from collections.abc import Mapping
from typing import Final, Literal

AverageType = Literal["median", "majority", "union", "intersection", "last"]
RepeatFilter = Literal["first", "last", "all"]
GoldStandard = Literal["use", "exclude"]
#: How marks are clustered, and which clusters are split afterwards.
ClusterMethod = Literal["dbscan", "hdbscan"]
Split = Literal["none", "doubled"]
ContourMethod = Literal["exact", "raster"]
Smoothing = Literal["minimal_sides", "rounded", "no_smoothing"]
DuplicateMarks = Literal["reject", "keep"]
EngineName = Literal["auto", "shapely", "compiled"]
#: What `auto` can be.
EngineUsed = Literal["shapely", "compiled"]
Volunteers = Literal["keep", "hash", "drop"]
Visitors = Literal["session", "name"]
ExtractorKind = Literal["polygon", "bezier"]
#: The tables of an output directory.
TableName = Literal[
    "classifications",
    "extractions",
    "rejects",
    "groups",
    "labels",
    "reductions",
    "subjects",
    "volunteers",
    "contours",
    "corrections",
]
#: Whether corrected polygons replace the averages of their clusters.
CorrectionsUse = Literal["use", "ignore"]
#: Whether the heat map of agreement shows shares of the marks or counts them.
Scale = Literal["share", "count"]
#: What becomes of clusters without a polygon in a file of corrections.
MissingPolygons = Literal["listed", "keep", "remove"]
#: What can be scored against the outlines of an expert.
ScoredTable = Literal["reductions", "contours", "marks"]
#: The formats of an export.
ExportFormat = Literal["panoptes-csv", "geojson", "coco", "yolo", "masks", "labelstudio", "gpkg", "levels"]
#: How the version of an output directory was chosen: named, by default, or as the newest that was asked for.
VersionChosenBy = Literal["user", "default", "newest"]

#: Earlier names of an engine, which are still accepted.
ENGINE_ALIASES: Final[Mapping[str, EngineName]] = {"sweep": "compiled", "fast": "compiled"}
