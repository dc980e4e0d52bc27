"""Read the YAML configuration files of Panoptes as settings.

Several files may be combined: one for the extractors and others for the reducers. They must not contradict
each other.
"""

import typing
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, TypeVar

from polyframe.core.addresses import Address
from polyframe.core.errors import UsageError
from polyframe.core.settings import Settings
from polyframe.panoptes.classifications.workflow_versions import version_spec_from_config
from polyframe.panoptes.config.extractor_config import drawing_tasks, subtask_extractors
from polyframe.panoptes.config.strict_yaml import Scalar, Tree, read_yaml, tree_of
from polyframe.panoptes.config.typed_values import (
    Place,
    boolean,
    describe_tree,
    integer,
    known_items,
    number,
    scalar,
)
from polyframe.panoptes.config.volunteer_names import names_of

_REDUCERS: Final = ("polygon_reducer", "polygon_reducer_contours")
#: Other reducers of Panoptes, which are skipped.
_OTHER_REDUCERS: Final = (
    "dropdown_reducer",
    "first_n_false_reducer",
    "first_n_true_reducer",
    "optics_line_text_reducer",
    "point_reducer",
    "point_reducer_dbscan",
    "point_reducer_hdbscan",
    "poly_line_text_reducer",
    "question_consensus_reducer",
    "question_reducer",
    "rectangle_reducer",
    "shape_reducer_dbscan",
    "shape_reducer_hdbscan",
    "shape_reducer_optics",
    "shortcut_reducer",
    "slider_reducer",
    "subject_difficulty_reducer",
    "survey_reducer",
    "sw_variant_reducer",
    "temporal_point_reducer_dbscan",
    "temporal_point_reducer_hdbscan",
    "tess_gold_standard_reducer",
    "tess_reducer_column",
    "text_reducer",
    "user_skill_reducer",
)
#: Prefix of the name of the file with the texts of tasks.
TASK_LABELS: Final = "Task_labels_"
_RASTERISATION: Final = ("rasterisation", "rasterization")
_REDUCER_SETTINGS: Final = tuple(f.name for f in fields(Settings) if f.metadata["in_reducer"])
#: The reducers of sub-tasks, which the reference tool writes into its files.
_DETAILS: Final = "details"
_CLUSTERING: Final = ("eps", "min_samples", "cluster_method", "split")
_TYPES: Final = typing.get_type_hints(Settings)
_Result = TypeVar("_Result")
_PLAIN_SETTINGS: Final = tuple(f.name for f in fields(Settings) if f.name != "drawing_tasks")
#: The valid keys at the top level of a file.
_TOP_KEYS: Final = ("extractor_config", "reducer_config", *_PLAIN_SETTINGS)


@dataclass(frozen=True)
class Config:
    """The content of some configuration files.

    Attributes
    ----------
    values : dict
        Values by the names of the fields of `Settings`; only those in the files.
    notes : tuple of str
        Notes for the user: what is skipped, and which settings of a reducer apply to the other one too.
    """

    values: dict[str, Any]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Entry:
    """A setting, its value and its place; `reducer` is empty outside `reducer_config`."""

    setting: str
    value: Any
    place: Place
    reducer: str = ""


def read_config(
    sources: Sequence[Path | Address | Mapping[str, Any]], overridden: Collection[str] = ()
) -> Config:
    """Read configurations in the Panoptes format.

    Parameters
    ----------
    sources : sequence of Path, Address or mapping
        Files, or their content as mappings, with `workflow_id`, `workflow_version`, `extractor_config`,
        `reducer_config` or the names of settings. They are combined; there may be none.
    overridden : collection of str
        Names of settings that are overridden, for example by flags. Their values in the files must be valid
        but may contradict each other, and are omitted.

    Returns
    -------
    Config

    Raises
    ------
    UsageError
        If a file cannot be read, contains an unknown reducer, a value out of range or no known key, or
        contradicts itself or another file. The message is one line and names the file and the key; a mapping
        is called `config`, or `config[1]` in a list of several.
    """
    entries: list[_Entry] = []
    notes: list[str] = []
    reducers: list[str] = []
    for source, content in _contents(sources):
        # A file without any known key cannot be used by Panoptes either.
        lenient = isinstance(content, dict) and not content.keys().isdisjoint(_TOP_KEYS)
        for key, place, tree in known_items(source, content, _TOP_KEYS, notes if lenient else None):
            if key == "extractor_config":
                entries.append(_Entry("drawing_tasks", drawing_tasks(place, tree, notes), place))
                if extractors := subtask_extractors(place, tree, notes):
                    entries.append(_Entry("subtask_extractors", extractors, place))
            elif key == "reducer_config":
                entries += _read_reducers(place, tree, notes, reducers)
            else:
                entries += _read_setting(key, place, tree)
    entries = [entry for entry in entries if entry.setting not in overridden]
    values = _merge_consistent(entries)
    Settings().replace(values)
    return Config(values, (*notes, *_shared_clustering(entries, reducers)))


def _contents(sources: Sequence[Path | Address | Mapping[str, Any]]) -> Iterator[tuple[Place, Tree]]:
    """Yield each configuration once, with its place for messages."""
    read: set[Path | Address] = set()
    for index, source in enumerate(sources):
        if isinstance(source, Path | Address):
            if source not in read:
                content = read_yaml(source)
                if not _is_task_labels(source, content):
                    yield Place(source), content
            read.add(source)
        else:
            name = "config" if len(sources) == 1 else f"config[{index}]"
            yield Place(Path(name)), tree_of(source, name)


