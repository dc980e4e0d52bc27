"""Compute fingerprints of parts, by which a later run decides whether they are up to date."""

import functools
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import polars as pl
import polars.selectors as cs

from polyframe import __version__
from polyframe.core.settings import Settings
from polyframe.core.table_schema import Table
from polyframe.core.tables import SCHEMA_VERSION, STORED_TABLES
from polyframe.store.stages import ENGINE_STAGES, IMPORTED, STAGE_TABLES, stage_settings, tables_of_stages

#: The bytes of a part also depend on these: the program, and Polars, which hashes the rows.
_MADE_BY: Final = ("polyframe", __version__, SCHEMA_VERSION, "polars", pl.__version__)
#: Hashed with the secret of the volunteers to distinguish secrets without revealing them.
_PURPOSE: Final = b"polyframe volunteers"


@functools.cache
def digest_of_key(key: bytes) -> str | None:
    """Return a digest of the secret with which volunteers are hashed; None without one.

    It is recorded, because later stages see only hashes, and should not need the secret. It shows whether a
    guess at the secret is right, as the hash of a known name does, so it is slow to compute.
    """
    if not key:
        return None
    return hashlib.scrypt(key, salt=_PURPOSE, n=2**14, r=8, p=1, dklen=16).hex()


def stage_fingerprints(content: str, settings: Settings, key_digest: str | None = None) -> Mapping[str, str]:
    """Return the fingerprint of each stage for the rows of a partition.

    Those of `reduce` and `contours` include the engine, because engines agree only within rounding. `auto`
    means that none was recorded. All depend on the columns of all tables: parts that lack a new
    column, or were written with other types, are out of date.

    Parameters
    ----------
    content : str
        The hash of the rows, from the scan of the export.
    settings : Settings
        Only those that matter to a stage are part of its fingerprint: another `eps` does not change that of
        the extraction.
    key_digest : str, optional
        Of the secret with which volunteers are hashed; another secret gives other names, hence another
        fingerprint.

    Returns
    -------
    mapping of str to str
        32 hexadecimal digits for each stage.
    """
    return fingerprints_by_content(settings, key_digest)(content)


def fingerprints_by_content(
    settings: Settings, key_digest: str | None = None
) -> Callable[[str], Mapping[str, str]]:
    """Return a function like `stage_fingerprints` for many partitions with the same settings.

    A run has up to half a million, and to turn the settings into text takes most of the time.
    """
    engine = [] if settings.engine == "auto" else [settings.engine]
    around: dict[str, tuple[str, str]] = {}
    for stage in STAGE_TABLES:
        before = [*_MADE_BY, columns_digest(), stage]
        after = [key_digest or "", stage_settings(settings, stage)]
        after += engine if stage in ENGINE_STAGES else []
        # The text of one list, in which the content is still missing.
        around[stage] = f"{_json(before)[:-1]},", f",{_json(after)[1:]}"

    def of_content(content: str) -> Mapping[str, str]:
        text = _json(content)
        return {stage: _hash(f"{before}{text}{after}") for stage, (before, after) in around.items()}

    return of_content


def places_fingerprint(places: str, sources: tuple[str, ...]) -> str:
    """Return the fingerprint of the positions of the rows, by file and number, for `rejects`."""
    return _digest([places, sources if len(sources) > 1 else ()])


def part_fingerprint(fingerprint: str, places: str | None) -> str:
    """Return what changes whenever the bytes of a part change, from the record of its stage."""
    return fingerprint if places is None else _digest([fingerprint, places])


def merged_content(contents: Iterable[str]) -> str:
    """Return the hash of the rows of all partitions, which does not depend on their borders."""
    return f"{sum(int(content, 16) for content in contents) % 2**64:016x}"


def merged_places(places: Sequence[str | None]) -> str | None:
    """Return the fingerprint of the positions of the rows of all partitions; None if no part needs them."""
    return _digest(places) if any(places) else None


@functools.cache
def columns_digest() -> str:
    """Return a digest of the columns of all tables: their names, types, and whether values can be missing.

    Imported tables do not count: runs do not make them.
    """
    imported = tables_of_stages([IMPORTED])
    made = {name: table for name, table in STORED_TABLES.items() if name not in imported}
    return _digest([[name, _columns(table)] for name, table in made.items()])


def rows_fingerprint(rows: pl.DataFrame) -> str:
    """Return the fingerprint of an imported table, which depends on all of its values."""
    texts = rows.with_columns(cs.binary().bin.encode("hex"), cs.datetime().dt.epoch("us"))
    return _digest([[name, texts[name].to_list()] for name in texts.columns])


def _columns(table: Table) -> list[list[str | bool]]:
    return [[column.name, str(column.dtype), column.nullable] for column in table.columns]


def _digest(value: object) -> str:
    return _hash(_json(value))


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
