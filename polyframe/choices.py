"""The settings that are a choice between words, as types; `typing.get_args` gives the words."""

from typing import Literal

AverageType = Literal["median", "union", "intersection", "last"]
RepeatFilter = Literal["first", "last", "all"]
ContourMethod = Literal["exact", "raster"]
Smoothing = Literal["minimal_sides", "rounded", "no_smoothing"]
EngineName = Literal["auto", "shapely", "sweep"]
Volunteers = Literal["keep", "hash", "drop"]
Visitors = Literal["session", "name"]
ExtractorKind = Literal["polygon", "bezier"]
