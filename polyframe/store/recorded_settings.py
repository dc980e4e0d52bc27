"""Combine the settings that an output directory was made with and those of a later stage."""

from collections.abc import Collection, Mapping
from typing import Any

from polyframe.consensus.anonymize import environment_key
from polyframe.consensus.exclusion import (
    check_can_exclude,
    digests_by_name,
    is_digest,
    needs_secret,
    with_digests,
)
from polyframe.core.drawing_tasks import DrawingTask
from polyframe.core.environment import KEY_VARIABLE
from polyframe.core.errors import UsageError
from polyframe.core.plurals import counted
from polyframe.core.settings import Settings
from polyframe.panoptes.classifications import workflow_versions as versions
from polyframe.store.fingerprints import digest_of_key
from polyframe.store.manifest import Manifest
from polyframe.store.stages import NOT_CLUSTERING


def settings_for_stage(manifest: Manifest, stage: str, given: Mapping[str, Any]) -> Settings:
    """Return the settings of a stage that starts from earlier output.

    They are those that the output was made with, overridden by `given`. Which rows were extracted can no
    longer change, nor the clustering for `contours`: labels and contours in one directory always belong
    together. If the extraction took every task and tool, a later stage may take some of them.

    Parameters
    ----------
    manifest : Manifest
        The manifest of the output directory.
    stage : {"reduce", "contours"}
        The stage to run.
    given : mapping
        Settings by name from configuration files and options.

    Returns
    -------
    Settings

    Raises
    ------
    UsageError
        If a setting in `given` contradicts one that cannot change.
    """
    follows_reduction = stage == "contours" and "reduce" in manifest.stages
    recorded = manifest.settings if follows_reduction else manifest.extraction
    overrides = {name: value for name, value in given.items() if value is not None}
    if overrides.get("workflow_version") == versions.NEWEST:
        # The newest version that was extracted.
        del overrides["workflow_version"]
    requested = Settings().replace(overrides)
    if "exclude_volunteers" in overrides:
        requested = requested.replace({"volunteers": recorded.volunteers})
        check_can_exclude(requested)
        _check_secret(requested, manifest)
        requested = with_digests(requested, digests_by_name(requested))
    fixed = [
        *("workflow_id", "workflow_version", "drawing_tasks", "bezier_tool", "duplicate_marks"),
        *("volunteers", "visitors"),
    ]
    if follows_reduction:
        fixed = [name for name in recorded.affecting("extract", "reduce") if name not in NOT_CLUSTERING]
    for name in fixed:
        if name in overrides and not _is_compatible(name, requested, recorded, manifest, follows_reduction):
            raise UsageError(
                f"{name}: {format_setting(getattr(requested, name), name)} contradicts "
                f"{format_setting(getattr(recorded, name), name)}, "
                "with which this output was made; use another output directory"
            )
    return manifest.settings.replace(overrides)


def check_volunteers_known(settings: Settings, output: object) -> None:
    """Check that an output directory knows its volunteers if the settings filter by them.

    Raises
    ------
    UsageError
        If there are no names, and one of the classifications of each volunteer is to be chosen, or some
        volunteers are to be excluded.
    """
    check_can_exclude(settings)
    if settings.volunteers == "drop" and settings.filter != "all":
        raise UsageError(
            f"{output}: has no volunteers, so it is not known who classified a subject again; "
            f"count all of them with `polyframe reduce {output} --filter all`, or extract the marks with "
            "--volunteers hash"
        )


def _check_secret(settings: Settings, manifest: Manifest) -> None:
    """Raise a UsageError if names would be hashed with another secret than the volunteers of the output."""
    digest = digest_of_key(environment_key())
    if digest and needs_secret(settings) and manifest.key_digest not in (None, digest):
        raise UsageError(
            f"exclude_volunteers: the secret in the environment variable {KEY_VARIABLE} is not the one that "
            "hashed the volunteers of this output; set that one, or give the hashes in the table volunteers"
        )


def _is_compatible(
    name: str, requested: Settings, recorded: Settings, manifest: Manifest, follows_reduction: bool
) -> bool:
    """Return whether a setting agrees with the recorded one, or selects part of what was extracted."""
    new, old = getattr(requested, name), getattr(recorded, name)
    if new == old:
        return True
    if name == "workflow_version":
        extracted = [version.strip() for version in manifest.versions]
        selected = versions.selects(new, extracted)
        return all(selected) and selected == versions.selects(old, extracted)
    took_everything = name == "drawing_tasks" and old == () and not follows_reduction
    return took_everything and all(task.kind == "polygon" for task in new)


def not_default(settings: Settings, without: Collection[str] = ()) -> str:
    """Name the settings that change results and are not the defaults, with their values.

    Parameters
    ----------
    settings : Settings
        All settings. The workflow is not named, since it is always chosen.
    without : collection of str
        Other settings to omit.

    Returns
    -------
    str
        For example `eps 0.3, filter all`; empty if all are the defaults.
    """
    defaults = Settings()
    return ", ".join(
        f"{name} {format_setting(getattr(settings, name), name)}"
        for name in settings.affecting("extract", "reduce", "contours", "carried")
        if name not in ("workflow_id", *without) and getattr(settings, name) != getattr(defaults, name)
    )


def format_setting(value: Any, name: str = "") -> str:
    """Return the value of a setting as a person would write it."""
    if name == "exclude_volunteers" and not value:
        return "nobody"
    if value in (None, ()):
        return "all"
    if isinstance(value, tuple) and all(map(is_digest, value)):
        return counted(len(value), "volunteer")
    if isinstance(value, tuple):
        return ", ".join(map(format_setting, value))
    if isinstance(value, DrawingTask):
        tools = "" if value.tools is None else f" tools {', '.join(map(str, value.tools))}"
        return f"{value.task}{tools} ({value.kind})"
    return str(value)
