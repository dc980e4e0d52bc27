"""The stages of a run, what each makes, and which settings a later stage takes over from an earlier one."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from polyframe.core.drawing_tasks import DrawingTask
from polyframe.core.errors import PolyframeError, UsageError
from polyframe.core.settings import Affects, Settings
from polyframe.panoptes.classifications import workflow_versions as versions

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


def stage_settings(settings: Settings, stage: str) -> dict[str, Any]:
    """Return the settings that matter to the tables of a stage, as plain JSON values."""
    found = settings.affecting(*_STAGE_SETTINGS[stage])
    if stage == "contours":
        found = {name: value for name, value in found.items() if name not in _NOT_CLUSTERING}
    return found


def settings_of(recorded: Mapping[str, Any]) -> Settings:
    """Return settings from the plain JSON values that `Settings.affecting` gave.

    Raises
    ------
    PolyframeError
        Where one of them is not valid.
    """
    try:
        tasks = tuple(
            DrawingTask(task["task"], None if task["tools"] is None else tuple(task["tools"]), task["kind"])
            for task in recorded["drawing_tasks"]
        )
        return Settings().replace({**recorded, "drawing_tasks": tasks})
    except (KeyError, TypeError, UsageError) as error:
        raise PolyframeError(f"the manifest holds settings that are not valid ({error}); run again") from None


def settings_for_stage(manifest: Mapping[str, Any], stage: str, given: Mapping[str, Any]) -> Settings:
    """Put together the settings of a stage that starts from earlier output.

    They are those that the output was made with, and what is given overrides them. Which rows were extracted
    cannot be changed any more, nor for `contours` the clustering: labels and contours in one directory always
    belong together. Where the extraction took every task and tool, a later stage may take part of them.

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
    follows_reduction = stage == "contours" and "reduce" in manifest["stages"]
    made = settings_of(manifest["settings"])
    recorded = made if follows_reduction else settings_of(manifest["extraction"])
    chosen = {name: value for name, value in given.items() if value is not None}
    if chosen.get("workflow_version") == versions.NEWEST:
        # The extractions are what there is.
        del chosen["workflow_version"]
    wanted = Settings().replace(chosen)
    fixed = [
        *("workflow_id", "workflow_version", "drawing_tasks", "bezier_tool", "duplicate_marks"),
        *("volunteers", "visitors"),
    ]
    if follows_reduction:
        fixed = [n for n in recorded.affecting("extract", "reduce") if n not in _NOT_CLUSTERING]
    for name in fixed:
        if name in chosen and not _fits(name, wanted, recorded, manifest, follows_reduction):
            raise UsageError(
                f"{name}: {shown(getattr(wanted, name))} contradicts {shown(getattr(recorded, name))}, with "
                "which this output was made; use another output directory"
            )
    return made.replace(chosen)


def check_volunteers_known(settings: Settings, output: object) -> None:
    """Check that what an output directory holds of volunteers is enough to filter by them.

    Raises
    ------
    UsageError
        Where there are no names, and a classification is to be chosen of those that a volunteer made.
    """
    if settings.volunteers == "drop" and settings.filter != "all":
        raise UsageError(
            f"{output}: has no volunteers, so who classified a subject again cannot be told; "
            "use --filter all, or `polyframe run` from the export"
        )


def _fits(
    name: str, wanted: Settings, recorded: Settings, manifest: Mapping[str, Any], follows_reduction: bool
) -> bool:
    """Tell whether a given setting agrees with how the output was made, or takes part of what is there."""
    asked, made = getattr(wanted, name), getattr(recorded, name)
    if asked == made:
        return True
    if name == "workflow_version":
        held = [text.strip() for text in manifest["versions"]]
        selected = versions.selects(asked, held)
        return all(selected) and selected == versions.selects(made, held)
    everything_taken = name == "drawing_tasks" and made == () and not follows_reduction
    return everything_taken and all(task.kind == "polygon" for task in asked)


def not_default(settings: Settings, without: Collection[str] = ()) -> str:
    """Name the settings that change results and are not the defaults, with their values.

    Parameters
    ----------
    settings : Settings
        All settings; the workflow, which is always chosen, is not named.
    without : collection of str
        Others that are not named.

    Returns
    -------
    str
        Such as `eps 0.3, filter all`; empty where all are the defaults.
    """
    usual = Settings()
    return ", ".join(
        f"{name} {shown(getattr(settings, name))}"
        for name in settings.affecting("extract", "reduce", "contours", "carried")
        if name not in ("workflow_id", *without) and getattr(settings, name) != getattr(usual, name)
    )


def shown(value: Any) -> str:
    """Return a setting's value as a person would write it."""
    if value in (None, ()):
        return "all"
    if isinstance(value, tuple):
        return ", ".join(map(shown, value))
    if isinstance(value, DrawingTask):
        tools = "" if value.tools is None else f" tools {', '.join(map(str, value.tools))}"
        return f"{value.task}{tools} ({value.kind})"
    return str(value)
