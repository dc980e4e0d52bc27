"""The settings that are a choice between words, as types; `typing.get_args` gives the words."""

from collections.abc import Mapping
from typing import Final, Literal

AverageType = Literal["median", "union", "intersection", "last"]
RepeatFilter = Literal["first", "last", "all"]
ContourMethod = Literal["exact", "raster"]
Smoothing = Literal["minimal_sides", "rounded", "no_smoothing"]
DuplicateMarks = Literal["reject", "keep"]
EngineName = Literal["auto", "shapely", "compiled"]
Volunteers = Literal["keep", "hash", "drop"]
Visitors = Literal["session", "name"]
ExtractorKind = Literal["polygon", "bezier"]
#: How the version of an output directory was chosen: named, by default, or as the newest that was asked for.
VersionChosenBy = Literal["user", "default", "newest"]

#: Earlier names of an engine, which are still accepted.
ENGINE_ALIASES: Final[Mapping[str, EngineName]] = {"sweep": "compiled", "fast": "compiled"}
