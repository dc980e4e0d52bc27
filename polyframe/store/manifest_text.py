"""Write a manifest as text, and read it: one JSON file, and further ones for more than 10,000 partitions."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from polyframe import __version__
from polyframe.core.errors import PolyframeError, UsageError, short_repr
from polyframe.core.setting_fields import Affects
from polyframe.core.settings import Settings
from polyframe.core.tables import SCHEMA_VERSION
from polyframe.store.manifest import ALL_TABLES, EXTRACTION, Fingerprint, Manifest

#: Partitions per shard; manifests with fewer have no shards. Unchanged shards are not written again.
PARTITIONS_PER_SHARD: Final = 10_000
#: The key of the shards in the file of a manifest, in place of its partitions.
_SHARDS: Final = "partition_shards"
_AGAIN: Final = "run `polyframe run` again"


@dataclass(frozen=True)
class ManifestText:
    """A manifest as text.

    Attributes
    ----------
    text : bytes
        The JSON file.
    shards : mapping of str to bytes
        Further files, by their names in it, which are hashes of their content.
    """

    text: bytes
    shards: Mapping[str, bytes] = field(default_factory=dict)


class _Header(msgspec.Struct):
    """What is read before the rest: the schema, which settings are recorded, and the names of shards."""

    schema_version: Any = None
    extraction: msgspec.Raw = msgspec.Raw()
    settings: msgspec.Raw = msgspec.Raw()
    partition_shards: list[Fingerprint] = []


def manifest_text(manifest: Manifest, *, sharded: bool = True) -> ManifestText:
    """Return a manifest as readable JSON, with a line for each of perhaps thousands of partitions.

    Parameters
    ----------
    manifest : Manifest
    sharded : bool
        Whether more than 10,000 partitions are in further files.
    """
    head = manifest.to_dict()
    lines = [json.dumps(partition, ensure_ascii=False) for partition in head.pop("partitions")]
    if not sharded or len(lines) <= PARTITIONS_PER_SHARD:
        return ManifestText(_with_list(head, "partitions", lines))
    shards = {}
    for start in range(0, len(lines), PARTITIONS_PER_SHARD):
        content = _list_text(lines[start : start + PARTITIONS_PER_SHARD], "").encode()
        shards[hashlib.blake2b(content, digest_size=16).hexdigest()] = content
    return ManifestText(_with_list(head, _SHARDS, [json.dumps(name) for name in shards]), shards)


def parse_manifest(content: bytes, name: str, read_shard: Callable[[str], bytes]) -> Manifest:
    """Return a manifest from its text.

    Parameters
    ----------
    content : bytes
        The JSON file.
    name : str
        Its path or address, for messages.
    read_shard : callable
        Takes the name of a shard and returns its content; FileNotFoundError if there is none.

    Raises
    ------
    PolyframeError
        If it is damaged, or was written by another version of polyframe.
    """
    try:
        header = _read_header(content)
        if header.schema_version != SCHEMA_VERSION:
            raise PolyframeError(
                f"{name}: made by another version of polyframe; rebuild the tables with `polyframe run`"
            )
        if header.partition_shards:
            content = _joined(content, [read_shard(shard) for shard in header.partition_shards])
        manifest = msgspec.json.decode(content, type=Manifest)
        _check_names("extraction", header.extraction, manifest, EXTRACTION)
        _check_names("settings", header.settings, manifest, ALL_TABLES)
        return manifest
    except msgspec.ValidationError as error:
        problem = _problem(error)
        is_other = "missing" in problem or "unknown field" in problem
        origin = " (damaged, or written by another version)" if is_other else ""
        raise PolyframeError(f"{name}: {problem}{origin}; {_AGAIN}") from None
    except UsageError as error:
        raise PolyframeError(f"{name}: {error}; {_AGAIN}") from None
    except FileNotFoundError as error:
        raise PolyframeError(f"{name}: {error} is missing; {_AGAIN}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PolyframeError(f"{name}: cannot be read ({error}); {_AGAIN}") from None


def shard_names(content: bytes) -> Sequence[str]:
    """Return the names of the shards of a manifest from its text; empty if there are none."""
    try:
        return _read_header(content).partition_shards
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ()


def _read_header(content: bytes) -> _Header:
    try:
        return msgspec.json.decode(content, type=_Header)
    except msgspec.ValidationError:
        return _Header()


def _with_list(head: Mapping[str, Any], name: str, lines: Sequence[str]) -> bytes:
    """Return a JSON object whose last value is a list, an item on each line."""
    text = json.dumps(head, indent=2, ensure_ascii=False)
    return f'{text[: text.rindex("}")].rstrip()},\n  "{name}": {_list_text(lines, "  ")}\n}}\n'.encode()


def _list_text(lines: Iterable[str], indent: str) -> str:
    inner = f",\n{indent}  ".join(lines)
    return f"[\n{indent}  {inner}\n{indent}]"


def _joined(content: bytes, shards: Iterable[bytes]) -> bytes:
    """Put the partitions of shards in place of their names."""
    head: dict[str, msgspec.Raw] = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
    del head[_SHARDS]
    partitions = [part for shard in shards for part in msgspec.json.decode(shard, type=list[msgspec.Raw])]
    return msgspec.json.encode({**head, "partitions": partitions})


def _check_names(place: str, recorded: msgspec.Raw, manifest: Manifest, affects: tuple[Affects, ...]) -> None:
    """Check that no recorded setting is unknown and, if this version wrote them, that none is missing."""
    names = msgspec.json.decode(recorded)
    known = Settings().affecting(*affects)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise msgspec.ValidationError(f"{place}: unknown setting {short_repr(unknown[0])}")
    missing = [name for name in known if name not in names]
    if missing and manifest.polyframe_version == __version__:
        raise msgspec.ValidationError(f"{place}: missing setting {missing[0]!r}")


def _problem(error: msgspec.ValidationError) -> str:
    """Return a validation error as `place: problem`, such as `accounting.rows_read: expected int >= 0`."""
    problem, _, path = str(error).replace("`", "").partition(" - at ")
    problem = problem.removeprefix("Object ")
    place = path.replace("key in ", "").removeprefix("$").removeprefix(".")
    return f"{place}: {problem[0].lower()}{problem[1:]}" if place else problem
