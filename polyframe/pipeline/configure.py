"""Combine configuration files and keyword arguments into settings."""

import dataclasses
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from polyframe.consensus.exclusion import check_can_exclude
from polyframe.core.addresses import Address, as_address
from polyframe.core.callbacks import Say
from polyframe.core.errors import UsageError
from polyframe.core.local_paths import as_list, local_path
from polyframe.core.notes import show
from polyframe.core.object_stores import StorageOptions
from polyframe.core.settings import Settings
from polyframe.geometry.engines import check_engine
from polyframe.panoptes.classifications.workflow_versions import version_spec_from_config
from polyframe.panoptes.config.read_config import read_config
from polyframe.panoptes.config.volunteer_names import names_of

Config = str | os.PathLike[str] | Address | Mapping[str, Any]
Configs = Config | Iterable[Config] | None

#: The keyword arguments that are settings, with the names of the settings.
_KEYWORDS: Final = {
    keyword: f.name
    for f in dataclasses.fields(Settings)
    for keyword in (f.name, f.metadata["keyword"])
    if keyword
}


@dataclass(frozen=True)
class ResolvedSettings:
    """The settings of a call.

    Attributes
    ----------
    settings : Settings
        All of them; defaults for those that nobody set.
    explicit : mapping
        Those set by configuration files or keyword arguments, by name.
    flagged : frozenset of str
        The names of those set by keyword arguments: tasks and tools that they name must exist.
    """

    settings: Settings
    explicit: Mapping[str, Any]
    flagged: frozenset[str]


def settings_from_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings among the arguments of a public function, by name; None means "not set".

    Raises
    ------
    UsageError
        If both names of a setting are used, with different values.
    """
    chosen: dict[str, Any] = {}
    for keyword, name in _KEYWORDS.items():
        value = arguments.get(keyword)
        if value is None:
            continue
        if name in chosen and chosen[name] != value:
            raise UsageError(f"{name} {chosen[name]!r} contradicts {keyword} {value!r}; pass one of them")
        chosen[name] = value
    return chosen


def configure(
    config: Configs, chosen: Mapping[str, Any], say: Say = show, options: StorageOptions | None = None
) -> ResolvedSettings:
    """Combine settings: defaults, overridden by configuration files, overridden by keyword arguments.

    Parameters
    ----------
    config : path, address, mapping, several or None
        Configuration files in the Panoptes form, or mappings with the same keys.
    chosen : mapping
        Settings by name.
    say : callable
        Receives a note about each key of the configuration that is not used.
    options : mapping, optional
        Credentials and endpoint of the stores with configuration files.

    Raises
    ------
    UsageError
        If a file or a value is not valid, or settings contradict one another.
    """
    explicit: dict[str, Any] = {}
    sources = _sources(config, options)
    if sources:
        read = read_config(sources, chosen)
        for note in read.notes:
            say(note)
        explicit |= read.values
    explicit |= chosen
    if "workflow_version" in explicit:
        explicit["workflow_version"] = version_spec_from_config(explicit["workflow_version"])
    if "exclude_volunteers" in chosen:
        given = Settings().replace({"exclude_volunteers": chosen["exclude_volunteers"]})
        explicit["exclude_volunteers"] = names_of(given.exclude_volunteers, options=options)
    settings = Settings().replace(explicit)
    check_can_exclude(settings)
    # As converted: an iterator among the values has been read.
    explicit = {name: getattr(settings, name) for name in explicit}
    check_engine(settings.engine)
    _check_tasks_and_tools(settings)
    return ResolvedSettings(settings, explicit, frozenset(chosen))


def _sources(config: Configs, options: StorageOptions | None) -> list[Path | Address | Mapping[str, Any]]:
    """Return the places of the configuration files, and the mappings that replace such files."""
    if config is None:
        return []
    expected = "a YAML file, a mapping, or a list of them"
    return [
        source
        if isinstance(source, Mapping)
        else as_address(source, options) or local_path(source, "config", expected=expected)
        for source in as_list(config)
    ]


def _check_tasks_and_tools(settings: Settings) -> None:
    """Raise a UsageError if `task` or `tool` is not among the drawing tasks of the configuration."""
    configured = [drawing.task for drawing in settings.drawing_tasks]
    unknown = [task for task in settings.task if configured and task not in configured]
    if unknown:
        known = ", ".join(dict.fromkeys(configured))
        raise UsageError(f"task: {unknown[0]!r} is not among the tasks of the configuration ({known})")
    drawings = [
        drawing for drawing in settings.drawing_tasks if drawing.task in (settings.task or configured)
    ]
    if not drawings or any(drawing.tools is None for drawing in drawings):
        return
    tools = {tool for drawing in drawings for tool in drawing.tools or ()}
    unlisted = [tool for tool in settings.tool if tool not in tools]
    if unlisted:
        known = ", ".join(map(str, sorted(tools)))
        raise UsageError(f"tool: {unlisted[0]} is not among the tools of the configuration ({known})")