def _is_task_labels(path: Path | Address, content: Tree) -> bool:
    """Return whether a file contains the texts of tasks rather than settings."""
    return (
        path.name.startswith(TASK_LABELS)
        and isinstance(content, dict)
        and content.keys().isdisjoint(_TOP_KEYS)
    )


def _read_reducers(place: Place, tree: Tree, notes: list[str], reducers: list[str]) -> list[_Entry]:
    entries: list[_Entry] = []
    for name, reducer_place, options in known_items(place, tree, (*_REDUCERS, *_OTHER_REDUCERS)):
        if name in _OTHER_REDUCERS:
            notes.append(f"{reducer_place} is skipped; polyframe has {' and '.join(_REDUCERS)}")
            continue
        reducers.append(name)
        for key, option_place, option in known_items(
            reducer_place, options, (*_REDUCER_SETTINGS, *_RASTERISATION, _DETAILS), notes
        ):
            if key == _DETAILS:
                notes.append(f"{option_place} is ignored; answers to all sub-tasks are counted")
            elif key in _RASTERISATION:
                entries += _read_rasterisation(option_place, option, name)
            else:
                entries += _read_setting(key, option_place, option, name)
    return entries


def _read_rasterisation(place: Place, tree: Tree, reducer: str) -> list[_Entry]:
    value = tree.value if isinstance(tree, Scalar) else tree
    methods = {"true": "raster", "false": "exact", "auto": "exact"}
    method = methods.get(str(value).lower()) if isinstance(value, (bool, str)) else None
    if value is not None and method is None:
        raise UsageError(f"{place}: {describe_tree(tree)} is not one of true, false, auto")
    return [] if value is None else [_Entry("contour_method", method, place, reducer)]


def _read_setting(name: str, place: Place, tree: Tree, reducer: str = "") -> list[_Entry]:
    """Read the value of one setting; no entry if it is null."""
    if isinstance(tree, Scalar) and tree.value is None:
        return []
    value: Any
    if name == "workflow_version":
        # The original text: `13.10` without quotes is version 13.10, not the number 13.1.
        text = _original_text(tree) if isinstance(tree, Scalar) else _version_ends(place, tree)
        value = _with_place_in_error(place, name, lambda: version_spec_from_config(text))
    elif name == "exclude_volunteers":
        items = tree if isinstance(tree, list) else [tree]
        # A name may look like a number.
        texts = [str(_original_text(scalar(place.item(i), item))) for i, item in enumerate(items)]
        value = _with_place_in_error(place, name, lambda: names_of(texts, place.file.parent))
    elif name == "max_shrink":
        share = scalar(place, tree).value
        value = _with_place_in_error(place, name, lambda: Settings().replace({name: share}).max_shrink)
    else:
        value = _typed(_TYPES[name], place, tree)
    _with_place_in_error(place, name, lambda: Settings().replace({name: value}))
    return [_Entry(name, value, place, reducer)]


def _original_text(scalar: Scalar) -> Any:
    return scalar.value if scalar.text is None else scalar.text


def _version_ends(place: Place, tree: Tree) -> dict[str, Any]:
    ends = [(key, scalar(end_place, end)) for key, end_place, end in known_items(place, tree, ("min", "max"))]
    return {key: _original_text(end) for key, end in ends if end.value is not None}


def _with_place_in_error(place: Place, name: str, check: Callable[[], _Result]) -> _Result:
    """Run a check; replace the name of the setting at the start of its message by its place."""
    try:
        return check()
    except UsageError as error:
        raise UsageError(f"{place}{str(error).removeprefix(name)}") from None


def _typed(expected: Any, place: Place, tree: Tree) -> Any:
    """Return a value as the type of its setting; numbers may be quoted."""
    if expected in (tuple[str, ...], tuple[int, ...]):
        one = typing.get_args(expected)[0]
        items = tree if isinstance(tree, list) else [tree]
        return tuple(_typed(one, place.item(i), item) for i, item in enumerate(items))
    value = scalar(place, tree).value
    if expected is bool:
        return boolean(place, value)
    if expected in (int, int | None):
        return integer(place, value)
    if expected is float:
        return number(place, value)
    if not isinstance(value, str):
        raise UsageError(f"{place}: {value!r} is not a string")
    return value


def _merge_consistent(entries: list[_Entry]) -> dict[str, Any]:
    """Return one value for each setting; a UsageError if two places contradict each other."""
    first: dict[str, _Entry] = {}
    for entry in entries:
        before = first.setdefault(entry.setting, entry)
        if before.value == entry.value:
            continue
        if entry.setting == "drawing_tasks":
            raise UsageError(f"{before.place} and {entry.place} have different drawing tasks; keep one")
        contradiction = f"{before.place} sets {entry.setting} to {before.value!r}"
        contradiction += f", {entry.place} sets it to {entry.value!r}"
        if entry.setting in _CLUSTERING and {before.reducer, entry.reducer} == set(_REDUCERS):
            raise UsageError(f"{contradiction}; a run has one clustering; use two output directories")
        raise UsageError(f"{contradiction}; keep one")
    return {setting: entry.value for setting, entry in first.items()}


def _shared_clustering(entries: list[_Entry], reducers: list[str]) -> list[str]:
    """Return a note if there are two reducers and only one of them sets the clustering."""
    if set(reducers) != set(_REDUCERS):
        return []
    notes = []
    for setting in _CLUSTERING:
        by_reducer = {entry.reducer: entry for entry in entries if entry.setting == setting}
        for entry in by_reducer.values():
            other = next((name for name in _REDUCERS if name not in by_reducer), None)
            if entry.reducer and other and entry.value != getattr(Settings(), setting):
                notes.append(f"{entry.place}: {setting} {entry.value} applies to {other} too")
    return notes
