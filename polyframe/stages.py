"""The stages of a run, what each makes, and which settings a later stage takes over from an earlier one."""

from collections.abc import Mapping
from typing import Any, Final

from polyframe._errors import PolyframeError, UsageError
from polyframe.settings import Affects, DrawingTask, Settings

#: The tables that each stage makes, in the order of the stages.
STAGE_TABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "extract": ("classifications", "extractions", "rejects"),
    "reduce": ("groups", "labels", "reductions"),
    "contours": ("contours",),
}
#: Which settings matter to the tables of each stage.
_STAGE_SETTINGS: Final[Mapping[str, tuple[Affects, ...]]] = {
    "extract": ("extract",),
    "reduce": ("extract", "reduce"),
    "contours": ("extract", "reduce", "contours"),
}
#: Settings of the reduction that leave the clusters as they are.
_NOT_CLUSTERING: Final = ("average_type",)
#: Settings of the extraction that may also take part of what was extracted.
_NARROWING: Final = ("task", "tool")


def stage_settings(settings: Settings, stage: str) -> dict[str, Any]:
    """Return the settings that matter to the tables of a stage, as plain JSON values."""
    return settings.affecting(*_STAGE_SETTINGS[stage])


def settings_of(manifest: Mapping[str, Any]) -> Settings:
    """Return the settings that the manifest of an output directory records.

    Raises
    ------
    PolyframeError
        Where one of them is not valid.
    """
    try:
        recorded = dict(manifest["settings"])
        recorded["drawing_tasks"] = tuple(
            DrawingTask(task["task"], None if task["tools"] is None else tuple(task["tools"]), task["kind"])
            for task in recorded["drawing_tasks"]
        )
        return Settings().replace(recorded)
    except (KeyError, TypeError, UsageError) as error:
        raise PolyframeError(f"the manifest holds settings that are not valid ({error}); run again") from None


def settings_for_stage(manifest: Mapping[str, Any], stage: str, given: Mapping[str, Any]) -> Settings:
    """Put together the settings of a stage that starts from earlier output.

    Those of the extraction are taken over, and for `contours` those of the clustering too: labels and
    contours in one directory always belong together.

    Parameters
    ----------
    manifest : mapping
        Of the output directory.
    stage : {"reduce", "contours"}
        What is to be made.
    given : mapping
        Settings by name from configuration files and options.

    Returns
    -------
    Settings

    Raises
    ------
    UsageError
        Where a given setting contradicts one that is taken over.
    """
    recorded = settings_of(manifest)
    taken_over = recorded.affecting("extract")
    reduced = "reduce" in manifest["stages"]
    if stage == "contours" and reduced:
        taken_over |= {k: v for k, v in recorded.affecting("reduce").items() if k not in _NOT_CLUSTERING}
    if stage == "reduce" or not reduced:
        taken_over = {name: value for name, value in taken_over.items() if name not in _NARROWING}
    wanted = Settings().replace(given)
    plain = wanted.affecting("extract", "reduce")
    for name, value in taken_over.items():
        if name in given and given[name] is not None and plain[name] != value:
            raise UsageError(
                f"{name}: {plain[name]!r} contradicts {value!r}, with which this output was made; "
                "use another output directory"
            )
    return wanted.replace(
        {
            name: getattr(recorded, name)
            for name in [*taken_over, *recorded.affecting("carried")]
            if given.get(name) is None
        }
    )


def clustering_differs(manifest: Mapping[str, Any], settings: Settings) -> bool:
    """Tell whether the clusters recorded in a manifest were made with other settings."""
    before = settings_of(manifest).affecting("extract", "reduce")
    now = settings.affecting("extract", "reduce")
    return any(before[name] != value for name, value in now.items() if name not in _NOT_CLUSTERING)
