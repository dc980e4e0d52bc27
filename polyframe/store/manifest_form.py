"""The form of a manifest: whether everything in it is there and of the right type, whoever wrote it.

Names of partitions become file names, so that nothing is opened by a manifest that does not pass.
"""

import dataclasses
import itertools
import re
import typing
from collections.abc import Iterator, Mapping
from typing import Any, Final

from polyframe import __version__
from polyframe.core.choices import VersionChosenBy
from polyframe.core.errors import PolyframeError
from polyframe.core.settings import Affects
from polyframe.store.accounting import Accounting
from polyframe.store.stages import STAGE_TABLES, settings_of

_NAME: Final = re.compile(r"[0-9]{5,9}(-[0-9]{2})*")
_CONTENT: Final = re.compile(r"[0-9a-f]{16}")
_FINGERPRINT: Final = re.compile(r"[0-9a-f]{32}")
_COUNTS: Final = tuple(f.name for f in dataclasses.fields(Accounting) if f.name != "reasons")
#: What is counted before there are partitions.
_OF_EXPORT: Final = ("rows_read", "rows_filtered")
_PARTITION: Final = {"name", "first_subject", "content", "stages"}
_RECORD: Final = {"fingerprint", "places", "counts", "sizes"}
#: Which settings stand where.
_SETTINGS: Final[Mapping[str, tuple[Affects, ...]]] = {
    "extraction": ("extract",),
    "settings": ("extract", "reduce", "contours", "carried"),
}


