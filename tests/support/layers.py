"""List the layers of the package."""

#: From the top down; modules of one folder may import those of any folder below it.
LAYERS = (
    "cli",
    "api",
    "plot",
    "export",
    "pipeline",
    "store",
    "consensus",
    "synthetic",
    "panoptes",
    "geometry",
    "core",
)
