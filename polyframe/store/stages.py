"""Define the stages of a run: the tables that each writes, and the settings that matter to them."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from polyframe.core.drawing_tasks import DrawingTask
from polyframe.core.errors import PolyframeError, UsageError
from polyframe.core.setting_fields import Affects
from polyframe.core.settings import Settings
from polyframe.core.tables import PUBLIC_TABLES

#: The tables of each stage with a part for each partition, in the order of the stages.
STAGE_TABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "extract": ("classifications", "extractions", "rejects"),
    "reduce": ("groups", "labels", "reductions", "subjects", ".volunteer_sums"),
    "contours": ("contours",),
}
#: In place of a stage: what somebody imported. Runs keep its tables.
IMPORTED: Final = "import-corrections"
#: The tables of each stage with one part: those that are merged from all partitions, and imported ones.
MERGED_TABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "reduce": ("volunteers",),
    IMPORTED: ("corrections",),
}
#: Which settings matter to the tables of each stage.
_STAGE_SETTINGS: Final[Mapping[str, tuple[Affects, ...]]] = {
    "extract": ("extract",),
    "reduce": ("extract", "reduce"),
    "contours": ("extract", "reduce", "contours"),
}
#: The stages whose tables depend on the engine.
ENGINE_STAGES: Final = ("reduce", "contours")
#: Settings of the reduction that do not change the clusters.
NOT_CLUSTERING: Final = ("average_type",)


def stage_of(table: str) -> str:
    """Return the stage that writes a table."""
    stages = (*STAGE_TABLES, *MERGED_TABLES)
    return next(stage for stage in stages if table in tables_of_stages([stage]))


def tables_of_stages(stages: Iterable[str]) -> list[str]:
    """Return the tables of some stages, hidden ones included."""
    tables = (STAGE_TABLES, MERGED_TABLES)
    return [table for stage in stages for of_stage in tables for table in of_stage.get(stage, ())]


def public_tables(stages: Iterable[str]) -> list[str]:
    """Return the tables of some stages that users know."""
    return [table for table in tables_of_stages(stages) if table in PUBLIC_TABLES]


def stage_settings(settings: Settings, stage: str) -> dict[str, Any]:
    """Return the settings that matter to the tables of a stage, as plain JSON values."""
    names = settings.affecting(*_STAGE_SETTINGS.get(stage, ()))
    if stage == "contours":
        names = {name: value for name, value in names.items() if name not in NOT_CLUSTERING}
    return names


def settings_of(recorded: Mapping[str, Any]) -> Settings:
    """Return settings from the plain JSON values of `Settings.affecting`.

    Raises
    ------
    PolyframeError
        If one of them is not valid.
    """
    try:
        tasks = tuple(
            DrawingTask(task["task"], None if task["tools"] is None else tuple(task["tools"]), task["kind"])
            for task in recorded.get("drawing_tasks", ())
        )
        return Settings().replace({**recorded, "drawing_tasks": tasks})
    except (KeyError, TypeError, UsageError) as error:
        raise PolyframeError(f"the recorded settings are not valid ({error}); run again") from None