def form_problems(manifest: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with the form of a manifest, in words; empty where nothing is.

    Parameters
    ----------
    manifest : mapping
        From its file; that the keys are there was seen already.
    """
    problems = list(_head_problems(manifest))
    partitions = manifest["partitions"]
    if not isinstance(partitions, list) or not partitions:
        return [*problems, f"'partitions' is {_shown(partitions)}, expected a list of partitions"]
    for position, partition in enumerate(partitions):
        problems += _partition_problems(position, partition, manifest["stages"])
    return problems or list(_order_problems(partitions))


def _head_problems(manifest: Mapping[str, Any]) -> Iterator[str]:
    if not isinstance(manifest.get("polyframe_version"), str):
        yield f"'polyframe_version' is {_shown(manifest.get('polyframe_version'))}, expected text"
    for key in ("sources", "versions"):
        if not _is_texts(manifest[key]):
            yield f"{key!r} is {_shown(manifest[key])}, expected a list of texts"
    if manifest["version_chosen_by"] not in typing.get_args(VersionChosenBy):
        choices = ", ".join(typing.get_args(VersionChosenBy))
        yield f"'version_chosen_by' is {_shown(manifest['version_chosen_by'])}, expected one of {choices}"
    stages = manifest["stages"]
    known = list(STAGE_TABLES)
    if not _is_texts(stages) or stages != [s for s in known if s in stages] or known[0] not in stages:
        yield f"'stages' is {_shown(stages)}, expected {known[0]!r}, or it and some of {known[1:]}"
    if not (manifest["last_subject"] is None or _is_whole(manifest["last_subject"])):
        yield f"'last_subject' is {_shown(manifest['last_subject'])}, expected a whole number"
    for key, affects in _SETTINGS.items():
        yield from _settings_problems(key, manifest, affects)
    yield from _counts_problems("accounting", manifest["accounting"], needed=_COUNTS)


def _settings_problems(key: str, manifest: Mapping[str, Any], affects: tuple[Affects, ...]) -> Iterator[str]:
    recorded = manifest[key]
    if not isinstance(recorded, dict):
        yield f"{key!r} is {_shown(recorded)}, expected settings"
        return
    try:
        understood = settings_of(recorded).affecting(*affects)
    except (PolyframeError, TypeError, ValueError, AttributeError, OverflowError) as error:
        told = str(error).removesuffix("; run again")
        yield f"{key!r} holds settings that are not valid ({told[:200]})"
        return
    for name in recorded:
        if name not in understood or understood[name] != recorded[name]:
            yield f"{key!r}: {name} is {_shown(recorded[name])}, which is no valid setting"
    if manifest.get("polyframe_version") == __version__:
        yield from (f"{key!r}: lacks {name}" for name in understood if name not in recorded)


def _counts_problems(where: str, counts: object, needed: tuple[str, ...] = ()) -> Iterator[str]:
    if not isinstance(counts, dict):
        yield f"{where} is {_shown(counts)}, expected counts"
        return
    yield from (f"{where}: lacks {name}" for name in needed if name not in counts)
    for name, count in counts.items():
        if name == "tools" and not needed:
            if not _is_texts(count):
                yield f"{where}: tools is {_shown(count)}, expected a list of texts"
        elif name == "reasons":
            if not isinstance(count, dict) or not all(_is_count(number) for number in count.values()):
                yield f"{where}: reasons is {_shown(count)}, expected counts"
        elif name not in _COUNTS or (name in _OF_EXPORT and not needed):
            yield f"{where}: {_shown(name)} is unknown"
        elif not _is_count(count):
            yield f"{where}: {name} is {_shown(count)}, expected a whole number from 0"


def _partition_problems(position: int, partition: Any, stages: Any) -> Iterator[str]:
    if not isinstance(partition, dict):
        yield f"partition {position} is {_shown(partition)}"
        return
    name = partition.get("name")
    if not _matches(_NAME, name):
        yield f"partition {position}: its name is {_shown(name)}, expected digits such as 00000"
        return
    where = f"partition {name}"
    if set(partition) != _PARTITION:
        yield f"{where}: has the keys {_shown(sorted(partition))}, expected {', '.join(sorted(_PARTITION))}"
        return
    first = partition["first_subject"]
    if (first is None) != (position == 0) or not (first is None or _is_whole(first)):
        yield f"{where}: 'first_subject' is {_shown(first)}"
    if not _matches(_CONTENT, partition["content"]):
        yield f"{where}: 'content' is {_shown(partition.get('content'))}, expected 16 hexadecimal digits"
    records = partition["stages"]
    if not isinstance(records, dict) or list(records) != stages:
        yield f"{where}: its stages are {_shown(records)}, expected {_shown(stages)}"
        return
    for stage, record in records.items():
        yield from _record_problems(f"{where}, {stage}", stage, record)


def _record_problems(where: str, stage: str, record: Any) -> Iterator[str]:
    if not isinstance(record, dict):
        yield f"{where} is {_shown(record)}"
        return
    if set(record) != _RECORD:
        yield f"{where}: has the keys {_shown(sorted(record))}, expected {', '.join(sorted(_RECORD))}"
        return
    if not _matches(_FINGERPRINT, record["fingerprint"]):
        yield f"{where}: the fingerprint is {_shown(record.get('fingerprint'))}"
    if not (record["places"] is None or _matches(_FINGERPRINT, record["places"])):
        yield f"{where}: 'places' is {_shown(record['places'])}"
    yield from _counts_problems(f"{where}: counts", record["counts"])
    sizes = record["sizes"]
    tables = STAGE_TABLES.get(stage, ())
    if not isinstance(sizes, dict) or set(sizes) != set(tables) or not all(map(_is_count, sizes.values())):
        yield f"{where}: the sizes are {_shown(sizes)}, expected one for each of {', '.join(tables)}"


def _order_problems(partitions: list[dict[str, Any]]) -> Iterator[str]:
    """Parts in name order are in the order of their subjects."""
    for before, after in itertools.pairwise(partitions):
        if before["name"] >= after["name"]:
            yield f"partition {after['name']} stands behind {before['name']}, which is not the order of names"
        first, following = before["first_subject"], after["first_subject"]
        if first is not None and first >= following:
            yield (
                f"partition {after['name']}: its first subject {following} is not behind that of "
                f"{before['name']}, {first}"
            )


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except (RecursionError, ValueError):
        text = type(value).__name__
    return text if len(text) <= 60 else f"{text[:57]}..."


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_whole(value: object) -> bool:
    # As wide as a column of subjects.
    return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63


def _is_count(value: object) -> bool:
    return isinstance(value, int) and _is_whole(value) and value >= 0


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None
